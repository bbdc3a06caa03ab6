"""The model tree, a start: greedy axis splits that lower the squared errors of linear fits on both sides most."""

import numpy as np

from ..numerics.quantiles import quantiles
from ..numerics.systems import solve_psd
from .regions import Ground, divided
from .screening import LEVELS, promising_splits, useful_columns

__all__ = ["best_split", "model_tree", "perturbed_model_tree"]

TIE = 1e-9  # gains closer than this, relative to the weight, are ties: lowest column, then threshold wins
MAX_COLUMNS = 32  # columns that the linear fits of a model tree use, the most useful ones of a wider table
MAX_CANDIDATES = 16  # columns whose splits are fitted in a region, the most promising ones of a wider table
SPLIT_RIDGE = 0.1
FEW = 16384  # rows up to which the splits of regions are kept for other trees


def model_tree(rows, tree, rng=None):
    """Greedy model tree: axis splits that lower the sum of n log s^2 of linear fits most, softened.

    A node of B branches takes B - 1 such splits. Class codes are fitted as indicator columns.
    """
    return _grow(rows, tree, _plain)


def perturbed_model_tree(rows, tree, rng):
    """A model tree whose gains are multiplied by log-normal noise, so that near-best splits get their turn."""
    return _grow(rows, tree, lambda shape: np.exp(0.5 * rng.standard_normal(shape)))


def _grow(rows, tree, noise):
    """Responsibilities of the softened tree; ``noise(shape)`` multiplies the gains of splits."""
    # Splits are of the gate's columns, fits of the experts'.
    ground = Ground.of(rows)
    X, fitted, Y, weight = ground.gate_columns, ground.columns, ground.targets, rows.weight
    if fitted.shape[1] - 1 > MAX_COLUMNS:
        fitted = fitted[:, np.append(_useful(X, fitted, Y, weight), fitted.shape[1] - 1)]
    spread = np.average((Y - np.average(Y, axis=0, weights=weight)) ** 2, axis=0, weights=weight)
    floor = np.maximum(1e-6 * spread, np.finfo(float).tiny)
    known = ground.splits if rows.n_rows <= FEW else None
    blind = not np.ptp(X[:, :-1], axis=0).any()  # plain densities: there is nothing to split by

    def cut(region, n_pieces):
        # Best first: the piece whose best split gains most is cut next; pieces stay in order.
        def with_split(piece):
            if blind:
                return piece, -np.inf, None, None
            return piece, *best_split(X, fitted, Y, weight, piece.hard, floor, noise, known=known)

        pieces = [with_split(region)]
        while len(pieces) < n_pieces:
            best = max(range(len(pieces)), key=lambda i: (pieces[i][1], -i))
            piece, gain, column, threshold = pieces[best]
            if column is not None:
                parts = piece.cut(X[:, column], threshold, weight)
            else:  # the outputs must separate what X does not, or the pieces would stay equal
                parts = _cut_outputs(piece, Y, weight)
            last = len(pieces) == n_pieces - 1  # the splits of the final pieces are left to the nodes below
            pieces[best : best + 1] = [(part,) if last else with_split(part) for part in parts]
        return [piece for piece, *_ in pieces]

    return divided(rows, tree, cut)


def _useful(X, fitted, Y, weight):
    """The columns of a wide table that the linear fits use."""
    # As many rows' weight as there are columns: then the residuals tell something also where columns outnumber rows.
    ridge = np.diag(np.append(np.full(fitted.shape[1] - 1, float(fitted.shape[1])), 1e-12 * weight.sum()))
    coef = solve_psd(fitted.T @ (fitted * weight[:, None]) + ridge, fitted.T @ (Y * weight[:, None]))
    return useful_columns(X[:, :-1], fitted[:, :-1], Y - fitted @ coef, coef[:-1], weight, MAX_COLUMNS)


def _cut_outputs(piece, Y, weight):
    """The parts of a region below and above the weighted median of its most varied output."""
    if not len(piece.hard):
        return piece.halve()
    inside = Y[piece.hard]
    output = Y[:, int(np.ptp(inside, axis=0).argmax())]
    return piece.cut(output, quantiles(output[piece.hard], [0.5], weight[piece.hard])[0], weight)


def _plain(shape):
    return 1.0


