"""The uniform distribution."""

import numpy as np

from .base import Distribution

__all__ = ["Uniform", "log_density"]


def log_density(y, center, width):
    """Log-density of the uniform distribution; there is room for rounding, so that its ends belong to it."""
    inside = np.abs(y - center) <= 0.5 * (1 + 1e-9) * width
    return np.where(inside, -np.log(width), -np.inf)


class Uniform(Distribution):
    """Uniform laws between two ends."""

    names, neutral = ("center", "width"), (0.0, 1.0)

    def logpdf(self, y):
        return log_density(y, self.center, self.width)

    def cdf(self, y):
        return np.clip((y - self.center) / self.width + 0.5, 0.0, 1.0)

    def sf(self, y):
        return np.clip(0.5 - (y - self.center) / self.width, 0.0, 1.0)

    def icdf(self, q):
        return self._full(self.center + (q - 0.5) * self.width)

    def isf(self, q):
        return self._full(self.center + (0.5 - q) * self.width)

    def mean(self):
        return self._full(self.center)

    def variance(self):
        return self._full(self.width**2 / 12.0)

    def mode(self):
        return self._full(self.center)

    def support(self):
        return self._full(self.center - 0.5 * self.width), self._full(self.center + 0.5 * self.width)

    def sample(self, rng):
        return self.center + self.width * (rng.uniform(size=self.shape) - 0.5)

    def excess(self, y):
        z = (y - self.center) / self.width
        return self.width * np.where(z < -0.5, -z, 0.5 * np.maximum(0.5 - z, 0.0) ** 2)

    def shortfall(self, y):
        return self.excess(2.0 * self.center - y)

    def half_difference(self):
        return self._full(self.width / 6.0)

    def pieces(self):
        # On both sides of the ends: at the ends themselves the density has room for rounding.
        room = (2e-9 * self.width)[:, :, None] * np.array([-1.0, 1.0])
        low, high = (end[:, :, None] for end in self.support())
        return np.concatenate([low + room, self.mean()[:, :, None], high + room], axis=2)

    def kinks(self):
        return np.stack(self.support(), axis=2)
