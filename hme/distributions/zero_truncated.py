"""Distributions of counts given that they are not zero."""

import numpy as np

from .negative_binomial import NegativeBinomial
from .poisson import Poisson

__all__ = ["TruncatedNegativeBinomial", "TruncatedPoisson", "log_mass"]


def log_mass(before, zero):
    """Log-probability of counts y > 0 from those of y and of zero before truncation, eq. (truncated)."""
    return before - np.log(-np.expm1(zero))


class _ZeroTruncated:
    """Laws given that y is not zero, eq. (truncated); `rate` and `dispersion` are those before truncation."""

    def support(self):
        return self._full(1.0), self._full(np.inf)

    def _positive(self):
        return -np.expm1(super()._log_mass(np.zeros((1, 1))))

    def _log_mass(self, y):
        return np.where(y > 0, super()._log_mass(y) - np.log(self._positive()), -np.inf)

    def _sf(self, k):
        return np.minimum(super()._sf(k) / self._positive(), 1.0)

    def _cdf(self, k):
        upper = self._sf(k)
        positive = self._positive()
        low = (super()._cdf(k) - (1.0 - positive)) / positive
        return np.where(k > 0, np.where(upper > 0.5, np.maximum(low, 0.0), 1.0 - upper), 0.0)

    def mean(self):
        return super().mean() / self._positive()

    def variance(self):
        positive, mean = self._positive(), super().mean()
        return np.maximum((super().variance() + mean**2) / positive - (mean / positive) ** 2, 0.0)

    def mode(self):
        return np.maximum(super().mode(), 1.0)

    def sample(self, rng):
        out = super().sample(rng)
        for _ in range(64):
            zero = np.argwhere(out == 0)
            if not len(zero):
                return out
            rows, experts = zero.T
            again = self.pick(rows, experts)
            out[rows, experts] = super(_ZeroTruncated, again).sample(rng)[:, 0]
        # Where nearly all is zero: the quantile of a uniform number.
        rows, experts = np.argwhere(out == 0).T
        out[rows, experts] = again_quantile(self.pick(rows, experts), rng)
        return out


def again_quantile(law, rng):
    """Draws (m,) by counting upwards from one, for laws (m, 1) that are next to all at one."""
    u, k = rng.uniform(size=len(law)), np.ones(len(law))
    for _ in range(10_000):
        low = law.cdf(k[:, None])[:, 0] < u
        if not low.any():
            break
        k[low] += 1.0
    return k


class TruncatedPoisson(_ZeroTruncated, Poisson):
    """Poisson laws given that y is not zero."""


class TruncatedNegativeBinomial(_ZeroTruncated, NegativeBinomial):
    """Negative binomial laws given that y is not zero."""
