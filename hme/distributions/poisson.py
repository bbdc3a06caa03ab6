"""The Poisson distribution."""

import numpy as np
from scipy.special import gammainc, gammaincc, gammaln

from ..numerics.stirling import exp_rest, half_deviance, log_gamma_rest
from .counts import RateCounts, poisson_draws, with_many
from .negative_binomial import NegativeBinomial

__all__ = ["Poisson", "log_mass"]


def log_mass(y, rate, log_rate):
    """Log-probability of counts y, eqs. (poisson), (saddle-point); `log_rate` is the logarithm of `rate`."""
    return with_many(np.asarray(y * log_rate - rate - gammaln(y + 1.0)), _of_many, y, rate, log_rate)


def _of_many(y, rate, log_rate):
    """`log_mass` by eq. (saddle-point), which has all digits where counts are large."""
    return -half_deviance(y, log_rate, rate - y) - log_gamma_rest(y) - 0.5 * np.log(2.0 * np.pi * y)


class Poisson(RateCounts):
    """Poisson distributions of given mean."""

    names, neutral, log_mass = ("rate",), (1.0,), staticmethod(log_mass)

    @staticmethod
    def beyond_one(rate):
        return exp_rest(-rate)

    def _cdf(self, k):
        return gammaincc(k + 1.0, self.rate)

    def _sf(self, k):
        return gammainc(k + 1.0, self.rate)

    def sample(self, rng):
        return poisson_draws(rng, self._full(self.rate))

    def widened(self, factor):
        """Negative binomial distributions, of the same means."""
        wider = self._widened_dispersion(factor)
        return self if (factor == 1.0).all() else NegativeBinomial(self.rate, wider, n_rows=self.shape[0])
