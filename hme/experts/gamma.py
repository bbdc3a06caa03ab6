"""Gamma experts: positive targets whose standard deviation is a constant share of their mean."""

import numpy as np
from scipy.special import digamma, polygamma

from ..distributions import Gamma
from ..distributions.gamma import log_density
from .noise.base import common
from .noise.dispersed import PositiveResponse
from .predictor import PredictorExpert

__all__ = ["GammaExpert"]

NEWTON_STEPS = 8


class GammaExpert(PredictorExpert):
    """Gamma regression with a log or an inverse link: variance = dispersion mean^2, eq. (gamma).

    The shape is 1 / dispersion; it is estimated for each expert by solving its likelihood equation.

    Parameters
    ----------
    link : {"log", "inverse"}, default="log"
        "inverse" is the canonical one; a mean then stays below a thousand times the largest target of the table.
    {penalty}
    {scale_penalty}
    {scaled}
    {constraints}

    References
    ----------
    McCullagh, P. and Nelder, J. A. (1989). Generalized Linear Models, 2nd edition, chapter 8. Chapman and Hall.
    Minka, T. P. (2002). Estimating a gamma distribution, for the solution of the shape's equation.

    Examples
    --------
    >>> from hme import HMERegressor
    >>> X, y = [[0.0], [1.0], [2.0], [3.0]], [1.0, 2.5, 9.0, 21.0]
    >>> HMERegressor(depth=0, expert="gamma").fit(X, y).predict([[1.5]]).round(1)
    array([4.7])
    """

    def __init__(
        self,
        link="log",
        alpha=0.1,
        l1_ratio=0.0,
        shrink_to=None,
        scale_penalty=True,
        dispersion_prior=(1.0, 0.1),
        dispersion_floor="auto",
        shared_dispersion=False,
        shared_coef=None,
        fixed_coef=None,
        nonnegative=False,
    ):
        self.link = link
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.shrink_to = shrink_to
        self.scale_penalty = scale_penalty
        self.dispersion_prior = dispersion_prior
        self.dispersion_floor = dispersion_floor
        self.shared_dispersion = shared_dispersion
        self.shared_coef = shared_coef
        self.fixed_coef = fixed_coef
        self.nonnegative = nonnegative

    def response(self):
        return GammaResponse(self.link, self.dispersion_prior, self.dispersion_floor, self.shared_dispersion)


class GammaResponse(PositiveResponse):
    """Gamma targets around a mean; the shape is 1 / dispersion."""

    ceiling = 1e6

    def log_density(self, y, eta, params, rows):
        return log_density(y, self.mean_of(eta), params.dispersion)

    def distribution(self, eta, params, rows):
        return Gamma(self.mean_of(eta), params.dispersion)

    def excess_information(self, y, mean):
        return np.maximum(y / mean, 1.0) if self.link == "log" else 1.0

    def unit_variance(self, mean):
        return mean**2

    def unit_variance_slope(self, mean):
        return 2.0 * mean

    def deviance(self, y, mean):
        ratio = y / mean
        return 2.0 * (ratio - 1.0 - np.log(ratio))

    def dispersion_derivatives(self, deviance, dispersion):
        shape = 1.0 / dispersion
        first = shape * (np.log(shape) - digamma(shape) - 0.5 * deviance)
        return -first, first + shape * (1.0 - shape * polygamma(1, shape))

    # Q of the shape k is n (k log k - log Gamma(k) - k) - k deviance / 2, and the prior's part is as everywhere.

    def _slope(self, shape, weight, deviance):
        prior = 0.5 * self.scale_.prior_rows * (1.0 / shape - self.scale_.prior_variance)
        return weight * (np.log(shape) - digamma(shape)) - 0.5 * deviance + prior

    def _totals(self, stats, ridge):
        shared = self.scale_.shared
        return common(stats.weight[:, None], shared), common(stats.sums[..., 0] + ridge, shared)

    def update(self, params, stats, ridge, square=None):
        weight, deviance = self._totals(stats, ridge)
        rows, shape = self.scale_.prior_rows, 1.0 / params.dispersion
        with np.errstate(all="ignore"):
            for _ in range(NEWTON_STEPS):  # in 1 / shape, where the equation is close to a straight line
                curvature = weight * (1.0 / shape - polygamma(1, shape)) - 0.5 * rows / shape**2
                inverse = 1.0 / shape + self._slope(shape, weight, deviance) / (shape**2 * curvature)
                shape = 1.0 / np.clip(inverse, self.floor_, self.ceiling)
        return params._replace(dispersion=np.where(weight + rows > 0, 1.0 / shape, params.dispersion))

    def gradient(self, params, stats, ridge, square=None):
        slope = -self._slope(1.0 / params.dispersion, *self._totals(stats, ridge)) / params.dispersion
        return np.where((params.dispersion <= self.floor_) & (slope < 0), 0.0, slope).ravel()
