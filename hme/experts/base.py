"""What an expert is: K conditional densities p_k(y | x) of one family, computed together.

A family object holds hyper-parameters only. `bind` makes of it a family for one training table, in which settings that
are relative to the data (a variance floor, the fit to shrink to) are numbers; what EM learns is a NamedTuple of arrays
whose first axis is the expert. Whatever the rest of the package asks of a family is declared here.
"""

from abc import ABC, abstractmethod

import numpy as np
from sklearn.base import BaseEstimator, clone

from ..model.refits import Refitted
from ..model.traits import Traits, described
from ..numerics import statistics
from ..numerics.checks import check_choice
from . import reports

__all__ = ["AdditiveExpert", "Expert", "RefitExpert", "shrinks_to_pooled"]


class Expert(BaseEstimator, ABC):
    """A family of experts.

    Attributes
    ----------
    traits : Traits
        What the family is and can do.
    adjustable : frozenset of str
        Hyper-parameters that may change between a fit and the warm start that goes on from it: they say how much, not
        what.
    """

    traits = Traits()
    adjustable = frozenset()

    # -- what the family is ------------------------------------------------------------------------------------------

    @property
    def members(self):
        """The families of the leaves, a list; a family that all leaves have stands for itself."""
        return [self]

    @property
    def names(self):
        """Names of the leaves, where the user has given some: those of a list of experts; else None."""
        return None

    @property
    def known_classes(self):
        """The classes that a family which is not fitted anew was fitted to, an array; None where y gives them."""
        return None

    def check_leaves(self, n_leaves=None):
        """Refuse a number of leaves that the family is not for."""

    def structure(self):
        """What the family is, as text: its class and all hyper-parameters but the adjustable ones."""
        return described(self, self.adjustable)

    def exchangeable(self, n_leaves):
        """Which leaves (K, K) may change places: all of them, unless the user has fixed something of each leaf."""
        return np.ones((n_leaves, n_leaves), dtype=bool)

    def trials(self, rows):
        """Number of trials (n,) of each row, of which y counts the successes; None for a family without trials."""
        return None

    # -- binding to a table, and starts ------------------------------------------------------------------------------

    def bind(self, rows, design):
        """The family bound to a training table whose columns X come from `design` (a `Design`)."""
        return clone(self)

    def possible(self, rows):
        """Which targets the family can produce, (n,) of bool; the estimator refuses rows that no expert can."""
        return np.ones(rows.n_rows, dtype=bool)

    def start_target(self, rows):
        """Targets (n, T) on the scale of the linear predictors, for starts that fit regressions; codes of classes."""
        return rows.y

    def start_responsibilities(self, rows, resp):
        """A start's responsibilities (n, K), changed where the family knows better."""
        return resp

    @abstractmethod
    def init(self, rows, resp):
        """Parameters from responsibilities (n, K) that carry the row weights."""

    # -- densities and moments ---------------------------------------------------------------------------------------

    @abstractmethod
    def log_prob(self, params, rows):
        """log p_k(y | x), (n, K)."""

    def evaluate(self, params, rows):
        """`log_prob`, and whatever of the way there `statistics` can use again for the same rows."""
        return self.log_prob(params, rows), None

    @abstractmethod
    def predict(self, params, rows):
        """Mean of every expert, (n, K, T) of T outputs; class probabilities (n, K, C)."""

    def variance(self, params, rows):
        """Variance of y under every expert, in the shape of `predict`."""
        dist = self.predict_dist(params, rows)
        return np.stack([dist.marginal(t).variance() for t in range(dist.n_outputs)], axis=2)

    def predict_dist(self, params, rows):
        """p_k(y | x) of all rows and experts as an object of `hme.distributions`; y of the rows is not looked at."""
        raise NotImplementedError(f"{type(self).__name__} has no distribution of numbers.")

    # -- the M-step --------------------------------------------------------------------------------------------------

    @abstractmethod
    def statistics(self, params, rows, resp, seen=None):
        """What `update` needs of a block of rows, `seen` from `evaluate`; the blocks' answers are joined by `add`."""

    def add(self, a, b):
        """Statistics of two blocks together; None is the empty sum."""
        return statistics.add(a, b)

    @abstractmethod
    def update(self, params, stats, rows):
        """The M-step."""

    @abstractmethod
    def n_parameters(self, params):
        """Number of free parameters of all experts together."""

    def log_prior_density(self, params):
        """Log-density of the penalties and priors, up to a constant; the objective adds it."""
        return 0.0

    def gradient(self, params, stats):
        """Gradient of this family's part of the objective, scaled to be free of units; empty where there is none."""
        return np.zeros(0)

    def pulls(self, params, stats):
        """How strongly each slope is pulled from what it is drawn to, in units of the lasso, flat."""
        raise NotImplementedError(f"{type(self).__name__} has no lasso.")

    def interpolate(self, old, new, step):
        """Parameters between two that were visited, for the guard's way back."""
        return statistics.interpolate(old, new, step)

    def take(self, params, index):
        """Parameters of the experts in `index`, in that order."""
        return statistics.take(params, index)

    def family(self, k):
        """The family of leaf k: this one, where all leaves have the same."""
        return self

    def warnings(self, params, stats):
        """Sentences about parameters at a boundary, each with the next step to take."""
        return []

    # -- information, where `traits.smooth` --------------------------------------------------------------------------

    def components(self, params):
        """(number, family, leaves, parameters) of what is computed together: all leaves where they are alike."""
        return [(None, self, np.arange(len(params[0])), params)]

    def assembled(self, params, parts):
        """Parameters with new ones, a list, in the place of those of the components."""
        return parts[0]

    def rows_of(self, number, rows):
        """The rows as a component sees them."""
        return rows

    def coordinates(self, params, design):
        """The parameters as `Coordinates`, shown in the units of a `Design`'s columns."""
        raise NotImplementedError(f"{type(self).__name__} has no coordinates.")

    def displaced(self, params, coef, scalar):
        """Parameters from coefficients (K, S, p) and scalars (K, E) in the form of `coordinates`."""
        raise NotImplementedError(f"{type(self).__name__} has no coordinates.")

    def derivatives(self, params, rows):
        """First (n, K, d) and second (n, K, d, d) derivatives of `log_prob` by linear predictors and scalars.

        Where slots are contrasts, the linear predictors are those of the second slot, the third, ... less the first's.
        """
        raise NotImplementedError(f"{type(self).__name__} has no derivatives.")

    def prior_derivatives(self, params):
        """Gradient (K, d) and Hessian (K, d, d) of `log_prior_density` by all coefficients and scalars."""
        raise NotImplementedError(f"{type(self).__name__} has no derivatives.")

    def diverging(self, params, stats):
        """Experts, an array of int, whose coefficients grow without bound."""
        return np.zeros(0, dtype=int)

    def column_information(self, stats):
        """Information (p,) that the rows hold on each design column, as far as statistics tell; None is not known.

        A column without any is constant, and its coefficient cannot be estimated.
        """
        return None

    # -- what the user is shown --------------------------------------------------------------------------------------

    def report(self, params, design):
        """What the user is shown: a NamedTuple of arrays in the user's units, first axis the expert.

        By default the parameters; where they have a field `coef` (..., p) of the design columns, slopes of the user's
        columns, also called `coef`, and an `intercept` replace it. A list of experts has a dict of names and reports,
        these without the axis of the experts.
        """
        return reports.in_user_units(params, design)

    def equations(self, report, feature_names, target):
        """One line of text for every expert of a report, whose `coef` are those of the features named."""
        return [reports.in_words(one, feature_names, target) for one in reports.one_by_one(report)]

    def class_scores(self, report):
        """Slopes (K, C, p) and intercepts (K, C) of a report whose softmax is the class probabilities; None without."""
        return None


