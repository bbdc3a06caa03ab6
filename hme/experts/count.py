"""What Poisson and negative binomial experts share: counts, with zeros or given that there is none."""

from abc import abstractmethod

import numpy as np

from ..numerics.checks import check_choice
from ..numerics.coordinates import differenced
from .glm import GLMExpert

__all__ = ["CountExpert"]

# The information that zero truncation leaves is a small difference where nearly all is zero: least share of the whole.
LEAST_INFORMATION = 1e-3
FEW = 0.01  # events in all the rows of an expert, below which its intercept runs away


class CountExpert(GLMExpert):
    """Counts with a log link. With p0 the probability of zero, truncation divides the mass by 1 - p0, eq. (truncated).

    A family gives the mass and the variance before truncation; what truncation makes of them is the same for all.
    """

    exact = positive_only = True
    measure = "mass"

    def __init__(
        self,
        alpha=0.1,
        l1_ratio=0.0,
        shrink_to=None,
        zero_truncated=False,
        shared_coef=None,
        fixed_coef=None,
        nonnegative=False,
    ):
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.shrink_to = shrink_to
        self.zero_truncated = zero_truncated
        self.shared_coef = shared_coef
        self.fixed_coef = fixed_coef
        self.nonnegative = nonnegative

    link = "log"

    @property
    def domain(self):
        return "counts > 0" if self.zero_truncated else "counts >= 0"

    def possible(self, rows):
        return rows.y[:, 0] > 0 if self.zero_truncated else rows.y[:, 0] >= 0

    def _check(self):
        check_choice(self.zero_truncated, "zero_truncated", (True, False))

    @abstractmethod
    def log_mass(self, y, eta, mean, dispersion):
        """log p(y) before truncation, (n, K)."""

    @abstractmethod
    def count_variance(self, mean, dispersion):
        """Variance before truncation, (n, K)."""

    def _one_sided(self, stats):
        # Gradient and information of the intercept add up to the events where the mean is small.
        events = stats.gradient[:, -1] + stats.curvature[:, -1, -1]
        return (events < FEW) & (stats.weight > 1.0) & (not self.zero_truncated)

    def interior(self, y, trials):
        return np.maximum(y, 0.1)

    def log_density(self, y, eta, mean, dispersion, trials):
        log_mass = self.log_mass(y, eta, mean, dispersion)
        if self.zero_truncated:
            log_mass = log_mass - np.log(-np.expm1(self.log_mass(0.0, eta, mean, dispersion)))
        return log_mass

    def zero_odds(self, eta, mean, dispersion):
        """p0 / (1 - p0) and 1 - p0, (n, K)."""
        log_zero = self.log_mass(0.0, eta, mean, dispersion)
        positive = -np.expm1(log_zero)
        return np.exp(log_zero) / positive, positive

    def expectation(self, mean, dispersion, trials):
        if not self.zero_truncated:
            return mean
        return mean / self.zero_odds(np.log(mean), mean, dispersion)[1]

    def variance_function(self, mean, dispersion, trials):
        variance = self.count_variance(mean, dispersion)
        if not self.zero_truncated:
            return variance
        positive = self.zero_odds(np.log(mean), mean, dispersion)[1]
        return np.maximum((variance + mean**2) / positive - (mean / positive) ** 2, 0.0)

    def mass_derivatives(self, y, eta, mean, dispersion):
        """`density_derivatives` before truncation; by differences for families that do not say them."""

        def displaced(shift, log_factor=0.0):
            moved = eta + shift
            return self.log_mass(y, moved, self.link_.mean(moved), dispersion * np.exp(log_factor))

        return differenced(displaced, 1 + self.dispersed)

    def density_derivatives(self, y, eta, mean, dispersion, trials):
        first, second = self.mass_derivatives(y, eta, mean, dispersion)
        if not self.zero_truncated:
            return first, second
        # Of -log(1 - p0), eq. (truncated-derivatives).
        zero, bend = self.mass_derivatives(np.zeros_like(y), eta, mean, dispersion)
        odds = self.zero_odds(eta, mean, dispersion)[0][:, :, None]
        square = zero[..., None] * zero[..., None, :]
        odds_ = odds[..., None]
        return first + odds * zero, second + odds_ * bend + odds_ * (1.0 + odds_) * square

    def working(self, y, eta, mean, dispersion, trials):
        ratio = mean / self.count_variance(mean, dispersion)
        score, information = (y - mean) * ratio, mean * ratio
        if not self.zero_truncated:
            return score, information
        odds, positive = self.zero_odds(eta, mean, dispersion)
        at_zero = -mean * ratio  # the score of a zero
        shift = odds * at_zero
        left = information / positive - odds * at_zero**2 - shift**2
        return score + shift, np.maximum(left, LEAST_INFORMATION * information)
