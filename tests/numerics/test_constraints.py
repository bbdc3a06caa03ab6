"""Shared, fixed and nonnegative coefficients, in the user's units: against scipy's optimisers on the likelihood."""

import pickle
from itertools import product

import numpy as np
import pandas as pd
import pytest
from families import central_differences, q_of_expert
from problems import few, representative
from scipy.optimize import minimize
from scipy.special import digamma, gammaln

from hme import HMERegressor, export_text
from hme.experts import BinomialExpert, GammaExpert, LinearExpert, NegativeBinomialExpert, PoissonExpert, StudentExpert
from hme.model.design import Design
from hme.model.features import Tables
from hme.model.rows import Rows
from hme.numerics.constraints import Constraints

NAMES, K, ALPHA = ["a", "b", "c"], 3, 0.7
RNG = np.random.default_rng(0)
N = 240
X = RNG.normal(size=(N, 3)) * [1.0, 5.0, 0.2] + [0.5, -2.0, 3.0]
LABEL = RNG.integers(K, size=N)
WEIGHT = RNG.uniform(0.5, 2.0, N)
COEF = np.array([[0.5, 0.1, -0.3], [-0.4, 0.05, 0.2], [0.2, -0.08, 0.4]])
ETA = (X * COEF[LABEL]).sum(axis=1) + np.array([0.3, -0.2, 0.1])[LABEL]


# The plain log-likelihood of one row, its derivatives by eta and by the log of the dispersion, and whether a dispersion
# divides the penalty. A family with constraints is one more line.


def poisson(y, eta, log_dispersion):
    return y * eta - np.exp(eta) - gammaln(y + 1), y - np.exp(eta), 0.0 * y


def gamma(y, eta, log_dispersion):
    shape, log_ratio = np.exp(-log_dispersion), np.log(y) - eta
    value = shape * (np.log(shape) + log_ratio - np.exp(log_ratio)) - gammaln(shape) - np.log(y)
    by_shape = np.log(shape) + 1 + log_ratio - np.exp(log_ratio) - digamma(shape)
    return value, shape * (np.exp(log_ratio) - 1), -shape * by_shape


def linear(y, eta, log_variance):
    square = (y - eta) ** 2 / np.exp(log_variance)
    return -0.5 * (square + log_variance + np.log(2 * np.pi)), (y - eta) / np.exp(log_variance), 0.5 * (square - 1)


def student(y, eta, log_variance, df=4.0):
    square = (y - eta) ** 2 / np.exp(log_variance)
    pull = 0.5 * (df + 1.0) * square / (df + square)
    constant = gammaln((df + 1) / 2) - gammaln(df / 2) - 0.5 * np.log(np.pi * df)
    value = constant - 0.5 * log_variance - 0.5 * (df + 1.0) * np.log1p(square / df)
    return value, 2.0 * pull / (y - eta), pull - 0.5


FAMILIES = {
    "poisson": (PoissonExpert, {}, poisson, RNG.poisson(np.exp(ETA)), False),
    "gamma": (GammaExpert, {"dispersion_prior": None}, gamma, RNG.gamma(3.0, np.exp(ETA) / 3.0), True),
    "linear": (
        LinearExpert, {"variance_prior": None, "variance_floor": 1e-8}, linear, ETA + 0.4 * RNG.normal(size=N), True,
    ),
    "student": (
        StudentExpert, {"df": 4.0, "variance_prior": None, "variance_floor": 1e-8}, student,
        ETA + 0.3 * RNG.standard_t(4, size=N), True,
    ),
}  # fmt: skip
CONSTRAINTS = [
    {"shared_coef": "b"},
    {"shared_coef": True},
    {"shared_coef": "intercept"},
    {"shared_coef": [0, "intercept"]},
    {"shared_coef": ["a", -1, "b", "intercept"]},
    {"fixed_coef": {"a": 0.3}},
    {"fixed_coef": {2: [0.1, -0.2, 0.3], "intercept": 0.25}},
    {"fixed_coef": {"intercept": [0.0, 0.1, -0.1]}, "shared_coef": True},
    {"nonnegative": True},
    {"nonnegative": ["c", "intercept"]},
    {"nonnegative": [0, 1], "shared_coef": ["b"]},
    {"nonnegative": True, "shared_coef": True},
    {"nonnegative": "a", "fixed_coef": {"c": -0.1}, "shared_coef": "intercept"},
]


