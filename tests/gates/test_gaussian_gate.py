"""The Gaussian gate: against scikit-learn's Gaussian mixture, finite differences and ugly tables."""

import pickle
import warnings

import numpy as np
import pytest
from problems import UGLINESS, make_problem, representative
from scipy.stats import multivariate_normal
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from hme import HMEClassifier, HMERegressor
from hme.experts import ConstantExpert
from hme.gates import GaussianGate
from hme.model.design import Design
from hme.model.rows import Rows
from hme.numerics.kernels import log_normalize

TYPES = ("full", "tied", "diag")
EXACT = dict(covariance_prior=None, covariance_floor=1e-10)


def make_rows(X, weight=None):
    weight = np.ones(len(X)) if weight is None else weight
    design = Design.fit(X, weight, True)
    Z = design.transform(X)
    return Rows(Z, Z, weight=weight), design


def make_table(seed=0, n=150, q=3):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(3, q, q))
    label = rng.integers(3, size=n)
    X = 3 * rng.normal(size=(3, q))[label] + np.einsum("nqr,nr->nq", root[label], rng.normal(size=(n, q)))
    return X * np.array([1.0, 100.0, 0.01])[:q] + np.array([5.0, -3e3, 0.0])[:q]


def q_of(gate, params, rows, resp):
    return (resp * gate.log_score(params, rows)).sum() + gate.log_prior_density(params)


def user_covariance(report, covariance_type, k):
    return np.diag(report.covariance[k]) if covariance_type == "diag" else report.covariance[k]


