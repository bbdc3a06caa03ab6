"""Joint distributions of several outputs, and experts of several kinds."""

import numpy as np
import pytest
from distribution_cases import CENTERS, SCALES
from scipy import stats

from hme import distributions as d


def test_multivariate_normal():
    rng = np.random.default_rng(0)
    center, root = rng.normal(size=(5, 2, 3)), rng.normal(size=(1, 2, 3, 3))
    matrix = root @ np.swapaxes(root, 2, 3) + np.eye(3)
    dist = d.MultivariateNormal(center, matrix)
    y = rng.normal(size=(5, 3))
    for i in range(5):
        for k in range(2):
            twin = stats.multivariate_normal(center[i, k], matrix[0, k])
            np.testing.assert_allclose(dist.logpdf(y)[i, k], twin.logpdf(y[i]), rtol=1e-12)
    draws = dist.draw(rng, np.full(40_000, 2), np.ones(40_000, dtype=int))
    np.testing.assert_allclose(draws.mean(axis=0), center[2, 1], atol=0.1)
    np.testing.assert_allclose(np.cov(draws.T), matrix[0, 1], atol=0.25)
    np.testing.assert_allclose(dist.marginal(1).variance()[0], matrix[0, :, 1, 1], rtol=1e-15)


def test_independent_outputs():
    rng = np.random.default_rng(0)
    outputs = [
        d.Normal(rng.normal(size=(4, 3)), SCALES),
        d.Student(np.full((1, 3), 4.0), rng.normal(size=(4, 3)), SCALES),
    ]
    dist, y = d.Independent(outputs), rng.normal(size=(4, 2))
    full = outputs[0].logpdf(y[:, :1]) + outputs[1].logpdf(y[:, 1:])
    np.testing.assert_allclose(dist.logpdf(y), full, rtol=1e-14)
    joined = d.join([(dist.columns([2]), [2]), (dist.columns([0, 1]), [0, 1])])
    assert isinstance(joined, d.Independent) and joined.marginal(1).kind == outputs[1].kind
    np.testing.assert_array_equal(joined.logpdf(y), dist.logpdf(y))
    assert dist.draw(rng, np.array([0, 1, 1]), np.array([0, 2, 2])).shape == (3, 2)
    with pytest.raises(NotImplementedError, match="Independent has no cdf"):
        dist.cdf(y)


def test_kinds_side_by_side():
    normal, student = d.Normal(CENTERS, SCALES), d.Student(np.full((1, 3), 4.0), CENTERS, SCALES)
    both = d.join([(normal.columns([0, 2]), [0, 2]), (student.columns([1]), [1])])
    y = np.full((2, 1), 0.4)
    for name in ("logpdf", "pdf", "cdf", "sf", "logcdf", "logsf", "excess", "shortfall"):
        whole = getattr(both, name)(y)
        np.testing.assert_allclose(whole[:, [0, 2]], getattr(normal, name)(y)[:, [0, 2]], rtol=1e-14)
        np.testing.assert_allclose(whole[:, 1], getattr(student, name)(y)[:, 1], rtol=1e-14)
    for name in ("mean", "variance", "mode", "has_mean", "half_difference"):
        np.testing.assert_array_equal(getattr(both, name)()[:, 1], getattr(student, name)()[:, 1])
    assert not both.discrete and not both.on_lattice and both.n_outputs == 1 and both.marginal(0).shape == (2, 3)
    assert both[1:].parts[1][0].kind == student.kind and both.half_difference_of_mixture(np.ones((2, 3))) is None
