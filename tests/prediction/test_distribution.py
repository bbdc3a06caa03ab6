"""Predictive distributions as objects: densities, moments, draws, rows."""

import pickle

import numpy as np
import pytest
from prediction_cases import (
    ATOMS,
    CENTER,
    COUNTS,
    DENSITIES,
    NORMAL,
    POISSON,
    SCALE,
    STUDENT,
    WEIGHTS,
    dist,
    mixed,
    pieced,
    points_of,
)
from problems import few, representative
from scipy import stats

from hme import distributions as d
from hme.prediction import PredictiveDistribution


@pytest.mark.parametrize("name", few(representative(DENSITIES, every=7), 1))
def test_densities_are_distributions(name):
    both = dist(DENSITIES[name])
    for one in both:
        points = points_of(one)

        def pdf(y, one=one):
            return one.pdf(y)[0]

        assert pieced(pdf, points) == pytest.approx(1.0, abs=1e-8 if "student" in name else 1e-9)
        if "student" not in name:  # whose powers of tails the quadrature does not reach
            mean, variance = one.mean()[0], one.variance()[0]
            spread = one.standard_deviation()[0]
            assert pieced(lambda y, pdf=pdf: y * pdf(y), points) == pytest.approx(mean, rel=1e-8, abs=1e-8 * spread)
            assert pieced(lambda y, mean=mean, pdf=pdf: (y - mean) ** 2 * pdf(y), points) == pytest.approx(
                variance, rel=1e-8
            )
        for y in points[::5]:
            assert one.cdf(y)[0] + one.ccdf(y)[0] == pytest.approx(1.0, abs=1e-14)
            np.testing.assert_allclose(np.exp(one.logpdf(y)), one.pdf(y), rtol=1e-12)
            np.testing.assert_allclose(np.exp(one.logcdf(y)), one.cdf(y), rtol=1e-12)
            np.testing.assert_allclose(np.exp(one.logccdf(y)), one.ccdf(y), rtol=1e-12)


def test_shapes_of_y_and_q():
    both = dist(NORMAL)
    grid = np.linspace(-4, 4, 7)
    by_grid = both.cdf(grid[None])
    assert by_grid.shape == (2, 7)
    for j, y in enumerate(grid):
        np.testing.assert_allclose(both.cdf(y), by_grid[:, j], rtol=1e-14)
        np.testing.assert_allclose(both.cdf([y, y]), by_grid[:, j], rtol=1e-14)
    np.testing.assert_allclose(both.pdf(np.tile(grid, (2, 1))), both.pdf(grid[None]), rtol=1e-14)
    assert both.icdf(0.3).shape == (2,) and both.icdf([0.3]).shape == (2, 1) and both.icdf([]).shape == (2, 0)
    np.testing.assert_array_equal(both.icdf([[0.3], [0.6]])[:, 0], [both.icdf(0.3)[0], both.icdf(0.6)[1]])
    np.testing.assert_array_equal(both.cdf([-np.inf, np.inf]), [0.0, 1.0])
    np.testing.assert_array_equal(both.logpdf(np.inf), [-np.inf, -np.inf])
    for y, error in ((np.zeros(3), "shape"), (np.nan, "nan"), (np.zeros((2, 2, 2)), "shape")):
        with pytest.raises(ValueError, match=f"y .*{error}"):
            both.cdf(y)
    for q in (-0.1, 1.1, np.nan):
        with pytest.raises(ValueError, match="q must be between 0 and 1"):
            both.icdf(q)


def test_infinite_variance_is_said():
    both = dist(d.Student(np.array([[1.5, 4.0, 4.0]]), CENTER, SCALE), np.array([[0.5, 0.5, 0.0], [0.0, 0.5, 0.5]]))
    assert np.isinf(both.variance()[0]) and np.isfinite(both.variance()[1])


@pytest.mark.parametrize("name", DENSITIES)
def test_draws(name):
    both = dist(DENSITIES[name])
    draws = both.sample(3000, rng=7)
    assert draws.shape == (2, 3000)
    for one, values in zip(both, draws, strict=True):
        assert stats.kstest(values, lambda v, one=one: one.cdf(v[None])[0]).pvalue > 1e-4


def test_draws_of_counts_and_seeds():
    both = dist(COUNTS["poisson and negative binomial"])
    draws = both.sample(20_000, rng=1)
    error = np.sqrt(both.variance() / 20_000)
    assert (np.abs(draws.mean(axis=1) - both.mean()) < 4.5 * error).all()
    np.testing.assert_array_equal(both.sample(rng=3), both.sample(rng=np.random.default_rng(3)))
    assert both.sample(rng=np.random.RandomState(0)).shape == (2,)
    assert both.sample().shape == (2,)
    with pytest.raises(TypeError, match="rng must be"):
        both.sample(rng="a")


def test_parts_of_the_variance():
    both = dist(NORMAL)
    within, between = both.variance_parts()
    np.testing.assert_allclose(within, WEIGHTS @ SCALE[0] ** 2)
    np.testing.assert_allclose(within + between, both.variance(), rtol=1e-15)
    np.testing.assert_allclose(
        between, (WEIGHTS * CENTER**2).sum(axis=1) - (WEIGHTS * CENTER).sum(axis=1) ** 2, rtol=1e-12
    )


