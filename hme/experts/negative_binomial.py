"""Negative binomial experts: overdispersed counts, with an estimated dispersion."""

from dataclasses import replace

import numpy as np

from ..distributions import NegativeBinomial
from ..numerics.checks import check_choice
from ..numerics.coordinates import ridge_derivatives, stacked
from ..numerics.stirling import digamma_rest, log_ratio_rest, trigamma_rest
from .noise.base import Scalar
from .noise.counts import RateResponse
from .predictor import PredictorExpert

__all__ = ["NegativeBinomialExpert"]

LEAST, MOST = 1e-7, 1e4  # bounds of the dispersion; at the lower bound the distribution is practically Poisson, since
EXCESS = 1e-5  # it adds no more than this share to the variance
POISSON = "the dispersion of expert(s) {} is at its lower bound: their counts are not overdispersed. Use PoissonExpert"


class NegativeBinomialExpert(PredictorExpert):
    """Negative binomial regression with a log link: variance = mean + dispersion mean^2, eq. (negative-binomial).

    In each sweep the coefficients take a scoring step and the log-dispersion takes a Newton step.

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
    Lawless, J. F. (1987). Negative binomial and mixed Poisson regression. Canadian Journal of Statistics 15, 209-225.

    Examples
    --------
    >>> import numpy as np
    >>> from hme import HMERegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(0, 2, (400, 1))
    >>> y = rng.poisson(np.exp(1 + X[:, 0]) * rng.gamma(2.0, 0.5, 400))  # dispersion 1 / 2
    >>> model = HMERegressor(depth=0, expert="negative_binomial").fit(X, y)
    >>> model.experts_.dispersion.round(1)
    array([0.5])
    """

    def __init__(
        self,
        alpha=0.1,
        l1_ratio=0.0,
        shrink_to=None,
        zero_truncated=False,
        shared_dispersion=False,
        shared_coef=None,
        fixed_coef=None,
        nonnegative=False,
    ):
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.shrink_to = shrink_to
        self.zero_truncated = zero_truncated
        self.shared_dispersion = shared_dispersion
        self.shared_coef = shared_coef
        self.fixed_coef = fixed_coef
        self.nonnegative = nonnegative

    def response(self):
        return NegativeBinomialResponse(self.zero_truncated, self.shared_dispersion)


class NegativeBinomialResponse(RateResponse):
    """Negative binomial distribution with mean exp(eta) and size 1 / dispersion."""

    Distribution = NegativeBinomial

    def __init__(self, zero_truncated=False, shared=False):
        super().__init__(zero_truncated)
        self.shared = shared
        self.scalars = (Scalar("dispersion", "log(dispersion)", LEAST, MOST, shared, at_least=POISSON),)

    @property
    def traits(self):
        return replace(super().traits, exact=False)  # a Newton step of the dispersion need not increase Q

    def check(self):
        super().check()
        check_choice(self.shared, "shared_dispersion", (True, False))

    def bind(self, rows):
        # At the lower bound the variance is the mean, however large the counts.
        bound = super().bind(rows)
        bound.scalars = (self.scalars[0]._replace(least=min(LEAST, EXCESS / max(float(rows.y.max()), 1.0))),)
        return bound

    def start_scalars(self, rows):
        mean = rows.weight @ self.interior(rows) / rows.weight.sum()
        variance = rows.weight @ (rows.y - mean) ** 2 / rows.weight.sum()
        return {"dispersion": np.clip((variance - mean) / mean**2, 1e-2, 1e2)[None]}

    def count_variance(self, mean, params):
        return mean + params.dispersion * mean**2

    def overdispersion(self, params):
        return params.dispersion

    def excess_information(self, y, mean, params):
        return np.maximum((1.0 + params.dispersion * y) / (1.0 + params.dispersion * mean), 1.0)

    def scalar_derivatives(self, y, eta, params):
        first, second = by_log_size(y, self.mean_of(eta), 1.0 / params.dispersion)
        return -first, second

    def mass_derivatives(self, y, eta, params):
        """With respect to eta and the log-dispersion, eq. (negative-binomial-derivatives)."""
        mean, dispersion = self.mean_of(eta), params.dispersion
        total = 1.0 + dispersion * mean
        score = (y - mean) / total
        by_both = -score * dispersion * mean / total
        first, second = self.scalar_derivatives(y, eta, params)
        return stacked([score, first], [[-mean * (1.0 + dispersion * y) / total**2, by_both], [second]])

    def prior_derivatives(self, params, distance, ridge, lasso, scaled):
        return ridge_derivatives(distance, ridge, lasso, params.dispersion, scaled=False)


def by_log_size(y, mean, size):
    """First and second derivatives of the untruncated log-mass by the log of the size, eq. (size-derivatives)."""
    end, total = size + y, size + mean
    rest = size * (log_ratio_rest(end, total, y - mean) + (digamma_rest(end) - digamma_rest(size)))
    bend = ((y - mean) / total) ** 2 / end + (trigamma_rest(end) - trigamma_rest(size))
    return rest + 0.5 * y / end, rest + size**2 * bend - 0.5 * size * y / end**2
