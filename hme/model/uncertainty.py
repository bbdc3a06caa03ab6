"""How uncertain coefficients are, and how much too small the noise is that was measured around their own fit."""

from typing import Any, NamedTuple

import numpy as np

from ..numerics.kernels import linear_scores
from ..numerics.systems import NULL_EIGENVALUE

__all__ = [
    "CoefUncertainty",
    "Uncertainty",
    "above_rounding",
    "coef_roots",
    "degrees",
    "free_parameters",
    "inflation_of",
    "leverages",
    "roots",
]

ENOUGH = 5.0  # rows beyond its degrees of freedom with which an expert's variance stands on its own
LEAST_RATIO = 1e-100  # of standard deviations
LEAST_SHARE = 1e-12  # of the information on an intercept, in that of the best known one
FEWEST = 1e-3  # share of an expert's rows that are beyond its degrees of freedom, at least


class Uncertainty(NamedTuple):
    """What the predictive density of a mixture counts beside the plug-in one, eq. (predictive)."""

    experts: Any  # what the family of experts says of its parameters, such as `CoefUncertainty`
    inflation: np.ndarray  # (K,) factors on the variances, from rows that a fit had not seen
    least_df: float = 0.0  # of Student noise, from the same rows


class CoefUncertainty(NamedTuple):
    """How uncertain the coefficients of experts are, and their noise variances for that reason too small."""

    factor: np.ndarray  # (K, T), of the noise variances: rows by rows beyond the degrees of freedom
    root: np.ndarray  # (K, S, p, p) of the design columns: the variance of eta is ``scale |x root|^2``; S is T or 1

    @classmethod
    def none(cls, n_experts):
        """Of families about which nothing is known."""
        return cls(np.ones((n_experts, 1)), np.zeros((n_experts, 1, 0, 0)))


def above_rounding(coef):
    """Which coefficients are positive, and not by rounding alone."""
    return coef > 1e-12 * np.abs(coef).max()


def free_parameters(moved, space, lasso):
    """For each output, the parameters that are not held at a bound or, by a lasso, at the center; None is all.

    Parameters
    ----------
    moved : ndarray of bool of shape (K, T, p)
        Which coefficients are not held.
    space : Space or None
        Of the constraints.
    lasso : bool
    """
    if space is not None:
        if not lasso and not space.nonnegative.any():
            return None
        expert, column = space.first.T
        always = ~(space.nonnegative | lasso) | (column == moved.shape[2] - 1)
        return [always | moved[expert, t, column] for t in range(moved.shape[1])]
    if not lasso:
        return None
    moved = moved.copy()
    moved[..., -1] = True
    return list(np.swapaxes(moved, 0, 1))


def coef_roots(systems, gram, scale, space, free):
    """Roots (K, S, p, p) as of `CoefUncertainty`, and the degrees of freedom (K, S, p) that the coefficients use.

    `systems` (K, S, p, p) are information plus penalty, `gram` the information alone, `scale` (K, T) the variances.
    """
    gram = np.broadcast_to(gram, systems.shape)
    found, used = np.empty_like(systems), np.empty(systems.shape[:3])
    for t in range(systems.shape[1]):
        # Divided by the scales, so that experts which share coefficients are weighted as in the log-likelihood; only
        # their ratios matter, and y may have units in which their squares are no numbers.
        unit = np.sqrt(scale[:, t])[:, None, None]
        unit = np.maximum(unit / unit.max(), LEAST_RATIO) if unit.max() > 0 else np.ones_like(unit)
        basis = None if space is None else space.basis if free is None else space.A
        found[:, t] = roots(systems[:, t] / unit**2, basis, None if free is None else free[t]) / unit
        found[:, t] *= _bound(systems[:, t, -1, -1])
        used[:, t] = degrees(gram[:, t], found[:, t])
    return found, used


def _bound(intercepts):
    """Factors (K, 1, 1) on the roots of experts with next to no rows, from the information (K,) on intercepts.

    No one can say how uncertain their coefficients are; but it must remain a number.
    """
    share = intercepts / max(intercepts.max(), np.finfo(float).tiny)
    return np.sqrt(np.clip(share / LEAST_SHARE, np.finfo(float).tiny, 1.0))[:, None, None]


