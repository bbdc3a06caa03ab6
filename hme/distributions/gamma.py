"""The gamma distribution."""

import numpy as np
from scipy.special import betaln, gammainc, gammaincc, gammainccinv, gammaincinv, gammaln

from .base import Distribution, empty_for, with_powers

__all__ = ["Gamma", "log_density"]


def log_density(y, mean, dispersion):
    """Log-density at y > 0 of the gamma distribution of shape 1 / dispersion, eq. (gamma)."""
    shape = 1.0 / dispersion
    ratio = y / mean
    out = np.log(ratio, out=empty_for(ratio, dispersion))
    out -= ratio
    out *= shape
    out += shape * np.log(shape) - gammaln(shape)  # in differences, where the digits of a large shape are
    out -= np.log(y)
    return out


class Gamma(Distribution):
    """Gamma laws of given mean and dispersion: the shape is 1 / dispersion, eq. (gamma)."""

    names, neutral = ("expected", "dispersion"), (1.0, 1.0)

    @property
    def _shape(self):
        return 1.0 / self.dispersion

    def _x(self, y):
        return np.maximum(y, 0.0) / (self.expected * self.dispersion)

    def logpdf(self, y):
        shape, positive = self._shape, y > 0
        value = log_density(np.where(positive, y, 1.0), self.expected, self.dispersion)
        at_zero = np.where(shape < 1, np.inf, np.where(shape == 1, -np.log(self.expected), -np.inf))
        return np.where(positive, value, np.where(np.equal(y, 0), at_zero, -np.inf))

    def cdf(self, y):
        return gammainc(self._shape, self._x(y))

    def sf(self, y):
        return gammaincc(self._shape, self._x(y))

    def icdf(self, q):
        return self._full(self.expected * self.dispersion * gammaincinv(self._shape, q))

    def isf(self, q):
        return self._full(self.expected * self.dispersion * gammainccinv(self._shape, q))

    def mean(self):
        return self._full(self.expected)

    def variance(self):
        return self._full(self.dispersion * self.expected**2)

    def mode(self):
        return self._full(self.expected * np.maximum(1.0 - self.dispersion, 0.0))

    def support(self):
        return self._full(0.0), self._full(np.inf)

    def sample(self, rng):
        return rng.standard_gamma(self._full(self._shape)) * (self.expected * self.dispersion)

    def excess(self, y):
        x, shape = self._x(y), self._shape
        above = self.expected * gammaincc(shape + 1.0, x) - np.maximum(y, 0.0) * gammaincc(shape, x)
        return np.maximum(above, 0.0) + np.maximum(-y, 0.0)

    def pieces(self):
        return with_powers(super().pieces(), self.dispersion.max() > 0.5)

    def half_difference(self):
        return self._full(self.expected * self.dispersion * np.exp(-betaln(0.5, self._shape)))
