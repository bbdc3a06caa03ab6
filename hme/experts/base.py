"""What an expert is: K conditional densities p_k(y | x) of one family, computed together.

A family object holds hyper-parameters only. `bind` binds it to a training table, which turns settings that are
relative to the data (a variance floor, the fit to shrink to) into numbers; what EM learns is a NamedTuple of arrays
whose first axis is the expert.
"""

from abc import ABC, abstractmethod

import numpy as np
from sklearn.base import BaseEstimator, clone

from ..model.refits import Refitted
from ..model.traits import Traits, described
from ..numerics import statistics
from . import reports

__all__ = ["AdditiveExpert", "Expert", "RefitExpert"]


class Expert(BaseEstimator, ABC):
    """A family of experts.

    Attributes
    ----------
    tasks : tuple of str
        "regression", "classification" or both.
    exact : bool
        The update never lets its part of the objective fall.
    additive : bool
        The update needs sums over rows only, so that rows can come in chunks.
    supports_sparse, supports_multioutput : bool
    refitted : bool
        The update fits anew: there is nothing between two parameters, and the objective may fall.
    frozen : bool
        What it predicts is not learned, only the noise around it.
    sees_table : bool
        It looks at the user's table, ``rows.table``, beside the design columns.
    cross_fitted : bool
        It answers to rows of the training table without having seen them, by ``rows.fold``.
    smooth : bool
        The log-density has derivatives by the family's `coordinates`, so that there is information on them.
    known : str
        What of it an account of uncertainty takes as known, as a sentence; "" is nothing.
    row_arguments : tuple of str
        Which of "offset" and "trials" the family takes.
    measure : str
        What `log_prob` is a density of: "density" with respect to length, "mass" of points, "classes".
    positive_only : bool
        No target is negative.
    domain : str
        The targets that the family can produce, in words; `possible` tells them apart.
    atoms : tuple of float
        Points that have all of the probability; beside densities they belong to this family alone.
    start_share : float
        What every start gives the family of each row, in the place of a region of its own; 0 is a region.
    """

    tasks = ("regression",)
    exact = additive = supports_sparse = supports_multioutput = positive_only = False
    refitted = frozen = sees_table = cross_fitted = smooth = False
    known = ""
    row_arguments = ()
    measure = "density"
    domain = "any finite number"
    atoms = ()
    start_share = 0.0

    @property
    def traits(self):
        """What the family is and can do."""
        return Traits(
            tasks=self.tasks,
            measure=self.measure,
            domain=self.domain,
            atoms=self.atoms,
            positive=self.positive_only,
            row_arguments=self.row_arguments,
            sparse_input=self.supports_sparse,
            multioutput=self.supports_multioutput,
            exact=self.exact,
            additive=self.additive,
            smooth=self.smooth,
            refitted=self.refitted,
            frozen=self.frozen,
            cross_fitted=self.cross_fitted,
            sees_table=self.sees_table,
            fixed=self.known,
            start_share=self.start_share,
        )

    @property
    def members(self):
        """The families, leaf by leaf where they differ."""
        return [self]

    @property
    def names(self):
        """Names of the leaves, where the user has given some: those of a list of experts; else None."""
        return None

    def check_leaves(self, n_leaves=None):
        """Refuse a number of leaves that the family is not for."""

    # Hyper-parameters that may change between a fit and the warm start that goes on from it: they say how much, not
    # what.
    adjustable = frozenset(
        {
            "alpha", "shrink_to", "variance_prior", "variance_floor", "dispersion_prior", "dispersion_floor", "max_depth",
            "min_weight_leaf", "l1_ratio", "scale_penalty", "n_jobs", "smoothing", "pooling",
        }
    )  # fmt: skip

    def structure(self):
        """What the family is, as text: its class and all hyper-parameters but the adjustable ones."""
        return described(self, self.adjustable)

    def bind(self, rows, design):
        """The family bound to a training table whose columns X come from `design` (a `Design`)."""
        return clone(self)

    @abstractmethod
    def init(self, rows, resp):
        """Parameters from responsibilities (n, K) that carry the row weights."""

    @abstractmethod
    def log_prob(self, params, rows):
        """log p_k(y | x), (n, K)."""

    @abstractmethod
    def predict(self, params, rows):
        """Mean of every expert, (n, K) or (n, K, T); class probabilities (n, K, C)."""

    def possible(self, rows):
        """Which targets the family can produce, (n,) of bool; the estimator refuses rows that no expert can."""
        return np.ones(rows.n_rows, dtype=bool)

    def start_target(self, rows):
        """Targets (n, T) on the scale of the linear predictors, for starts that fit regressions; codes of classes."""
        return rows.y

    def start_responsibilities(self, rows, resp):
        """A start's responsibilities (n, K), changed where the family knows better."""
        return resp

    def evaluate(self, params, rows):
        """`log_prob`, and whatever of the way there `statistics` can use again for the same rows."""
        return self.log_prob(params, rows), None

    @abstractmethod
    def statistics(self, params, rows, resp, seen=None):
        """What `update` needs of a block of rows, `seen` from `evaluate`; the blocks' answers are joined by `add`."""

    @abstractmethod
    def update(self, params, stats, rows):
        """The M-step."""

    @abstractmethod
    def n_parameters(self, params):
        """Number of free parameters of all experts together."""

    def variance(self, params, rows):
        """Variance of y under every expert, in the shape of `predict`."""
        raise NotImplementedError(f"{type(self).__name__} has no variance.")

    def predict_dist(self, params, rows):
        """p_k(y | x) of all rows and experts as an object of `hme.distributions`; y of the rows is not looked at."""
        raise NotImplementedError(f"{type(self).__name__} has no distribution of numbers.")

    def log_prior_density(self, params):
        """Log-density of the penalties and priors, up to a constant; the objective adds it."""
        return 0.0

    def gradient(self, params, stats):
        """Gradient of this family's part of the objective, scaled to be free of units; empty where there is none."""
        return np.zeros(0)

    def take(self, params, index):
        """Parameters of the experts in `index`, in that order."""
        return statistics.take(params, index)

    def family(self, k):
        """The family of leaf k: this one, where all leaves have the same."""
        return self

    def class_scores(self, report):
        """Slopes (K, C, p) and intercepts (K, C) of a report whose softmax are the class probabilities, if they are."""
        return None

    def trials(self, rows):
        """Number of trials (n,) of each row, of which y counts the successes; None for a family without trials."""
        return None

    def exchangeable(self, n_leaves):
        """Which leaves (K, K) may change places: all of them, unless the user has fixed something of each leaf."""
        return np.ones((n_leaves, n_leaves), dtype=bool)

    def column_information(self, stats):
        """Information (p,) that the rows hold on each design column, as far as statistics tell; None is not known.

        A column without any is constant, and its coefficient cannot be estimated.
        """
        return None

    # -- information, where `smooth` ---------------------------------------------------------------------------------

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

    def interpolate(self, old, new, step):
        """Parameters between two that were visited, for the guard's way back."""
        return statistics.interpolate(old, new, step)

    def warnings(self, params, stats):
        """Sentences about parameters at a boundary, each with the next step to take."""
        return []

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


class AdditiveExpert(Expert):
    """A family whose statistics add over rows: linear, logistic, GLM, constant."""

    exact = additive = supports_sparse = True

    def start(self, n_experts):
        """Parameters of `n_experts` identical experts, the point that the first update starts from."""
        raise NotImplementedError

    def init(self, rows, resp):
        return self.steps(self.start(resp.shape[1]), rows, resp)

    def add(self, a, b):
        return statistics.add(a, b)

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

    @abstractmethod
    def fit(self, rows, resp):
        """Parameters from all rows and responsibilities (n, K) that carry the row weights."""
