"""Lasso and elastic net on experts and gates: exact zeros, the subgradient's conditions, and what others reach."""

from itertools import product

import numpy as np
import pytest
from problems import UGLINESS, few, make_problem, representative, slow_case
from sklearn.linear_model import ElasticNet, LogisticRegression

from hme import HMEClassifier, HMERegressor
from hme.experts import (
    BinomialExpert,
    GammaExpert,
    GaussianExpert,
    InverseGaussianExpert,
    LaplaceExpert,
    LinearExpert,
    LogisticExpert,
    NegativeBinomialExpert,
    PoissonExpert,
    StudentExpert,
)
from hme.gates import SoftmaxGate, TopKGate
from hme.model.design import Design
from hme.numerics import multinomial, penalties

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


# -- the quadratic with a penalty ------------------------------------------------------------------------------------


def quadratic(rng, Q, p, n, shared_columns=False):
    X = rng.normal(size=(Q, n, p)) @ (np.eye(p) + 0.3 * rng.normal(size=(p, p)))
    if shared_columns:
        X[:, :, p // 2 :] = X[:, :, : p - p // 2]
    A = np.einsum("qni,qnj->qij", X, X)
    return A, np.einsum("qni,qn->qi", X, 3.0 * rng.normal(size=(Q, n)) + X[:, :, 0])


def descent(A, c, lasso, walls, sweeps=20000):
    """Coordinate descent, one number after the other."""
    z = np.zeros(len(c))
    for _ in range(sweeps):
        before = z.copy()
        for j in range(len(c)):
            force = c[j] - A[j] @ z + A[j, j] * z[j]
            z[j] = np.sign(force) * max(abs(force) - lasso[j], 0.0) / A[j, j]
            z[j] = max(z[j], 0.0) if walls[j] else z[j]
        if np.abs(z - before).max() < 1e-14:
            break
    return z


@pytest.mark.parametrize("share", [0.01, 0.1, 0.6])
@pytest.mark.parametrize("n_walls", [0, 4])
@pytest.mark.parametrize("filled", [0.0, 0.5, 1.0])
def test_minimum_is_coordinate_descents(share, n_walls, filled):
    rng = np.random.default_rng(0)
    A, c = quadratic(rng, 3, 9, 40)
    lasso = np.full(9, share * np.abs(c).max())
    lasso[-1] = 0.0
    walls = np.arange(9) < n_walls
    start = rng.normal(size=c.shape) * (rng.random(c.shape) < filled)
    start[:, walls] = np.abs(start[:, walls])
    force = c - np.einsum("qij,qj->qi", A, start)
    z = penalties.lasso_minimum(A, force, start, lasso, np.where(walls, np.inf, lasso))
    for q in range(3):
        twin = descent(A[q], c[q], lasso, walls)
        np.testing.assert_allclose(z[q], twin, atol=1e-8 * np.abs(twin).max())
        np.testing.assert_array_equal(z[q] == 0, twin == 0)
    assert (z[:, walls] >= 0).all()


@pytest.mark.parametrize("p, n", [(12, 60), (12, 5), (40, 15)])
@pytest.mark.parametrize("seed", range(5))
def test_minimum_has_a_zero_subgradient_in_singular_systems(seed, p, n):
    rng = np.random.default_rng(seed)
    A, c = quadratic(rng, 4, p, n, shared_columns=True)
    lasso = np.full(p, 0.05 * np.abs(c).max())
    z = rng.normal(size=c.shape)
    for _ in range(2):  # what the proximal term leaves of the first step the second one takes
        z = penalties.lasso_minimum(A, c - np.einsum("qij,qj->qi", A, z), z, lasso)
    left = penalties.subgradient(c - np.einsum("qij,qj->qi", A, z), z, lasso)
    assert np.abs(left).max() < 1e-8 * np.abs(c).max()


def test_column_without_curvature_goes_to_zero_or_stays():
    A, force = np.diag([2.0, 0.0, 0.0])[None], np.array([[1.0, 0.0, 0.0]])
    z = penalties.lasso_minimum(A, force, np.array([[0.0, 3.0, 3.0]]), np.array([0.5, 0.5, 0.0]))
    np.testing.assert_allclose(z, [[0.25, 0.0, 3.0]])


def test_column_of_next_to_no_curvature_leaves_the_others_alone():
    rng = np.random.default_rng(0)
    A, c = quadratic(rng, 2, 5, 40)
    lasso = np.full(5, 0.1 * np.abs(c).max())
    unit = np.array([1.0, 1.0, 1e-16, 1.0, 1e-9])  # what round-off leaves of a constant column, and a rare level
    z = penalties.lasso_minimum(A * unit * unit[:, None], c * unit, np.zeros((2, 5)), lasso)
    for q in range(2):
        kept = np.ix_([0, 1, 3], [0, 1, 3])
        twin = descent(A[q][kept], c[q, [0, 1, 3]], lasso[[0, 1, 3]], np.zeros(3, dtype=bool))
        np.testing.assert_allclose(z[q, [0, 1, 3]], twin, atol=1e-8 * np.abs(twin).max())
        assert (z[q, [2, 4]] == 0).all()


def test_nothing_to_minimise_is_nothing():
    assert penalties.lasso_minimum(np.zeros((2, 0, 0)), np.zeros((2, 0)), np.zeros((2, 0)), 1.0).shape == (2, 0)


def test_entries_next_to_zero_get_there():
    """What an entry of 1e-18 gains is below the round-off of the whole penalty."""
    rng = np.random.default_rng(0)
    A, c = quadratic(rng, 3, 6, 40)
    lasso = np.full(6, 0.5 * np.abs(c).max())
    z = penalties.lasso_minimum(A, c, np.zeros((3, 6)), lasso)
    near = np.where(z == 0, 1e-18 * rng.choice([-1.0, 1.0], z.shape), z)
    assert (z == 0).any() and (z != 0).any()
    again = penalties.lasso_minimum(A, c - np.einsum("qij,qj->qi", A, near), near, lasso)
    np.testing.assert_array_equal(again == 0, z == 0)


def test_subgradient_is_the_smallest():
    force, z = np.array([2.0, -0.5, 0.3, -4.0, 1.0]), np.array([1.0, -1.0, 0.0, 0.0, 0.0])
    np.testing.assert_allclose(penalties.subgradient(force, z, 1.0), [1.0, 0.5, 0.0, -3.0, 0.0])
    np.testing.assert_allclose(penalties.subgradient(force, z, 1.0, np.inf)[2:], [0.0, 0.0, 0.0])


@pytest.mark.parametrize("ridge", [0.0, 0.7])
@pytest.mark.parametrize("n_slots", [2, 3, 4, 5])
def test_shift_has_the_least_penalty(n_slots, ridge):
    rng = np.random.default_rng(n_slots)
    z, penalty, lasso = rng.normal(size=(6, n_slots, 3)), np.array([ridge, ridge, 0.0]), np.array([0.4, 1.3, 0.0])
    out = multinomial.shifted(z, penalty, lasso)
    np.testing.assert_allclose(np.ptp(out - z, axis=1), 0.0, atol=1e-14)
    np.testing.assert_allclose(out[..., -1].sum(axis=1), 0.0, atol=1e-14)

    def value(z):
        return 0.5 * penalties.squares(z, penalty, lasso).sum(axis=1)

    for move in rng.normal(size=(200, 6, 1, 3)) * 10.0 ** rng.uniform(-6, 0, (200, 1, 1, 1)):
        move[..., -1] = 0.0
        assert (value(out + move) >= value(out) - 1e-12).all()
    if n_slots == 2:
        np.testing.assert_allclose(out.sum(axis=1), 0.0, atol=1e-14)


def test_shift_leaves_slots_that_do_not_exist():
    z, used = np.random.default_rng(0).normal(size=(2, 3, 2)), np.array([[True, True, False], [True, True, True]])
    z[~used] = 0.0
    out = multinomial.shifted(z, np.zeros(2), np.array([1.0, 0.0]), used)
    assert (out[~used] == 0).all()
    np.testing.assert_allclose(out[0, :2].sum(axis=0), 0.0, atol=1e-15)
    np.testing.assert_allclose(np.median(out[1, :, 0]), 0.0)


# -- one expert is scikit-learn's ------------------------------------------------------------------------------------


def columns(n=300, p=8, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) @ (np.eye(p) + 0.4 * rng.normal(size=(p, p))) * np.geomspace(0.3, 3.0, p)
    return X, X[:, 0] - 0.5 * X[:, 1] + rng.normal(size=n), rng.uniform(0.5, 2.0, n)


@pytest.mark.parametrize("ratio", [0.3, 1.0])
@pytest.mark.parametrize("alpha", [0.02, 0.3])
def test_depth_0_is_elastic_net(alpha, ratio):
    X, y, weight = columns()
    expert = LinearExpert(alpha=alpha * weight.sum(), l1_ratio=ratio, variance_prior=None)
    model = HMERegressor(depth=0, expert=expert, standardize=False, tol=1e-12).fit(X, y, sample_weight=weight)
    peer = ElasticNet(alpha=alpha, l1_ratio=ratio, tol=1e-14, max_iter=100000).fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(model.experts_.coef[0], peer.coef_, atol=1e-7)
    np.testing.assert_array_equal(model.experts_.coef[0] == 0, peer.coef_ == 0)
    np.testing.assert_allclose(model.experts_.intercept[0], peer.intercept_, atol=1e-7)
    assert model.n_parameters_ == (peer.coef_ != 0).sum() + 2


def test_standardised_columns_are_penalised_alike():
    X, y, _ = columns()
    expert = LinearExpert(alpha=30.0, l1_ratio=0.8, variance_prior=None)
    model = HMERegressor(depth=0, expert=expert).fit(X, y)
    peer = ElasticNet(alpha=0.1, l1_ratio=0.8, tol=1e-14, max_iter=100000).fit((X - X.mean(axis=0)) / X.std(axis=0), y)
    np.testing.assert_allclose(model.experts_.coef[0] * X.std(axis=0), peer.coef_, atol=1e-7)


@pytest.mark.filterwarnings("ignore:'penalty' was deprecated:FutureWarning")  # since scikit-learn 1.8
@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("ratio", [0.4, slow_case(1.0)])
@pytest.mark.parametrize("alpha", [3.0, 20.0])
def test_depth_0_is_penalised_logistic_regression(alpha, ratio, n_classes):
    X, y, _ = columns()
    X = X / X.std(axis=0)
    code = np.searchsorted(np.quantile(y, np.arange(1, n_classes) / n_classes), y)
    expert = LogisticExpert(alpha=alpha, l1_ratio=ratio)
    model = HMEClassifier(depth=0, expert=expert, standardize=False, tol=1e-14, max_iter=5000).fit(X, code)
    peer = LogisticRegression(penalty="elasticnet", C=1 / alpha, l1_ratio=ratio, solver="saga", tol=1e-9)
    peer.set_params(max_iter=50000).fit(X, code)
    np.testing.assert_allclose(model.predict_proba(X), peer.predict_proba(X), atol=2e-5)

    def value(coef, probability):
        log_likelihood = np.log(probability[np.arange(len(code)), code]).sum()
        return log_likelihood - alpha * (ratio * np.abs(coef).sum() + 0.5 * (1 - ratio) * (coef**2).sum())

    ours = value(model.experts_.coef[0], model.predict_proba(X))
    assert ours >= value(peer.coef_, peer.predict_proba(X)) - 1e-9
    assert ours - value(peer.coef_, peer.predict_proba(X)) < 1e-4
    assert (model.experts_.coef == 0).any() or alpha < 10


@pytest.mark.slow
def test_global_fit_is_what_slopes_tie_to():
    X, y, _ = columns()
    rest = dict(variance_prior=None, alpha=60.0, l1_ratio=1.0)
    for family in (LinearExpert(**rest, shrink_to="global"), GaussianExpert("identity", 60.0, 1.0, "global")):
        model = HMERegressor(n_experts=2, expert=family, tol=1e-9).fit(X, y)
        tied = model.params_.experts.coef.reshape(2, -1)[:, :-1] == model.model_.expert.center_.reshape(1, -1)[:, :-1]
        assert tied.sum() >= 8 or isinstance(family, GaussianExpert)


# -- conditions at the optimum ---------------------------------------------------------------------------------------

FAMILIES = {
    "linear": (LinearExpert, {"variance_floor": 1e-8}, "real"),
    "unscaled": (LinearExpert, {"scale_penalty": False, "shared_variance": True}, "real"),
    "student": (StudentExpert, {"df": 5.0}, "real"),
    "unscaled student": (StudentExpert, {"df": 5.0, "scale_penalty": False}, "real"),
    "laplace": (LaplaceExpert, {}, "real"),
    "unscaled laplace": (LaplaceExpert, {"scale_penalty": False}, "real"),
    "gaussian": (GaussianExpert, {"link": "identity"}, "real"),
    "unscaled gaussian": (GaussianExpert, {"link": "identity", "scale_penalty": False}, "real"),
    "gamma": (GammaExpert, {}, "positive"),
    "unscaled gamma": (GammaExpert, {"scale_penalty": False}, "positive"),
    "inverse gaussian": (InverseGaussianExpert, {"scale_penalty": False, "shared_dispersion": True}, "positive"),
    "poisson": (PoissonExpert, {}, "counts"),
    "negative binomial": (NegativeBinomialExpert, {}, "counts"),
    "binomial": (BinomialExpert, {"n_trials": 4}, "trials"),
    "logistic": (LogisticExpert, {}, "classes"),
}


def table(kind, n=250, p=6, seed=3):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    side = X[:, 0] + 0.4 * rng.logistic(size=n) > 0
    eta = np.where(side, 1.2 * X[:, 1] + 0.5, -1.0 * X[:, 2])
    y = {
        "real": eta + 0.3 * rng.normal(size=n),
        "positive": np.exp(0.6 * eta) * rng.gamma(8.0, 1 / 8.0, n),
        "counts": rng.poisson(np.exp(0.8 * eta)),
        "trials": rng.binomial(4, 1 / (1 + np.exp(-2.0 * eta))),
        "classes": (2.0 * eta + rng.logistic(size=n) > 0).astype(int) + (eta > 1.5),
    }[kind]
    return X, y.astype(int if kind == "classes" else float)


def fitted(name, ratio=0.9, alpha=8.0, gate_alpha=4.0, gate=SoftmaxGate, **settings):
    family, own, kind = FAMILIES[name]
    X, y = table(kind)
    estimator = HMEClassifier if kind == "classes" else HMERegressor
    model = estimator(
        n_experts=settings.pop("n_experts", 2), expert=family(alpha=alpha, l1_ratio=ratio, **own, **settings),
        gate=gate(alpha=gate_alpha, l1_ratio=1.0), tol=1e-13, max_iter=4000,
    )  # fmt: skip
    return model.fit(X, y), X, y


def numeric_gradient(model, rows, read, write, penalty):
    """Of the log-likelihood less all smooth penalties, at the fit, by the coefficients of one side, by differences."""
    coef, step = read(model.params_), 1e-5

    def value(coef):
        params = write(model.params_, coef)
        smooth = model.model_.log_prior_density(params) + penalty(params)
        return (
            model.model_.e_step(params, rows)[0] * rows.weight.sum() - model.model_.log_prior_density(params) + smooth
        )

    gradient = np.empty_like(coef)
    for index in np.ndindex(coef.shape):
        up, down = coef.copy(), coef.copy()
        up[index] += step
        down[index] -= step
        gradient[index] = (value(up) - value(down)) / (2 * step)
    return gradient


def check_conditions(gradient, coef, lasso, atol):
    """The smooth part's gradient is the lasso's slope where a coefficient is not zero, and within it where it is."""
    at_zero = coef == 0
    lasso = np.broadcast_to(lasso, coef.shape)
    np.testing.assert_allclose(gradient[~at_zero], (lasso * np.sign(coef))[~at_zero], atol=atol)
    assert (np.abs(gradient) <= lasso + atol)[at_zero].all()
    return at_zero


# Sweeps of the Laplace family creep towards the corners of absolute residuals.
@pytest.mark.parametrize("name", representative([name for name in FAMILIES if "laplace" not in name], every=13))
def test_subgradient_conditions_of_experts_and_gate(name):
    model, X, y = fitted(name, gate_alpha=9.0)
    rows = model.observed_rows(X, y)[0]
    expert, gate = model.model_.expert, model.model_.gate.node
    scale = 1.0
    params = model.params_.experts
    if getattr(expert, "scale_penalty", False):
        noise = getattr(params, "variance", getattr(params, "dispersion", None))
        if name not in ("poisson", "negative binomial", "binomial", "logistic"):
            scale = 1.0 / noise.reshape(params.coef.shape[:-1])[..., None]

    def lasso(params):
        return (np.abs(params.experts.coef) * expert.lasso_ * scale).sum()

    gradient = numeric_gradient(
        model, rows, lambda p: p.experts.coef,
        lambda p, coef: p._replace(experts=p.experts._replace(coef=coef)), lasso,
    )  # fmt: skip
    atol = 2e-3 if name == "negative binomial" else 3e-4 * max(1.0, float(np.max(scale)))
    zeros = check_conditions(gradient, params.coef, expert.lasso_ * scale, atol)
    assert 0 < zeros.sum() < zeros.size - 2

    gradient = numeric_gradient(
        model, rows, lambda p: p.gate.coef,
        lambda p, coef: p._replace(gate=p.gate._replace(coef=coef)),
        lambda p: (np.abs(p.gate.coef) * gate.lasso_).sum(),
    )  # fmt: skip
    zeros = check_conditions(gradient, model.params_.gate.coef, gate.lasso_, 3e-4)
    assert zeros.any() and (model.gate_.coef == 0).any()


@pytest.mark.slow
@pytest.mark.parametrize("n_experts", [3, slow_case(4)])
def test_subgradient_conditions_of_nodes_with_more_slots(n_experts):
    model, X, y = fitted("linear", n_experts=n_experts)
    gate = model.model_.gate.node
    rows = model.observed_rows(X, y)[0]
    gradient = numeric_gradient(
        model, rows, lambda p: p.gate.coef,
        lambda p, coef: p._replace(gate=p.gate._replace(coef=coef)),
        lambda p: (np.abs(p.gate.coef) * gate.lasso_).sum(),
    )  # fmt: skip
    assert check_conditions(gradient, model.params_.gate.coef, gate.lasso_, 1e-3).any()


@pytest.mark.slow
@pytest.mark.parametrize("shape", ["(. . .)", "((. . .) .)", "(. . . .)"])
@pytest.mark.parametrize("ratio", [1.0, slow_case(0.5)])
def test_fits_of_wide_nodes_end_where_the_subgradient_is_zero(shape, ratio):
    rng = np.random.default_rng(2)  # two regimes: some leaves starve
    X = rng.normal(size=(300, 6))
    y = np.where(X[:, 0] > 0, 2 * X[:, 1] + 1, -2 * X[:, 2]) + 0.2 * rng.normal(size=300)
    model = HMERegressor(
        tree=shape, expert=LinearExpert(2.0, ratio), gate=SoftmaxGate(1.0, ratio), tol=1e-9, max_iter=3000
    )
    model.fit(X, y)
    assert model.converged_ and model.history_.gradient[-1] <= 1e-4


@pytest.mark.slow
def test_wide_and_sparse_gates_have_zeros(monkeypatch):
    model, X, y = fitted("linear", n_experts=4)
    exact, coef = model.lower_bounds_[-1], model.gate_.coef
    monkeypatch.setattr(multinomial, "EXACT_SIZE", 0)
    wide = model.set_params(warm_start=True).fit(X, y)  # where nodes are solved slot by slot the maximum is the same
    np.testing.assert_allclose(wide.lower_bounds_, exact, atol=1e-9)
    np.testing.assert_allclose(wide.gate_.coef, coef, atol=1e-4)
    routed, *_ = fitted("linear", n_experts=4, gate=TopKGate)
    assert (routed.gate_.coef == 0).any()


@pytest.mark.parametrize(
    "name", few(representative([name for name in FAMILIES if name != "logistic"], every=5) + [slow_case("logistic")], 1)
)
def test_objective_is_the_likelihood_less_the_penalties(name):
    model, X, y = fitted(name, variance_prior=None) if "variance_floor" in FAMILIES[name][1] else fitted(name)
    prior = model.model_.log_prior_density(model.params_)
    value = (model.log_likelihood(X, y).sum() + prior) / len(y)
    np.testing.assert_allclose(model.lower_bounds_[-1], value, rtol=1e-9)
    if name == "linear":
        experts, scale = model.params_.experts, model.params_.experts.variance[:, 0]
        slopes = experts.coef[:, 0, :-1]
        by_hand = 8.0 * (0.9 * np.abs(slopes).sum(axis=1) + 0.05 * (slopes**2).sum(axis=1)) / scale
        np.testing.assert_allclose(-prior, by_hand.sum() + 4.0 * np.abs(model.params_.gate.coef[..., :-1]).sum())


@pytest.mark.parametrize("scaled, seed", representative(product([True, False], range(2 * len(UGLINESS))), every=19))
def test_objective_does_not_fall(seed, scaled):
    X, y, weight, _, n_experts = make_problem(seed)
    expert = LinearExpert(alpha=1.0, l1_ratio=0.7 if seed % 2 else 1.0, scale_penalty=scaled)
    model = HMERegressor(n_experts=n_experts, expert=expert, gate=SoftmaxGate(0.3, 1.0), max_iter=60, accelerate=False)
    model.fit(X, y, sample_weight=weight)
    assert (np.diff(model.lower_bounds_) >= -1e-12 * np.abs(model.lower_bounds_).max()).all()
    assert model.history_.accepted.mean() > 0.9


@pytest.mark.slow
@pytest.mark.parametrize("seed", representative(range(len(UGLINESS)), every=14))
def test_objective_of_other_families_does_not_fall(seed):
    X, y, weight, _, n_experts = make_problem(seed)
    positive = np.exp((y - y.mean()) / y.std())
    gate, lasso = SoftmaxGate(0.3, 1.0), {"alpha": 1.0, "l1_ratio": 1.0}
    models = [
        (HMERegressor(expert=PoissonExpert(**lasso)), np.round(positive)),
        (HMERegressor(expert=GammaExpert(**lasso, scale_penalty=False)), positive),
        (HMERegressor(expert=StudentExpert(df=4.0, **lasso)), y),
        (HMERegressor(expert=LaplaceExpert(**lasso, scale_penalty=False)), y),
        (HMERegressor(expert=GaussianExpert("identity", **lasso)), y),
        (HMEClassifier(expert=LogisticExpert(**lasso)), make_problem(seed, True)[1]),
    ]
    for model, target in models:
        table = make_problem(seed, isinstance(model, HMEClassifier))
        model.set_params(n_experts=n_experts, gate=gate, max_iter=40)
        model.fit(table[0], target, sample_weight=table[2])
        assert (np.diff(model.lower_bounds_) >= -1e-12 * np.abs(model.lower_bounds_).max()).all()


@pytest.mark.parametrize("name", few(representative(FAMILIES, every=6), 2))
def test_weights_are_repetitions(name):
    family, own, kind = FAMILIES[name]
    X, y = table(kind)
    times = np.random.default_rng(0).integers(1, 3, len(y))
    estimator = HMEClassifier if kind == "classes" else HMERegressor
    expert, gate = family(alpha=5.0, l1_ratio=1.0, **own), SoftmaxGate(2.0, 1.0)
    model = estimator(n_experts=2, expert=expert, gate=gate, max_iter=20)
    weighted = model.fit(X, y, sample_weight=times).experts_
    again = np.repeat(np.arange(len(y)), times)
    repeated = model.fit(X[again], y[again]).experts_
    np.testing.assert_allclose(weighted.coef, repeated.coef, atol=1e-7)
    np.testing.assert_array_equal(weighted.coef == 0, repeated.coef == 0)


# -- beside the other hyper-parameters -------------------------------------------------------------------------------


@pytest.mark.parametrize("name, constraint", few(representative(product(
    ["linear", "unscaled", "laplace", "gamma", "unscaled gamma", "poisson"],
    [{"shared_coef": [1, 3]}, {"fixed_coef": {1: 0.5}}, {"nonnegative": [1, 2]}, {"shared_coef": True}],
), every=10), 1), ids=str)  # fmt: skip
def test_constraints_and_lasso_hold_together(name, constraint):
    model, X, y = fitted(name, ratio=1.0, **constraint)
    coef = model.experts_.coef
    assert (coef == 0).any()
    if "shared_coef" in constraint:
        columns = range(6) if constraint["shared_coef"] is True else constraint["shared_coef"]
        np.testing.assert_array_equal(coef[0, columns], coef[1, columns])
    if "fixed_coef" in constraint:
        np.testing.assert_allclose(coef[:, 1], 0.5, rtol=1e-12)
    if "nonnegative" in constraint:
        assert (coef[:, [1, 2]] >= 0).all()
    assert (np.diff(model.lower_bounds_) >= -1e-12).all()
    assert model.history_.gradient[model.history_.accepted][-1] < 1e-5
    free = coef != 0
    if constraint.get("shared_coef") is True:
        assert (
            model.model_.expert.n_parameters(model.params_.experts) - model.model_.gate.n_parameters(model.params_.gate)
            >= free[0].sum() + 2 - 6
        )


def test_hyper_parameters_are_checked():
    X, y, _ = columns()
    for expert, message in [
        (LinearExpert(l1_ratio=1.5), "l1_ratio must be a number between 0 and 1, got 1.5"),
        (LinearExpert(l1_ratio=-0.1), "l1_ratio must be a number between 0 and 1, got -0.1"),
        (LinearExpert(scale_penalty="no"), "scale_penalty must be one of True, False"),
        (LinearExpert(l1_ratio=1.0, shrink_to="global", nonnegative=True), "shrink_to='global' cannot be combined"),
    ]:
        with pytest.raises(ValueError, match=message):
            HMERegressor(n_experts=2, expert=expert).fit(X, y)
    for expert in (LinearExpert(l1_ratio=1.0, covariance="full"), LinearExpert(scale_penalty=False, covariance="full")):
        with pytest.raises(ValueError, match="covariance='full' cannot be combined"):
            HMERegressor(n_experts=2, expert=expert).fit(X, np.column_stack([y, y]))
    with pytest.raises(ValueError, match="l1_ratio must be"):
        HMERegressor(n_experts=2, gate=SoftmaxGate(l1_ratio=2.0)).fit(X, y)


def test_two_outputs_have_a_lasso_each():
    X, y, _ = columns()
    Y = np.column_stack([y, 0.5 * y + X[:, 2]])
    both = HMERegressor(depth=0, expert=LinearExpert(60.0, 1.0, variance_prior=None)).fit(X, Y)
    for t in range(2):
        one = HMERegressor(depth=0, expert=LinearExpert(60.0, 1.0, variance_prior=None)).fit(X, Y[:, t])
        np.testing.assert_allclose(both.experts_.coef[0, t], one.experts_.coef[0], atol=1e-9)


def test_lasso_holds_back_what_separates():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 2))
    y = np.where(X[:, 0] > 0, 5.0 + X[:, 1], -5.0 - X[:, 1]) + 0.1 * rng.normal(size=200)
    free = HMERegressor(n_experts=2, gate=SoftmaxGate(0.0)).fit(X, y)
    held = HMERegressor(n_experts=2, gate=SoftmaxGate(1.0, 1.0), tol=1e-9).fit(X, y)
    assert free.boundary_ and not held.boundary_
    design = Design.fit(X, np.ones(200), True)
    assert np.isfinite(held.gate_.coef).all() and design.scale.shape == (2,)
    counts = rng.poisson(np.exp(np.where(X[:, 0] > 0, -8.0, 1.0)))
    quiet = HMERegressor(depth=0, expert=PoissonExpert(1.0, 1.0), tol=1e-9).fit(X, counts)
    assert not quiet.boundary_


def test_default_target_follows_the_penalty():
    for family in (LinearExpert, PoissonExpert, LogisticExpert, StudentExpert):
        assert family().shrink_to is None
    X, y, _ = columns()
    ridge = HMERegressor(n_experts=2, expert=LinearExpert(alpha=1e7)).fit(X, y)
    lasso = HMERegressor(n_experts=2, expert=LinearExpert(alpha=1e7, l1_ratio=1.0)).fit(X, y)
    assert (ridge.experts_.coef != 0).all() and (lasso.experts_.coef == 0).all()


def test_numbers_of_parameters():
    model, *_ = fitted("poisson")
    slopes = (model.experts_.coef != 0).sum()
    gate = (np.ptp(model.gate_.coef, axis=1) != 0).sum()
    assert model.n_parameters_ == slopes + 2 + gate + 1
