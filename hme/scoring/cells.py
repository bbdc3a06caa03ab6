"""Scores of rounded targets: the probability of the values that are rounded to what was observed."""

import numpy as np

__all__ = ["cells_of", "log_scores"]

FEW = 100  # different values, below which y counts as rounded
LEAST = 1e-300  # smallest probability whose logarithm is taken


def cells_of(y):
    """The values of a rounded target, sorted; None of a target of many values.

    A density says nothing of a target that takes few values: one expert with its variance at the floor on each of them
    has as large a density as one likes.
    """
    values = np.unique(y)
    return values if 1 < len(values) < FEW else None


def log_scores(dist, y, values=None):
    """Log-densities (n,) of targets, or, given the values that they may take, log-probabilities of their cells.

    A cell reaches half of the way to the next value on either side.
    """
    if values is None:
        return dist.log_likelihood(y)
    middle = 0.5 * (values[1:] + values[:-1])
    edges = np.concatenate([[2 * values[0] - middle[0]], middle, [2 * values[-1] - middle[-1]]])
    place = np.clip(np.searchsorted(middle, y), 0, len(values) - 1)
    low, high = edges[place], edges[place + 1]
    upper = low > dist.median()  # differences of small tail probabilities keep their digits
    inside = np.where(upper, dist.ccdf(low) - dist.ccdf(high), dist.cdf(high) - dist.cdf(low))
    return np.log(np.maximum(inside, LEAST))
