"""Gaussian experts with a link: the mean bends, the noise stays as wide everywhere."""

import numpy as np

from ..distributions import Normal
from .glm import ScaledGLMExpert

__all__ = ["GaussianExpert"]


class GaussianExpert(ScaledGLMExpert):
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

    links = ("log", "identity")

    @property
    def positive_only(self):
        return self.link == "log"  # rows below zero are possible, a mean below zero is not

    def interior(self, y, trials):
        if self.link == "identity":
            return y
        return np.maximum(y, 1e-2 * self.largest_)

    def log_density(self, y, eta, mean, dispersion, trials):
        return -0.5 * (self.deviance(y, mean) / dispersion + np.log(2.0 * np.pi * dispersion))

    def law(self, eta, mean, dispersion, trials):
        return Normal(mean, np.sqrt(dispersion)[None])

    def working(self, y, eta, mean, dispersion, trials):
        score, information = super().working(y, eta, mean, dispersion, trials)
        if self.link == "log":  # the observed curvature is the larger one where y < mean
            information = information * np.maximum(2.0 - y / mean, 1.0)
        return score, information

    def unit_variance(self, mean):
        return np.ones_like(mean)

    def unit_variance_slope(self, mean):
        return np.zeros_like(mean)

    def deviance(self, y, mean):
        return (y - mean) ** 2
