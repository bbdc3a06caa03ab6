"""The H in HME: a bank of gating nodes on a tree becomes a distribution over its leaves."""

from abc import abstractmethod
from functools import partial, reduce

import numpy as np

from ..model.bank import Shares
from ..model.rows import small_rows
from ..numerics.engine import in_order
from ..numerics.paths import branch_sums, leaf_sums
from ..numerics.statistics import take
from .base import Gate, GateFamily, Stage
from .cut import cut

__all__ = ["NodeGate", "TreeGate"]


class NodeGate(GateFamily):
    """A bank of M gating nodes, computed together; `over` makes a gate over the leaves of a tree of them."""

    def over(self, tree):
        return TreeGate(self, tree)

    @abstractmethod
    def start(self, used, n_columns):
        """Parameters that send a row down all branches in `used` (M, B) with the same probability."""

    @abstractmethod
    def log_branch(self, params, rows):
        """log g(b | m, x), (n, M, B); -inf where node m has no branch b."""

    @abstractmethod
    def statistics(self, log_branch, rows, mass):
        """Additive statistics of a block, from `log_branch` and the weight `mass` (n, M, B) below each branch."""

    @abstractmethod
    def update(self, params, stats):
        """The M-step of all nodes."""

    def log_leaf(self, params, rows, paths):
        """Log-priors (K, n) of the leaves of a tree, and what `gather` can use again for the same rows.

        `paths` are the `Paths` of the tree. A family may do better than by `log_branch`.
        """
        log_branch = self.log_branch(params, rows)
        return leaf_sums(paths, log_branch.transpose(2, 1, 0)), log_branch

    def gather(self, seen, rows, leaf, paths):
        """`statistics` from responsibilities (K, n) of leaves that carry the row weights."""
        mass = leaf[:, None] if paths.flat else branch_sums(paths, leaf, seen.shape[2])
        return self.statistics(seen, rows, mass.transpose(2, 1, 0))

    def pair_slopes(self, params):
        """Coefficients (M, p) of second branches' relative scores, of nodes with two logit branches; else None."""
        return None

    def from_pairs(self, total, curvature, gradient):
        """See `Gate.from_pairs`."""
        raise NotImplementedError(f"{type(self).__name__} has no pairs of logit branches.")

    def slots(self, params):
        """See `Gate.slots`; of a single node."""
        return None

    def from_slots(self, total, curvature, gradient):
        """See `Gate.from_slots`."""
        raise NotImplementedError(f"{type(self).__name__} has no slots.")

    def _unnamed(self, n_branches):
        return [f"branch {b}" for b in range(n_branches)]

    def displaced(self, params, coef):
        """Parameters from coefficients (M, B, p) in the form of `coordinates`."""
        raise NotImplementedError(f"{type(self).__name__} has no coordinates.")


