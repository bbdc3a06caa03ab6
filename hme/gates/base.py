"""What a gate is: the distribution over the leaves given x, before y is seen.

A gate is one of two kinds. A `Gate` acts on leaves; a `NodeGate` is a bank of gating nodes, each a distribution over
its branches, which `over` places on a tree. Both hold hyper-parameters only. What EM learns is a NamedTuple of arrays
whose first axis is the leaf, or the gating node.
"""

from abc import ABC, abstractmethod
from copy import copy
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator, clone

from ..model.refits import Refitted
from ..model.traits import GateTraits, described
from ..numerics import statistics

__all__ = ["Gate", "GateFamily", "GateReport", "Question", "RefitGate", "Stage"]


class Question(NamedTuple):
    """How a gate divides the rows, in words: what is asked, and an answer for each branch or leaf."""

    text: str
    answers: list  # of str; "" where there is nothing to say
    details: tuple = ()  # further lines


class Stage(NamedTuple):
    """A gate that is a part of another one, and where its nodes and leaves are in that."""

    gate: Any
    params: Any
    nodes: np.ndarray
    leaves: np.ndarray


class GateReport(NamedTuple):
    """Linear scores in the user's units; None where the gate has none."""

    coef: Any = None  # (..., p)
    intercept: Any = None  # (...)


