"""Laws of positive numbers: gamma and inverse Gaussian."""

import numpy as np
from scipy.special import betaln, erfcx, gammainc, gammaincc, gammainccinv, gammaincinv, gammaln, ndtr, ndtri

from .base import LOG_SQRT_2PI, PIECES_Z, Distribution, probit_root, with_powers

__all__ = ["Gamma", "InverseGaussian"]


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
        ratio = np.where(positive, y, 1.0) / self.expected
        # In differences, where the digits of a large shape are.
        value = shape * (np.log(ratio) - ratio) + (shape * np.log(shape) - gammaln(shape))
        value = value - np.log(np.where(positive, y, 1.0))
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


class InverseGaussian(Distribution):
    """Inverse Gaussian laws of given mean and dispersion, eqs. (inverse-gaussian) and (inverse-gaussian-cdf)."""

    names, neutral = ("expected", "dispersion"), (1.0, 1.0)

    def logpdf(self, y):
        safe = np.where(y > 0, y, 1.0)
        deviance = (safe / self.expected - 1.0) ** 2 / safe
        value = -0.5 * deviance / self.dispersion - 1.5 * np.log(safe) - 0.5 * np.log(self.dispersion) - LOG_SQRT_2PI
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
