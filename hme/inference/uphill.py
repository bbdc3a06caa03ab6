"""Where to go from the end of a fit by the observed information: up along a direction of ascent, or to the maximum."""

import numpy as np

from .information import Layout, observe

__all__ = ["newton", "way_up"]

# The information costs the square of its size for every row: beyond so many products it is not looked at.
DEAREST = 1 << 25
# Eigenvalue of the information, scaled to a unit diagonal, below which the objective bends upwards beyond rounding.
NEGATIVE = -1e-7
# How far to look, both ways, in standard errors that the single coordinates would have.
LENGTHS = 4.0 ** np.arange(-7, 3)
MOST_DIRECTIONS = 3
# Eigenvalue of the scaled information below which a direction is flat: Newton's steps leave it alone.
FLAT = 1e-9
# Shares of a Newton step that are tried.
SHORTER = 1.0, 0.5, 0.25, 0.125
# What a step must gain, in nats per unit of weight, relative to the objective: less is rounding.
LEAST_GAIN = 1e-13


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
    layout = _cheap_layout(mixture, rows, fit, columns)
    if layout is None:
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


def newton(mixture, rows, fit, columns):
    """Parameters with a higher objective to which a Newton step leads from the end of a fit, eq. (newton).

    Parameters
    ----------
    mixture : Mixture
    rows : Rows
    fit : Fit
    columns : Columns
        Of the fit.

    Returns
    -------
    Params or None
        None at the maximum, where the objective bends upwards, and where the information is not cheap.
    """
    layout = _cheap_layout(mixture, rows, fit, columns)
    if layout is None:
        return None
    with np.errstate(all="ignore"):
        seen = observe(mixture, fit.params, rows, layout)
        step = _step(-(seen.hessian + seen.penalty), seen.gradient)
        least = fit.objective + LEAST_GAIN * max(1.0, abs(fit.objective))
        if step is None or not fit.objective + 0.5 * (seen.gradient @ step) / fit.stats.load.sum() > least:
            return None
        for length in SHORTER:
            if _objective(mixture, rows, layout, length * step) > least:
                moved = layout.move(length * step)
                return mixture.m_step(moved, mixture.e_step(moved, rows)[1], rows)  # which obeys every constraint
    return None


def _step(information, gradient):
    """The Newton step (F,), zero along flat directions; None where the objective bends upwards."""
    size = np.sqrt(np.abs(np.diagonal(information)))
    known = np.flatnonzero(size > 0)
    scaled = information[np.ix_(known, known)] / np.outer(size[known], size[known])
    if not (len(known) and np.isfinite(scaled).all() and np.isfinite(gradient).all()):
        return None
    values, vectors = np.linalg.eigh(scaled)
    if values[0] < NEGATIVE:
        return None
    inverse = np.divide(1.0, values, out=np.zeros_like(values), where=values > FLAT * values[-1])
    step = np.zeros(len(size))
    step[known] = (vectors @ (inverse * (vectors.T @ (gradient[known] / size[known])))) / size[known]
    return step


def _cheap_layout(mixture, rows, fit, columns):
    """The layout at the end of a fit, None where its information costs too much."""
    least = max(rows.n_coefficients(mixture.n_leaves(fit.params)) / 2, 1.0)  # even with ties
    if not rows.are_few(DEAREST / least**2):
        return None
    layout = Layout.of(mixture, fit.params, columns, fit.stats)
    return layout if layout.n_free and rows.are_few(DEAREST / layout.n_free**2) else None


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
