"""Weighted multinomial logit with soft targets, for Q systems at once: the gating nodes or the logistic experts.

The Q systems share the design X (n, p). System q has C slots (branches or classes) with coefficients ``coef[q, c]``
(p,) in the symmetric coding, in which they sum to zero over the slots. ``target[:, q, c]`` is the weight that each row
gives to slot c, ``total[:, q]`` its sum over the slots. Nothing here depends on trees or experts.
"""

from typing import NamedTuple

import numpy as np

from .engine import twinned
from .kernels import linear_scores, upper_triangle, weighted_cross, weighted_gram
from .penalties import lasso_minimum, subgradient, whole
from .rank import n_independent as independent_of
from .systems import solve_centred, solve_psd
from .wide import WideGram, diagonal_of, grams, is_wide

__all__ = [
    "LogitStatistics",
    "damping",
    "degrees",
    "diverging",
    "guarded_step",
    "hessian",
    "is_exact",
    "log_probability",
    "log_sigmoids",
    "log_softmax",
    "logit_moments",
    "majorised",
    "majoriser_moments",
    "n_independent",
    "n_moved",
    "newton_step",
    "objective_gradient",
    "pair_statistics",
    "part_way",
    "proximal",
    "pulls",
    "second_moment",
    "shifted",
    "softmax_moments",
    "statistics",
    "subgradient_of",
    "typical_spread",
]

# Up to this many slots times columns, Newton steps use the exact Hessian; beyond, a block-diagonal bound of it, with a
# system for each slot.
EXACT_SIZE = 100
# Factor on the steps of slots with systems of their own. Below 2 the bound still guarantees that Q does not fall, and
# it is loose enough for nearly twice the step to gain more, eq. (over-relaxation).
RELAXATION = 1.8
# A system counts as separable if the slopes of two slots differ by more than STEEP per standard deviation, or if its
# next step changes the scores by more than MOVING while the decrement is less than MOVING times the squared change.
STEEP = 30.0
MOVING = 0.05
# A column of a slot has settled when gradient and curvature, per unit of weight, are below this.
SETTLED = 1e-10


class LogitStatistics(NamedTuple):
    """Additive statistics of Q systems, sufficient for one Newton step."""

    total: np.ndarray  # (Q,), total weight of each system
    gradient: np.ndarray  # (Q, C, p), of the log-likelihood, eq. (logit-gradient)
    # (Q, pairs of slots, p, p), the blocks of minus its Hessian; or (Q, C, p, p), of a bound on it; see `is_exact`
    curvature: np.ndarray


def log_probability(coef, X, used=None):
    """Log-probabilities (n, Q, C) of the slots; `used` (Q, C) marks the slots that exist (None: all)."""
    Q, C, p = coef.shape
    if C == 2 and (used is None or used.all()):
        return log_sigmoids(linear_scores(X, coef[:, 1] - coef[:, 0]).T).transpose(2, 1, 0)
    # Scores relative to slot 0: this saves one column for each system.
    relative = linear_scores(X, (coef[:, 1:] - coef[:, :1]).reshape(Q * (C - 1), p))
    scores = np.zeros((C, Q, X.shape[0]))  # slots and systems first, so that reductions run along contiguous memory
    scores[1:] = relative.T.reshape(Q, C - 1, X.shape[0]).swapaxes(0, 1)
    if used is not None and not used.all():
        scores[~used.T] = -np.inf
    return log_softmax(scores).transpose(2, 1, 0)


@twinned
def log_softmax(score):
    """Scores (C, ...) become log-probabilities, in place."""
    score -= score.max(axis=0)
    score -= np.log(np.exp(score).sum(axis=0))
    return score


@twinned
def log_sigmoids(score):
    """Log-probabilities (2, ...) of two slots, from the scores (...) of the second one relative to the first."""
    tail = np.abs(score)
    np.negative(tail, out=tail)
    np.log1p(np.exp(tail, out=tail), out=tail)
    out = np.empty((2, *score.shape))
    np.minimum(np.negative(score, out=out[0]), 0.0, out=out[0])
    np.minimum(score, 0.0, out=out[1])
    out -= tail
    return out


