"""Distributions of counts against sums of their probabilities."""

import numpy as np
import pytest
from distribution_cases import COUNTS
from problems import few, representative


@pytest.mark.parametrize("name", few(representative(COUNTS, every=4), 1))
def test_counts(name):
    dist = COUNTS[name]
    k = np.arange(0.0, 3000.0)[:, None, None]
    mass = np.stack([dist.pdf(v) for v in k])[:, 0]
    np.testing.assert_allclose(mass.sum(axis=0), 1.0, rtol=1e-11)
    np.testing.assert_allclose((k[:, 0] * mass).sum(axis=0), dist.mean()[0], rtol=1e-10)
    square = ((k[:, 0] - dist.mean()) ** 2 * mass).sum(axis=0)
    np.testing.assert_allclose(square, dist.variance()[0], rtol=1e-8, atol=1e-15)
    cdf = np.stack([dist.cdf(v) for v in k])[:, 0]
    np.testing.assert_allclose(cdf, np.cumsum(mass, axis=0), atol=1e-12)
    np.testing.assert_allclose(np.stack([dist.sf(v) for v in k])[:, 0], 1.0 - cdf, atol=1e-14)
    np.testing.assert_array_equal(k[mass.argmax(axis=0), 0, 0], dist.mode()[0])
    # between counts, and below them
    np.testing.assert_array_equal(dist.cdf(np.array([[3.7]])), dist.cdf(np.array([[3.0]])))
    assert (dist.cdf(np.array([[-0.5]])) == 0).all() and (dist.sf(np.array([[-0.5]])) == 1).all()
    assert np.isneginf(dist.logpdf(np.array([[2.5]]))).all() and np.isneginf(dist.logpdf(np.array([[-1.0]]))).all()
