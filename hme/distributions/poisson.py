"""The Poisson distribution."""

from scipy.special import gammainc, gammaincc, gammaln

from .counts import RateCounts, poisson_draws
from .negative_binomial import NegativeBinomial

__all__ = ["Poisson", "log_mass"]


def log_mass(y, rate, log_rate):
    """Log-probability of counts y, eq. (poisson); `log_rate` is the logarithm of `rate`."""
    return y * log_rate - rate - gammaln(y + 1.0)


class Poisson(RateCounts):
    """Poisson distributions of given mean."""

    names, neutral, log_mass = ("rate",), (1.0,), staticmethod(log_mass)

    def _cdf(self, k):
        return gammaincc(k + 1.0, self.rate)

    def _sf(self, k):
        return gammainc(k + 1.0, self.rate)

    def sample(self, rng):
        return poisson_draws(rng, self._full(self.rate))

    def widened(self, factor):
        """Negative binomial distributions, of the same means."""
        if (factor == 1.0).all():
            return self
        return NegativeBinomial(self.rate, self._widened_dispersion(factor), n_rows=self.shape[0])
