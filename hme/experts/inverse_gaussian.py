"""Inverse Gaussian experts: positive, strongly skewed targets, such as times until a level is reached."""

import numpy as np

from ..distributions import InverseGaussian
from ..distributions.inverse_gaussian import log_density
from .noise.dispersed import PositiveResponse
from .predictor import PredictorExpert

__all__ = ["InverseGaussianExpert"]


class InverseGaussianExpert(PredictorExpert):
    """Inverse Gaussian regression with a log or an inverse link: variance = dispersion mean^3, eq. (inverse-gaussian).

    With the inverse link the deviance is a quadratic in the coefficients.

    Parameters
    ----------
    link : {"log", "inverse"}, default="log"
        With "inverse" a mean stays below a thousand times the largest target of the table.
    {penalty}
    {scale_penalty}
    {scaled}
    {constraints}

    References
    ----------
    McCullagh, P. and Nelder, J. A. (1989). Generalized Linear Models, 2nd edition, table 2.1. Chapman and Hall.

    Examples
    --------
    >>> from hme import HMERegressor
    >>> X, y = [[0.0], [1.0], [2.0], [3.0]], [1.0, 2.5, 9.0, 21.0]
    >>> HMERegressor(depth=0, expert="inverse_gaussian").fit(X, y).predict([[1.5]]).round(1)
    array([4.6])
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
        return InverseGaussianResponse(self.link, self.dispersion_prior, self.dispersion_floor, self.shared_dispersion)


class InverseGaussianResponse(PositiveResponse):
    """Inverse Gaussian targets around a mean."""

    def log_density(self, y, eta, params, rows):
        return log_density(y, self.mean_of(eta), params.dispersion)

    def distribution(self, eta, params, rows):
        return InverseGaussian(self.mean_of(eta), params.dispersion)

    def excess_information(self, y, mean):
        ratio = y / mean
        # With the inverse link the observed curvature is a constant; with the log link it may be next to nothing.
        return ratio if self.link == "inverse" else np.maximum(2.0 * ratio - 1.0, 1.0)

    def unit_variance(self, mean):
        return mean**3

    def unit_variance_slope(self, mean):
        return 3.0 * mean**2

    def deviance(self, y, mean):
        return (y / mean - 1.0) ** 2 / y
