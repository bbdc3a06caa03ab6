"""Gaussian experts with a link: the mean bends, the noise stays as wide everywhere."""

from dataclasses import replace

import numpy as np

from ..distributions import Normal
from .noise.dispersed import DispersedResponse
from .predictor import PredictorExpert

__all__ = ["GaussianExpert"]


class GaussianExpert(PredictorExpert):
    """Gaussian noise around a mean with a log or an identity link.

    With the identity link it is `LinearExpert`, which is faster and takes several outputs; the log link is for
    multiplicative effects with additive noise, and wants targets whose mean is positive.

    Parameters
    ----------
    link : {"log", "identity"}, default="log"
    {penalty}
    {scale_penalty}
    {scaled}
    {constraints}

    References
    ----------
    McCullagh, P. and Nelder, J. A. (1989). Generalized Linear Models, 2nd edition, chapter 2. Chapman and Hall.

    Examples
    --------
    >>> from hme import HMERegressor
    >>> from hme.experts import GaussianExpert
    >>> X, y = [[0.0], [1.0], [2.0], [3.0]], [1.0, 2.5, 7.0, 21.0]
    >>> HMERegressor(depth=0, expert=GaussianExpert("log")).fit(X, y).predict([[1.5]]).round(1)
    array([4.1])
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
        return GaussianResponse(self.link, self.dispersion_prior, self.dispersion_floor, self.shared_dispersion)


class GaussianResponse(DispersedResponse):
    """Gaussian targets around a mean that is a function of eta."""

    links = ("log", "identity")

    @property
    def traits(self):
        # With the log link rows below zero are possible, a mean below zero is not.
        return replace(DispersedResponse.traits, positive=self.link == "log")

    def interior_of(self, y, largest):
        return y if self.link == "identity" else np.maximum(y, 1e-2 * largest)

    def log_density(self, y, eta, params, rows):
        deviance, dispersion = self.deviance(y, self.mean_of(eta)), params.dispersion
        return -0.5 * (deviance / dispersion + np.log(2.0 * np.pi * dispersion))

    def distribution(self, eta, params, rows):
        return Normal(self.mean_of(eta), np.sqrt(params.dispersion))

    def excess_information(self, y, mean):
        return np.maximum(2.0 - y / mean, 1.0) if self.link == "log" else 1.0

    def unit_variance(self, mean):
        return np.ones_like(mean)

    def unit_variance_slope(self, mean):
        return np.zeros_like(mean)

    def deviance(self, y, mean):
        return (y - mean) ** 2
