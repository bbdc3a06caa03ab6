"""Densities and probabilities of a block: laws of m pairs of a row and a value, weights (m, K), values (m, 1)."""

import numpy as np

__all__ = [
    "BLOCK",
    "cdf_of",
    "distance_of",
    "excess_of",
    "logcdf_of",
    "logpdf_of",
    "logsf_of",
    "pdf_of",
    "sf_of",
    "shortfall_of",
    "spread_of",
]

BLOCK = 1 << 15  # numbers in a block: pairs of row and value, times experts


def pdf_of(law, weights, y):
    """Density of the mixture."""
    values = law.pdf(y)
    if np.isinf(values).any():
        values = np.where(weights > 0, values, 0.0)
    return (weights * values).sum(axis=1)


def logpdf_of(law, weights, y):
    """Log-density of the mixture."""
    with np.errstate(divide="ignore"):
        terms = np.where(weights > 0, law.logpdf(y), -np.inf) + np.where(weights > 0, np.log(weights), 0.0)
    return np.logaddexp.reduce(terms, axis=1)


def cdf_of(law, weights, y):
    """P(Y <= y)."""
    return np.minimum((weights * law.cdf(y)).sum(axis=1), 1.0)


def sf_of(law, weights, y):
    """P(Y > y)."""
    return np.minimum((weights * law.sf(y)).sum(axis=1), 1.0)


def spread_of(law, weights, y):
    """P(Y <= y) P(Y > y), whose integral is half the mean difference."""
    F = cdf_of(law, weights, y)
    S = 1.0 - F
    far = np.flatnonzero(S < 0.01)  # where the difference has lost digits
    S[far] = sf_of(law.take(far), weights[far], y[far])
    return F * S


def logcdf_of(law, weights, y):
    """log P(Y <= y)."""
    return _logs(weights, law.logcdf(y))


def logsf_of(law, weights, y):
    """log P(Y > y)."""
    return _logs(weights, law.logsf(y))


def _logs(weights, values):
    with np.errstate(divide="ignore"):
        terms = np.where(weights > 0, values, -np.inf) + np.where(weights > 0, np.log(weights), 0.0)
    return np.minimum(np.logaddexp.reduce(terms, axis=1), 0.0)


def distance_of(law, weights, y):
    """E|Y - y|."""
    values = law.excess(y) + law.shortfall(y)
    return (weights * np.where(weights > 0, values, 0.0)).sum(axis=1)


def excess_of(law, weights, y):
    """E(Y - y)_+."""
    return (weights * np.where(weights > 0, law.excess(y), 0.0)).sum(axis=1)


def shortfall_of(law, weights, y):
    """E(y - Y)_+."""
    return (weights * np.where(weights > 0, law.shortfall(y), 0.0)).sum(axis=1)