def free_numbers(constraint):
    """Matrix and base of the coefficients (K, p + 1) as a map of free numbers, and which of those are >= 0."""
    number = {**{name: j for j, name in enumerate(NAMES)}, "intercept": 3, 0: 0, 1: 1, 2: 2, -1: 2}

    def columns(given):
        given = range(3) if given is True else [given] if isinstance(given, str) else given
        return {number[column] for column in given}

    shared, nonnegative = columns(constraint.get("shared_coef", [])), columns(constraint.get("nonnegative", []))
    fixed = {number[column]: value for column, value in constraint.get("fixed_coef", {}).items()}
    base, maps, lower = np.zeros((K, 4)), [], []
    for j in range(4):
        if j in fixed:
            base[:, j] = fixed[j]
            continue
        for experts in [range(K)] if j in shared else [[k] for k in range(K)]:
            direction = np.zeros((K, 4))
            direction[experts, j] = 1.0
            maps.append(direction)
            lower.append(0.0 if j in nonnegative else -np.inf)
    return np.stack(maps, axis=2), base, lower


def reference(name, constraint, ridge, near):
    """A maximum of the penalised likelihood of K separate groups of rows, in the user's units, by L-BFGS-B.

    It starts some way from `near`: with coefficients in common and dispersions of their own there can be several.
    """
    _, _, density, y, scaled = FAMILIES[name]
    A, base, lower = free_numbers(constraint)
    ones = np.column_stack([X, np.ones(N)])
    n_theta = A.shape[2]

    def loss(free):
        coef, log_dispersion = base + A @ free[:n_theta], free[n_theta:]
        own = log_dispersion[LABEL] if scaled else np.zeros(N)
        value, by_eta, by_dispersion = density(y, (ones * coef[LABEL]).sum(axis=1), own)
        divide = np.exp(-log_dispersion) if scaled else np.ones(K)
        squares = (ridge * coef[:, :3] ** 2).sum(axis=1)
        force = np.array([(WEIGHT * by_eta * (LABEL == k)) @ ones for k in range(K)])
        force[:, :3] -= ridge * coef[:, :3] * divide[:, None]
        by_dispersion = np.bincount(LABEL, WEIGHT * by_dispersion, K) + 0.5 * squares * divide
        gradient = np.tensordot(A, force, axes=([0, 1], [0, 1]))
        gradient = np.append(gradient, by_dispersion) if scaled else gradient
        return -(WEIGHT @ value - 0.5 * (squares * divide).sum()), -gradient

    away = 0.1 * np.random.default_rng(1).uniform(-1, 1, (K, 4)) / np.abs(ones).max(axis=0)
    theta = np.linalg.lstsq(A.reshape(-1, n_theta), (near + away - base).ravel(), rcond=None)[0]
    start = np.append(np.maximum(theta, lower), np.zeros(K * scaled))
    bounds = [(low, np.inf) for low in lower] + [(-8, 8)] * (K * scaled)
    for _ in range(3):  # restarts drop a poor memory of the curvature
        found = minimize(
            loss, start, jac=True, method="L-BFGS-B", bounds=bounds,
            options={"maxiter": 5000, "maxfun": 20000, "ftol": 1e-16, "gtol": 1e-9, "maxcor": 30},
        )  # fmt: skip
        start = found.x
    return -found.fun, base + A @ found.x[:n_theta]


def one_hot_fit(name, constraint, standardize, steps=3000):
    """The family's own updates with one-hot responsibilities; Q must not fall."""
    family, settings, _, y, _ = FAMILIES[name]
    design = Design.fit(X, WEIGHT, standardize, NAMES)
    rows = Rows(design.transform(X), design.transform(X), y[:, None].astype(float), WEIGHT)
    resp = np.eye(K)[LABEL] * WEIGHT[:, None]
    expert = family(alpha=ALPHA, shrink_to="zero", **settings, **constraint).bind(rows, design)
    params, q = expert.init(rows, resp), -np.inf
    for _ in range(steps):
        q, before = q_of_expert(expert, params, rows, resp), q
        assert q >= before - 1e-11 * abs(q)
        stats = expert.statistics(params, rows, resp)
        if np.abs(expert.gradient(params, stats)).max() < 1e-10 * WEIGHT.sum():
            break
        params = expert.update(params, stats, rows)
    return expert, params, rows, resp, design, q


