"""Gamma experts: positive targets whose standard deviation is a constant share of their mean."""

import numpy as np
from scipy.special import digamma, polygamma

from ..distributions import Gamma
from ..distributions.gamma import log_density
from .noise.base import free_slope
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

    power, ceiling = 2, 1e6
    Distribution, density = Gamma, staticmethod(log_density)

    def deviance(self, y, mean):
        ratio = y / mean
        return 2.0 * (ratio - 1.0 - np.log(ratio))

    def dispersion_derivatives(self, deviance, dispersion):
        shape = 1.0 / dispersion
        first = shape * (np.log(shape) - digamma(shape) - 0.5 * deviance)
        return -first, first + shape * (1.0 - shape * polygamma(1, shape))

    # Q of the shape k is n (k log k - log Gamma(k) - k) - k deviance / 2, and the prior's part is as everywhere.

    def _slope(self, shape, stats, ridge):
        """Slope of Q by the shape and its own slope."""
        count, total = self.scale_.totals(stats.weight, stats.sums[..., 0] + ridge)
        weight, prior = count - self.scale_.prior_rows, 0.5 * self.scale_.prior_rows / shape
        slope = weight * (np.log(shape) - digamma(shape)) - 0.5 * total + prior
        return slope, weight * (1.0 / shape - polygamma(1, shape)) - prior / shape

    def update(self, params, stats, ridge, square=None):
        inverse = params.dispersion
        with np.errstate(all="ignore"):
            for _ in range(NEWTON_STEPS):  # in 1 / shape, where the equation is close to a straight line
                slope, bend = self._slope(1.0 / inverse, stats, ridge)
                inverse = np.clip(inverse + slope * inverse**2 / bend, self.floor_, self.ceiling)
        return params._replace(dispersion=np.where(np.isfinite(inverse), inverse, params.dispersion))

    def gradient(self, params, stats, ridge, square=None):
        slope = -self._slope(1.0 / params.dispersion, stats, ridge)[0] / params.dispersion
        return free_slope(params.dispersion, slope, self.scalars[0]).ravel()