class AdditiveExpert(Expert):
    """A family whose statistics add over rows: linear, logistic, GLM, constant."""

    traits = Traits(additive=True)

    @abstractmethod
    def start(self, n_experts):
        """Parameters of `n_experts` identical experts, the point that the first update starts from."""

    def init(self, rows, resp):
        return self.steps(self.start(resp.shape[1]), rows, resp)

    def gather(self, params, rows, resp):
        """Statistics of all rows."""
        stats = None
        for index, block in rows.blocks():
            stats = self.add(stats, self.statistics(params, block, resp[index]))
        return stats

    def steps(self, params, rows, resp, n_steps=1):
        """Parameters after some updates with the same responsibilities."""
        for _ in range(n_steps):
            params = self.update(params, self.gather(params, rows, resp), rows)
        return params

    def converge(self, params, rows, max_iter=100, tol=1e-10):
        """The fit of all rows by one expert; steps that overshoot are halved."""
        resp, total = rows.weight[:, None], rows.weight.sum()
        best, halvings = (-np.inf, params), 0
        for _ in range(max_iter):
            with np.errstate(all="ignore"):
                reached = self.log_prior_density(params)
                reached += sum(block.weight @ self.log_prob(params, block)[:, 0] for _, block in rows.blocks())
            if not reached >= best[0] - tol * total:
                params, halvings = self.interpolate(best[1], params, 0.5), halvings + 1
                if halvings > 30:
                    break
                continue
            best, halvings = (reached, params), 0
            stats = self.gather(params, rows, resp)
            if np.abs(self.gradient(params, stats)).max(initial=0.0) <= tol * total:
                break
            params = self.update(params, stats, rows)
        return best[1]


class RefitExpert(Refitted, Expert):
    """A family that is fitted anew on all rows each sweep."""

    traits = Traits(refitted=True)

    @abstractmethod
    def fit(self, rows, resp):
        """Parameters from all rows and responsibilities (n, K) that carry the row weights."""


def shrinks_to_pooled(family):
    """Whether slopes are drawn to the fit of all rows: what `shrink_to` says, or None stands for."""
    target = check_choice(family.shrink_to, "shrink_to", (None, "global", "zero"))
    return family.l1_ratio == 0 if target is None else target == "global"
