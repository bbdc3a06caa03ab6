"""The topology of a hierarchy: gating nodes, branches and leaves as plain arrays, independent of data.

Gating nodes m = 0..M-1 are numbered so that a parent comes before its children (the root is 0); leaves k = 0..K-1 are
numbered from left to right. ``children[m, b]`` describes branch b of node m: a positive number is the gating node below
it, ``~k`` (negative) is leaf k, and 0 means that node m has no such branch, since the root is never a child.
"""

import re
from functools import cached_property

import numpy as np

from ..numerics.checks import check_int
from ..numerics.paths import Paths

__all__ = ["Tree"]

MAX_AUTO_DEPTH = 5
MOST_LEAVES = 1 << 16  # of any tree: the paths alone of a larger one would not fit in memory


class Tree:
    """A rooted tree of any shape, with a gating node at every fork and an expert at every leaf.

    Parameters
    ----------
    children : array-like of int of shape (M, B)
        Row m holds the branches of gating node m: a positive number is a gating node, ``~k`` is leaf k, and 0 means no
        branch. An empty array is the tree of one leaf. Most users call `complete`, `flat`, `from_nested` or `from_text`
        instead.

    Attributes
    ----------
    n_nodes, n_leaves, max_branching, depth : int
        M, K, B and the number of gates on the longest path.

    Raises
    ------
    ValueError
        If `children` is not a tree.

    Examples
    --------
    >>> from hme import Tree
    >>> tree = Tree.from_text("((. .) .)")
    >>> tree.n_nodes, tree.n_leaves, tree.depth
    (2, 3, 2)
    >>> Tree.complete(depth=2, branching=2)
    Tree.from_text('((. .) (. .))')
    """

    def __init__(self, children):
        children = np.asarray(children, dtype=int)
        self.children = children.reshape(len(children), -1) if children.size else np.zeros((0, 2), dtype=int)
        self._check()

    def _check(self):
        used = self.children[self.children != 0]
        nodes, leaves = used[used > 0], ~used[used < 0]
        topological = all((row[row > 0] > m).all() for m, row in enumerate(self.children))
        if (
            sorted(nodes) != list(range(1, self.n_nodes))
            or sorted(leaves) != list(range(len(leaves)))
            or (self.n_nodes and (self.branching < 2).any())
            or not topological
        ):
            raise ValueError(
                f"children = {self.children.tolist()} is not a tree: every gating node but the root and every leaf "
                "must appear once, parents before children, and every node must have at least two branches."
            )

    # -- building ----------------------------------------------------------------------------------------------------

    @classmethod
    def complete(cls, depth, branching=2):
        """Complete tree; `branching` is an int or one int per level, from the root down."""
        levels = _levels(depth, branching)
        if any(b != int(b) or b < 2 for b in levels):
            raise ValueError(f"branching = {branching!r} must be at least 2 at every level.")
        _check_size(_n_leaves(levels), f"depth = {depth!r} with branching = {branching!r}")
        nested = None
        for b in reversed(levels):
            nested = (nested,) * int(b)
        return cls.from_nested(nested)

    @classmethod
    def flat(cls, n_experts):
        """One gating node above `n_experts` leaves (no node at all for one expert)."""
        if n_experts < 1:
            raise ValueError(f"n_experts = {n_experts!r} must be at least 1.")
        _check_size(n_experts, f"n_experts = {n_experts!r}")
        return cls.from_nested((None,) * n_experts if n_experts > 1 else None)

    @classmethod
    def from_nested(cls, nested):
        """Tree from nested tuples or lists; any other object is a leaf. Nodes are numbered level by level."""
        queue, forks, n_forks = [nested], [], 0
        for item in queue:  # breadth first: the queue grows while it is read
            if isinstance(item, (tuple, list)):
                forks.append(item)
                queue.extend(item)
                _check_size(len(queue) - len(forks), "tree")
        if any(len(fork) < 2 for fork in forks):
            raise ValueError(f"tree = {nested!r} has a gating node with fewer than two branches.")
        width = max((len(fork) for fork in forks), default=2)
        children = np.zeros((len(forks), width), dtype=int)
        for m, fork in enumerate(forks):
            for b, item in enumerate(fork):
                if isinstance(item, (tuple, list)):
                    n_forks += 1
                    children[m, b] = n_forks
                else:
                    children[m, b] = -1
        return cls(_number_leaves(children))

    @classmethod
    def from_text(cls, text):
        """Tree from text such as ``"((. .) (. . .))"``: brackets are gating nodes, any other word is a leaf."""
        tokens = re.findall(r"[()]|[^\s(),]+", text)
        stack, done = [[]], True
        for token in tokens:
            if token == "(":
                stack.append([])
            elif token == ")":
                done = len(stack) > 1
                if not done:
                    break
                closed = stack.pop()
                stack[-1].append(tuple(closed))
            else:
                stack[-1].append(None)
        if not done or len(stack) != 1 or len(stack[0]) != 1:
            raise ValueError(f"tree = {text!r} is not one balanced expression such as '((. .) .)'.")
        return cls.from_nested(stack[0][0])

    @classmethod
    def from_parameters(cls, depth, branching, n_experts, tree, *, rows_per_leaf, weight, n_rows):
        """Tree from an estimator's parameters, with no more leaves than rows.

        Parameters
        ----------
        depth, branching, n_experts, tree
            Of the estimator.
        rows_per_leaf, weight : float
            ``depth="auto"`` has at least `rows_per_leaf` of `weight` per leaf.
        n_rows : callable
            ``n_rows(enough)`` counts what may have an expert of its own: rows or groups that differ. It may stop at
            `enough`.
        """
        if tree is not None or n_experts is not None:
            _check_alone(depth, branching, n_experts, tree)
        if isinstance(tree, Tree | str | tuple | list):
            made = tree if isinstance(tree, Tree) else cls.from_text(tree) if isinstance(tree, str) else None
            made = cls.from_nested(tree) if made is None else made
            _check_rows(made.n_leaves, n_rows, "tree")
            return made
        if tree is not None:
            raise TypeError(f"tree = {tree!r} must be a Tree, its text such as '((. .) .)', or nested tuples.")
        if n_experts is not None:
            _check_rows(check_int(n_experts, "n_experts"), n_rows, f"n_experts = {n_experts!r}")
            return cls.flat(n_experts)
        if np.ndim(branching) and not len(branching):
            raise ValueError(f"branching = {branching!r} must be an integer >= 2 or one for every level.")
        for level in np.atleast_1d(np.asarray(branching, dtype=object)):
            check_int(level, "branching", 2)
        if _is_auto(depth) and not np.ndim(branching):
            most = min(weight / rows_per_leaf, n_rows(branching**MAX_AUTO_DEPTH))
            depth = min(MAX_AUTO_DEPTH, int(np.log(max(most, 1.0)) / np.log(branching) + 1e-9))
        else:
            depth = len(branching) if _is_auto(depth) else check_int(depth, "depth", 0)
            named = f"depth = {depth!r} with branching = {branching!r}"
            _check_rows(_n_leaves(_levels(depth, branching)), n_rows, named)
        return cls.complete(depth, branching)

    # -- shape -------------------------------------------------------------------------------------------------------

    @property
    def n_nodes(self):
        return len(self.children)

    @property
    def n_leaves(self):
        return 1 if self.n_nodes == 0 else int((self.children < 0).sum())

    @property
    def max_branching(self):
        return self.children.shape[1]

    @cached_property
    def branching(self):
        """Number of branches of each gating node, (M,)."""
        return self.used.sum(axis=1)

    @cached_property
    def parent(self):
        """Parent node of every gating node, (M,); -1 for the root."""
        parent = np.full(self.n_nodes, -1)
        for m, row in enumerate(self.children):
            parent[row[row > 0]] = m
        return parent

    @cached_property
    def used(self):
        """Which branches exist, (M, B) of bool."""
        return self.children != 0

    @cached_property
    def paths(self):
        """Branches on the path to each leaf, (M, B, K): one if branch b of node m leads to leaf k, else zero."""
        paths = np.zeros((*self.children.shape, self.n_leaves))
        for m in reversed(range(self.n_nodes)):
            for b, child in enumerate(self.children[m]):
                if child < 0:
                    paths[m, b, ~child] = 1.0
                elif child > 0:
                    paths[m, b] = paths[child].sum(axis=0)
        return paths

    @cached_property
    def by_level(self):
        """The tree as the plan of sums along its paths, a `Paths`."""
        return Paths.of(self.children)

    def side_by_side(self, n):
        """The same of n such trees, whose nodes and leaves are numbered one tree after the other."""
        if n not in self._forests:
            self._forests[n] = self.by_level.times(n)
        return self._forests[n]

    @cached_property
    def _forests(self):
        return {}

    @cached_property
    def depth(self):
        return int(self.paths.sum(axis=(0, 1)).max()) if self.n_nodes else 0

    def leaves_below(self, node):
        """Indices of the leaves below a gating node, from left to right."""
        return np.flatnonzero(self.paths[node].sum(axis=0))

    # -- change ------------------------------------------------------------------------------------------------------

    def split(self, leaf, branching=2):
        """Replace a leaf by a gating node with `branching` leaves; the new node gets the last number.

        Returns
        -------
        tree : Tree
        origin : ndarray of shape (K + branching - 1,)
            The old leaf that each leaf of the new tree comes from, to be used with ``statistics.take``.

        Raises
        ------
        ValueError
            If there is no such leaf.
        """
        if not 0 <= leaf < self.n_leaves:
            raise ValueError(f"leaf = {leaf!r} must be between 0 and {self.n_leaves - 1}.")
        if self.n_nodes == 0:
            return Tree.flat(branching), np.zeros(branching, dtype=int)
        width = max(self.max_branching, branching)
        children = np.zeros((self.n_nodes + 1, width), dtype=int)
        children[:-1, : self.max_branching] = self.children
        children[children == ~leaf] = self.n_nodes
        children[-1, :branching] = -1
        copies = np.ones(self.n_leaves, dtype=int)
        copies[leaf] = branching
        return Tree(_number_leaves(children)), np.repeat(np.arange(self.n_leaves), copies)

    def collapse(self, node):
        """Replace a gating node and everything below it by one leaf.

        Returns
        -------
        tree : Tree
        nodes : ndarray of int
            The old index of each remaining gating node.
        origin : ndarray of int
            The old leaf that each leaf of the new tree comes from; for the new leaf, the leftmost one below `node`.

        Raises
        ------
        ValueError
            If there is no such node.
        """
        if not 0 <= node < self.n_nodes:
            raise ValueError(f"node = {node!r} must be between 0 and {self.n_nodes - 1}.")
        below = self.leaves_below(node)
        origin = np.setdiff1d(np.arange(self.n_leaves), below[1:])
        gone = {node}
        for m in range(node + 1, self.n_nodes):
            if self.parent[m] in gone:
                gone.add(m)
        nodes = np.array([m for m in range(self.n_nodes) if m not in gone], dtype=int)
        renumber = np.zeros(self.n_nodes, dtype=int)
        renumber[nodes] = np.arange(len(nodes))
        children = self.children[nodes].copy()
        children[children == node] = -1
        inner = children > 0
        children[inner] = renumber[children[inner]]
        return Tree(_number_leaves(children)), nodes, origin

    def without(self, leaves):
        """The tree without some of its leaves.

        Branches that lead nowhere are cut off, and a gating node that keeps one branch is replaced by it.

        Parameters
        ----------
        leaves : sequence of int

        Returns
        -------
        Tree
            Its leaves are the others, in their order.

        Raises
        ------
        ValueError
            If there are no such leaves, or no others.
        """
        gone = set(np.asarray(leaves, dtype=int).tolist())
        if not gone < set(range(self.n_leaves)):
            raise ValueError(f"leaves = {leaves!r} must be some of the leaves 0 to {self.n_leaves - 1}, but not all.")

        def kept(item):
            if not isinstance(item, tuple):
                return [] if item in gone else [item]
            branches = [branch for child in item for branch in kept(child)]
            return branches if len(branches) < 2 else [tuple(branches)]

        return Tree.from_nested(kept(self.to_nested())[0])

    # -- text --------------------------------------------------------------------------------------------------------

    def to_nested(self):
        """Nested tuples of leaf numbers, the inverse of `from_nested`."""

        def nested(child):
            if child < 0:
                return int(~child)
            return tuple(nested(c) for c in self.children[child] if c != 0)

        return nested(0) if self.n_nodes else 0

    def to_text(self):
        """Text such as ``"((. .) .)"``, the inverse of `from_text`."""

        def text(item):
            return "(" + " ".join(map(text, item)) + ")" if isinstance(item, tuple) else "."

        return text(self.to_nested())

    def __repr__(self):
        return f"Tree.from_text({self.to_text()!r})"

    def __eq__(self, other):
        return isinstance(other, Tree) and np.array_equal(self.children, other.children)

    def __hash__(self):
        return hash((self.children.shape, self.children.tobytes()))


