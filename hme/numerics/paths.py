"""Sums along the paths of a tree, level by level: from branches to leaves, and from leaves back to branches.

With two logit branches at every node these become the log-priors of the leaves and the moments of Newton's steps.
Values are stored branch by branch, (B, M, n) for M nodes of at most B branches, with the rows of a node contiguous.
"""

from typing import Any, NamedTuple

import numpy as np

from .engine import twinned
from .multinomial import log_sigmoids, logit_moments

__all__ = ["Paths", "branch_sums", "leaf_sums", "pair_moments", "pair_priors"]


class Step(NamedTuple):
    """Nodes of one level whose branch `branch` leads to nodes, or to leaves."""

    branch: int
    parents: Any  # slice or ndarray of node numbers
    children: Any  # of the nodes, or leaves, below them
    leaves: bool


class Level(NamedTuple):
    nodes: Any  # slice or ndarray
    steps: tuple  # of Step


class Paths(NamedTuple):
    """The way through a tree, level by level from the root."""

    children: np.ndarray  # (M, B), see `Tree`
    n_nodes: int
    n_leaves: int
    full: bool  # whether every node has all branches
    levels: tuple  # of Level
    n_trees: int = 1

    @property
    def pairs(self):
        """Whether there are nodes, and all have two branches."""
        return self.full and self.children.shape[1] == 2 and self.n_nodes > 0

    @property
    def flat(self):
        """Whether there is one node, with a leaf below each branch."""
        return self.n_nodes == 1 and bool((self.children[0] == ~np.arange(self.n_leaves)).all())

    def times(self, n):
        """The way through n such trees, whose nodes and leaves are numbered one tree after the other."""
        tree, children = np.arange(n)[:, None, None], self.children
        shifted = children + tree * np.where(children > 0, self.n_nodes, np.where(children < 0, -self.n_leaves, 0))
        return self.of(shifted.reshape(-1, children.shape[1]), n)

    @property
    def parents(self):
        """Parent and branch of every node (M, 2), and of every leaf (K, 2); -1 is above the root."""
        of_nodes, of_leaves = np.full((self.n_nodes, 2), -1), np.full((self.n_leaves, 2), -1)
        for m, b in zip(*np.nonzero(self.children), strict=True):
            child = self.children[m, b]
            (of_nodes if child > 0 else of_leaves)[child if child > 0 else ~child] = m, b
        return of_nodes, of_leaves

    def ceilings(self, leaf):
        """The largest of the values (K,) of the leaves below each branch, (M, B)."""
        most = np.full(self.children.shape, -np.inf)
        for m in reversed(range(self.n_nodes)):
            for b, child in enumerate(self.children[m]):
                if child:
                    most[m, b] = most[child].max() if child > 0 else leaf[~child]
        return most

    @classmethod
    def of(cls, children, n_trees=1):
        """From the array (M, B) of a `Tree`, or from those of several."""
        M, B = children.shape
        depth = np.zeros(M, dtype=int)
        for m, row in enumerate(children):  # parents come before their children
            depth[row[row > 0]] = depth[m] + 1
        levels = []
        for level in range(depth.max(initial=-1) + 1):
            nodes, steps = np.flatnonzero(depth == level), []
            for b in range(B):
                below = children[nodes, b]
                for leaves, chosen in ((False, below > 0), (True, below < 0)):
                    if chosen.any():
                        ends = ~below[chosen] if leaves else below[chosen]
                        steps.append(Step(b, _sliced(nodes[chosen]), _sliced(ends), leaves))
            levels.append(Level(_sliced(nodes), tuple(steps)))
        n_leaves = int((children < 0).sum()) if M else n_trees
        return cls(children, M, n_leaves, bool((children != 0).all()), tuple(levels), n_trees)


def _sliced(numbers):
    """Numbers as a slice, where they rise in equal steps: it takes a view."""
    step = int(numbers[1] - numbers[0]) if len(numbers) > 1 else 1
    if step > 0 and (np.diff(numbers) == step).all():
        return slice(int(numbers[0]), int(numbers[-1]) + 1, step)
    return numbers


@twinned
def leaf_sums(paths, values):
    """Sums (K, n) of the values (B, M, n) of the branches on the path to each leaf, in new memory."""
    n = values.shape[2]
    node, leaf = np.empty((paths.n_nodes, n)), np.empty((paths.n_leaves, n))
    if not paths.levels:
        leaf[:] = 0.0
    for number, level in enumerate(paths.levels):
        for step in level.steps:
            own, out = values[step.branch, step.parents], leaf if step.leaves else node
            if number == 0:
                out[step.children] = own
            elif isinstance(step.children, slice):
                np.add(node[step.parents], own, out=out[step.children])
            else:
                out[step.children] = node[step.parents] + own
    return leaf


@twinned
def branch_sums(paths, leaf, n_branches):
    """Sums (B, M, n) of the values (K, n) of the leaves below each branch; zero where there is no branch."""
    n, M = leaf.shape[1], paths.n_nodes
    sums, total = np.empty((n_branches, M, n)) if paths.full else np.zeros((n_branches, M, n)), np.empty((M, n))
    for number in reversed(range(len(paths.levels))):
        nodes, steps = paths.levels[number]
        for step in steps:
            sums[step.branch, step.parents] = (leaf if step.leaves else total)[step.children]
        if number:
            total[nodes] = sums[:, nodes].sum(axis=0)
    return sums


@twinned
def pair_priors(paths, score):
    """Log-priors (K, n) of leaves, and probabilities (M, n) of second branches, from their relative scores (M, n)."""
    log_branch = log_sigmoids(score)
    return leaf_sums(paths, log_branch), np.exp(log_branch[1], out=log_branch[1])


@twinned
def pair_moments(paths, probability, leaf):
    """`logit_moments` of all nodes, from probabilities (M, n) of second branches and masses (K, n) of leaves."""
    return logit_moments(probability, branch_sums(paths, leaf, 2))
