"""The Poisson distribution."""

import numpy as np
from scipy.special import gammainc, gammaincc, gammaln

from .base import empty_for
from .counts import Counts, poisson_draws

__all__ = ["Poisson", "log_mass"]


def log_mass(y, rate, log_rate):
    """Log-probability of counts y, eq. (poisson); `log_rate` is the logarithm of `rate`."""
    out = np.multiply(y, log_rate, out=empty_for(y, log_rate))
    out -= rate
    out -= gammaln(y + 1.0)
    return out


class Poisson(Counts):
    """Poisson laws of given mean, before truncation."""

    names, neutral = ("rate",), (1.0,)

    def _log_mass(self, y):
        with np.errstate(divide="ignore", invalid="ignore"):
            value = log_mass(y, self.rate, np.log(self.rate))
        return np.where((y == 0) & (self.rate == 0), 0.0, value)

    def _cdf(self, k):
        return gammaincc(k + 1.0, self._full(self.rate))

    def _sf(self, k):
        return gammainc(k + 1.0, self._full(self.rate))

    def mean(self):
        return self._full(self.rate)

    def variance(self):
        return self._full(self.rate)

    def sample(self, rng):
        return poisson_draws(rng, self._full(self.rate))

    def mode(self):
        return self._full(np.floor(self.rate))
