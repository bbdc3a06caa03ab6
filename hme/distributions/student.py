"""Student's t distribution, with everything by inverse = 1 / df, in which it is smooth up to the normal one at 0."""

import numpy as np
from scipy.special import gammaln, polygamma, psi, stdtr, stdtrit

from .base import LARGEST_LOG, LOG_SQRT_2PI, PIECES, RATIO, Distribution, empty_for

__all__ = ["Student", "constant_derivatives", "log_constant", "log_density"]

FAR = 1e100  # distance at which Student's tail is a power, to all digits
SERIES_BELOW = 1.0 / 30.0  # of 1 / df: differences of gamma functions lose their digits there, their series does not


def log_density(square, variance, df):
    """Log-density at squared residuals, eq. (t-constant); `variance` is the squared scale."""
    inverse = 1.0 / df
    out = np.multiply(square, inverse / variance, out=empty_for(square, variance, df))
    np.log1p(out, out=out)
    out *= -0.5 * (df + 1.0)
    out += log_constant(inverse) - 0.5 * np.log(variance)
    return out


def log_constant(inverse):
    """log of the density of the standard t at 0 by inverse = 1 / df, eq. (t-constant)."""
    df = 1.0 / np.maximum(inverse, SERIES_BELOW)
    exact = gammaln((df + 1.0) / 2.0) - gammaln(df / 2.0) - 0.5 * np.log(np.pi * df)
    i, i2 = inverse, inverse**2
    series = -LOG_SQRT_2PI - i * (1 / 4 - i2 * (1 / 24 - i2 * (1 / 20 - i2 * (17 / 112 - i2 * 31 / 36))))
    return np.where(inverse < SERIES_BELOW, series, exact)


def constant_derivatives(inverse):
    """First and second derivative of `log_constant` by `inverse`."""
    df = 1.0 / np.maximum(inverse, SERIES_BELOW)
    upper, lower = (df + 1.0) / 2.0, df / 2.0
    slope = 0.5 * (psi(upper) - psi(lower) - 1.0 / df)  # by df
    second = 0.25 * (polygamma(1, upper) - polygamma(1, lower)) + 0.5 / df**2
    exact = -(df**2) * slope, df**3 * (2.0 * slope + df * second)
    i, i2 = inverse, inverse**2
    series = (
        -1 / 4 + i2 * (1 / 8 - i2 * (1 / 4 - i2 * (17 / 16 - i2 * 31 / 4))),
        i * (1 / 4 - i2 * (1 - i2 * (51 / 8 - i2 * 62))),
    )
    return tuple(np.where(inverse < SERIES_BELOW, s, e) for s, e in zip(series, exact, strict=True))


class Student(Distribution):
    """Student laws: center + scale t, with df degrees of freedom."""

    names, neutral = ("df", "center", "scale"), (4.0, 0.0, 1.0)

    def _z(self, y):
        return (y - self.center) / self.scale

    def logpdf(self, y):
        z = np.abs(self._z(y))
        far = np.maximum(z / FAR, 1.0)  # a power beyond
        return log_density(np.minimum(z, FAR) ** 2, 1.0, self.df) - (self.df + 1.0) * np.log(far) - np.log(self.scale)

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
        return log_constant(1.0 / self.df) + 0.5 * (self.df - 1.0) * np.log(self.df)

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
        density = np.exp(log_constant(1.0 / self.df) - 0.5 * (self.df - 1.0) * np.log1p(z**2 / self.df))
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
        constants = 2.0 * log_constant(1.0 / df) - log_constant(1.0 / (2.0 * df - 1.0))
        value = 2.0 * self.scale * df / (df - 1.0) * np.exp(constants) * np.sqrt(df / (2.0 * df - 1.0))
        return self._full(np.where(self.df > 1.0, value, np.inf))
