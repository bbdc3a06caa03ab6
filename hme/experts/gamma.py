"""Gamma experts: positive targets whose standard deviation is a constant share of their mean."""

import numpy as np
from scipy.special import digamma, gammaln, polygamma

from ..distributions import Gamma
from .positive import PositiveExpert

__all__ = ["GammaExpert"]

NEWTON_STEPS = 8


class GammaExpert(PositiveExpert):
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

    ceiling = 1e6

    def log_density(self, y, eta, mean, dispersion, trials):
        shape = 1.0 / dispersion
        ratio = y / mean
        return shape * (np.log(shape * ratio) - ratio) - gammaln(shape) - np.log(y)

    def law(self, eta, mean, dispersion, trials):
        return Gamma(mean, dispersion[None])

    def working(self, y, eta, mean, dispersion, trials):
        score, information = super().working(y, eta, mean, dispersion, trials)
        if self.link == "log":  # the observed curvature is the larger one where y > mean
            information = information * np.maximum(y / mean, 1.0)
        return score, information

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
        prior = 0.5 * self.prior_rows_ * (1.0 / shape - self.prior_dispersion_)
        return weight * (np.log(shape) - digamma(shape)) - 0.5 * deviance + prior

    def update_dispersion(self, dispersion, weight, sums, ridge):
        deviance = sums[:, 0] + ridge
        shape = 1.0 / dispersion
        with np.errstate(all="ignore"):
            for _ in range(NEWTON_STEPS):  # in 1 / shape, where the equation is close to a straight line
                curvature = weight * (1.0 / shape - polygamma(1, shape)) - 0.5 * self.prior_rows_ / shape**2
                inverse = 1.0 / shape + self._slope(shape, weight, deviance) / (shape**2 * curvature)
                shape = 1.0 / np.clip(inverse, self.floor_, self.ceiling)
        return np.where(weight + self.prior_rows_ > 0, 1.0 / shape, dispersion)

    def dispersion_gradient(self, dispersion, weight, sums, ridge):
        slope = -self._slope(1.0 / dispersion, weight, sums[:, 0] + ridge) / dispersion
        return np.where((dispersion <= self.floor_) & (slope < 0), 0.0, slope)