class TreeGate(Gate):
    """Gate over the leaves of a tree, made of one family of gating nodes.

    The log-prior of a leaf is the sum of the log branch probabilities on its path, eq. (prior); the mass of a branch
    is the sum of the responsibilities of the leaves below it, eq. (mass).

    Parameters
    ----------
    node : NodeGate
        The family of gating nodes.
    tree : Tree

    Examples
    --------
    >>> from hme import Tree
    >>> from hme.gates import SoftmaxGate, TreeGate
    >>> TreeGate(SoftmaxGate(), Tree.from_text("((. .) .)")).tree.n_leaves
    3
    """

    def __init__(self, node, tree):
        self.node = node
        self.tree = tree

    @property
    def traits(self):
        """Those of its nodes."""
        return self.node.traits

    @property
    def name(self):
        """The name of its nodes."""
        return self.node.name

    def structure(self):
        return f"TreeGate({self.node.structure()}, {self.tree!r})"

    def over(self, tree):
        if self.tree != tree:
            raise ValueError(f"gate has the tree {self.tree!r}, the model {tree!r}; give the gate's nodes alone.")
        return self

    def pruned(self, tree):
        return self.node.pruned(tree)

    @property
    def alphas(self):
        return self.node.alphas

    def with_alphas(self, alphas):
        return TreeGate(self.node.with_alphas(alphas), self.tree)

    def evidence(self, params, stats):
        return self.node.evidence(params, stats) if self.tree.n_nodes else {}

    def bind(self, rows, design):
        bound = super().bind(rows, design)
        bound.node = self.node.bind(rows, design)
        return bound

    def n_leaves(self, params):
        return self.tree.n_leaves

    # -- the prior -----------------------------------------------------------------------------------------------------

    def log_score(self, params, rows):
        return self.evaluate(params, rows)[0]

    def evaluate(self, params, rows):
        log_prior, seen = self.node.log_leaf(params, rows, self._paths)
        return log_prior.T, seen

    def pairs(self, params):
        slope = self.node.pair_slopes(params) if self.tree.by_level.pairs else None
        return None if slope is None else (self.tree.by_level, slope)

    def from_pairs(self, total, curvature, gradient):
        return self.node.from_pairs(total, curvature, gradient)

    def stages(self, params, most):
        found = cut(self.tree, most)
        if found is None:
            return None
        top, *below = (
            Stage(TreeGate(self.node, part.tree), take(params, part.nodes), part.nodes, part.leaves)
            for part in (found.top, *found.below)
        )
        return top, below

    def slots(self, params):
        return self.node.slots(params) if self.tree.by_level.flat else None

    def from_slots(self, total, curvature, gradient):
        return self.node.from_slots(total, curvature, gradient)

    # -- learning ------------------------------------------------------------------------------------------------------

    def init(self, rows, resp, n_steps=5):
        # A few steps: the nodes should tell the start's regions apart before the first E-step.
        params = self.node.start(self._used(), rows.Z.shape[1])
        for _ in range(n_steps if self.tree.n_nodes else 0):
            parts = in_order(partial(self._of_block, params, resp), rows.blocks(small_rows(resp.shape[1])))
            params = self.update(params, reduce(self.add, parts))
        return params

    def _of_block(self, params, resp, block):
        index, rows = block
        return self.statistics(params, rows, resp[index])

    @property
    def _paths(self):
        """The paths of as many trees as there are copies."""
        return self.tree.by_level if self.copies == 1 else self.tree.side_by_side(self.copies)

    def _used(self):
        """Which branches of the nodes of all copies there are, (copies M, B)."""
        return np.tile(self.tree.used, (self.copies, 1))

    def statistics(self, params, rows, resp, seen=None):
        seen = self.evaluate(params, rows)[1] if seen is None else seen
        return self.node.gather(seen, rows, resp.T, self._paths)

    def add(self, a, b):
        return self.node.add(a, b)

    def update(self, params, stats, rows=None):
        return self.node.update(params, stats)

    def n_parameters(self, params):
        return self.node.n_parameters(params)

    def log_prior_density(self, params):
        return self.node.log_prior_density(params)

    @property
    def separate(self):
        return self.node.separate

    def shares(self, params, stats):
        log_prior, gradient, _ = (a.reshape(self.copies, -1) for a in self.node.shares(params, stats))
        return Shares(log_prior.sum(axis=1), gradient.max(axis=1, initial=0.0))

    def gradient(self, params, stats):
        return self.node.gradient(params, stats)

    def pulls(self, params, stats):
        return self.node.pulls(params, stats)

    def interpolate(self, old, new, step):
        return self.node.interpolate(old, new, step)

    # -- what users are shown ------------------------------------------------------------------------------------------

    def warnings(self, params, stats):
        return self.node.warnings(params, stats)

    def report(self, params, design):
        return self.node.report(params, design)

    def questions(self, report, branching, names, scale, max_terms=None):
        return self.node.questions(report, branching, names, scale, max_terms)

    def column_strength(self, report, design):
        return self.node.column_strength(report, design)

    # -- information ---------------------------------------------------------------------------------------------------

    def coordinates(self, params, design):
        return self.node.coordinates(params, design)

    def displaced(self, params, coef, leaf=None):
        return self.node.displaced(params, coef)

    def derivatives(self, params, rows, resp):
        """By the contrasts of every branch to the first of its node, eq. (gate-derivatives)."""
        branch = np.exp(self.node.log_branch(params, rows))  # (n, M, B)
        first, second = [], []
        total = (self.tree.paths.sum(axis=1) @ resp.T).T  # (n, M)
        for m, used in enumerate(self.tree.used):
            slots = np.flatnonzero(used)[1:]
            proba, paths = branch[:, m, slots], self.tree.paths[m][slots]
            below = self.tree.paths[m].sum(axis=0)
            first.append(paths.T - proba[:, None] * below[:, None])
            weighted = total[:, m, None] * proba
            block = weighted[:, :, None] * proba[:, None]
            number = np.arange(len(slots))
            block[:, number, number] -= weighted
            second.append(block)
        sizes = [block.shape[1] for block in second]
        J, start = sum(sizes), 0
        joint = np.zeros((rows.n_rows, J, J))
        for block, size in zip(second, sizes, strict=True):
            joint[:, start : start + size, start : start + size] = block
            start += size
        K = self.tree.n_leaves
        return (np.concatenate(first, axis=2) if first else np.zeros((rows.n_rows, K, 0))), joint

    def prior_derivatives(self, params):
        return self.node.prior_derivatives(params)

    def diverging(self, params, stats):
        return self.node.diverging(params, stats) if self.tree.n_nodes else np.zeros(0, dtype=int)

    def column_information(self, stats):
        return self.node.column_information(stats)

    def branch_load(self, load):
        return self.tree.paths @ load
