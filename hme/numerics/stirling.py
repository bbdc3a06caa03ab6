"""Logarithms near one and gamma functions of large numbers, without the differences in which their digits are lost.

Log-likelihoods of counts and of positive numbers are small differences of large terms where counts are large or spreads
small. The terms are subtracted here on paper, eqs. (stirling) and (saddle-point).
"""

from math import factorial

import numpy as np
from scipy.special import digamma, gammaln, polygamma

__all__ = [
    "digamma_rest",
    "exp_rest",
    "half_deviance",
    "log1p_rest",
    "log_gamma_rest",
    "log_ratio_rest",
    "trigamma_rest",
]

FROM = 15.0  # the series of Stirling's formula have all digits from here on
NEAR = 0.1  # beyond this, a difference of logarithm and argument loses one digit and no more
# Coefficients of the series in powers of 1 / z^2, of atanh(r) / r^3 - 1 / r^2 in powers of r^2, and of the exponential.
LOG_GAMMA = [1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360]
DIGAMMA = [-1 / 12, 1 / 120, -1 / 252, 1 / 240, -1 / 132, 691 / 32760]
TRIGAMMA = [1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730]
ATANH = [1 / (2 * j + 3) for j in range(6)]
EXP = [1 / factorial(j + 2) for j in range(9)]


def log1p_rest(u):
    """log(1 + u) - u, for u > -1."""
    with np.errstate(divide="ignore"):
        return _where_near(u, _near_one, lambda: np.log1p(u) - u)


def exp_rest(x):
    """exp(x) - 1 - x."""
    return _where_near(x, lambda few: few**2 * _horner(few, EXP), lambda: np.expm1(x) - x)


def log_ratio_rest(y, mean, difference=None):
    """log(y / mean) - (y / mean - 1) of positive numbers: minus half the unit deviance of the gamma distribution.

    `difference` is y - mean, if it is known better than by subtraction.
    """
    u = (y - mean if difference is None else difference) / mean
    return _where_near(u, _near_one, lambda: np.log(y / mean) - u)


def half_deviance(y, log_mean, excess):
    """y log(y / mean) - y + mean, half the unit deviance of the Poisson distribution, eq. (saddle-point).

    Parameters
    ----------
    y : ndarray
        Positive numbers.
    log_mean : ndarray
        The logarithm of the mean.
    excess : ndarray
        The mean minus y.
    """
    return _where_near(excess / y, lambda w: -y * _near_one(w), lambda: y * (np.log(y) - log_mean) + excess)


def _where_near(u, near, far):
    """near(u) where u is close to zero, and far() elsewhere."""
    u = np.asarray(u, dtype=float)
    close = np.abs(u) < NEAR
    if close.all():
        return near(u)
    return np.where(close, near(np.where(close, u, 0.0)), far()) if close.any() else far()


def _near_one(u):
    """log(1 + u) - u for small u: log(1 + u) is 2 atanh(r), and u is 2 r / (1 - r)."""
    r = u / (2.0 + u)
    square = r * r
    out = _horner(square, ATANH)
    out *= 2.0 * square
    out -= u
    out *= r
    return out


def _horner(x, coefficients):
    """A polynomial, from the coefficients of its rising powers."""
    out = np.full_like(x, coefficients[-1])
    for c in reversed(coefficients[:-1]):
        out *= x
        out += c
    return out


def log_gamma_rest(z):
    """The remainder of Stirling's formula, log Gamma(z) - (z - 1/2) log z + z - log(2 pi) / 2, eq. (stirling)."""
    return _rest(z, LOG_GAMMA, 1, lambda x: gammaln(x) - (x - 0.5) * np.log(x) + x - 0.5 * np.log(2.0 * np.pi))


def digamma_rest(z):
    """The derivative of `log_gamma_rest`, psi(z) - log z + 1 / (2 z)."""
    return _rest(z, DIGAMMA, 2, lambda x: digamma(x) - np.log(x) + 0.5 / x)


def trigamma_rest(z):
    """The second derivative of `log_gamma_rest`, psi'(z) - 1 / z - 1 / (2 z^2)."""
    return _rest(z, TRIGAMMA, 3, lambda x: polygamma(1, x) - 1.0 / x - 0.5 / x**2)


def _rest(z, series, power, exact):
    """A series in 1 / z^2 times z^-power where z is large, and elsewhere `exact`."""
    z = np.asarray(z, dtype=float)
    large = z >= FROM
    inverse = 1.0 / np.where(large, z, FROM)
    value = inverse**power * _horner(inverse**2, series)
    return value if large.all() else np.where(large, value, exact(np.where(large, 1.0, z)))