def test_rows_and_pickles():
    both = dist(mixed(NORMAL, STUDENT))
    assert len(both) == 2 and repr(both) == "PredictiveDistribution(2 rows, 3 experts: Normal, Student)"
    np.testing.assert_allclose(both[1].cdf(0.3), both.cdf(0.3)[1:], rtol=1e-15)
    np.testing.assert_allclose(both[-1].cdf(0.3), both.cdf(0.3)[1:], rtol=1e-15)
    np.testing.assert_allclose(both[np.array([False, True])].icdf(0.3), both.icdf(0.3)[1:], rtol=1e-12)
    np.testing.assert_allclose(both[::-1].mean(), both.mean()[::-1], rtol=1e-15)
    assert len(both[:0]) == 0 and both[:0].icdf([0.1, 0.2]).shape == (0, 2)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(both)).cdf(0.3), both.cdf(0.3))
    with pytest.raises(IndexError):
        both[2]


def test_given():
    both = dist(NORMAL)
    known = both.given(2)
    np.testing.assert_array_equal(known.mean(), CENTER[:, 2])
    np.testing.assert_allclose(known.cdf(1.0), stats.norm(CENTER[:, 2], SCALE[0, 2]).cdf(1.0), rtol=1e-14)
    np.testing.assert_array_equal(both.given(np.array([0, 2])).mean(), [CENTER[0, 0], CENTER[1, 2]])
    resp = np.array([[1.0, 1.0, 2.0], [0.0, 3.0, 0.0]])
    np.testing.assert_allclose(both.given(resp).weights, [[0.25, 0.25, 0.5], [0.0, 1.0, 0.0]])
    np.testing.assert_array_equal(both.components[1].mean(), CENTER[:, [1]])
    for expert in (3, "a", np.zeros((2, 3)), np.array([0.5, 0.5]), np.zeros((3, 2))):
        with pytest.raises(ValueError, match="expert"):
            both.given(expert)


def test_measures_are_kept_apart():
    with pytest.raises(TypeError, match="pmf makes no sense here.*Use pdf"):
        dist(NORMAL).pmf(1.0)
    with pytest.raises(TypeError, match="logpdf makes no sense here.*Use logpmf"):
        dist(POISSON).logpdf(1.0)
    np.testing.assert_array_equal(dist(POISSON).log_likelihood(2.0), dist(POISSON).logpmf(2.0))
    np.testing.assert_array_equal(dist(NORMAL).log_likelihood(2.0), dist(NORMAL).logpdf(2.0))
    assert np.isneginf(dist(POISSON).logpmf(1.5)).all()


def test_scipy_view():
    one = dist(NORMAL).to_scipy(0)
    both = dist(NORMAL)
    grid = np.array([-3.0, 0.0, 2.0])
    np.testing.assert_allclose(one.pdf(grid), both.pdf(grid[None])[0])
    np.testing.assert_allclose(one.cdf(grid), both.cdf(grid[None])[0])
    np.testing.assert_allclose(one.ppf([0.1, 0.9]), both.icdf([0.1, 0.9])[0])
    np.testing.assert_allclose([one.mean(), one.std()], [both.mean()[0], both.standard_deviation()[0]])
    assert one.rvs(5, random_state=0).shape == (5,) and one.median() == both.median()[0]
    counts = dist(POISSON).to_scipy(1)
    np.testing.assert_allclose(counts.pmf([0, 3]), dist(POISSON).pmf([[0.0, 3.0]])[1])
    assert counts.ppf(0.5) == dist(POISSON).median()[1]
    np.testing.assert_allclose([counts.mean(), counts.var()], [dist(POISSON).mean()[1], dist(POISSON).variance()[1]])


def test_frame():
    pytest.importorskip("pandas")
    both = PredictiveDistribution(WEIGHTS, NORMAL, index=["a", "b"])
    frame = both.to_frame((0.25, 0.5))
    assert list(frame.columns) == ["mean", "standard deviation", "within experts", "between experts", "q25%", "q50%"]
    assert list(frame.index) == ["a", "b"] and list(both[1:].to_frame().index) == ["b"]
    np.testing.assert_array_equal(frame["q50%"], both.median())
    np.testing.assert_allclose(
        frame["within experts"] ** 2 + frame["between experts"] ** 2, frame["standard deviation"] ** 2
    )


@pytest.mark.parametrize("name", [*DENSITIES, *COUNTS, *ATOMS])
def test_nothing_is_nan_far_away(name):
    both = dist((DENSITIES | COUNTS | ATOMS)[name])
    for y in (-1e300, -1e8, 0.0, 5e-324, 1e8, 1e300, np.inf, -np.inf):
        for method in ("log_likelihood", "cdf", "ccdf", "logcdf", "logccdf"):
            assert not np.isnan(getattr(both, method)(y)).any()
        if abs(y) < 1e9:
            assert np.isfinite(both.crps(y)).all()
