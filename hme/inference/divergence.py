"""Directions on which the data have no information, and those that they determine."""

from typing import NamedTuple

import numpy as np

from ..numerics.multinomial import STEEP, second_moment

__all__ = ["Lost", "lost_directions"]

# All of these are of directions scaled so that the linear predictors change by one (root mean square). Where a family
# says that coefficients grow without bound, they do along directions in which a Newton step still goes further than
# MOVING although there is little information, or which are STEEP.
MOVING, ONE_ROW = 0.05, 1.0
# Where it does not say so, they do if they are FAR from zero and a Newton step goes further than TAIL although the rows
# know less than one row could, and less than SHARE of what they know in other directions: an exponential tail, along
# which all steps are one.
FAR, TAIL, SHARE = 2.0, 0.3, 1e-3
# Information of so many rows, of such as the node or expert has, is none.
LEAST_ROWS = 1e-2
KEPT = 1e-9  # share of the largest second moment from which a direction changes the linear predictors at all
ROUNDING = 1e-12  # share of the largest information below which it is rounding


class Lost(NamedTuple):
    """Directions that the rows say nothing about, and what is left."""

    directions: np.ndarray  # (F, m), as long as the standard errors that the information would give them
    grows: np.ndarray  # (m,) of bool, whether coefficients grow without bound along them
    kept: np.ndarray  # (F, F - m), a basis of the other directions


def lost_directions(layout, information, gradient, rows):
    """Directions of single nodes or experts in which there is no information, eq. (lost-directions).

    A level of a factor without rows in an expert, or whose rows all go one way, has such a direction. It must not take
    the standard errors of the other levels with it.

    Parameters
    ----------
    layout : Layout
        With all coefficients free.
    information : ndarray of shape (F, F)
        Minus the Hessian of the objective.
    gradient : ndarray of shape (F,)
        Of the objective.
    rows : Rows
        Of the fit, with weights.

    Returns
    -------
    lost : Lost or None
        None where nothing is lost.
    vague : bool
        Whether a node or expert whose coefficients grow without bound has no such direction.
    """
    found, touched, vague = [], np.zeros(layout.n_free, dtype=bool), False
    for side in layout.sides:
        if side.kind == "leaf" or not side.shape[2]:
            continue
        at = rows if side.kind == "expert" else rows.heads()
        design = at.X if side.kind == "expert" else at.Z
        moment = second_moment(design[:, -side.shape[2] :], at.weight)
        logarithmic = side.kind == "gate" or side.family.traits.measure != "density"
        for unit in range(side.shape[0]):
            own, columns = layout.coefficients_of(side, [unit])
            own, columns = own[0][:, :, ~touched[columns]], columns[~touched[columns]]
            metric = np.einsum("spf,pr,srg->fg", own, moment, own, optimize=True)
            theta = np.einsum("spf,pr,sr->f", own, moment, side.coordinates.coef[unit], optimize=True)
            flagged = (side.kind, side.number, unit) in layout.diverging
            block = information[np.ix_(columns, columns)], gradient[columns], metric, theta
            size = at.n_rows, at.weight.sum()
            parts = _split(*block, size, logarithmic, flagged) if len(columns) else None
            vague |= flagged and (parts is None or not parts[1].any())
            if parts is not None:
                found.append((columns, *parts))
                touched[columns] = True
    return (_joined(found, touched) if found else None), vague


def _joined(found, touched):
    lost, kept = [], [np.eye(len(touched))[:, ~touched]]
    for columns, directions, _, others in found:
        for vectors, into in ((directions, lost), (others, kept)):
            whole = np.zeros((len(touched), vectors.shape[1]))
            whole[columns] = vectors
            into.append(whole)
    return Lost(np.hstack(lost), np.concatenate([grows for _, _, grows, _ in found]), np.hstack(kept))


def _split(information, gradient, metric, theta, rows, logarithmic, flagged):
    """Lost directions, whether coefficients grow along them, and the other directions; None if none is lost."""
    values, vectors = np.linalg.eigh(metric)
    moves = values > KEPT * values.max(initial=0.0)
    axes = vectors[:, moves] / np.sqrt(values[moves])
    size, turn = np.linalg.eigh(axes.T @ information @ axes)
    directions, largest = axes @ turn, size.max(initial=0.0)
    sure = size > ROUNDING * largest
    step = np.abs(np.divide(directions.T @ gradient, size, out=np.zeros_like(size), where=sure))
    distance = np.abs(directions.T @ theta)
    none = np.abs(size) < LEAST_ROWS * largest / rows[0]
    one_row = ONE_ROW * rows[1] / rows[0]  # whatever the scale of the weights
    tail = (step > TAIL) & (np.abs(size) < min(one_row, SHARE * largest))
    grows = logarithmic & (distance > FAR) & (tail | none)
    if flagged:
        grows |= ((step > MOVING) & (size < MOVING * rows[1])) | (size < one_row) | (distance > STEEP)
    lost = none | grows
    if not lost.any():
        return None
    least = np.maximum(size[lost], max(ROUNDING * largest, np.finfo(float).tiny))
    others = np.hstack([directions[:, ~lost], vectors[:, ~moves]])
    return directions[:, lost] / np.sqrt(least), grows[lost], others
