"""Quantiles of mixtures, of counts and of points."""

import numpy as np
import pytest
from prediction_cases import (
    ATOMS,
    CENTER,
    COUNTS,
    DENSITIES,
    NORMAL,
    SCALE,
    WEIGHTS,
    Q,
    crps_by_quadrature,
    dist,
    pieced,
    points_of,
    probability_of,
)
from problems import representative
from scipy import stats

from hme import distributions as d


@pytest.mark.parametrize("name", DENSITIES)
def test_quantiles_invert(name):
    both = dist(DENSITIES[name])
    y = both.icdf(Q)
    assert y.shape == (2, len(Q))
    rounding = 2.0 * np.spacing(np.abs(y)) * both.pdf(y)
    assert (np.abs(both.cdf(y) - Q) <= 1e-12 * Q + rounding).all()
    upper = both.iccdf(Q)
    rounding = 2.0 * np.spacing(np.abs(upper)) * both.pdf(upper)
    assert (np.abs(both.ccdf(upper) - Q) <= 1e-12 * Q + rounding).all()
    np.testing.assert_array_equal(both.median(), both.icdf(0.5))
    low, high = both.support()
    np.testing.assert_array_equal(both.icdf([0.0, 1.0]), np.stack([low, high], axis=1))
    np.testing.assert_array_equal(both.iccdf([0.0, 1.0]), np.stack([high, low], axis=1))


def test_far_quantiles():
    both = dist(NORMAL)
    for p in (1e-300, 1e-100, 1e-20):
        np.testing.assert_allclose(both.cdf(both.icdf(p)), p, rtol=1e-11)
        np.testing.assert_allclose(both.ccdf(both.iccdf(p)), p, rtol=1e-11)
    heavy = dist(d.Student(np.array([[0.5, 1.0, 3.0]]), CENTER, SCALE))
    for p in (1e-100, 1e-20, 1e-5):
        np.testing.assert_allclose(heavy.cdf(heavy.icdf(p)), p, rtol=1e-11)


def test_quantiles_of_many_mixtures():
    rng = np.random.default_rng(0)
    n, K = 400, 6
    components = d.Normal(rng.normal(0, 10, (n, K)), np.exp(rng.normal(0, 4, (n, K))))
    weights = rng.dirichlet(np.full(K, 0.2), n)
    weights[rng.uniform(size=(n, K)) < 0.2] = 0.0
    weights /= np.where(weights.sum(axis=1, keepdims=True) > 0, weights.sum(axis=1, keepdims=True), 1.0)
    weights[weights.sum(axis=1) == 0, 0] = 1.0
    many = dist(components, weights)
    q = np.array([1e-10, 1e-3, 0.25, 0.5, 0.9, 1 - 1e-9])
    y = many.icdf(q)
    rounding = 4.0 * np.spacing(np.abs(y)) * many.pdf(y)
    # Between peaks far from each other F is flat, and every y there is a quantile.
    assert (np.abs(many.cdf(y) - q) <= 1e-12 + rounding).all()


