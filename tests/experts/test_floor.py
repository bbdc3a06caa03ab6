"""The least noise of a table: never more than the data say, aware of ties, and named where it holds."""

import numpy as np
import pytest
from problems import few
from scipy.special import digamma
from sklearn.linear_model import LinearRegression

from hme import HMERegressor
from hme.experts import (
    ConstantExpert,
    EstimatorExpert,
    GammaExpert,
    GaussianExpert,
    InverseGaussianExpert,
    LaplaceExpert,
    LinearExpert,
    StudentExpert,
    TreeExpert,
)
from hme.experts.noise.floor import SHARE, local_variance
from hme.inference import infer
from hme.model.rows import Rows

FREE = dict(alpha=0.0, variance_prior=None)
RARE = dict(alpha=0.0, dispersion_prior=None)
UNIMPORTANT = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def draw(seed=0, n=500):
    rng = np.random.default_rng(seed)
    return rng, rng.normal(size=(n, 1))


def of_least_squares(X, y):
    return np.mean((y - LinearRegression().fit(X, y).predict(X)) ** 2, axis=0)


def variance_of(model):
    return np.square(model.predict(np.zeros((1, 1)), return_std=True, density="plug-in")[1][0])


TARGETS = {
    "few ones": lambda rng, x: (rng.random(len(x)) < 0.03).astype(float),
    "three levels": lambda rng, x: np.rint(0.3 * rng.normal(size=len(x)) + 0.1 * x),
    "little noise": lambda rng, x: 3.0 * x + 1e-5 * rng.normal(size=len(x)),
    "far from zero": lambda rng, x: 1e6 + x + 0.01 * rng.normal(size=len(x)),
    "five points": lambda rng, x: np.clip(np.rint(3 + x + 0.8 * rng.normal(size=len(x))), 1, 5),
}


@pytest.mark.parametrize("expert", [LinearExpert(**FREE), GaussianExpert("identity", **RARE)], ids=["linear", "glm"])
@pytest.mark.parametrize("name", TARGETS)
def test_one_expert_has_the_variance_of_least_squares(name, expert):
    rng, X = draw(n=2000)
    y = TARGETS[name](rng, X[:, 0])
    model = HMERegressor(depth=0, expert=expert, tol=1e-6).fit(X, y)
    assert model.boundary_ == []
    np.testing.assert_allclose(variance_of(model), of_least_squares(X, y), rtol=1e-4)


def test_several_outputs_have_their_own_floors():
    rng, X = draw()
    noise = rng.normal(size=500)
    Y = np.column_stack(
        [TARGETS["few ones"](rng, X[:, 0]), X[:, 0] + noise, 5 * X[:, 0] + 5 * noise + 1e-3 * rng.normal(size=500)]
    )
    for covariance in ("diagonal", "full"):
        model = HMERegressor(depth=0, expert=LinearExpert(covariance=covariance, **FREE)).fit(X, Y)
        np.testing.assert_allclose(model.experts_.variance[0], of_least_squares(X, Y), rtol=1e-6)
    residual = Y - LinearRegression().fit(X, Y).predict(X)
    np.testing.assert_allclose(model.experts_.covariance[0], residual.T @ residual / 500, atol=1e-8)
    assert model.boundary_ == []


@pytest.mark.parametrize("family", [GammaExpert, InverseGaussianExpert])
def test_positive_targets_of_few_values(family):
    rng, X = draw()
    y = 1.0 + (rng.random(500) < 0.03)
    model = HMERegressor(depth=0, expert=family(**RARE), tol=1e-9).fit(X, y)
    assert model.boundary_ == []
    mean, phi = model.predict(X), model.experts_.dispersion[0]
    if family is GammaExpert:  # the likelihood equation of the shape
        assert np.log(1 / phi) - digamma(1 / phi) == pytest.approx(np.mean(y / mean - 1 - np.log(y / mean)), rel=1e-5)
    else:
        assert phi == pytest.approx(np.mean((y - mean) ** 2 / (mean**2 * y)), rel=1e-5)


@pytest.mark.parametrize("expert", [StudentExpert(df=1e6, **FREE), LaplaceExpert(**FREE)], ids=["student", "laplace"])
def test_robust_noise_of_rounded_targets(expert):
    rng, X = draw()
    y = np.rint(X[:, 0] + 0.15 * rng.normal(size=500))
    model = HMERegressor(depth=0, expert=expert, tol=1e-9).fit(X, y)
    residual = y - model.predict(X)
    expected = np.mean(np.abs(residual)) if isinstance(expert, LaplaceExpert) else np.sqrt(np.mean(residual**2))
    np.testing.assert_allclose(model.experts_.scale[0], expected, rtol=0.02)
    assert model.boundary_ == []


STEPS = [
    LinearExpert(),
    ConstantExpert(),
    StudentExpert(),
    LaplaceExpert(),
    TreeExpert(cv=None),
    EstimatorExpert(cv=None),
]


@UNIMPORTANT
@pytest.mark.parametrize("expert", few(STEPS, 3), ids=lambda expert: type(expert).__name__)
def test_a_step_of_x_has_no_noise_however_high(expert):
    x = np.random.default_rng(0).uniform(0, 10, (400, 1))
    model = HMERegressor(n_experts=2, expert=expert).fit(x, 1000.0 * (x[:, 0] > 5))
    low, high = model.predict_interval([[1.0], [9.0]]).T
    assert (high - low < 50).all() and (low < [1, 1001]).all() and (high > [-1, 999]).all()


