"""How strongly slopes are shrunk, estimated from the data: the evidence approximation, eq. (evidence-alpha)."""

from typing import Any, NamedTuple

import numpy as np

__all__ = ["START", "Evidence", "estimated", "log_hyperprior", "rows_per_weight"]

START = 0.1  # strength from which estimates start, per row
# Gamma prior of a strength, in units of rows. Its shape counts as twice as many slopes, and its mean is so large that
# experts which hardly differ from their center can be drawn to it.
SHAPE, RATE = 0.5, 0.005
RATE_OF_COLUMNS = 0.0005  # of strengths that are one column's, whose slopes may well be zero
LEAST, MOST = 1e-6, 1e6  # strengths, in units of rows
# Weights count rows where they are multiples of a common unit, which is their least one divided by no more than PARTS.
PARTS, ROUND_OFF = 12, 1e-9


class Evidence(NamedTuple):
    """What the rows say of the strength of a penalty, or of those of its columns (p,), eq. (evidence-alpha)."""

    degrees: Any  # effective number of slopes that the rows determine, rather than the penalty
    square: Any  # twice the penalty of the slopes for a strength of one
    least: float = LEAST  # strength per row below which nothing is asked for

    def together(self):
        """That on one strength of all columns."""
        return self._replace(degrees=np.sum(self.degrees), square=np.sum(self.square))


def estimated(evidence, rate):
    """The strength, or strengths (p,), that the evidence asks for; `rate` are the `rows_per_weight`."""
    prior_rate = _rate_of(evidence.degrees)
    alpha = (np.maximum(evidence.degrees, 0.0) + 2.0 * SHAPE) / (np.maximum(evidence.square, 0.0) + 2.0 * prior_rate)
    alpha = np.clip(alpha, evidence.least, MOST) / rate
    return alpha if np.ndim(alpha) else float(alpha)


def log_hyperprior(alpha, rate):
    """Log-density of the logarithms of strengths under their priors, up to a constant, in units of weight."""
    return float(np.sum(SHAPE * np.log(rate * alpha) - _rate_of(alpha) * rate * alpha)) / rate


def _rate_of(strengths):
    """The rate of the prior of one strength, or of those of columns."""
    return RATE if np.ndim(strengths) == 0 else RATE_OF_COLUMNS


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
