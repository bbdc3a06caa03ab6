"""The normal distribution."""

import numpy as np
from scipy.special import log_ndtr, ndtr, ndtri

from ..numerics.engine import twinned
from ..numerics.systems import whitener
from .univariate import LOG_SQRT_2PI, PIECES_Z, Symmetric

__all__ = ["Normal", "gaussian_log_density", "log_density", "log_density_white"]

UNIT = np.ones((1, 1))  # variance of a standard normal output


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


@twinned
def gaussian_log_density(y, eta, variance):
    """`log_density` of targets y (n, 1, T) around means eta (n, K, T), which are overwritten."""
    return log_density(np.subtract(eta, y, out=eta), variance)


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


class Normal(Symmetric):
    """Normal distributions of given center and scale, the standard deviation."""

    names, neutral = ("center", "scale"), (0.0, 1.0)

    def _log_density(self, z):
        return log_density(z[:, :, None], UNIT)

    def pdf(self, y):
        z = self._z(y)
        z *= z
        z *= -0.5
        np.exp(z, out=z)
        z /= self.scale * np.sqrt(2.0 * np.pi)
        return z

    def _below(self, z):
        return ndtr(z, out=z)

    def logcdf(self, y):
        return log_ndtr(self._z(y))

    def logsf(self, y):
        return log_ndtr(-self._z(y))

    def _quantile(self, q):
        return ndtri(q)

    def _variance(self):
        return 1.0

    def _draw(self, rng):
        return rng.standard_normal(self.shape)

    def _excess(self, z):
        return np.maximum(np.exp(-0.5 * z**2 - LOG_SQRT_2PI) - z * ndtr(-z), 0.0)

    def _half_difference(self):
        return 1.0 / np.sqrt(np.pi)

    def half_difference_of_mixture(self, weights):
        """The second part of eq. (crps)."""
        out, variance = 0.0, self.scale**2
        for j in range(self.shape[1]):
            scale = np.sqrt(variance[:, [j]] + variance[:, j:])
            distance = self.center[:, [j]] - self.center[:, j:]
            z = distance / scale
            part = scale * np.sqrt(2.0 / np.pi) * np.exp(-0.5 * z**2) + distance * (2.0 * ndtr(z) - 1.0)
            part = weights[:, [j]] * weights[:, j:] * part
            out = out + 0.5 * part[:, 0] + part[:, 1:].sum(axis=1)
        return out

    def _pieces(self):
        return np.concatenate([PIECES_Z, [0.0], -PIECES_Z[::-1]])
