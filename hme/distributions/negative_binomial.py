"""The negative binomial distribution."""

import numpy as np
from scipy.special import betainc, betaincc, gammaln

from ..numerics.stirling import exp_rest, half_deviance, log1p_rest, log_gamma_rest
from .base import empty_for
from .counts import RateCounts, beta_below, poisson_draws, with_many

__all__ = ["NegativeBinomial", "log_mass", "log_rising"]

LARGE = 50.0  # size beyond which differences of gamma functions lose their digits, and Stirling's series has them all

NEXT_TO_NONE = 1e-8  # probability whose difference from one has lost its digits


def log_mass(y, rate, log_rate, dispersion):
    """Log-probability of counts y, eq. (negative-binomial); `log_rate` is the logarithm of `rate`."""
    size = 1.0 / dispersion
    out = log_rising(y, size)
    out = out + y * log_rate
    out -= (y + size) * np.log1p(rate * dispersion)
    out -= gammaln(y + 1.0)
    return with_many(out, _of_many, y, rate, log_rate, size)


def _of_many(y, rate, log_rate, size):
    """`log_mass` by eq. (saddle-point), which has all digits where counts are large."""
    end, total = y + size, size + rate
    excess = (rate - y) * (size / total)
    apart = half_deviance(y, np.log(end / total) + log_rate, excess)
    apart += half_deviance(size, np.log(size) + np.log(end / total), -excess)
    rest = log_gamma_rest(end) - log_gamma_rest(size) - log_gamma_rest(y)
    return rest - apart + 0.5 * (np.log(size / end) - np.log(2.0 * np.pi * y))


def log_rising(y, size):
    """log(Gamma(size + y) / Gamma(size)) - y log(size)."""
    small = np.minimum(size, LARGE)
    exact = np.add(small, y, out=empty_for(y, size))
    gammaln(exact, out=exact)
    exact -= y * np.log(small)
    exact -= gammaln(small)
    exact[np.broadcast_to(np.less_equal(y, 1.0), exact.shape)] = 0.0
    if not np.any(size > LARGE):
        return exact
    large = np.maximum(size, LARGE)
    end = np.add(large, y, out=empty_for(y, size))
    series = (end - 0.5) * np.log1p(y / large) - y + log_gamma_rest(end) - log_gamma_rest(large)
    return np.where((size > LARGE) & np.greater(y, 1.0), series, exact)


class NegativeBinomial(RateCounts):
    """Negative binomial distributions of given mean and dispersion, eq. (negative-binomial)."""

    names, neutral, log_mass = ("rate", "dispersion"), (1.0, 1.0), staticmethod(log_mass)

    @staticmethod
    def beyond_one(rate, dispersion):
        # The probability of zero is exp(-lost); both differences are positive.
        lost = np.log1p(rate * dispersion) / dispersion
        return exp_rest(-lost) - log1p_rest(rate * dispersion) / dispersion

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

    def widened(self, factor):
        return NegativeBinomial(self.rate, self._widened_dispersion(factor), n_rows=self.shape[0])
