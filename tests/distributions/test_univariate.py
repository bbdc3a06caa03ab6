"""What all distributions of one output have in common: their parts agree with each other."""

import pickle

import numpy as np
import pytest
from distribution_cases import COUNTS, DENSITIES, Q, alone, at, pieced, quadrature, quantile
from problems import few, representative
from scipy import stats

from hme import distributions as d


@pytest.mark.parametrize("name", few(representative(DENSITIES, every=4), 2))
def test_densities(name):
    for dist in alone(DENSITIES[name]):
        assert quadrature(dist, lambda y, dist=dist: at(dist, "pdf", y)) == pytest.approx(1.0, abs=1e-9)
        mean, variance = float(dist.mean()[0, 0]), float(dist.variance()[0, 0])
        spread = quantile(dist, 0.75) - quantile(dist, 0.25)
        for y in [quantile(dist, q) for q in Q]:
            lower, upper = at(dist, "cdf", y), at(dist, "sf", y)
            assert lower + upper == pytest.approx(1.0, abs=1e-14)
            np.testing.assert_allclose(np.exp(at(dist, "logcdf", y)), lower, rtol=1e-12)
            np.testing.assert_allclose(np.exp(at(dist, "logsf", y)), upper, rtol=1e-12)
            np.testing.assert_allclose(np.exp(at(dist, "logpdf", y)), at(dist, "pdf", y), rtol=1e-12)
            # E max(Y - y, 0) - E max(y - Y, 0) = E Y - y
            excess, shortfall = at(dist, "excess", y), at(dist, "shortfall", y)
            np.testing.assert_allclose(excess - shortfall, mean - y, atol=1e-12 * (abs(mean) + abs(y) + excess))
        if np.isfinite(variance) and name not in ("student", "heavy student"):
            first = quadrature(dist, lambda y, dist=dist: y * at(dist, "pdf", y))
            second = quadrature(dist, lambda y, dist=dist, mean=mean: (y - mean) ** 2 * at(dist, "pdf", y))
            np.testing.assert_allclose(first, mean, rtol=1e-8, atol=1e-8 * spread)
            np.testing.assert_allclose(second, variance, rtol=1e-8)


@pytest.mark.parametrize("name", DENSITIES)
def test_quantiles_of_densities(name):
    dist = DENSITIES[name]
    for q in Q:
        # One digit of y in the last place is more than that where a scale is small and its center is not.
        rounding = np.spacing(np.abs(dist.icdf(q))) * dist.pdf(dist.icdf(q))
        assert (np.abs(dist.cdf(dist.icdf(q)) - q) <= 1e-12 * q + 2 * rounding).all()
        rounding = np.spacing(np.abs(dist.isf(q))) * dist.pdf(dist.isf(q))
        assert (np.abs(dist.sf(dist.isf(q)) - q) <= 1e-12 * q + 2 * rounding).all()


@pytest.mark.parametrize("name", few(representative(DENSITIES, every=4), 1))
def test_excess_is_the_integral_of_the_tail(name):
    if "student" in name:  # by quadrature of a power dist it is not known to enough digits; see the next test
        return
    for dist in alone(DENSITIES[name]):
        for q in (0.1, 0.5, 0.9):
            y = quantile(dist, q)
            points = np.unique(np.append(dist.pieces()[0, 0], y))
            points = points[points >= y]
            tail = pieced(lambda v, dist=dist: at(dist, "sf", v), points)
            np.testing.assert_allclose(at(dist, "excess", y), tail, rtol=1e-8)


@pytest.mark.parametrize("name", DENSITIES)
def test_half_difference(name):
    for dist in alone(DENSITIES[name]):
        closed = dist.half_difference()
        if closed is None or name in ("student", "heavy student"):
            continue
        integral = quadrature(dist, lambda y, dist=dist: at(dist, "cdf", y) * at(dist, "sf", y))
        np.testing.assert_allclose(closed[0, 0], integral, rtol=1e-8)


@pytest.mark.parametrize("name", [*DENSITIES, *COUNTS])
def test_draws(name):
    dist = (DENSITIES | COUNTS)[name]
    rng = np.random.default_rng(3)
    n = 4000
    for k in range(dist.shape[1]):
        draws = dist.draw(rng, np.zeros(n, dtype=int), np.full(n, k))
        one = dist.take([0]).columns([k])
        if dist.discrete:
            mean, variance = float(one.mean()[0, 0]), float(one.variance()[0, 0])
            assert abs(draws.mean() - mean) <= 4.5 * np.sqrt(variance / n) + 1e-6
            assert (one.pdf(draws[:, None]) > 0).all()
        else:
            assert stats.kstest(draws, lambda v, one=one: one.cdf(v[:, None])[:, 0]).pvalue > 1e-4


@pytest.mark.parametrize("name", [*DENSITIES, *COUNTS])
def test_rows_and_experts(name):
    dist = (DENSITIES | COUNTS)[name].take(np.zeros(3, dtype=int))
    y = dist.mean()[:, :1] if not dist.discrete else np.full((3, 1), 2.0)
    full = dist.logpdf(y)
    np.testing.assert_array_equal(dist.take([2, 0]).logpdf(y[[2, 0]]), full[[2, 0]])
    np.testing.assert_array_equal(dist.columns([2, 0]).logpdf(y), full[:, [2, 0]])
    np.testing.assert_array_equal(dist[1].logpdf(y), full[:, [1]])
    picked = dist.pick(np.array([0, 2]), np.array([1, 2])).logpdf(y[[0, 2]])
    np.testing.assert_array_equal(picked[:, 0], full[[0, 2], [1, 2]])
    joined = d.join([(dist.columns([2]), [2]), (dist.columns([0, 1]), [0, 1])])
    assert type(joined) is type(dist)
    np.testing.assert_array_equal(joined.logpdf(y), full)
    spread = dist.take([0, 1]).spread(np.array([3, 1]), 5)
    np.testing.assert_array_equal(spread.take([3, 1]).logpdf(y[:2]), full[:2])
    assert np.isfinite(spread.mean()).all()
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(dist)).logpdf(y), full)


@pytest.mark.parametrize("name", [*DENSITIES, *COUNTS])
def test_extreme_values(name):
    dist = (DENSITIES | COUNTS)[name]
    with np.errstate(over="ignore", under="ignore"):
        for y in (-1e300, -1e30, -1.0, 0.0, 1e-300, 1e30, 1e300):
            for method in ("logpdf", "pdf", "cdf", "sf", "logcdf", "logsf"):
                value = getattr(dist, method)(np.full((len(dist), 1), y))
                assert not np.isnan(value).any(), (method, y)
