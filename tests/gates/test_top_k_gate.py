"""The sparse gate: its prior, its steps, its stages, the balance of the loads, and what prediction costs."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from problems import few, representative
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from hme import HMERegressor, Tree
from hme.experts import LinearExpert, LogisticExpert, TreeExpert
from hme.fitting import em, restarts, training
from hme.gates import SoftmaxGate, TopKGate, TreeGate
from hme.gates.balance import balance_report, balancing_bias
from hme.gates.routing import top_k
from hme.model.design import Design
from hme.model.mixture import Mixture
from hme.model.rows import Rows

N, P, K = 300, 4, 8
DESIGN = Design(np.zeros(P - 1), np.ones(P - 1), True)


def make_rows(n=N, seed=0):
    rng = np.random.default_rng(seed)
    X = np.column_stack([rng.normal(size=(n, P - 1)), np.ones(n)])
    y = np.abs(X[:, :1]) + np.sin(2 * X[:, 1:2]) + 0.1 * rng.normal(size=(n, 1))
    return Rows(X, X, y, rng.uniform(0.5, 2.0, size=n))


def make_mixture(rows, gate, expert=None):
    return Mixture(gate.bind(rows, DESIGN), (expert or LinearExpert()).bind(rows, DESIGN))


def make_start(mixture, rows, seed=1):
    score = rows.X @ np.random.default_rng(seed).normal(size=(P, K))
    resp = np.exp(score - score.max(axis=1, keepdims=True))
    return mixture.init(rows, resp / resp.sum(axis=1, keepdims=True))


def make_fit(gate, rows=None, **options):
    rows = make_rows() if rows is None else rows
    mixture = make_mixture(rows, gate)
    return mixture, rows, training.train(mixture, rows, make_start(mixture, rows), em.Options(**options))


class CountingExpert(LinearExpert):
    """Counts the rows that it is asked about; the count is of the class, families being stateless."""

    seen = {"predict": 0, "variance": 0, "log_prob": 0}

    def predict(self, params, rows):
        self.seen["predict"] += rows.n_rows * len(params.coef)
        return super().predict(params, rows)

    def variance(self, params, rows):
        self.seen["variance"] += rows.n_rows * len(params.coef)
        return super().variance(params, rows)

    def log_prob(self, params, rows):
        self.seen["log_prob"] += rows.n_rows * len(params.coef)
        return super().log_prob(params, rows)


# -- the prior ---------------------------------------------------------------------------------------------------------


def test_top_k_is_that_of_sorting_with_ties_to_the_lowest_leaf():
    score = np.random.default_rng(0).integers(0, 4, size=(200, 12)).astype(float)
    for k in (1, 2, 5, 8, 9, 11, 12):
        naive = [sorted(sorted(range(12), key=lambda j: (-row[j], j))[:k]) for row in score]
        np.testing.assert_array_equal(top_k(score, k), naive)


def test_prior_is_the_softmax_of_the_leaves_in_use():
    rows = make_rows()
    mixture = make_mixture(rows, TopKGate(k=3))
    params = make_start(mixture, rows).gate
    params = params._replace(bias=np.linspace(-1, 1, K))
    prior = np.exp(mixture.gate.log_prior(params, rows))
    score = rows.Z @ params.coef.T
    for n in range(rows.n_rows):
        best = np.argsort(-(score[n] + params.bias))[:3]
        naive = np.zeros(K)
        naive[best] = np.exp(score[n, best]) / np.exp(score[n, best]).sum()
        np.testing.assert_allclose(prior[n], naive, atol=1e-12)


def test_all_leaves_are_the_dense_gate_exactly():
    rows = make_rows()
    sparse = make_mixture(rows, TopKGate(k=K, balance=1.5))
    dense = make_mixture(rows, TreeGate(SoftmaxGate(), Tree.flat(K)))
    one = training.train(sparse, rows, make_start(sparse, rows))
    two = em.fit(dense, rows, make_start(dense, rows))
    np.testing.assert_array_equal(one.params.gate.coef, two.params.gate.coef[0])
    np.testing.assert_array_equal(one.history.objective, two.history.objective)
    assert one.reason == two.reason == "converged" and len(one.stages) == 1
    np.testing.assert_allclose(one.objective, two.objective, rtol=1e-14)
    for a, b in zip(sparse.moments(one.params, rows), dense.moments(two.params, rows), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


# -- the step ----------------------------------------------------------------------------------------------------------


def committed_q(gate, params, rows, resp):
    score = gate.log_score(params, rows)
    return np.where(resp > 0, resp * np.where(resp > 0, score, 0.0), 0.0).sum() + gate.log_prior_density(params)


def frozen_problem(commit, seed=3):
    rows = make_rows()
    mixture = make_mixture(rows, TopKGate(k=3, commit=commit, alpha=0.5))
    params = make_start(mixture, rows).gate
    rows = rows._replace(active=mixture.gate.active(params, rows))
    resp = np.zeros((N, K))
    share = np.random.default_rng(seed).dirichlet(np.ones(3), N) * rows.weight[:, None]
    np.put_along_axis(resp, rows.active, share, axis=1)
    return mixture.gate, params, rows, resp


@pytest.mark.parametrize("commit", [0.0, 0.1, 1.0])
def test_gradient_is_that_of_q(commit):
    gate, params, rows, resp = frozen_problem(commit)
    gradient = gate.gradient(params, gate.statistics(params, rows, resp)).reshape(K, P)
    for index in np.ndindex(K, P):
        nudge = np.zeros((K, P))
        nudge[index] = 1e-6
        above = committed_q(gate, params._replace(coef=params.coef + nudge), rows, resp)
        below = committed_q(gate, params._replace(coef=params.coef - nudge), rows, resp)
        assert abs(gradient[index] - (above - below) / 2e-6) < 1e-5


@pytest.mark.parametrize("commit", [0.0, 0.1, 1.0])
def test_curvature_bounds_the_hessian(commit):
    gate, params, rows, resp = frozen_problem(commit)
    hessian = np.empty((K * P, K * P))
    for j in range(K * P):
        nudge = np.zeros(K * P)
        nudge[j] = 1e-5
        ends = [
            gate.gradient(moved, gate.statistics(moved, rows, resp))
            for moved in (params._replace(coef=params.coef + sign * nudge.reshape(K, P)) for sign in (1, -1))
        ]
        hessian[:, j] = (ends[1] - ends[0]) / 2e-5
    bound = np.zeros((K, P, K, P))
    stats = gate.statistics(params, rows, resp)
    bound[np.arange(K), :, np.arange(K), :] = stats.curvature + np.diag(gate.node_.penalty_)
    assert np.linalg.eigvalsh(bound.reshape(K * P, K * P) - hessian).min() > -1e-5
    np.testing.assert_allclose(stats.load.sum(), 3 * rows.weight.sum())


@pytest.mark.parametrize("commit", [0.0, 0.1, 1.0])
def test_q_does_not_fall(commit):
    gate, params, rows, resp = frozen_problem(commit)
    q = committed_q(gate, params, rows, resp)
    for _ in range(20):
        params = gate.update(params, gate.statistics(params, rows, resp))
        q, before = committed_q(gate, params, rows, resp), q
        assert q >= before - 1e-10 * N
    np.testing.assert_allclose(params.coef.sum(axis=0), 0.0, atol=1e-10)


def test_statistics_add_and_weights_repeat():
    gate, params, rows, resp = frozen_problem(0.1)
    whole = gate.statistics(params, rows, resp)
    parts = gate.add(gate.statistics(params, rows[:70], resp[:70]), gate.statistics(params, rows[70:], resp[70:]))
    again = np.repeat(np.arange(N), 2)
    twice = gate.statistics(params, rows[again], resp[again])
    for a, b, c in zip(whole, parts, twice, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-10)
        np.testing.assert_allclose(2 * a, c, atol=1e-10)


# -- the stages --------------------------------------------------------------------------------------------------------


def test_objective_is_monotone_within_each_stage_and_the_best_choice_is_kept():
    mixture, rows, fit = make_fit(TopKGate(dense_sweeps=20, max_stages=6, stage_sweeps=10), tol=0.0)
    assert [stage.number for stage in fit.stages] == list(range(len(fit.stages))) and len(fit.stages) > 2
    assert sum(stage.n_iter for stage in fit.stages) == fit.n_iter
    start = 0
    for stage in fit.stages:
        part = slice(start, start + stage.n_iter)
        accepted = fit.history.objective[part][fit.history.accepted[part]]
        assert (np.diff(accepted) >= -1e-12).all()
        assert accepted[-1] == stage.objective
        assert 0.0 <= stage.changed <= 1.0
        start += stage.n_iter
    assert fit.stages[0].changed == 0.0
    assert fit.objective == max(stage.chosen_objective for stage in fit.stages)
    # What is reported is what prediction gives.
    likelihood = rows.weight @ mixture.evidence(fit.params, rows) + mixture.log_prior_density(fit.params)
    np.testing.assert_allclose(fit.objective, likelihood / rows.weight.sum(), rtol=1e-12)


def test_frozen_objective_is_the_likelihood_and_the_commitment():
    gate, params, rows, _ = frozen_problem(0.3)
    mixture = make_mixture(rows, TopKGate(k=3, commit=0.3, alpha=0.5))
    params = make_start(mixture, rows._replace(active=None))
    score = rows.Z @ params.gate.coef.T
    dense = np.exp(score) / np.exp(score).sum(axis=1, keepdims=True)
    naive = mixture.log_prior_density(params)
    density = np.exp(mixture.expert.log_prob(params.experts, rows))
    for n in range(N):
        leaves = rows.active[n]
        mass = dense[n, leaves].sum()
        naive += rows.weight[n] * (np.log(dense[n, leaves] @ density[n, leaves] / mass) + 0.3 * np.log(mass))
    np.testing.assert_allclose(mixture.e_step(params, rows)[0], naive / rows.weight.sum(), rtol=1e-12)


def test_weight_is_repetition():
    rows = make_rows(150)
    times = np.random.default_rng(5).integers(1, 4, size=150)
    weighted = rows._replace(weight=times.astype(float))
    repeated = rows[np.repeat(np.arange(150), times)]
    repeated = repeated._replace(weight=np.ones(repeated.n_rows))
    fits = []
    for table in (weighted, repeated):
        mixture = make_mixture(table, TopKGate(balance=1.5, dense_sweeps=10, max_stages=2, stage_sweeps=5))
        fit = training.train(mixture, table, make_start(mixture, table))
        fits.append(mixture.evidence(fit.params, rows))
    np.testing.assert_allclose(*fits, rtol=1e-7, atol=1e-7)


def test_budget_callback_and_interruption():
    _, _, fit = make_fit(TopKGate(dense_sweeps=20, stage_sweeps=5), max_iter=3, tol=0.0)
    assert all(stage.n_iter <= 3 for stage in fit.stages) and len(fit.stages) > 1
    seen = []

    def callback(sweep, objective, params):
        seen.append((sweep, params.gate.coef.shape))
        return sweep == 17

    _, _, fit = make_fit(TopKGate(dense_sweeps=10, stage_sweeps=5), callback=callback, tol=0.0)
    assert fit.reason == "callback" and seen[-1] == (17, (K, P))

    def interrupt(sweep, objective, params):
        if sweep == 12:
            raise KeyboardInterrupt

    _, _, fit = make_fit(TopKGate(dense_sweeps=10, stage_sweeps=5), callback=interrupt, tol=0.0)
    assert fit.reason == "interrupted" and np.isfinite(fit.objective)


def test_continued_fit_does_not_lose_and_stops_where_it_has_converged():
    mixture, rows, fit = make_fit(TopKGate(dense_sweeps=30, stage_sweeps=5, max_stages=4))
    again = restarts.continue_fit(mixture, rows, fit.params, em.Options())
    assert again.objective >= fit.objective - 1e-12 and again.stages[0].number == 1
    still = restarts.continue_fit(mixture, rows, fit.params, em.Options(), fit.objective)
    assert still.converged and still.n_iter == 1
    np.testing.assert_array_equal(still.params.gate.coef, fit.params.gate.coef)


def test_starts_race_and_starving_leaves_are_fed():
    rows = make_rows()
    mixture = make_mixture(rows, TopKGate(dense_sweeps=15, stage_sweeps=5, max_stages=3))
    names = ["model_tree", "directions", "directions"]
    fits = restarts.run(mixture, rows, Tree.flat(K), names, em.Options(max_iter=60), n_finalists=1).fits
    best = max(fits, key=lambda fit: fit.objective)
    assert len(best.history.objective) == len(best.history.load)
    fed = restarts.feed(mixture, rows, best, em.Options(max_iter=60))
    assert fed.objective >= best.objective


def test_one_leaf_and_refitted_experts():
    rows = make_rows()
    mixture = make_mixture(rows, TopKGate(k=1))
    alone = training.train(mixture, rows, mixture.init(rows, np.ones((N, 1))))
    plain = make_mixture(rows, TreeGate(SoftmaxGate(), Tree.flat(1)))
    other = em.fit(plain, rows, plain.init(rows, np.ones((N, 1))))
    np.testing.assert_allclose(alone.objective, other.objective, rtol=1e-12)
    mixture = make_mixture(rows, TopKGate(dense_sweeps=5, max_stages=2, stage_sweeps=3), TreeExpert())
    fit = training.train(mixture, rows, make_start(mixture, rows))
    mean, variance = mixture.moments(fit.params, rows)
    assert mean.shape == variance.shape == (N, 1) and (variance > 0).all()


# -- balance -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", representative(range(8), every=4))
@pytest.mark.parametrize("balance", [1.2, 1.8])
def test_bias_brings_loads_within_bounds(seed, balance):
    rng = np.random.default_rng(seed)
    score = 3.0 * rng.normal(size=(2000, 5)) @ rng.normal(size=(5, 32)) + 4.0 * rng.normal(size=32)
    weight = rng.uniform(0.5, 2.0, size=2000)
    bias = balancing_bias(score, weight, 2, balance, np.zeros(32))
    load = np.bincount(top_k(score + bias, 2).ravel(), np.repeat(weight, 2), 32) / (2 * weight.sum() / 32)
    before = np.bincount(top_k(score, 2).ravel(), minlength=32)
    assert before.max() > 3 * before.mean() and before.min() == 0
    assert load.max() <= balance * (1 + 1e-9) and load.min() >= 1 / balance * (1 - 1e-9)
    np.testing.assert_array_equal(balancing_bias(score, weight, 2, balance, bias), bias)


def test_balance_is_met_on_the_rows_of_training_and_reported():
    mixture, rows, fit = make_fit(TopKGate(balance=1.3, dense_sweeps=20, stage_sweeps=5, max_stages=4))
    active, log_prior = mixture.gate.route(fit.params.gate, rows)
    prior = np.exp(mixture.gate.log_prior(fit.params.gate, rows))
    report = balance_report(prior, rows.weight, active)
    assert report.load_peak <= 1.3 * (1 + 1e-9) and not len(report.dead)
    np.testing.assert_allclose(report.load, fit.stats.gate.load, rtol=1e-10)
    np.testing.assert_allclose(report.load, balance_report(prior, rows.weight).load)
    np.testing.assert_allclose(report.importance.sum(), rows.weight.sum())
    np.testing.assert_allclose(report.importance_cv, np.std(report.importance) / np.mean(report.importance))
    assert not mixture.warnings(fit.params, fit.stats)


def test_starving_leaves_come_back_as_twins():
    rows = make_rows()
    mixture = make_mixture(rows, TopKGate(balance=1.8, dense_sweeps=30, stage_sweeps=5, max_stages=4))
    params = make_start(mixture, rows)
    coef = params.gate.coef.copy()
    coef[:4] = [0.0, 0.0, 0.0, -1000.0]  # four leaves that no row has, and that no bias can tell apart
    params = params._replace(gate=params.gate._replace(coef=coef))
    alive = TopKGate(dense_sweeps=30, stage_sweeps=5, max_stages=4).bind(rows, DESIGN)
    without = training.train(Mixture(alive, mixture.expert), rows, params)
    assert without.stats.load[:4].max() == 0.0
    fit = training.train(mixture, rows, params)
    load = fit.stats.gate.load / fit.stats.gate.load.mean()
    assert load.max() <= 1.8 * (1 + 1e-9) and load.min() >= (1 - 1e-9) / 1.8
    assert fit.stats.load.min() > 0.01 * fit.stats.load.mean()
    assert fit.objective > without.objective


def test_impossible_balance_is_named():
    rows = make_rows()
    rows = rows._replace(X=np.ones((N, P)), Z=np.ones((N, P)))
    mixture = make_mixture(rows, TopKGate(balance=1.5))
    params, _ = mixture.gate.freeze(mixture.init(rows, np.full((N, K), 1 / K)).gate, rows)
    stats = mixture.gate.statistics(params, rows, np.full((N, K), 1 / K))
    assert any("balance=1.5" in sentence for sentence in mixture.gate.warnings(params, stats))


# -- prediction --------------------------------------------------------------------------------------------------------


def test_prediction_evaluates_k_experts_a_row():
    rows = make_rows()
    for gate, per_row in ((TopKGate(k=2), 2), (TreeGate(SoftmaxGate(), Tree.flat(K)), K)):
        mixture = make_mixture(rows, gate, CountingExpert())
        params = make_start(mixture, rows)
        for call, methods in (
            (mixture.moments, ["predict", "variance"]), (mixture.mean, ["predict"]), (mixture.evidence, ["log_prob"])
        ):  # fmt: skip
            CountingExpert.seen.update(dict.fromkeys(CountingExpert.seen, 0))
            call(params, rows)
            assert {name: count for name, count in CountingExpert.seen.items() if count} == dict.fromkeys(
                methods, per_row * N
            )


@pytest.mark.parametrize("k", [1, 2, 5])
def test_prediction_is_the_dense_formula(k):
    rows = make_rows()
    mixture = make_mixture(rows, TopKGate(k=k))
    params = make_start(mixture, rows)
    prior = np.exp(mixture.gate.log_prior(params.gate, rows))[:, :, None]
    means, within = (getattr(mixture.expert, name)(params.experts, rows) for name in ("predict", "variance"))
    mean, variance = mixture.moments(params, rows)
    np.testing.assert_allclose(mean, (prior * means).sum(axis=1), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(mixture.mean(params, rows), mean, rtol=1e-12)
    spread = within + (means - mean[:, None]) ** 2
    np.testing.assert_allclose(variance, (prior * spread).sum(axis=1), rtol=1e-9)
    with np.errstate(divide="ignore"):
        joint = np.log(prior[:, :, 0]) + mixture.expert.log_prob(params.experts, rows)
    np.testing.assert_allclose(mixture.log_joint(params, rows), joint, rtol=1e-10)
    density = (prior[:, :, 0] * np.exp(mixture.expert.log_prob(params.experts, rows))).sum(axis=1)
    np.testing.assert_allclose(mixture.evidence(params, rows), np.log(density), rtol=1e-9, atol=1e-9)


def test_classes_and_sparse_tables():
    rows = make_rows()
    rows = rows._replace(y=(rows.y[:, 0] > np.median(rows.y)).astype(int))
    mixture = make_mixture(rows, TopKGate(), LogisticExpert())
    fit = training.train(mixture, rows, make_start(mixture, rows), em.Options(max_iter=40))
    probability = mixture.mean(fit.params, rows)
    np.testing.assert_allclose(probability.sum(axis=1), 1.0)
    table = sp.csr_matrix(rows.X)
    np.testing.assert_allclose(mixture.mean(fit.params, rows._replace(X=table, Z=table)), probability, rtol=1e-9)


# -- the suit ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", few([np.asarray, sp.csr_matrix], 1))
def test_estimator(table):
    rows = make_rows()
    X, y = table(rows.X[:, :-1]), rows.y[:, 0]
    gate = TopKGate(balance=1.5, dense_sweeps=20, stage_sweeps=5, max_stages=4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = HMERegressor(n_experts=K, gate=gate).fit(X, y)
    prior = model.gate_proba(X)
    assert ((prior > 0).sum(axis=1) == 2).all() and balance_report(prior).load_peak <= 1.5 * (1 + 1e-9)
    assert model.score(X, y) > 0.9
    assert model.gate_.coef.shape == (K, P - 1) and model.gate_.bias.shape == (K,)
    assert str(clone(gate)) == str(gate)


@pytest.mark.parametrize(
    "setting, error",
    [
        ({"k": 0}, ValueError), ({"k": 2.0}, TypeError), ({"balance": 1.0}, ValueError), ({"balance": "a"}, TypeError),
        ({"balance": np.inf}, ValueError), ({"commit": 1.5}, ValueError), ({"commit": -1.0}, ValueError),
        ({"alpha": -1.0}, ValueError), ({"max_stages": 0}, ValueError), ({"stage_sweeps": None}, TypeError),
        ({"dense_sweeps": 0}, ValueError), ({"k": K + 1}, ValueError),
    ],
)  # fmt: skip
def test_bad_settings_are_named(setting, error):
    rows = make_rows()
    with pytest.raises(error, match=next(iter(setting))):
        make_start(make_mixture(rows, TopKGate(**setting)), rows)
