"""The way of a group of rows down a tree: only branches that carry mass for some row are followed, eq. (pruning).

A group has 64 rows, the lanes, in strips of sixteen. Whether a branch is followed is said strip by strip: each visit of
a strip to a node or leaf has a number, and is an item of a list. Priors are products of branch probabilities, relative
to which everything is measured; where the density of a row is so small that such products might not hold its numbers, a
group goes down with logarithms instead.
"""

import numpy as np

from . import vectors
from .scalars import exp, inline, kernel, log1p_unit
from .vectors import EIGHT, at_most, broadcast, lanes_at_most, load, splat, store, where

__all__ = [
    "LANES", "LARGEST", "SHARE", "STRIP", "STRIPS", "descend", "descend_logs", "halves", "log_lines", "places",
    "strip_scores", "wide",
]  # fmt: skip

LANES, STRIP = 64, 2 * EIGHT
STRIPS = LANES // STRIP  # visit v is that of the strip v % STRIPS to node, or leaf, v // STRIPS
ALL_EIGHT = (1 << EIGHT) - 1
LARGEST = 700.0  # exponent
SHARE = 0.25  # of what may still be left out of a row, that one branch or leaf may take


def wide(coef, q=None):
    """Coefficients with columns of zeros, so that there are q of them, or a multiple of four."""
    size, p = coef.shape
    out = np.zeros((size, p + -p % 4 if q is None else q))
    out[:, :p] = coef
    return out


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
def descend_logs(children, slope, x, score, prior, of_nodes, of_leaves):
    """As `descend`, with logarithms of priors; no branch is left out."""
    M = len(slope)
    prior[0] = 0.0
    for m in range(M):
        _scores(slope[m], x, score)
        above, left, right = prior[m], prior[children[m, 0]], prior[children[m, 1]]
        for lane in range(LANES):
            s = score[lane]
            e = exp(-abs(s))
            before = above[lane] - log1p_unit(e)
            larger = 1.0 / (1.0 + e)
            left[lane] = before - s if s > 0.0 else before
            right[lane] = before if s > 0.0 else before + s
            above[lane] = larger if s > 0.0 else e * larger
    for visit in range(len(of_nodes)):
        of_nodes[visit] = visit
    for visit in range(len(of_leaves)):
        of_leaves[visit] = len(of_nodes) + visit
    return len(of_nodes), len(of_leaves)


# -- strips ------------------------------------------------------------------------------------------------------------


@inline
def strip_scores(coef, k, x, at):
    """Linear scores of the strip from lane `at` on, two vectors, from row k of coef (K, p) and columns x (p, LANES).

    p is a multiple of four.
    """
    a = b = c = d = splat(0.0)
    p = coef.shape[1]
    place, end = k * p, k * p + p
    while place < end:
        one, two = broadcast(coef, place), broadcast(coef, place + 1)
        a += one * load(x, at)
        b += one * load(x, at + EIGHT)
        c += two * load(x, at + LANES)
        d += two * load(x, at + LANES + EIGHT)
        one, two = broadcast(coef, place + 2), broadcast(coef, place + 3)
        a += one * load(x, at + 2 * LANES)
        b += one * load(x, at + 2 * LANES + EIGHT)
        c += two * load(x, at + 3 * LANES)
        d += two * load(x, at + 3 * LANES + EIGHT)
        place += 4
        at += 4 * LANES
    return a + c, b + d


@inline
def halves(score):
    """Probabilities of the second branch, of which this is the score, and of the first."""
    turned, most = splat(0.0) - score, splat(LARGEST)
    odds = vectors.exp(at_most(turned, most, turned, most))
    second = 1.0 / (1.0 + odds)
    return second, odds * second


@inline
def _split(score, prior, place):
    """Priors of the branches below a node, whose own prior gives way to the probability of the second one."""
    second, first = halves(score)
    above = load(prior, place)
    store(prior, place, second)
    return above * first, above * second


@inline
def _followed(first, second, ceiling, of_first, of_second, prior, place):
    """Store priors below a branch: whether it is followed from a strip, and what may still be left out.

    It is not if it has little of what may be left out of every lane, which is then less.
    """
    lost, more = first * ceiling, second * ceiling
    out = (lanes_at_most(lost, of_first) & lanes_at_most(more, of_second)) == ALL_EIGHT  # nan is not
    store(prior, place, where(not out, first))
    store(prior, place + EIGHT, where(not out, second))
    return np.int64(not out), of_first - SHARE * where(out, lost), of_second - SHARE * where(out, more)


@kernel
def descend(children, slope, ceilings, x, slack, prior, of_nodes, of_leaves):
    """Go down from the root; numbers of visits to nodes and to leaves, which `of_nodes` and `of_leaves` get.

    `prior` (M + K, LANES) gets the probabilities of second branches for the nodes that are visited, and then the priors
    of the leaves that are; zero below a branch that is not followed. `ceilings` (M, 2) bound the densities below the
    branches, and `slack` is how much prior times ceiling a branch may have that is left out. Both lists need room for
    one visit more than there can be.
    """
    n_nodes, n_leaves, first, nodes = STRIPS, 0, 0, len(slope) * STRIPS
    followed = np.empty((nodes, 2), dtype=np.int64)
    for strip in range(STRIPS):
        of_nodes[strip] = strip
    prior[0] = 1.0
    while first < n_nodes:  # a level of the tree
        level = of_nodes[first:n_nodes]
        for number in range(level.size):
            _visit(children, slope, ceilings, x, slack, prior, level[number], followed[number])
        first = n_nodes
        # Lists grow in a loop of their own: the processor cannot read ahead past a place that it does not know yet.
        for number in range(level.size):
            m, strip = level[number] // STRIPS, level[number] % STRIPS
            for b in range(2):
                child = children[m, b] * STRIPS + strip
                if child < nodes:
                    of_nodes[n_nodes] = child
                    n_nodes += followed[number, b]
                else:
                    of_leaves[n_leaves] = child
                    n_leaves += followed[number, b]
    return n_nodes, n_leaves


@inline
def _visit(children, slope, ceilings, x, slack, prior, visit, followed):
    """Go from a node to its children."""
    m, strip, place = visit // STRIPS, visit % STRIPS, visit * STRIP
    at = strip * STRIP
    first, second = strip_scores(slope, m, x, at)
    a, b = _split(first, prior, place)
    c, d = _split(second, prior, place + EIGHT)
    of_first, of_second = load(slack, at), load(slack, at + EIGHT)
    low, high = children[m, 0] * LANES + at, children[m, 1] * LANES + at
    followed[0], of_first, of_second = _followed(a, c, ceilings[m, 0], of_first, of_second, prior, low)
    followed[1], of_first, of_second = _followed(b, d, ceilings[m, 1], of_first, of_second, prior, high)
    store(slack, at, of_first)
    store(slack, at + EIGHT, of_second)
