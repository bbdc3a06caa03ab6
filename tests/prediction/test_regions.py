"""Modes and regions of highest density."""

import numpy as np
import pytest
from prediction_cases import DENSITIES, NORMAL, dist, probability_of
from problems import few, representative

from hme import distributions as d


@pytest.mark.parametrize("name", few(representative(DENSITIES, every=5), 2))
def test_regions_of_highest_density(name):
    for one in dist(DENSITIES[name]):
        for coverage in (0.3, 0.9):
            region = one.interval(coverage, method="highest_density")[0]
            assert (np.diff(region.ravel()) >= 0).all()
            assert probability_of(one, region) == pytest.approx(coverage, abs=1e-8)
            low, high = one.interval(coverage)[0]
            assert one.cdf(high)[0] - one.cdf(low)[0] == pytest.approx(coverage, abs=1e-10)
            # no region of this probability is smaller
            assert np.diff(region, axis=1).sum() <= (high - low) * (1 + 1e-9)


def test_two_peaks_have_two_intervals():
    one = dist(d.Normal(np.array([[-5.0, 5.0]]), np.array([[1.0, 0.5]])), np.array([[0.5, 0.5]]))
    region = one.interval(0.9, method="highest_density")[0]
    assert region.shape == (2, 2)
    assert probability_of(one, region) == pytest.approx(0.9, abs=1e-9)
    density = one.pdf(region.reshape(1, -1))[0]
    np.testing.assert_allclose(density, density[0], rtol=1e-7)
    assert one.mode()[0] == pytest.approx(5.0, abs=1e-6)
    wide = one.interval(0.99999999, method="highest_density")[0]
    assert probability_of(one, wide) == pytest.approx(0.99999999, abs=1e-9)


@pytest.mark.parametrize(
    "kind", representative(["normal", "student", "uniform", "gamma", "mixed", "with an atom"], every=3)
)
def test_regions_of_mixtures_at_random(kind):
    rng = np.random.default_rng(3)
    n, K = 12, 4
    weights = rng.dirichlet(np.full(K, 0.5), n)
    center, scale = rng.normal(0, 10, (n, K)), np.exp(rng.normal(0, 2, (n, K)))
    mean, dispersion = np.exp(rng.normal(0, 2, (n, K))), np.exp(rng.normal(-1, 1.5, (n, K)))
    components = {
        "normal": d.Normal(center, scale),
        "student": d.Student(np.exp(rng.uniform(-0.5, 5, (n, K))), center, scale),
        "uniform": d.Uniform(center, scale),
        "gamma": d.Gamma(mean, dispersion),  # poles at zero among them
    }
    columns = [(components[name].columns([0]), [k]) for k, name in enumerate(("normal", "uniform", "gamma", "student"))]
    components["mixed"] = d.join(columns)
    components["with an atom"] = d.join([*columns[:3], (d.PointMass(np.zeros((1, 1)), n_rows=n), [3])], [0.0])
    both = dist(components[kind], weights)
    atoms = both.components.atoms
    for coverage in (0.2, 0.9, 0.999):
        tails = both.interval(coverage)
        for i, region in enumerate(both.interval(coverage, method="highest_density")):
            if len(atoms) and weights[i, 3] >= coverage:
                np.testing.assert_array_equal(region, [[0.0, 0.0]])
                continue
            assert probability_of(both[i], region, atoms) == pytest.approx(coverage, abs=1e-9)
            assert np.diff(region, axis=1).sum() <= np.diff(tails[i])[0] * (1 + 1e-7)


def test_stairs_are_taken_from_the_top():
    one = dist(d.Uniform(np.array([[2.0, 1.5]]), np.array([[4.0, 1.0]])), np.array([[0.5, 0.5]]))
    for coverage, expected in ((0.3, [[1.26, 1.74]]), (0.7, [[1.0, 2.6]]), (0.9, [[0.8, 4.0]])):
        np.testing.assert_allclose(one.interval(coverage, method="highest_density")[0], expected, rtol=1e-12)


@pytest.mark.parametrize("name", DENSITIES)
def test_no_point_is_above_the_mode(name):
    both = dist(DENSITIES[name])
    modes = both.mode()
    for i, one in enumerate(both):
        grid = np.linspace(*one.icdf([0.001, 0.999])[0], 20_001)
        assert one.pdf(grid[None]).max() <= one.pdf(modes[i])[0] * (1 + 1e-9)


def test_intervals_refuse():
    for coverage in (0.0, 1.0, 1.5):
        with pytest.raises(ValueError, match="coverage must be"):
            dist(NORMAL).interval(coverage)
    with pytest.raises(ValueError, match="method must be one of"):
        dist(NORMAL).interval(0.9, method="shortest")


