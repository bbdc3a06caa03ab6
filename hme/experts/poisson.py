"""Poisson experts: counts whose variance is their mean, optionally without zeros."""

from ..distributions import Poisson
from ..distributions.poisson import log_mass
from ..numerics.coordinates import stacked
from .noise.counts import CountResponse
from .predictor import PredictorExpert

__all__ = ["PoissonExpert"]


class PoissonExpert(PredictorExpert):
    """Poisson regression with a log link, eq. (poisson).

    Exposure enters as ``fit(X, y, offset=np.log(exposure))``. Targets that are not whole are taken as rates, as
    scikit-learn's `PoissonRegressor` does: with ``sample_weight=exposure`` the coefficients are the same as with an
    offset, but every unit of exposure then chooses an expert of its own.

    Parameters
    ----------
    alpha : float, default=0.1
        Strength of the penalty on the slopes, a total; intercepts are free. 0 switches it off.
    l1_ratio : float, default=0.0
        Share of `alpha` that acts on absolute values, from 0 (ridge) over elastic nets to 1 (lasso), eq. (elastic-net):
        slopes may then be exactly zero.
    shrink_to : {None, "global", "zero"}, default=None
        What the slopes are drawn to: the fit of all rows together, or zero. None is "global" for a ridge and "zero"
        where `l1_ratio` is positive.
    zero_truncated : bool, default=False
        The distribution given that y is not zero: with a `PointMassExpert` it makes a hurdle model.
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
    McCullagh, P. and Nelder, J. A. (1989). Generalized Linear Models, 2nd edition, chapter 6. Chapman and Hall.

    Examples
    --------
    >>> from hme import HMERegressor
    >>> X, y = [[0.0], [1.0], [2.0], [3.0]], [1, 3, 7, 20]
    >>> model = HMERegressor(depth=0, expert="poisson").fit(X, y)
    >>> model.predict([[4.0]]).round()
    array([53.])
    """

    def __init__(
        self,
        alpha=0.1,
        l1_ratio=0.0,
        shrink_to=None,
        zero_truncated=False,
        shared_coef=None,
        fixed_coef=None,
        nonnegative=False,
    ):
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.shrink_to = shrink_to
        self.zero_truncated = zero_truncated
        self.shared_coef = shared_coef
        self.fixed_coef = fixed_coef
        self.nonnegative = nonnegative

    def response(self):
        return PoissonResponse(self.zero_truncated)


class PoissonResponse(CountResponse):
    """Poisson counts around exp(eta)."""

    def log_mass(self, y, eta, params):
        return log_mass(y, self.mean_of(eta), eta)

    def counts(self, eta, params):
        return Poisson(self.mean_of(eta))

    def count_variance(self, mean, params):
        return mean

    def mass_derivatives(self, y, eta, params):
        mean = self.mean_of(eta)
        return stacked([y - mean], [[-mean]])
