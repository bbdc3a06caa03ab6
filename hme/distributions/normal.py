"""The normal law."""

import numpy as np
from scipy.special import log_ndtr, ndtr, ndtri

from .base import LOG_SQRT_2PI, PIECES_Z, Distribution

__all__ = ["Normal"]


class Normal(Distribution):
    """Normal laws of given center and scale, the standard deviation."""

    names, neutral = ("center", "scale"), (0.0, 1.0)

    def _z(self, y):
        return (y - self.center) / self.scale

    def logpdf(self, y):
        return -0.5 * self._z(y) ** 2 - (np.log(self.scale) + LOG_SQRT_2PI)

    def pdf(self, y):
        z = self._z(y)
        z *= z
        z *= -0.5
        np.exp(z, out=z)
        z /= self.scale * np.sqrt(2.0 * np.pi)
        return z

    def cdf(self, y):
        z = self._z(y)
        return ndtr(z, out=z)

    def sf(self, y):
        z = self._z(y)
        np.negative(z, out=z)
        return ndtr(z, out=z)

    def logcdf(self, y):
        return log_ndtr(self._z(y))

    def logsf(self, y):
        return log_ndtr(-self._z(y))

    def icdf(self, q):
        return self._full(self.center + self.scale * ndtri(q))

    def isf(self, q):
        return self._full(self.center - self.scale * ndtri(q))

    def mean(self):
        return self._full(self.center)

    def variance(self):
        return self._full(self.scale**2)

    def mode(self):
        return self.mean()

    def sample(self, rng):
        return self.center + self.scale * rng.standard_normal(self.shape)

    def excess(self, y):
        z = self._z(y)
        return self.scale * np.maximum(np.exp(-0.5 * z**2 - LOG_SQRT_2PI) - z * ndtr(-z), 0.0)

    def shortfall(self, y):
        return self.excess(2.0 * self.center - y)

    def half_difference(self):
        return self._full(self.scale / np.sqrt(np.pi))

    def pieces(self):
        z = np.concatenate([PIECES_Z, [0.0], -PIECES_Z[::-1]])
        return self._full(self.center)[:, :, None] + self.scale[:, :, None] * z
