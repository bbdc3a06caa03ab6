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
    alpha : float, default=0.1
        Strength of the penalty on the slopes, a total; intercepts are free. 0 switches it off.
    l1_ratio : float, default=0.0
        Share of `alpha` that acts on absolute values, from 0 (ridge) over elastic nets to 1 (lasso), eq. (elastic-net):
        slopes may then be exactly zero.
    shrink_to : {None, "global", "zero"}, default=None
        What the slopes are drawn to: the fit of all rows together, or zero. None is "global" for a ridge and "zero"
        where `l1_ratio` is positive.
    scale_penalty : bool, default=True
        Whether the penalty is measured against the noise, divided by its variance as the squared residuals are, or
        taken off the log-likelihood as it is.
    dispersion_prior : (float, float) or None, default=(1.0, 0.1)
        Weak prior on each dispersion: it counts as so many more rows, in each expert, whose mean deviance is this
        fraction of the global fit's dispersion. None switches it off.
    dispersion_floor : "auto" or float, default="auto"
        Least dispersion, as a fraction of that of y around its mean. "auto" is 1e-6, more where y is rounded.
    shared_dispersion : bool, default=False
        One dispersion for all experts.
    shared_coef : None, True or sequence of columns, default=None
        Columns, by name or number, whose coefficient is the same for all experts; "intercept" is one of them. True is
        every slope.
    fixed_coef : dict or None, default=None
        Columns and the values that their coefficients are held at, in the user's units: one number, or one for each
        expert.
    nonnegative : bool or sequence of columns, default=False
        Columns whose coefficients are >= 0; True is every slope.

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

    def deviance(self, y, mean):
        return (y - mean) ** 2
