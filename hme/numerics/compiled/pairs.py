"""Products of pairs of columns, and their weighted sums."""

import numpy as np

from .memory import aligned, in_one_piece
from .scalars import inline, kernel
from .vectors import EIGHT, load, splat, sum_of

__all__ = ["PIECE", "add_pairs", "add_products", "column_pairs", "copy_rows", "scored_cross", "weighted_pairs"]

PIECE = 256  # rows
# Matrix products of all weights are faster for more weights than FEW and fewer columns than MANY, and for very many.
FEW, MANY, MOST = 6, 16, 48


def column_pairs(X):
    if X.dtype != np.float64:
        return NotImplemented
    columns = np.ascontiguousarray(X.T)
    p, n = columns.shape
    products = np.empty((p * (p + 1) // 2, n))
    _column_pairs(columns, products)
    return products


@kernel
def _column_pairs(columns, products):
    p, n = columns.shape
    pair = 0
    for j in range(p):
        first = columns[j]
        for k in range(j, p):
            second, out = columns[k], products[pair]
            for i in range(n):
                out[i] = first[i] * second[i]
            pair += 1


def _columns(A):
    return in_one_piece(A) or in_one_piece(np.asfortranarray(A))


def weighted_pairs(X, W):
    p, q = X.shape[1], W.shape[1]
    if X.dtype != np.float64 or W.dtype != np.float64 or p > MOST or (q > FEW and p < MANY):
        return NotImplemented
    even = q + q % 2
    sums = np.zeros((even, p * (p + 1) // 2 + 1))
    _weighted_pairs(len(X), p, q, _columns(X), _columns(W), aligned(p + 1, PIECE), aligned(even, PIECE), sums)
    return sums[:q, :-1]


@kernel
def _weighted_pairs(n, p, q, columns, weights, x, w, sums):
    """Add to sums (q, pairs), q even; products with the column of zeros behind the last one add nothing."""
    for start in range(0, n, PIECE):
        copy_rows(columns, start, n, x[:p])
        copy_rows(weights, start, n, w[:q])
        add_pairs(x, p, w, sums)


@kernel
def add_pairs(x, p, w, sums):
    """Add the weighted sums of all pairs of the first p rows of x, below which is a row of zeros."""
    for first in range(0, len(w), FEW):
        pair = 0
        for j in range(p):
            for k in range(j, p, 2):
                _two_pairs(x, j, k, w, first, sums, pair)
                pair += 2 if k + 1 < p else 1


@kernel
def add_products(x, j, p, start, w, sums):
    """Add the weighted sums of row j of x times each of p rows from `start` on, below which is a row of zeros."""
    for first in range(0, len(w), FEW):
        for k in range(0, p, 2):
            _two_pairs(x, j, start + k, w, first, sums, k)


@kernel
def copy_rows(columns, start, n, piece):
    """Of each column the numbers from `start` on, as many as the piece has room for; zeros where there are no more."""
    flat, step = columns
    size = min(PIECE, n - start)
    for j in range(len(piece)):
        own, out = flat[j * step + start : j * step + start + size], piece[j]
        for i in range(size):
            out[i] = own[i]
        out[size:] = 0.0


def scored_cross(X, W, score):
    p, q = X.shape[1], W.shape[1]
    if X.dtype != np.float64 or W.dtype != np.float64 or score.dtype != np.float64 or q > FEW:
        return NotImplemented
    even = q + q % 2
    columns, sums = (_columns(X), _columns(W), _columns(score[:, None])), np.zeros((even, p + 1))
    _scored_cross(len(X), p, q, *columns, aligned(p + 2, PIECE), aligned(even, PIECE), sums)
    return sums[:q, :p]


@kernel
def _scored_cross(n, p, q, columns, weights, scores, x, w, sums):
    for start in range(0, n, PIECE):
        copy_rows(columns, start, n, x[:p])
        copy_rows(scores, start, n, x[p + 1 :])
        copy_rows(weights, start, n, w[:q])
        add_products(x, p + 1, p, 0, w, sums)


@kernel
def _two_pairs(x, j, k, w, first, sums, pair):
    """Add the sums of products of row j of x with rows k and k + 1, weighted by up to six of the weights w."""
    left = len(w) - first
    if left >= 6:
        _six(x, j, k, w, first, sums, pair)
    elif left == 4:
        _four(x, j, k, w, first, sums, pair)
    else:
        _two(x, j, k, w, first, sums, pair)


# Two pairs of columns and up to six weights at a time: as many sums as stay in registers.


@inline
def _six(x, j, k, w, q, sums, pair):
    s0 = s1 = s2 = s3 = s4 = s5 = r0 = r1 = r2 = r3 = r4 = r5 = splat(0.0)
    first = q * PIECE
    for i in range(0, PIECE, EIGHT):
        one, place, at = load(x, j * PIECE + i), first + i, k * PIECE + i
        t, u = one * load(x, at), one * load(x, at + PIECE)
        weight = load(w, place)
        s0 += t * weight
        r0 += u * weight
        weight = load(w, place + PIECE)
        s1 += t * weight
        r1 += u * weight
        weight = load(w, place + 2 * PIECE)
        s2 += t * weight
        r2 += u * weight
        weight = load(w, place + 3 * PIECE)
        s3 += t * weight
        r3 += u * weight
        weight = load(w, place + 4 * PIECE)
        s4 += t * weight
        r4 += u * weight
        weight = load(w, place + 5 * PIECE)
        s5 += t * weight
        r5 += u * weight
    _put(sums, q, pair, s0, s1, r0, r1)
    _put(sums, q + 2, pair, s2, s3, r2, r3)
    _put(sums, q + 4, pair, s4, s5, r4, r5)


@inline
def _four(x, j, k, w, q, sums, pair):
    s0 = s1 = s2 = s3 = r0 = r1 = r2 = r3 = splat(0.0)
    first = q * PIECE
    for i in range(0, PIECE, EIGHT):
        one, place, at = load(x, j * PIECE + i), first + i, k * PIECE + i
        t, u = one * load(x, at), one * load(x, at + PIECE)
        weight = load(w, place)
        s0 += t * weight
        r0 += u * weight
        weight = load(w, place + PIECE)
        s1 += t * weight
        r1 += u * weight
        weight = load(w, place + 2 * PIECE)
        s2 += t * weight
        r2 += u * weight
        weight = load(w, place + 3 * PIECE)
        s3 += t * weight
        r3 += u * weight
    _put(sums, q, pair, s0, s1, r0, r1)
    _put(sums, q + 2, pair, s2, s3, r2, r3)


@inline
def _two(x, j, k, w, q, sums, pair):
    s0 = s1 = r0 = r1 = splat(0.0)
    first = q * PIECE
    for i in range(0, PIECE, EIGHT):
        one, place, at = load(x, j * PIECE + i), first + i, k * PIECE + i
        t, u = one * load(x, at), one * load(x, at + PIECE)
        weight = load(w, place)
        s0 += t * weight
        r0 += u * weight
        weight = load(w, place + PIECE)
        s1 += t * weight
        r1 += u * weight
    _put(sums, q, pair, s0, s1, r0, r1)


@inline
def _put(sums, q, pair, s0, s1, r0, r1):
    sums[q, pair] += sum_of(s0)
    sums[q + 1, pair] += sum_of(s1)
    sums[q, pair + 1] += sum_of(r0)
    sums[q + 1, pair + 1] += sum_of(r1)