@pytest.mark.parametrize(
    "name, constraint, standardize", representative(product(FAMILIES, CONSTRAINTS, [True, False]), every=43), ids=str
)
def test_constrained_fit_is_scipys(name, constraint, standardize):
    expert, params, rows, resp, design, q = one_hot_fit(name, constraint, standardize)
    ridge = ALPHA * (design.scale**2 if standardize else np.ones(3))
    report = expert.report(params, design)
    ours = np.column_stack([report.coef, report.intercept])
    best, coef = reference(name, constraint, ridge, ours)
    np.testing.assert_allclose(q, best, rtol=1e-9)
    np.testing.assert_allclose(ours, coef, rtol=1e-4, atol=2e-5)
    assert np.abs(expert.gradient(params, expert.statistics(params, rows, resp))).max() < 1e-10 * WEIGHT.sum()


@pytest.mark.parametrize("constraint", few(CONSTRAINTS, 7), ids=str)
@pytest.mark.parametrize("name", representative(FAMILIES, every=2))
def test_constraints_hold_to_the_last_digits_and_count(name, constraint):
    expert, params, _, _, design, _ = one_hot_fit(name, constraint, True, steps=3)
    A, base, lower = free_numbers(constraint)
    report = expert.report(params, design)
    coef = np.column_stack([report.coef, report.intercept])
    theta = np.linalg.lstsq(A.reshape(-1, A.shape[2]), (coef - base).ravel(), rcond=None)[0]
    np.testing.assert_allclose(base + A @ theta, coef, rtol=1e-12, atol=1e-13)
    assert (theta >= np.array(lower) - 1e-15).all()
    assert expert.n_parameters(params) == A.shape[2] + K * FAMILIES[name][-1]


@pytest.mark.parametrize("constraint", few(CONSTRAINTS, 7), ids=str)
def test_gradient_is_that_of_q_along_what_is_free(constraint):
    family, settings, *_ = FAMILIES["gamma"]
    expert, params, rows, resp, _, _ = one_hot_fit("gamma", constraint, True, steps=0)
    space = expert.constraints_.space(K)
    A = space.A if space.nonnegative.any() else space.basis
    theta = np.abs(np.random.default_rng(1).normal(size=space.A.shape[2])) + 0.1  # away from every bound

    def here():
        return params._replace(coef=(space.base + A @ theta)[:, None])  # of one output

    def q():
        return q_of_expert(expert, here(), rows, resp)

    params = here()
    gradient = expert.gradient(params, expert.statistics(params, rows, resp))[: len(theta)]
    numeric = central_differences(q, theta)
    np.testing.assert_allclose(gradient, numeric, rtol=1e-6, atol=1e-7 * np.abs(numeric).max())


def test_at_a_bound_only_what_points_inwards_counts():
    bound = Constraints(None, None, [0], Design(np.zeros(2), np.ones(2), True, ["a", "b"]))
    force = np.array([[-1.0, 2.0, 0.5]])
    at_bound = bound.gradient(force, np.zeros((1, 3)))
    np.testing.assert_array_equal(at_bound, [0.0, 2.0, 0.5])
    np.testing.assert_array_equal(bound.gradient(-force, np.zeros((1, 3))), [1.0, -2.0, -0.5])
    np.testing.assert_array_equal(bound.gradient(force, np.ones((1, 3))), [-1.0, 2.0, 0.5])


