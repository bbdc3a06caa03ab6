"""Inverse Gaussian experts: positive, strongly skewed targets, such as times until a level is reached."""

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

    power, Distribution, density = 3, InverseGaussian, staticmethod(log_density)

    def deviance(self, y, mean):
        return (y / mean - 1.0) ** 2 / y
