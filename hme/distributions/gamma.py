"""The gamma distribution."""

import numpy as np
from scipy.special import betaln, gammainc, gammaincc, gammainccinv, gammaincinv, gammaln

from ..numerics.stirling import log_gamma_rest, log_ratio_rest
from .univariate import Positive

__all__ = ["Gamma", "log_density"]


def log_density(y, mean, dispersion):
    """Log-density at y > 0 of the gamma distribution of shape 1 / dispersion, eqs. (gamma), (saddle-point)."""
    shape = 1.0 / dispersion
    out = shape * log_ratio_rest(y, mean)
    out += 0.5 * np.log(shape / (2.0 * np.pi)) - log_gamma_rest(shape)
    out -= np.log(y)
    return out


class Gamma(Positive):
    """Gamma distributions of given mean and dispersion: the shape is 1 / dispersion, eq. (gamma)."""

    power, log_density = 2.0, staticmethod(log_density)
    _shape = property(lambda self: 1.0 / self.dispersion)
    _scale = property(lambda self: self.expected * self.dispersion)

    def _at_zero(self):
        return np.where(self._shape < 1, np.inf, np.where(self._shape == 1, -np.log(self.expected), -np.inf))

    def _cdf(self, y):
        return self._below(gammainc, y, np.exp)

    def _sf(self, y):
        return self._below(gammaincc, y, lambda log_share: -np.expm1(log_share))

    def _below(self, function, y, near_zero):
        """A function of shape and size; near zero, where the size may be out of range, one of the log of the share."""
        size, shape = y / self._scale, self._shape
        low = np.less(size, np.finfo(float).tiny)
        if not low.any():
            return function(shape, size)
        log_size = np.log(y) - np.log(self.expected) - np.log(self.dispersion)
        log_share = np.where(low, np.minimum(shape * log_size - gammaln(shape + 1.0), 0.0), 0.0)
        return np.where(low, near_zero(log_share), function(shape, size))

    def icdf(self, q):
        return self._full(self._scale * gammaincinv(self._shape, q))

    def isf(self, q):
        return self._full(self._scale * gammainccinv(self._shape, q))

    def mode(self):
        return self._full(self.expected * np.maximum(1.0 - self.dispersion, 0.0))

    def sample(self, rng):
        return rng.standard_gamma(self._full(self._shape)) * self._scale

    def _excess(self, y):
        return self.expected * gammaincc(self._shape + 1.0, y / self._scale) - y * self._sf(y)

    def pieces(self):
        return self._with_powers(super().pieces(), self.dispersion.max() > 0.5)

    def half_difference(self):
        return self._full(self._scale * np.exp(-betaln(0.5, self._shape)))
