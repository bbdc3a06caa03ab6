"""The Laplace distribution with a rounded corner, which is hyperbolic."""

import numpy as np
from scipy.special import exp1, k0e, k1e

from .base import LOG_STEPS, PIECES, Distribution, empty_for

__all__ = ["Hyperbolic", "length", "log_density", "ratio"]

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


class Hyperbolic(Distribution):
    """Laplace laws whose corner is rounded: density exp(-sqrt(r^2 + corner^2) / scale), normalised, eq. (hyperbolic).

    The distribution function is eq. (hyperbolic-cdf).
    """

    names, neutral = ("center", "scale", "corner"), (0.0, 1.0, 1e-4)

    def _z(self, y):
        return (y - self.center) / self.scale

    def logpdf(self, y):
        r = np.abs(y - self.center)
        near = np.minimum(r, FAR)
        return log_density(length(near**2, self.corner) + (r - near), self.scale, self.corner)

    def cdf(self, y):
        z = self._z(y)
        upper = hyperbolic_tail(np.abs(z), self.corner / self.scale)
        return np.where(z < 0, upper, 1.0 - upper)

    def sf(self, y):
        z = self._z(y)
        upper = hyperbolic_tail(np.abs(z), self.corner / self.scale)
        return np.where(z > 0, upper, 1.0 - upper)

    def icdf(self, q):
        q, x = np.broadcast_arrays(q, self.corner / self.scale)  # no more of them than there are different ones
        away = hyperbolic_isf(np.minimum(q, 1.0 - q), x)
        return self._full(self.center + self.scale * np.where(q < 0.5, -away, away))

    def isf(self, q):
        return 2.0 * self.center - self.icdf(q)

    def mean(self):
        return self._full(self.center)

    def variance(self):
        x = self.corner / self.scale
        return self._full(2.0 * self.scale**2 + self.corner * self.scale * ratio(x))

    def mode(self):
        return self._full(self.center)

    def sample(self, rng):
        # A normal law whose variance is generalised inverse Gaussian would do; the quantile of a uniform number does.
        return self.icdf(np.clip(rng.uniform(size=self.shape), 1e-300, 1.0 - 1e-16))

    def excess(self, y):
        r = y - self.center
        x, w = self.corner / self.scale, np.hypot(r, self.corner) / self.scale
        beyond = (1.0 + w) * np.exp(x - w) / (2.0 * x * k1e(x))
        return np.maximum(self.scale * beyond - r * self.sf(y), 0.0)

    def shortfall(self, y):
        return self.excess(2.0 * self.center - y)

    def pieces(self):
        near = np.array([1.0, 4.0, 16.0, 64.0])
        far = -np.log(2.0 * PIECES[::-1])
        x = (self.corner / self.scale)[:, :, None]
        away = np.sort(np.concatenate([x * near, x + far], axis=2), axis=2)
        away = np.concatenate([-away[:, :, ::-1], np.zeros_like(x), away], axis=2)
        return self._full(self.center)[:, :, None] + self.scale[:, :, None] * away


def hyperbolic_tail(z, x):
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


def hyperbolic_isf(p, x):
    """z >= 0 that r / scale exceeds with probability p <= 1/2: Newton's steps on the logarithm, which is concave."""
    target = np.log(np.maximum(p, 1e-320))
    z = np.maximum(-target - np.log(2.0), 0.0)
    log_scale = np.log(2.0 * x * k1e(x))
    active = np.ones(z.shape, dtype=bool)
    for _ in range(LOG_STEPS):
        now, b = z[active], x[active]
        tail = np.maximum(hyperbolic_tail(now, b), 1e-320)
        length = now**2 / (np.hypot(now, b) + b)
        slope = np.exp(-length - log_scale[active] - np.log(tail))
        new = np.maximum(now + (np.log(tail) - target[active]) / slope, 0.0)
        z[active] = new
        moving = np.abs(new - now) > 1e-9 * (now + b)  # the step that follows would be too small to count
        active[active] = moving
        if not active.any():
            break
    return z
