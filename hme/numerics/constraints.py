"""Constraints on coefficients: shared by all experts, fixed at a value, or nonnegative.

The coefficients of all experts together are ``base + A theta``, eq. (constraints), with fewer free parameters theta:
one for a shared column, none for a fixed one. Constraints are stated in the user's units. The slopes of standardised
columns differ from the user's by a positive factor only. The intercept also differs by the slopes times the column
means, which enter A when the intercept itself is constrained.
"""

from collections.abc import Iterable, Mapping
from copy import copy
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy.linalg import null_space

from .bounds import bounded_squares, bounded_steps
from .penalties import lasso_minimum, subgradient
from .rank import n_independent, rank_of_directions
from .systems import solve_psd

__all__ = ["INTERCEPT", "Constraints"]

INTERCEPT = "intercept"
FAR = 1e3  # distance from zero, in scales of a column, from which a constrained intercept takes care


class _Space(NamedTuple):
    """The free parameters of K experts: coefficients are ``base + A theta``, and theta is ``B (coef - base)``."""

    base: np.ndarray  # (K, p)
    A: np.ndarray  # (K, p, q)
    B: np.ndarray  # (q, K, p)
    basis: np.ndarray  # (K, p, q), spans the same directions as A, and is orthogonal
    inverse: np.ndarray  # (q, K, p), of the basis
    nonnegative: np.ndarray  # (q,) of bool
    first: np.ndarray  # (q, 2), the first expert that uses the free parameter, and its column


