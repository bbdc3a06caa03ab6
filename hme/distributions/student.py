"""Student's t distribution, its constant by inverse = 1 / df, in which it is smooth up to the normal one at 0."""

import numpy as np
from scipy.special import polygamma, psi, stdtr, stdtrit

from ..numerics.stirling import log1p_rest, log_gamma_rest
from .univariate import LOG_SQRT_2PI, PIECES, RATIO, Symmetric

__all__ = ["Student", "constant_derivatives", "log_constant", "log_density"]

# Distance from which the tail is a power, to all digits; logarithm of a quantile in scales that is not out of range.
FAR, LARGEST_LOG = 1e100, 650.0
NEAR = np.array([0.25, 0.5, 1.0, 1.5, 2.2, 3.2, 4.6, 6.5, 9.0, 13.0])  # pieces where the tail is no power yet
SERIES_BELOW = 1.0 / 30.0  # of 1 / df: differences of polygamma functions lose their digits there


def log_density(square, variance, df):
    """Log-density at squared residuals, eq. (t-constant); `variance` is the squared scale."""
    inverse = 1.0 / df
    out = np.log1p(square * (inverse / variance))
    out *= -0.5 * (df + 1.0)
    out += log_constant(inverse) - 0.5 * np.log(variance)
    return out


def log_constant(inverse):
    """log of the density of the standard t at 0 by inverse = 1 / df, eqs. (t-constant), (t-constant-rest)."""
    df = 1.0 / np.maximum(inverse, np.finfo(float).tiny)
    rest = log_gamma_rest(0.5 * df + 0.5) - log_gamma_rest(0.5 * df)
    return rest + 0.5 * df * log1p_rest(1.0 / df) - LOG_SQRT_2PI


def constant_derivatives(inverse):
    """First and second derivative of `log_constant` by `inverse`."""
    df, i, i2, small = 1.0 / np.maximum(inverse, SERIES_BELOW), inverse, inverse**2, inverse < SERIES_BELOW
    slope = 0.5 * (psi((df + 1.0) / 2.0) - psi(df / 2.0) - 1.0 / df)  # by df
    bend = 0.25 * (polygamma(1, (df + 1.0) / 2.0) - polygamma(1, df / 2.0)) + 0.5 / df**2
    first = -1 / 4 + i2 * (1 / 8 - i2 * (1 / 4 - i2 * (17 / 16 - i2 * 31 / 4)))
    second = i * (1 / 4 - i2 * (1 - i2 * (51 / 8 - i2 * 62)))
    return np.where(small, first, -(df**2) * slope), np.where(small, second, df**3 * (2.0 * slope + df * bend))


class Student(Symmetric):
    """Student distributions: center + scale t, with df degrees of freedom.

    The center stands for the mean where there is none, as in `predict`.
    """

    names, neutral = ("df", "center", "scale"), (4.0, 0.0, 1.0)

    def lightened(self, least_df):
        return self._new([np.maximum(self.df, least_df), self.center, self.scale], self.shape[0])

    def _log_density(self, z):
        value, z = log_density(np.minimum(np.abs(z), FAR) ** 2, 1.0, self.df), np.abs(z) / FAR
        return value if (z < 1.0).all() else value - (self.df + 1.0) * np.log(np.maximum(z, 1.0))

    def _below(self, z):
        value = stdtr(self.df, np.maximum(z, -FAR))
        if (z > -FAR).all():
            return value
        return np.where(z > -FAR, value, np.exp(self._log_power() - self.df * np.log(np.maximum(-z, FAR))))

    def _log_power(self):
        """Logarithm of the tail times the distance to the power df, far away."""
        return log_constant(1.0 / self.df) + 0.5 * (self.df - 1.0) * np.log(self.df)

    def _quantile(self, q):
        z, log_tail = stdtrit(self.df, q), np.log(np.maximum(np.minimum(q, 1.0 - np.asarray(q)), 5e-324))
        power = np.exp(np.minimum((self._log_power() - log_tail) / self.df, LARGEST_LOG))
        return np.where(np.abs(z) > FAR, np.copysign(power, z), z)

    def has_mean(self):
        return self._full(self.df > 1.0)

    def _variance(self):
        return np.divide(self.df, self.df - 2.0, out=np.full_like(self.df, np.inf), where=self.df > 2.0)

    def _draw(self, rng):
        return rng.standard_t(self._full(self.df))

    def _excess(self, z):
        density = np.exp(log_constant(1.0 / self.df) - 0.5 * (self.df - 1.0) * np.log1p(z**2 / self.df))
        with np.errstate(all="ignore"):
            value = np.maximum(density * self.df / (self.df - 1.0) - z * stdtr(self.df, -z), 0.0)
        return np.where(self.df > 1.0, value, np.inf)

    def _half_difference(self):
        # Beta functions of one half are constants of densities, which keep their digits.
        df = np.maximum(self.df, 1.0 + 1e-12)
        constants = 2.0 * log_constant(1.0 / df) - log_constant(1.0 / (2.0 * df - 1.0))
        value = df / (df - 1.0) * np.exp(constants) * np.sqrt(4.0 * df / (2.0 * df - 1.0))
        return np.where(self.df > 1.0, value, np.inf)

    def _pieces(self):
        # Powers: no piece may be long for its distance from the center.
        farthest = np.exp(min(-np.log(PIECES[0]) / self.df.min(), 690.0)) / NEAR[-1]
        away = np.append(NEAR, NEAR[-1] * RATIO ** np.arange(1.0, max(np.log(farthest) / np.log(RATIO), 0.0) + 1.0))
        return np.concatenate([-away[::-1], [0.0], away])
