"""The interface of experts: K conditional densities p_k(y | x) of one family, computed together.

A family object holds hyper-parameters only. `bind` returns a copy for one training table, in which settings relative to
the data (a variance floor, the pooled fit that slopes are shrunk towards) have become numbers. The parameters that EM
learns are a NamedTuple of arrays whose first axis is the expert. Everything that the rest of the package uses of a
family is declared here.
"""

from abc import ABC, abstractmethod
from functools import reduce

import numpy as np
from sklearn.base import BaseEstimator, clone

from ..distributions import Categorical
from ..model import reports
from ..model.refits import Refitted
from ..model.rows import small_rows
from ..model.traits import Traits, described
from ..model.uncertainty import CoefUncertainty
from ..numerics import statistics
from ..numerics.checks import check_choice
from ..numerics.engine import in_order

__all__ = ["AdditiveExpert", "Expert", "RefitExpert", "shrinks_to_pooled"]


class Expert(BaseEstimator, ABC):
    """A family of experts.

    Attributes
    ----------
    traits : Traits
        What the family is and what it supports.
    adjustable : frozenset of str
        Hyper-parameters that may change between a fit and a warm start that continues it: those that set the strength
        of something, such as a penalty, and not the structure of the model.
    scales : tuple of str
        Fields of the parameters that are positive by their nature, such as variances: leaps change them by factors.
    """

    traits = Traits()
    adjustable = frozenset()
    scales = ()

    # -- what the family is ------------------------------------------------------------------------------------------

    @property
    def members(self):
        """The families of the leaves, a list; it holds only this family if all leaves have the same."""
        return [self]

    @property
    def names(self):
        """Names of the leaves in a list of named experts; else None."""
        return None

    @property
    def known_classes(self):
        """The classes that a frozen classifier was fitted to, an array; None if the classes are those of y."""
        return None

    def check_leaves(self, n_leaves=None):
        """Raise an error if the family cannot be used with this number of leaves."""

    def structure(self):
        """The structure of the family as text: its class and all hyper-parameters except the adjustable ones."""
        return described(self, self.adjustable)

    def pruned(self, kept):
        """The family, not bound, for a tree of which only the leaves `kept` are left."""
        return self

    def exchangeable(self, n_leaves):
        """Which pairs of leaves are exchangeable, (K, K) of bool: all, unless the user has set something by leaf."""
        return np.ones((n_leaves, n_leaves), dtype=bool)

    def trials(self, rows):
        """Number of trials (n,) of each row, if y counts successes; None for a family without trials."""
        return None

    # -- strengths of penalties that are estimated, eq. (evidence-alpha) ----------------------------------------------

    @property
    def alphas(self):
        """The estimated strengths in force, a dict from names of leaves, "" for all together; empty without any."""
        return {}

    def with_alphas(self, alphas):
        """The family, not bound, with other strengths in force once it is; what `alphas` lacks starts anew."""
        return self

    def evidence(self, params, stats):
        """What the rows say of the strengths that are estimated, a dict from their names to `Evidence`."""
        return {}

    # -- binding to a table, and starts ------------------------------------------------------------------------------

    def bind(self, rows, design):
        """The family bound to a training table; `design` is the `Design` that made the columns ``rows.X``."""
        return clone(self)

    def possible(self, rows):
        """Whether the family can produce each target, (n,) of bool; rows that no expert can produce are refused."""
        return np.ones(rows.n_rows, dtype=bool)

    def start_target(self, rows):
        """Targets (n, T) on the scale of the linear predictors, for starts that fit regressions; class codes (n,)."""
        return rows.y

    def start_responsibilities(self, rows, resp):
        """The responsibilities (n, K) of a start, adjusted by families that need others."""
        return resp

    @abstractmethod
    def init(self, rows, resp):
        """Initial parameters from responsibilities (n, K), which include the row weights."""

    # -- densities and moments ---------------------------------------------------------------------------------------

    @abstractmethod
    def log_prob(self, params, rows):
        """log p_k(y | x), (n, K)."""

    def evaluate(self, params, rows):
        """`log_prob`, and intermediate results that `statistics` can reuse for the same rows (or None)."""
        return self.log_prob(params, rows), None

    @abstractmethod
    def predict(self, params, rows):
        """Mean of y under every expert, (n, K, T), or class probabilities (n, K, C)."""

    def variance(self, params, rows):
        """Variance of y under every expert, in the shape of `predict`."""
        dist = self.predict_dist(params, rows)
        return np.stack([dist.marginal(t).variance() for t in range(dist.n_outputs)], axis=2)

    def predict_dist(self, params, rows):
        """p_k(y | x) of all rows and experts as an object of `hme.distributions`; ``rows.y`` is not used."""
        if self.traits.tasks == ("classification",):
            return Categorical.of(self.predict(params, rows))
        raise NotImplementedError(
            f"{type(self).__name__} has no distribution of numbers: `predict_dist` is not defined."
        )

    # -- the predictive density --------------------------------------------------------------------------------------

    @property
    def least_squares(self):
        """Whether `uncertainty` is exact where responsibilities are known, as that of a linear fit is."""
        return True

    @property
    def estimates_tails(self):
        """Whether the heaviness of the noise's tails is estimated."""
        return False

    def uncertainty(self, params, parts):
        """What is known of how uncertain the parameters are, from the training rows.

        `parts` iterates once over their blocks, pairs of `Rows` and responsibilities (n, K) that include the row
        weights. Returned is a NamedTuple of arrays whose first axis is the expert, as `take` expects; by default
        nothing.
        """
        return CoefUncertainty.none(next(iter(parts))[1].shape[1])

    def predictive(self, params, rows, uncertainty):
        """The predictive p_k(y | x), eq. (predictive): `predict_dist` with the uncertainty of the parameters.

        By default `predict_dist` itself, which is right for families whose noise is measured on rows that the
        prediction has not seen, as cross-fitted estimators' is.
        """
        return self.predict_dist(params, rows)

    # -- below a tree of pairs: rows visit only the leaves that carry mass for them, eq. (pruning) ------------------

    def sums_below(self, params, rows, paths, slope, neglect):
        """The sums of a sweep below nodes of two logit branches, or one softmax node; None where there is no such way.

        Parameters
        ----------
        params : Params
        rows : Rows
            All rows, which gate and experts see by the same dense columns.
        paths : Paths or None
            Of a tree of nodes with two branches; None stands for one node of K slots.
        slope : ndarray of shape (M, p) or (K, p)
            Coefficients of the relative score of every node's second branch, or of the slots.
        neglect : float
            Most that may be left out of the density of a row, and of its weight, as a share of them.

        Returns
        -------
        log_likelihood : float
        load : ndarray of shape (K,)
        stats : Statistics
            Of the experts.
        of_nodes : tuple
            Of the gate, for its ``from_pairs`` or ``from_slots``.
        """
        return None

    def means_below(self, params, rows, paths, slope, neglect):
        """The mixture's mean (n, T) below such a tree, of all leaves but some of prior `neglect` together, or None."""
        return None

    def log_ceiling(self, params, rows):
        """Upper bounds of `log_prob` as sums of two parts, of each row (n,) or 0.0, and of each expert (K,); or None.

        Rows visit only branches of a large tree that carry mass for them, eq. (pruning), if there are bounds.
        """
        if self.traits.additive and self.traits.measure == "classes":
            return 0.0, np.zeros(len(params[0]))
        return None

    # -- the M-step --------------------------------------------------------------------------------------------------

    @abstractmethod
    def statistics(self, params, rows, resp, seen=None):
        """Sufficient statistics of a block of rows for `update`; `seen` comes from `evaluate`."""

    def add(self, a, b):
        """Sum of the statistics of two blocks; None is the empty sum."""
        return statistics.add(a, b)

    @abstractmethod
    def update(self, params, stats, rows):
        """New parameters from the statistics of all rows: the M-step."""

    @abstractmethod
    def n_parameters(self, params):
        """Number of free parameters of all experts together."""

    def log_prior_density(self, params):
        """Log-density of the penalties and priors, up to a constant; it is part of the objective."""
        return 0.0

    def gradient(self, params, stats):
        """Gradient of the family's part of the objective, scaled to be unit-free; empty if it has none."""
        return np.zeros(0)

    def rounding(self, params, stats):
        """How much the log-likelihood, a sum over rows, may change because densities are rounded; 0 if not known."""
        return 0.0

    @property
    def separate(self):
        """Whether no expert knows of another, so that the experts of several models can be one bank, see `Bank`."""
        return False

    def shares(self, params, stats):
        """What each expert contributes to `log_prior_density`, `gradient` and `rounding`: `Shares` of arrays (K,)."""
        raise NotImplementedError(f"{type(self).__name__}: the experts are not separate.")

    def pulls(self, params, stats):
        """Gradient of the smooth part with respect to each slope, relative to the strength of the lasso, 1-D."""
        raise NotImplementedError(f"{type(self).__name__} has no lasso.")

    def interpolate(self, old, new, step):
        """Parameters between two earlier ones, to shorten a step that decreased the objective, or beyond, to leap."""
        return statistics.interpolate(old, new, step, self.scales)

    def take(self, params, index):
        """Parameters of the experts in `index`, in that order."""
        return statistics.take(params, index)

    def family(self, k):
        """The family of leaf k; this one if all leaves have the same."""
        return self

    def warnings(self, params, stats):
        """Warnings about parameters at a boundary, a list of sentences that suggest what to do."""
        return []

    def at_floor(self, params):
        """Indices of the experts whose scale is at its floor: nothing else bounds their likelihood."""
        return np.zeros(0, dtype=int)

    def effective_df(self, params, stats):
        """How many parameters each expert estimates from its own rows, (K,); shrunk ones count in part, eq. (own-df).

        Zeros where they cannot be counted.
        """
        counts = np.zeros(sum(len(leaves) for _, _, leaves, _ in self.components(params)))
        try:
            return counts + self.n_parameters(params) / len(counts)
        except NotImplementedError:
            return counts

    # -- information, where `traits.smooth` --------------------------------------------------------------------------

    def components(self, params):
        """List of (number, family, leaves, parameters): the sets of leaves with the same family."""
        return [(None, self, np.arange(len(params[0])), params)]

    def assembled(self, params, parts):
        """Parameters from a list of new parameters of the `components`."""
        return parts[0]

    def rows_of(self, number, rows):
        """The rows as component `number` takes them."""
        return rows

    def coordinates(self, params, design):
        """The parameters as `Coordinates`; `design` converts the values that are shown to the user's units."""
        raise NotImplementedError(f"{type(self).__name__} has no coordinates.")

    def displaced(self, params, coef, scalar):
        """Parameters from coefficients (K, S, p) and scalars (K, E), the inverse of `coordinates`."""
        raise NotImplementedError(f"{type(self).__name__} has no coordinates.")

    def derivatives(self, params, rows):
        """First (n, K, d) and second (n, K, d, d) derivatives of `log_prob`, by linear predictors and scalars.

        If slots are contrasts, the linear predictors are the differences of the second, third, ... slot to the first.
        """
        raise NotImplementedError(f"{type(self).__name__} has no derivatives.")

    def prior_derivatives(self, params):
        """Gradient (K, d) and Hessian (K, d, d) of `log_prior_density` with respect to coefficients and scalars."""
        raise NotImplementedError(f"{type(self).__name__} has no derivatives.")

    def diverging(self, params, stats):
        """Indices of the experts whose coefficients grow without bound."""
        return np.zeros(0, dtype=int)

    def column_information(self, stats):
        """Information (p,) of the rows on the coefficient of each design column; None if unknown.

        It is zero for a column that is constant, whose coefficient cannot be estimated.
        """
        return None

    # -- what the user is shown --------------------------------------------------------------------------------------

    def report(self, params, design):
        """The parameters in the user's units, a NamedTuple of arrays whose first axis is the expert.

        By default these are the parameters themselves. A field `coef` (..., p) of the design columns is replaced by the
        slopes of the user's columns, also called `coef`, and an `intercept`. For a list of experts it is a dict from
        names to reports without the expert axis.
        """
        return reports.in_user_units(params, design)

    def equations(self, report, feature_names, target):
        """One line of text for each expert of a report whose `coef` belong to `feature_names`."""
        return [reports.in_words(one, feature_names, target) for one in reports.one_by_one(report)]

    def class_scores(self, report):
        """Slopes (K, C, p) and intercepts (K, C), the softmax of whose scores gives class probabilities; else None."""
        return None


