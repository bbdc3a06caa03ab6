"""The weighted multinomial logit with soft targets, for banks of Q systems at once: gating nodes and logistic experts.

Q systems share the design X (n, p); system q has C slots (branches or classes) with coefficients ``coef[q, c]`` (p,) in
the symmetric coding, so that they sum to zero over the slots. ``target[:, q, c]`` is the weight that each row gives to
slot c, ``total[:, q]`` its sum over the slots. Every function is one of arrays; nothing here knows of trees or experts.
"""

import math
from typing import NamedTuple

import numpy as np

from .kernels import linear_scores, solve_psd, weighted_cross, weighted_gram

__all__ = [
    "LogitStatistics",
    "diverging",
    "guarded_step",
    "hessian",
    "log_probability",
    "newton_step",
    "objective_gradient",
    "second_moment",
    "statistics",
    "typical_spread",
]

# Slots times columns up to which the Newton step of a system is exact; beyond, each slot has a system of its own.
EXACT_SIZE = 100
# Steps of slots with systems of their own are lengthened by this: below 2 the bound still keeps Q from falling, and the
# bound is loose enough for nearly twice the step to gain more, eq. (over-relaxation).
RELAXATION = 1.8
# A system counts as separable where the slopes of two slots differ by more than this per standard deviation,
STEEP = 30.0
# or where its next step changes scores by more than this while fewer rows than this are undecided along it.
MOVING = 0.05


class LogitStatistics(NamedTuple):
    """Additive statistics of a bank: enough for one Newton step."""

    total: np.ndarray  # (Q,) weight seen by each system
    gradient: np.ndarray  # (Q, C, p) of the log-likelihood, eq. (logit-gradient)
    curvature: np.ndarray  # (Q, -, p, p) minus its Hessian, by pairs of slots, or a bound of it, by slots; see `_exact`


def log_probability(coef, X, used=None):
    """Log-probabilities (n, Q, C) of the slots; `used` (Q, C) marks the slots that exist (None: all)."""
    Q, C, p = coef.shape
    # Scores relative to slot 0: one column less a system, and two slots cost one.
    relative = linear_scores(X, (coef[:, 1:] - coef[:, :1]).reshape(Q * (C - 1), p))
    scores = np.zeros((C, Q, X.shape[0]))  # slots and systems first: reductions run along contiguous rows
    scores[1:] = relative.T.reshape(Q, C - 1, X.shape[0]).swapaxes(0, 1)
    if used is not None and not used.all():
        scores[~used.T] = -np.inf
    top = scores.max(axis=0)
    scores -= top
    scores -= np.log(np.exp(scores).sum(axis=0))
    return scores.transpose(2, 1, 0)


def statistics(log_probability, X, target):
    """Statistics from `log_probability` (n, Q, C) at the present coefficients and soft targets (n, Q, C)."""
    _, Q, C = target.shape
    total = target.sum(axis=2)
    probability = np.exp(log_probability)
    expected = total[:, :, None] * probability
    gradient = weighted_cross(X, _flat(target - expected)).reshape(Q, C, X.shape[1])
    if _exact(C, X.shape[1]):
        pairs = zip(*np.triu_indices(C, k=1), strict=True)
        by_pair = [expected[:, :, b].T * probability[:, :, c].T for b, c in pairs]  # along contiguous memory
        weights = np.stack(by_pair).transpose(2, 1, 0)
    else:
        weights = expected * _bound_factor(probability)
    curvature = weighted_gram(X, _flat(weights)).reshape(Q, weights.shape[2], X.shape[1], X.shape[1])
    return LogitStatistics(total.sum(axis=0), gradient, curvature)


def _exact(C, p):
    """Whether the slots of a system are solved together, with the exact Hessian: where that is cheap."""
    return C == 2 or C * p <= EXACT_SIZE


def _bound_factor(probability):
    """What multiplies g in the diagonal bound of diag(g) - g g' that has the least trace, eq. (logit-majoriser)."""
    top = probability.max(axis=2, keepdims=True)
    decided = 2.0 * np.where(probability == top, 1.0 - probability, top)
    return np.where(top > 0.5, decided, 1.0)


