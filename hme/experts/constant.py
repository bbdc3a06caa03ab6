"""Constant experts: the same distribution of y everywhere in the expert's region."""

import numpy as np

from ..model.traits import Traits
from .base import AdditiveExpert
from .linear import LinearExpert
from .logistic import LogisticExpert

__all__ = ["ConstantExpert"]


class ConstantExpert(AdditiveExpert):
    """An expert that does not depend on x: a mean and a variance for each output, or the frequencies of the classes.

    It is the linear or logistic expert with an intercept only, so that a mixture of constant experts is a soft decision
    tree.

    Parameters
    ----------
    variance_prior : (float, float) or None, default=(1.0, 0.1)
        Weak prior on each noise variance, (rows, fraction): it counts as this many additional rows in each expert,
        whose mean squared residual is this fraction of the variance of y. None means no prior. Used in regression only.
    variance_floor : "auto" or float, default="auto"
        Smallest variance, as a fraction of var(y). "auto" means 1e-6, raised to q^2 / 12 if y is rounded to multiples
        of q, but never to more than a tenth of what a tree leaves of it, eq. (rounding-floor). Used in regression only.
    shared_variance : bool, default=False
        Whether all experts share one noise variance. Used in regression only.

    Examples
    --------
    >>> from hme import HMERegressor
    >>> X, y = [[0.0], [1.0], [2.0], [3.0]] * 3, [0.0, 0.1, 1.0, 1.1] * 3
    >>> model = HMERegressor(n_experts=2, expert="constant").fit(X, y)
    >>> model.experts_.coef.shape
    (2, 1)
    """

    traits = Traits(
        tasks=("regression", "classification"),
        domain="any finite number, or classes",
        sparse_input=True,
        multioutput=True,
        exact=True,
        additive=True,
        smooth=True,
        dispersion=True,
    )
    adjustable = frozenset({"variance_prior", "variance_floor"})

    def __init__(self, variance_prior=(1.0, 0.1), variance_floor="auto", shared_variance=False):
        self.variance_prior = variance_prior
        self.variance_floor = variance_floor
        self.shared_variance = shared_variance

    def bind(self, rows, design):
        bound = super().bind(rows, design)
        if rows.y.ndim == 1:  # class codes
            family = LogisticExpert(alpha=0.0)
        else:
            family = LinearExpert(
                alpha=0.0,
                shrink_to="zero",
                variance_prior=self.variance_prior,
                variance_floor=self.variance_floor,
                shared_variance=self.shared_variance,
            )
        bound.family_ = family.bind(_intercept(rows), design.intercept())
        bound.scales = bound.family_.scales
        return bound

    def start(self, n_experts):
        return self.family_.start(n_experts)

    def log_prob(self, params, rows):
        return self.family_.log_prob(params, _intercept(rows))

    def predict(self, params, rows):
        return self.family_.predict(params, _intercept(rows))

    def variance(self, params, rows):
        return self.family_.variance(params, _intercept(rows))

    def predict_dist(self, params, rows):
        return self.family_.predict_dist(params, _intercept(rows))

    def uncertainty(self, params, parts):
        return self.family_.uncertainty(params, ((_intercept(block), resp) for block, resp in parts))

    def predictive(self, params, rows, uncertainty):
        return self.family_.predictive(params, _intercept(rows), uncertainty)

    def evaluate(self, params, rows):
        return self.family_.evaluate(params, _intercept(rows))

    def statistics(self, params, rows, resp, seen=None):
        return self.family_.statistics(params, _intercept(rows), resp, seen)

    def update(self, params, stats, rows=None):
        return self.family_.update(params, stats)

    def log_prior_density(self, params):
        return self.family_.log_prior_density(params)

    def gradient(self, params, stats):
        return self.family_.gradient(params, stats)

    def rounding(self, params, stats):
        return self.family_.rounding(params, stats)

    @property
    def separate(self):
        return self.family_.separate

    def shares(self, params, stats):
        return self.family_.shares(params, stats)

    def n_parameters(self, params):
        return self.family_.n_parameters(params)

    def at_floor(self, params):
        return self.family_.at_floor(params)

    def effective_df(self, params, stats):
        return self.family_.effective_df(params, stats)

    def warnings(self, params, stats):
        return self.family_.warnings(params, stats)

    def column_information(self, stats):
        return self.family_.column_information(stats)

    def coordinates(self, params, design):
        return self.family_.coordinates(params, design)

    def displaced(self, params, coef, scalar):
        return self.family_.displaced(params, coef, scalar)

    def derivatives(self, params, rows):
        return self.family_.derivatives(params, _intercept(rows))

    def prior_derivatives(self, params):
        return self.family_.prior_derivatives(params)

    def diverging(self, params, stats):
        return self.family_.diverging(params, stats)

    def report(self, params, design):
        """The report of the linear or logistic expert, with all slopes zero."""
        slopes = np.zeros((*params.coef.shape[:-1], len(design.center)))
        return self.family_.report(params._replace(coef=np.concatenate([slopes, params.coef], axis=-1)), design)

    def class_scores(self, report):
        return self.family_.class_scores(report)

    def equations(self, report, feature_names, target):
        none = report._replace(coef=report.coef[..., :0])
        return self.family_.equations(none, feature_names[:0], target)


def _intercept(rows):
    """The rows with the intercept as the only design column."""
    return rows._replace(X=rows.X[:, -1:], beyond=None)