class GateFamily(BaseEstimator, ABC):
    """What gates over leaves and banks of gating nodes have in common.

    Attributes
    ----------
    traits : GateTraits
        What the gate is and can do.
    adjustable : frozenset of str
        Hyper-parameters that may change between a fit and the warm start that continues it.
    tree : Tree or None
        The tree of a hierarchical gate; None where the shape of the model's tree means nothing to the gate.
    scales : tuple of str
        Fields of the parameters that are positive by their nature, such as variances: leaps change them by factors.
    copies : int
        Number of gates side by side, see `times`.
    """

    traits = GateTraits()
    adjustable = frozenset()
    scales, copies = (), 1
    tree = None

    # -- what the gate is ----------------------------------------------------------------------------------------------

    @property
    def name(self):
        """The name that users are shown."""
        return type(self).__name__

    def structure(self):
        """What the gate is, as text: its class and all hyper-parameters but the adjustable ones."""
        return described(self, self.adjustable)

    @abstractmethod
    def over(self, tree):
        """The gate over the leaves of a tree."""

    def pruned(self, tree):
        """The gate, not bound, over a tree that has lost leaves; ValueError where the user has numbered the leaves."""
        if self.traits.given:
            raise ValueError(
                f"on_empty='drop' does not go with gate {self.name}, which is given for the experts by their numbers; "
                "use on_empty='warn'."
            )
        return self.over(tree)

    def at_floor(self, params):
        """Leaves whose density of x is at its floor: nothing else bounds their likelihood."""
        return np.zeros(0, dtype=int)

    # -- strengths of penalties that are estimated, as those of experts, see `Expert.alphas` ---------------------------

    @property
    def alphas(self):
        """The estimated strengths in force, a dict; empty without any."""
        return {}

    def with_alphas(self, alphas):
        """The gate, not bound, with other strengths in force once it is."""
        return self

    def evidence(self, params, stats):
        """What the rows say of the strengths that are estimated, a dict from their names to `Evidence`."""
        return {}

    def bind(self, rows, design):
        """The gate bound to a training table whose columns Z come from `design` (a `Design`)."""
        return clone(self)

    # -- learning ------------------------------------------------------------------------------------------------------

    @abstractmethod
    def n_parameters(self, params):
        """Number of free parameters. NotImplementedError where they cannot be counted: then there is no BIC."""

    def add(self, a, b):
        """The statistics of two blocks together; `a` is None before the first block."""
        return statistics.add(a, b)

    def log_prior_density(self, params):
        """Log-density of the penalties and priors, up to a constant; the objective adds it."""
        return 0.0

    def gradient(self, params, stats):
        """Gradient of the gate's part of the objective, scaled to be free of units; empty where there is none."""
        return np.zeros(0)

    @property
    def separate(self):
        """Whether parameters of several gates, one after the other, can be computed together, see `times`."""
        return False

    def shares(self, params, stats):
        """What each copy, of a bank of nodes each node, contributes to `log_prior_density` and `gradient`: `Shares`."""
        raise NotImplementedError(f"{type(self).__name__} cannot stand side by side.")

    def times(self, n):
        """The gate n times over: for parameters of n gates one after the other, whose leaves follow each other too."""
        if not self.separate:
            raise NotImplementedError(f"{type(self).__name__} cannot stand side by side.")
        several = copy(self)
        several.copies = n
        return several

    def pulls(self, params, stats):
        """How hard each slope is pulled away from zero, in units of the lasso; empty without slopes."""
        return np.zeros(0)

    def interpolate(self, old, new, step):
        """Parameters between two that were visited, for the guard's way back, or beyond them, for its leaps."""
        return statistics.interpolate(old, new, step, self.scales)

    # -- what users are shown ------------------------------------------------------------------------------------------

    def warnings(self, params, stats):
        """Sentences about parameters at a boundary, each with the next step to take."""
        return []

    def report(self, params, design):
        """The learned parameters in the user's units: a NamedTuple.

        The first axis of its arrays is the leaf; those of gating nodes have the axes node and branch. The default shows
        the field `coef` (..., p + 1), intercept last, as coefficients of the user's columns. It leaves out all other
        fields, whose units only the gate itself knows.
        """
        coef = getattr(params, "coef", None)
        if np.shape(coef)[-1:] != (len(design.scale) + 1,):
            return GateReport()
        return GateReport(*design.to_user_units(coef))

    def questions(self, report, branching, names, scale, max_terms=None):
        """The gate in words, from its `report`.

        Parameters
        ----------
        report : NamedTuple
        branching : sequence of int
            Number of branches of each gating node; of a gate over leaves, the number of leaves alone.
        names : ndarray of str of shape (p,)
            The columns that the gate sees.
        scale : ndarray of shape (p,)
            Their standard deviations.
        max_terms : int or None
            Most terms of a linear score.

        Returns
        -------
        list of Question
            One for each gating node, or one for all leaves.
        """
        return [Question(self.name, self._unnamed(n_branches)) for n_branches in branching]

    @abstractmethod
    def _unnamed(self, n_branches):
        """Answers of a gate that says nothing about its branches."""

    def column_strength(self, report, design):
        """How much the scores change per standard deviation of each column, (p,); zeros where that has no meaning."""
        return np.zeros(len(design.scale))

    # -- information, where `traits.smooth` ----------------------------------------------------------------------------

    def coordinates(self, params, design):
        """The contrasts of the branches of M nodes as `Coordinates` without scalars."""
        raise NotImplementedError(f"{type(self).__name__} has no coordinates.")

    def prior_derivatives(self, params):
        """Gradient (M, d) and Hessian (M, d, d) of `log_prior_density` by the coefficients."""
        raise NotImplementedError(f"{type(self).__name__} has no derivatives.")

    def diverging(self, params, stats):
        """Nodes, an array of int, whose coefficients grow without bound."""
        return np.zeros(0, dtype=int)

    def column_information(self, stats):
        """How much the statistics tell about each design column, (p + 1,), intercept last; None where unknown."""
        return None


