"""The pooled fit: a penalised linear regression of all rows, from which experts start and to which they may shrink."""

import numpy as np

from ...numerics import penalties, statistics
from ...numerics.kernels import linear_scores
from ...numerics.systems import solve_psd
from ...numerics.wide import WideGram, times
from .arrays import own_targets
from .sums import Working, summed

__all__ = ["pooled_fit"]

STEPS, TOL = 100, 1e-13  # limit and relative tolerance of the iterations if the fit has no closed form
PRECISE = 1e-10  # of the fit of a wide table


def pooled_fit(rows, penalty, lasso=None, scaled=True, full=False, constraints=None):
    """Penalised regression of all rows: coefficients (1, T, p) and the mean squared residuals, (T,) or (T, T).

    If the penalty is not `scaled`, that is not divided by the noise variance, its strength depends on the variance of
    the residuals. With `full`, mean products of the residuals of all pairs of outputs are returned. `constraints` are
    those of one expert.
    """
    y, total = own_targets(rows), rows.weight.sum()
    coef = np.zeros((1, y.shape[1], rows.X.shape[1]))
    coef[0, :, -1] = rows.weight @ y / total
    for _ in range(2):  # the second round removes the round-off error of the first
        stats = _sums(rows, coef, constraints)
        coef = coef + _solved(stats.gram, penalty, stats.cross - penalty * coef)
    if constraints:
        coef = np.stack([constraints.feasible(coef[:, t]) for t in range(coef.shape[1])], axis=1)
    if lasso is not None or not scaled or constraints:
        coef = _penalised(coef, _sums(rows, coef, constraints), penalty, lasso, scaled, constraints)
    square = 0.0
    for _, block in rows.blocks():
        residual = own_targets(block) - linear_scores(block.X, coef[0])
        square = square + (residual.T @ (residual * block.weight[:, None]) if full else block.weight @ residual**2)
    return coef, square / total


def _solved(gram, ridge, force):
    """Steps (1, T, p) to the maximum of a quadratic model, whose matrix is the same for all outputs."""
    if isinstance(gram, WideGram):
        return gram.solve(ridge, force, precision=PRECISE)
    return np.swapaxes(solve_psd(gram[:, 0] + np.diag(ridge), np.swapaxes(force, 1, 2)), 1, 2)


def _sums(rows, coef, constraints):
    """Statistics of the residuals at the coefficients, summed over all rows."""
    stats = None
    for _, block in rows.blocks():
        residual = (own_targets(block) - linear_scores(block.X, coef[0]))[:, None]
        working = Working(residual, square=residual**2)
        stats = statistics.add(stats, summed(block.X, block.weight[:, None], working, bool(constraints)))
    return stats


def _penalised(start, stats, penalty, lasso, scaled, constraints):
    """The fit that has no closed form, by iteration from statistics at the feasible coefficients `start`."""
    coef, unit = start[0], np.ones((start.shape[1], 1))
    for _ in range(STEPS):
        shift = coef - start[0]
        product = times(stats.gram, shift[None])[0]
        if not scaled:
            fitted = (shift * (product - 2.0 * stats.cross[0])).sum(axis=1)
            unit = np.maximum(stats.square[0] + fitted, 0.0)[:, None] / stats.weight
        force = stats.cross[0] - product - unit * penalty * coef
        if not constraints:
            new = _unconstrained(stats.gram, unit * penalty, force, coef, None if lasso is None else unit * lasso)
        else:
            systems = stats.gram[:, 0] + unit[..., None] * np.diag(penalty)
            parts = zip(systems, force, coef, unit, strict=True)
            new = np.stack([_constrained(*part, lasso, constraints) for part in parts])
        change, coef = np.abs(new - coef).max(), new
        if change <= TOL * np.abs(coef).max(initial=0.0):
            break
    return coef[None]


def _unconstrained(gram, ridge, force, coef, lasso):
    if isinstance(gram, WideGram):
        if lasso is None:
            return coef + gram.solve(ridge[None], force[None], precision=PRECISE)[0]
        return gram.lasso(ridge[None], force[None], coef[None], lasso[None])[0]
    systems = gram[:, 0] + ridge[..., None] * np.eye(gram.shape[-1])
    if lasso is None:
        return coef + solve_psd(systems, force[..., None])[..., 0]
    return penalties.lasso_minimum(systems, force, coef, lasso)


def _constrained(system, force, coef, unit, lasso, constraints):
    """Coefficients (p,) of one output."""
    system, force, coef = system[None], force[None], coef[None]
    if lasso is None:
        return (coef + constraints.step(system, force, coef))[0]
    return constraints.maximum(system, force, coef, np.zeros_like(coef), unit * lasso)[0]
