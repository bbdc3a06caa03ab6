"""The negative binomial distribution."""

import numpy as np
from scipy.special import betainc, betaincc, gammaln

from .base import empty_for
from .counts import RateCounts, beta_below, poisson_draws

__all__ = ["LARGE", "NegativeBinomial", "log_mass", "log_rising"]

LARGE = 50.0  # size beyond which differences of gamma functions lose their digits, and Stirling's series has them all

NEXT_TO_NONE = 1e-8  # probability whose difference from one has lost its digits


def log_mass(y, rate, log_rate, dispersion):
    """Log-probability of counts y, eq. (negative-binomial); `log_rate` is the logarithm of `rate`."""
    size = 1.0 / dispersion
    out = log_rising(y, size)
    out = out + y * log_rate
    out -= (y + size) * np.log1p(rate * dispersion)
    out -= gammaln(y + 1.0)
    return out


def log_rising(y, size):
    """log(Gamma(size + y) / Gamma(size)) - y log(size)."""
    small = np.minimum(size, LARGE)
    exact = np.add(small, y, out=empty_for(y, size))
    gammaln(exact, out=exact)
    exact -= y * np.log(small)
    exact -= gammaln(small)
    if not np.any(size > LARGE):
        return exact
    large = np.maximum(size, LARGE)
    end = np.add(large, y, out=empty_for(y, size))
    series = (end - 0.5) * np.log1p(y / large) - y + _stirling_rest(end) - _stirling_rest(large)
    return np.where(size > LARGE, series, exact)


def _stirling_rest(z):
    i, i2 = 1.0 / z, 1.0 / z**2
    return i * (1 / 12 - i2 * (1 / 360 - i2 * (1 / 1260 - i2 / 1680)))


class NegativeBinomial(RateCounts):
    """Negative binomial distributions of given mean and dispersion, eq. (negative-binomial)."""

    names, neutral, log_mass = ("rate", "dispersion"), (1.0, 1.0), staticmethod(log_mass)

    def _cdf(self, k):
        rest = 1.0 / (1.0 + self.rate * self.dispersion)
        return beta_below(k + 1.0, 1.0 / self.dispersion, self._share(), rest)

    def _sf(self, k):
        value = betainc(k + 1.0, 1.0 / self.dispersion, self._share())
        rest = 1.0 / (1.0 + self.rate * self.dispersion)
        if not np.any(rest < NEXT_TO_NONE):
            return value
        return np.where(rest < NEXT_TO_NONE, betaincc(1.0 / self.dispersion, k + 1.0, rest), value)

    def _share(self):
        return self.rate * self.dispersion / (1.0 + self.rate * self.dispersion)

    def sample(self, rng):
        return poisson_draws(rng, rng.standard_gamma(self._full(1.0 / self.dispersion)) * (self.rate * self.dispersion))
