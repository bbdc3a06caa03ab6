"""The inverse Gaussian distribution."""

import numpy as np
from scipy.special import erfcx, ndtr, ndtri

from .base import empty_for
from .roots import tail_roots
from .univariate import PIECES_Z, Positive

__all__ = ["InverseGaussian", "log_density"]


def log_density(y, mean, dispersion):
    """Log-density at y > 0 of the inverse Gaussian distribution of variance dispersion mean^3."""
    out = np.subtract(y, mean, out=empty_for(y, mean, dispersion))  # exact where they are close
    out /= mean
    np.square(out, out=out)
    out /= y
    out *= -0.5 / dispersion
    out -= 1.5 * np.log(y)
    out -= 0.5 * np.log(2.0 * np.pi * dispersion)
    return out


class InverseGaussian(Positive):
    """Inverse Gaussian distributions of given mean and dispersion, eqs. (inverse-gaussian), (inverse-gaussian-cdf)."""

    power, log_density = 3.0, staticmethod(log_density)

    def _terms(self, y):
        """Standardised distances a and b, eq. (inverse-gaussian-cdf), and the second term of the tails."""
        root = 1.0 / (np.sqrt(self.dispersion) * np.sqrt(y))
        a, b = root * ((y - self.expected) / self.expected), root * (y / self.expected + 1.0)
        with np.errstate(over="ignore"):
            return a, 0.5 * np.exp(-0.5 * a**2) * erfcx(b / np.sqrt(2.0))

    def _cdf(self, y):
        a, other = self._terms(y)
        return np.minimum(ndtr(a) + other, 1.0)

    def _sf(self, y):
        a, other = self._terms(y)
        return np.maximum(ndtr(-a) - other, 0.0)

    def _excess(self, y):
        a, other = self._terms(y)
        return (self.expected - y) * ndtr(-a) + (self.expected + y) * other

    def _at(self, z):
        """Where a is z: near the quantile of probability ndtr(z)."""
        step = 0.5 * z * np.sqrt(self.dispersion) * np.sqrt(self.expected)
        t = np.abs(step) + np.hypot(step, 1.0)  # t - 1 / t = 2 |step|, without cancellation
        with np.errstate(over="ignore"):
            square = (np.sqrt(self.expected) * np.where(step >= 0, t, 1.0 / t)) ** 2
        return np.clip(square, np.finfo(float).tiny, np.finfo(float).max)

    def icdf(self, q):
        return self._quantile(q, self._at(ndtri(q)), upper=False)

    def isf(self, q):
        return self._quantile(q, self._at(-ndtri(q)), upper=True)

    def _quantile(self, q, guess, upper):
        """Newton's steps over log y."""
        p, x = (self._full(a).ravel(order="F") for a in (q, np.log(guess)))
        flat = InverseGaussian(*(self._full(a).reshape(-1, 1, order="F") for a in (self.expected, self.dispersion)))

        def terms(active, x):
            y, one = np.exp(x)[:, None], flat if len(active) == len(p) else flat.take(active)
            return (one.sf(y) if upper else one.cdf(y))[:, 0], (one.pdf(y) * y)[:, 0]

        # The second term of the tails is positive, so that no quantile is above the guess.
        low, high = np.full_like(x, -745.0), x + 1e-8
        with np.errstate(over="ignore"):  # far from the quantile
            roots = tail_roots(terms, p, x, low, high, upper, 1e-14)
        return np.exp(roots).reshape(self.shape, order="F")

    def mode(self):
        half = 1.5 * self.dispersion * self.expected
        return self._full(self.expected / (np.hypot(half, 1.0) + half))

    def sample(self, rng):
        return rng.wald(self._full(self.expected), self._full(1.0 / self.dispersion))

    def pieces(self):
        points = np.stack([self._full(self._at(z)) for z in (*PIECES_Z, 0.0, *-PIECES_Z[::-1])], axis=2)
        return self._with_powers(points, (self.dispersion * self.expected).max(initial=0.0) > 0.1)
