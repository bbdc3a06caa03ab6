"""Distributions against those of scipy.stats."""

import numpy as np
import pytest
from distribution_cases import CENTERS, SCALES
from scipy import stats

from hme import distributions as d

TWINS = [
    (d.Normal(CENTERS, SCALES), lambda: stats.norm(CENTERS, SCALES)),
    (
        d.Student(np.array([[1.3, 4.0, 90.0]]), CENTERS, SCALES),
        lambda: stats.t(np.array([[1.3, 4.0, 90.0]]), CENTERS, SCALES),
    ),
    (d.Gamma(np.array([[3.0]]), np.array([[0.4]])), lambda: stats.gamma(2.5, scale=1.2)),
    (d.InverseGaussian(np.array([[3.0]]), np.array([[0.4]])), lambda: stats.invgauss(1.2, scale=2.5)),
    (d.Uniform(np.array([[3.0]]), np.array([[4.0]])), lambda: stats.uniform(1.0, 4.0)),
    (d.Poisson(np.array([[3.3]])), lambda: stats.poisson(3.3)),
    (d.NegativeBinomial(np.array([[3.3]]), np.array([[0.4]])), lambda: stats.nbinom(2.5, 2.5 / 5.8)),
    (d.Binomial(np.array([[9.0]]), np.array([[0.4]])), lambda: stats.binom(9, 1 / (1 + np.exp(-0.4)))),
]


@pytest.mark.parametrize("dist, make", TWINS, ids=lambda value: type(value).__name__)
def test_scipy_twins(dist, make):
    twin = make()
    for y in (1.0, 2.0, 4.0):
        y = np.array([[y]])
        density = twin.logpmf if dist.discrete else twin.logpdf
        np.testing.assert_allclose(dist.logpdf(y), density(y), rtol=1e-11, atol=1e-12)
        np.testing.assert_allclose(dist.cdf(y), twin.cdf(y), rtol=1e-11, atol=1e-290)
        np.testing.assert_allclose(dist.sf(y), twin.sf(y), rtol=1e-10, atol=1e-290)
    np.testing.assert_allclose(dist.mean(), twin.mean(), rtol=1e-12)
    np.testing.assert_allclose(dist.variance(), twin.var(), rtol=1e-12)
