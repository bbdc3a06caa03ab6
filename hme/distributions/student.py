"""Student's law."""

import numpy as np
from scipy.special import gammaln, stdtr, stdtrit

from .base import LARGE, LARGEST_LOG, LOG_SQRT_2PI, PIECES, RATIO, Distribution

__all__ = ["Student"]

FAR = 1e100  # distance at which Student's tail is a power, to all digits


class Student(Distribution):
    """Student laws: center + scale t, with df degrees of freedom."""

    names, neutral = ("df", "center", "scale"), (4.0, 0.0, 1.0)

    def _z(self, y):
        return (y - self.center) / self.scale

    def logpdf(self, y):
        z = self._z(y)
        far = np.abs(z) > FAR
        tail = np.log1p(np.where(far, 0.0, z) ** 2 / self.df)
        if far.any():
            tail = np.where(far, 2.0 * np.log(np.where(far, np.abs(z), 1.0)) - np.log(self.df), tail)
        tail *= -0.5 * (self.df + 1.0)
        tail += _student_constant(self.df) - np.log(self.scale)
        return tail

    def cdf(self, y):
        return self._below(self._z(y))

    def sf(self, y):
        return self._below(-self._z(y))

    def _below(self, z):
        far = z < -FAR  # a power, whose square would be out of range
        if not far.any():
            return stdtr(self.df, z)
        power = np.exp(self._log_power() - self.df * np.log(np.where(far, -z, 1.0)))
        return np.where(far, power, stdtr(self.df, np.where(far, 0.0, z)))

    def _log_power(self):
        """Logarithm of the tail times the distance to the power df, far away."""
        return _student_constant(self.df) + 0.5 * (self.df - 1.0) * np.log(self.df)

    def _quantile(self, q):
        z = stdtrit(self.df, q)
        far = np.abs(z) > FAR
        if not far.any():
            return z
        tail = np.maximum(np.minimum(q, 1.0 - np.asarray(q)), 5e-324)
        power = np.exp(np.minimum((self._log_power() - np.log(tail)) / self.df, LARGEST_LOG))
        return np.where(far, np.copysign(power, z), z)

    def icdf(self, q):
        return self._full(self.center + self.scale * self._quantile(q))

    def isf(self, q):
        return self._full(self.center - self.scale * self._quantile(q))

    def mean(self):
        # Without a first moment the location stands for it, as in `predict`.
        return self._full(self.center)

    def variance(self):
        ratio = np.divide(self.df, self.df - 2.0, out=np.full_like(self.df, np.inf), where=self.df > 2.0)
        return self._full(self.scale**2 * ratio)

    def mode(self):
        return self._full(self.center)

    def sample(self, rng):
        return self.center + self.scale * rng.standard_t(self._full(self.df))

    def excess(self, y):
        z = self._z(y)
        density = np.exp(_student_constant(self.df) - 0.5 * (self.df - 1.0) * np.log1p(z**2 / self.df))
        with np.errstate(all="ignore"):
            value = self.scale * np.maximum(density * self.df / (self.df - 1.0) - z * stdtr(self.df, -z), 0.0)
        return np.where(self.df > 1.0, value, np.inf)

    def shortfall(self, y):
        return self.excess(2.0 * self.center - y)

    def pieces(self):
        # Powers: no piece may be long for its distance from the center.
        farthest = np.exp(min(-np.log(PIECES[0]) / self.df.min(), 690.0))
        near = np.array([0.25, 0.5, 1.0, 1.5, 2.2, 3.2, 4.6, 6.5, 9.0, 13.0])
        far = near[-1] * RATIO ** np.arange(1.0, max(np.log(farthest / near[-1]) / np.log(RATIO), 0.0) + 1.0)
        away = np.concatenate([near, far])
        away = np.concatenate([-away[::-1], [0.0], away])
        return self._full(self.center)[:, :, None] + self.scale[:, :, None] * away

    def half_difference(self):
        df = np.maximum(self.df, 1.0 + 1e-12)
        # Beta functions of one half are constants of densities, which keep their digits.
        constants = 2.0 * _student_constant(df) - _student_constant(2.0 * df - 1.0)
        value = 2.0 * self.scale * df / (df - 1.0) * np.exp(constants) * np.sqrt(df / (2.0 * df - 1.0))
        return self._full(np.where(self.df > 1.0, value, np.inf))


def _student_constant(df):
    """log of the density of t at zero, eq. (t-constant)."""
    i = 1.0 / df
    i2, few = i * i, np.minimum(df, 2.0 * LARGE)
    exact = gammaln((few + 1.0) / 2.0) - gammaln(few / 2.0) - 0.5 * np.log(np.pi * few)
    series = -LOG_SQRT_2PI - i * (1 / 4 - i2 * (1 / 24 - i2 * (1 / 20 - i2 * (17 / 112 - i2 * 31 / 36))))
    return np.where(df > 2.0 * LARGE, series, exact)
