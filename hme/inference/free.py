"""Which raw coordinates are free to move, and the reasons why the others are not."""

import numpy as np
import scipy.sparse as sp

__all__ = ["CONSTANT", "DIVERGES", "FIXED", "NO_ROWS", "diverging_units", "free_map"]

FLAT = 1e-20  # information on a design column, relative to the intercept's, below which it is constant
IDLE = 1e-10  # share of the load of all leaves below which a leaf has no rows

FIXED, BOUND, ZERO, DRAWN = "fixed", "at its bound", "zero by the lasso", "at the lasso's centre"
DIVERGES, CONSTANT, NO_ROWS = "grows without bound", "its column is constant", "no rows to estimate it"


def diverging_units(sides, stats):
    """Iterate over (kind, number, unit) of the nodes or experts whose coefficients grow without bound."""
    for side in sides:
        if side.kind != "leaf" and side.shape[1] and side.shape[2]:
            for unit in side.family.diverging(side.params, side.statistics(stats)):
                yield side.kind, side.number, int(unit)


def free_map(side, gate, stats, hold=True):
    """The map (raw, free) of a side, sparse, and why raw coordinates (Q, D) are held, "" where they are not.

    With `hold` all coefficients of a node or expert are held where some of them grow without bound.
    """
    Q, S, p = side.shape
    own, size = side.coordinates, S * p
    idle = stats.load <= IDLE * stats.load.sum()
    coef_why, alive = _held_coefficients(side, gate, stats, idle, hold)
    if own.contrast:
        columns = _contrast_columns(own, coef_why, alive)
    elif own.constraints:
        columns = _constrained_columns(own, coef_why)
    else:
        if own.target is not None:
            _note_zeros(own, coef_why)
        columns = [_column(np.ravel_multi_index(place, (Q, S, p))) for place in np.argwhere(coef_why == "")]
    # Coefficients stand leaf by leaf, with the scalars of the leaf behind them.
    columns = [(number // size * side.width + number % size, value) for number, value in columns]
    why = np.full((Q, side.width), "", dtype=object)
    why[:, :size] = coef_why.reshape(Q, size)
    columns += _scalar_columns(side, why, idle)
    return _sparse(columns, Q * side.width), why


def _sparse(columns, n_rows):
    """The columns, pairs of row numbers and values, as a sparse matrix."""
    rows = [number for number, _ in columns]
    index = np.repeat(np.arange(len(columns)), [len(number) for number in rows])
    data = np.concatenate([*(value for _, value in columns), np.zeros(0)])
    rows = np.concatenate([*rows, np.zeros(0, dtype=int)])
    return sp.csr_matrix((data, (rows, index)), shape=(n_rows, len(columns)))


def _column(place):
    return np.atleast_1d(place), np.ones(1)


def _held_coefficients(side, gate, stats, idle, hold):
    """Why coefficients (Q, S, p) are held whatever the others do, and which slots (Q, S) have rows."""
    Q, S, p = side.shape
    own = side.coordinates
    why = np.full((Q, S, p), "", dtype=object)
    alive = np.ones((Q, S), dtype=bool) if own.used is None else own.used.copy()
    if side.kind != "leaf":
        seen = side.statistics(stats)
        why[:, :, _constant_columns(side.family.column_information(seen), p)] = CONSTANT
        if hold:
            why[side.family.diverging(side.params, seen)] = DIVERGES
    if side.kind == "gate":
        alive &= gate.branch_load(np.where(idle, 0.0, 1.0)) > 0
        why[~alive] = NO_ROWS
    else:
        why[idle[side.leaves]] = NO_ROWS
    return why, alive


def _constant_columns(information, p):
    """Design columns (p,) without any information."""
    if information is None or not len(information):
        return np.zeros(p, dtype=bool)
    return information < FLAT * information[-1]


def _scalar_columns(side, why, idle):
    """Free scalars; why the others are held is noted."""
    Q, S, p = side.shape
    scalars, size, columns = side.coordinates.scalars, S * p, []
    held = scalars.held.astype(object)
    if side.kind != "gate":
        held[idle[side.leaves]] = NO_ROWS
    why[:, size:] = held
    for e, shared in enumerate(scalars.shared):
        free = np.flatnonzero(held[:, e] == "")
        if shared and len(free):
            every = np.arange(Q) * side.width + size + e  # one number, also of experts without rows
            why[:, size + e] = ""
            columns.append((every, np.ones(Q)))
        elif not shared:
            columns += [_column(place) for place in free * side.width + size + e]
    return columns


def _lasso_note(target):
    """Where a lasso has left a coefficient."""
    return np.where(target == 0, ZERO, DRAWN)


def _resting(own, why):
    """Slopes (Q, S, p) that a lasso has left where it draws them to."""
    resting = (own.coef == own.target) & (why == "")
    resting[:, :, -1] = False
    return resting


def _note_zeros(own, why):
    resting = _resting(own, why)
    why[resting] = _lasso_note(own.target[resting])


def _contrast_columns(own, why, alive):
    """Directions in which the slots of each node move against each other, eq. (free-contrasts)."""
    Q, S, p = own.coef.shape
    resting = np.zeros((Q, S, p), dtype=bool) if own.target is None else _resting(own, why)
    columns = []
    for q in range(Q):
        slots = np.flatnonzero(alive[q])
        for j in range(p):
            if (why[q, slots, j] != "").any() or len(slots) < 2:
                why[q, why[q, :, j] == "", j] = next((text for text in why[q, slots, j] if text), "")
                continue
            place, zero = (q * S + slots) * p + j, resting[q, slots, j]
            if zero.any():
                why[q, slots[zero], j] = _lasso_note(own.target[q, slots[zero], j])
                columns += [_column(number) for number in place[~zero]]
                continue
            for c in range(1, len(slots)):
                columns.append((place, (np.arange(len(slots)) == c) - 1.0 / len(slots)))
    return columns


def _constrained_columns(own, why):
    """Free numbers of coefficients under constraints, the same for every slot, eq. (constraints)."""
    Q, S, p = own.coef.shape
    space = own.constraints.space(Q)
    expert, column = space.first.T
    for j in own.constraints.fixed:
        why[:, :, j] = FIXED
    columns = []
    for s in range(S):
        theta = np.tensordot(space.B, own.coef[:, s] - space.base, axes=2)
        for t in range(len(theta)):
            direction, j = space.A[:, :, t], column[t]
            members = np.flatnonzero(direction[:, j])
            held = why[members, s, j]
            reason = held[0] if (held != "").all() else ""
            if own.target is not None and j < p - 1 and own.coef[expert[t], s, j] == own.target[expert[t], s, j]:
                reason = reason or str(_lasso_note(own.target[expert[t], s, j]))
            elif space.nonnegative[t] and theta[t] <= 1e-12:
                reason = reason or BOUND
            why[members, s, j] = reason
            if not reason:
                k, r = np.nonzero(direction)
                columns.append(((k * S + s) * p + r, direction[k, r]))
    return columns
