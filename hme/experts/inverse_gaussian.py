"""Inverse Gaussian experts: positive, strongly skewed targets, such as times until a level is reached."""

import numpy as np

from ..distributions import InverseGaussian
from .positive import PositiveExpert

__all__ = ["InverseGaussianExpert"]


class InverseGaussianExpert(PositiveExpert):
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

    def log_density(self, y, eta, mean, dispersion, trials):
        return -0.5 * (self.deviance(y, mean) / dispersion + np.log(2.0 * np.pi * dispersion) + 3.0 * np.log(y))

    def law(self, eta, mean, dispersion, trials):
        return InverseGaussian(mean, dispersion[None])

    def working(self, y, eta, mean, dispersion, trials):
        score, information = super().working(y, eta, mean, dispersion, trials)
        ratio = y / mean
        # The observed curvature: with the inverse link a constant, with the log link where it is the larger one.
        return score, information * (ratio if self.link == "inverse" else np.maximum(2.0 * ratio - 1.0, 1.0))

    def unit_variance(self, mean):
        return mean**3

    def unit_variance_slope(self, mean):
        return 3.0 * mean**2

    def deviance(self, y, mean):
        return (y / mean - 1.0) ** 2 / y
