"""Variances of a table, of all rows and of those that are not far out."""

import numpy as np

from ...numerics.quantiles import quantiles

__all__ = ["robust_variance", "total_variance"]

NORMAL_QUARTILES = 1.3489795  # distance between the quartiles of a normal distribution, in standard deviations


def total_variance(y, weight):
    """Weighted variances (T,) of outputs (n, T); for a constant output its squared value, or one if it is zero."""
    mean = weight @ y / weight.sum()
    variance = weight @ (y - mean) ** 2 / weight.sum()
    return np.where(variance > 1e-28 * mean**2, variance, np.where(mean != 0, mean**2, 1.0))


def robust_variance(y, weight):
    """Variances (T,) of normal distributions with the quartiles of y (n, T), but at most the variances of y."""
    low, high = np.transpose([quantiles(output, [0.25, 0.75], weight) for output in y.T])
    variance = total_variance(y, weight)
    return np.where(high > low, np.minimum(variance, ((high - low) / NORMAL_QUARTILES) ** 2), variance)