# Counts -----------------------------------------------------------------------------------------------------------


def count_mixtures():
    rng = np.random.default_rng(1)
    n, K = 4, 4
    weights = rng.dirichlet(np.full(K, 0.5), n)
    rate, dispersion = np.exp(rng.uniform(0, 7, (n, K))), np.exp(rng.normal(-1, 1.5, (n, K)))
    poisson, negative = d.Poisson(rate), d.NegativeBinomial(rate, dispersion)
    first, last = [0, 1, 2], [3]
    components = {
        "poisson": poisson,
        "negative binomial": negative,
        "binomial": d.Binomial(np.full((n, K), 3000.0), rng.normal(0, 2, (n, K))),
        "zero-truncated": d.ZeroTruncated(negative),
        "zero-inflated": d.join(
            [(poisson.columns(first), first), (d.PointMass(np.zeros((1, 1)), n_rows=n), last)], [0.0]
        ),
        "with a point inside": d.join(
            [(negative.columns(first), first), (d.PointMass([[50.0]], n_rows=n), last)], [50.0]
        ),
    }
    return weights, components


@pytest.mark.parametrize("kind", few(representative(count_mixtures()[1], every=2), 2))
def test_regions_of_many_counts_are_those_of_all_of_them(kind, monkeypatch):
    import hme.prediction.counts as room

    weights, components = count_mixtures()
    both = dist(components[kind], weights)
    for coverage in (0.3, 0.95):
        monkeypatch.setattr(room, "MANY", 16)
        found, modes = both.interval(coverage, method="highest_density"), both.mode()
        monkeypatch.setattr(room, "MANY", 10**6)
        for one, mode, region in zip(both, modes, found, strict=True):
            counts = np.arange(one.icdf(1e-9)[0], one.iccdf(1e-9)[0] + 1)
            mass = one.pmf(counts[None])[0]
            smallest = int(np.searchsorted(np.cumsum(np.sort(mass)[::-1]), coverage * (1 - 1e-15))) + 1
            inside = ((counts[:, None] >= region[:, 0]) & (counts[:, None] <= region[:, 1])).any(axis=1)
            assert inside.sum() == smallest and mass[inside].sum() >= coverage * (1 - 1e-12)
            assert one.pmf(mode)[0] == pytest.approx(mass.max(), rel=1e-12)


def test_regions_of_huge_counts():
    one = dist(d.Poisson(np.array([[3e7, 4e12]])), np.array([[0.5, 0.5]]))
    region = one.interval(0.9, method="highest_density")[0]
    assert region.shape == (2, 2) and probability_of(one, region - [0.5, 0.0]) == pytest.approx(0.9, abs=1e-3)
    mass = one.pmf(region.reshape(1, -1))[0]
    np.testing.assert_allclose(mass, mass[0], rtol=1e-2)
    assert one.mode()[0] in (29_999_999.0, 30_000_000.0, 30_000_001.0)
    geometric = dist(d.NegativeBinomial(np.array([[1e9]]), np.ones((1, 1))), np.ones((1, 1)))
    ((low, high),) = geometric.interval(0.9, method="highest_density")[0]
    assert low == 0.0 and high == pytest.approx(1e9 * np.log(10), rel=1e-6)


@pytest.mark.parametrize("kind", ["normal", "gamma"])
def test_regions_of_many_experts_have_all_their_peaks(kind):
    """Against the level sets of a fine grid."""
    rng = np.random.default_rng(0)
    n, K = 3, 12
    weights = rng.dirichlet(np.full(K, 0.7), n)
    components = {
        "normal": d.Normal(rng.normal(0, 10, (n, K)), np.exp(rng.normal(-0.5, 0.7, (n, K)))),
        "gamma": d.Gamma(np.exp(rng.normal(2, 1, (n, K))), np.exp(rng.normal(-4, 1, (n, K)))),
    }[kind]
    both = dist(components, weights)
    for one, region in zip(both, both.interval(0.8, method="highest_density"), strict=True):
        y = np.linspace(*one.icdf([1e-7, 1 - 1e-7])[0], 100_001)
        density = one.pdf(y[None])[0]
        mass = np.sort(density)[::-1] * (y[1] - y[0])
        level = np.sort(density)[::-1][np.searchsorted(np.cumsum(mass), 0.8)]
        assert len(region) == np.sum(np.diff((density > level).astype(int), prepend=0) > 0)
        np.testing.assert_allclose(one.pdf(region.reshape(1, -1))[0], level, rtol=5e-3)
        assert probability_of(one, region) == pytest.approx(0.8, abs=1e-9)
