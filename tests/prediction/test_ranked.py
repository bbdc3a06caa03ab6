"""The CRPS against quadrature, sums and scoringrules."""

import numpy as np
import pytest
from prediction_cases import CENTER, DENSITIES, NORMAL, SCALE, crps_by_quadrature, dist
from problems import representative

from hme import distributions as d
from hme.prediction import PredictiveDistribution


@pytest.mark.parametrize("name", representative(DENSITIES, every=13))
def test_crps_by_quadrature(name):
    for one in dist(DENSITIES[name]):
        for q in (0.001, 0.4, 0.9):
            y = one.icdf(q)[0]
            np.testing.assert_allclose(
                one.crps(y)[0], crps_by_quadrature(one, y), rtol=2e-8 if "student" in name else 1e-9
            )


@pytest.mark.parametrize("name", [name for name in DENSITIES if name not in ("normal", "scales apart")])
def test_gauss_rules_are_fine_enough(name, monkeypatch):
    """Against rules of three times as many points."""
    import hme.prediction.ranked as room

    both = dist(DENSITIES[name])
    half = both._mean_difference_integral()
    monkeypatch.setattr(room, "GAUSS", np.polynomial.legendre.leggauss(24)[0])
    monkeypatch.setattr(room, "GAUSS_WEIGHTS", np.polynomial.legendre.leggauss(24)[1])
    np.testing.assert_allclose(half, both._mean_difference_integral(), rtol=1e-9)


@pytest.mark.slow
def test_panels_are_short_enough(monkeypatch):
    """Of experts whose places and scales have little in common, against rules between all of their knots."""
    import hme.prediction.ranked as room

    rng = np.random.default_rng(0)
    n, K = 30, 5
    weights = rng.dirichlet(np.full(K, 0.5), n)
    center, scale = rng.normal(0, 10, (n, K)), np.exp(rng.normal(0, 3, (n, K)))
    mean, dispersion = np.exp(rng.normal(0, 2, (n, K))), np.exp(rng.normal(-1, 2, (n, K)))
    kinds = [
        d.Normal(center, scale),
        d.Student(np.exp(rng.uniform(0.1, 5, (n, K))), center, scale),
        d.Hyperbolic(center, scale, 1e-3 * scale),
        d.Uniform(center, scale),
        d.Gamma(mean, dispersion),
        d.InverseGaussian(mean, dispersion),
    ]
    short = [dist(components, weights)._mean_difference_integral() for components in kinds]
    monkeypatch.setattr(room, "GAUSS", np.polynomial.legendre.leggauss(24)[0])
    monkeypatch.setattr(room, "GAUSS_WEIGHTS", np.polynomial.legendre.leggauss(24)[1])
    monkeypatch.setattr(PredictiveDistribution, "_panels", PredictiveDistribution._knots)
    for components, ours in zip(kinds, short, strict=True):
        np.testing.assert_allclose(ours, dist(components, weights)._mean_difference_integral(), rtol=1e-10)
    np.testing.assert_allclose(short[0], dist(kinds[0], weights)._half_difference(), rtol=1e-12)


def test_crps_of_gaussian_mixtures_is_that_of_scoringrules():
    scoring = pytest.importorskip("scoringrules")
    rng = np.random.default_rng(1)
    n, K = 50, 4
    center, scale = rng.normal(0, 3, (n, K)), rng.uniform(0.1, 4, (n, K))
    weights, y = rng.dirichlet(np.ones(K), n), rng.normal(0, 4, n)
    ours = dist(d.Normal(center, scale), weights).crps(y)
    np.testing.assert_allclose(ours, scoring.crps_mixnorm(y, center, scale, weights), rtol=1e-12, atol=1e-12)
    # the general route agrees
    general = dist(d.Normal(center, scale), weights)
    np.testing.assert_allclose(general._mean_difference_integral(), general._half_difference(), rtol=1e-12)


