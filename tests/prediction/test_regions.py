"""Modes and regions of highest density."""

import numpy as np
import pytest
from prediction_cases import DENSITIES, NORMAL, dist, probability_of
from problems import representative

from hme import distributions as d


@pytest.mark.parametrize("name", representative(DENSITIES, every=5))
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
