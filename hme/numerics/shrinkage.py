"""How strongly slopes are shrunk, estimated from the data: the evidence approximation, eq. (evidence-alpha)."""

from typing import NamedTuple

import numpy as np

__all__ = ["START", "Evidence", "estimated", "log_hyperprior", "rows_per_weight"]

START = 0.1  # strength from which estimates start, per row
# Gamma prior of a strength, in units of rows. Its shape counts as twice as many slopes, and its mean is so large that
# experts which hardly differ from their center can be drawn to it.
SHAPE, RATE = 0.5, 0.005
LEAST, MOST = 1e-6, 1e6  # strengths, in units of rows
# Weights count rows where they are multiples of a common unit, which is their least one divided by no more than PARTS.
PARTS, ROUND_OFF = 12, 1e-9


class Evidence(NamedTuple):
    """What the rows say of the strength of a penalty, eq. (evidence-alpha)."""

    degrees: float  # effective number of slopes that the rows determine, rather than the penalty
    square: float  # twice the penalty of all slopes for a strength of one
    least: float = LEAST  # strength per row below which nothing is asked for


def estimated(evidence, rate):
    """The strength that the evidence asks for; `rate` are the `rows_per_weight`."""
    alpha = (max(evidence.degrees, 0.0) + 2.0 * SHAPE) / (max(evidence.square, 0.0) + 2.0 * RATE)
    return float(np.clip(alpha, evidence.least, MOST)) / rate


def log_hyperprior(alpha, rate):
    """Log-density of the logarithm of a strength under its prior, up to a constant, in units of weight."""
    return (SHAPE * np.log(rate * alpha) - RATE * rate * alpha) / rate


def rows_per_weight(weight, number):
    """How many rows a unit of weight stands for, so that the unit in which weights are measured does not matter.

    Where weights are small multiples of a common unit, they count rows; otherwise the effective number of rows is
    Kish's, eq. (effective-rows). Rows of equal content count as one with the sum of their weights.

    Parameters
    ----------
    weight : ndarray of shape (n,)
        Positive.
    number : ndarray of int of shape (n,)
        The same for rows of equal content, from zero.

    Returns
    -------
    float

    Examples
    --------
    >>> import numpy as np
    >>> from hme.numerics.shrinkage import rows_per_weight
    >>> rows_per_weight(np.array([1.0, 1.0, 2.0]), np.arange(3))
    1.0
    >>> rows_per_weight(np.array([1000.0, 1000.0, 2000.0]), np.arange(3))
    0.001
    """
    least = weight.min()
    share = weight / least
    for parts in range(1, PARTS + 1):
        count = np.rint(parts * share)
        if (np.abs(parts * share - count) <= ROUND_OFF * count).all():
            together = np.bincount(number, count).astype(np.int64)
            return float(parts / least / np.gcd.reduce(together[together > 0]))
    together = np.bincount(number, weight)
    return float(together.sum() / (together**2).sum())
