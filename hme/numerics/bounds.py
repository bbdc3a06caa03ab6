"""Steps to the maximum of a quadratic, of which coefficients may not go below a bound."""

import numpy as np
from scipy.optimize import lsq_linear

from .systems import NULL_EIGENVALUE

__all__ = ["bounded_squares", "bounded_steps"]

GUESSES = 4  # bounds that are tried before a search for the right ones
HARDLY = 1e-13  # root of the ridge of least squares with bounds, of columns of unit length
UNKNOWN = 1e-100  # share of the information about another coefficient that is none


def bounded_steps(systems, slopes, lower):
    """The steps d (M, q), none of them less than `lower`, that maximise ``slope'd - d'system d / 2``, of M systems.

    Null directions of a system do not enter, and what nothing is known of stays.
    """
    size = np.diagonal(systems, axis1=1, axis2=2)
    known = size > UNKNOWN * size.max(axis=1, keepdims=True)
    scale = np.sqrt(np.where(known, size, 1.0))
    inverse = np.where(known, 1.0 / scale, 0.0)
    scaled = systems * inverse[:, None] * inverse[:, :, None]
    steps, found = _guessed(scaled, slopes * inverse, lower * scale)
    for m in np.flatnonzero(~found):
        steps[m] = _searched(scaled[m], (slopes * inverse)[m], (lower * scale)[m])
    return steps * inverse


def _guessed(systems, slopes, lower):
    """The steps whose bounds are those that they leave from or run into at once, and which these are, (M,) of bool."""
    free = (lower < 0) | (slopes > 0)
    for _ in range(GUESSES):
        steps = np.where(free, 0.0, lower)
        values, vectors = np.linalg.eigh(np.where(free[:, :, None] & free[:, None], systems, 0.0))
        kept = values > NULL_EIGENVALUE * np.max(values, axis=1, keepdims=True, initial=0.0)
        pull = np.where(free, slopes - _times(systems, steps), 0.0)
        size = np.where(kept, values + NULL_EIGENVALUE, np.inf)
        steps += np.where(free, _times(vectors, _times(np.swapaxes(vectors, 1, 2), pull) / size), 0.0)
        running, leaving = free & (steps < lower), ~free & (slopes - _times(systems, steps) > 0)
        found = ~(running | leaving).any(axis=1)
        if found.all():
            break
        free = (free & ~running) | leaving
    return steps, found


def _times(matrices, vectors):
    return np.matmul(matrices, vectors[..., None])[..., 0]


def _searched(system, slope, lower):
    """One step (q,), as a least-squares problem with bounds.

    Null directions of the system do not enter its first block of rows; the second block is a tiny ridge, which keeps
    the step from moving along them.
    """
    values, vectors = np.linalg.eigh(system)
    kept = values > NULL_EIGENVALUE * values[-1]
    root, vectors = np.sqrt(values[kept]), vectors[:, kept]
    matrix = np.vstack([root[:, None] * vectors.T, np.sqrt(NULL_EIGENVALUE) * np.eye(len(slope))])
    target = np.append(vectors.T @ slope / root, np.zeros(len(slope)))
    return lsq_linear(matrix, target, bounds=(lower, np.inf), method="bvls", tol=1e-14).x


def bounded_squares(system, force, A, lower):
    """The step d (q,) of coefficients ``A d`` of experts, as of `bounded_steps`, without the square of A's condition.

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
