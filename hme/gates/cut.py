"""A tree in two stages: its upper nodes, and the subtrees below them."""

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from ..model.tree import Tree

__all__ = ["Cut", "Part", "cut"]


class Part(NamedTuple):
    """Nodes of a tree as a tree of their own, and what its leaves are: leaves of the tree, or other parts."""

    tree: Tree
    nodes: np.ndarray
    leaves: np.ndarray  # of the tree; of the top, the numbers of the parts below it


class Cut(NamedTuple):
    top: Any  # `Part`
    below: tuple  # of `Part`


@lru_cache(maxsize=16)
def cut(tree, most):
    """The largest subtrees of at most so many leaves, and what is above them; None if the tree has no more leaves.

    Parameters
    ----------
    tree : Tree
    most : int

    Returns
    -------
    Cut or None
    """
    n_leaves = _leaves_below(tree.children)
    if not tree.n_nodes or n_leaves[0] <= most:
        return None
    upper = np.flatnonzero(n_leaves > most)
    place, below = np.zeros(tree.n_nodes, dtype=int), []
    place[upper] = np.arange(len(upper))
    children = np.zeros((len(upper), tree.children.shape[1]), dtype=int)
    for m in upper:
        for b, child in enumerate(tree.children[m]):
            if child > 0 and n_leaves[child] > most:
                children[place[m], b] = place[child]
            elif child:
                children[place[m], b] = ~len(below)
                below.append(_subtree(tree.children, child))
    return Cut(Part(Tree(children), upper, np.arange(len(below))), tuple(below))


def _leaves_below(children):
    """Numbers of leaves below the nodes (M,)."""
    found = np.zeros(len(children), dtype=int)
    for m in reversed(range(len(children))):  # parents come before their children
        row = children[m]
        found[m] = (row < 0).sum() + found[row[row > 0]].sum()
    return found


def _subtree(children, root):
    """The `Part` below a node, or of a leaf alone, which is negative."""
    if root < 0:
        return Part(Tree(np.zeros((0, children.shape[1]), dtype=int)), np.zeros(0, dtype=int), np.array([~root]))
    nodes = [root]
    for m in nodes:  # the list grows while it is read
        nodes.extend(children[m][children[m] > 0].tolist())
    nodes = np.array(sorted(nodes))
    own = children[nodes]
    leaves = np.sort(~own[own < 0])
    inner, outer = own > 0, own < 0
    own[inner] = np.searchsorted(nodes, own[inner])
    own[outer] = ~np.searchsorted(leaves, ~own[outer])
    return Part(Tree(own), nodes, leaves)
