"""All probability on one value."""

import numpy as np

from .univariate import Univariate

__all__ = ["PointMass"]


class PointMass(Univariate):
    """All probability on one value."""

    names, neutral = ("value",), (0.0,)
    measure = "mass"

    @property
    def atoms(self):
        """Values that have a probability of their own."""
        return np.unique(self.value)

    def logpdf(self, y):
        return np.where(y == self._full(self.value), 0.0, -np.inf)

    def cdf(self, y):
        return (y >= self._full(self.value)).astype(float)

    def sf(self, y):
        return (y < self._full(self.value)).astype(float)

    def mean(self):
        return self._full(self.value)

    mode = mean

    def variance(self):
        return np.zeros(self.shape)

    def support(self):
        return self._full(self.value), self._full(self.value)

    def icdf(self, q):
        return self._full(self.value)

    isf = icdf

    def sample(self, rng):
        return np.array(self._full(self.value))

    def excess(self, y):
        return np.maximum(self.value - y, 0.0)

    def shortfall(self, y):
        return np.maximum(y - self.value, 0.0)

    def half_difference(self):
        return np.zeros(self.shape)

    def pieces(self):
        return np.array(self._full(self.value)[:, :, None])

    kinks = pieces
