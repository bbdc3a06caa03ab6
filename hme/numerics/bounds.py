"""Steps to the maximum of a quadratic, of which coefficients may not go below a bound."""

import numpy as np
from scipy.optimize import lsq_linear

from .systems import NULL_EIGENVALUE

__all__ = ["bounded_squares", "bounded_step"]

GUESSES = 4  # bounds that are tried before a search for the right ones
HARDLY = 1e-13  # root of the ridge of least squares with bounds, of columns of unit length
UNKNOWN = 1e-100  # share of the information about another coefficient that is none


def bounded_step(system, slope, lower):
    """The step d (q,), none of it less than `lower`, that maximises ``slope'd - d'system d / 2``.

    As a least-squares problem with bounds. Null directions of the system do not enter its first block of rows; the
    second block is a tiny ridge, which keeps the step from moving along them. What nothing is known of stays.
    """
    known = np.diagonal(system) > UNKNOWN * np.diagonal(system).max()
    scale = np.sqrt(np.where(known, np.diagonal(system), 1.0))
    inverse = np.where(known, 1.0 / scale, 0.0)
    scaled = system * inverse * inverse[:, None]
    step = _guessed_step(scaled, slope * inverse, lower * scale)
    if step is not None:
        return step * inverse
    values, vectors = np.linalg.eigh(scaled)
    kept = values > NULL_EIGENVALUE * values[-1]
    root, vectors = np.sqrt(values[kept]), vectors[:, kept]
    matrix = np.vstack([root[:, None] * vectors.T, np.sqrt(NULL_EIGENVALUE) * np.eye(len(scale))])
    target = np.append(vectors.T @ (slope * inverse) / root, np.zeros(len(scale)))
    return lsq_linear(matrix, target, bounds=(lower * scale, np.inf), method="bvls", tol=1e-14).x * inverse


def bounded_squares(system, force, A, lower):
    """`bounded_step` of coefficients ``A d`` of all experts, without the square of the condition of A.

    From roots of the systems (K, p, p), so that A enters a least-squares problem and not its normal equations.
    """
    scale = np.sqrt(np.maximum(np.diagonal(system, axis1=1, axis2=2), 0.0))
    inverse = np.divide(1.0, scale, out=np.zeros_like(scale), where=scale > 0)
    values, vectors = np.linalg.eigh(system * inverse[:, :, None] * inverse[:, None, :])
    kept = values > NULL_EIGENVALUE * values[:, -1:]
    root = np.sqrt(np.where(kept, values, 0.0))
    matrix = root[:, :, None] * (np.swapaxes(vectors, 1, 2) @ (scale[:, :, None] * A))
    pull = np.einsum("kpq,kp->kq", vectors, force * inverse)
    target = np.divide(pull, root, out=np.zeros_like(pull), where=kept).ravel()
    matrix = matrix.reshape(-1, A.shape[2])
    norm = np.linalg.norm(matrix, axis=0)
    norm = np.where(norm > np.sqrt(UNKNOWN) * norm.max(), norm, 1.0)
    ridge = HARDLY * np.eye(len(norm))
    found = lsq_linear(
        np.vstack([matrix / norm, ridge]), np.append(target, np.zeros(len(norm))), (lower * norm, np.inf),
        method="bvls", tol=1e-14,
    )  # fmt: skip
    return found.x / norm


def _guessed_step(system, slope, lower):
    """The step, if the bounds that it ends on are those that it leaves from or runs into at once; else None."""
    free = (lower < 0) | (slope > 0)
    for _ in range(GUESSES):
        step = np.where(free, 0.0, lower)
        values, vectors = np.linalg.eigh(system[np.ix_(free, free)])
        kept = values > NULL_EIGENVALUE * np.max(values, initial=0.0)
        vectors = vectors[:, kept]
        pull = vectors.T @ (slope[free] - system[np.ix_(free, ~free)] @ lower[~free])
        step[free] = vectors @ (pull / (values[kept] + NULL_EIGENVALUE))
        running, leaving = free & (step < lower), ~free & (slope - system @ step > 0)
        if not (running | leaving).any():
            return step
        free = (free & ~running) | leaving
    return None
