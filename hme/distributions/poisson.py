"""The Poisson distribution."""

from scipy.special import gammainc, gammaincc, gammaln

from .counts import RateCounts, poisson_draws

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
