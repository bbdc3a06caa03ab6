"""Products of pairs of columns, and their weighted sums."""

import numpy as np
from numba import njit

from .memory import aligned
from .scalars import kernel

__all__ = ["column_pairs", "scored_cross", "weighted_pairs"]

PIECE = 512  # rows
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


def weighted_pairs(X, W):
    p, q = X.shape[1], W.shape[1]
    if X.dtype != np.float64 or W.dtype != np.float64 or p > MOST or (q > FEW and p < MANY):
        return NotImplemented
    even = q + q % 2
    sums = np.zeros((even, p * (p + 1) // 2 + 1))
    _weighted_pairs(X.T, W.T, aligned(p + 1, PIECE), aligned(even, PIECE), sums)
    return sums[:q, :-1]


@kernel
def _weighted_pairs(columns, weights, x, w, sums):
    """Add to sums (q, pairs), q even; products with the column of zeros behind the last one add nothing."""
    p, n = columns.shape
    for start in range(0, n, PIECE):
        _copy(columns, start, x)
        _copy(weights, start, w)
        for first in range(0, len(w), FEW):
            pair = 0
            for j in range(p):
                for k in range(j, p, 2):
                    _two_pairs(x[j], x[k], x[k + 1], w, first, sums, pair)
                    pair += 2 if k + 1 < p else 1


@kernel
def _copy(columns, start, piece):
    """Rows of the columns from `start`; zeros where there are no more."""
    size = min(PIECE, columns.shape[1] - start)
    for j in range(len(columns)):
        own, out = columns[j], piece[j]
        for i in range(size):
            out[i] = own[start + i]
        out[size:] = 0.0


def scored_cross(X, W, score):
    p, q = X.shape[1], W.shape[1]
    if X.dtype != np.float64 or W.dtype != np.float64 or score.dtype != np.float64 or q > FEW:
        return NotImplemented
    even = q + q % 2
    sums = np.zeros((even, p + 1))
    _scored_cross(X.T, W.T, score[None], aligned(p + 1, PIECE), aligned(even, PIECE), aligned(1, PIECE), sums)
    return sums[:q, :p]


@kernel
def _scored_cross(columns, weights, score, x, w, own, sums):
    p, n = columns.shape
    for start in range(0, n, PIECE):
        _copy(columns, start, x)
        _copy(weights, start, w)
        _copy(score, start, own)
        for j in range(0, p, 2):
            _two_pairs(own[0], x[j], x[j + 1], w, 0, sums, j)


@kernel
def _two_pairs(a, b, c, w, first, sums, pair):
    """Add the sums of a b and a c, weighted by up to six of the weights w."""
    left = len(w) - first
    if left >= 6:
        _six(a, b, c, w, first, sums, pair)
    elif left == 4:
        _four(a, b, c, w, first, sums, pair)
    else:
        _two(a, b, c, w, first, sums, pair)


def _reduction(function):
    """Compile a function that sums in any order, so that it vectorises."""
    return njit(nogil=True, error_model="numpy", fastmath={"contract", "reassoc"})(function)


# Two pairs of columns and up to six weights at a time: as many sums as there are registers.


@_reduction
def _six(a, b, c, w, q, sums, pair):
    w0, w1, w2, w3, w4, w5 = w[q], w[q + 1], w[q + 2], w[q + 3], w[q + 4], w[q + 5]
    s0 = s1 = s2 = s3 = s4 = s5 = r0 = r1 = r2 = r3 = r4 = r5 = 0.0
    for i in range(a.size):
        t, u = a[i] * b[i], a[i] * c[i]
        s0 += t * w0[i]
        s1 += t * w1[i]
        s2 += t * w2[i]
        s3 += t * w3[i]
        s4 += t * w4[i]
        s5 += t * w5[i]
        r0 += u * w0[i]
        r1 += u * w1[i]
        r2 += u * w2[i]
        r3 += u * w3[i]
        r4 += u * w4[i]
        r5 += u * w5[i]
    _put(sums, q, pair, s0, s1, r0, r1)
    _put(sums, q + 2, pair, s2, s3, r2, r3)
    _put(sums, q + 4, pair, s4, s5, r4, r5)


@_reduction
def _four(a, b, c, w, q, sums, pair):
    w0, w1, w2, w3 = w[q], w[q + 1], w[q + 2], w[q + 3]
    s0 = s1 = s2 = s3 = r0 = r1 = r2 = r3 = 0.0
    for i in range(a.size):
        t, u = a[i] * b[i], a[i] * c[i]
        s0 += t * w0[i]
        s1 += t * w1[i]
        s2 += t * w2[i]
        s3 += t * w3[i]
        r0 += u * w0[i]
        r1 += u * w1[i]
        r2 += u * w2[i]
        r3 += u * w3[i]
    _put(sums, q, pair, s0, s1, r0, r1)
    _put(sums, q + 2, pair, s2, s3, r2, r3)


@_reduction
def _two(a, b, c, w, q, sums, pair):
    w0, w1 = w[q], w[q + 1]
    s0 = s1 = r0 = r1 = 0.0
    for i in range(a.size):
        t, u = a[i] * b[i], a[i] * c[i]
        s0 += t * w0[i]
        s1 += t * w1[i]
        r0 += u * w0[i]
        r1 += u * w1[i]
    _put(sums, q, pair, s0, s1, r0, r1)


@_reduction
def _put(sums, q, pair, s0, s1, r0, r1):
    sums[q, pair] += s0
    sums[q + 1, pair] += s1
    sums[q, pair + 1] += r0
    sums[q + 1, pair + 1] += r1