def statistics(log_probability, X, target):
    """Statistics from log-probabilities (n, Q, C) at the current coefficients and soft targets (n, Q, C)."""
    n, Q, C = target.shape
    p, mass, log_probability = X.shape[1], target.transpose(2, 1, 0), log_probability.transpose(2, 1, 0)
    if C == 2:
        return pair_statistics(X, *logit_moments(np.exp(log_probability[1]), mass))
    moments = softmax_moments if is_exact(C, p) else majoriser_moments
    moved, weights, total = moments(log_probability, mass)
    gradient = weighted_cross(X, moved.reshape(C * Q, n).T).reshape(C, Q, p).swapaxes(0, 1)
    if is_wide(X):
        curvature = grams(X, weights.swapaxes(0, 1).reshape(-1, n).T, (Q, len(weights)))
    else:
        curvature = weighted_gram(X, weights.reshape(-1, n).T).reshape(len(weights), Q, p, p).swapaxes(0, 1)
    return LogitStatistics(total, gradient, curvature)


def pair_statistics(X, moved, weights, total):
    """`statistics` of two slots, from their `logit_moments`."""
    gradient = weighted_cross(X, moved.T)[:, None]
    gradient = np.concatenate([-gradient, gradient], axis=1)
    return LogitStatistics(total, gradient, grams(X, weights.T, (len(weights), 1)))


def logit_moments(probability, mass):
    """`softmax_moments` (Q, n) of two slots: of the second one's probability (Q, n), and the mass (2, Q, n)."""
    total = mass[0] + mass[1]
    expected = total * probability
    return mass[1] - expected, expected * (1.0 - probability), total.sum(axis=1)


@twinned
def softmax_moments(log_probability, mass):
    """What the mass (C, Q, n) of slots exceeds its expectation by, covariances (pairs, Q, n) times -1, totals (Q,)."""
    probability, total = np.exp(log_probability), mass.sum(axis=0)
    expected, pairs = total * probability, list(zip(*upper_triangle(len(mass), 1), strict=True))
    weights = np.empty((len(pairs), *total.shape))
    for pair, (b, c) in enumerate(pairs):
        np.multiply(expected[b], probability[c], out=weights[pair])
    return np.subtract(mass, expected, out=expected), weights, total.sum(axis=1)


def majoriser_moments(log_probability, mass):
    """`softmax_moments` with the diagonal (C, Q, n) of a bound on the covariances, eq. (logit-majoriser)."""
    probability, total = np.exp(log_probability), mass.sum(axis=0)
    expected, factor = total * probability, _bound_factor(probability.transpose(2, 1, 0)).transpose(2, 1, 0)
    return mass - expected, expected * factor, total.sum(axis=1)


def is_exact(C, p):
    """Whether the slots of a system are solved jointly with the exact Hessian, which is done where it is cheap."""
    return C == 2 or C * p <= EXACT_SIZE


def _bound_factor(probability):
    """Factors on g in the diagonal bound on diag(g) - g g' that has the smallest trace, eq. (logit-majoriser)."""
    top = probability.max(axis=2, keepdims=True)
    decided = 2.0 * np.where(probability == top, 1.0 - probability, top)
    return np.where(top > 0.5, decided, 1.0)


def hessian(curvature, C):
    """Minus the Hessians of all systems (Q, C, p, C, p), eq. (logit-hessian), or a bound, eq. (logit-majoriser)."""
    Q, _, p, _ = curvature.shape
    full = np.zeros((Q, C, p, C, p))
    slots = np.arange(C)
    if not is_exact(C, p):
        full[:, slots, :, slots, :] = curvature.swapaxes(0, 1)
        return full
    first, second = upper_triangle(C, 1)
    pairs = curvature.swapaxes(0, 1)
    full[:, first, :, second, :] = -pairs
    full[:, second, :, first, :] = -pairs
    full[:, slots, :, slots, :] = -full.sum(axis=3).transpose(1, 0, 2, 3)  # the blocks of a row sum to zero
    return full


def second_moment(X, weight, block_rows=2048):
    """Weighted second moments (p, p) of the design columns."""
    if is_wide(X):
        return grams(X, weight[:, None] / weight.sum(), ())
    total = 0.0
    for start in range(0, X.shape[0], block_rows):
        index = slice(start, start + block_rows)
        total = total + weighted_gram(X[index], weight[index, None])[0]
    return total / weight.sum()


def objective_gradient(coef, stats, penalty, center=0.0):
    """Gradient (Q, C, p) of the penalised log-likelihood; `penalty` (p,) holds the ridge strength of each column."""
    return stats.gradient - penalty * (coef - center)


