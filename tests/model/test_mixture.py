"""Bayes' rule, the E-step and prediction, against formulas written out."""

import numpy as np
import pytest
from families import DESIGN, GATES, K, identify, make_rows

from hme import Tree
from hme.experts import LaplaceExpert, LinearExpert
from hme.gates import SoftmaxGate, TopKGate, TreeGate
from hme.model.design import Design
from hme.model.folds import fold_numbers
from hme.model.mixture import Mixture, starving
from hme.model.rows import Rows
from hme.numerics import engine


def make_mixture(gate):
    rows = make_rows("regression")
    rows = rows._replace(fold=fold_numbers(rows))
    mixture = Mixture(gate.bind(rows, DESIGN), LinearExpert().bind(rows, DESIGN))
    return mixture, rows, mixture.init(rows, np.random.default_rng(0).dirichlet(np.ones(K), rows.n_rows))


@pytest.mark.parametrize("gate", GATES, ids=identify)
def test_bayes_rule(gate):
    mixture, rows, params = make_mixture(gate)
    prior = np.exp(mixture.log_prior(params, rows))
    joint = prior * np.exp(mixture.expert.log_prob(params.experts, rows))
    log_density, resp = mixture.posterior(params, rows)
    np.testing.assert_allclose(log_density, np.log(joint.sum(axis=1)))
    np.testing.assert_allclose(resp, joint / joint.sum(axis=1, keepdims=True), atol=1e-12)
    np.testing.assert_allclose(mixture.evidence(params, rows), log_density, rtol=1e-12)
    means = mixture.expert.predict(params.experts, rows)[:, :, 0]
    np.testing.assert_allclose(mixture.mean(params, rows)[:, 0], (prior * means).sum(axis=1), atol=1e-12)


@pytest.mark.parametrize("gate", GATES, ids=identify)
def test_the_e_step_measures_the_objective_and_gathers_the_responsibilities(gate):
    mixture, rows, params = make_mixture(gate)
    objective, stats = mixture.e_step(params, rows)
    log_density, resp = mixture.posterior(params, rows)
    if mixture.gate.traits.generative:
        score = mixture.gate.log_score(params.gate, rows)
        log_density = log_density + (score - mixture.log_prior(params, rows))[:, 0]
    expected = rows.weight @ log_density + mixture.log_prior_density(params)
    np.testing.assert_allclose(objective, expected / rows.weight.sum(), rtol=1e-12)
    np.testing.assert_allclose(stats.load, rows.weight @ resp, rtol=1e-9)


def test_visits_go_to_every_leaf_once():
    mixture, rows, params = make_mixture(TopKGate(k=2))
    active, _ = mixture.gate.route(params.gate, rows)
    seen = np.full(active.size, -1)
    for leaf, slots, experts, routed in mixture.visits(params, rows, active):
        seen[slots] = leaf
        np.testing.assert_array_equal(experts.coef, params.experts.coef[[leaf]])
        np.testing.assert_array_equal(routed.y, rows.y[slots // 2])
    np.testing.assert_array_equal(seen.reshape(active.shape), active)


def test_leaves_without_weight_starve():
    np.testing.assert_array_equal(starving(np.array([1.0, 1e-6, 2.0, 0.0])), [1, 3])


@pytest.mark.parametrize("K", [2, 4])
def test_one_function_sums_lines_below_a_softmax_node(K, monkeypatch):
    rng, n = np.random.default_rng(0), 5000  # more than a block
    X = rng.normal(size=(n, 3))
    weight = rng.integers(0, 3, size=n).astype(float) + 0.5
    design = Design.fit(X, weight, True)
    D = design.transform(X)
    rows = Rows(D, D, np.abs(X[:, :1]) + rng.normal(size=(n, 1)), weight, offset=X[:, 1])
    mixture = Mixture(SoftmaxGate().over(Tree.flat(K)).bind(rows, design), LinearExpert().bind(rows, design))
    params = mixture.init(rows, rng.dirichlet(np.ones(K), n))
    together = mixture.e_step(params, rows)
    monkeypatch.setattr(TreeGate, "slots", lambda self, params: None)
    apart = mixture.e_step(params, rows)
    np.testing.assert_allclose(together[0], apart[0], rtol=1e-13)
    for a, b in zip(together[1].gate + together[1].experts, apart[1].gate + apart[1].experts, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-9)
    np.testing.assert_allclose(together[1].load, apart[1].load)


@pytest.mark.parametrize("expert", [LinearExpert(), LaplaceExpert()], ids=identify)
def test_sweeps_do_not_depend_on_threads(expert, monkeypatch):
    monkeypatch.setattr(engine, "cpu_count", lambda: 4)
    monkeypatch.setattr("hme.model.mixture.block_rows", lambda *size: 7)
    monkeypatch.setattr("hme.model.mixture.BLOCK_ROWS", 7)
    rows = make_rows("regression")
    mixture = Mixture(SoftmaxGate().over(Tree.flat(K)).bind(rows, DESIGN), expert.bind(rows, DESIGN))
    params = mixture.init(rows, np.random.default_rng(0).dirichlet(np.ones(K), rows.n_rows))
    (one, stats), mean = mixture.e_step(params, rows), mixture.mean(params, rows)
    with engine.threads(4):
        again, own = mixture.e_step(params, rows)
        assert again == one and (mixture.mean(params, rows) == mean).all()
        assert engine._pool.get()._executor is not None
    for a, b in zip(flat(own), flat(stats), strict=True):
        np.testing.assert_array_equal(a, b)


def flat(stats):
    """The arrays of nested named tuples."""
    return [stats] if isinstance(stats, np.ndarray) else [array for part in stats for array in flat(part)]
