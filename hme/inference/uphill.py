"""A way up from where a fit has ended, along a direction in which the objective bends upwards."""

import numpy as np

from .information import Layout, observe

__all__ = ["way_up"]

# The information costs the square of its size for every row: beyond so many products it is not looked at.
DEAREST = 1 << 25
# Eigenvalue of the information, scaled to a unit diagonal, below which the objective bends upwards beyond rounding.
NEGATIVE = -1e-7
# How far to look, both ways, in standard errors that the single coordinates would have.
LENGTHS = 4.0 ** np.arange(-7, 3)
MOST_DIRECTIONS = 3


def way_up(mixture, rows, fit, columns, least):
    """Parameters with a higher objective than a fit has, along a direction of ascent, eq. (uphill).

    At a maximum the observed information has no negative eigenvalue. Where it has one, the objective is tried along its
    eigenvector; what counts is where an M-step leads from there, which obeys every constraint.

    Parameters
    ----------
    mixture : Mixture
    rows : Rows
    fit : Fit
    columns : Columns
        Of the fit.
    least : float
        Objective that must be exceeded.

    Returns
    -------
    Params or None
        None where there is no such direction, where it leads nowhere, and where the information is not cheap.
    """
    if (rows.n_coefficients(mixture.n_leaves(fit.params)) / 2) ** 2 * rows.n_rows > DEAREST:  # with all ties
        return None
    layout = Layout.of(mixture, fit.params, columns, fit.stats)
    if not 0 < layout.n_free**2 * rows.n_rows <= DEAREST:
        return None
    with np.errstate(all="ignore"):
        for direction in _directions(observe(mixture, fit.params, rows, layout)):
            steps = [(_objective(mixture, rows, layout, a * direction), a) for a in (*LENGTHS, *-LENGTHS)]
            objective, length = max(steps)
            if objective > least:
                moved = layout.move(length * direction)
                moved = mixture.m_step(moved, mixture.e_step(moved, rows)[1], rows)
                if mixture.e_step(moved, rows)[0] > least:
                    return moved
    return None


def _objective(mixture, rows, layout, delta):
    """The objective at displaced parameters, -inf where there is none."""
    try:
        objective = mixture.e_step(layout.move(delta), rows)[0]
    except (ValueError, np.linalg.LinAlgError):  # out of range
        return -np.inf
    return objective if np.isfinite(objective) else -np.inf


def _directions(seen):
    """Directions of ascent (F,), the steepest first."""
    information = -(seen.hessian + seen.penalty)
    size = np.sqrt(np.abs(np.diagonal(information)))
    known = np.flatnonzero(size > 0)
    scaled = information[np.ix_(known, known)] / np.outer(size[known], size[known])
    if not np.isfinite(scaled).all():
        return
    values, vectors = np.linalg.eigh(scaled)
    for vector in vectors.T[values < NEGATIVE][:MOST_DIRECTIONS]:
        direction = np.zeros(len(size))
        direction[known] = vector / size[known]
        yield direction