@pytest.mark.parametrize("name", COUNTS)
def test_counts_are_distributions(name):
    both = dist(COUNTS[name])
    y = np.unique(np.concatenate([np.arange(0.0, 400.0), COUNTS[name].atoms]))
    mass = both.pmf(y[None])
    np.testing.assert_allclose(mass.sum(axis=1), 1.0, rtol=1e-12)
    np.testing.assert_allclose(mass @ y, both.mean(), rtol=1e-11)
    square = (mass * (y - both.mean()[:, None]) ** 2).sum(axis=1)
    np.testing.assert_allclose(square, both.variance(), rtol=1e-9)
    np.testing.assert_allclose(both.cdf(y[None]), np.cumsum(mass, axis=1), atol=1e-12)
    np.testing.assert_allclose(both.ccdf(y[None]), 1.0 - both.cdf(y[None]), atol=1e-14)
    np.testing.assert_array_equal(both.mode(), y[mass.argmax(axis=1)])
    for q in (1e-4, 0.1, 0.25, 0.5, 0.8, 0.999):  # the smallest y with F(y) >= q
        expected = y[(np.cumsum(mass, axis=1) >= q * (1 - 1e-13)).argmax(axis=1)]
        np.testing.assert_array_equal(both.icdf(q), expected)
        np.testing.assert_array_equal(both.iccdf(1.0 - q), expected)
    for k in y[:6]:  # jumps are where they are
        for i, q in enumerate(both.cdf(k)):
            if both.pmf(k)[i] > 0:
                assert both.icdf(q)[i] == k
    crps = both.crps([2.0, 7.3])
    F = np.cumsum(mass, axis=1)
    for i, at in enumerate([2.0, 7.3]):
        edges = np.union1d(y, [at])
        steps = np.array([F[i][y <= v][-1] if (y <= v).any() else 0.0 for v in edges[:-1]])
        naive = (np.diff(edges) * (steps - (edges[:-1] >= at)) ** 2).sum()
        np.testing.assert_allclose(crps[i], naive, rtol=1e-11)
    np.testing.assert_allclose(both.crps([[2.0, 5.0, -4.0, 1e4]] * 2)[:, 0], both.crps(2.0), rtol=1e-14)


@pytest.mark.parametrize("name", COUNTS)
def test_smallest_sets_of_counts(name):
    both = dist(COUNTS[name])
    y = np.unique(np.concatenate([np.arange(0.0, 400.0), COUNTS[name].atoms]))
    mass = both.pmf(y[None])
    for coverage in (0.3, 0.8, 0.99):
        for i, region in enumerate(both.interval(coverage, method="highest_density")):
            inside = ((y[:, None] >= region[:, 0]) & (y[:, None] <= region[:, 1])).any(axis=1)
            assert mass[i][inside].sum() >= coverage - 1e-13
            kept = mass[i][inside & (mass[i] > 0)]
            assert kept.sum() - kept.min() < coverage  # no count is there in vain
            assert mass[i][~inside].max() <= kept.min() * (1 + 1e-12)


def test_large_counts():
    components = d.Poisson(np.array([[1e5, 1e12]]))
    one = dist(components, np.array([[0.5, 0.5]]))
    assert one.icdf(0.25)[0] == stats.poisson(1e5).ppf(0.5)
    assert abs(one.icdf(0.75)[0] / 1e12 - 1) < 1e-6


@pytest.mark.parametrize("name", representative(ATOMS, every=2))
def test_atoms_beside_densities(name):
    components = ATOMS[name]
    both, atom = dist(components), float(components.atoms[0])
    for i, one in enumerate(both):
        share = WEIGHTS[i, 1]
        assert one.pdf(atom)[0] == pytest.approx(share, abs=1e-15)
        jump = one.cdf(atom)[0] - one.cdf(np.nextafter(atom, -np.inf))[0]
        assert jump == pytest.approx(share, abs=1e-12)
        points = points_of(one, atom)
        # but for the atom, where the density is not
        assert pieced(lambda y, one=one: one.pdf(y)[0] if y != atom else 0.0, points) == pytest.approx(
            1 - share, abs=1e-9
        )
        at = one.cdf(atom)[0]
        for q in (at - 0.4 * share, at):
            if share:
                assert one.icdf(q)[0] == atom
        for q in (0.9, 0.99, at + 0.5 * (1 - at)):
            if q > at:
                np.testing.assert_allclose(one.cdf(one.icdf(q)), q, rtol=1e-12)
        for y in (atom, atom + 0.3, atom - 1.0, 6.0):
            np.testing.assert_allclose(one.crps(y)[0], crps_by_quadrature(one, y, atom), rtol=1e-8)
        with pytest.raises(TypeError, match="mode makes no sense"):
            one.mode()
        region = one.interval(0.9, method="highest_density")[0]
        length = np.diff(region, axis=1)[:, 0]
        covered = probability_of(one, region, components.atoms)
        assert covered == pytest.approx(0.9, abs=1e-8) and (length >= 0).all()