def test_a_staircase_of_two_columns():
    X = np.random.default_rng(0).uniform(0, 3, (600, 2))
    y = 100.0 * np.floor(X[:, 0])
    model = HMERegressor(n_experts=3, expert="constant", random_state=0).fit(X, y)
    assert np.ptp(model.predict_interval([[0.5, 1.0], [2.5, 1.0]]), axis=1).max() < 10


@UNIMPORTANT
@pytest.mark.parametrize("expert", few(["linear", "student", "laplace", "constant"], 2))
def test_answers_of_five_points_do_not_collapse(expert):
    rng, X = draw(n=1000)
    y = TARGETS["five points"](rng, X[:, 0])
    model = HMERegressor(n_experts=3, expert=expert, random_state=0, max_iter=60)
    assert model.fit(X, y).log_likelihood(X, y).max() < 1.5


def test_a_floor_that_the_user_sets_is_named_with_what_it_hides():
    rng, X = draw()
    y = TARGETS["little noise"](rng, X[:, 0])
    with pytest.warns(match=r"variance of expert\(s\) \[0\] is held at its floor, .*residuals alone.*variance_floor"):
        model = HMERegressor(depth=0, expert=LinearExpert(variance_floor=1e-4, **FREE)).fit(X, y)
    np.testing.assert_allclose(model.experts_.variance, 1e-4 * y.var(), rtol=1e-6)
    assert "exactly" not in model.boundary_[0]
    with pytest.warns(match=r"dispersion of expert\(s\) \[0\] is held at its floor.*dispersion_floor"):
        HMERegressor(depth=0, expert=GammaExpert(dispersion_floor=1e-2, **RARE)).fit(X, np.exp(0.001 * y) + 1.0)
    with pytest.warns(match="held at its floor"):
        HMERegressor(depth=0, expert=EstimatorExpert(LinearRegression(), variance_floor=1e-4)).fit(X, y)


def test_rows_that_are_fitted_exactly_are_said_to_be_and_data_without_noise_are_not():
    rng, X = draw()
    y = np.where(X[:, 0] > 0, 1.0 + X[:, 0], 0.3 * rng.normal(size=500))
    with pytest.warns(match="they fit their rows exactly"):
        HMERegressor(n_experts=2, expert=LinearExpert(**FREE), start=(X[:, 0] > 0).astype(int)).fit(X, y)
    assert HMERegressor(depth=0, expert=LinearExpert(**FREE)).fit(X, 2.0 * X[:, 0]).boundary_ == []


def test_local_variance():
    rng, X = draw(n=300)
    weight = rng.integers(1, 4, size=300).astype(float)
    columns = np.column_stack([X, rng.normal(size=300), np.ones(300)])
    for y, low, high in ((np.sign(X[:, 0]), 0.0, 1e-12), (np.rint(0.6 * rng.normal(size=300)), 0.15, 0.45)):
        rows = Rows(columns, columns, y[:, None], weight)
        value = local_variance(y, rows)
        assert low <= value <= high
        again = np.random.default_rng(1).permutation(np.repeat(np.arange(300), weight.astype(int)))
        rows = Rows(columns[again], columns[again], y[again][:, None], np.ones(len(again)))
        assert local_variance(y[again], rows) == pytest.approx(value, rel=1e-12, abs=1e-15)
    assert 0 < SHARE < 1


@pytest.mark.parametrize(
    "expert", [LinearExpert(), LinearExpert(covariance="full"), StudentExpert(20.0), GaussianExpert("identity")]
)
def test_little_noise_is_found_with_the_default_penalty(expert):
    rng, X = draw()
    y = 3.0 * X[:, 0] + 1e-4 * rng.normal(size=500)
    model = HMERegressor(depth=0, expert=expert).fit(X, y)
    assert not any("floor" in sentence for sentence in model.boundary_)
    assert np.std(y - model.predict(X)) < 2e-4
    assert model.model_.expert.response_.floor_[0] <= 0.1 * variance_of(model) * 1.001


@pytest.mark.parametrize("expert", [LaplaceExpert(), StudentExpert(df=4.0), LinearExpert()], ids=str)
def test_rows_are_next_to_impossible_where_all_targets_of_the_fit_were_zero(expert):
    X = np.arange(20.0)[:, None]
    model = HMERegressor(depth=0, expert=expert).fit(X, np.zeros(20))
    y = np.append(np.zeros(19), 1e6)
    each = model.log_likelihood(X, y)
    assert np.isfinite(each).all() and each[-1] < -each[0]
    with np.errstate(all="raise", under="ignore"):
        infer(model, X, y, sample_weight=np.full(20, 1e9))


@pytest.mark.parametrize("expert", [LaplaceExpert(), StudentExpert(df=4.0), LinearExpert()], ids=str)
@pytest.mark.parametrize("y", [np.full(56, 2.451412771987937), np.arange(56.0), np.zeros(56)], ids=["one", "line", "0"])
def test_units_of_targets_without_noise_change_densities_by_their_scale_only(expert, y):
    """Whether residuals of the pooled fit are all zero or rounding errors says nothing about the noise."""
    X = np.arange(56.0)[:, None]

    def density(y):
        return HMERegressor(depth=0, expert=expert).fit(X, y).log_likelihood(X, y)

    expected = density(y)
    np.testing.assert_allclose(density(y * 2.0**9) + np.log(2.0**9) * y.any(), expected, rtol=1e-6)
