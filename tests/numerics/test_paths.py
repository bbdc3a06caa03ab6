"""Sums along paths against products with the matrix of paths."""

import numpy as np
import pytest

from hme import Tree
from hme.numerics import multinomial
from hme.numerics.paths import branch_sums, leaf_sums, pair_moments, pair_priors

TREES = [Tree.flat(1), Tree.flat(4), Tree.complete(3), Tree.from_text("((. . .) . ((. .) .))")]


@pytest.mark.parametrize("tree", TREES, ids=repr)
def test_sums_are_products_with_paths(tree):
    rng = np.random.default_rng(0)
    values, leaf = rng.normal(size=(tree.max_branching, tree.n_nodes, 9)), rng.random((tree.n_leaves, 9))
    values[~tree.used.T] = -np.inf
    there = np.where(np.isinf(values), 0.0, values)
    np.testing.assert_allclose(
        leaf_sums(tree.by_level, values), np.einsum("mbk,bmn->kn", tree.paths, there), atol=1e-14
    )
    below = np.einsum("mbk,kn->bmn", tree.paths, leaf)
    np.testing.assert_allclose(branch_sums(tree.by_level, leaf, tree.max_branching), below, atol=1e-14)


def test_pairs_of_branches():
    rng, tree = np.random.default_rng(0), Tree.from_text("((. (. .)) (. .))")
    score, leaf = rng.normal(size=(tree.n_nodes, 9)), rng.random((tree.n_leaves, 9))
    log_prior, probability = pair_priors(tree.by_level, score)
    log_branch = np.stack([-np.logaddexp(0, score), -np.logaddexp(0, -score)])
    np.testing.assert_allclose(probability, 1 / (1 + np.exp(-score)), atol=1e-15)
    np.testing.assert_allclose(log_prior, np.einsum("mbk,bmn->kn", tree.paths, log_branch), atol=1e-14)
    mass = np.einsum("mbk,kn->bmn", tree.paths, leaf)
    expected = multinomial.softmax_moments(log_branch, mass)
    moved, weights, total = pair_moments(tree.by_level, probability, leaf)
    np.testing.assert_allclose(moved, expected[0][1], atol=1e-14)
    np.testing.assert_allclose(weights, expected[1][0], atol=1e-14)
    np.testing.assert_allclose(total, expected[2], atol=1e-13)
