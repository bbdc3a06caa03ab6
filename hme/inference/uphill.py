"""Where to go from the end of a fit by the observed information: up along a direction of ascent, or to the maximum."""

import numpy as np

from .free import CONSTANT, FIXED
from .information import Layout, observe

__all__ = ["Uphill"]

# The information costs the square of its size for every row: beyond so many products it is not looked at.
DEAREST = 1 << 25
# Eigenvalue of the information, scaled to a unit diagonal, below which the objective bends upwards beyond rounding.
NEGATIVE = -1e-7
# Eigenvalue above which a maximum is strict, far from where two experts become one and their difference is flat.
STRICT = 1e-4
# How far to look, both ways, in standard errors that the single coordinates would have.
LENGTHS = 4.0 ** np.arange(-7, 3)
MOST_DIRECTIONS = 3
# Eigenvalue of the scaled information below which a direction is flat: Newton's steps leave it alone.
FLAT = 1e-9
# Shares of a Newton step that are tried.
SHORTER = 1.0, 0.5, 0.25, 0.125
# What a step must gain, in nats per unit of weight, relative to the objective: less is rounding.
LEAST_GAIN = 1e-13


class Uphill:
    """What the observed information says of the end of a fit to rows with these columns.

    It is kept until it is asked about other parameters: where a fit ends, several questions are.

    Parameters
    ----------
    columns : Columns
        Of the fit.
    """

    def __init__(self, columns):
        self.columns, self._last = columns, None

    def _seen(self, mixture, rows, fit):
        """Layout and information at the end of a fit, None where they cost too much."""
        last = self._last
        if last is None or last[0] is not fit.params or last[1] is not rows:
            layout = _cheap_layout(mixture, rows, fit, self.columns)
            with np.errstate(all="ignore"):
                seen = None if layout is None else (layout, observe(mixture, fit.params, rows, layout))
            self._last = last = fit.params, rows, seen
        return last[2]

    def at_maximum(self, mixture, rows, fit):
        """Whether a fit is at a strict maximum: the objective bends downwards in all directions, and nothing is held.

        No symmetry holds it there, as at a saddle between experts that are the same.
        """
        seen = self._seen(mixture, rows, fit)
        if seen is None or seen[0].held - {FIXED, CONSTANT}:
            return False
        found = _spectrum(seen[1])
        return found is not None and len(found[0]) == seen[0].n_free and found[0][0] > STRICT

    def way_up(self, mixture, rows, fit, least):
        """Parameters with a higher objective than a fit has, along a direction of ascent, eq. (uphill).

        At a maximum the observed information has no negative eigenvalue. Where it has one, the objective is tried along
        its eigenvector; what counts is where an M-step leads from there, which obeys every constraint.

        Parameters
        ----------
        mixture : Mixture
        rows : Rows
        fit : Fit
        least : float
            Objective that must be exceeded.

        Returns
        -------
        Params or None
            None where there is no such direction, where it leads nowhere, and where the information is not cheap.
        """
        seen = self._seen(mixture, rows, fit)
        if seen is None:
            return None
        layout, information = seen
        with np.errstate(all="ignore"):
            for direction in _directions(information):
                steps = [(_objective(mixture, rows, layout, a * direction), a) for a in (*LENGTHS, *-LENGTHS)]
                objective, length = max(steps)
                if objective > least:
                    moved = layout.move(length * direction)
                    moved = mixture.m_step(moved, mixture.e_step(moved, rows)[1], rows)
                    if mixture.e_step(moved, rows)[0] > least:
                        return moved
        return None

    def newton(self, mixture, rows, fit):
        """Parameters with a higher objective to which a Newton step leads from the end of a fit, eq. (newton).

        Parameters
        ----------
        mixture : Mixture
        rows : Rows
        fit : Fit

        Returns
        -------
        Params or None
            None at the maximum, where the objective bends upwards, and where the information is not cheap.
        """
        seen = self._seen(mixture, rows, fit)
        if seen is None:
            return None
        layout, information = seen
        with np.errstate(all="ignore"):
            step = _step(information)
            least = fit.objective + LEAST_GAIN * max(1.0, abs(fit.objective))
            gain = None if step is None else 0.5 * (information.gradient @ step) / fit.stats.load.sum()
            if gain is None or not fit.objective + gain > least:
                return None
            for length in SHORTER:
                if _objective(mixture, rows, layout, length * step) > least:
                    moved = layout.move(length * step)
                    return mixture.m_step(moved, mixture.e_step(moved, rows)[1], rows)  # which obeys every constraint
        return None


def _spectrum(seen):
    """Eigenvalues and eigenvectors of the information scaled to a unit diagonal, where it stands among the F free
    coordinates, and the scale; None where it is not a number."""
    information = -(seen.hessian + seen.penalty)
    size = np.sqrt(np.abs(np.diagonal(information)))
    known = np.flatnonzero(size > 0)
    scaled = information[np.ix_(known, known)] / np.outer(size[known], size[known])
    if not (len(known) and np.isfinite(scaled).all()):
        return None
    return *np.linalg.eigh(scaled), known, size[known]


def _step(seen):
    """The Newton step (F,), zero along flat directions; None where the objective bends upwards."""
    found, gradient = _spectrum(seen), seen.gradient
    if found is None or found[0][0] < NEGATIVE or not np.isfinite(gradient).all():
        return None
    values, vectors, known, size = found
    inverse = np.divide(1.0, values, out=np.zeros_like(values), where=values > FLAT * values[-1])
    step = np.zeros(len(gradient))
    step[known] = (vectors @ (inverse * (vectors.T @ (gradient[known] / size)))) / size
    return step


def _directions(seen):
    """Directions of ascent (F,), the steepest first."""
    found = _spectrum(seen)
    if found is None:
        return
    values, vectors, known, size = found
    for vector in vectors.T[values < NEGATIVE][:MOST_DIRECTIONS]:
        direction = np.zeros(len(seen.gradient))
        direction[known] = vector / size
        yield direction


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
