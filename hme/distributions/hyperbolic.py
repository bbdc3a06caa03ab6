"""The Laplace distribution with a rounded corner, which is hyperbolic."""

import numpy as np
from scipy.special import exp1, k0e, k1e

from .base import empty_for
from .roots import tail_roots
from .univariate import PIECES, Symmetric

__all__ = ["Hyperbolic", "length", "log_density", "ratio", "tail", "tail_quantile"]

SHARP = 1.0  # corners, in scales, up to which draws of a Laplace distribution are taken or refused
FAR = 1e100  # of a distance whose square is computed
NODES, NODE_WEIGHTS = np.polynomial.legendre.leggauss(32)


def length(square, corner):
    """sqrt(r^2 + corner^2) - corner of squared residuals, without cancellation."""
    return square / (np.sqrt(square + corner**2) + corner)


def log_density(length, scale, corner):
    """Log-density at residuals whose `length` is given, eq. (hyperbolic)."""
    out = np.divide(length, -scale, out=empty_for(length, scale, corner))
    out -= np.log(2.0 * corner * k1e(corner / scale))
    return out


def ratio(x):
    """K_0 / K_1, of modified Bessel functions."""
    return k0e(x) / k1e(x)


class Hyperbolic(Symmetric):
    """Laplace distributions whose corner is rounded: density exp(-sqrt(r^2 + corner^2) / scale), eq. (hyperbolic).

    The distribution function is eq. (hyperbolic-cdf).
    """

    names, neutral = ("center", "scale", "corner"), (0.0, 1.0, 1e-4)
    _x = property(lambda self: self.corner / self.scale)

    def _log_density(self, z):
        near = np.minimum(np.abs(z), FAR)
        return log_density(length(near**2, self._x) + (np.abs(z) - near), 1.0, self._x)

    def _below(self, z):
        upper = tail(np.abs(z), self._x)
        return np.where(z < 0, upper, 1.0 - upper)

    def _quantile(self, q):
        q, x = np.broadcast_arrays(q, self._x)  # no more of them than there are different ones
        away = tail_quantile(np.minimum(q, 1.0 - q), x)
        return np.where(q < 0.5, -away, away)

    def _variance(self):
        return 2.0 + self._x * ratio(self._x)

    def _draw(self, rng):
        x = np.broadcast_to(self._x, self.shape).ravel()
        z = np.empty(len(x))
        left = np.arange(len(x))  # to be drawn
        sharp = x <= SHARP
        if not sharp.all():
            left = np.flatnonzero(sharp)
            z[~sharp] = tail_quantile(0.5 * np.clip(rng.uniform(size=len(x) - len(left)), 1e-300, 1.0), x[~sharp])
        while len(left):  # a Laplace distribution is above the density, and near it
            far = rng.standard_exponential(len(left))
            kept = rng.standard_exponential(len(left)) > length(far**2, x[left]) + x[left] - far
            z[left[kept]] = far[kept]
            left = left[~kept]
        return np.where(rng.uniform(size=len(x)) < 0.5, -z, z).reshape(self.shape)

    def _excess(self, z):
        x, w = self._x, np.hypot(z, self._x)
        beyond = (1.0 + w) * np.exp(x - w) / (2.0 * x * k1e(x))
        return np.maximum(beyond - z * self._below(-z), 0.0)

    def _pieces(self):
        x = self._x[:, :, None]
        away = np.concatenate([x * np.array([1.0, 4.0, 16.0, 64.0]), x - np.log(2.0 * PIECES[::-1])], axis=2)
        away = np.sort(away, axis=2)
        return np.concatenate([-away[:, :, ::-1], np.zeros_like(x), away], axis=2)


def tail(z, x):
    """Probability that r / scale > z >= 0, with x = corner / scale, eq. (hyperbolic-cdf)."""
    w, scale = np.hypot(z, x), 2.0 * x * k1e(x)
    small = x <= 1.0
    out = _far_tail(w, np.minimum(x, 1.0), scale)
    near = np.broadcast_to((z < 4.0 * x) & small, out.shape)
    if near.any():  # half less the integral from the middle
        z_, x_, scale_ = (np.broadcast_to(a, out.shape)[near][:, None] for a in (z, x, scale))
        end = np.arcsinh(z_ / x_)
        t = 0.5 * end * (NODES + 1.0)
        value = np.exp(-2.0 * x_ * np.sinh(0.5 * t) ** 2) * np.cosh(t)
        out[near] = 0.5 - (0.5 * end * x_ / scale_)[:, 0] * (value @ NODE_WEIGHTS)
    if small.all():
        return out
    large = np.broadcast_to(~small, out.shape)
    out[large] = 0.0
    large = large & (w - x < 750.0)
    if large.any():  # the tail itself, as far as it counts
        z_, x_, w_, scale_ = (np.broadcast_to(a, out.shape)[large][:, None] for a in (z, x, w, scale))
        start = np.arcsinh(z_ / x_)
        excess = (w_ - x_ + 40.0) / x_
        end = np.log1p(excess + np.sqrt(excess * (excess + 2.0)))  # of which the hyperbolic cosine is 1 + excess
        t = start + 0.5 * (end - start) * (NODES + 1.0)
        value = np.exp(-2.0 * x_ * np.sinh(0.5 * t) ** 2) * np.cosh(t)
        out[large] = (0.5 * (end - start) * x_ / scale_)[:, 0] * (value @ NODE_WEIGHTS)
    return out


def _far_tail(w, x, scale):
    """The tail by powers of (x / w)^2, whose terms are exponential integrals of even order."""
    decay, ratio = np.exp(-w), (x / np.maximum(w, 4.0 * x)) ** 2
    total = decay.copy()
    largest = float(ratio.max(initial=0.0))
    if largest > 1e-17:
        integral, factor, bound = exp1(w), 1.0, 1.0
        for j in range(1, 13):
            if j > 1:
                integral = (decay - w * integral) / (2 * j - 2)
            integral = (decay - w * integral) / (2 * j - 1)
            factor, bound = factor * ratio * ((2 * j - 1) / (2 * j)), bound * largest
            total += factor * w * integral
            if bound < 1e-17:
                break
    total *= np.exp(x)
    total /= scale
    return total


def tail_quantile(p, x):
    """z >= 0 that r / scale exceeds with probability p <= 1/2."""
    shape, p, x = p.shape, p.ravel(), x.ravel()
    log_scale, far = np.log(2.0 * x * k1e(x)), np.maximum(-np.log(2.0 * np.maximum(p, 1e-320)), 0.0)
    far = np.sqrt(far * (far + 2.0 * x))  # the tail is no larger than exp(-length) / 2

    def terms(active, z):
        b = x[active]
        return tail(z, b), np.exp(-length(z**2, b) - log_scale[active])

    return tail_roots(terms, p, far, np.zeros_like(far), far * (1 + 1e-9), True, 1e-14).reshape(shape)
