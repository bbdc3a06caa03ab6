"""Sums over many whole numbers, by interpolation between few of them."""

from functools import cache

import numpy as np
from numpy.polynomial import legendre

__all__ = ["long_sums"]

SHORT = 16  # numbers that are gone through one by one; longer panels are this times a power of two
NODES = np.array([0, 1, 2, 5, 8, 11, 14, 15, 16])  # where a panel of 16 is asked: like Chebyshev's points
COARSE = np.array([0, 2, 4, 6, 8])  # of the nodes
LEVEL = 1e-9  # relative difference of the rules on few and on all nodes; the latter is then right to many more digits
CROWD = 1024  # panels of a sum at a time, at most
FIRST = 8.0  # panels to begin with
LARGE = 4096  # length from which on moments are those of Euler's and Maclaurin's formula


def long_sums(function, first, last):
    """Sums (m,) of a function over the whole numbers from `first` to before `last` (m,).

    Panels are halved until the interpolation by a polynomial through five numbers agrees with that through nine; the
    shortest ones are summed up. The function should be smooth but for jumps, as those of distribution functions are.

    Parameters
    ----------
    function : callable
        ``function(active, k)`` at whole numbers k of the problems of numbers `active`.
    first, last : ndarray of shape (m,)
        Whole numbers.
    """
    problem, start, power, rest = _panels(first, last)
    total, size = np.zeros(len(first)), np.zeros(len(first))
    for k in range(SHORT - 1):  # what is left of a multiple of the shortest panel
        some = np.flatnonzero(rest > k)
        if len(some):
            total[some] += function(some, last[some] - 1.0 - k)
    size += np.abs(total)
    while len(problem):
        values = _at_nodes(function, problem, start, power, NODES)
        fine, coarse = (_integrals(values, power, index) for index in (np.arange(len(NODES)), COARSE))
        pending = np.bincount(problem, np.abs(fine), len(total))
        good = ~(np.abs(fine - coarse) > LEVEL * (size + pending)[problem])  # nan stays nan
        short = ~good & (power == 0)
        if short.any():
            every = _at_nodes(function, problem[short], start[short], power[short], np.arange(SHORT))
            fine[short] = every.sum(axis=1)
        # Rounding may leave nothing that is smooth.
        done = good | short | (2.0**power <= np.spacing(start)) | (len(problem) > CROWD * len(first))
        total += np.bincount(problem[done], fine[done], len(total))
        size += np.bincount(problem[done], np.abs(fine[done]), len(total))
        left, power = start[~done], power[~done] - 1
        problem = np.repeat(problem[~done], 2)
        start = np.stack([left, left + SHORT * 2.0**power], axis=1).ravel()
        power = np.repeat(power, 2)
    return total


def _panels(first, last):
    """Problems, starts and powers of panels, the longest first in every problem, and what is left (m,)."""
    n_short = np.floor(np.maximum(last - first, 0.0) / SHORT)
    rest = np.maximum(last - first, 0.0) - SHORT * n_short
    problem, start, power = [np.zeros(0, int)], [np.zeros(0)], [np.zeros(0, int)]
    place, n_left = first.copy(), n_short.copy()
    for p in range(int(np.frexp(n_short.max(initial=0.0))[1]), -1, -1):
        few = (p > 0) & (2.0**p > n_short / FIRST)  # in one panel there is nothing to be seen of a sum
        while len(some := np.flatnonzero((n_left >= 2.0**p) & ~few)):
            problem.append(some)
            start.append(place[some])
            power.append(np.full(len(some), p))
            place[some] += SHORT * 2.0**p
            n_left[some] -= 2.0**p
    return np.concatenate(problem), np.concatenate(start), np.concatenate(power), rest


def _at_nodes(function, problem, start, power, nodes):
    k = start[:, None] + nodes * 2.0 ** power[:, None]
    return function(np.repeat(problem, len(nodes)), k.ravel()).reshape(k.shape)


def _integrals(values, power, index):
    weights = np.stack([_weights(int(p), len(index)) for p in range(int(power.max()) + 1)])
    return np.einsum("pi,pi->p", values[:, index], weights[power])


@cache
def _weights(power, n_nodes):
    """Weights of the nodes, whose sum of products is right for polynomials of degree `n_nodes` - 1."""
    nodes = NODES if n_nodes == len(NODES) else NODES[COARSE]
    basis = legendre.legvander(nodes / 8.0 - 1.0, n_nodes - 1)
    return np.linalg.solve(basis.T, _moments(SHORT * 2.0**power, n_nodes))


def _moments(length, n):
    """Sums of the Legendre polynomials of 2 k / length - 1 over k from 0 to before length."""
    if length <= LARGE:
        return legendre.legvander(2.0 * np.arange(int(length)) / length - 1.0, n - 1).sum(axis=0)
    out = np.zeros(n)
    for j in range(n):
        c = np.eye(n)[j]
        ends = [np.diff(legendre.legval([-1.0, 1.0], legendre.legder(c, order)))[0] for order in (0, 1, 3)]
        out[j] = length * (j == 0) - ends[0] / 2.0 + ends[1] * (2.0 / length) / 12.0
        out[j] -= ends[2] * (2.0 / length) ** 3 / 720.0
    return out
