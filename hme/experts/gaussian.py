"""Gaussian experts with a link function: a nonlinear mean with noise of constant variance."""

from dataclasses import replace

import numpy as np

from ..distributions import Normal
from .noise.dispersed import DispersedResponse
from .predictor import PredictorExpert

__all__ = ["GaussianExpert"]


class GaussianExpert(PredictorExpert):
    """Gaussian regression with a log or an identity link.

    The log link is for multiplicative effects with additive noise, and requires positive means, though not positive
    targets. With the identity link the model is that of `LinearExpert`, which is faster and supports several outputs.

    Parameters
    ----------
    link : {"log", "identity"}, default="log"
        Link function between the mean and the linear predictor.
    alpha : float, array-like of shape (p,), "auto" or "ard", default=0.1
        Strength of the penalty on the slopes, relative to the sum (not the mean) over rows. Intercepts are not
        penalised. 0 means no penalty; an array has a strength for each column. With "auto" one strength is estimated
        from the rows, with "ard" one for each column, for all experts together, eqs. (evidence-alpha) and (ard); both
        need ``l1_ratio=0``.
    l1_ratio : float, default=0.0
        Mixing parameter of the elastic net, from 0 (ridge) to 1 (lasso), eq. (elastic-net). If it is positive, slopes
        may be exactly zero.
    shrink_to : {None, "global", "zero"}, default=None
        What the slopes are shrunk towards: the pooled fit (one expert fitted to all rows, with a light penalty of its
        own), or zero. None means "zero" with a lasso or ``alpha="ard"``, else "global".
    scale_penalty : bool, default=True
        Whether the penalty is divided by the dispersion, as the deviance is, or subtracted from the
        log-likelihood unscaled.
    dispersion_prior : (float, float) or None, default=(1.0, 0.1)
        Weak prior on each dispersion, (rows, fraction): it counts as this many additional rows in each expert, whose
        mean deviance is this fraction of the dispersion of the pooled fit. None means no prior.
    dispersion_floor : "auto" or float, default="auto"
        Smallest dispersion, as a fraction of the dispersion of y around its mean. "auto" means 1e-6, or more if y is
        rounded; but never more than a tenth of that of the pooled fit, eq. (rounding-floor).
    shared_dispersion : bool, default=False
        Whether all experts share one dispersion.
    shared_coef : None, True or sequence of columns, default=None
        Columns, by name or number, whose coefficients are the same for all experts; "intercept" stands for the
        intercept. True means every slope.
    fixed_coef : dict or None, default=None
        Maps columns to the values at which their coefficients are fixed, in the user's units: one number, or one for
        each expert.
    nonnegative : bool or sequence of columns, default=False
        Columns whose coefficients are constrained to be >= 0; True means every slope.

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

    adjustable = PredictorExpert.adjustable | {"scale_penalty", "dispersion_prior", "dispersion_floor"}

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
    """Gaussian distribution around a mean that is a function of eta."""

    links = ("log", "identity")

    @property
    def traits(self):
        # With the log link means are positive, although negative targets are possible.
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