def roots(systems, space=None, free=None):
    """Roots L (K, p, p), with L L' the inverse of minus the Hessian at the coefficients that are free.

    Parameters
    ----------
    systems : ndarray of shape (K, p, p)
        Information plus penalty.
    space : ndarray of shape (K, p, q) or None
        Coefficients of all experts are a base plus this times free parameters, eq. (constraints); None without any.
    free : ndarray of bool, of shape (q,), or (K, p) without a space
        Parameters that are not held at a bound or at zero; None is all.

    Returns
    -------
    ndarray of shape (K, p, p)
        Directions of which there is no information are left out.
    """
    K, p, _ = systems.shape
    if space is not None:
        space = space if free is None else space[..., free]
        if not space.shape[2]:
            return np.zeros_like(systems)
        reduced = np.einsum("kpq,kpr,krs->qs", space, systems, space, optimize=True)
        wide = space @ _root(reduced)  # (K, p, q): its square (p, p) of every expert has a root of p columns
        return _root_of_square(wide @ np.swapaxes(wide, 1, 2))
    if free is not None:
        both = free[:, :, None] & free[:, None, :]
        systems = np.where(both, systems, 0.0)
    return _root(systems)


def _root(matrix):
    """Roots (..., p, p) of the pseudo-inverses of matrices, scaled so that units of columns do not matter."""
    scale = np.sqrt(np.diagonal(matrix, axis1=-2, axis2=-1))
    inverse = np.divide(1.0, scale, out=np.zeros_like(scale), where=scale > 0)
    values, vectors = np.linalg.eigh(matrix * inverse[..., :, None] * inverse[..., None, :])
    kept = values > NULL_EIGENVALUE * np.maximum(values[..., -1:], np.finfo(float).tiny)
    size = np.divide(1.0, np.sqrt(np.where(kept, values, 1.0)), out=np.zeros_like(values), where=kept)
    return inverse[..., :, None] * vectors * size[..., None, :]


def _root_of_square(square):
    """Roots (..., p, p) of positive semi-definite matrices."""
    values, vectors = np.linalg.eigh(square)
    return vectors * np.sqrt(np.maximum(values, 0.0))[..., None, :]


def degrees(gram, root):
    """Degrees of freedom (K, p) that coefficients take, eq. (degrees), from information (K, p, p) and roots."""
    return ((gram @ root) * root).sum(axis=2)


def inflation_of(weight, used, scale, shared=False):
    """Factors (K, T) on noise variances that make up for the degrees of freedom of the fit, eq. (predictive).

    Parameters
    ----------
    weight : ndarray of shape (K,)
        Rows of every expert.
    used : ndarray of shape (K, T)
        Degrees of freedom.
    scale : ndarray of shape (K, T)
        The noise variances.
    shared : bool
        Whether all experts share one variance.
    """
    rows = np.broadcast_to(weight[:, None], used.shape)
    left = np.maximum(rows - used, FEWEST * rows)
    all_rows, all_left = rows.sum(axis=0), left.sum(axis=0)
    if not all_left.all():  # experts of one family, beside others that hold all rows
        return np.ones(used.shape)
    if shared:
        return np.broadcast_to(all_rows / all_left, used.shape).copy()
    # An expert with hardly a row to spare borrows the pooled variance for those that it lacks.
    pooled = (rows * scale).sum(axis=0) / all_left
    lacking = np.maximum(ENOUGH - left, 0.0) if len(rows) > 1 else 0.0
    whole = (rows * scale + lacking * pooled) / (left + lacking)
    return np.maximum(np.divide(whole, scale, out=np.ones_like(scale), where=scale > 0), 1.0)


def leverages(rows, root):
    """x'A^-1 x (n, K, S) of the rows' design columns, with what is beyond the range of the fit, from the roots
    (K, S, p, p) of A^-1."""
    K, S, p, q = root.shape
    columns = root.transpose(0, 1, 3, 2).reshape(K * S * q, p)
    out = np.empty((K, S, rows.n_rows))
    for index, block in rows.blocks():
        wide = linear_scores(block.X, columns)
        if block.beyond is not None:
            wide += linear_scores(block.beyond, columns)
        np.square(wide, out=wide)
        np.sum(wide.T.reshape(K, S, q, len(wide)), axis=2, out=out[:, :, index])
    return out.transpose(2, 0, 1)
