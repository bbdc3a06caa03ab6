"""The path of a growing tree: from one expert up, the leaves that gain most are split, and EM goes on after each step.

Early steps, and those of large tables, see a sample of the rows, which grows with the tree.
"""

from typing import Any, NamedTuple

import numpy as np

from ..fitting import training
from ..model.folds import fold_numbers, with_every_class
from ..model.mixture import Mixture, starving
from ..model.tree import Tree
from .splits import Splitter, split_leaves

__all__ = ["Size", "finished", "grown", "pruned", "sampled"]

# Sweeps after each step, and what may be left to gain: a tree that grows on has no use for the last digits, and a few
# sweeps from soft splits are a smoother fit than many.
SWEEPS, TOL = 8, 1e-3
# Of one expert, which is where a plain model ends.
SWEEPS_OF_ONE, TOL_OF_ONE = 100, 1e-7
# One leaf at a time is split of a tree of fewer leaves than this, then one in so many: steps of large trees take time,
# and what they have passed over is found again by pruning.
ONE_BY_ONE, SHARE = 8, 2
# One leaf in so many is given up in a step of pruning, at least one.
FEWER = 8
LEAST_LOG = -1e6  # log-density of a row that an expert cannot have, so that experts can be compared
# Rows for each coefficient that a step sees, at least, and not fewer than LEAST.
ROWS_A_COEFFICIENT, LEAST = 16, 16384
# Sweeps with all rows of a size that has seen a sample.
LAST_SWEEPS = 3


class Size(NamedTuple):
    """The mixture of one size on the path."""

    tree: Tree
    mixture: Mixture
    params: Any
    sampled: bool  # whether EM has seen a sample of the rows


def grown(make, rows, max_experts, settings):
    """Iterate over the mixtures of growing size that are fitted to rows.

    Parameters
    ----------
    make : callable
        ``make(tree, rows, alphas, like)`` is the mixture on a tree, bound to the rows, with strengths of penalties;
        `like` is None or another one that is bound to the same rows.
    rows : Rows
    max_experts : int
    settings : Settings

    Yields
    ------
    Size

    Raises
    ------
    KeyboardInterrupt
    """
    tree, splits, part = Tree.flat(1), [None], rows
    number = fold_numbers(rows) if rows.n_rows > 2 * LEAST else None
    mixture, splitter, resp = make(tree, rows, {}), None, np.ones((rows.heads().n_rows, 1))
    while True:
        fit = training.train(mixture, part, mixture.init(part, resp), _options(settings.options, tree))
        if fit.reason == "interrupted":
            raise KeyboardInterrupt
        yield Size(tree, mixture, fit.params, part is not rows)
        before, room = part, max_experts - tree.n_leaves
        part = rows if number is None else _seen(rows, number, tree.n_leaves)
        if splitter is None or part is not before:
            least = settings.min_weight_fraction_leaf * part.weight.sum()
            splitter = Splitter(mixture, part, least, part.n_coefficients(tree.n_leaves))
        resp = mixture.posterior(fit.params, part)[1]
        size = tree.n_leaves
        n_new = 1 if size < ONE_BY_ONE else size // SHARE
        tree, resp, splits = split_leaves(splitter, tree, resp, splits, min(n_new, room))
        if tree.n_leaves == size:
            return
        mixture = make(tree, rows, mixture.estimated_alphas(fit.params, fit.stats), mixture)


def pruned(make, rows, size, settings):
    """Iterate over the mixtures of falling size in which experts give their rows to the one that is most alike.

    Greedy splits leave more experts than there need be: those that stand on either side of a border which another one
    has made superfluous.

    Parameters
    ----------
    make, rows, settings
        As for `grown`.
    size : Size
        Where to begin.

    Yields
    ------
    Size
        Down to one expert.

    Raises
    ------
    KeyboardInterrupt
    """
    (tree, mixture, params, _), alphas = size, size.mixture.alphas
    number = fold_numbers(rows) if rows.n_rows > 2 * LEAST else None
    while tree.n_leaves > 1:
        part = rows if number is None else _seen(rows, number, tree.n_leaves)
        resp, alike = mixture.posterior(params, part)[1], mixture.expert.log_prob(params.experts, part)
        for _ in range(max(tree.n_leaves // FEWER, 1)):
            tree, resp, alike = _merged(tree, resp, alike, part)
        mixture = make(tree, rows, alphas, mixture)
        fit = training.train(mixture, part, mixture.init(part, resp), _options(settings.options, tree))
        if fit.reason == "interrupted":
            raise KeyboardInterrupt
        params, alphas = fit.params, mixture.estimated_alphas(fit.params, fit.stats)
        yield Size(tree, mixture, params, part is not rows)


def _merged(tree, resp, log_prob, rows):
    """The tree and responsibilities (heads, K - 1) in which one expert has the rows of another one.

    It is the pair whose likelihood, without another fit, falls least.
    """
    weighted = rows.spread(resp) * rows.weight[:, None]
    bounded = np.maximum(log_prob, LEAST_LOG)
    cost = (weighted * bounded).sum(axis=0)[:, None] - weighted.T @ bounded
    np.fill_diagonal(cost, np.inf)
    gone, kept = np.unravel_index(int(cost.argmin()), cost.shape)
    resp = resp.copy()
    resp[:, kept] += resp[:, gone]
    others = np.delete(np.arange(tree.n_leaves), gone)
    return tree.without([gone]), resp[:, others], log_prob[:, others]


def _options(options, tree):
    """Options of EM on the path, of a tree of several leaves or of one."""
    sweeps, tol = (SWEEPS, TOL) if tree.n_nodes else (SWEEPS_OF_ONE, TOL_OF_ONE)
    quiet = options.quiet()
    return quiet._replace(max_iter=sweeps, tol=tol, algorithm="em", climbs=False, newton=None, look=None)


def _seen(rows, number, n_leaves):
    """The rows that a step sees, by numbers that know the content of rows alone."""
    return sampled(rows, number, max(LEAST, ROWS_A_COEFFICIENT * rows.n_coefficients(n_leaves)))


def sampled(rows, number, enough):
    """A part of the rows, of at least so many distinct ones, that halves or doubles."""
    step = (int(number.max()) + 1) // enough
    if step < 2:
        return rows
    return rows[np.flatnonzero(with_every_class(rows, number, number % (1 << int(np.log2(step))) == 0))]


def finished(make, size, rows, settings):
    """A size as it predicts: after some sweeps with all rows, where EM has seen a sample, and without empty leaves.

    No row says what an expert without rows predicts; it may be anything, and count for a new row.
    """
    options = _options(settings.options, size.tree)._replace(max_iter=LAST_SWEEPS + 1, settled=True)
    if size.sampled:
        fit = training.train(size.mixture, rows, size.params, options)
        size = size._replace(params=fit.params, sampled=False)
    resp = size.mixture.posterior(size.params, rows)[1]
    gone = starving(rows.heads().weight @ resp)
    if not len(gone):
        return size
    others = np.setdiff1d(np.arange(size.tree.n_leaves), gone)
    tree, resp = size.tree.without(gone), np.maximum(resp[:, others], np.finfo(float).tiny)
    mixture = make(tree, rows, size.mixture.alphas, size.mixture)
    params = mixture.init(rows, resp / resp.sum(axis=1, keepdims=True))
    return Size(tree, mixture, training.train(mixture, rows, params, options).params, False)
