"""Elastic-net penalties: their value, their subgradient, and the exact minimisation of a quadratic plus a penalty.

A penalty is ``ridge |z|^2 / 2 + lasso |z|_1``, where z is the distance of the coefficients from the center that they
are shrunk towards; every design column has its own strengths. The functions treat Q systems of p coefficients at once.
"""

from numbers import Real

import numpy as np

from .checks import check_array, check_real
from .systems import NULL_EIGENVALUE

__all__ = [
    "MOST_FITTED",
    "bend",
    "check_alpha",
    "check_l1_ratio",
    "column_squares",
    "degrees",
    "gained",
    "lasso_minimum",
    "light",
    "squares",
    "strengths",
    "subgradient",
    "whole",
]

LIGHT = 0.1  # strength of the penalty of the fit to which slopes are shrunk,
MOST_FITTED = 0.5  # or more, where that fit would have more degrees of freedom than this share of the rows

# Added to the unit diagonal of a scaled system, so that steps along directions without curvature stay finite; later
# sweeps continue from where they end.
PROXIMAL = 1e-10
# Gradients below this fraction of the largest one, or of the slope of the penalty, count as zero.
RELATIVE_TOL = 1e-13
WHOLE = 0.9  # step lengths of at least this are rounded up to one
ROUNDING = 4.0 * np.finfo(float).eps
# Limit on the rounds. Every round lowers the value, and few are needed; should the limit be reached, the next sweep
# continues.
MAX_ROUNDS = 1000
# As fractions of the largest subgradient among the zeros: zeros with at least RELEASED of it become active together,
# once the subgradients of the active entries are below SETTLED of it.
RELEASED, SETTLED = 0.5, 1e-3


def check_alpha(value, design):
    """Return `value` as a float, or as an array (p,) if it has a strength for each column of the `design`."""
    if isinstance(value, str):
        raise ValueError(f"alpha must be a finite number >= 0, got {value!r}.")
    if np.ndim(value) == 0:
        return check_real(value, "alpha")
    if np.shape(value) != design.scale.shape:
        given = f"shape {np.shape(value)}"
        raise ValueError(f"alpha must be one number, or one for each of {len(design.scale)} columns, got {given}.")
    return check_array(value, "alpha", design.scale.shape, nonnegative=True)


def check_l1_ratio(value):
    """Return `value` as a float; it must be a number between 0 and 1."""
    if isinstance(value, Real) and not isinstance(value, bool) and not 0 <= value <= 1:
        raise ValueError(f"l1_ratio must be a number between 0 and 1, got {value!r}.")
    return check_real(value, "l1_ratio")


def strengths(alpha, l1_ratio, design):
    """Ridge and lasso strengths (p,) of the design columns, eq. (elastic-net); the lasso is None if it is zero."""
    alpha, ratio = check_alpha(alpha, design), check_l1_ratio(l1_ratio)
    if np.ndim(alpha):
        alpha = np.append(alpha, 0.0)
    ridge = alpha * (1.0 - ratio) * design.penalty_scale
    return ridge, alpha * ratio * np.sqrt(design.penalty_scale) if np.max(alpha) * ratio > 0 else None


def light(alpha, design, moment, weight):
    """Strength of the penalty of the fit to which slopes are shrunk with strength `alpha`, eq. (light-penalty).

    Strengths of columns are at most that of the strongest of them. `moment` (p, p) are the second moments of the design
    columns, and `weight` is the total weight of the rows.
    """
    unit = design.penalty_scale[:-1]
    if np.ndim(alpha):
        return np.minimum(alpha, light(np.max(alpha, initial=0.0), design, moment, weight))
    if alpha <= LIGHT or len(unit) <= MOST_FITTED * weight:
        return min(alpha, LIGHT)
    values = np.maximum(_spectrum(unit, moment, weight), 0.0)
    low, high = np.log(LIGHT), np.log(alpha)
    for _ in range(60):
        middle = 0.5 * (low + high)
        enough = (values / (values + np.exp(middle))).sum() <= MOST_FITTED * weight
        low, high = (low, middle) if enough else (middle, high)
    return float(np.exp(high))


def _spectrum(unit, moment, weight):
    """Eigenvalues of the information of all rows on slopes, in units of their penalties.

    Of a wide table its diagonal, whose entries are less different: the fit has fewer degrees of freedom than they say.
    """
    if not isinstance(moment, np.ndarray):
        last = np.eye(1, len(unit) + 1, len(unit))[0]
        return weight * (moment.diagonal() - moment.times(last) ** 2)[:-1] / unit
    mean, root = moment[-1, :-1], 1.0 / np.sqrt(unit)
    return np.linalg.eigvalsh(weight * (moment[:-1, :-1] - mean[:, None] * mean) * root * root[:, None])