def best_split(X, fitted, Y, weight, inside, floor, noise=_plain, least=0.0, known=None):
    """Gain, column and threshold of a region's best split; (-inf, None, None) where it has none.

    Parameters
    ----------
    X : ndarray of shape (n, q)
        The gate's columns, intercept last.
    fitted : ndarray of shape (n, p)
        Columns of the linear fits, intercept last.
    Y : ndarray of shape (n, T)
    weight : ndarray of shape (n,)
    inside : ndarray of int
        Numbers of the rows of the region.
    floor : ndarray of shape (T,)
        Least variances.
    noise : callable
        ``noise(shape)`` multiplies the gains of splits.
    least : float
        Weight that both sides have at least, beside that of as many rows as the fits have parameters.
    known : dict or None
        Splits of regions of these rows that have been searched before.
    """
    for design in (fitted, fitted[:, -1:]):  # too few rows for linear fits on both sides: constants
        region = None if known is None else (design.shape[1], inside.tobytes())
        found = None if known is None else known.get(region)
        if found is None:
            found = _tried(X, design, Y, weight, inside, floor, least)
        if known is not None:
            known[region] = found
        split = _chosen(*found, (X.shape[1] - 1, len(LEVELS)), noise)
        if split[1] is not None:
            return split
    return split


def _chosen(tried, total, shape, noise):
    """The best of the splits that were tried, by gains that are multiplied by noise; `shape` is that of all."""
    best = (-np.inf, None, None)
    if tried is None:
        return best
    jitter = np.broadcast_to(noise(shape), shape)
    for j, i, threshold, gain in tried:
        if gain * jitter[j, i] > best[0] + TIE * total:
            best = (gain * jitter[j, i], j, threshold)
    return best


def _tried(X, design, Y, weight, inside, floor, least):
    """Column, level, threshold and gain of splits of a region by linear fits on the columns of `design`; its weight.

    None instead of a list where the rows are too few for fits on both sides.
    """
    w, Z, p = weight[inside], design[inside], design.shape[1]
    total = w.sum()
    if not total >= 2 * (p + 1):
        return None, total
    # Fits on the sides start from the region's own fit: residuals keep the sums of squares accurate.
    gram = Z.T @ (Z * w[:, None])
    ridge = SPLIT_RIDGE * np.eye(p)
    ridge[-1, -1] = 1e-12 * total
    R = Y[inside] - Z @ solve_psd(gram + ridge, Z.T @ (Y[inside] * w[:, None]))
    A = np.column_stack([Z, R])
    before = _cost(np.array([total]), (A.T @ (A * w[:, None]))[None], p, ridge, floor)[0]
    columns = promising_splits(X[inside, :-1], Z, R, w, ridge, MAX_CANDIDATES)
    tried, masses, grams = [], [], []  # every split that leaves enough on both sides
    for j in columns:
        thresholds, below, mass = _sums_below(X[inside, j], A, w)
        left, right = mass[:-1], total - mass[:-1]
        for i in np.flatnonzero(np.minimum(left, right) >= max(p + 1, least)):
            tried.append((j, i, thresholds[i]))
            masses += [left[i], right[i]]
            grams += [below[i], below[-1] - below[i]]
    if not tried:
        return [], total
    after = _cost(np.array(masses), np.array(grams), p, ridge, floor).reshape(-1, 2).sum(axis=1)
    return [(*one, gain) for one, gain in zip(tried, (before - after).tolist(), strict=True)], total


def _sums_below(x, A, w):
    """Thresholds (t,) of a column, and the Gram matrices and weights of the rows below each and of all, t + 1."""
    order = np.argsort(x, kind="stable")
    x, A, w = x[order], A[order], w[order]
    thresholds = np.unique(quantiles(x, LEVELS, w))
    stops = np.append(np.searchsorted(x, thresholds, side="right"), len(x))
    grams, masses, start = [], [], 0
    weighted = A * w[:, None]
    for stop in stops:
        grams.append(A[start:stop].T @ weighted[start:stop])
        masses.append(w[start:stop].sum())
        start = stop
    return thresholds, np.cumsum(grams, axis=0), np.cumsum(masses)


def _cost(mass, grams, p, ridge, floor):
    """n log s^2 of the ridge fits, summed over outputs, from Gram matrices of (design, targets)."""
    cross = grams[:, :p, p:]
    coef = _solved(grams[:, :p, :p] + ridge, cross)
    square = np.diagonal(grams[:, p:, p:], axis1=1, axis2=2) - np.einsum("mpt,mpt->mt", coef, cross)
    # Degrees of freedom: a side with hardly more rows than columns fits them by chance.
    free = np.maximum(mass - p, 0.5)
    return (mass[:, None] * np.log(np.maximum(square / free[:, None], floor))).sum(axis=1)


def _solved(A, b):
    """Solutions of the positive definite systems A (m, p, p), scaled to a unit diagonal: units do not matter."""
    inverse = 1.0 / np.sqrt(np.diagonal(A, axis1=1, axis2=2))[:, :, None]
    try:
        return inverse * np.linalg.solve(A * inverse * np.swapaxes(inverse, 1, 2), b * inverse)
    except np.linalg.LinAlgError:  # up to rounding
        return solve_psd(A, b)
