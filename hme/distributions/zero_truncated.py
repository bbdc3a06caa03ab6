"""Distributions of counts given that they are not zero."""

import numpy as np

from .counts import Counts

__all__ = ["ZeroTruncated"]

ROUNDS = 64  # of drawing again what is zero
MOST = 10_000  # steps upwards from one


class ZeroTruncated(Counts):
    """Distributions of counts given that they are not zero, eq. (truncated).

    Parameters
    ----------
    distribution : Counts or FromScipy
        Before truncation; of whole numbers from zero on.

    Examples
    --------
    >>> import numpy as np
    >>> from hme.distributions import Poisson, ZeroTruncated
    >>> ZeroTruncated(Poisson(np.array([[2.0]]))).mean().round(3)  # 2 / (1 - exp(-2))
    array([[2.313]])
    """

    def __init__(self, distribution):
        self.distribution, self.shape = distribution, distribution.shape

    def __repr__(self):
        return f"ZeroTruncated({self.distribution!r})"

    names = property(lambda self: self.distribution.names)
    neutral = property(lambda self: self.distribution.neutral)

    @property
    def kind(self):
        return type(self), self.distribution.kind

    def _fields(self):
        return self.distribution._fields()

    def _new(self, fields, n_rows):
        return ZeroTruncated(self.distribution._new(fields, n_rows))

    def widened(self, factor):
        wider = self.distribution.widened(factor)
        return self if wider is self.distribution else self.about(wider)

    def about(self, distribution):
        """Another distribution, truncated, with the means of this one where it has a parameter for that."""
        return ZeroTruncated(distribution._of_excess(self._excess()))

    def _excess(self):
        """The mean less one, without a difference."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.distribution._beyond_one() / self._positive()

    def support(self):
        return self._full(1.0), self.distribution.support()[1]

    def _log_zero(self):
        return self.distribution._log_mass(np.zeros((1, 1)))

    def _positive(self):
        return -np.expm1(self._log_zero())

    def _log_mass(self, y):
        return np.where(y > 0, self.distribution._log_positive_mass(np.where(y > 0, y, 1.0)), -np.inf)

    def _sf(self, k):
        return np.minimum(self.distribution._sf(k) / self._positive(), 1.0)

    def _cdf(self, k):
        upper, positive = self._sf(k), self._positive()
        low = (self.distribution._cdf(k) - (1.0 - positive)) / positive
        return np.where(k > 0, np.where(upper > 0.5, np.maximum(low, 0.0), 1.0 - upper), 0.0)

    def mean(self):
        return self.distribution.mean() / self._positive()

    def variance(self):
        positive, variance = self._positive(), self.distribution.variance()
        exists = np.isfinite(variance)
        mean, pairs = (np.where(exists, a, 0.0) for a in (self.mean(), self.distribution._mean_of_pairs()))
        beyond = np.where(exists, self.distribution._beyond_one(), 0.0) / positive
        with np.errstate(over="ignore"):  # a variance that is no number is inf
            return np.where(exists, np.maximum(pairs / positive - mean * beyond, 0.0), variance)

    def has_mean(self):
        return self.distribution.has_mean()

    def mode(self):
        # Above zero the probabilities keep their order.
        return np.maximum(self.distribution.mode(), 1.0)

    def sample(self, rng):
        out = np.array(self.distribution.sample(rng))
        for _ in range(ROUNDS):
            rows, experts = np.argwhere(out == 0).T
            if not len(rows):
                return out
            out[rows, experts] = self.distribution.draw(rng, rows, experts)
        # Where nearly all is zero: the quantile of a uniform number.
        rows, experts = np.argwhere(out == 0).T
        out[rows, experts] = _quantiles_from_one(self.pick(rows, experts), rng.uniform(size=len(rows)))
        return out


def _quantiles_from_one(distribution, q):
    """Quantiles (m,) by counting upwards from one, for distributions (m, 1) that have next to all probability there."""
    k = np.ones(len(q))
    for _ in range(MOST):
        low = distribution.cdf(k[:, None])[:, 0] < q
        if not low.any():
            break
        k[low] += 1.0
    return k
