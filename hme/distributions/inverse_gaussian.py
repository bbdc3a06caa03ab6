"""The inverse Gaussian distribution."""

import numpy as np
from scipy.special import erfcx, ndtr, ndtri

from .base import PIECES_Z, Distribution, empty_for, probit_root, with_powers

__all__ = ["InverseGaussian", "log_density"]


def log_density(y, mean, dispersion):
    """Log-density at y > 0 of the inverse Gaussian distribution of variance dispersion mean^3."""
    out = np.divide(y, mean, out=empty_for(y, mean, dispersion))
    out -= 1.0
    np.square(out, out=out)
    out /= y
    out *= -0.5 / dispersion
    out -= 1.5 * np.log(y)
    out -= 0.5 * np.log(2.0 * np.pi * dispersion)
    return out


class InverseGaussian(Distribution):
    """Inverse Gaussian laws of given mean and dispersion, eqs. (inverse-gaussian) and (inverse-gaussian-cdf)."""

    names, neutral = ("expected", "dispersion"), (1.0, 1.0)

    def logpdf(self, y):
        value = log_density(np.where(y > 0, y, 1.0), self.expected, self.dispersion)
        return np.where(y > 0, value, -np.inf)

    def _terms(self, y):
        """Standardised distances a and b, eq. (inverse-gaussian-cdf), of y > 0."""
        root = 1.0 / (np.sqrt(self.dispersion) * np.sqrt(y))
        ratio = y / self.expected
        return root * (ratio - 1.0), root * (ratio + 1.0)

    def cdf(self, y):
        a, b = self._terms(np.where(y > 0, y, 1.0))
        value = ndtr(a) + 0.5 * np.exp(-0.5 * a**2) * erfcx(b / np.sqrt(2.0))
        return np.where(y > 0, np.minimum(value, 1.0), 0.0)

    def sf(self, y):
        a, b = self._terms(np.where(y > 0, y, 1.0))
        other = 0.5 * np.exp(-0.5 * a**2) * erfcx(b / np.sqrt(2.0))
        return np.where(y > 0, np.maximum(ndtr(-a) - other, 0.0), 1.0)

    def _at(self, z):
        """Where a is z: near the quantile of probability ndtr(z)."""
        step = 0.5 * z * np.sqrt(self.dispersion * self.expected)
        # t - 1 / t = 2 step, without cancellation
        t = np.where(step >= 0, step + np.hypot(step, 1.0), 1.0 / (np.hypot(step, 1.0) - step))
        return self.expected * t**2

    def icdf(self, q):
        return probit_root(self.cdf, self.pdf, self._full(q), self._full(self._at(ndtri(q))), 1.0)

    def isf(self, q):
        return probit_root(self.sf, self.pdf, self._full(q), self._full(self._at(-ndtri(q))), -1.0)

    def mean(self):
        return self._full(self.expected)

    def variance(self):
        return self._full(self.dispersion * self.expected**3)

    def mode(self):
        half = 1.5 * self.dispersion * self.expected
        return self._full(self.expected / (np.hypot(half, 1.0) + half))

    def support(self):
        return self._full(0.0), self._full(np.inf)

    def sample(self, rng):
        return rng.wald(self._full(self.expected), self._full(1.0 / self.dispersion))

    def excess(self, y):
        safe = np.where(y > 0, y, 1.0)
        a, b = self._terms(safe)
        other = 0.5 * np.exp(-0.5 * a**2) * erfcx(b / np.sqrt(2.0))
        above = (self.expected - safe) * ndtr(-a) + (self.expected + safe) * other
        return np.where(y > 0, np.maximum(above, 0.0), self.expected - y)

    def pieces(self):
        points = np.stack([self._full(self._at(z)) for z in (*PIECES_Z, 0.0, *-PIECES_Z[::-1])], axis=2)
        return with_powers(points, (self.dispersion * self.expected).max(initial=0.0) > 0.1)
