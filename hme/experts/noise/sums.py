"""Sums over rows of a linear predictor: what the M-step needs, from the working quantities of a response."""

from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from ...numerics.engine import neglect
from ...numerics.kernels import scored_cross, weighted_cross, weighted_gram
from ...numerics.wide import grams, times
from .arrays import targets

__all__ = [
    "PredictorStatistics",
    "Working",
    "changes",
    "squares_after",
    "summed",
    "sums_of",
    "weighted_sum",
    "wide_maximum",
]

# Experts from which it is looked whether most pairs of them and rows are negligible, and the share up to which the
# others are taken one by one.
MANY, FEW = 32, 0.5


class Working(NamedTuple):
    """Quantities of the rows from which the M-step forms its sums: arrays (n, K, T), or (n, 1, T) if equal for experts.

    Score and information are multiplied by `Response.scale`.
    """

    score: np.ndarray  # derivative of the log-density with respect to eta
    information: Any = None  # minus the second derivative, or a substitute for it; None means one for every row
    square: Any = None  # for a `quadratic` response, squared residuals weighted by the information
    terms: tuple = ()  # arrays whose sums the update of the scalars needs


class PredictorStatistics(NamedTuple):
    """Sums over rows at given coefficients, sufficient for the M-step of coefficients and scalars."""

    weight: np.ndarray  # (K,)
    gram: np.ndarray  # information, eq. (irls-information), (K, T, p, p); (K, 1, p, p) if equal for all outputs
    cross: np.ndarray  # (K, T, p), products of design columns and score, eq. (irls-gradient)
    square: np.ndarray  # (K, T) or (K, T, T), squared residuals of a quadratic response; else (K, 0)
    sums: np.ndarray  # (K, T, s), sums of the terms


def summed(X, resp, working, formed=False):
    """`PredictorStatistics` of rows with design columns X, responsibilities (n, K) and `Working` quantities."""
    K, T = resp.shape[1], working.score.shape[2]
    if working.information is None:
        gram = grams(X, resp, (K, 1), formed)
    else:
        gram = grams(X, _weighted(resp, working.information), (K, T), formed)
    cross = _crossed(X, resp, working.score)
    square = np.zeros((K, 0)) if working.square is None else weighted_sum(resp, working.square)
    sums = [weighted_sum(resp, term) for term in working.terms]
    return PredictorStatistics(
        resp.sum(axis=0), gram, cross, square, np.stack(sums, axis=2) if sums else np.zeros((K, T, 0))
    )


def sums_of(response, params, rows, resp, eta, formed=False):
    """`PredictorStatistics` of rows with linear predictors eta (n, K, T).

    With many experts most responsibilities are negligible: where few are not, the working quantities are computed for
    these alone. What is left out of a row is no more than the share `neglect` of its weight, eq. (pruning).
    """
    n, K, T = eta.shape
    if response.elementwise and T == 1 and K >= MANY and neglect() and not sp.issparse(rows.X):
        pairs = np.flatnonzero((resp > rows.weight[:, None] * (neglect() / K)).T)
        if len(pairs) <= FEW * n * K:
            return _of_pairs(response, params, rows, resp, eta, pairs)
    return summed(rows.X, resp, response.working(targets(rows), eta, params, rows), formed)


def _of_pairs(response, params, rows, resp, eta, pairs):
    """`sums_of` the pairs of expert and row whose numbers, expert by expert, are given."""
    n, K = resp.shape
    expert, row = np.divmod(pairs, n)
    of_pairs = [params.coef, *(a[expert][:, None] for a in params[1:])]
    working = response.working(rows.y[row][:, None], eta.T.ravel()[pairs][:, None, None], type(params)(*of_pairs), rows)
    share = resp.T.ravel()[pairs]

    def summed_up(values):
        return np.bincount(expert, share * values.ravel(), K)[:, None]

    def weights(values):
        whole = np.zeros(K * n)
        whole[pairs] = share * values.ravel()
        return whole.reshape(K, n).T

    information = np.ones(1) if working.information is None else working.information
    gram, cross = weighted_gram(rows.X, weights(information)), weighted_cross(rows.X, weights(working.score))
    square = np.zeros((K, 0)) if working.square is None else summed_up(working.square)
    sums = [summed_up(np.broadcast_to(term, (len(pairs), 1, 1))) for term in working.terms]
    sums = np.stack(sums, axis=2) if sums else np.zeros((K, 1, 0))
    return PredictorStatistics(resp.sum(axis=0), gram[:, None], cross[:, None], square, sums)


def squares_after(stats, shift):
    """Squared residuals (K, T) or (K, T, T) after the coefficients have moved by `shift` (K, T, p)."""
    if not shift.any():
        return stats.square
    if stats.square.ndim == 3:
        cross = shift @ np.swapaxes(stats.cross, 1, 2)
        return stats.square - cross - np.swapaxes(cross, 1, 2) + times(stats.gram, shift) @ np.swapaxes(shift, 1, 2)
    fitted = times(stats.gram, shift) - 2.0 * stats.cross
    return np.maximum(stats.square + (shift * fitted).sum(axis=2), 0.0)


def wide_maximum(stats, force, coef, center, unit, penalty, lasso):
    """Coefficients (K, T, p) at the maximum of the quadratic model, where the Gram matrices are not formed."""
    if lasso is None:
        return coef + stats.gram.solve(unit * penalty, force)
    return center + stats.gram.lasso(unit * penalty, force, coef - center, unit * lasso)


def changes(step, link, stats, moment):
    """Typical change (K, T) of linear predictors by steps (K, T, p), eqs. (typical-spread), (relative-change)."""
    if link != "inverse":  # with an identity link no step needs damping
        return np.zeros(step.shape[:2]) if link == "identity" else _typical(step, moment)
    # Relative to eta, since the information is a sum of (x / eta)^2.
    return _typical(step, stats.gram) / np.sqrt(np.maximum(stats.weight, np.finfo(float).tiny))[:, None]


def _typical(step, system):
    """Roots (K, T) of quadratic forms of steps (K, T, p), in one matrix (p, p) or in their own (K, 1 or T, p, p)."""
    product = times(system, step)
    return np.sqrt(np.maximum((step * product).sum(axis=2), 0.0))


def _crossed(X, resp, score):
    """Sums (K, T, p) of the products of design columns and score (n, K or 1, T), weighted by responsibilities."""
    K, T, p = resp.shape[1], score.shape[2], X.shape[1]
    if score.shape[1] == T == 1 and K > 1 and not sp.issparse(X):  # of all experts the same
        return scored_cross(X, resp, score[:, 0, 0])[:, None]
    return weighted_cross(X, _weighted(resp, score)).reshape(K, T, p)


def _weighted(resp, values):
    """Products (n, K T) of responsibilities and values (n, K or 1, T), in Fortran order."""
    product = resp.T[:, None] * values.transpose(1, 2, 0)
    return product.reshape(-1, len(resp)).T


def weighted_sum(resp, values):
    """Sums over rows (K, ...) of values (n, K or 1, ...)."""
    n, K = resp.shape
    if values.shape[1] == 1 < K:
        return (resp.T @ values.reshape(n, -1)).reshape(K, *values.shape[2:])
    columns = values.reshape(n, K, -1)
    return np.stack([np.einsum("nk,nk->k", resp, columns[:, :, t]) for t in range(columns.shape[2])], axis=1).reshape(
        K, *values.shape[2:]
    )
