"""Inverse Gaussian experts: positive, strongly skewed targets, such as first passage times."""

from ..distributions import InverseGaussian
from ..distributions.inverse_gaussian import log_density
from .noise.dispersed import PositiveResponse
from .predictor import PredictorExpert

__all__ = ["InverseGaussianExpert"]


class InverseGaussianExpert(PredictorExpert):
    """Inverse Gaussian regression with a log or an inverse link: variance = dispersion mean^3, eq. (inverse-gaussian).

    With the inverse link the deviance is a quadratic function of the coefficients.

    Parameters
    ----------
    link : {"log", "inverse"}, default="log"
        With "inverse", means are limited to a thousand times the largest training target.
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
    McCullagh, P. and Nelder, J. A. (1989). Generalized Linear Models, 2nd edition, table 2.1. Chapman and Hall.

    Examples
    --------
    >>> from hme import HMERegressor
    >>> X, y = [[0.0], [1.0], [2.0], [3.0]], [1.0, 2.5, 9.0, 21.0]
    >>> HMERegressor(depth=0, expert="inverse_gaussian").fit(X, y).predict([[1.5]]).round(1)
    array([4.6])
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
        return InverseGaussianResponse(self.link, self.dispersion_prior, self.dispersion_floor, self.shared_dispersion)


class InverseGaussianResponse(PositiveResponse):
    """Inverse Gaussian distribution with a given mean."""

    power, Distribution, density = 3, InverseGaussian, staticmethod(log_density)

    def deviance(self, y, mean):
        return ((y - mean) / mean) ** 2 / y
