"""Negative binomial experts: counts that vary more than Poisson's, by a dispersion that is estimated."""

import numpy as np
from scipy.special import digamma, gammaln, polygamma

from ..distributions import NegativeBinomial, TruncatedNegativeBinomial
from ..distributions.counts import log_rising
from ..numerics.checks import check_choice
from ..numerics.coordinates import log_scalars, ridge_derivatives, stacked
from .count import CountExpert

__all__ = ["NegativeBinomialExpert"]

LEAST, MOST = 1e-7, 1e4  # bounds of the dispersion; at the lower one the distribution is Poisson's
LONGEST = 2.0  # Newton step of a log-dispersion
LARGE = 50.0  # size beyond which differences of gamma functions lose their digits, and Stirling's series has them all


class NegativeBinomialExpert(CountExpert):
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

    dispersed = True
    exact = False  # the dispersion's step is Newton's, not the maximiser's

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
        super().__init__(alpha, l1_ratio, shrink_to, zero_truncated, shared_coef, fixed_coef, nonnegative)
        self.shared_dispersion = shared_dispersion

    def _check(self):
        super()._check()
        check_choice(self.shared_dispersion, "shared_dispersion", (True, False))

    def _bind_dispersion(self, rows, mean):
        y = rows.y[:, 0]
        variance = rows.weight @ (y - mean) ** 2 / rows.weight.sum()
        self.start_dispersion_ = np.clip((variance - mean) / mean**2, 1e-2, 1e2)

    def log_mass(self, y, eta, mean, dispersion):
        size = 1.0 / dispersion
        return log_rising(y, size) - gammaln(y + 1.0) + y * eta - (y + size) * np.log1p(mean * dispersion)

    def law(self, eta, mean, dispersion, trials):
        kind = TruncatedNegativeBinomial if self.zero_truncated else NegativeBinomial
        return kind(mean, dispersion[None])

    def count_variance(self, mean, dispersion):
        return mean + dispersion * mean**2

    def working(self, y, eta, mean, dispersion, trials):
        score, information = super().working(y, eta, mean, dispersion, trials)
        if not self.zero_truncated:  # the observed curvature is the larger one where y > mean
            information = information * np.maximum((1.0 + dispersion * y) / (1.0 + dispersion * mean), 1.0)
        return score, information

    def _by_log_size(self, y, mean, size):
        """First and second derivatives of the log-mass before truncation by the log of the size 1 / dispersion."""
        first, second = _rising_derivatives(y, size)
        total = mean + size
        share = mean / total
        first = first - np.log1p(mean / size) + share * (y / size + 1.0)
        second = second + share * (1.0 / size - 1.0 / total) - share * y / size * (1.0 / size + 1.0 / total)
        return size * first, size * first + size**2 * second

    def mass_derivatives(self, y, eta, mean, dispersion):
        """By eta and the log-dispersion, eq. (negative-binomial-derivatives)."""
        total = 1.0 + dispersion * mean
        score = (y - mean) / total
        first, second = self._by_log_size(y, mean, 1.0 / dispersion)
        by_both = -score * dispersion * mean / total
        return stacked([score, -first], [[-mean * (1.0 + dispersion * y) / total**2, by_both], [second]])

    def _dispersion_scalars(self, params):
        terms = [("", "log(dispersion)")]
        return log_scalars(params.dispersion[:, None], terms, self.shared_dispersion, LEAST, MOST)

    def prior_derivatives(self, params):
        distance, scale = (params.coef - self.anchor_)[:, None], params.dispersion[:, None]
        return ridge_derivatives(distance, self.penalty_, self.lasso_, scale, scaled=False)

    def dispersion_statistics(self, y, eta, mean, dispersion, trials):
        size = 1.0 / dispersion
        first, second = self._by_log_size(y, mean, size)
        if self.zero_truncated:
            odds, _ = self.zero_odds(eta, mean, dispersion)
            zero_first, zero_second = self._by_log_size(0.0, mean, size)
            second = second + odds * (zero_first**2 + zero_second) + (odds * zero_first) ** 2
            first = first + odds * zero_first
        return [first, second, first**2]

    def update_dispersion(self, dispersion, weight, sums, ridge):
        first, second, outer = sums.T
        # Where the log-likelihood is not concave, the mean square of the score stands for its curvature.
        curvature = np.maximum(-second, 0.25 * outer)
        step = np.divide(first, curvature, out=np.zeros_like(first), where=curvature > 0)
        step = np.clip(step, -LONGEST, LONGEST)
        return np.clip(dispersion * np.exp(-step), LEAST, MOST)

    def dispersion_gradient(self, dispersion, weight, sums, ridge):
        slope = -sums[:, 0]
        held = ((dispersion <= LEAST) & (slope < 0)) | ((dispersion >= MOST) & (slope > 0))
        return np.where(held, 0.0, slope)

    def n_parameters(self, params):
        return super().n_parameters(params) + (1 if self.shared_dispersion else len(params.dispersion))

    def warnings(self, params, stats):
        found = super().warnings(params, stats)
        poisson = np.flatnonzero(params.dispersion <= LEAST * (1 + 1e-9))
        if len(poisson):
            found.append(
                f"the dispersion of expert(s) {poisson.tolist()} is at its lower bound: they are Poisson. Use "
                "PoissonExpert"
            )
        return found

    def dispersion_text(self, dispersion):
        return f",  dispersion {dispersion:.3g}"


def _rising_derivatives(y, size):
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
        growth - y / large + 0.5 * y / (large * end) + _stirling(end)[0] - _stirling(large)[0],
        y**2 / (large**2 * end)
        - 0.5 * y * (large + end) / (large * end) ** 2
        + _stirling(end)[1]
        - _stirling(large)[1],
    )
    return tuple(np.where(size > LARGE, s, e) for s, e in zip(series, exact, strict=True))


def _stirling(z):
    """First two derivatives of the rest of Stirling's formula for log Gamma(z)."""
    i, i2 = 1.0 / z, 1.0 / z**2
    return (
        -i2 * (1 / 12 - i2 * (1 / 120 - i2 * (1 / 252 - i2 / 240))),
        i * i2 * (1 / 6 - i2 * (1 / 30 - i2 * (1 / 42 - i2 / 30))),
    )
