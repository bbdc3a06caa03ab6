"""Logarithms near one and gamma functions of large numbers, without the differences in which their digits are lost.

Log-likelihoods of counts and of positive numbers are small differences of large terms where counts are large or spreads
small. The terms are subtracted here on paper, eqs. (stirling) and (saddle-point).
"""

from math import factorial

import numpy as np
from numpy.polynomial.polynomial import polyval
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
NEAR = 0.3  # beyond this, a difference of logarithm and argument keeps its digits
# Coefficients of the series in powers of 1 / z^2, and of atanh(r) / r^3 - 1 / r^2 in powers of r^2.
LOG_GAMMA = [1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360]
DIGAMMA = [-1 / 12, 1 / 120, -1 / 252, 1 / 240, -1 / 132, 691 / 32760]
TRIGAMMA = [1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730]
ATANH = [1 / (2 * j + 3) for j in range(12)]
EXP = [1 / factorial(j + 2) for j in range(12)]


def log1p_rest(u):
    """log(1 + u) - u, for u > -1."""
    u = np.asarray(u, dtype=float)
    near = np.abs(u) < NEAR
    few = np.where(near, u, 0.0)
    r = few / (2.0 + few)  # log(1 + u) = 2 atanh(r), and u = 2 r / (1 - r)
    series = r * (2.0 * r**2 * polyval(r**2, ATANH) - few)
    if near.all():
        return series
    with np.errstate(divide="ignore"):
        return np.where(near, series, np.log1p(u) - u)


def exp_rest(x):
    """exp(x) - 1 - x."""
    x = np.asarray(x, dtype=float)
    near = np.abs(x) < NEAR
    few = np.where(near, x, 0.0)
    series = few**2 * polyval(few, EXP)
    return series if near.all() else np.where(near, series, np.expm1(x) - x)


def log_ratio_rest(y, mean):
    """log(y / mean) - (y / mean - 1) of positive numbers: minus half the unit deviance of the gamma distribution."""
    u = (y - mean) / mean
    near = np.abs(u) < NEAR
    return np.where(near, log1p_rest(np.where(near, u, 0.0)), np.log(y) - np.log(mean) - u)


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
    w = excess / y
    near = np.abs(w) < NEAR
    return np.where(near, -y * log1p_rest(np.where(near, w, 0.0)), y * (np.log(y) - log_mean) + excess)


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
    value = inverse**power * polyval(inverse**2, series)
    return value if large.all() else np.where(large, value, exact(np.where(large, 1.0, z)))
