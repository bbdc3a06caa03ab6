"""Sums of a sweep of lines below one softmax node: all of a piece of the rows while it is in the first cache."""

import numpy as np

from .memory import aligned, in_one_piece
from .pairs import PIECE, add_pairs, add_products, copy_rows
from .scalars import exp, kernel, log, total_of
from .vectors import EIGHT, broadcast, load, splat, store

__all__ = ["slot_sums"]


def slot_sums(coef, lines, variance, X, y, residual, weight):
    columns = in_one_piece(X)
    if columns is None:
        return NotImplemented
    K, p = coef.shape
    last, some = K + K * (K - 1) // 2, K + K % 2
    # Below the columns a row of zeros, the residuals, zeros again, and ones: they are multiplied by two rows at a time.
    space = aligned(p + 4, PIECE), aligned(last + last % 2, PIECE), *(aligned(some, PIECE) for _ in range(2))
    gram, load_of, square = np.zeros((last + last % 2, p * (p + 1) // 2 + 1)), np.zeros(K), np.zeros((some, 2))
    cross, gradient = np.zeros((some, p + 1)), np.zeros((some, p + 1))
    log_likelihood = _slot_sums(
        np.ascontiguousarray(coef), np.ascontiguousarray(lines), 0.5 / variance, 0.5 * np.log(2.0 * np.pi * variance),
        columns, (y, residual, weight), (*space, aligned(4, PIECE)), (load_of, gram, cross, square, gradient),
    )  # fmt: skip
    of_lines = load_of, gram[:K, :-1], cross[:K, :p], square[:K, 0]
    return log_likelihood, of_lines, (load_of.sum(keepdims=True), gram[K:last, :-1], gradient[:K, :p])


@kernel
def _slot_sums(coef, lines, half_precision, constant, columns, others, space, sums):
    """See `slot_sums`; the log-likelihood."""
    y, residual, weight = others
    x, w, prior, moved, of_rows = space
    load_of, gram, cross, square, gradient = sums
    (K, p), n = coef.shape, len(y)
    target, own_weight, log_likelihood = of_rows[0], of_rows[1], 0.0
    x[p + 3] = 1.0
    for start in range(0, n, PIECE):
        stop = min(start + PIECE, n)
        copy_rows(columns, start, n, x[:p])
        _fill(x[p + 1], residual[start:stop])
        _fill(target, y[start:stop])
        _fill(own_weight, weight[start:stop])
        _scores(coef, x, prior)
        _scores(lines, x, w)
        log_likelihood += _bayes(half_precision, constant, target, own_weight, of_rows[2], of_rows[3], prior, w)
        _moments(K, prior, w, moved, of_rows[2])
        for k in range(K):
            load_of[k] += total_of(w[k])
        add_pairs(x, p, w, gram)
        add_products(x, p + 1, p, 0, w[: len(moved)], cross)
        add_products(x, p + 1, 1, p + 1, w[: len(moved)], square)
        add_products(x, p + 3, p, 0, moved, gradient)
    return log_likelihood


@kernel
def _fill(piece, values):
    """The values, and zeros where there are no more."""
    n = len(values)
    for i in range(n):
        piece[i] = values[i]
    piece[n:] = 0.0


@kernel
def _scores(coef, x, out):
    """Linear scores (K, PIECE) from coef (K, p) and columns x (p, PIECE)."""
    K, p = coef.shape
    for k in range(K):
        for at in range(0, PIECE, 4 * EIGHT):
            a = b = c = d = splat(0.0)
            for j in range(p):
                own, place = broadcast(coef, k * p + j), j * PIECE + at
                a += own * load(x, place)
                b += own * load(x, place + EIGHT)
                c += own * load(x, place + 2 * EIGHT)
                d += own * load(x, place + 3 * EIGHT)
            place = k * PIECE + at
            store(out, place, a)
            store(out, place + EIGHT, b)
            store(out, place + 2 * EIGHT, c)
            store(out, place + 3 * EIGHT, d)


@kernel
def _bayes(half_precision, constant, y, weight, top, total, prior, w):
    """From scores of slots and lines to probabilities and weighted responsibilities; the log-likelihood."""
    K = len(constant)
    for k in range(K):
        own, share, half, shift = prior[k], w[k], half_precision[k], constant[k]
        for i in range(PIECE):
            residual = share[i] - y[i]
            share[i] = own[i] - (half * (residual * residual) + shift)
    log_likelihood = 0.0
    _normalize(K, prior, top, total)
    for i in range(PIECE):
        log_likelihood -= weight[i] * (top[i] + log(total[i]))
        total[i] = 1.0 / total[i]
    _scale(K, prior, total)
    _normalize(K, w, top, total)
    for i in range(PIECE):
        impossible = total[i] == 0.0
        log_density = -np.inf if impossible else top[i] + log(total[i])
        log_likelihood += weight[i] * log_density if weight[i] != 0.0 else 0.0
        total[i] = 0.0 if impossible else weight[i] / total[i]
    _scale(K, w, total)
    return log_likelihood


@kernel
def _normalize(K, values, top, total):
    """Exponentials of values less the largest, which `top` gets, and their sums."""
    top[:] = values[0]
    for k in range(1, K):
        own = values[k]
        for i in range(PIECE):
            top[i] = own[i] if own[i] > top[i] else top[i]
    for i in range(PIECE):
        total[i] = 0.0
        top[i] = 0.0 if top[i] == -np.inf else top[i]
    for k in range(K):
        own = values[k]
        for i in range(PIECE):
            own[i] = exp(own[i] - top[i])
            total[i] += own[i]


@kernel
def _scale(K, values, factor):
    for k in range(K):
        own = values[k]
        for i in range(PIECE):
            own[i] *= factor[i]


@kernel
def _moments(K, prior, w, moved, total):
    """What weighted responsibilities exceed their expectation by, and, below them in w, covariances times -1."""
    total[:] = 0.0
    for k in range(K):
        own = w[k]
        for i in range(PIECE):
            total[i] += own[i]
    row = K
    for b in range(K):
        own, share, excess = prior[b], w[b], moved[b]
        for i in range(PIECE):
            excess[i] = share[i] - total[i] * own[i]
        for c in range(b + 1, K):
            other, spread = prior[c], w[row]
            for i in range(PIECE):
                spread[i] = total[i] * own[i] * other[i]
            row += 1
