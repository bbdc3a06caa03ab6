"""Binomial experts: successes out of a number of trials."""

import numpy as np
from scipy.special import gammaln

from ..distributions import Binomial
from ..numerics.checks import check_int
from ..numerics.coordinates import stacked
from .count import FEW
from .glm import GLMExpert

__all__ = ["BinomialExpert"]


class BinomialExpert(GLMExpert):
    """Binomial regression with a logit link, eq. (binomial).

    y counts successes; ``fit(X, y, trials=m)`` says out of how many. All trials of a row come from the same expert,
    which is not what `sample_weight` would say: a weight of m lets every trial choose an expert of its own.
    `predict` gives the expected number of successes.

    Parameters
    ----------
    n_trials : int, default=1
        Trials of every row where `trials` is not given.
    {penalty}
    {constraints}

    References
    ----------
    McCullagh, P. and Nelder, J. A. (1989). Generalized Linear Models, 2nd edition, chapter 4. Chapman and Hall.

    Examples
    --------
    >>> from hme import HMERegressor
    >>> X, y, m = [[0.0], [1.0], [2.0], [3.0]], [1, 3, 9, 18], [10, 10, 20, 20]
    >>> model = HMERegressor(depth=0, expert="binomial").fit(X, y, trials=m)
    >>> model.predict([[2.5]], trials=[100]).round()
    array([72.])
    """

    link = "logit"
    links = ("logit",)
    exact = positive_only = True
    measure = "mass"
    row_arguments = ("offset", "trials")
    domain = "counts from 0 to the number of trials"

    def __init__(
        self,
        n_trials=1,
        alpha=0.1,
        l1_ratio=0.0,
        shrink_to=None,
        shared_coef=None,
        fixed_coef=None,
        nonnegative=False,
    ):
        self.n_trials = n_trials
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.shrink_to = shrink_to
        self.shared_coef = shared_coef
        self.fixed_coef = fixed_coef
        self.nonnegative = nonnegative

    def _check(self):
        check_int(self.n_trials, "n_trials")

    def _trials(self, rows):
        return np.full((rows.n_rows, 1), float(self.n_trials)) if rows.trials is None else rows.trials[:, None]

    def trials(self, rows):
        return self._trials(rows)[:, 0]

    def possible(self, rows):
        self._check()  # the first that the number of trials is asked for
        return (rows.y[:, 0] >= 0) & (rows.y[:, 0] <= self._trials(rows)[:, 0])

    def _one_sided(self, stats):
        # As with counts, of successes or of failures.
        information = stats.curvature[:, -1, -1]
        return (information - np.abs(stats.gradient[:, -1]) < FEW) & (stats.weight > 1.0)

    def interior(self, y, trials):
        return (y + 0.5) / (trials + 1.0)

    def log_density(self, y, eta, mean, dispersion, trials):
        ways = gammaln(trials + 1.0) - gammaln(y + 1.0) - gammaln(trials - y + 1.0)
        return ways + y * eta - trials * np.logaddexp(0.0, eta)

    def law(self, eta, mean, dispersion, trials):
        return Binomial(trials, eta)

    def density_derivatives(self, y, eta, mean, dispersion, trials):
        return stacked([y - trials * mean], [[-trials * mean * (1.0 - mean)]])

    def working(self, y, eta, mean, dispersion, trials):
        return y - trials * mean, self.variance_function(mean, dispersion, trials)

    def expectation(self, mean, dispersion, trials):
        return trials * mean

    def variance_function(self, mean, dispersion, trials):
        return trials * mean * (1.0 - mean)
