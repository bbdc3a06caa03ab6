"""Distributions that several test modules go through, and quadrature of them."""

import warnings

import numpy as np
from scipy import integrate

from hme import distributions as d

SCALES = np.array([[1e-3, 1.0, 40.0]])
CENTERS = np.array([[0.3, -2.0, 5.0], [1e3, 0.0, -1.0]])
DENSITIES = {
    "normal": d.Normal(CENTERS, SCALES),
    "student": d.Student(np.array([[1.3, 4.0, 200.0]]), CENTERS, SCALES),
    "heavy student": d.Student(np.array([[2.5, 3.0, 1e6]]), CENTERS, SCALES),
    "hyperbolic": d.Hyperbolic(CENTERS, SCALES, np.array([[1e-4, 1e-4, 1e-4]])),
    "round hyperbolic": d.Hyperbolic(CENTERS, SCALES, np.array([[1e-3, 5.0, 4000.0]])),
    "uniform": d.Uniform(CENTERS, SCALES),
    "gamma": d.Gamma(np.array([[0.02, 3.0, 1e4]]), np.array([[0.3, 1.0, 1e-4]])),
    "skewed gamma": d.Gamma(np.array([[0.02, 3.0, 1e4]]), np.array([[2.0, 1.5, 4.0]])),
    "inverse gaussian": d.InverseGaussian(np.array([[0.02, 3.0, 1e3]]), np.array([[0.5, 2.0, 1e-5]])),
    "skewed inverse gaussian": d.InverseGaussian(np.array([[0.5, 3.0, 50.0]]), np.array([[20.0, 3.0, 0.3]])),
}
COUNTS = {
    "poisson": d.Poisson(np.array([[0.02, 3.3, 400.5]])),
    "negative binomial": d.NegativeBinomial(np.array([[0.2, 3.3, 40.0]]), np.array([[2.0, 0.5, 1e-7]])),
    "truncated poisson": d.ZeroTruncated(d.Poisson(np.array([[1e-9, 3.3, 400.5]]))),
    "truncated negative binomial": d.ZeroTruncated(
        d.NegativeBinomial(np.array([[0.01, 3.3, 40.0]]), np.array([[2.0, 0.5, 1e-3]]))
    ),
    "binomial": d.Binomial(np.array([[1.0, 7.0, 300.0]]), np.array([[-3.0, 0.4, 2.0]])),
}
Q = np.array([1e-9, 1e-3, 0.1, 0.3, 0.5, 0.77, 0.99])


def alone(dist):
    """Every distribution of the first row on its own, (1, 1)."""
    return [dist.take([0]).columns([k]) for k in range(dist.shape[1])]


def at(dist, name, y):
    return float(getattr(dist, name)(np.array([[y]]))[0, 0])


def quantile(dist, q):
    return float(dist.icdf(q)[0, 0])


def quadrature(dist, function):
    """Integral over the support, piece by piece."""
    points = np.unique(np.append(dist.pieces()[0, 0], quantile(dist, 0.5)))
    low, high = (float(end[0, 0]) for end in dist.support())
    points = np.concatenate([[low], points[(points > low) & (points < high)], [high]])
    if low == 0.0 and np.isinf(at(dist, "pdf", 0.0)):  # a pole, and next to nothing below the first piece
        logs = np.log(points[1:-1])
        return pieced(lambda v: np.exp(v) * function(np.exp(v)), logs) + pieced(function, points[-2:])
    return pieced(function, points)


def pieced(function, points):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", integrate.IntegrationWarning)  # of rounding, where next to nothing is left
        parts = [
            integrate.quad(function, a, b, epsabs=1e-300, epsrel=1e-11, limit=200)[0]
            for a, b in zip(points, points[1:], strict=False)
        ]
    return sum(parts)
