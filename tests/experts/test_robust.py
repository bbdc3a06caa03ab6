"""Robust experts and fixed densities: Student, Laplace, background, point mass."""

import pickle
import warnings
from itertools import product

import numpy as np
import pytest
import scipy.sparse as sp
from experts import test_family_contract as contract
from families import DESIGN, EXACT, K, central_differences, fit_once, make_resp, make_rows, q_of_expert
from problems import UGLINESS, few, make_problem, representative, slow_case
from scipy import stats
from scipy.integrate import quad
from scipy.optimize import minimize
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import QuantileRegressor

from hme import HMERegressor
from hme.distributions.student import constant_derivatives, log_constant
from hme.experts import BackgroundExpert, LaplaceExpert, LinearExpert, PointMassExpert, StudentExpert
from hme.experts.noise.laplace import CORNER, solve_scale
from hme.experts.noise.student import information, tail_derivatives
from hme.model.rows import Rows
from hme.numerics import statistics

ESTIMATED = [
    StudentExpert(),
    StudentExpert(**EXACT),
    StudentExpert(shared_df=True, shared_variance=True),
    LaplaceExpert(shared_variance=True),
]

CONTRACT = [
    "expert_statistics_add", "integer_weight_is_repetition", "take_permutes_experts",
    "one_hot_responsibilities_are_separate_fits", "expert_q_does_not_fall",
    "expert_moments_have_the_shape_of_predict", "family_clones_and_pickles", "interpolation_has_its_ends",
]  # fmt: skip


def identify(value):
    return str(value).replace("\n", "")


def quiet_fit(model, X, y, weight=None):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(X, y, sample_weight=weight)


