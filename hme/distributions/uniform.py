"""The uniform distribution."""

import numpy as np

from .univariate import Symmetric

__all__ = ["Uniform", "log_density"]


def log_density(y, center, width):
    """Log-density of the uniform distribution; there is room for rounding, so that its ends belong to it."""
    inside = np.abs(y - center) <= 0.5 * (1 + 1e-9) * width
    return np.where(inside, -np.log(width), -np.inf)


class Uniform(Symmetric):
    """Uniform distributions of given center and width."""

    flat = True
    names, neutral = ("center", "width"), (0.0, 1.0)
    scale = property(lambda self: self.width)

    def logpdf(self, y):
        return log_density(y, self.center, self.width)

    def _below(self, z):
        return np.clip(z + 0.5, 0.0, 1.0)

    def _quantile(self, q):
        return q - 0.5

    def _variance(self):
        return 1.0 / 12.0

    def _draw(self, rng):
        return rng.uniform(size=self.shape) - 0.5

    def _excess(self, z):
        return np.where(z < -0.5, -z, 0.5 * np.maximum(0.5 - z, 0.0) ** 2)

    def _half_difference(self):
        return 1.0 / 6.0

    def support(self):
        return self._full(self.center - 0.5 * self.width), self._full(self.center + 0.5 * self.width)

    def _pieces(self):
        # On both sides of the ends: at the ends themselves the density has room for rounding.
        return np.array([-0.5 - 2e-9, -0.5 + 2e-9, 0.0, 0.5 - 2e-9, 0.5 + 2e-9])

    def kinks(self):
        return np.stack(self.support(), axis=2)
