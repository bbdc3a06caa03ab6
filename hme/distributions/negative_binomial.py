"""The negative binomial distribution."""

import numpy as np
from scipy.special import betainc, gammaln

from .base import LARGE, empty_for
from .counts import Counts, beta_below, poisson_draws

__all__ = ["NegativeBinomial", "log_mass", "log_rising"]


def log_mass(y, rate, log_rate, dispersion):
    """Log-probability of counts y, eq. (negative-binomial); `log_rate` is the logarithm of `rate`."""
    size = 1.0 / dispersion
    out = np.multiply(y, log_rate, out=empty_for(y, log_rate, dispersion))
    out += log_rising(y, size)
    out -= gammaln(y + 1.0)
    out -= (y + size) * np.log1p(rate * dispersion)
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


class NegativeBinomial(Counts):
    """Negative binomial laws of given mean and dispersion, before truncation, eq. (negative-binomial)."""

    names, neutral = ("rate", "dispersion"), (1.0, 1.0)

    def _log_mass(self, y):
        with np.errstate(divide="ignore", invalid="ignore"):
            value = log_mass(y, self.rate, np.log(self.rate), self.dispersion)
        return np.where((y == 0) & (self.rate == 0), 0.0, value)

    def _share(self):
        product = self.rate * self.dispersion
        return product / (1.0 + product)

    def _cdf(self, k):
        size, share = 1.0 / self.dispersion, self._share()
        return beta_below(k + 1.0, size, share, 1.0 / (1.0 + self.rate * self.dispersion))

    def _sf(self, k):
        return betainc(k + 1.0, 1.0 / self.dispersion, self._share())

    def mean(self):
        return self._full(self.rate)

    def variance(self):
        return self._full(self.rate + self.dispersion * self.rate**2)

    def mode(self):
        return self._full(np.floor(np.maximum(self.rate * (1.0 - self.dispersion), 0.0)))

    def sample(self, rng):
        return poisson_draws(rng, rng.standard_gamma(self._full(1.0 / self.dispersion)) * (self.rate * self.dispersion))
