"""What distributions of counts share."""

import numpy as np
from scipy.special import betainc, betaincc

from .base import Distribution

__all__ = ["Counts", "beta_below", "poisson_draws"]


class Counts(Distribution):
    """Laws of whole numbers from zero on."""

    measure = "mass"

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
    """Poisson draws; of rates beyond NumPy's range the normal law, which is then as good as a double."""
    large = rate > 1e15
    if not large.any():
        return rng.poisson(rate).astype(float)
    draws = rng.poisson(np.where(large, 1.0, rate)).astype(float)
    return np.where(large, np.rint(rate + np.sqrt(rate) * rng.standard_normal(rate.shape)), draws)


from .negative_binomial import log_rising  # noqa: E402, F401