@pytest.mark.parametrize("covariance_type", TYPES)
def test_em_of_the_gate_alone_is_that_of_a_gaussian_mixture(covariance_type):
    X = make_table()
    rows, design = make_rows(X)
    gate = GaussianGate(covariance_type, **EXACT).bind(rows, design)
    resp = np.random.default_rng(1).dirichlet(np.ones(3), len(X))
    params = gate.init(rows, resp)
    report = gate.report(params, design)
    precision = np.linalg.inv([user_covariance(report, covariance_type, k) for k in range(3)])
    precision = {"full": precision, "tied": precision[0], "diag": np.diagonal(precision, axis1=1, axis2=2)}
    n_sweeps = 25
    theirs = GaussianMixture(
        3, covariance_type=covariance_type, tol=0.0, reg_covar=0.0, max_iter=n_sweeps, means_init=report.mean,
        weights_init=report.proportion, precisions_init=precision[covariance_type],
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        theirs.fit(X)
    assert theirs.n_iter_ == n_sweeps
    reached = []
    for _ in range(n_sweeps):
        log_density, resp = log_normalize(gate.log_score(params, rows))
        reached.append(log_density.mean())
        params = gate.update(params, gate.statistics(params, rows, resp))
    assert (np.diff(reached) >= 0).all()
    ours = gate.report(params, design)
    np.testing.assert_allclose(ours.proportion, theirs.weights_, rtol=1e-8)
    np.testing.assert_allclose(ours.mean, theirs.means_, rtol=1e-8)
    expected = np.repeat(theirs.covariances_[None], 3, axis=0) if covariance_type == "tied" else theirs.covariances_
    np.testing.assert_allclose(ours.covariance, expected, rtol=1e-7, atol=1e-8 * np.abs(expected).max())
    np.testing.assert_allclose(log_normalize(gate.log_score(params, rows))[0].mean(), theirs.score(X), rtol=1e-10)
    np.testing.assert_allclose(np.exp(gate.log_prior(params, rows)), theirs.predict_proba(X), atol=1e-8)


@pytest.mark.parametrize("covariance_type", TYPES)
def test_score_is_the_normal_density_in_the_users_units(covariance_type):
    X = make_table()
    rows, design = make_rows(X)
    gate = GaussianGate(covariance_type).bind(rows, design)
    params = gate.init(rows, np.random.default_rng(1).dirichlet(np.ones(3), len(X)))
    report = gate.report(params, design)
    for k in range(3):
        density = multivariate_normal(report.mean[k], user_covariance(report, covariance_type, k)).logpdf(X)
        np.testing.assert_allclose(gate.log_score(params, rows)[:, k], np.log(report.proportion[k]) + density)


def vary(params, name, direction):
    """The parameters as a function of the length of a step; covariances are moved in units of themselves."""

    def at(step):
        value = getattr(params, name)
        if name == "proportion":
            moved = value * np.exp(step * direction)
            return params._replace(proportion=moved / moved.sum())
        return params._replace(**{name: value + step * direction})

    return at


@pytest.mark.parametrize("prior", [None, (4.0, 0.3)])
@pytest.mark.parametrize("covariance_type", TYPES)
def test_gradient_is_that_of_q(covariance_type, prior):
    X = make_table()
    rows, design = make_rows(X, np.random.default_rng(3).uniform(0.5, 2.0, 150))
    gate = GaussianGate(covariance_type, prior, 1e-10).bind(rows, design)
    rng = np.random.default_rng(1)
    params = gate.init(rows, rng.dirichlet(np.ones(3), 150) * rows.weight[:, None])
    resp = rng.dirichlet(np.ones(3), 150) * rows.weight[:, None]
    stats = gate.statistics(params, rows, resp)
    K, q = params.mean.shape
    scaled = gate.gradient(params, stats)
    logits, means = scaled[:K], scaled[K : K + K * q].reshape(K, q)
    rest = scaled[K + K * q :].reshape(params.covariance.shape)

    def slope(name, direction, step=1e-5):
        at = vary(params, name, direction)
        return (q_of(gate, at(step), rows, resp) - q_of(gate, at(-step), rows, resp)) / (2 * step)

    for k in range(K):
        unit = np.eye(K)[k]
        np.testing.assert_allclose(logits[k], slope("proportion", unit), atol=1e-5)
        if covariance_type == "diag":
            scale = np.diag(np.sqrt(params.covariance[k]))
        else:
            scale = np.linalg.cholesky(params.covariance[k])  # inverse of the whitening root
        for j in range(q):
            np.testing.assert_allclose(means[k, j], slope("mean", np.outer(unit, scale[:, j])), atol=1e-5)
    leaves = [np.ones(K)] if covariance_type == "tied" else np.eye(K)
    for unit in leaves:  # a tied covariance is one parameter, moved in all leaves at once
        k = int(unit.argmax())
        for i in range(q):
            for j in range(i + 1):
                if covariance_type == "diag":
                    if i == j:
                        step = np.outer(unit, np.eye(q)[i]) * params.covariance
                        np.testing.assert_allclose(rest[k, i], slope("covariance", step), atol=1e-5)
                    continue
                scale = np.linalg.cholesky(params.covariance[k])
                symmetric = scale @ (np.outer(np.eye(q)[i], np.eye(q)[j]) * 1.0) @ scale.T
                step = unit[:, None, None] * 0.5 * (symmetric + symmetric.T)
                np.testing.assert_allclose(rest[k, i, j], slope("covariance", step), atol=1e-5)


@pytest.mark.parametrize("floor", [1e-10, 0.9])
@pytest.mark.parametrize("covariance_type", TYPES)
def test_update_is_the_maximum(covariance_type, floor):
    rows, design = make_rows(make_table())
    gate = GaussianGate(covariance_type, (2.0, 0.2), floor).bind(rows, design)
    rng = np.random.default_rng(1)
    resp = rng.dirichlet(np.ones(3), 150)
    params = gate.init(rows, resp)
    stats = gate.statistics(params, rows, resp)
    assert np.abs(gate.gradient(params, stats)).max() < 1e-9
    if floor > 0.1:
        assert gate._at_floor(params.covariance).any()
    best = q_of(gate, params, rows, resp)
    for seed in range(60):  # other admissible parameters, near and far
        other = gate.init(rows, np.random.default_rng(seed).dirichlet(np.full(3, 0.3), 150))
        for step in (1e-3, 0.03, 1.0):
            assert q_of(gate, gate.interpolate(params, other, step), rows, resp) <= best + 1e-9


@pytest.mark.parametrize("covariance_type", TYPES)
def test_statistics_add_and_weights_are_repetitions(covariance_type):
    X = make_table()
    times = np.random.default_rng(2).integers(1, 4, size=150)
    rows, design = make_rows(X, times.astype(float))
    again = np.repeat(np.arange(150), times)
    repeated = rows[again]._replace(weight=np.ones(len(again)))
    resp = np.random.default_rng(1).dirichlet(np.ones(3), 150)
    gate = GaussianGate(covariance_type).bind(rows, design)
    params = gate.init(rows, resp * times[:, None])
    other = GaussianGate(covariance_type).bind(repeated, design)
    for a, b in zip(params, other.init(repeated, resp[again]), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)
    whole = gate.statistics(params, rows, resp)
    parts = gate.add(gate.statistics(params, rows[:40], resp[:40]), gate.statistics(params, rows[40:], resp[40:]))
    for a, b in zip(whole, parts, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-11)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("settings", [{}, dict(covariance_prior=None, covariance_floor=1e-8)], ids=["default", "exact"])
@pytest.mark.parametrize("seed", representative(range(len(UGLINESS)), every=8), ids=lambda seed: UGLINESS[seed])
@pytest.mark.parametrize("covariance_type", representative(TYPES, every=2))
def test_joint_objective_never_falls(covariance_type, seed, settings):
    X, y, weight, _, n_experts = make_problem(seed)
    gate = GaussianGate(covariance_type, **settings)
    model = HMERegressor(n_experts=n_experts, gate=gate, max_iter=40, accelerate=False).fit(X, y, sample_weight=weight)
    # No step is turned back: the M-step is exact. Covariances of collinear columns have condition numbers of 1e8 here.
    rounding = 1e-8 if (UGLINESS[seed], settings.get("covariance_floor")) == ("collinear", 1e-8) else 1e-11
    assert (np.diff(model.history_.objective) >= -rounding * np.abs(model.history_.objective[1:]).max()).all()
    assert all(np.isfinite(a).all() for a in (*model.gate_, *model.experts_))
    proba = model.gate_proba(X)
    np.testing.assert_allclose(proba.sum(axis=1), 1.0)
    assert np.isfinite(model.log_likelihood(X, y)).all()


def test_end_to_end_and_the_likelihood_is_conditional():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 2)) + np.repeat([[-3.0, 0.0], [0.0, 3.0], [3.0, 0.0]], 100, axis=0)
    y = np.select([X[:, 0] < -1.5, X[:, 0] < 1.5], [X[:, 0], 5 - X[:, 1]], 2 * X[:, 0]) + 0.3 * rng.normal(size=300)
    model = HMERegressor(n_experts=3, gate=GaussianGate()).fit(X, y)
    assert model.converged_ and model.objective_ == "joint"
    assert (np.diff(model.lower_bounds_) >= -1e-12).all()
    proba = model.gate_proba(X)
    np.testing.assert_allclose(proba.sum(axis=1), 1.0)
    # By hand: Bayes' rule for the leaf given x, then the mixture of the experts' normal densities.
    gate, experts = model.gate_, model.experts_
    log_x = np.stack([multivariate_normal(m, S).logpdf(X) for m, S in zip(gate.mean, gate.covariance, strict=True)], 1)
    joint = gate.proportion * np.exp(log_x)
    np.testing.assert_allclose(proba, joint / joint.sum(axis=1, keepdims=True), atol=1e-10)
    residual = y[:, None] - X @ experts.coef.T - experts.intercept
    density = np.exp(-0.5 * residual**2 / experts.variance) / np.sqrt(2 * np.pi * experts.variance)
    np.testing.assert_allclose(model.log_likelihood(X, y), np.log((proba * density).sum(axis=1)), rtol=1e-8)
    # The bound is of the joint density, prior terms included.
    penalty = model.model_.log_prior_density(model.params_) / 300
    joint_likelihood = (model.log_likelihood(X, y) + np.log(joint.sum(axis=1))).mean()
    np.testing.assert_allclose(model.lower_bounds_[-1], joint_likelihood + penalty, rtol=1e-10)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(X), model.predict(X))


