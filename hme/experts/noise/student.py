"""Student noise, with fixed or estimated degrees of freedom."""

from typing import NamedTuple

import numpy as np
from numpy.polynomial.polynomial import polyder, polyval
from scipy.special import ndtri, stdtrit

from ...distributions import Student
from ...distributions.student import constant_derivatives, log_density
from ...numerics.checks import check_choice, check_real_or
from ...numerics.coordinates import stacked
from .arrays import common, numbers
from .base import Scalar
from .reweighted import ReweightedNoise
from .tails import GAUSSIAN, ON_OR_FAR

__all__ = ["StudentNoise", "StudentParams", "StudentReport"]

DF_RANGE, DF_START = (0.5, 1e6), 4.0  # at the upper end the density agrees with the Gaussian one to six digits
LARGEST_CHANGE = 3.0  # largest factor by which one step may change the degrees of freedom
NEAR_GAUSSIAN = 0.02  # below this 1 / df may move freely, since the log-likelihood is smooth in 1 / df down to 0
RATIO = [(-1.0) ** k * (k + 1) / (k + 2) for k in range(9)]  # of a series in powers of z, see `tail_derivatives`


class StudentParams(NamedTuple):
    coef: np.ndarray  # (K, T, p), of the design columns, intercept last
    variance: np.ndarray  # (K, T), the squared scale; the variance of y is df / (df - 2) times it
    df: np.ndarray  # (K, T)


class StudentReport(NamedTuple):
    """Student experts in the user's units: `coef` (K, p), `intercept`, `scale` and `df` (K,)."""

    coef: np.ndarray
    intercept: np.ndarray
    scale: np.ndarray
    df: np.ndarray