def _check_alone(depth, branching, n_experts, tree):
    """Refuse parameters of several kinds of trees."""
    if tree is not None and n_experts is not None:
        raise ValueError(f"tree = {tree!r} and n_experts = {n_experts!r} both define the tree; give only one of them.")
    if not _is_auto(depth) or np.ndim(branching) or branching != 2:
        raise ValueError(
            f"depth = {depth!r} and branching = {branching!r} are for complete trees; leave them at their defaults "
            "when tree or n_experts is given."
        )


def _levels(depth, branching):
    """Branches of the nodes of every level of a complete tree; of no more levels than any tree can have."""
    if np.ndim(branching) == 0:
        return [branching] * min(depth, MOST_LEAVES)
    levels = list(branching)
    if len(levels) != depth:
        raise ValueError(f"branching has {len(levels)} levels, but depth = {depth}; give one int per level.")
    return levels


def _n_leaves(levels):
    """Number of leaves of a complete tree; infinite where it is beyond all bounds."""
    n_leaves = 1
    for branches in levels:
        n_leaves *= int(branches)
        if n_leaves > 1 << 60:
            return np.inf
    return n_leaves


def _check_size(n_leaves, named):
    """Refuse trees that would not fit in memory."""
    if n_leaves > MOST_LEAVES:
        raise ValueError(f"{named} has {_many(n_leaves)} leaves; a tree has at most {MOST_LEAVES}.")


def _check_rows(n_leaves, n_rows, named):
    """Refuse trees of more leaves than there are rows, or groups, that differ."""
    if n_leaves > 1 and n_leaves > (most := n_rows(n_leaves)):
        raise ValueError(
            f"{named} makes {_many(n_leaves)} leaves, each with an expert of its own, more than there are different "
            f"rows of positive weight, or groups, n_samples = {most}. Use a smaller tree."
        )


def _many(n_leaves):
    return f"{n_leaves}" if np.isfinite(n_leaves) else "more than 2**60"


def _is_auto(depth):
    if isinstance(depth, str) and depth != "auto":
        raise ValueError(f"depth = {depth!r} must be 'auto' or an int >= 0.")
    return isinstance(depth, str)


def _number_leaves(children):
    """Number the leaves, which are the negative entries, from left to right (depth first)."""
    children, n_leaves, stack = children.copy(), 0, [0] if len(children) else []
    position = {}
    while stack:
        m = stack.pop()
        b = position.get(m, 0)
        if b == children.shape[1]:
            continue
        position[m] = b + 1
        stack.append(m)
        child = children[m, b]
        if child < 0:
            children[m, b] = ~n_leaves
            n_leaves += 1
        elif child > 0:
            stack.append(child)
    return children