def test_units_do_not_matter():
    X, y, *_ = make_problem(0)
    one = HMERegressor(n_experts=3, gate=GaussianGate()).fit(X, y)
    factor = 10.0 ** np.arange(-3, X.shape[1] - 3)
    two = HMERegressor(n_experts=3, gate=GaussianGate()).fit(X * factor + 7.0, y)
    np.testing.assert_allclose(one.gate_proba(X), two.gate_proba(X * factor + 7.0), atol=1e-6)
    # The density of x changes with its units, by the Jacobian.
    np.testing.assert_allclose(one.lower_bounds_[-1], two.lower_bounds_[-1] + np.log(factor).sum(), atol=1e-8)


def test_classifier_and_one_leaf():
    X, y, *_ = make_problem(0, classification=True)
    model = HMEClassifier(n_experts=2, gate="gaussian").fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1.0)
    single = HMEClassifier(depth=0, gate=GaussianGate("tied")).fit(X, y)
    np.testing.assert_array_equal(single.gate_proba(X), 1.0)


@pytest.mark.parametrize(
    "settings", [{}, EXACT, dict(covariance_prior=(5.0, 20.0))], ids=["default", "exact", "wide prior"]
)
@pytest.mark.parametrize("covariance_type", TYPES)
def test_a_constant_column_tells_no_leaves_apart(covariance_type, settings):
    X = make_table(q=2)
    resp = np.random.default_rng(1).dirichlet([0.2, 1.0, 4.0], 150)
    priors = []
    for table in (X, np.column_stack([X, np.full(150, 7.3)]), np.column_stack([X, np.zeros(150)])):
        rows, design = make_rows(table)
        gate = GaussianGate(covariance_type, **settings).bind(rows, design)
        params = gate.init(rows, resp)
        assert gate.warnings(params, gate.statistics(params, rows, resp)) == []
        priors.append(gate.log_prior(params, rows))
    np.testing.assert_allclose(priors[1], priors[0], atol=1e-9)
    np.testing.assert_allclose(priors[2], priors[0], atol=1e-9)