class AdditiveExpert(Expert):
    """A family whose sufficient statistics are sums over rows, such as linear, logistic and GLM experts."""

    traits = Traits(additive=True)

    @abstractmethod
    def start(self, n_experts):
        """Parameters of `n_experts` identical experts, from which the first update starts."""

    def init(self, rows, resp):
        return self.steps(self.start(resp.shape[1]), rows, resp)

    def gather(self, params, rows, resp):
        """Statistics of all rows."""
        blocks = rows.blocks(small_rows(resp.shape[1]))
        return reduce(self.add, in_order(lambda block: self.statistics(params, block[1], resp[block[0]]), blocks))

    def steps(self, params, rows, resp, n_steps=1):
        """Parameters after `n_steps` updates with the same responsibilities."""
        for _ in range(n_steps):
            params = self.update(params, self.gather(params, rows, resp), rows)
        return params

    def converge(self, params, rows, max_iter=100, tol=1e-10):
        """The pooled fit: one expert fitted to all rows by repeated updates; steps that overshoot are halved."""
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
    """A family that is refitted to all rows in every sweep."""

    traits = Traits(refitted=True)

    @abstractmethod
    def fit(self, rows, resp):
        """Parameters from all rows and responsibilities (n, K), which include the row weights."""


def shrinks_to_pooled(family):
    """Whether slopes are shrunk towards the pooled fit, according to `shrink_to`; None depends on `l1_ratio`."""
    target = check_choice(family.shrink_to, "shrink_to", (None, "global", "zero"))
    selects = family.l1_ratio > 0 or family.by_column
    return not selects if target is None else target == "global"
