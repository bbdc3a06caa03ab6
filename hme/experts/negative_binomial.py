"""Negative binomial experts: counts that vary more than Poisson's, by a dispersion that is estimated."""

from dataclasses import replace

import numpy as np
from scipy.special import digamma, polygamma

from ..distributions import NegativeBinomial
from ..distributions.negative_binomial import log_mass
from ..numerics.checks import check_choice
from ..numerics.coordinates import ridge_derivatives, stacked
from .noise.base import Scalar
from .noise.counts import CountResponse
from .predictor import PredictorExpert

__all__ = ["NegativeBinomialExpert"]

LEAST, MOST = 1e-7, 1e4  # bounds of the dispersion; at the lower one the distribution is Poisson's
LARGE = 50.0  # size beyond which differences of gamma functions lose their digits, and Stirling's series has them all


class NegativeBinomialExpert(PredictorExpert):
    """Negative binomial regression with a log link: variance = mean + dispersion mean^2, eq. (negative-binomial).

    Coefficients take a Fisher step and the log-dispersion a Newton step in each sweep.

    Parameters
    ----------
    {penalty}
    zero_truncated : bool, default=False
        The distribution given that y is not zero: with a `PointMassExpert` it makes a hurdle model.
    shared_dispersion : bool, default=False
        One dispersion for all experts.
    {constraints}

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


class NegativeBinomialResponse(CountResponse):
    """Negative binomial counts around exp(eta), of the size 1 / dispersion."""

    def __init__(self, zero_truncated=False, shared=False):
        super().__init__(zero_truncated)
        self.shared, self.scalars = shared, (Scalar("dispersion", "log(dispersion)", LEAST, MOST, shared),)

    @property
    def traits(self):
        return replace(super().traits, exact=False)  # the dispersion's step is Newton's, not the maximiser's

    def check(self):
        super().check()
        check_choice(self.shared, "shared_dispersion", (True, False))

    def start_scalars(self, rows):
        mean = rows.weight @ self.interior(rows) / rows.weight.sum()
        variance = rows.weight @ (rows.y - mean) ** 2 / rows.weight.sum()
        return {"dispersion": np.clip((variance - mean) / mean**2, 1e-2, 1e2)[None]}

    def log_mass(self, y, eta, params):
        return log_mass(y, self.mean_of(eta), eta, params.dispersion)

    def counts(self, eta, params):
        return NegativeBinomial(self.mean_of(eta), params.dispersion)

    def count_variance(self, mean, params):
        return mean + params.dispersion * mean**2

    def excess_information(self, y, mean, params):
        return np.maximum((1.0 + params.dispersion * y) / (1.0 + params.dispersion * mean), 1.0)

    def scalar_terms(self, y, eta, params):
        mean, size = self.mean_of(eta), 1.0 / params.dispersion
        first, second = by_log_size(y, mean, size)
        if self.zero_truncated:
            odds, _ = self.zero_odds(eta, params)
            zero_first, zero_second = by_log_size(0.0, mean, size)
            second = second + odds * (zero_first**2 + zero_second) + (odds * zero_first) ** 2
            first = first + odds * zero_first
        return -first, second, first**2

    def mass_derivatives(self, y, eta, params):
        """By eta and the log-dispersion, eq. (negative-binomial-derivatives)."""
        mean, dispersion = self.mean_of(eta), params.dispersion
        total = 1.0 + dispersion * mean
        score = (y - mean) / total
        first, second = by_log_size(y, mean, 1.0 / dispersion)
        by_both = -score * dispersion * mean / total
        return stacked([score, -first], [[-mean * (1.0 + dispersion * y) / total**2, by_both], [second]])

    def prior_derivatives(self, params, distance, ridge, lasso, scaled):
        return ridge_derivatives(distance, ridge, lasso, params.dispersion, scaled=False)

    def warnings(self, params):
        poisson = np.flatnonzero((params.dispersion <= LEAST * (1 + 1e-9)).any(axis=1))
        if not len(poisson):
            return []
        return [
            f"the dispersion of expert(s) {poisson.tolist()} is at its lower bound: they are Poisson. Use PoissonExpert"
        ]

    def describe(self, dispersion):
        return f"dispersion {dispersion:.3g}"


def by_log_size(y, mean, size):
    """First and second derivatives of the log-mass before truncation by the log of the size 1 / dispersion."""
    first, second = rising_derivatives(y, size)
    total = mean + size
    share = mean / total
    first = first - np.log1p(mean / size) + share * (y / size + 1.0)
    second = second + share * (1.0 / size - 1.0 / total) - share * y / size * (1.0 / size + 1.0 / total)
    return size * first, size * first + size**2 * second


def rising_derivatives(y, size):
    """First two derivatives by the size of `log_rising`."""
    small = np.minimum(size, LARGE)
    exact = (
        digamma(small + y) - digamma(small) - y / small,
        polygamma(1, small + y) - polygamma(1, small) + y / small**2,
    )
    if np.all(size <= LARGE):
        return exact
    large = np.maximum(size, LARGE)
    end = large + y
    growth = np.log1p(y / large)
    series = (
        growth - y / large + 0.5 * y / (large * end) + stirling(end)[0] - stirling(large)[0],
        y**2 / (large**2 * end) - 0.5 * y * (large + end) / (large * end) ** 2 + stirling(end)[1] - stirling(large)[1],
    )
    return tuple(np.where(size > LARGE, s, e) for s, e in zip(series, exact, strict=True))


def stirling(z):
    """First two derivatives of the rest of Stirling's formula for log Gamma(z)."""
    i, i2 = 1.0 / z, 1.0 / z**2
    return (
        -i2 * (1 / 12 - i2 * (1 / 120 - i2 * (1 / 252 - i2 / 240))),
        i * i2 * (1 / 6 - i2 * (1 / 30 - i2 * (1 / 42 - i2 / 30))),
    )
