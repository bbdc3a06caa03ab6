"""Densities and probabilities of m pairs of a row and a value: experts' distributions and weights (m, K), y (m, 1)."""

import numpy as np

__all__ = [
    "BLOCK",
    "both_tails_of",
    "cdf_of",
    "distance_of",
    "excess_of",
    "logcdf_of",
    "logpdf_of",
    "logsf_of",
    "pdf_of",
    "sf_of",
    "shortfall_of",
]

BLOCK = 1 << 15  # numbers in a block: pairs of row and value, times experts


def pdf_of(components, weights, y):
    """Density of the mixture."""
    values = components.pdf(y)
    if np.isinf(values).any():
        values = np.where(weights > 0, values, 0.0)
    return (weights * values).sum(axis=1)


def logpdf_of(components, weights, y):
    """Log-density of the mixture."""
    with np.errstate(divide="ignore"):
        terms = np.where(weights > 0, components.logpdf(y), -np.inf) + np.where(weights > 0, np.log(weights), 0.0)
    return np.logaddexp.reduce(terms, axis=1)


def cdf_of(components, weights, y):
    """P(Y <= y)."""
    return np.minimum((weights * components.cdf(y)).sum(axis=1), 1.0)


def sf_of(components, weights, y):
    """P(Y > y)."""
    return np.minimum((weights * components.sf(y)).sum(axis=1), 1.0)


def both_tails_of(components, weights, y):
    """P(Y <= y) P(Y > y), whose integral is half the mean difference."""
    F = cdf_of(components, weights, y)
    S = 1.0 - F
    far = np.flatnonzero(S < 0.01)  # where the difference has lost digits
    S[far] = sf_of(components.take(far), weights[far], y[far])
    return F * S


def logcdf_of(components, weights, y):
    """log P(Y <= y)."""
    return _logs(weights, components.logcdf(y))


def logsf_of(components, weights, y):
    """log P(Y > y)."""
    return _logs(weights, components.logsf(y))


def _logs(weights, values):
    with np.errstate(divide="ignore"):
        terms = np.where(weights > 0, values, -np.inf) + np.where(weights > 0, np.log(weights), 0.0)
    return np.minimum(np.logaddexp.reduce(terms, axis=1), 0.0)


def distance_of(components, weights, y):
    """E|Y - y|."""
    values = components.excess(y) + components.shortfall(y)
    return (weights * np.where(weights > 0, values, 0.0)).sum(axis=1)


def excess_of(components, weights, y):
    """E(Y - y)_+."""
    return (weights * np.where(weights > 0, components.excess(y), 0.0)).sum(axis=1)


def shortfall_of(components, weights, y):
    """E(y - Y)_+."""
    return (weights * np.where(weights > 0, components.shortfall(y), 0.0)).sum(axis=1)
