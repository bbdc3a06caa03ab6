"""Laplace noise with density exp(-abs(r) / s) / (2 s), smoothed at zero."""

from copy import copy
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from scipy.special import ndtri

from ...distributions import Hyperbolic
from ...distributions.hyperbolic import length, log_density, ratio
from ...numerics.coordinates import stacked
from .arrays import common, numbers
from .reweighted import ReweightedNoise

__all__ = ["LaplaceNoise", "LaplaceParams", "LaplaceReport"]

CORNER = 1e-4  # width of the smoothing at zero, in residual standard deviations of the pooled fit
ROUNDED = 1e-2  # or more: of residuals that are rounding errors
NEWTON_STEPS = 60
LEAST_INVERSE = 1e-150  # of a scale, whose square is a number; an expert without rows has no better one
GAUSSIAN = 1e5  # corner in scales beyond which the density is Gaussian


class LaplaceParams(NamedTuple):
    coef: np.ndarray  # (K, T, p), of the design columns, intercept last
    variance: np.ndarray  # (K, T), the squared scale; the variance of y is about twice that


class LaplaceReport(NamedTuple):
    """Laplace experts in the user's units: `coef` (K, p), `intercept` and `scale` (K,), the mean absolute error."""

    coef: np.ndarray
    intercept: np.ndarray
    scale: np.ndarray


class LaplaceNoise(ReweightedNoise):
    """Laplace noise around a prediction, with the absolute value of r smoothed to sqrt(r^2 + e^2), eq. (hyperbolic)."""

    traits = replace(
        ReweightedNoise.traits,
        fixed="the log-density of Laplace noise is not smooth at zero, so that the observed information about the "
        "location is meaningless: its expectation 1 / scale^2 is used",
    )
    Params, Report = LaplaceParams, LaplaceReport

    def bind_variance(self, variance):
        # A corner that is narrower than residuals are rounded is a corner: no coefficients are a maximum.
        self.corner_ = np.maximum(CORNER * np.sqrt(variance), ROUNDED * np.sqrt(self.limits_.exact))

    def wrap(self, coef, variance):
        return LaplaceParams(coef, np.maximum(0.5 * variance, self.floor_))

    # -- density and working quantities ------------------------------------------------------------------------------

    def log_density(self, y, eta, params, rows):
        return log_density(length((y - eta) ** 2, self.corner_), np.sqrt(params.variance), self.corner_)

    def distribution(self, eta, params, rows):
        return Hyperbolic(eta, np.sqrt(params.variance), np.full_like(params.variance, self.corner_[0]))

    def of_output(self, t):
        one = copy(self)
        one.corner_ = self.corner_[[t]]
        return one

    def share_of_spread(self, params):
        return (ndtri(0.95) / np.log(10.0)) ** 2  # the 0.95 quantile of a Laplace distribution is log(10) scales

    def expected_information(self, working, params):
        return None

    def weigh(self, square, params):
        root = np.sqrt(square + self.corner_**2)
        return np.sqrt(params.variance) / root, square / (root + self.corner_)

    def squares(self, stats, square):
        return stats.sums[..., 0] ** 2 / np.maximum(stats.weight, np.finfo(float).tiny)[:, None]

    # -- the scale ---------------------------------------------------------------------------------------------------

    def update(self, params, stats, ridge, square=None):
        # An upper bound of the absolute residuals at the new coefficients, eq. (row-weight).
        gain = stats.square - square
        lengths = np.maximum(stats.sums[..., 0] - 0.5 * gain / np.sqrt(params.variance), 0.0)
        count, *terms = self._terms(stats.weight, ridge, lengths)
        largest = 1.0 / np.sqrt(self.floor_)
        inverse = solve_scale(count, *terms, self.corner_, largest)
        variance = np.where(inverse < largest, np.maximum(inverse**-2.0, self.floor_), self.floor_)
        variance = np.where(count > 0, variance, params.variance)
        return params._replace(variance=variance)

    def _terms(self, weight, ridge, lengths):
        """The terms of `scale_equation`, (K, T) or (K, 1) each; totals over experts if they share the scale."""
        count, ridge = self.scale_.totals(weight, ridge)
        return count, ridge, *(common(a, self.scale_.shared) for a in (lengths, weight[:, None]))

    def gradient(self, params, stats, ridge, square=None):
        inverse = 1.0 / np.sqrt(params.variance)
        slope, _ = scale_equation(inverse, *self._terms(stats.weight, ridge, stats.sums[..., 0]), self.corner_)
        return np.where(params.variance > self.floor_, -0.5 * inverse * slope, 0.0).ravel()

    # -- information and report --------------------------------------------------------------------------------------

    def derivatives(self, y, eta, params, rows):
        """With respect to the location and the log of the squared scale, eq. (laplace-derivatives).

        Nearly all curvature with respect to the location comes from the few rows whose residuals happen to be near
        zero; it is replaced by its expectation.
        """
        residual, scale = eta - y, np.sqrt(params.variance)
        x = self.corner_ / scale
        share, away = ratio(x), length(residual**2, self.corner_) / scale
        side = residual / np.sqrt(residual**2 + self.corner_**2) / scale
        first = [-side, 0.5 * (away + x * (1.0 - share) - 1.0)]
        bend = -0.25 * (away + x * (1.0 - 2.0 * share + x - x * share**2))
        return stacked(first, [[np.full_like(side, -1.0) / params.variance, 0.5 * side], [bend]])

    def describe_scale(self, scale, df=np.inf):
        return f"noise Laplace {numbers(scale)}"


# -- arrays ----------------------------------------------------------------------------------------------------------


def scale_equation(inverse, count, ridge, lengths, weight, corner):
    """First and second derivatives of Q with respect to the inverse scale, eq. (hyperbolic-scale).

    The first one decreases from plus infinity.
    """
    x = np.maximum(corner * inverse, np.finfo(float).tiny)
    share = ratio(x)
    slope = count / inverse - weight * corner * (1.0 - share) - lengths - ridge * inverse
    # Where the corner is much wider than the scale, the noise is Gaussian and the difference has no digits left.
    bend = np.where(x > GAUSSIAN, 0.5 / np.maximum(x, GAUSSIAN) ** 2, share**2 + share / x - 1.0)
    return slope, weight * corner**2 * bend - count / inverse**2 - ridge


def solve_scale(count, ridge, lengths, weight, corner, largest):
    """Inverse scales that maximise Q, at most `largest`."""
    # With `ratio` set to zero the equation is quadratic. Its root is a lower bound, from which Newton steps increase.
    linear = lengths + weight * corner
    inverse = 2.0 * count / np.maximum(linear + np.sqrt(linear**2 + 4.0 * ridge * count), np.finfo(float).tiny)
    inverse = np.clip(inverse, LEAST_INVERSE, largest)
    for _ in range(NEWTON_STEPS):
        slope, change = scale_equation(inverse, count, ridge, lengths, weight, corner)
        step = np.divide(slope, change, out=np.zeros_like(slope), where=change < 0)
        inverse = np.clip(inverse - step, np.maximum(0.5 * inverse, LEAST_INVERSE), largest)
        if (np.abs(step) <= 1e-15 * inverse).all():
            break
    return inverse
