"""The way of a group of rows down a tree: only branches that carry mass for some row are followed, eq. (pruning).

A group has 64 rows, the lanes, in strips of sixteen: whether a branch is followed is said strip by strip. Priors are
products of branch probabilities, relative to which everything is measured; where the density of a row is so small that
such products might not hold its numbers, a group goes down with logarithms instead.
"""

import numpy as np

from . import vectors
from .scalars import exp, inline, kernel, log1p_unit
from .vectors import EIGHT, at_most, choose, first_lane, lanes_at_most, load, splat, store

__all__ = [
    "LANES", "LARGEST", "SHARE", "STRIP", "descend", "descend_logs", "halves", "log_lines", "places", "strip_scores",
    "wide",
]  # fmt: skip

LANES, STRIP = 64, 2 * EIGHT
ALL_STRIPS, ALL_EIGHT = (1 << LANES // STRIP) - 1, (1 << EIGHT) - 1
LARGEST = 700.0  # exponent
SHARE = 0.25  # of what may still be left out of a row, that one branch or leaf may take


def wide(coef, q=None):
    """Coefficients with columns of zeros, so that there are q of them, or a multiple of four."""
    p = coef.shape[1]
    return np.pad(coef, ((0, 0), (0, -p % 4 if q is None else q - p)))


def places(paths):
    """Children (M, 2) as rows of an array of all nodes, and then of all leaves."""
    return np.where(paths.children > 0, paths.children, paths.n_nodes + ~paths.children)


# -- all lanes ---------------------------------------------------------------------------------------------------------


@kernel
def _scores(coef, x, out):
    """Linear scores of the lanes from coef (p,), p a multiple of four, and columns x (p, LANES)."""
    for j in range(0, coef.size, 4):
        a, b, c, d = coef[j], coef[j + 1], coef[j + 2], coef[j + 3]
        one, two, three, four = x[j], x[j + 1], x[j + 2], x[j + 3]
        if j == 0:
            for lane in range(LANES):
                out[lane] = a * one[lane] + b * two[lane] + c * three[lane] + d * four[lane]
        else:
            for lane in range(LANES):
                out[lane] += a * one[lane] + b * two[lane] + c * three[lane] + d * four[lane]


@kernel
def log_lines(line, half_precision, constant, x, y, score, out):
    """Add the log-density of a line with Gaussian noise to `out`."""
    _scores(line, x, score)
    for lane in range(LANES):
        residual = score[lane] - y[lane]
        out[lane] -= half_precision * (residual * residual) + constant


@kernel
def descend_logs(children, slope, x, score, prior, branch, strips, nodes, leaves):
    """As `descend`, with logarithms of priors; no branch is left out."""
    M = len(slope)
    prior[0] = 0.0
    strips[:] = ALL_STRIPS
    for m in range(M):
        nodes[m] = m
        _scores(slope[m], x, score)
        above, second, left, right = prior[m], branch[m], prior[children[m, 0]], prior[children[m, 1]]
        for lane in range(LANES):
            s = score[lane]
            e = exp(-abs(s))
            before = above[lane] - log1p_unit(e)
            larger = 1.0 / (1.0 + e)
            second[lane] = larger if s > 0.0 else e * larger
            left[lane] = before - s if s > 0.0 else before
            right[lane] = before if s > 0.0 else before + s
    for k in range(len(leaves)):
        leaves[k] = k
    return M, len(leaves)


# -- strips ------------------------------------------------------------------------------------------------------------


@inline
def strip_scores(coef, k, x, at):
    """Linear scores of the strip from lane `at` on, two vectors, from row k of coef (K, p) and columns x (p, LANES)."""
    a = b = c = d = splat(0.0)
    for j in range(0, coef.shape[1], 2):
        one, two, place = coef[k, j], coef[k, j + 1], j * LANES + at
        a += one * load(x, place)
        b += one * load(x, place + EIGHT)
        c += two * load(x, place + LANES)
        d += two * load(x, place + LANES + EIGHT)
    return a + c, b + d


@inline
def halves(score):
    """Probabilities of the second branch, of which this is the score, and of the first."""
    turned, most = splat(0.0) - score, splat(LARGEST)
    odds = vectors.exp(at_most(turned, most, turned, most))
    second = 1.0 / (1.0 + odds)
    return second, odds * second


@inline
def _split(score, above, branch, place):
    """Priors below a node; the probability of its second branch is stored."""
    second, first = halves(score)
    store(branch, place, second)
    return above * first, above * second


@inline
def _followed(first, second, ceiling, slack, at, prior, place):
    """Store priors below a branch; 1 if it is followed from a strip, else 0.

    It is not if it has little of what may be left out of every lane, which is then less.
    """
    of_first, of_second, none = load(slack, at), load(slack, at + EIGHT), splat(0.0)
    lost, more = first * ceiling, second * ceiling
    out = (lanes_at_most(lost, SHARE * of_first) & lanes_at_most(more, SHARE * of_second)) == ALL_EIGHT  # nan is not
    store(slack, at, of_first - choose(out, lost, none))
    store(slack, at + EIGHT, of_second - choose(out, more, none))
    store(prior, place, choose(out, none, first))
    store(prior, place + EIGHT, choose(out, none, second))
    return 0 if out else 1


@kernel
def descend(children, slope, ceilings, x, slack, prior, branch, strips, nodes, leaves):
    """Go down from the root; counts of nodes and leaves that are reached, whose numbers go into `nodes` and `leaves`.

    `prior` (M + K, LANES) gets the priors of the nodes, and then of the leaves, that are reached; `strips` (M + K,) the
    strips that reach them, as bits; `branch` (M, LANES) the probabilities of second branches. `ceilings` (M, 2) bound
    the densities below the branches, and `slack` is how much prior times ceiling may be left out.
    """
    n_nodes, n_leaves, number, M = 1, 0, 0, len(slope)
    nodes[0], strips[0] = 0, ALL_STRIPS
    prior[0] = 1.0
    while number < n_nodes:
        m = nodes[number]
        number += 1
        low, high, of_low, of_high = children[m, 0], children[m, 1], ceilings[m, 0], ceilings[m, 1]
        to_low, to_high, left = 0, 0, strips[m]
        while left != 0:
            strip = first_lane(left)
            left &= left - 1
            at = strip * STRIP
            place = m * LANES + at
            first, second = strip_scores(slope, m, x, at)
            a, b = _split(first, load(prior, place), branch, place)
            c, d = _split(second, load(prior, place + EIGHT), branch, place + EIGHT)
            to_low |= _followed(a, c, of_low, slack, at, prior, low * LANES + at) << strip
            to_high |= _followed(b, d, of_high, slack, at, prior, high * LANES + at) << strip
        for b in range(2):
            child, reached = (low, to_low) if b == 0 else (high, to_high)
            strips[child] = reached
            if reached != 0 and child < M:
                nodes[n_nodes] = child
                n_nodes += 1
            elif reached != 0:
                leaves[n_leaves] = child - M
                n_leaves += 1
    return n_nodes, n_leaves
