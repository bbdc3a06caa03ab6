"""The normal distribution."""

import numpy as np
from scipy.special import log_ndtr, ndtr, ndtri

from ..numerics.kernels import whitener
from .base import LOG_SQRT_2PI, PIECES_Z, Distribution

__all__ = ["Normal", "log_density", "log_density_white"]


def log_density(residual, variance):
    """Log-density (n, K) of the residuals of T outputs, eq. (expert-density).

    Parameters
    ----------
    residual : ndarray of shape (n, K, T)
        Overwritten; fast where every (n, K) part is stored column by column.
    variance : ndarray of shape (K, T) or (K, T, T)
        Variances of the outputs, or covariance matrices.
    """
    if variance.ndim == 3:
        return log_density_white(residual, whitener(variance))
    np.square(residual, out=residual)
    residual *= -0.5 / variance
    out = residual[:, :, 0] if residual.shape[2] == 1 else residual.sum(axis=2)
    out -= 0.5 * np.log(2.0 * np.pi * variance).sum(axis=1)
    return out


def log_density_white(residual, root):
    """`log_density` from the triangular roots (..., T, T) of the inverse covariances, as `whitener` gives them."""
    n_outputs = residual.shape[2]
    for t in reversed(range(n_outputs)):  # the root is lower triangular: what comes later is not needed any more
        term = residual[:, :, t]
        term *= root[..., t, t]
        for s in range(t):
            term += residual[:, :, s] * root[..., t, s]
    np.square(residual, out=residual)
    out = residual.sum(axis=2)
    out *= -0.5
    out += np.log(np.diagonal(root, axis1=-2, axis2=-1)).sum(axis=-1) - n_outputs * LOG_SQRT_2PI
    return out


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