class Constraints:
    """The user's constraints on the coefficients, bound to a design.

    Parameters
    ----------
    shared : None, True or sequence of columns
        Columns with one coefficient for all experts; True means every slope.
    fixed : None or dict
        Maps columns to the value of their coefficient: one number, or one for each expert.
    nonnegative : bool or sequence of columns
        Columns whose coefficients are constrained to be >= 0; True means every slope.
    design : Design
        Columns are given by name, as in its `names`, or by number; "intercept" stands for the intercept.

    Raises
    ------
    ValueError, TypeError
        If a column does not exist, if a fixed coefficient is also shared or nonnegative, or if a fixed value is not a
        finite number.
    """

    def __init__(self, shared, fixed, nonnegative, design):
        self.design = design
        n_slopes = len(design.center)
        self.shared = self._columns(shared, "shared_coef", range(n_slopes))
        self.nonnegative = self._columns(nonnegative, "nonnegative", range(n_slopes))
        if fixed is not None and not isinstance(fixed, Mapping):
            raise TypeError(f"fixed_coef = {fixed!r} must be None or a dict of columns and values.")
        self.fixed = {}
        for column, value in (fixed or {}).items():
            try:
                values = np.asarray(value, dtype=float)
            except (TypeError, ValueError):
                values = np.array(np.nan)
            if values.ndim > 1 or not np.isfinite(values).all():
                raise ValueError(f"fixed_coef[{column!r}] = {value!r} must be a finite number, or one for each expert.")
            number = self._column(column, "fixed_coef")
            if number in self.fixed:
                raise ValueError(f"fixed_coef contains the column {column!r} twice, by name and by number.")
            self.fixed[number] = values
        both = set(self.fixed) & (set(self.shared) | set(self.nonnegative))
        if both:
            raise ValueError(
                f"column(s) {sorted(both)} of fixed_coef are also in shared_coef or nonnegative; a fixed coefficient "
                "can be neither."
            )
        self.space = lru_cache(maxsize=4)(self._space)

    def alone(self):
        """The constraints on one expert that is fitted to all rows; values fixed expert by expert are averaged."""
        one = copy(self)
        one.shared, one.fixed = [], {column: np.mean(value) for column, value in self.fixed.items()}
        one.space = lru_cache(maxsize=4)(one._space)
        return one

    def __getstate__(self):
        return {name: value for name, value in vars(self).items() if name != "space"}

    def __setstate__(self, state):
        vars(self).update(state)
        self.space = lru_cache(maxsize=4)(self._space)

    def __bool__(self):
        return bool(self.shared or self.fixed or self.nonnegative)

    def _columns(self, columns, name, everything):
        if columns is None or columns is False:
            return []
        if columns is True:
            return list(everything)
        if isinstance(columns, str) or not isinstance(columns, Iterable):
            columns = [columns]
        return sorted({self._column(column, name) for column in columns})

    def _column(self, column, name):
        """Index of a design column; the intercept is the last one."""
        n_slopes = len(self.design.center)
        names = [] if self.design.names is None else list(self.design.names)
        if isinstance(column, str):
            if column in names:
                return names.index(column)
            if column == INTERCEPT:
                return n_slopes
        elif isinstance(column, int | np.integer) and not isinstance(column, bool) and -n_slopes <= column < n_slopes:
            return int(column) % n_slopes
        known = (f"{names}, " if names else "") + (f"a number below {n_slopes} or " if n_slopes else "")
        none = "" if n_slopes else ", as there are no columns"
        raise ValueError(f"{name} names column {column!r}; it must be {known}'intercept'{none}.")

    def _space(self, K):
        p = len(self.design.center) + 1
        ratio = self.design.center / self.design.scale  # what one unit of a slope adds to the design's intercept
        base, columns, nonnegative, first = np.zeros((K, p)), [], [], []
        carry = self._carries  # the free parameter is the intercept in the user's units, not the design's
        for j in range(p):
            unit = 1.0 if j == p - 1 else self.design.scale[j]
            if j in self.fixed:
                if self.fixed[j].ndim and len(self.fixed[j]) != K:
                    raise ValueError(f"fixed_coef has {len(self.fixed[j])} values for a column, but {K} experts.")
                base[:, j] = unit * self.fixed[j]
                continue
            members = [range(K)] if j in self.shared else [[k] for k in range(K)]
            for experts in members:
                column = np.zeros((K, p))
                column[experts, j] = 1.0
                if carry and j < p - 1:
                    column[experts, -1] = ratio[j]
                columns.append(column)
                nonnegative.append(j in self.nonnegative)
                first.append((experts[0], j))
        if carry:
            base[:, -1] += base[:, :-1] @ ratio
        A = np.stack(columns, axis=2) if columns else np.zeros((K, p, 0))
        q = A.shape[2]
        first = np.reshape(first, (q, 2)).astype(int)
        B = self._reader(first, K, ratio) if carry else np.linalg.pinv(A.reshape(K * p, q)).reshape(q, K, p)
        basis, inverse = A, B
        if carry:
            basis = self._directions(K, ratio)
            inverse = basis.transpose(2, 0, 1)
        return _Space(base, A, B, basis, inverse, np.array(nonnegative, dtype=bool), first)

    def _reader(self, first, K, ratio):
        """The map B (q, K, p) from feasible coefficients to the free parameters, where it reads intercepts of the user.

        The pseudo-inverse of A would lose them where columns are far from zero: their squares go with those of the
        ratios of means to scales. Coefficients that experts share are read from all of them.
        """
        p = len(ratio) + 1
        B = np.zeros((len(first), K, p))
        for i, (k, j) in enumerate(first):
            experts = range(K) if j in self.shared else [k]
            B[i, experts, j] = 1.0 / len(experts)
            if j == p - 1:
                B[i, experts, :-1] = -ratio / len(experts)
        return B

    def _directions(self, K, ratio, more=()):
        """Orthonormal directions (K, p, q) that the equations leave free, for constrained intercepts of the user.

        Every equation is a row of numbers of unit length, so that columns far from zero do no harm: they make one
        column of A all but the sum of others. `more` are further rows.
        """
        p = len(ratio) + 1
        of_user = np.eye(p)  # what is constrained, of the coefficients of one expert
        of_user[-1, :-1] = -ratio
        rows = [np.zeros((0, K, p))]
        for j in (*self.fixed, *self.shared):
            own = np.zeros((K, K, p))
            own[np.arange(K), np.arange(K)] = of_user[j]
            rows.append(own if j in self.fixed else own[1:] - own[:-1])
        rows = np.concatenate([np.concatenate(rows).reshape(-1, K * p), np.reshape(more, (-1, K * p))])
        return null_space(rows / np.linalg.norm(rows, axis=1, keepdims=True)).reshape(K, p, -1)

    @property
    def _carries(self):
        """Whether the intercept itself is constrained."""
        return len(self.design.center) in {*self.fixed, *self.shared, *self.nonnegative}

    @property
    def _far(self):
        """Whether a constrained intercept, the predictor where all columns are zero, is far from all rows."""
        return self._carries and np.abs(self.design.center / self.design.scale).max(initial=0.0) > FAR

    # -- what a family needs -----------------------------------------------------------------------------------------

    def n_parameters(self, coef, center, moment, rank):
        """Number of free parameters among coefficients (K, T, p) of T outputs.

        `center` (K or 1, T, p) is where a lasso holds them, None without one; of the columns, whose second moments are
        `moment`, no more than `rank` are independent.
        """
        K, T, p = coef.shape
        own = [None] * T if center is None else list(center.swapaxes(0, 1))
        if rank < p:
            return sum(self.n_independent(coef[:, t], moment, own[t]) for t in range(T))
        if center is None:
            return T * self.n_free((K, p))
        return sum(self.n_moved(coef[:, t], own[t]) for t in range(T))

    def n_free(self, shape):
        """Number of free parameters among coefficients of shape (K, p)."""
        return self.space(shape[0]).A.shape[2] if self else shape[0] * shape[1]

    def feasible(self, coef):
        """The coefficients (K, p) projected onto the constraints."""
        if not self:
            return coef
        space = self.space(len(coef))
        coef = space.base + space.basis @ np.tensordot(space.inverse, coef - space.base, axes=2)
        theta = np.tensordot(space.B, coef - space.base, axes=2)
        if not (space.nonnegative & (theta < 0)).any():
            return coef
        return space.base + space.A @ np.where(space.nonnegative, np.maximum(theta, 0.0), theta)

    def move(self, coef, step):
        """Coefficients after a step, projected so that round-off cannot violate a constraint."""
        return self.feasible(coef + step)

    def step(self, system, force, coef):
        """Step d (K, p) from feasible coefficients to the constrained maximum of ``force'd - d'system d / 2``.

        `system` is (K, p, p), `force` and `coef` are (K, p).
        """
        if not self:
            return solve_psd(system, force[..., None])[..., 0]
        space = self.space(len(coef))
        if space.nonnegative.any():
            return self._bounded_step(system, force, coef)
        reduced = np.tensordot(space.basis, system @ space.basis, axes=([0, 1], [0, 1]))
        slope = np.tensordot(space.basis, force, axes=([0, 1], [0, 1]))
        return space.basis @ solve_psd(reduced, slope[:, None])[:, 0]

    def _bounded_step(self, system, force, coef):
        """`step` where coefficients are bounded, of all experts together if they share some, else of each one.

        The rounding of one expert is nothing to another of next to no weight.
        """
        K, space = len(coef), self.space(len(coef))
        theta = np.tensordot(space.B, coef - space.base, axes=2)
        lower = np.where(space.nonnegative, -np.maximum(theta, 0.0), -np.inf)
        if self.shared:
            own, A = np.arange(len(theta))[None], space.A[None]
        else:
            own = np.argsort(space.first[:, 0], kind="stable").reshape(K, -1)
            A = np.take_along_axis(space.A, own[:, None], axis=2)[:, None]
        system, force = (a.reshape(*A.shape[:2], *a.shape[1:]) for a in (system, force))
        if self._far:
            steps = [bounded_squares(*part) for part in zip(system, force, A, lower[own], strict=True)]
        else:
            reduced = (np.swapaxes(A, 2, 3) @ system @ A).sum(axis=1)
            steps = bounded_steps(reduced, np.einsum("mkpq,mkp->mq", A, force), lower[own])
        change = np.empty_like(theta)
        change[own] = steps
        return space.A @ change

    def maximum(self, system, force, coef, target, lasso):
        """Coefficients (K, p) that maximise the quadratic of `step` minus a lasso penalty, eq. (elastic-net).

        The lasso (K, p) acts on the distances from `target`, (1, p) or (K, p). A column that is bounded must have the
        target zero.
        """
        if not self:
            return target + lasso_minimum(system, force, coef - target, lasso)
        space = self.space(len(coef))
        reduced = np.tensordot(space.A, system @ space.A, axes=([0, 1], [0, 1]))
        slope = np.tensordot(space.A, force, axes=([0, 1], [0, 1]))
        distance, origin, up, down = self._distances(coef, target, lasso)
        found = lasso_minimum(reduced[None], slope[None], distance[None], up, down)[0]
        new = space.base + space.A @ (origin + found)
        if not self._far:
            return new
        force = force - np.einsum("kpq,kq->kp", system, new - coef)
        return self._polished(new, origin + found, force, system, target, lasso)

    def _polished(self, coef, theta, force, system, target, lasso):
        """The maximum (K, p) on the face of lasso and bounds on which `coef` lies, if it is on it; else `coef`."""
        (K, p), space = coef.shape, self.space(len(coef))
        sign = np.sign(coef - target)
        sign[:, -1] = 0.0
        resting = np.eye(K * p)[np.flatnonzero((sign == 0) & (np.arange(p) < p - 1))]
        bounded = space.nonnegative & (space.first[:, 1] == p - 1)
        held = space.B[bounded & (theta == 0)].reshape(-1, K * p)
        basis = self._directions(K, self.design.center / self.design.scale, np.vstack([resting, held]))
        slope = np.tensordot(basis, force - lasso * sign, axes=([0, 1], [0, 1]))
        reduced = np.tensordot(basis, system @ basis, axes=([0, 1], [0, 1]))
        step = basis @ solve_psd(reduced, slope[:, None])[:, 0]
        step[:, :-1][sign[:, :-1] == 0] = 0.0
        new = coef + step
        above = np.tensordot(space.B, new - space.base, axes=2)[bounded & (theta != 0)] >= 0
        return new if above.all() and (np.sign(new - target)[:, :-1] == sign[:, :-1]).all() else coef

    def _distances(self, coef, target, lasso):
        """For the free parameters: distance from the target, the target, and the lasso's slopes above and below it."""
        space = self.space(len(coef))
        expert, column = space.first.T
        slopes = column < coef.shape[1] - 1
        # Taken from the slopes themselves rather than from B, so that zeros stay exactly zero.
        theta = np.tensordot(space.B, coef - space.base, axes=2)
        theta = np.where(slopes, coef[expert, column], theta)
        theta = np.where(space.nonnegative, np.maximum(theta, 0.0), theta)  # beyond a bound the penalty is infinite
        origin = np.where(slopes, np.broadcast_to(target, coef.shape)[expert, column], 0.0)
        up = np.tensordot(space.A, np.broadcast_to(lasso, coef.shape), axes=([0, 1], [0, 1]))
        return theta - origin, origin, up, np.where(space.nonnegative, np.inf, up)

    def pulls(self, force, coef, target, lasso):
        """Size of the smooth part's gradient for each free slope, relative to the strength of the lasso."""
        if not self:
            slope, up, nonnegative = force, np.broadcast_to(lasso, force.shape), False
        else:
            space = self.space(len(coef))
            slope = np.tensordot(space.A, force, axes=([0, 1], [0, 1]))
            up, nonnegative = self._distances(coef, target, lasso)[2], space.nonnegative
        slope = np.where(nonnegative, np.maximum(slope, 0.0), np.abs(slope))
        return np.divide(slope, up, out=np.zeros_like(slope), where=up > 0)

    def n_moved(self, coef, target):
        """Number of free parameters under a lasso.

        Counts the coefficients that differ from their target, all intercepts, and, once per column, a nonzero target
        at which some coefficients rest.
        """
        K, p = coef.shape
        target = np.broadcast_to(target, coef.shape)
        if not self:
            distance, origin, column = (coef - target).T.ravel(), target.T.ravel(), np.repeat(np.arange(p), K)
        else:
            distance, origin, _, _ = self._distances(coef, target, np.zeros(p))
            column = self.space(K).first[:, 1]
        moved = (distance != 0) | (column == p - 1)
        return int(moved.sum()) + len(set(column[~moved & (origin != 0)].tolist()))

    def n_independent(self, coef, moment, target=None):
        """`n_free`, or with the target of a lasso `n_moved`, where some columns are combinations of others.

        `moment` (p, p) holds the second moments of the design columns.
        """
        K, p = coef.shape
        if not self and target is None:
            return n_independent(moment, np.ones((K, p), dtype=bool))
        if self and target is None:
            return rank_of_directions(moment, self.space(K).basis)
        target = np.broadcast_to(target, coef.shape)
        if not self:
            own = (coef != target) | (np.arange(p) == p - 1)
            return n_independent(moment, own, (~own & (target != 0)).any(axis=0))
        space = self.space(K)
        distance, origin, _, _ = self._distances(coef, target, np.zeros(p))
        column = space.first[:, 1]
        moved = (distance != 0) | (column == p - 1)
        resting = ~moved & (origin != 0)
        together = [space.A[:, :, resting & (column == j)].sum(axis=2, keepdims=True) for j in set(column[resting])]
        return rank_of_directions(moment, np.concatenate([space.A[:, :, moved], *together], axis=2))

    def gradient(self, gradient, coef, target=0.0, lasso=None):
        """The gradient along what is free: the basis, or with bounds the parameters, zero where a bound is active.

        With a lasso on the distance from the target it is the subgradient of smallest norm.
        """
        if lasso is not None and not self:
            return subgradient(gradient, coef - target, lasso)
        if lasso is not None:
            slope = np.tensordot(self.space(len(coef)).A, gradient, axes=([0, 1], [0, 1]))
            distance, _, up, down = self._distances(coef, target, lasso)
            return subgradient(slope, distance, up, down)
        if not self:
            return gradient
        space = self.space(len(coef))
        if not space.nonnegative.any():
            return np.tensordot(space.basis, gradient, axes=([0, 1], [0, 1]))
        slope = np.tensordot(space.A, gradient, axes=([0, 1], [0, 1]))
        theta = np.tensordot(space.B, coef - space.base, axes=2)
        return np.where(space.nonnegative & (theta <= 1e-12) & (slope < 0), 0.0, slope)

    def common(self, damping):
        """Step lengths (K,): the smallest one for all where experts share coefficients, so that these stay equal."""
        return np.full_like(damping, damping.min()) if self.shared else damping
