"""Poisson experts: counts whose variance equals their mean, optionally truncated at zero."""

import numpy as np

from ..distributions import Poisson
from ..numerics.coordinates import stacked
from .noise.counts import RateResponse
from .predictor import PredictorExpert

__all__ = ["PoissonExpert"]


class PoissonExpert(PredictorExpert):
    """Poisson regression with a log link, eq. (poisson).

    Exposure is passed as ``fit(X, y, offset=np.log(exposure))``. Targets need not be integers; as in scikit-learn's
    `PoissonRegressor`, they may be rates with ``sample_weight=exposure``. A single expert then has the same
    coefficients as with an offset, but in a mixture every unit of exposure may come from another expert.

    Parameters
    ----------
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
    zero_truncated : bool, default=False
        The distribution given that y is not zero: with a `PointMassExpert` it makes a hurdle model.
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


class PoissonResponse(RateResponse):
    """Poisson distribution with mean exp(eta)."""

    Distribution = Poisson

    def count_variance(self, mean, params):
        return mean

    def overdispersion(self, params):
        return np.zeros_like(params.dispersion)

    def mass_derivatives(self, y, eta, params):
        mean = self.mean_of(eta)
        return stacked([y - mean], [[-mean]])