def test_no_columns_is_the_constant_gate():
    rows, design = make_rows(np.empty((20, 0)))
    resp = np.random.default_rng(1).dirichlet(np.ones(3), 20)
    for covariance_type in TYPES:
        gate = GaussianGate(covariance_type).bind(rows, design)
        params = gate.init(rows, resp)
        np.testing.assert_allclose(gate.log_score(params, rows), np.tile(np.log(resp.mean(axis=0)), (20, 1)))
        assert gate.n_parameters(params) == 2
        assert gate.warnings(params, gate.statistics(params, rows, resp)) == []


def test_a_collapsed_leaf_is_reported():
    X = make_table()
    rows, design = make_rows(X)
    resp = np.zeros((150, 3))
    resp[:3, 0] = 1.0  # three rows lie in a plane of the three columns
    resp[3:, 1:] = 0.5
    exact = GaussianGate(**EXACT).bind(rows, design)
    params = exact.init(rows, resp)
    [sentence] = exact.warnings(params, exact.statistics(params, rows, resp))
    assert sentence.startswith("the gate's covariance of leaf(s) [0] is at its floor")
    # A column that is there twice is no collapse: the whole table lies in that plane.
    rows, design = make_rows(X[:, [0, 1, 1]])
    exact = GaussianGate(**EXACT).bind(rows, design)
    even = np.full((150, 3), 1 / 3)
    params = exact.init(rows, even)
    assert exact.warnings(params, exact.statistics(params, rows, even)) == []


@pytest.mark.parametrize("covariance_type", TYPES)
def test_an_empty_leaf_and_rows_far_away(covariance_type):
    rows, design = make_rows(make_table())
    resp = np.zeros((150, 3))
    resp[:, 0], resp[:, 1] = 0.25, 0.75
    for settings in ({}, EXACT):
        gate = GaussianGate(covariance_type, **settings).bind(rows, design)
        params = gate.init(rows, resp)
        assert all(np.isfinite(a).all() for a in params)
        assert (gate.log_score(params, rows)[:, 2] == -np.inf).all()
        far = rows[:1]._replace(Z=np.array([[1e200, -1e200, 1e180, 1.0]]))
        prior = np.exp(gate.log_prior(params, far))
        np.testing.assert_allclose(prior.sum(), 1.0)


@pytest.mark.parametrize("covariance_type", TYPES)
def test_number_of_parameters(covariance_type):
    rows, design = make_rows(make_table())
    gate = GaussianGate(covariance_type).bind(rows, design)
    params = gate.init(rows, np.full((150, 4), 0.25))
    assert gate.n_parameters(params) == 3 + 12 + {"full": 24, "tied": 6, "diag": 12}[covariance_type]


@pytest.mark.parametrize(
    "settings, error, message",
    [
        (dict(covariance_type="spherical"), ValueError, "covariance_type must be one of"),
        (dict(covariance_prior=(1.0, 0.0)), ValueError, "covariance_prior = "),
        (dict(covariance_floor=0.0), ValueError, "covariance_floor must be"),
        (dict(covariance_floor=1e-20), ValueError, "covariance_floor = 1e-20 must be"),
        (dict(covariance_floor="low"), TypeError, "covariance_floor must be"),
    ],
)
def test_bad_hyper_parameters(settings, error, message):
    X, y, *_ = make_problem(0)
    with pytest.raises(error, match=message):
        HMERegressor(n_experts=2, gate=GaussianGate(**settings), expert=ConstantExpert()).fit(X, y)


@pytest.mark.parametrize("covariance_type", TYPES)
def test_a_leaf_of_outliers_in_columns_that_are_there_twice(covariance_type):
    rng = np.random.default_rng(0)
    x = rng.normal(size=20_000)
    x[:5] *= 1e6  # nearly a hundred standard deviations out
    rows, design = make_rows(np.column_stack([x, x, -2 * x, rng.normal(size=len(x))]))
    resp = np.zeros((len(x), 2))
    resp[:5, 0] = resp[5:, 1] = 1.0
    gate = GaussianGate(covariance_type, **EXACT).bind(rows, design)
    params = gate.init(rows, resp)
    assert np.isfinite(gate.log_score(params, rows)).all()
    assert np.isfinite(gate.gradient(params, gate.statistics(params, rows, resp))).all()


@pytest.mark.parametrize("n_columns", [0, 32])
def test_fits_end_where_columns_are_none_or_covariances_taken_as_fixed(n_columns):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 32)) + 2.0 * (np.arange(200) < 100)[:, None]
    y = np.where(np.arange(200) < 100, X[:, 0], -X[:, 0]) + 0.1 * rng.normal(size=200)
    settings = {"gate_features": list(range(n_columns)), "expert_features": [0], "random_state": 0}
    model = HMERegressor(n_experts=2, gate="gaussian", **settings).fit(X, y)
    assert model.converged_ and (np.diff(model.lower_bounds_) >= -1e-9).all()