class Gate(GateFamily):
    """A distribution over the K leaves. EM passes it leaf responsibilities and asks it for leaf scores."""

    def over(self, tree):
        return self

    def n_leaves(self, params):
        """Number of leaves that the parameters are for."""
        return len(params[0])

    # -- the prior -----------------------------------------------------------------------------------------------------

    @abstractmethod
    def log_score(self, params, rows):
        """What EM adds to the experts' log-densities, (n, K): log g_k(x), or log p(x, k) of a generative gate."""

    def log_prior(self, params, rows):
        """log g_k(x), (n, K), eq. (prior)."""
        score = self.log_score(params, rows)
        if not self.traits.generative:
            return score
        score = score - score.max(axis=1, keepdims=True)  # before the sum, or rows far away lose their digits
        return score - np.log(np.exp(score).sum(axis=1, keepdims=True))

    def route(self, params, rows):
        """The leaves that each row may use, and their log-priors, (n, k) each; all leaves by default."""
        log_prior = self.log_prior(params, rows)
        return np.tile(np.arange(log_prior.shape[1]), (rows.n_rows, 1)), log_prior

    def pairs(self, params):
        """`Paths` and slopes (M, p) of a tree whose nodes have two logit branches, see `Expert.sums_below`, or None."""
        return None

    def from_pairs(self, total, curvature, gradient):
        """Statistics of such a tree, from weights (M,), Gram matrices (M, p (p + 1) / 2) and gradients (M, p)."""
        raise NotImplementedError(f"{type(self).__name__} is no tree of pairs.")

    def slots(self, params):
        """Coefficients (K, p) of a gate that is one softmax node, with Newton steps by the exact Hessian, or None."""
        return None

    def from_slots(self, total, curvature, gradient):
        """Statistics of such a node, from its weight (1,), Gram matrices of the pairs of slots and gradients (K, p)."""
        raise NotImplementedError(f"{type(self).__name__} is no softmax node.")

    def stages(self, params, most):
        """The gate in two stages, if it has some: over subtrees of at most so many leaves, and within each of them.

        Returns
        -------
        top : Stage
            Of the nodes above the subtrees, which are its leaves.
        below : list of Stage
            Of the subtrees. None where the gate is not a tree, or has no more leaves.
        """
        return None

    def dense(self, n_leaves):
        """The gate that a routed one restricts to a few leaves; any other gate itself."""
        return self

    # -- learning ------------------------------------------------------------------------------------------------------

    @abstractmethod
    def init(self, rows, resp):
        """Parameters from responsibilities (n, K) that carry the row weights."""

    def evaluate(self, params, rows):
        """`log_score`, and intermediate results that `statistics` can use again for the same rows."""
        return self.log_score(params, rows), None

    @abstractmethod
    def statistics(self, params, rows, resp, seen=None):
        """Additive statistics of a block, `resp` carrying the row weights, `seen` from `evaluate`."""

    @abstractmethod
    def update(self, params, stats, rows=None):
        """The M-step: the maximiser, or a step that does not lower the gate's part of the objective."""

    def train(self, mixture, params, rows, run):
        """Fit the whole mixture from `params`: by one run of EM, unless the gate needs several of them.

        Parameters
        ----------
        mixture : Mixture
            Of this gate and its experts.
        params : Params
        rows : Rows
        run : callable
            ``run.fit(params)`` is a run of EM, which returns a `Fit`. ``run(params, ...)`` changes what it works on by
            keyword arguments: ``mixture``, ``rows``, ``reached`` and any of ``run.options``. ``run.warm`` says whether
            `params` come from an earlier fit, which reached the objective ``run.reached``.

        Returns
        -------
        Fit
        """
        return run.fit(params)

    # -- what users are shown ------------------------------------------------------------------------------------------

    def _unnamed(self, n_branches):
        return [""] * n_branches

    # -- information, where `traits.smooth` ----------------------------------------------------------------------------

    def displaced(self, params, coef, leaf=None):
        """Parameters from coefficients (M, B, p) in the form of `coordinates`, and from those of the leaves."""
        raise NotImplementedError(f"{type(self).__name__} has no coordinates.")

    def derivatives(self, params, rows, resp):
        """Derivatives of `log_score` by the linear predictors of the contrasts, node by node, J of them.

        Returns
        -------
        first : ndarray of shape (n, K, J)
        second : ndarray of shape (n, J, J)
            The second derivatives summed over the leaves, weighted by `resp` (n, K).
        """
        raise NotImplementedError(f"{type(self).__name__} has no derivatives.")

    def branch_load(self, load):
        """Weight (M, B) of each branch from those of the leaves (K,)."""
        return load[None]

    def leaf_coordinates(self, params, design):
        """Scalars that each leaf has of its own, as `Coordinates` of K leaves without columns, or None."""
        return None

    def leaf_derivatives(self, params, rows, share):
        """First (n, K, E) derivatives of `log_score` by them, second (K, E, E) ones weighted by `share` (n, K)."""
        raise NotImplementedError(f"{type(self).__name__} has no derivatives.")

    def leaf_prior_derivatives(self, params):
        """Gradient (K, E) and Hessian (K, E, E) of `log_prior_density` by them."""
        raise NotImplementedError(f"{type(self).__name__} has no derivatives.")


class RefitGate(Refitted, Gate):
    """A gate that is refitted to all rows in each sweep."""

    traits = GateTraits(refitted=True)

    @abstractmethod
    def fit(self, rows, resp):
        """Parameters from all rows and responsibilities (n, K) that carry the row weights."""