def line(n, noise, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    return X, 3.0 + X @ [1.0, 2.0, -1.0] + noise(rng, n)


@pytest.mark.parametrize("name", CONTRACT)
@pytest.mark.parametrize("expert", representative(ESTIMATED, every=4), ids=identify)
def test_rest_of_the_contract(expert, name):
    getattr(contract, f"test_{name}")(expert, "regression")


# -- Student ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("df", [0.5, 0.7, 3.0, 40.0, 1e4])
def test_density_is_the_t_of_scipy(df):
    rows = make_rows("regression")
    expert, params = fit_once(StudentExpert(df=df), rows, make_resp(rows))
    location, scale = expert.predict(params, rows)[:, :, 0], np.sqrt(params.variance[:, 0])
    expected = stats.t(df, location, scale).logpdf(rows.y)
    np.testing.assert_allclose(expert.log_prob(params, rows), expected, rtol=1e-9)
    expected = scale**2 * stats.t(df).var() if df > 2 else np.full(K, np.inf)
    np.testing.assert_allclose(expert.variance(params, rows)[0, :, 0], expected, rtol=1e-9)


def test_density_at_many_degrees_of_freedom_is_normal():
    rows = make_rows("regression")
    expert, params = fit_once(StudentExpert(df=1e15), rows, make_resp(rows))
    normal = stats.norm(expert.predict(params, rows)[:, :, 0], np.sqrt(params.variance[:, 0])).logpdf(rows.y)
    assert (params.df == 1e15).all()
    np.testing.assert_allclose(expert.log_prob(params, rows), normal, rtol=1e-12)


def test_derivatives_by_inverse_degrees_of_freedom():
    square = np.array([0.0, 1e-3, 0.3, 1.0, 4.0, 50.0, 1e4])[:, None]
    inverse = np.array([1e-3, 0.02, 1 / 30 - 1e-5, 1 / 30 + 1e-5, 0.2, 1.0, 1.9])

    def log_density(inverse, log_scale=0.0):
        size = square * np.exp(-log_scale)
        return log_constant(inverse) - 0.5 * (1 / inverse + 1) * np.log1p(size * inverse)

    step = 1e-5 * inverse
    slope, second = constant_derivatives(inverse)
    tail, tail_second, joint = tail_derivatives(square, inverse)
    numeric = (log_density(inverse + step) - log_density(inverse - step)) / (2 * step)
    np.testing.assert_allclose(slope + tail, numeric, rtol=1e-5, atol=1e-5)

    def both(inverse, size):
        return constant_derivatives(inverse)[0] + tail_derivatives(size, inverse)[0]

    numeric = (both(inverse + step, square) - both(inverse - step, square)) / (2 * step)
    np.testing.assert_allclose(second + tail_second, numeric, rtol=1e-5, atol=1e-5)
    numeric = (both(inverse, square * np.exp(-1e-5)) - both(inverse, square * np.exp(1e-5))) / 2e-5
    np.testing.assert_allclose(joint, numeric, rtol=1e-5, atol=1e-5)


def test_derivatives_of_rows_whose_squares_are_out_of_range():
    inverse = np.array([0.2, 1.0])
    with np.errstate(all="raise"):
        found = np.array(tail_derivatives(1e200, inverse))
    log_size = np.log(1e200) + np.log(inverse)  # z = square * inverse is as good as infinite in sums with one
    first = 0.5 * (log_size - 1.0) / inverse**2 - 0.5 / inverse
    second = 0.5 * (1.0 - 2.0 * (log_size - 1.0)) / inverse**3 + 0.5 / inverse**2
    np.testing.assert_allclose(found, [first, second, -0.5 / inverse**2], rtol=1e-12)


@pytest.mark.parametrize("df", [0.8, 3.0, 10.0, 150.0])
def test_expected_information_is_the_variance_of_the_slope(df):
    density = stats.t(df)

    def weighted(r):
        slope = constant_derivatives(np.array(1 / df))[0]
        return density.pdf(r) * (slope + tail_derivatives(np.array(r * r), np.array(1 / df))[0]) ** 2

    expected = 2 * (quad(weighted, 0, 10)[0] + quad(weighted, 10, np.inf)[0])
    inverse = np.array(1 / df)
    assert float(information(inverse, *constant_derivatives(inverse))) == pytest.approx(expected, rel=1e-4)


def test_expected_information_keeps_its_digits_near_the_gaussian_case():
    inverse = np.array([1e-6, 1e-5, 1e-4, 1e-3])
    found = information(inverse, *constant_derivatives(inverse))
    assert (np.abs(found - (3.5 - 13.0 * inverse)) < 50.0 * inverse**2 + 1e-9).all()


def test_constant_of_the_density_is_smooth_where_its_series_begins():
    below, above = (
        (log_constant(inverse), *constant_derivatives(inverse))
        for inverse in (np.array(1 / 30 - 1e-12), np.array(1 / 30 + 1e-12))
    )
    np.testing.assert_allclose(below, above, atol=1e-9)


@pytest.mark.parametrize("df", few([slow_case(1.5), 4.0, "estimate"], 1))
def test_one_expert_is_the_maximum_likelihood_fit_of_scipy(df):
    X, y = line(300, lambda rng, n: 0.5 * rng.standard_t(3.0, n))
    model = HMERegressor(depth=0, expert=StudentExpert(df=df, **EXACT), tol=1e-12, max_iter=5000).fit(X, y)
    design = np.column_stack([X, np.ones(300)])

    def loss(theta):
        shape = df if df != "estimate" else np.exp(theta[5])
        return -stats.t(shape, design @ theta[:4], np.exp(theta[4])).logpdf(y).sum()

    start = np.concatenate([np.linalg.lstsq(design, y, rcond=None)[0], [0.0, 1.0]])
    best = minimize(loss, start, method="BFGS", options={"gtol": 1e-6})
    report = model.experts_
    assert model.log_likelihood(X, y).sum() >= -best.fun - 1e-7
    np.testing.assert_allclose(np.append(report.coef, report.intercept), best.x[:4], atol=1e-4)
    np.testing.assert_allclose(np.log(report.scale[0]), best.x[4], atol=1e-4)
    if df == "estimate":
        np.testing.assert_allclose(np.log(report.df[0]), best.x[5], atol=1e-3)


@pytest.mark.parametrize("expert", ESTIMATED, ids=identify)
def test_gradient_is_that_of_q(expert):
    rows = make_rows("regression")
    resp = make_resp(rows, seed=3)
    expert, params = fit_once(expert, rows, make_resp(rows))
    gradient = expert.gradient(params, expert.statistics(params, rows, resp))

    def q():
        return q_of_expert(expert, params, rows, resp)

    coef = central_differences(q, params.coef) * np.sqrt(params.variance)[..., None]
    parts = np.split(gradient, [coef.size, coef.size + K])
    np.testing.assert_allclose(parts[0], coef.ravel(), atol=2e-5 * rows.n_rows)

    def compare(part, array, shared):
        if not shared:
            np.testing.assert_allclose(part, (central_differences(q, array) * array).ravel(), atol=2e-5 * rows.n_rows)
            return
        value = array.flat[0]  # one number for all experts: move it everywhere
        q_at = []
        for factor in (np.exp(1e-5), np.exp(-1e-5)):
            array[...] = value * factor
            q_at.append(q())
        array[...] = value
        np.testing.assert_allclose(part, (q_at[0] - q_at[1]) / 2e-5, atol=2e-5 * rows.n_rows)

    compare(parts[1], params.variance, expert.shared_variance)
    if isinstance(expert, StudentExpert):
        compare(parts[2], params.df, expert.shared_df)


@pytest.mark.parametrize(
    "expert", representative([*ESTIMATED, StudentExpert(df=1.0), LaplaceExpert(**EXACT)], every=3), ids=identify
)
@pytest.mark.parametrize("seed", representative(range(5), every=5))
def test_q_does_not_fall_on_its_way_to_the_maximum(expert, seed):
    rows = make_rows("regression", seed=seed)
    y = rows.y.copy()
    y[:3] += 50.0
    rows = rows._replace(y=y)
    resp = make_resp(rows)
    bound, params = fit_once(expert, rows, make_resp(rows, seed=5))
    q = q_of_expert(bound, params, rows, resp)
    for _ in range(300):
        params = bound.update(params, bound.statistics(params, rows, resp), rows)
        q, before = q_of_expert(bound, params, rows, resp), q
        assert q >= before - 1e-10 * rows.n_rows
    assert np.abs(bound.gradient(params, bound.statistics(params, rows, resp))).max() < 0.01 * rows.n_rows


@pytest.mark.parametrize(
    "expert, seed",
    few(
        representative(
            product([StudentExpert(), StudentExpert(**EXACT), LaplaceExpert()], range(2 * len(UGLINESS))), every=27
        ),
        2,
    ),
    ids=identify,
)
def test_em_never_falls_and_needs_no_way_back(expert, seed):
    X, y, weight, _, n_experts = make_problem(seed)
    if seed % 3 == 0:
        y = y.copy()
        y[3] += 1e4 * y.std()
    gate = "constant" if seed % 2 else None
    model = HMERegressor(n_experts=n_experts, expert=expert, gate=gate, max_iter=300, accelerate=False)
    model = quiet_fit(model, X, y, weight)
    assert (np.diff(model.lower_bounds_) >= -1e-10).all()
    assert all(np.isfinite(a).all() for a in model.params_.experts)
    assert model.history_.accepted.mean() > 0.95


def test_gaussian_data_are_said_to_be_so():
    X, y = line(60, lambda rng, n: rng.uniform(-1, 1, n))
    with pytest.warns(ConvergenceWarning, match="their noise is Gaussian. Use LinearExpert"):
        model = HMERegressor(depth=0, expert=StudentExpert(**EXACT), tol=1e-9).fit(X, y)
    gaussian = HMERegressor(depth=0, expert=LinearExpert(**EXACT)).fit(X, y)
    assert model.experts_.df[0] == 1e6
    assert model.n_iter_ < 30
    np.testing.assert_allclose(model.experts_.coef, gaussian.experts_.coef, rtol=1e-3)
    assert model.log_likelihood(X, y).sum() == pytest.approx(gaussian.log_likelihood(X, y).sum(), abs=1e-3)


def test_variance_is_infinite_but_never_nan():
    rows = make_rows("regression")
    for df in (0.5, 1.0, 2.0):
        expert, params = fit_once(StudentExpert(df=df), rows, make_resp(rows))
        assert np.isposinf(expert.variance(params, rows)).all()
        assert np.isfinite(expert.predict(params, rows)).all()


def test_shared_degrees_of_freedom_are_one_number():
    rows = make_rows("regression")
    expert, params = fit_once(StudentExpert(shared_df=True), rows, make_resp(rows))
    assert np.ptp(params.df) == 0
    assert expert.n_parameters(params) == params.coef.size + K + 1
    assert StudentExpert(df=3.0).bind(rows, DESIGN).n_parameters(params) == params.coef.size + K
    assert StudentExpert().bind(rows, DESIGN).n_parameters(params) == params.coef.size + 2 * K


# -- Laplace ---------------------------------------------------------------------------------------------------------


def test_rounded_laplace_density_integrates_to_one():
    rows = make_rows("regression")
    expert = LaplaceExpert(**EXACT).bind(rows, DESIGN)
    expert.response_.corner_ = np.array([0.4])  # large, so that the corner counts
    params = expert.init(rows, make_resp(rows))
    one = rows[:1]

    def density(y, power=0, k=0):
        r = y - expert.predict(params, one)[0, k, 0]
        return r**power * np.exp(expert.log_prob(params, one._replace(y=np.array([[y]])))[0, k])

    for k in range(K):
        at = expert.predict(params, one)[0, k, 0]
        total, second = (
            sum(quad(density, a, b, args=(power, k), epsabs=1e-11)[0] for a, b in [(at - 60, at), (at, at + 60)])
            for power in (0, 2)
        )
        assert total == pytest.approx(1.0, abs=1e-8)
        assert expert.variance(params, one)[0, k, 0] == pytest.approx(second, rel=1e-7)


def test_narrow_corner_leaves_the_density_of_scipy():
    rows = make_rows("regression")
    expert, params = fit_once(LaplaceExpert(), rows, make_resp(rows))
    location, scale = expert.predict(params, rows)[:, :, 0], np.sqrt(params.variance[:, 0])
    np.testing.assert_allclose(expert.log_prob(params, rows), stats.laplace(location, scale).logpdf(rows.y), atol=1e-3)
    np.testing.assert_allclose(expert.variance(params, rows)[0, :, 0], 2 * scale**2, rtol=1e-3)


@pytest.mark.parametrize("n", representative([51, 400, 3000], every=3))
def test_one_expert_is_least_absolute_deviations(n):
    X, y = line(n, lambda rng, n: 0.5 * rng.laplace(size=n))
    expected = QuantileRegressor(quantile=0.5, alpha=0.0, solver="highs").fit(X, y)
    model = HMERegressor(depth=0, expert=LaplaceExpert(**EXACT), tol=1e-9, max_iter=3000).fit(X, y)
    error = np.abs(y - expected.predict(X)).mean()
    atol = 2 * CORNER * error * np.sqrt(n)  # of the order of the corner, and of the spacing of the data
    np.testing.assert_allclose(model.experts_.coef[0], expected.coef_, rtol=1e-3, atol=atol)
    np.testing.assert_allclose(model.experts_.intercept[0], expected.intercept_, rtol=1e-3)
    np.testing.assert_allclose(model.experts_.scale[0], error, rtol=1e-4)
    likelihood = -n * (np.log(2 * error) + 1)
    assert model.log_likelihood(X, y).sum() == pytest.approx(likelihood, abs=1e-5 * n)


@pytest.mark.parametrize("expert", [StudentExpert(), LaplaceExpert()], ids=identify)
def test_sparse_and_offset_are_the_same_rows(expert):
    rows = make_rows("regression", n=200)
    resp = make_resp(rows)
    one, params_one = fit_once(expert, rows, resp)
    sparse = rows._replace(X=sp.csr_matrix(rows.X), Z=sp.csr_matrix(rows.Z))
    two, params_two = fit_once(expert, sparse, resp)
    np.testing.assert_allclose(two.log_prob(params_two, sparse), one.log_prob(params_one, rows), rtol=1e-8, atol=1e-9)
    offset = np.linspace(-2, 2, rows.n_rows)
    three, params_three = fit_once(expert, rows._replace(y=rows.y + offset[:, None], offset=offset), resp)
    np.testing.assert_allclose(three.predict(params_three, rows), one.predict(params_one, rows), atol=1e-7)


# -- what robustness means -------------------------------------------------------------------------------------------


def two_lines_and_ten_outliers(seed):
    rng = np.random.default_rng(seed)
    x, first = rng.uniform(-1, 1, 150), rng.random(150) < 0.5
    y = np.where(first, 1.0 + 2.0 * x, -1.0 - 2.0 * x) + 0.1 * rng.normal(size=150)
    return np.append(x, np.zeros(10))[:, None], np.append(y, np.full(10, 4.0))


def lines_of(expert, X, y):
    model = quiet_fit(HMERegressor(n_experts=2, expert=expert, gate="constant", n_init=3, random_state=0), X, y)
    lines = np.column_stack([model.experts_.coef[:, 0], model.experts_.intercept])
    return lines[np.argsort(lines[:, 0])]


@pytest.mark.slow
@pytest.mark.parametrize("seed", representative(range(6), every=6))
def test_outliers_move_the_gaussian_lines_but_not_the_robust_ones(seed):
    X, y = two_lines_and_ten_outliers(seed)
    truth = np.array([[-2.0, -1.0], [2.0, 1.0]])
    for expert in (StudentExpert(), StudentExpert(df=3.0)):
        clean = lines_of(expert, X[:150], y[:150])
        fitted = lines_of(expert, X, y)
        np.testing.assert_allclose(fitted, truth, atol=0.05)
        np.testing.assert_allclose(fitted, clean, atol=0.05)
    assert np.abs(lines_of(LinearExpert(), X, y) - truth).max() > 0.1


BACKGROUND = [("up", LinearExpert()), ("down", LinearExpert()), ("rest", BackgroundExpert())]


def slopes_of(expert, X, y):
    K = len(expert) if isinstance(expert, list) else 2
    model = quiet_fit(HMERegressor(n_experts=K, expert=expert, gate="constant", n_init=20, random_state=0), X, y)
    lines = model.experts_
    return np.sort([lines[k].coef[0] for k in ("up", "down")] if isinstance(lines, dict) else lines.coef[:, 0])


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_outliers_at_the_end_of_the_lines_turn_only_the_gaussian_ones(seed):
    rng = np.random.default_rng(seed)
    x = rng.uniform(0, 3, 150)
    y = np.where(rng.random(150) < 0.5, 1 + 0.5 * x, -1 - 0.5 * x) + 0.1 * rng.normal(size=150)
    X, Y = np.append(x, np.zeros(10))[:, None], np.append(y, np.full(10, 4.0))
    clean = slopes_of(LinearExpert(), X[:150], y)
    for expert in (StudentExpert(), BACKGROUND):
        np.testing.assert_allclose(slopes_of(expert, X, Y), clean, atol=0.05)
    assert np.abs(slopes_of(LinearExpert(), X, Y) - clean).max() > 0.2


@pytest.mark.parametrize("expert, size", [(StudentExpert(), 1e8), (LaplaceExpert(), 1e3)], ids=identify)
def test_one_gross_outlier_sets_no_scale(expert, size):
    X, y = line(100, lambda rng, n: 0.1 * rng.normal(size=n))
    y[7] = size
    model = quiet_fit(HMERegressor(depth=0, expert=expert), X, y)
    np.testing.assert_allclose(model.experts_.coef[0], [1.0, 2.0, -1.0], atol=0.05)
    assert model.predict(X)[0] == pytest.approx(3.0 + X[0] @ [1.0, 2.0, -1.0], abs=0.1)


# -- fixed densities -------------------------------------------------------------------------------------------------

FIXED = [
    (BackgroundExpert(), "regression"),
    (BackgroundExpert("uniform", width=1.0), "two outputs"),
    (BackgroundExpert(width=5.0), "two outputs"),
    (PointMassExpert(), "regression"),
    (PointMassExpert(at=-1), "regression"),
]


@pytest.mark.parametrize("expert, kind", FIXED, ids=identify)
def test_fixed_density_keeps_the_contract(expert, kind):
    rows = make_rows(kind)
    resp = make_resp(rows)
    bound, params = fit_once(expert, rows, resp)
    log_prob = bound.log_prob(params, rows)
    assert log_prob.shape == (rows.n_rows, K)
    assert (log_prob == log_prob[:, :1]).all()
    assert bound.n_parameters(params) == 0 and bound.gradient(params, None).size == 0
    assert bound.log_prior_density(params) == 0.0 and bound.warnings(params, None) == []
    assert bound.predict(params, rows).shape == bound.variance(params, rows).shape == (rows.n_rows, K, rows.y.shape[1])
    (whole,) = bound.statistics(params, rows, resp)
    (parts,) = bound.add(bound.statistics(params, rows[:25], resp[:25]), bound.statistics(params, rows[25:], resp[25:]))
    np.testing.assert_allclose(whole, resp.sum(axis=0))
    np.testing.assert_allclose(parts, whole)
    assert bound.update(params, bound.statistics(params, rows, resp), rows) is params
    np.testing.assert_array_equal(bound.log_prob(statistics.take(params, [2, 0]), rows), log_prob[:, :2])
    np.testing.assert_array_equal(bound.log_prob(bound.interpolate(params, params, 0.3), rows), log_prob)
    again, params_again = pickle.loads(pickle.dumps((bound, params)))
    np.testing.assert_array_equal(again.log_prob(params_again, rows), log_prob)
    assert str(clone(expert)) == str(expert)
    assert len(bound.equations(bound.report(params, DESIGN), ["a", "b", "c"], "y")) == K


def test_background_is_the_density_of_scipy():
    rows = make_rows("two outputs")
    mean = np.average(rows.y, axis=0, weights=rows.weight)
    sd = np.sqrt(np.average((rows.y - mean) ** 2, axis=0, weights=rows.weight))
    expert, params = fit_once(BackgroundExpert(width=3.0), rows, make_resp(rows))
    expected = stats.norm(mean, 3.0 * sd).logpdf(rows.y).sum(axis=1)
    np.testing.assert_allclose(expert.log_prob(params, rows)[:, 0], expected, rtol=1e-12)
    np.testing.assert_allclose(expert.variance(params, rows)[0, 0], (3.0 * sd) ** 2)
    expert, params = fit_once(BackgroundExpert("uniform", width=1.5), rows, make_resp(rows))
    low, size = rows.y.min(axis=0), np.ptp(rows.y, axis=0)
    box = stats.uniform(low - 0.25 * size, 1.5 * size)
    np.testing.assert_allclose(expert.log_prob(params, rows)[:, 0], box.logpdf(rows.y).sum(axis=1))
    np.testing.assert_allclose(expert.variance(params, rows)[0, 0], box.var())
    np.testing.assert_allclose(expert.predict(params, rows)[0, 0], box.mean())
    beyond = rows._replace(y=rows.y + 10 * size)
    assert np.isneginf(expert.log_prob(params, beyond)).all()


def test_background_knows_its_share_and_its_measure():
    assert BackgroundExpert(share=0.2).traits.start_share == 0.2
    assert BackgroundExpert().traits.measure == "density"
    constant = Rows(np.ones((5, 1)), np.ones((5, 1)), np.full((5, 1), 3.0), np.ones(5))
    for distribution in ("normal", "uniform"):
        expert = BackgroundExpert(distribution).bind(constant, None)
        assert np.isfinite(expert.log_prob(expert.start(1), constant)).all()


def test_point_mass_is_possible_in_one_place():
    y = np.array([[0.0], [2.0], [-0.0], [1e-300]])
    rows = Rows(np.ones((4, 1)), np.ones((4, 1)), y, np.ones(4))
    expert = PointMassExpert().bind(rows, None)
    params = expert.start(2)
    np.testing.assert_array_equal(expert.possible(rows), [True, False, True, False])
    np.testing.assert_array_equal(np.exp(expert.log_prob(params, rows))[:, 1], [1, 0, 1, 0])
    traits = expert.traits
    assert traits.measure == "mass" and traits.domain == "exactly 0" and traits.atoms == (0.0,)
    assert PointMassExpert(at=2.5).traits.domain == "exactly 2.5"
    assert (expert.predict(params, rows) == 0).all() and (expert.variance(params, rows) == 0).all()


@pytest.mark.parametrize(
    "expert, error, message",
    [
        (StudentExpert(df=0.0), ValueError, "df"),
        (StudentExpert(df="estimated"), TypeError, "df must be 'estimate'"),
        (StudentExpert(df=None), TypeError, "df must be 'estimate'"),
        (StudentExpert(shared_df=2), ValueError, "shared_df"),
        (StudentExpert(alpha=-1.0), ValueError, "alpha"),
        (LaplaceExpert(variance_floor=-1.0), ValueError, "variance_floor"),
        (LaplaceExpert(variance_prior=3.0), ValueError, "variance_prior"),
        (BackgroundExpert("cauchy"), ValueError, "distribution"),
        (BackgroundExpert(width=0.0), ValueError, "width"),
        (BackgroundExpert("uniform", width=0.5), ValueError, "width"),
        (BackgroundExpert(share=1.0), ValueError, "share"),
        (PointMassExpert(at=np.inf), ValueError, "at"),
        (PointMassExpert(at="zero"), TypeError, "at"),
    ],
    ids=identify,
)
def test_bad_settings_are_named(expert, error, message):
    with pytest.raises(error, match=message):
        expert.bind(make_rows("regression"), DESIGN)


def test_the_scale_of_laplace_noise_far_below_its_corner():
    def solved(lengths, weight, corner=1e-4):
        return solve_scale(*(np.full((1, 1), a) for a in (weight, 0.0, lengths, weight)), corner, 1e18)

    # The density is then Gaussian, of variance corner * scale: with mean length l = r^2 / (2 corner) the scale is 2 l.
    np.testing.assert_allclose(solved(3e-14, 3.0), 1.0 / 2e-14, rtol=1e-5)
    np.testing.assert_allclose(solved(0.0, 3.0), 1e18, rtol=1e-12)


def test_laplace_noise_of_an_expert_without_rows_is_a_number():
    zero, one = np.zeros((2, 1)), np.ones((2, 1))
    inverse = solve_scale(zero, zero, np.array([[0.0], [1e100]]), zero, 1e-4 * one, 1e8 * one)
    assert np.isfinite(inverse).all() and (inverse > 0).all()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_many_columns_are_not_taken_for_heavy_tails():
    """Rows that many coefficients meet exactly leave a needle with heavy tails, unless the tails are bounded."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 30))
    y = X[:, 0] + 0.3 * rng.standard_t(4.0, size=400)
    train, new = slice(90), slice(90, 400)
    guarded = HMERegressor(depth=0, expert=StudentExpert()).fit(X[train], y[train])
    free = HMERegressor(depth=0, expert=StudentExpert(variance_prior=None), max_iter=40).fit(X[train], y[train])
    least = 8.0 * 31 / (90 - 31)
    assert least * 0.98 < guarded.experts_.df[0] < least and "lower bound, 4.1" in guarded.boundary_[0]
    assert free.experts_.df[0] < 1.0
    known = HMERegressor(depth=0, expert=StudentExpert(df=4.0)).fit(X[train], y[train])
    score, score_free, best = (m.predict_dist(X[new]).logpdf(y[new]).mean() for m in (guarded, free, known))
    assert score > best - 0.1 and score > score_free + 0.3