def hessian(curvature, C):
    """Minus the Hessian of every system, (Q, C, p, C, p), eq. (logit-hessian), or its bound, eq. (logit-majoriser)."""
    Q, _, p, _ = curvature.shape
    full = np.zeros((Q, C, p, C, p))
    slots = np.arange(C)
    if not _exact(C, p):
        full[:, slots, :, slots, :] = curvature.swapaxes(0, 1)
        return full
    first, second = np.triu_indices(C, k=1)
    pairs = curvature.swapaxes(0, 1)
    full[:, first, :, second, :] = -pairs
    full[:, second, :, first, :] = -pairs
    full[:, slots, :, slots, :] = -full.sum(axis=3).transpose(1, 0, 2, 3)  # the rows of the matrix sum to zero
    return full


def _flat(a):
    """(n, Q, C) or (n, Q) to (n, Q C) without losing the column order."""
    return a.transpose(*range(1, a.ndim), 0).reshape(math.prod(a.shape[1:]), len(a)).T


def second_moment(X, weight, block_rows=2048):
    """Weighted second moments (p, p) of the design columns."""
    total = 0.0
    for start in range(0, X.shape[0], block_rows):
        index = slice(start, start + block_rows)
        total = total + weighted_gram(X[index], weight[index, None])[0]
    return total / weight.sum()


def objective_gradient(coef, stats, penalty, anchor=0.0):
    """Gradient (Q, C, p) of the penalised log-likelihood; `penalty` (p,) is the L2 strength of each column."""
    return stats.gradient - penalty * (coef - anchor)


def newton_step(coef, stats, penalty, anchor=0.0, used=None):
    """Step (Q, C, p) of every system, Newton's or the majoriser's, centred, and its decrement (Q,), eq. (decrement)."""
    Q, C, p = coef.shape
    gradient = objective_gradient(coef, stats, penalty, anchor)
    if C > 2 and _exact(C, p):
        system = hessian(stats.curvature, C).reshape(Q, C * p, C * p) + np.diag(np.tile(penalty, C))
        step = solve_psd(system, gradient.reshape(Q, C * p, 1)).reshape(Q, C, p)
    else:
        # Two slots move against each other, which doubles what they have in common: their systems separate exactly.
        system = (2.0 if C == 2 else 1.0) * stats.curvature + np.diag(penalty)
        step = solve_psd(system, gradient[..., None])[..., 0]
    decrement = (step * gradient).sum(axis=(1, 2))
    # Adding the same vector to all slots changes no probability.
    step -= step.mean(axis=1, keepdims=True, where=True if used is None else used[:, :, None])
    if used is not None:
        step[~used] = 0.0
    return step, decrement


def typical_spread(step, moment):
    """Root mean square change (Q,) that a step makes to the score of a slot, at most, eq. (typical-spread)."""
    return np.sqrt(np.maximum(np.einsum("qcp,pr,qcr->qc", step, moment, step), 0.0).max(axis=1))


def guarded_step(coef, stats, penalty, anchor, moment, used=None):
    """One step of every system, damped by the typical change of its scores, eqs. (guard), (typical-spread).

    It is Newton's where the Hessian is exact, else the majoriser's, over-relaxed.

    Parameters
    ----------
    coef : ndarray of shape (Q, C, p)
    stats : LogitStatistics
    penalty : ndarray of shape (p,)
    anchor : ndarray broadcast to (Q, C, p)
        What the penalty draws the coefficients to.
    moment : ndarray of shape (p, p)
        Second moments of the design.
    used : ndarray of bool of shape (Q, C) or None
        The slots that exist; the others stay at zero.

    Returns
    -------
    ndarray of shape (Q, C, p)
        The new coefficients.
    """
    step, _ = newton_step(coef, stats, penalty, anchor, used)
    if not _exact(*coef.shape[1:]):
        step *= RELAXATION
    spread = typical_spread(step, moment)
    damping = np.divide(np.log1p(spread), spread, out=np.ones_like(spread), where=spread > 1e-12)
    return coef + damping[:, None, None] * step


def diverging(coef, stats, penalty, anchor, moment, used=None):
    """Systems whose slots are separable, or all but: coefficients grow without bound, or are too steep to tell.

    Either a slope is beyond every plausible size, or the next Newton step is still a large one although the rows
    along it are decided: its decrement is next to nothing for its size.
    """
    step, decrement = newton_step(coef, stats, penalty, anchor, used)
    step[..., -1] = 0.0  # an intercept alone runs away where a slot has no rows, which is another matter
    spread = typical_spread(step, moment)
    moving = (spread > MOVING) & (decrement < MOVING * spread**2)
    return np.flatnonzero(moving | (np.ptp(coef[..., :-1], axis=1).max(axis=1, initial=0.0) > STEEP))