@pytest.mark.parametrize("far", [10.0, 1e9])
@pytest.mark.parametrize("kind", ["plain", "lasso", "bounded"])
def test_shared_intercepts_far_from_all_rows_keep_the_slopes(kind, far):
    """One slope for all, but for what intercepts of the design add to it: in these terms the system is a good one."""
    rng = np.random.default_rng(3)
    root, force = rng.normal(size=(K, 2, 4)), rng.normal(size=(K, 2))
    system, lasso = root @ np.swapaxes(root, 1, 2), 0.1 * (kind == "lasso") * np.array([1.0, 0.0])
    tied = Constraints(None, None, [0], Design(np.array([far]), np.ones(1), True, ["a"]))
    tied = Constraints(["intercept"], None, [0] if kind == "bounded" else False, tied.design)
    A = np.zeros((K, 2, K + 1))
    A[:, 0, 0], A[np.arange(K), 1, 1 + np.arange(K)], A[np.arange(K), 0, 1 + np.arange(K)] = 1.0, 1.0, 1.0 / far
    coef = 50.0 + A @ np.append(0.0, far * 1e-3 * np.arange(K))  # far from all bounds
    coef = tied.feasible(coef)
    reduced = np.einsum("kpq,kpr,krs->qs", A, system, A)
    expected = coef + A @ np.linalg.solve(reduced, np.einsum("kpq,kp->q", A, force - lasso))
    if kind == "lasso":
        found = tied.maximum(system, force, coef, np.zeros((1, 2)), np.broadcast_to(lasso, coef.shape))
    else:
        found = coef + tied.step(system, force, coef)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6 * np.abs(expected - coef).max())
    np.testing.assert_allclose(tied.feasible(found), found, rtol=1e-13)


@pytest.mark.parametrize("far", [0.0, 1e6])
def test_bounded_intercepts_go_with_a_lasso(far):
    """An intercept at its bound, or below it by its last digit, is no infinite penalty."""
    rng = np.random.default_rng(0)
    Z, side = rng.normal(size=(120, 2)), rng.choice([-1.0, 1.0], size=120)
    y = side + 2.0 * Z[:, 0] - Z[:, 1] + 0.1 * rng.normal(size=120)
    settings = dict(n_experts=2, gate="constant", random_state=0)
    expert = LinearExpert(alpha=1e-3, l1_ratio=0.5, nonnegative=["intercept"])
    model = HMERegressor(expert=expert, **settings).fit(Z - [far, -far / 2], y)
    assert model.converged_ and (np.diff(model.lower_bounds_) >= -1e-12).all()
    intercept = np.sort(model.experts_.intercept)
    assert abs(intercept[0]) < 1e-12 if far == 0.0 else (intercept > far).all()
    free = HMERegressor(expert=LinearExpert(alpha=1e-3, l1_ratio=0.5), **settings).fit(Z, y)
    if far:  # no bound holds
        np.testing.assert_allclose(model.lower_bounds_[-1], free.lower_bounds_[-1], atol=1e-5)


def test_no_constraint_changes_nothing():
    free = Constraints(None, None, False, Design(np.zeros(2), np.ones(2), True))
    assert not free and free.n_free((4, 3)) == 12
    coef = np.random.default_rng(1).normal(size=(4, 3))
    assert free.feasible(coef) is coef


# -- in a mixture ----------------------------------------------------------------------------------------------------

TABLE = pd.DataFrame(X, columns=NAMES)


def mixture(expert, **settings):
    return HMERegressor(n_experts=2, expert=expert, **settings)


@pytest.mark.parametrize(
    "family, alpha, standardize",
    few(
        representative(
            product([PoissonExpert, NegativeBinomialExpert, GammaExpert], [0.0, 0.5], [True, False]), every=11
        ),
        1,
    ),
)
def test_mixture_keeps_constraints_and_does_not_fall(family, alpha, standardize):
    y = FAMILIES["gamma" if family is GammaExpert else "poisson"][3]
    constraint = dict(shared_coef=["b"], fixed_coef={"a": [0.5, -0.4]}, nonnegative=["intercept"])
    model = mixture(family(alpha=alpha, **constraint), standardize=standardize, tol=1e-8).fit(TABLE, y)
    assert model.converged_ and (np.diff(model.lower_bounds_) >= -1e-12).all()
    coef, intercept, dispersion = model.experts_
    np.testing.assert_allclose(coef[:, 0], [0.5, -0.4], rtol=1e-12)
    np.testing.assert_allclose(coef[0, 1], coef[1, 1], rtol=1e-12)
    assert (intercept >= -1e-14).all()
    eta = X @ coef.T + intercept  # what is reported is what is predicted
    np.testing.assert_allclose(model.predict_experts(TABLE), np.exp(eta), rtol=1e-9)
    expected = 1 + 2 + 2 + (2 if family is not PoissonExpert else 0)  # b, c, intercepts, dispersions
    assert model.model_.expert.n_parameters(model.params_.experts) == expected
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(TABLE), model.predict(TABLE))
    again.set_params(warm_start=True).fit(TABLE, y)
    np.testing.assert_allclose(again.experts_.coef, coef, rtol=1e-3, atol=1e-4)
    assert "gate" in export_text(model)