def test_crps_of_single_experts_is_that_of_scoringrules():
    scoring = pytest.importorskip("scoringrules")
    o, y = np.ones((1, 1)), 2.3

    def ours(components, y=y):
        return dist(components, o).crps(y)[0]

    for df in (1.5, 4.0, 80.0):
        components = d.Student(df * o, 0.4 * o, 1.7 * o)
        np.testing.assert_allclose(ours(components), scoring.crps_t(y, df, 0.4, 1.7), rtol=1e-12)
    np.testing.assert_allclose(ours(d.Uniform(1.0 * o, 6.0 * o)), scoring.crps_uniform(y, -2.0, 4.0), rtol=1e-12)
    np.testing.assert_allclose(ours(d.Gamma(3.0 * o, 0.4 * o)), scoring.crps_gamma(y, 2.5, 1 / 1.2), rtol=1e-12)
    np.testing.assert_allclose(ours(d.Normal(1.0 * o, 2.0 * o)), scoring.crps_normal(y, 1.0, 2.0), rtol=1e-12)
    for count in (0.0, 2.0, 11.0):
        np.testing.assert_allclose(ours(d.Poisson(3.3 * o), count), scoring.crps_poisson(count, 3.3), rtol=1e-12)
        components = d.NegativeBinomial(3.3 * o, 0.4 * o)
        np.testing.assert_allclose(ours(components, count), scoring.crps_negbinom(count, 2.5, 2.5 / 5.8), rtol=1e-11)
        components = d.Binomial(9.0 * o, 0.4 * o)
        theirs = scoring.crps_binomial(min(count, 9.0), 9, 1 / (1 + np.exp(-0.4)))
        np.testing.assert_allclose(ours(components, min(count, 9.0)), theirs, rtol=1e-12)
    corner = 1e-6
    laplace = scoring.crps_laplace(y, 0.4, 1.7)
    assert abs(ours(d.Hyperbolic(0.4 * o, 1.7 * o, corner * o)) - laplace) < corner


def test_crps_refuses():
    with pytest.raises(ValueError, match="df <= 1"):
        dist(d.Student(np.array([[1.0, 4.0, 4.0]]), CENTER, SCALE)).crps(0.0)
    # an expert that no row uses is in nobody's way
    weights = np.array([[0.0, 0.5, 0.5]] * 2)
    assert np.isfinite(dist(d.Student(np.array([[1.0, 4.0, 4.0]]), CENTER, SCALE), weights).crps(0.0)).all()
    with pytest.raises(ValueError, match="finite"):
        dist(NORMAL).crps(np.inf)


def test_crps_of_large_counts_is_the_whole_sum():
    from scipy.stats import poisson

    mean, y = 3000.0, np.array([2500.0, 3000.0, 3400.0])
    ours = dist(d.Poisson(np.full((3, 1), mean)), np.ones((3, 1))).crps(y)
    k = np.arange(6000)
    F = poisson.cdf(k, mean)
    whole = [((F - (k >= one)) ** 2).sum() for one in y]
    np.testing.assert_allclose(ours, whole, rtol=1e-11)


@pytest.mark.parametrize("kind", ["poisson", "negative binomial", "binomial", "with points"])
def test_crps_of_many_counts_is_the_sum_over_all_of_them(kind, monkeypatch):
    import hme.prediction.ranked as room

    rng = np.random.default_rng(2)
    n, K = 3, 3
    weights = rng.dirichlet(np.full(K, 0.7), n)
    rate, dispersion = np.exp(rng.uniform(0, 7, (n, K))), np.exp(rng.normal(-2, 1.0, (n, K)))
    some, negative = [0, 1], d.NegativeBinomial(rate, dispersion)
    components = {
        "poisson": d.Poisson(rate),
        "negative binomial": negative,
        "binomial": d.Binomial(np.full((n, K), 3000.0), rng.normal(0, 2, (n, K))),
        "with points": d.join([(negative.columns(some), some), (d.PointMass([[50.5]], n_rows=n), [2])], [50.5]),
    }[kind]
    both = dist(components, weights)
    y = np.c_[
        both.median(), both.mean(), both.icdf(0.99) + 0.3, np.full(n, 50.7), np.full(n, -3.0), both.icdf(0.999) * 3
    ]
    monkeypatch.setattr(room, "MANY", 64)
    few = both.crps(y)
    monkeypatch.setattr(room, "MANY", 10**7)
    np.testing.assert_allclose(few, both.crps(y), rtol=3e-9)


def test_crps_of_huge_counts_is_that_of_the_normal():
    for mean in (1e6, 1e12):
        score = dist(d.Poisson(np.full((1, 1), mean)), np.ones((1, 1))).crps(mean + 2 * np.sqrt(mean))[0]
        normal = dist(d.Normal(np.full((1, 1), mean), np.full((1, 1), np.sqrt(mean))), np.ones((1, 1)))
        np.testing.assert_allclose(score, normal.crps(mean + 2 * np.sqrt(mean))[0], rtol=1.0 / np.sqrt(mean))