def degrees(moment, weight, ridge):
    """Degrees of freedom of a fit with ridge strengths (p,), eq. (degrees); the other arguments as in `light`."""
    if not isinstance(moment, np.ndarray):  # of a wide table, whose matrices are not formed
        return float(moment.trace(ridge / weight))
    scale = np.sqrt(np.diagonal(moment))
    unit = np.divide(1.0, scale, out=np.zeros_like(scale), where=scale > 0)
    gram = moment * unit[:, None] * unit
    values, vectors = np.linalg.eigh(gram + np.diag(ridge / weight * unit**2))
    kept = values > NULL_EIGENVALUE * values[-1]
    return float((np.einsum("pq,pr,rq->q", vectors, gram, vectors, optimize=True)[kept] / values[kept]).sum())


def squares(z, ridge, lasso=None):
    """Twice the penalty of z (..., p), so that it is comparable with sums of squares, (...)."""
    total = z**2 @ ridge
    return total if lasso is None else total + 2.0 * (np.abs(z) @ lasso)


def column_squares(z, ridge, alpha):
    """Twice the penalty (p,) of the slopes z (..., p + 1) of every column, for a strength `alpha` of one."""
    return (z**2).sum(axis=tuple(range(z.ndim - 1)))[:-1] * ridge[:-1] / alpha


def subgradient(force, z, up, down=None):
    """The subgradient of smallest norm, eq. (subgradient): gradient of the smooth part minus the penalty's.

    `force` (..., p) is the gradient of the smooth part. `up` is the slope of the penalty where z > 0, `down` its
    absolute slope where z < 0, by default the same; ``down=inf`` constrains z to be nonnegative.
    """
    down = up if down is None else down
    held = np.clip(force, -np.broadcast_to(down, force.shape), up)
    return force - np.where(z > 0, up, np.where(z < 0, np.negative(down), held))


def bend(z, lasso, least=1e-3):
    """Curvature (..., p) of the ridge penalty that has the same gradient at z as the lasso."""
    return lasso / np.maximum(np.abs(z), least)


def gained(force, old, new, lasso=None):
    """What a quadratic (...) gains to first order by steps of distances (..., p) from their center, with a lasso."""
    first_order = (force * (new - old)).sum(axis=-1)
    return first_order if lasso is None else first_order - (lasso * (np.abs(new) - np.abs(old))).sum(axis=-1)


def whole(damping):
    """Step lengths with those near one rounded to one, since only full steps reach exact zeros, eq. (whole-step)."""
    return np.where(damping >= WHOLE, 1.0, damping)


def lasso_minimum(system, force, z, up, down=None):
    """Minimise quadratics plus a lasso penalty by an active-set method, eqs. (active-signs) and (signed-step).

    Minimises ``d'system d / 2 - force'd + sum(up max(z + d, 0) + down max(-z - d, 0))`` over d. Each round fixes the
    signs of the nonzero entries, activates the zeros with large subgradients, and solves for all active entries
    together. If the step would change signs, it ends at the lowest of the points where an entry crosses zero, or at the
    end point with those entries set to zero. Zeros in the result are exact.

    Parameters
    ----------
    system : ndarray of shape (Q, p, p)
        Symmetric, positive semi-definite.
    force : ndarray of shape (Q, p)
        Negative gradient of the smooth part at z.
    z : ndarray of shape (Q, p)
        Starting point.
    up, down : ndarray broadcast to (Q, p)
        Absolute slopes of the penalty above and below zero; `down` equals `up` by default. An infinite slope is a bound
        at zero.

    Returns
    -------
    ndarray of shape (Q, p)
        The minimisers, z + d.
    """
    Q, p = z.shape
    scale = np.sqrt(np.maximum(np.diagonal(system, axis1=1, axis2=2), 0.0))
    unit = np.where(scale > 0, scale, 1.0)
    A = system / unit[:, :, None] / unit[:, None, :]
    A[:, np.arange(p), np.arange(p)] += PROXIMAL
    up = np.broadcast_to(up, z.shape) / unit
    down = up if down is None else np.broadcast_to(down, z.shape) / unit
    x, pull = z * unit, force / unit
    tol = _rounding(x, pull, up)
    careful = np.zeros(Q, dtype=bool)  # systems in which zeros are activated one at a time
    open_ = np.arange(Q)
    for _ in range(MAX_ROUNDS if z.size else 0):  # everything may be fixed
        A_, x_, f, up_, down_ = A[open_], x[open_], pull[open_], up[open_], down[open_]
        slope = subgradient(f, x_, up_, down_)
        tol_ = tol[open_]
        moving = (x_ != 0) & (np.abs(slope) > tol_)
        off = np.where(x_ == 0, np.abs(slope), 0.0)
        # Once the active entries have settled, activate the zeros with the largest subgradients; only the largest one
        # if activating several did not lower the value.
        share = np.where(careful[open_], 1.0, RELEASED)[:, None]
        settled = ~(moving & (np.abs(slope) > SETTLED * off.max(axis=1, keepdims=True))).any(axis=1, keepdims=True)
        leaving = (off > tol_) & (off >= share * off.max(axis=1, keepdims=True)) & settled
        going = (leaving | moving).any(axis=1)
        if not going.all():
            open_ = open_[going]
            if not len(open_):
                break
            A_, x_, f, up_, down_, slope, leaving = (
                a[going] for a in (A_, x_, f, up_, down_, slope, leaving)
            )  # fmt: skip
        side = np.where(x_ != 0, np.sign(x_), np.where(leaving, np.sign(slope), 0.0))
        step = _solve_active(A_, slope, side != 0)
        new, change, stuck = _descend(A_, x_, f, step, side, up_, down_)
        x[open_], pull[open_] = new, f - change
        # If not even a single activation lowers the value, or nothing changes beyond round-off and no entry has come to
        # zero, the system is solved.
        still = np.abs(new - x_).max(axis=1) <= ROUNDING * np.abs(x_).max(axis=1)
        still &= ((new == 0) <= (x_ == 0)).all(axis=1)
        done = (stuck & careful[open_]) | (still & ~stuck)
        careful[open_] = stuck
        open_ = open_[~done]
        if not len(open_):
            break
    return np.where(scale > 0, x / unit, np.where(up + down > 0, 0.0, z))


