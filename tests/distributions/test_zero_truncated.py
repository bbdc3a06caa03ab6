"""Counts given that they are not zero, whatever the counts."""

import numpy as np
import pytest
from problems import few, representative
from scipy import stats

from hme import distributions as d
from hme.distributions.counts import truncated
from hme.prediction import PredictiveDistribution

RATE, DISPERSION = np.array([[0.01, 3.3, 40.5]]), np.array([[2.0, 0.5, 1e-3]])
COUNTS = {
    "poisson": d.Poisson(RATE),
    "negative binomial": d.NegativeBinomial(RATE, DISPERSION),
    "binomial": d.Binomial(np.array([[1.0, 7.0, 300.0]]), np.array([[-3.0, 0.4, 2.0]])),
    "of scipy": d.FromScipy(stats.logser, p=np.array([[0.1, 0.5, 0.9]]), loc=-1),
    "geometric of scipy": d.FromScipy(stats.geom, p=np.array([[0.9, 0.5, 0.05]]), loc=-1),
    "positive already": d.FromScipy(stats.geom, p=np.array([[0.9, 0.5, 0.05]])),
}


@pytest.mark.parametrize("name", few(representative(COUNTS, every=2), 1))
def test_truncation_is_conditioning(name):
    before = COUNTS[name]
    dist = d.ZeroTruncated(before)
    positive = 1.0 - before.pdf(np.zeros((1, 1)))
    for y in (1.0, 2.0, 7.0):
        y = np.array([[y]])
        np.testing.assert_allclose(dist.pdf(y), before.pdf(y) / positive, rtol=1e-10)
        np.testing.assert_allclose(dist.sf(y), before.sf(y) / positive, rtol=1e-10)
        np.testing.assert_allclose(dist.cdf(y) + dist.sf(y), 1.0, rtol=1e-14)
    assert (dist.cdf(np.zeros((1, 1))) == 0).all() and (dist.pdf(np.zeros((1, 1))) == 0).all()
    np.testing.assert_allclose(dist.mean(), before.mean() / positive, rtol=1e-12)
    k = np.arange(1.0, 1000.0)
    mass = np.stack([dist.pdf(v[None, None])[0] for v in k])
    np.testing.assert_allclose((k[:, None] * mass).sum(axis=0), dist.mean()[0], rtol=1e-9)
    np.testing.assert_allclose(
        ((k[:, None] - dist.mean()) ** 2 * mass).sum(axis=0), dist.variance()[0], rtol=1e-7, atol=1e-15
    )
    np.testing.assert_array_equal(dist.support()[0], 1.0)
    np.testing.assert_array_equal(dist.mode()[0], k[mass.argmax(axis=0)])


@pytest.mark.parametrize("name", COUNTS)
def test_kinds_are_kept_apart(name):
    dist = d.ZeroTruncated(COUNTS[name])
    joined = d.join([(dist.columns([2]), [2]), (dist.columns([0, 1]), [0, 1])])
    assert isinstance(joined, d.ZeroTruncated)
    np.testing.assert_array_equal(joined.pdf(np.full((1, 1), 2.0)), dist.pdf(np.full((1, 1), 2.0)))
    other = d.ZeroTruncated(COUNTS["binomial" if name == "poisson" else "poisson"])
    both = d.join([(dist, [0, 1, 2]), (other, [3, 4, 5])])
    assert isinstance(both, d.Composite) and both.on_lattice and both.discrete
    assert repr(dist).startswith("ZeroTruncated(")


@pytest.mark.parametrize("name", COUNTS)
def test_mixtures(name):
    """Quantiles, draws and scores of what is left."""
    dist = d.ZeroTruncated(COUNTS[name])
    both = PredictiveDistribution(np.array([[0.2, 0.3, 0.5]]), dist)
    k = np.arange(0.0, 2000.0)
    mass = both.pmf(k[None])[0]
    F = np.cumsum(mass)
    np.testing.assert_allclose(F[-1], 1.0, rtol=1e-12)
    for q in (0.01, 0.5, 0.99):
        assert both.icdf(q)[0] == k[(F >= q).argmax()]
    np.testing.assert_allclose(both.crps(3.0)[0], ((F - (k >= 3)) ** 2).sum(), rtol=1e-9)
    draws = both.sample(500, rng=0)
    assert (draws >= 1).all() and abs(draws.mean() - both.mean()[0]) < 5 * np.sqrt(both.variance()[0] / 500)
    zero = COUNTS[name].logpdf(np.zeros((1, 1)))
    y = np.full((1, 1), 2.0)
    np.testing.assert_allclose(truncated(COUNTS[name].logpdf(y), zero), dist.logpdf(y), rtol=1e-13)


def test_heavy_tails():
    dist = d.ZeroTruncated(d.FromScipy(stats.zipf, a=np.array([[1.5, 2.5, 4.5]]), loc=-1))
    np.testing.assert_array_equal(dist.has_mean(), [[False, True, True]])
    np.testing.assert_array_equal(np.isfinite(dist.mean()), [[False, True, True]])
    np.testing.assert_array_equal(np.isposinf(dist.variance()), [[True, True, False]])


def test_draws_where_next_to_nothing_is_above_zero():
    dist = d.ZeroTruncated(d.Poisson(np.full((200, 1), 1e-12)))
    np.testing.assert_array_equal(dist.sample(np.random.default_rng(0)), 1.0)


@pytest.mark.parametrize("name", ["poisson", "negative binomial"])
def test_wider_ones_keep_their_mean(name):
    rate = np.logspace(-12, 8, 11)[:, None]
    fields = (rate,) if name == "poisson" else (rate, np.full((1, 1), 0.5))
    dist = d.ZeroTruncated(type(COUNTS[name])(*fields))
    for factor in (1.5, 30.0):
        wider = dist.widened(np.array([factor]))
        np.testing.assert_allclose(wider.mean(), dist.mean(), rtol=1e-13)
        assert (wider.variance() > dist.variance()).all()


@pytest.mark.parametrize("name", ["poisson", "negative binomial"])
def test_means_are_kept_under_another_distribution(name):
    rate = np.array([[1e-30, 1e-5, 0.3, 4.0, 1e4]])
    dispersion = np.array([[1e-9, 1e-3, 0.5, 2.0, 50.0]])
    dist = d.ZeroTruncated(d.NegativeBinomial(rate, dispersion))
    other = d.Poisson(3.0 * rate) if name == "poisson" else d.NegativeBinomial(2.0 * rate, 3.0 * dispersion)
    np.testing.assert_allclose(dist.about(other)._excess(), dist._excess(), rtol=1e-12)