def newton_step(coef, stats, penalty, center=0.0, used=None):
    """Steps (Q, C, p) of all systems, by Newton's method or the majoriser, and decrements (Q,), eq. (decrement).

    The steps are centred: they sum to zero over the slots.
    """
    Q, C, p = coef.shape
    gradient, wide = objective_gradient(coef, stats, penalty, center), isinstance(stats.curvature, WideGram)
    curvature = stats.curvature if wide else _unsettled(stats)
    if wide:
        step = curvature.solve(penalty, gradient, 2.0 if C == 2 else 1.0, _settled(stats))
    elif C > 2 and is_exact(C, p):
        system = hessian(curvature, C).reshape(Q, C * p, C * p) + np.diag(np.tile(penalty, C))
        step = solve_centred(system, gradient, used is None or used.all())
    else:
        # The steps of two slots are opposite, so that their joint system reduces to one with twice the curvature.
        system = (2.0 if C == 2 else 1.0) * curvature + np.diag(penalty)
        step = solve_psd(system, gradient[..., None])[..., 0]
    decrement = (step * gradient).sum(axis=(1, 2))
    # Adding the same vector to all slots changes no probability.
    step -= step.mean(axis=1, keepdims=True, where=True if used is None else used[:, :, None])
    if used is not None:
        step[~used] = 0.0
    return step, decrement


def _unsettled(stats):
    """The curvature, zero along columns of slots where nothing is left to gain, so that they stay where they are.

    Such is the intercept of a class that no row of an expert has, once its probability is next to nothing. By the
    rounding of other entries its step would become any number, which then damps the steps of all others.
    """
    settled = _settled(stats)
    if settled is None:
        return stats.curvature
    return stats.curvature * ~(settled[..., :, None] | settled[..., None, :])


def _settled(stats):
    """Which columns of slots, or of pairs of them as in the curvature, have nothing left to gain; None if none has."""
    _, C, p = stats.gradient.shape
    size, least = diagonal_of(stats.curvature), SETTLED * stats.total[:, None, None]
    if (size > least).all():
        return None
    small = np.abs(stats.gradient) <= least
    if C > 2 and is_exact(C, p):  # the pairs of a slot that has settled, so that common shifts stay without curvature
        first, second = upper_triangle(C, 1)
        of_slot = np.zeros_like(stats.gradient)
        np.add.at(of_slot, (slice(None), first), size)
        np.add.at(of_slot, (slice(None), second), size)
        settled = small & (of_slot <= least)
        return settled[:, first] | settled[:, second]
    return small[:, : size.shape[1]] & (size <= least)


def proximal(coef, stats, penalty, lasso, center=0.0, used=None):
    """Proximal Newton step: the counterpart of `newton_step` with a lasso, eq. (proximal-newton).

    Maximises the quadratic model of every system minus its lasso. Returns the distances z (Q, C, p) of the new
    coefficients from the center, shifted to the smallest penalty with the same probabilities, and decrements (Q,).
    """
    Q, C, p = coef.shape
    gradient = objective_gradient(coef, stats, penalty, center)
    z = coef - center
    if C == 2 and isinstance(stats.curvature, WideGram):
        new = stats.curvature.lasso(penalty, gradient[:, :1], z[:, :1], lasso, 2.0)
        new = np.concatenate([new, -new], axis=1)
    elif C > 2 and is_exact(C, p):
        system = _with_shifts(hessian(stats.curvature, C), used).reshape(Q, C * p, C * p)
        system = system + np.diag(np.tile(penalty, C))
        flat = lasso_minimum(system, gradient.reshape(Q, C * p), z.reshape(Q, C * p), np.tile(lasso, C))
        new = flat.reshape(Q, C, p)
    elif (
        C == 2
    ):  # the coefficients of the two slots are opposite: solve for the first, with the system of `newton_step`
        system = 2.0 * stats.curvature[:, 0] + np.diag(penalty)
        new = lasso_minimum(system, gradient[:, 0], z[:, 0], lasso)
        new = np.stack([new, -new], axis=1)
    else:
        new = majorised(stats.curvature, gradient, z, penalty, lasso)
    decrement = (gradient * (new - z) - lasso * (np.abs(new) - np.abs(z))).sum(axis=(1, 2))
    return shifted(new, penalty, lasso, used), decrement


