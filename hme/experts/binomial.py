"""Binomial experts: successes out of a number of trials."""

import numpy as np
from scipy.special import expit

from ..distributions import Binomial, BinomialNormal
from ..distributions.binomial import MOST_SPREAD, log_mass, shortage
from ..model.traits import Traits
from ..numerics.checks import check_int
from ..numerics.coordinates import stacked
from ..numerics.wide import diagonal_of
from .noise.base import Response
from .noise.counts import FEW
from .noise.dispersed import GLMParams, GLMReport
from .noise.sums import Working
from .predictor import PredictorExpert

__all__ = ["BinomialExpert"]


class BinomialExpert(PredictorExpert):
    """Binomial regression with a logit link, eq. (binomial).

    y counts the successes, and ``fit(X, y, trials=m)`` gives the number of trials. All trials of a row come from the
    same expert. A `sample_weight` of m would mean something else: every trial could then come from another expert.
    `predict` returns the expected number of successes.

    Parameters
    ----------
    n_trials : int, default=1
        Number of trials of every row if `trials` is not given.
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
    McCullagh, P. and Nelder, J. A. (1989). Generalized Linear Models, 2nd edition, chapter 4. Chapman and Hall.

    Examples
    --------
    >>> from hme import HMERegressor
    >>> X, y, m = [[0.0], [1.0], [2.0], [3.0]], [1, 3, 9, 18], [10, 10, 20, 20]
    >>> model = HMERegressor(depth=0, expert="binomial").fit(X, y, trials=m)
    >>> model.predict([[2.5]], trials=[100]).round()
    array([72.])
    """

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

    def response(self):
        return BinomialResponse(self.n_trials)

    def trials(self, rows):
        return self.response().trials(rows)


class BinomialResponse(Response):
    """Number of successes in trials whose log-odds of success are eta."""

    traits = Traits(
        measure="mass",
        domain="counts from 0 to the number of trials",
        positive=True,
        row_arguments=("offset", "trials"),
        sparse_input=True,
        exact=True,
        additive=True,
        smooth=True,
    )
    links, link = ("logit",), "logit"
    Params, Report = GLMParams, GLMReport

    def __init__(self, n_trials=1):
        self.n_trials = n_trials

    def check(self):
        check_int(self.n_trials, "n_trials")

    def trials(self, rows):
        """Trials of each row, (n,)."""
        return np.full(rows.n_rows, float(self.n_trials)) if rows.trials is None else rows.trials

    def possible(self, rows):
        return (rows.y[:, 0] >= 0) & (rows.y[:, 0] <= self.trials(rows))

    def interior(self, rows):
        return (rows.y + 0.5) / (self.trials(rows)[:, None] + 1.0)

    def start_scalars(self, rows):
        return {"dispersion": np.ones((1, rows.y.shape[1]))}

    def log_density(self, y, eta, params, rows):
        return log_mass(y, eta, self.trials(rows)[:, None, None])

    def distribution(self, eta, params, rows):
        return Binomial(self.trials(rows)[:, None], eta)

    def predictive(self, eta, leverage, factor, params, rows):
        """With normal log-odds of success; of a single trial that is `distribution`."""
        if (self.trials(rows) <= 1).all():
            return self.joint(eta, params, rows)
        return BinomialNormal(self.trials(rows)[:, None], eta[:, :, 0], np.minimum(leverage[:, :, 0], MOST_SPREAD))

    def derivatives(self, y, eta, params, rows):
        work = self.working(y, eta, params, rows)
        return stacked([work.score], [[-work.information]])

    def working(self, y, eta, params, rows):
        trials = self.trials(rows)[:, None, None]
        return Working(shortage(y, eta, trials), trials * expit(eta) * expit(-eta))

    def one_sided(self, stats):
        # Where all probabilities are near 0 or near 1, this difference is the number of successes or of failures.
        information = diagonal_of(stats.gram)[:, 0, -1]
        return (information - np.abs(stats.cross[:, 0, -1]) < FEW) & (stats.weight > 1.0)

    def left_side(self, target):
        return f"logit({target} / trials)"
