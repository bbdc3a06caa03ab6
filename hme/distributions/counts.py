"""What distributions of counts share."""

from abc import ABC, abstractmethod

import numpy as np
from scipy.special import betainc, betaincc

from .univariate import Univariate

__all__ = ["Counts", "RateCounts", "beta_below", "poisson_draws"]


class Counts(Univariate, ABC):
    """Distributions of whole numbers from zero on."""

    measure, on_lattice = "mass", True

    @abstractmethod
    def _log_mass(self, y):
        """Log-probability of whole numbers y >= 0."""

    @abstractmethod
    def _cdf(self, k):
        """Probability of k or less, for whole numbers k >= 0."""

    @abstractmethod
    def _sf(self, k):
        """Probability of more than k, for whole numbers k >= 0."""

    def support(self):
        return self._full(0.0), self._full(np.inf)

    def logpdf(self, y):
        possible = (y >= 0) & (y == np.floor(y))
        return np.where(possible, self._log_mass(np.where(possible, y, 0.0)), -np.inf)

    def cdf(self, y):
        k = np.floor(y)
        return np.where(k >= 0, self._cdf(np.maximum(k, 0.0)), 0.0)

    def sf(self, y):
        k = np.floor(y)
        return np.where(k >= 0, self._sf(np.maximum(k, 0.0)), 1.0)


LEAST, MOST = 1e-9, 1e4  # dispersion: below, a distribution is Poisson's to all digits that matter


class RateCounts(Counts):
    """Counts of mean `rate`, the first parameter, and variance rate + dispersion rate^2."""

    dispersion = 0.0

    @staticmethod
    @abstractmethod
    def log_mass(y, rate, log_rate, *others):
        """Log-probability of counts y; `log_rate` is the logarithm of `rate`."""

    def _log_mass(self, y):
        rate, *others = self._fields()
        with np.errstate(divide="ignore", invalid="ignore"):
            value = self.log_mass(y, rate, np.log(rate), *others)
        return np.where((y == 0) & (rate == 0), 0.0, value)

    def _widened_dispersion(self, factor):
        """The dispersion that multiplies the variance by a factor."""
        with np.errstate(divide="ignore", invalid="ignore"):
            added = np.where(factor > 1.0, (factor - 1.0) / self.rate, 0.0)
        return np.clip(added + factor * self.dispersion, LEAST, MOST)

    def mean(self):
        return self._full(self.rate)

    def variance(self):
        return self._full(self.rate + self.dispersion * self.rate**2)

    def mode(self):
        return self._full(np.floor(np.maximum(self.rate * (1.0 - self.dispersion), 0.0)))


def beta_below(a, b, x, rest):
    """1 - I_x(a, b), the regularised incomplete beta function, with all digits of a small value; rest is 1 - x.

    Its complement is an order of magnitude faster to compute, and right where the digits of `rest` suffice.
    """
    a, b, x, rest = np.broadcast_arrays(a, b, x, rest)
    value = betainc(b, a, rest)
    fine = (x <= 0.5) & (b > 1e3)  # large powers of what is close to one
    if fine.any():
        value[fine] = 1.0 - betainc(a[fine], b[fine], x[fine])
        small = fine & (value < 0.5)
        value[small] = betaincc(a[small], b[small], x[small])
    return value


def poisson_draws(rng, rate):
    """Poisson draws; of rates beyond NumPy's range normal ones, which are then as good as a double."""
    large = rate > 1e15
    if not large.any():
        return rng.poisson(rate).astype(float)
    draws = rng.poisson(np.where(large, 1.0, rate)).astype(float)
    return np.where(large, np.rint(rate + np.sqrt(rate) * rng.standard_normal(rate.shape)), draws)
