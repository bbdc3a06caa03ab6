"""A first look at the rows of a block: an order in which neighbours go the same way down a tree, eq. (pruning).

Of the first nodes of the tree the priors of all branches are computed; rows that need the same of these branches come
one after the other, and among them those of one likely leaf. What a row's likely leaf says of its density is a lower
bound.
"""

from typing import NamedTuple

import numpy as np

from .descent import LANES, LARGEST, SHARE, STRIP, halves, places, strip_scores, wide
from .memory import aligned, in_one_piece
from .scalars import exp, inline, kernel, log
from .vectors import EIGHT, load, splat, store, sum_of

__all__ = ["Block", "blocks", "padded"]

PAD = 2 * EIGHT  # numbers: sums, and the numbers of a row, are a multiple of so many
NUMBERS = 1 << 21  # of the rows of a block
TOP = 15  # nodes, which have 16 branches


class Block(NamedTuple):
    """Rows, one after the other: their columns, residual, y and weight; the order in which to visit them."""

    numbers: np.ndarray  # (n, q), q a multiple of `PAD`
    order: np.ndarray  # (n,)
    floor: np.ndarray  # (n,) lower bounds of log-densities


def padded(size):
    return -(-size // PAD) * PAD


def blocks(paths, slope, X, neglect, others=(), leaf=None):
    """Iterate over the first rows of `Block`s, and these, of X (n, p) and other arrays (n,): residual, y, weight.

    `leaf` are lines, halves of their precisions, and what is constant in their log-densities; else the floor is that of
    priors.
    """
    n, p = X.shape
    columns, step = in_one_piece(X)
    q = padded(p + len(others))
    size = min(n, max(NUMBERS // q, LANES))
    numbers, floor = aligned(size, q), np.zeros(size)
    code, likely = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.int64)
    wide_slope = wide(slope, q)
    space = aligned(q, LANES), aligned(paths.n_nodes + paths.n_leaves, LANES), aligned(len(paths.levels) + 1, LANES)
    for start in range(0, n, size):
        rows = slice(0, min(size, n - start))
        own = numbers[rows], code[rows], likely[rows], floor[rows]
        _survey(places(paths), wide_slope, p, columns[start:], step, SHARE * neglect, space, own)
        for j, other in enumerate(others):
            numbers[rows, p + j] = other[start : start + size]
        if leaf is not None:
            lines, *noise = leaf
            _add_density(wide(lines, q), *noise, numbers[rows], p + 1, likely[rows], floor[rows])
        order = np.argsort(likely[rows].astype(np.min_scalar_type(paths.n_leaves)), kind="stable")
        order = order[np.argsort(code[rows].astype(np.uint16)[order], kind="stable")]  # both are radix sorts
        yield start, Block(numbers[rows], order, floor[rows])


@kernel
def _survey(children, slope, p, columns, step, least, space, own):
    """Copy the columns to rows, and find codes of the branches below the top, and the likely leaves.

    A branch is in the code if it has more than the least prior. The floor gets the logarithms of the priors of the
    leaves.
    """
    x, prior, steps = space
    numbers, code, likely, floor = own
    n = len(code)
    most = steps[-1]
    for first in range(0, n, LANES):
        size = min(LANES, n - first)
        for j in range(p):
            column, out = columns[j * step + first : j * step + first + size], x[j]
            for lane in range(size):
                out[lane] = column[lane]
                numbers[first + lane, j] = column[lane]
        _top(children, slope, x, prior, least, most, code[first : first + size], likely[first : first + size])
        number = _down(children, slope, numbers, first, likely[first : first + size], steps)
        for level in range(number):
            for lane in range(LANES):
                most[lane] /= 1.0 + exp(-steps[level, lane])
        for lane in range(size):
            floor[first + lane] = log(most[lane])


@kernel
def _top(children, slope, x, prior, least, most, code, likely):
    """Codes of the branches below the top, and the likeliest of these, whose priors `most` gets."""
    top = min(TOP, len(slope))
    prior[0] = 1.0
    for m in range(top):
        low, high = children[m, 0] * LANES, children[m, 1] * LANES
        for at in range(0, LANES, STRIP):
            first, second = strip_scores(slope, m, x, at)
            _halves(first, load(prior, m * LANES + at), prior, low + at, high + at)
            _halves(second, load(prior, m * LANES + at + EIGHT), prior, low + at + EIGHT, high + at + EIGHT)
    bit = 1
    most[:] = -1.0
    code[:] = 0
    for m in range(top):
        for b in range(2):
            child = children[m, b]
            if child < top:
                continue
            own = prior[child]
            for lane in range(code.size):
                code[lane] += bit if own[lane] > least else 0
                likely[lane] = child if own[lane] > most[lane] else likely[lane]
                most[lane] = own[lane] if own[lane] > most[lane] else most[lane]
            bit *= 2


@inline
def _halves(score, above, prior, low, high):
    probability, other = halves(score)
    store(prior, high, above * probability)
    store(prior, low, above * other)


@inline
def _product(coef, k, numbers, i):
    """The score of row i from row k of coef (K, q)."""
    q, total = coef.shape[1], splat(0.0)
    for j in range(0, q, EIGHT):
        total += load(coef, k * q + j) * load(numbers, i * q + j)
    return sum_of(total)


@kernel
def _down(children, slope, numbers, first, places, steps):
    """From nodes and leaves, by the likelier branches, to the leaves of the rows from the first on.

    `steps` get the sizes of the scores on the way, for as many levels as are returned.
    """
    M, level, going = len(slope), 0, True
    while going:  # level by level: what a row waits for is computed while others go on
        going = False
        for lane in range(places.size):
            m = places[lane]
            if m < M:
                score = _product(slope, m, numbers, first + lane)
                steps[level, lane] = abs(score)
                places[lane] = children[m, 1 if score > 0.0 else 0]
                going = True
            else:
                steps[level, lane] = LARGEST
        level += 1
    places -= M
    return level - 1


@kernel
def _add_density(lines, half_precision, constant, numbers, target, likely, floor):
    """Add the log-densities of the likely leaves' lines; y is the column `target`."""
    for i in range(len(floor)):
        k = likely[i]
        residual = _product(lines, k, numbers, i) - numbers[i, target]
        floor[i] -= half_precision[k] * (residual * residual) + constant[k]
