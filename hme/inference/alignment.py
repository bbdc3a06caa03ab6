"""Label switching: which expert of one fit corresponds to which expert of another, judged by their responsibilities."""

from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from ..numerics.checks import check_array

__all__ = ["AMBIGUOUS", "Alignment", "align", "branches_of", "exchangeable"]

# A matching that beats the next best by less than this share of the load concerned is ambiguous.
AMBIGUOUS = 0.05


class Alignment(NamedTuple):
    """How the leaves of a fit are matched to those of a reference.

    `experts` is the best matching of all; `leaves` is the best one among the symmetries of the tree, with the gating
    nodes and branches that go with it. The two are equal unless the fit is `crossed`: its experts are those of the
    reference, but at other places of the tree, so that its gating nodes are not comparable.
    """

    experts: np.ndarray  # (K,) leaf of the fit that is leaf k of the reference
    leaves: np.ndarray  # (K,) the same, where only whole branches of the tree may be exchanged
    nodes: np.ndarray  # (M,) gating node of the fit that is node m of the reference
    branches: np.ndarray  # (M, B) branch of that node which is branch b of node m
    agreement: float  # share of the weight that both fits give to the same expert, eq. (agreement)
    confidence: float  # how much better the matching is than the next one, eq. (confidence)

    @property
    def crossed(self):
        return not np.array_equal(self.experts, self.leaves)

    @property
    def ambiguous(self):
        return self.confidence < AMBIGUOUS


def align(reference, resp, weight=None, tree=None, allowed=None):
    """Match the experts of a fit to those of a reference by their responsibilities for the same rows, eq. (overlap).

    Parameters
    ----------
    reference, resp : array-like of shape (n, K)
        Responsibilities for the same rows under both.
    weight : array-like of shape (n,) or None
    tree : Tree or None
        The tree of a hierarchical gate, which only allows exchanges of branches below one node. None allows any
        matching, as is right for gates that act on leaves.
    allowed : array-like of bool of shape (K, K) or None
        Whether leaf k of the reference may be leaf l of the fit; experts of different families may not.

    Returns
    -------
    Alignment

    Raises
    ------
    ValueError
        If the shapes do not agree.

    References
    ----------
    Stephens, M. (2000). Dealing with label switching in mixture models. Journal of the Royal Statistical Society B
    62(4), 795-809.

    Examples
    --------
    >>> import numpy as np
    >>> from hme.inference.alignment import align
    >>> resp = np.array([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0], [0.0, 0.1, 0.9]])
    >>> found = align(resp, resp[:, [2, 0, 1]])
    >>> found.experts, found.ambiguous
    (array([1, 2, 0]), False)
    """
    reference = np.asarray(reference, dtype=float)
    if reference.ndim != 2:
        raise ValueError(f"reference must be responsibilities (n, K), got shape {reference.shape}.")
    n, K = reference.shape
    resp = check_array(resp, "resp", (n, K))
    weight = np.ones(n) if weight is None else check_array(weight, "weight", (n,), nonnegative=True)
    if tree is not None and tree.n_leaves != K:
        raise ValueError(f"tree has {tree.n_leaves} leaves, reference has {K} columns.")
    allowed = np.ones((K, K), dtype=bool) if allowed is None else np.asarray(allowed, dtype=bool)
    total = weight.sum()
    overlap = (reference * weight[:, None]).T @ resp / total
    # A forbidden pair costs more than any matching can gain, so that it is chosen only if there is no alternative.
    forbidden = -(1.0 + 2.0 * K)
    overlap = np.where(allowed, overlap, forbidden)

    experts = _assign(overlap)
    if tree is None:
        leaves, nodes, branches = experts, np.zeros(0, dtype=int), np.zeros((0, 2), dtype=int)
    else:
        leaves, nodes, branches = branches_of(tree, overlap)
    agreement = 1.0 - 0.5 * float(weight @ np.abs(reference - resp[:, experts]).sum(axis=1)) / total
    load = weight @ reference / total
    return Alignment(experts, leaves, nodes, branches, agreement, _confidence(overlap, experts, load, forbidden))


def _assign(overlap):
    return linear_sum_assignment(overlap, maximize=True)[1]


def _confidence(overlap, best, load, forbidden):
    """How clearly the best matching beats the next best, relative to the load that that moves, eq. (confidence)."""
    k = np.arange(len(best))
    reached, least = overlap[k, best].sum(), 1.0
    for pair in zip(k, best, strict=True):  # any other matching lacks at least one of the pairs
        without = overlap.copy()
        without[pair] = forbidden
        other = _assign(without)
        if without[k, other].min(initial=0.0) <= forbidden:  # there is no other
            continue
        moved = load[other != best].sum()
        gain = reached - without[k, other].sum()
        least = min(least, gain / moved if moved > 0 else 0.0)
    return float(max(least, 0.0))


def branches_of(tree, overlap):
    """The symmetry of a tree with the largest overlap (K, K): leaves (K,), nodes (M,) and branches (M, B).

    A symmetry exchanges branches below a node whose subtrees have the same shape. The best one for a pair of nodes is
    an assignment of their branches, where a pair of branches is worth the gain of its own best symmetry, eq.
    (symmetry).
    """
    K, M, B = tree.n_leaves, tree.n_nodes, tree.max_branching
    if M == 0:
        return np.zeros(1, dtype=int), np.zeros(0, dtype=int), np.zeros((0, B), dtype=int)
    below = [[int(c) for c in row if c != 0] for row in tree.children]
    slots = [np.flatnonzero(row) for row in tree.children]
    value, pairs = np.full((M, M), -np.inf), {}

    def worth(a, b):
        if a < 0 and b < 0:
            return overlap[~a, ~b]
        return value[a, b] if a > 0 and b > 0 else -np.inf

    for a in reversed(range(M)):  # children have higher numbers than their parents
        for b in reversed(range(M)):
            if len(below[a]) != len(below[b]):
                continue
            gain = np.array([[worth(c, d) for d in below[b]] for c in below[a]])
            try:
                rows, columns = linear_sum_assignment(gain, maximize=True)
            except ValueError:  # the shapes below differ
                continue
            value[a, b], pairs[a, b] = gain[rows, columns].sum(), columns

    leaves, nodes = np.zeros(K, dtype=int), np.zeros(M, dtype=int)
    branches = np.tile(np.arange(B), (M, 1))

    def descend(a, b):
        if a < 0:
            leaves[~a] = ~b
            return
        nodes[a] = b
        branches[a, slots[a]] = slots[b][pairs[a, b]]
        for c, j in zip(below[a], pairs[a, b], strict=True):
            descend(c, below[b][j])

    descend(0, 0)
    return leaves, nodes, branches


def exchangeable(expert, n_leaves, by_number=False):
    """Which leaves (K, K) may be exchanged: those of the same family, unless their numbers have a meaning.

    Parameters
    ----------
    expert : Expert
        Bound to a table.
    n_leaves : int
    by_number : bool
        Whether the numbers of leaves have a meaning, given by labels or by a gate that the user provides.
    """
    return np.eye(n_leaves, dtype=bool) if by_number else expert.exchangeable(n_leaves)