class StudentNoise(ReweightedNoise):
    """Student noise around a prediction.

    `df` and `shared_df` are the hyper-parameters of the degrees of freedom, the others those of the squared scale.
    """

    Params, Report = StudentParams, StudentReport

    def __init__(self, df="estimate", shared_df=False, prior=(1.0, 0.1), floor="auto", shared=False):
        super().__init__(prior, floor, shared)
        self.df, self.shared_df, self.estimated = df, shared_df, isinstance(df, str)
        learned = Scalar("df", "log(df)", *DF_RANGE, shared_df, at_least=ON_OR_FAR, at_most=GAUSSIAN)
        self.own_scalars = (learned,) if self.estimated else ()
        self.estimates_tails = self.estimated

    def check(self):
        super().check()
        check_real_or(self.df, "df", "estimate")
        check_choice(self.shared_df, "shared_df", (True, False))

    def wrap(self, coef, variance):
        df = max(DF_START, self.own_scalars[0].least) if self.estimated else float(self.df)
        return StudentParams(coef, variance, np.full(variance.shape, df))

    # -- density and working quantities ------------------------------------------------------------------------------

    def log_density(self, y, eta, params, rows):
        return log_density((y - eta) ** 2, params.variance, params.df)

    def distribution(self, eta, params, rows):
        return Student(params.df, eta, np.sqrt(params.variance))

    def share_of_spread(self, params):
        return (ndtri(0.95) / stdtrit(params.df, 0.95)) ** 2

    def expected_information(self, working, params):
        return np.broadcast_to((params.df + 1.0) / (params.df + 3.0), working.score.shape)

    def weigh(self, square, params):
        inverse, z = 1.0 / params.df, square / params.variance
        weight = (1.0 + inverse) / (1.0 + inverse * z)
        return (weight, *tail_derivatives(z, inverse)) if self.estimated else (weight,)

    # -- scale and degrees of freedom --------------------------------------------------------------------------------

    def update_own(self, params, variance, stats):
        """A Newton step of 1 / df on the log-likelihood, eq. (df-update)."""
        inverse = 1.0 / params.df
        slope, curvature = self._by_inverse(inverse, stats)
        # The slope at the new scale, to first order.
        slope = slope + common(stats.sums[..., 2] * np.log(params.variance / variance), self.shared_df)
        step = np.divide(slope, curvature, out=np.zeros_like(slope), where=curvature > 0)
        low, high = 1.0 / DF_RANGE[1], 1.0 / self.own_scalars[0].least
        lower = np.where(inverse > NEAR_GAUSSIAN, np.maximum(inverse / LARGEST_CHANGE, low), low)
        upper = np.clip(inverse * LARGEST_CHANGE, NEAR_GAUSSIAN, high)
        return params._replace(df=1.0 / np.clip(inverse + step, lower, upper))

    def _by_inverse(self, inverse, stats):
        """Slope (K, T) of the log-likelihood with respect to 1 / df, and its curvature, at least the expected one."""
        (slope, second), weight = constant_derivatives(inverse), stats.weight[:, None]
        observed = common(-weight * second - stats.sums[..., 1], self.shared_df)
        expected = common(weight * information(inverse, slope, second), self.shared_df)
        return common(weight * slope + stats.sums[..., 0], self.shared_df), np.maximum(observed, expected)

    def own_slopes(self, params, stats):
        return [-self._by_inverse(1.0 / params.df, stats)[0] / params.df] if self.estimated else []

    # -- information and report --------------------------------------------------------------------------------------

    def derivatives(self, y, eta, params, rows):
        """By location, log of the squared scale and log of the degrees of freedom, eq. (t-derivatives)."""
        inverse, pull = 1.0 / params.df, (eta - y) / params.variance
        square = pull**2 * params.variance
        weight, shrunk = (1.0 + inverse) / (1.0 + square * inverse), 1.0 / (1.0 + square * inverse)
        (slope, bend), tail = constant_derivatives(inverse), tail_derivatives(square, inverse)
        by_inverse, by_location = slope + tail[0], -weight * shrunk * (1.0 - square * inverse) / params.variance
        second = [
            [by_location, weight * shrunk * pull, inverse * pull * (1.0 - square) * shrunk**2],
            [-0.5 * weight * shrunk * square, -inverse * tail[2]],
            [inverse * by_inverse + inverse**2 * (bend + tail[1])],
        ]
        first, second = stacked([-weight * pull, 0.5 * (weight * square - 1.0), -inverse * by_inverse], second)
        return (first, second) if self.estimated else (first[..., :2], second[..., :2, :2])

    def describe_scale(self, scale, df=np.inf):
        return f"noise {numbers(scale)} t({numbers(df)})"


# -- arrays, in terms of inverse = 1 / df, in which the density is smooth down to 0, the Gaussian case -----------------


def tail_derivatives(square, inverse):
    """Derivatives of the residual's term of the log-density, at squared residuals divided by the squared scale.

    These are the first and second derivatives by `inverse`, and the mixed one by `inverse` and the log of the squared
    scale, eq. (df-derivatives).
    """
    z = square * inverse
    shrunk, small = 1.0 / (1.0 + z), z < 0.02
    few, reach = np.where(small, z, 0.0), np.where(small, square, square / np.where(small, 1.0, z))
    # (log(1 + z) - z / (1 + z)) / z^2 and its derivative; series replace them for small z, where digits cancel. For
    # others the powers of z are those of `square` but for `reach`: squares of far rows may be out of range.
    ratio = np.where(small, polyval(few, RATIO), np.log1p(z) - z * shrunk)
    change = np.where(small, polyval(few, polyder(RATIO)), (z * shrunk) ** 2 - 2.0 * ratio)
    half = 0.5 * square * shrunk
    by_inverse, twice = 0.5 * reach**2 * ratio - half, 0.5 * reach**3 * change + half * (square * shrunk)
    return by_inverse, twice, half * (1.0 - square) * shrunk


def information(inverse, slope, second):
    """Expected information of a row about `inverse` for fixed scale and location, eq. (df-information).

    `slope` and `second` are the `constant_derivatives`.
    """
    df = 1.0 / inverse
    return -second - df * (2.0 * slope + 0.5 * df * (df - 3.0) / ((df + 1.0) * (df + 3.0)))