def _rounding(x, pull, up):
    """Size (Q, p) below which subgradients of scaled systems are round-off.

    The pulls of all entries are on one scale, the square root of the value. The slopes of the penalty are not: that of
    a column with hardly any curvature is huge, and says nothing about the other columns.
    """
    tol = RELATIVE_TOL * np.abs(pull).max(axis=1, initial=0.0, keepdims=True)
    tol = tol + ROUNDING * np.abs(x).max(axis=1, initial=0.0, keepdims=True)
    return tol + RELATIVE_TOL * np.where(np.isfinite(up), up, 0.0)


def _solve_active(A, slope, active):
    """Newton steps (Q, p) of the active entries; zero for the others."""
    m = max(int(active.sum(axis=1).max()), 1)
    index = np.argsort(~active, axis=1, kind="stable")[:, :m]  # the active entries come first
    used = np.take_along_axis(active, index, axis=1)
    inner = np.take_along_axis(np.take_along_axis(A, index[:, :, None], axis=1), index[:, None, :], axis=2)
    inner = np.where(used[:, :, None] & used[:, None, :], inner, np.eye(m))
    right = np.where(used, np.take_along_axis(slope, index, axis=1), 0.0)
    step = np.zeros_like(slope)
    np.put_along_axis(step, index, np.linalg.solve(inner, right[..., None])[..., 0], axis=1)
    return step


def _descend(A, x, f, step, side, up, down):
    """Choose the lowest of several points along the step.

    The candidates are the end of the step, the points where an entry crosses zero, and the end point with all crossing
    entries set to zero. An entry that leaves zero in the wrong direction counts as crossing. Returns the new x, the
    decrease of the force, and whether no candidate is lower than the starting point.
    """
    target = x + step
    passing = (target * side < 0) & (up + down > 0)
    new, product = target, _times(A, step)
    stuck = np.zeros(len(x), dtype=bool)
    rows = np.flatnonzero(passing.any(axis=1))
    if not len(rows):
        return new, product, stuck
    new = new.copy()
    for q in rows:
        xq, dq, Ad = x[q], step[q], product[q]
        linear, quadratic = f[q] @ dq, 0.5 * (dq @ Ad)
        crossing = np.flatnonzero(passing[q] & (xq != 0))
        t = np.append(-xq[crossing] / dq[crossing], 1.0)
        t = t[np.argsort(t)] if len(t) > 1 else t
        points = xq + t[:, None] * dq
        order = crossing[np.argsort(-xq[crossing] / dq[crossing])]
        points[np.arange(len(order)), order] = 0.0
        values = -t * linear + t**2 * quadratic + _penalty_change(xq, points, up[q], down[q])
        clamped = np.where(passing[q], 0.0, target[q])
        move = clamped - xq
        A_move = A[q] @ move
        value = -f[q] @ move + 0.5 * (move @ A_move) + _penalty_change(xq, clamped, up[q], down[q])
        best = int(values.argmin())
        if min(value, values[best]) >= 0.0:
            stuck[q], new[q], product[q] = True, xq, 0.0
        elif value <= values[best]:
            new[q], product[q] = clamped, A_move
        else:
            new[q] = points[best]
            product[q] = A[q] @ (points[best] - xq)
    return new, product, stuck


def _penalty_change(old, new, up, down):
    """Penalty (...) of `new` (..., p) minus that of `old` (p,), entry by entry.

    The difference of two sums would drown what an entry gains that is next to zero already, and it would never get
    there. Only the slope on the side of an entry counts, so the other one may be infinite.
    """

    def of(x):
        return np.where(x > 0, up, np.where(x < 0, down, 0.0)) * np.abs(x)

    return (of(new) - of(old)).sum(axis=-1)


def _times(A, x):
    return np.matmul(A, x[..., None])[..., 0]
