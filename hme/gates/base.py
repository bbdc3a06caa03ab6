"""What a gate is: the prior distribution over leaves, given x. The same verbs as an expert."""

from abc import ABC, abstractmethod

import numpy as np
from sklearn.base import BaseEstimator, clone

from ..model.refits import Refitted
from ..model.traits import GateTraits, described
from ..numerics import statistics

__all__ = ["Gate", "NodeGate", "RefitGate"]


class Gate(BaseEstimator, ABC):
    """A distribution over the K leaves. EM sees leaf scores and leaf responsibilities only.

    Attributes
    ----------
    generative : bool
        The scores are log p(x, k), so that EM climbs the joint likelihood of x and y.
    sparse : bool
        A row may use a few leaves only: the gate has `route`, and is trained in stages.
    supports_sparse : bool
    sees_columns : bool
        The prior depends on x.
    exact : bool
        The update never lets its part of the objective fall.
    refitted : bool
        The update fits anew: there is nothing between two parameters, and the objective may fall.
    sees_table : bool
        It looks at the user's table, ``rows.gate_table``, beside the design columns.
    cross_fitted : bool
        It answers to rows of the training table without having seen them, by ``rows.fold``.
    smooth : bool
        The log-prior has derivatives by the gate's `coordinates`, so that there is information on them.
    known : str
        What of it an account of uncertainty takes as known, as a sentence; "" is nothing.
    """

    generative = sparse = refitted = sees_table = cross_fitted = smooth = False
    exact = supports_sparse = sees_columns = True
    known = ""

    @property
    def traits(self):
        """What the gate is and can do."""
        return GateTraits(
            generative=self.generative,
            routed=self.sparse,
            sees_columns=self.sees_columns,
            sparse_input=self.supports_sparse,
            exact=self.exact,
            smooth=self.smooth,
            refitted=self.refitted,
            cross_fitted=self.cross_fitted,
            sees_table=self.sees_table,
            fixed=self.known,
        )

    # Hyper-parameters that may change between a fit and the warm start that goes on from it.
    adjustable = frozenset(
        {
            "alpha", "l1_ratio", "covariance_prior", "covariance_floor", "commit", "balance", "dense_sweeps", "max_stages",
            "stage_sweeps", "n_jobs", "smoothing",
        }
    )  # fmt: skip

    def structure(self):
        """What the gate is, as text: its class and all hyper-parameters but the adjustable ones."""
        return described(self, self.adjustable)

    def over(self, tree):
        """The gate over the leaves of a tree."""
        return self

    def bind(self, rows, design):
        """The gate bound to a training table whose columns Z come from `design` (a `Design`)."""
        return clone(self)

    @abstractmethod
    def init(self, rows, resp):
        """Parameters from responsibilities (n, K) that carry the row weights."""

    @abstractmethod
    def log_score(self, params, rows):
        """What EM adds to the experts' log-densities, (n, K): log g_k(x), or log p(x, k) of a generative gate."""

    def log_prior(self, params, rows):
        """log g_k(x), (n, K), eq. (prior)."""
        return self.log_score(params, rows)

    def evaluate(self, params, rows):
        """`log_score`, and whatever of the way there `statistics` can use again for the same rows."""
        return self.log_score(params, rows), None

    @abstractmethod
    def statistics(self, params, rows, resp, seen=None):
        """Additive statistics of a block, `resp` carrying the row weights, `seen` from `evaluate`."""

    @abstractmethod
    def update(self, params, stats, rows=None):
        """The M-step."""

    @abstractmethod
    def n_parameters(self, params):
        """Number of free parameters."""

    def add(self, a, b):
        return statistics.add(a, b)

    def log_prior_density(self, params):
        return 0.0

    def gradient(self, params, stats):
        return np.zeros(0)

    def interpolate(self, old, new, step):
        return statistics.interpolate(old, new, step)

    def warnings(self, params, stats):
        return []

    def report(self, params, design):
        """What the user is shown: a NamedTuple of arrays in the user's units."""
        return params

    # -- information, where `smooth` ---------------------------------------------------------------------------------

    def coordinates(self, params, design):
        """The contrasts of the branches of M nodes as `Coordinates` without scalars."""
        raise NotImplementedError(f"{type(self).__name__} has no coordinates.")

    def displaced(self, params, coef, leaf=None):
        """Parameters from coefficients (M, B, p) in the form of `coordinates`, and from those of the leaves."""
        raise NotImplementedError(f"{type(self).__name__} has no coordinates.")

    def derivatives(self, params, rows, resp):
        """Derivatives of `log_score` by the linear predictors of the contrasts, node by node, J of them.

        Returns
        -------
        first : ndarray of shape (n, K, J)
        second : ndarray of shape (n, J, J)
            The second ones summed over the leaves, weighted by `resp` (n, K).
        """
        raise NotImplementedError(f"{type(self).__name__} has no derivatives.")

    def prior_derivatives(self, params):
        """Gradient (M, d) and Hessian (M, d, d) of `log_prior_density` by the coefficients."""
        raise NotImplementedError(f"{type(self).__name__} has no derivatives.")

    def diverging(self, params, stats):
        """Nodes, an array of int, whose coefficients grow without bound."""
        return np.zeros(0, dtype=int)

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
    """A gate that is fitted anew on all rows each sweep."""

    @abstractmethod
    def fit(self, rows, resp):
        """Parameters from all rows and responsibilities (n, K) that carry the row weights."""


class NodeGate(BaseEstimator, ABC):
    """A family of gating nodes, computed together; `TreeGate` makes a gate over leaves of them.

    `mass` is (n, M, B): the weight of each row that goes down each branch.
    """

    generative = sparse = refitted = sees_table = cross_fitted = smooth = False
    exact = supports_sparse = sees_columns = True
    known = ""

    @property
    def traits(self):
        """What the gate is and can do."""
        return GateTraits(
            generative=self.generative,
            routed=self.sparse,
            sees_columns=self.sees_columns,
            sparse_input=self.supports_sparse,
            exact=self.exact,
            smooth=self.smooth,
            refitted=self.refitted,
            cross_fitted=self.cross_fitted,
            sees_table=self.sees_table,
            fixed=self.known,
        )

    # Hyper-parameters that may change between a fit and the warm start that goes on from it.
    adjustable = frozenset(
        {
            "alpha", "l1_ratio", "covariance_prior", "covariance_floor", "commit", "balance", "dense_sweeps", "max_stages",
            "stage_sweeps", "n_jobs", "smoothing",
        }
    )  # fmt: skip

    def structure(self):
        """What the gate is, as text: its class and all hyper-parameters but the adjustable ones."""
        return described(self, self.adjustable)

    def over(self, tree):
        """The gate over the leaves of a tree."""
        from .hierarchy import TreeGate  # which builds on this module

        return TreeGate(self, tree)

    def bind(self, rows, design):
        return clone(self)

    @abstractmethod
    def start(self, used, n_columns):
        """Parameters that send a row down all branches in `used` (M, B) with the same probability."""

    @abstractmethod
    def log_branch(self, params, rows):
        """log g(b | m, x), (n, M, B)."""
