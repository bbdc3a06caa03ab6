"""Sums along the paths of a tree, node by node, over pieces of the rows that stay in cache."""

import numpy as np

from .scalars import exp, kernel, log1p_unit, total_of

__all__ = ["branch_sums", "leaf_sums", "pair_moments", "pair_priors"]

NUMBERS = 1 << 14  # of the nodes of a piece


def _piece(n_nodes):
    return min(max(NUMBERS // max(n_nodes, 1), 32), 512)


def leaf_sums(paths, values):
    if not values.flags.c_contiguous or values.dtype != np.float64 or not paths.n_nodes or paths.n_trees > 1:
        return NotImplemented
    leaf = np.empty((paths.n_leaves, values.shape[2]))
    _leaf_sums(paths.children, values, leaf, _piece(paths.n_nodes))
    return leaf


@kernel
def _leaf_sums(children, values, leaf, piece):
    (M, B), n = children.shape, values.shape[2]
    node = np.zeros((M, piece))
    for start in range(0, n, piece):
        size = min(piece, n - start)
        for m in range(M):
            above = node[m]
            for b in range(B):
                child = children[m, b]
                own = values[b, m, start : start + size]
                if child > 0:
                    out = node[child]
                    for i in range(size):
                        out[i] = above[i] + own[i]
                elif child < 0:
                    below = leaf[~child, start : start + size]
                    for i in range(size):
                        below[i] = above[i] + own[i]


def branch_sums(paths, leaf, n_branches):
    if not leaf.flags.c_contiguous or leaf.dtype != np.float64 or not paths.n_nodes or paths.n_trees > 1:
        return NotImplemented
    sums = np.empty((n_branches, paths.n_nodes, leaf.shape[1]))
    _branch_sums(paths.children, leaf, sums, _piece(paths.n_nodes))
    return sums


@kernel
def _branch_sums(children, leaf, sums, piece):
    (M, B), n = children.shape, leaf.shape[1]
    total = np.empty((M, piece))
    for start in range(0, n, piece):
        size = min(piece, n - start)
        for m in range(M - 1, -1, -1):
            above = total[m]
            for i in range(size):
                above[i] = 0.0
            for b in range(B):
                child = children[m, b]
                own = sums[b, m, start : start + size]
                if child < 0:
                    below = leaf[~child, start : start + size]
                    for i in range(size):
                        own[i] = below[i]
                        above[i] += below[i]
                elif child > 0:
                    inner = total[child]
                    for i in range(size):
                        own[i] = inner[i]
                        above[i] += inner[i]
                else:
                    for i in range(size):
                        own[i] = 0.0


def pair_priors(paths, score):
    if not score.flags.c_contiguous or score.dtype != np.float64 or not paths.n_nodes or paths.n_trees > 1:
        return NotImplemented
    leaf, probability = np.empty((paths.n_leaves, score.shape[1])), np.empty(score.shape)
    _pair_priors(paths.children, score, leaf, probability, _piece(paths.n_nodes))
    return leaf, probability


@kernel
def _pair_priors(children, score, leaf, probability, piece):
    M, n = score.shape
    node = np.zeros((M, piece))
    for start in range(0, n, piece):
        stop = min(start + piece, n)
        for m in range(M):
            above, own, second = node[m], score[m, start:stop], probability[m, start:stop]
            low, high = children[m, 0], children[m, 1]
            left = node[low] if low > 0 else leaf[~low, start:stop]
            right = node[high] if high > 0 else leaf[~high, start:stop]
            for i in range(stop - start):
                s = own[i]
                e = exp(-abs(s))
                before = above[i] - log1p_unit(e)
                larger = 1.0 / (1.0 + e)
                second[i] = larger if s > 0.0 else e * larger
                left[i] = before - s if s > 0.0 else before
                right[i] = before if s > 0.0 else before + s


def pair_moments(paths, probability, leaf):
    if (
        not (leaf.flags.c_contiguous and probability.flags.c_contiguous)
        or leaf.dtype != np.float64
        or paths.n_trees > 1
    ):
        return NotImplemented
    moved, weights, total = np.empty(probability.shape), np.empty(probability.shape), np.zeros(len(probability))
    _pair_moments(paths.children, probability, leaf, moved, weights, total, _piece(paths.n_nodes))
    return moved, weights, total


@kernel
def _pair_moments(children, probability, leaf, moved, weights, total, piece):
    M, n = probability.shape
    mass = np.empty((M, piece))
    for start in range(0, n, piece):
        stop = min(start + piece, n)
        for m in range(M - 1, -1, -1):
            above, share = mass[m], probability[m, start:stop]
            gained, spread = moved[m, start:stop], weights[m, start:stop]
            low, high = children[m, 0], children[m, 1]
            left = mass[low] if low > 0 else leaf[~low, start:stop]
            right = mass[high] if high > 0 else leaf[~high, start:stop]
            for i in range(stop - start):
                both = left[i] + right[i]
                above[i] = both
                expected = both * share[i]
                gained[i] = right[i] - expected
                spread[i] = expected * (1.0 - share[i])
            total[m] += total_of(above[: stop - start])