def test_shared_slopes_with_own_intercepts_equal_one_column_of_the_label():
    """With rows told apart for certain, shared slopes are one regression with an intercept for each group."""
    sm = pytest.importorskip("statsmodels.api")
    group = (X[:, 0] > 0.5).astype(float)
    y = np.random.default_rng(1).poisson(np.exp(0.5 + group + 0.1 * X[:, 1]))
    gate = (group[:, None] == [0, 1]) + 0.0
    expert = PoissonExpert(alpha=0.0, shared_coef=True)
    design = Design.fit(X, np.ones(N), True, NAMES)
    rows = Rows(design.transform(X), design.transform(X), y[:, None].astype(float), np.ones(N))
    expert = expert.bind(rows, design)
    params = expert.steps(expert.init(rows, gate), rows, gate, 60)
    glm = sm.GLM(y, np.column_stack([X, gate]), sm.families.Poisson()).fit(tol=1e-14)
    report = expert.report(params, design)
    np.testing.assert_allclose(report.coef, np.tile(glm.params[:3], (2, 1)), rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(report.intercept, glm.params[3:], rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("family", representative([GammaExpert, NegativeBinomialExpert], every=2))
def test_shared_dispersion_is_one_and_the_maximiser(family):
    y = FAMILIES["gamma" if family is GammaExpert else "poisson"][3]
    model = mixture(family(shared_dispersion=True), tol=1e-9).fit(TABLE, y)
    first, second = model.experts_.dispersion
    assert first == second and model.model_.expert.n_parameters(model.params_.experts) == 2 * 4 + 1
    expert, rows = model.model_.expert, model.columns_.rows(Tables(X, X), y=y[:, None].astype(float), weight=np.ones(N))
    resp = model.responsibilities(TABLE, y)
    log_dispersion = np.log(model.params_.experts.dispersion[:1])

    def q():
        both = np.repeat(np.exp(log_dispersion), 2, axis=0)
        return q_of_expert(expert, model.params_.experts._replace(dispersion=both), rows, resp)

    log_dispersion += 0.3  # off the maximum, where the gradient is worth a comparison
    params = model.params_.experts._replace(dispersion=np.repeat(np.exp(log_dispersion), 2, axis=0))
    gradient = expert.gradient(params, expert.statistics(params, rows, resp))[-2:]
    np.testing.assert_allclose(gradient, central_differences(q, log_dispersion)[0, 0], rtol=1e-6)
    log_dispersion -= 0.3
    np.testing.assert_allclose(central_differences(q, log_dispersion), 0.0, atol=1e-3)
    free = mixture(family(), tol=1e-9).fit(TABLE, y)
    assert free.lower_bounds_[-1] > model.lower_bounds_[-1] - 1e-2  # it has more freedom, if not the same maximum


def test_numbers_and_names_of_transformed_columns():
    from sklearn.preprocessing import PolynomialFeatures

    y = FAMILIES["poisson"][3]
    polynomial = PolynomialFeatures(2, include_bias=False)
    by_name = mixture(PoissonExpert(fixed_coef={"a^2": 0.0}, shared_coef=["a b"]), expert_features=polynomial)
    by_number = mixture(PoissonExpert(fixed_coef={3: 0.0}, shared_coef=[4]), expert_features=polynomial)
    by_name.fit(TABLE, y), by_number.fit(TABLE, y)
    assert list(by_name.columns_.expert.features.names)[3:5] == ["a^2", "a b"]
    np.testing.assert_array_equal(by_name.experts_.coef, by_number.experts_.coef)
    np.testing.assert_allclose(by_name.experts_.coef[:, 3], 0.0, atol=1e-15)
    np.testing.assert_allclose(*by_name.experts_.coef[:, 4], rtol=1e-12)


@pytest.mark.slow
def test_fixed_slope_of_a_logarithm_is_an_offset():
    rng = np.random.default_rng(1)
    exposure = rng.uniform(1, 9, N)
    y = rng.poisson(exposure * np.exp(0.2 * X[:, 0]))
    table = np.column_stack([X[:, 0], np.log(exposure)])
    # The gate sees the first column alone in both.
    settings = dict(gate_features=[0], start=LABEL % 2, tol=1e-12, max_iter=5000)
    one = mixture(PoissonExpert(alpha=0.0, fixed_coef={1: 1.0}), **settings).fit(table, y)
    two = mixture(PoissonExpert(alpha=0.0), expert_features=[0], **settings)
    two.fit(table, y, offset=table[:, 1])
    np.testing.assert_allclose(one.lower_bounds_[-1], two.lower_bounds_[-1], rtol=1e-9)
    np.testing.assert_allclose(one.experts_.coef[:, 0], two.experts_.coef[:, 0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "constraint, error, message",
    [
        ({"shared_coef": "z"}, ValueError, r"shared_coef names column 'z'; it must be \['a', 'b', 'c'\], a number"),
        ({"shared_coef": [3]}, ValueError, "shared_coef names column 3"),
        ({"shared_coef": [-4]}, ValueError, "shared_coef names column -4"),
        ({"shared_coef": [True]}, ValueError, "shared_coef names column True"),
        ({"shared_coef": [0.5]}, ValueError, "shared_coef names column 0.5"),
        ({"nonnegative": "z"}, ValueError, "nonnegative names column 'z'"),
        ({"nonnegative": 1.5}, ValueError, "nonnegative names column 1.5"),
        ({"fixed_coef": ["a"]}, TypeError, r"fixed_coef = \['a'\] must be None or a dict"),
        ({"fixed_coef": {"a": np.nan}}, ValueError, r"fixed_coef\['a'\] = nan must be a finite number"),
        ({"fixed_coef": {"a": "one"}}, ValueError, r"fixed_coef\['a'\] = 'one'"),
        ({"fixed_coef": {"a": [[1.0, 2.0]]}}, ValueError, r"fixed_coef\['a'\]"),
        ({"fixed_coef": {"a": [1.0, 2.0, 3.0]}}, ValueError, "fixed_coef has 3 values for a column, but 2 experts"),
        (
            {"fixed_coef": {"a": 1.0}, "shared_coef": ["a"]},
            ValueError,
            "fixed_coef are also in shared_coef or nonnegative",
        ),
        (
            {"fixed_coef": {0: 1.0}, "nonnegative": True},
            ValueError,
            "fixed_coef are also in shared_coef or nonnegative",
        ),
        ({"fixed_coef": {0: 1.0, "a": 2.0}}, ValueError, "fixed_coef contains the column 'a' twice"),
    ],
    ids=str,
)
@pytest.mark.parametrize("family", [PoissonExpert, GammaExpert, NegativeBinomialExpert, BinomialExpert, LinearExpert])
def test_bad_constraints_are_named(family, constraint, error, message):
    with pytest.raises(error, match=message):
        mixture(family(**constraint)).fit(TABLE, np.ones(N))


def test_an_expert_of_next_to_no_weight_does_not_run_away():
    constraints = Constraints(None, None, [0], Design(np.zeros(2), np.ones(2), None))
    system = np.array([1.0, 1e-300, 0.0])[:, None, None] * (np.eye(3) + 0.5)
    wanted = np.array([[0.7, -0.3, 0.2], [0.4, 0.1, -2.0], [0.0, 0.0, 0.0]])
    step = constraints.step(system, np.einsum("kpq,kq->kp", system, wanted), np.zeros((3, 3)))
    np.testing.assert_allclose(step, wanted, rtol=1e-9, atol=1e-9)