def _with_shifts(system, used=None):
    """Add curvature along common shifts of all slots, which change no probability, eq. (shift-curvature).

    The shift itself is chosen by `shifted` afterwards.
    """
    Q, C, p = system.shape[:3]
    there = np.ones((Q, C)) if used is None else used.astype(float)
    size = np.einsum("qcjcj->qj", system) / np.maximum(there.sum(axis=1), 1.0)[:, None]
    both, column = there[:, :, None] * there[:, None, :], np.arange(p)
    system[:, :, column, :, column] += size.T[:, :, None, None] * both
    return system


def majorised(curvature, gradient, z, penalty, lasso):
    """Maximisers (..., p) of the majoriser minus the lasso, slot by slot, over-relaxed, eq. (relaxed-majoriser)."""
    p = z.shape[-1]
    if isinstance(curvature, WideGram):
        return curvature.lasso(penalty / RELAXATION, gradient, z, lasso, 1.0 / RELAXATION)
    system = ((curvature + np.diag(penalty)) / RELAXATION).reshape(-1, p, p)
    return lasso_minimum(system, gradient.reshape(-1, p), z.reshape(-1, p), lasso).reshape(z.shape)


def shifted(z, penalty, lasso, used=None):
    """z (Q, C, p) minus the shifts, common to all slots of a system, that minimise its penalty, eq. (median-centring).

    Without a penalty, as for intercepts, the shift is the mean. Where a whole interval of shifts is optimal, it is the
    one nearest to zero, or the mean if there are two slots.
    """
    used = np.ones(z.shape[:2], dtype=bool) if used is None else used
    count = used.sum(axis=1)[:, None]
    mean = z.sum(axis=1, where=used[:, :, None]) / np.maximum(count, 1)
    out = z.copy()
    for n_slots in np.unique(count[count > 0]):
        rows = np.flatnonzero(count[:, 0] == n_slots)
        values = np.sort(z[rows][used[rows]].reshape(len(rows), n_slots, -1), axis=1)
        low, high = values[:, (n_slots - 1) // 2], values[:, n_slots // 2]
        ridged = penalty > 0
        if ridged.any():  # median of the entries and of the ridge's own optimum, the mean, displaced by the lasso
            rank = (n_slots - 2.0 * np.arange(n_slots + 1))[:, None] / n_slots
            moved = mean[rows][:, None] + rank * (lasso / np.where(ridged, penalty, 1.0))
            both = np.median(np.concatenate([values, moved], axis=1), axis=1)
        else:
            both = mean[rows]
        middle = mean[rows] if n_slots == 2 else np.clip(0.0, low, high)
        shift = np.where(lasso > 0, np.where(ridged, both, middle), mean[rows])
        out[rows] = np.where(used[rows][:, :, None], z[rows] - shift[:, None], 0.0)
    return out


def n_moved(z, used=None):
    """Number of free parameters of all systems where a lasso has set some coefficients to zero."""
    used = np.ones(z.shape[:2], dtype=bool) if used is None else used
    free = np.maximum(used.sum(axis=1) - 1, 0)
    slopes = ((z[..., :-1] != 0) & used[:, :, None]).sum(axis=1)
    return int(np.minimum(slopes, free[:, None]).sum() + free.sum())


def n_independent(z, moment, used=None, center=None):
    """`n_moved` where some columns are combinations of others; `moment` (p, p) holds their second moments.

    A nonzero `center` (1, C, p) at which some coefficients rest counts once.
    """
    used = np.ones(z.shape[:2], dtype=bool) if used is None else used
    moved, C = (z != 0) & used[:, :, None], z.shape[1]
    free, total = np.maximum(used.sum(axis=1) - 1, 0), 0
    # Of the slots of a column one less than there are can move against each other.
    count = np.minimum(moved.sum(axis=1), free[:, None])
    count[:, -1] = free
    resting = np.zeros(z.shape[1:], dtype=bool) if center is None else (z == 0).any(axis=0) & (center[0] != 0)
    tied = np.minimum(resting.sum(axis=0), C - 1)
    tied[-1] = 0
    for level in range(1, C):
        total += independent_of(moment, count[free >= level] >= level, tied >= level)
    return total


def subgradient_of(coef, stats, penalty, lasso, center=0.0):
    """`objective_gradient`, or with a lasso the subgradient of smallest norm, (Q, C, p)."""
    gradient = objective_gradient(coef, stats, penalty, center)
    return gradient if lasso is None else subgradient(gradient, coef - center, lasso)


def pulls(coef, stats, penalty, lasso, center=0.0):
    """Size of the smooth part's gradient for each slope, relative to the strength of the lasso, (Q, C, p - 1)."""
    return np.abs(objective_gradient(coef, stats, penalty, center)[..., :-1]) / lasso[:-1]


def degrees(stats, penalty):
    """Effective number of slopes (p - 1,) that the rows determine, of all systems together, eq. (evidence-alpha)."""
    (Q, C, p), curvature = stats.gradient.shape, stats.curvature
    factor, share = (2.0, 1.0) if C == 2 else (1.0, (C - 1) / C)
    if isinstance(curvature, WideGram):
        own = curvature.degrees(penalty, factor)
    else:
        if C > 2 and is_exact(C, p):
            curvature, penalty, share = hessian(curvature, C).reshape(Q, 1, C * p, C * p), np.tile(penalty, C), 1.0
        own = np.diagonal(solve_psd(factor * curvature + np.diag(penalty), factor * curvature), axis1=-2, axis2=-1)
    return np.maximum(share * own.reshape(-1, p)[:, :-1], 0.0).sum(axis=0)  # intercepts are free


def typical_spread(step, moment):
    """Root mean square change of a slot's scores by a step, maximum over slots, (Q,), eq. (typical-spread)."""
    product = moment.times(step) if isinstance(moment, WideGram) else step @ moment
    return np.sqrt(np.maximum((step * product).sum(axis=2), 0.0).max(axis=1))


def guarded_step(coef, stats, penalty, center, moment, used=None, lasso=None):
    """One step of every system, damped according to the typical change of its scores, eqs. (guard), (typical-spread).

    It is a Newton step if the exact Hessian is used, otherwise an over-relaxed step of the majoriser.

    Parameters
    ----------
    coef : ndarray of shape (Q, C, p)
    stats : LogitStatistics
    penalty : ndarray of shape (p,)
        Ridge strengths.
    center : ndarray broadcast to (Q, C, p)
        What the penalty shrinks the coefficients towards.
    moment : ndarray of shape (p, p)
        Second moments of the design columns.
    used : ndarray of bool of shape (Q, C) or None
        The slots that exist; the coefficients of the others stay at zero.
    lasso : ndarray of shape (p,) or None
        Strengths of the lasso on the distances from the center.

    Returns
    -------
    ndarray of shape (Q, C, p)
        The new coefficients.
    """
    if lasso is None:
        step, _ = newton_step(coef, stats, penalty, center, used)
        if not is_exact(*coef.shape[1:]):
            step *= RELAXATION
        return coef + damping(step, moment)[:, None, None] * step
    z, _ = proximal(coef, stats, penalty, lasso, center, used)
    return part_way(coef, z, center, moment)


def damping(step, moment):
    """Step lengths (Q,), eqs. (guard), (typical-spread)."""
    spread = typical_spread(step, moment)
    return np.divide(np.log1p(spread), spread, out=np.ones_like(spread), where=spread > 1e-12)


def part_way(coef, z, center, moment):
    """Coefficients after a damped step towards ``center + z``; full steps end there exactly."""
    step = center + z - coef
    length = whole(damping(step, moment))[:, None, None]
    return np.where(length >= 1.0, center + z, coef + length * step)


def diverging(coef, stats, penalty, center, moment, used=None, lasso=None):
    """Systems whose slots are (almost) separable, so that their coefficients grow without bound.

    Either the slopes are implausibly large, or the next step is still long although it would gain almost nothing: its
    decrement is small for its size.
    """
    if lasso is None:
        step, decrement = newton_step(coef, stats, penalty, center, used)
    else:
        z, decrement = proximal(coef, stats, penalty, lasso, center, used)
        step = center + z - coef
    step[..., -1] = 0.0  # an intercept alone diverges where a slot has no rows, which is no sign of separability
    spread = typical_spread(step, moment)
    moving = (spread > MOVING) & (decrement < MOVING * spread**2)
    return np.flatnonzero(moving | (np.ptp(coef[..., :-1], axis=1).max(axis=1, initial=0.0) > STEEP))
