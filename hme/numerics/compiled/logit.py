"""Branch probabilities of softmax nodes, and what their Newton steps are made of."""

import numpy as np

from .scalars import exp, kernel, log, log1p_unit, total_of

__all__ = ["log_sigmoids", "log_softmax", "softmax_moments"]

PIECE = 256  # rows


def log_sigmoids(score):
    if not score.flags.c_contiguous or score.dtype != np.float64:
        return NotImplemented
    out = np.empty((2, *score.shape))
    _log_sigmoids(score.reshape(-1), out.reshape(2, -1))
    return out


@kernel
def _log_sigmoids(score, out):
    first, second = out[0], out[1]
    for i in range(score.size):
        s = score[i]
        tail = log1p_unit(exp(-abs(s)))
        first[i] = (-s if s > 0.0 else 0.0) - tail
        second[i] = (0.0 if s > 0.0 else s) - tail


def log_softmax(score):
    if not score.flags.c_contiguous or score.dtype != np.float64:
        return NotImplemented
    _log_softmax(score.reshape(len(score), -1))
    return score


@kernel
def _log_softmax(score):
    C, n = score.shape
    most, sums = np.empty(PIECE), np.empty(PIECE)
    for start in range(0, n, PIECE):
        size = min(PIECE, n - start)
        top, total = most[:size], sums[:size]
        top[:] = score[0, start : start + size]
        total[:] = 0.0
        for c in range(1, C):
            own = score[c, start : start + size]
            for i in range(size):
                top[i] = own[i] if own[i] > top[i] else top[i]
        for c in range(C):
            own = score[c, start : start + size]
            for i in range(size):
                total[i] += exp(own[i] - top[i])
        for i in range(size):
            top[i] += log(total[i])
        for c in range(C):
            own = score[c, start : start + size]
            for i in range(size):
                own[i] -= top[i]


def softmax_moments(log_probability, mass):
    if not log_probability.flags.c_contiguous or not mass.flags.c_contiguous or mass.dtype != np.float64:
        return NotImplemented
    C, Q, n = mass.shape
    moved, weights, total = np.empty((C, Q, n)), np.empty((C * (C - 1) // 2, Q, n)), np.empty(Q)
    _softmax_moments(log_probability, mass, moved, weights, total)
    return moved, weights, total


@kernel
def _softmax_moments(log_probability, mass, moved, weights, total):
    C, Q, n = mass.shape
    probability, sums = np.empty((C, PIECE)), np.empty(PIECE)
    for q in range(Q):
        total[q] = 0.0
        for start in range(0, n, PIECE):
            stop = min(start + PIECE, n)
            both = sums[: stop - start]
            both[:] = 0.0
            for c in range(C):
                own, branch, share = mass[c, q, start:stop], log_probability[c, q, start:stop], probability[c]
                for i in range(stop - start):
                    both[i] += own[i]
                    share[i] = exp(branch[i])
            total[q] += total_of(both)
            pair = 0
            for b in range(C):
                own, gained, share = mass[b, q, start:stop], moved[b, q, start:stop], probability[b]
                for i in range(stop - start):
                    share[i] *= both[i]
                    gained[i] = own[i] - share[i]
                for c in range(b + 1, C):  # those are not multiplied by the total yet
                    spread, other = weights[pair, q, start:stop], probability[c]
                    for i in range(stop - start):
                        spread[i] = share[i] * other[i]
                    pair += 1
