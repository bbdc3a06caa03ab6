"""Which parameters of a mixture are free to move, and what the user is shown of them.

There are four kinds of coordinates. *Raw* ones are those of the parameters: coefficients of every slot (output, class,
branch) on the design columns, and scalars such as log-variances. Some of them are tied, held or at a boundary; what is
left to move are the *free* ones. *Computed* ones are what log-densities have their derivatives by, and *reported* ones
what the user reads, in the user's units. All maps between them are linear at the fitted parameters, and sparse.
"""

from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from ..model.mixture import Params

__all__ = ["INTERCEPT", "Label", "Layout"]

INTERCEPT = "(intercept)"
FLAT = 1e-20  # information on a design column, relative to the intercept's, below which it is constant
IDLE = 1e-10  # share of the load of all leaves below which a leaf has no rows

FIXED, BOUND, ZERO, DRAWN = "fixed", "at its bound", "zero by the lasso", "where the lasso draws it to"
DIVERGES, CONSTANT, NO_ROWS = "grows without bound", "its column is constant", "no rows tell of it"
REFERENCE = "held where it is"


class Label(NamedTuple):
    """What a reported coordinate is."""

    side: str  # "expert" or "gate"
    index: Any  # number of the leaf or node; of experts in a list the name
    part: str  # number of the class, output or branch; "" where there is but one
    term: str  # name of the column, "(intercept)", "log(variance)", ...


class _Side(NamedTuple):
    """One family's coordinates and where they stand among all of them; `leaf` are scalars that a gate has of leaves."""

    kind: str  # "expert", "gate" or "leaf"
    number: Any  # of the component of the experts
    family: Any
    leaves: np.ndarray  # leaves, or nodes
    params: Any
    coordinates: Any
    raw: int  # where its raw coordinates start, D a leaf or node,
    computed: int  # and its computed ones: those that derivatives are by
    slots: list  # for contrasts: the slots that exist of each node

    @property
    def shape(self):
        return self.coordinates.coef.shape

    @property
    def n_scalars(self):
        return self.coordinates.scalars.value.shape[1]

    @property
    def width(self):
        """Raw coordinates of a leaf or node."""
        _, S, p = self.shape
        return S * p + self.n_scalars

    def widths(self):
        """Computed coordinates (Q,) of the leaves or nodes."""
        Q, S, p = self.shape
        if not self.coordinates.contrast:
            return np.full(Q, self.width)
        return np.array([(len(slots) - 1) * p + self.n_scalars for slots in self.slots], dtype=int)


class Layout:
    """The free coordinates of a mixture at its parameters, and what the user is shown of them.

    Parameters are displaced from the fitted ones along what is free: not along coefficients that are fixed, that a
    lasso has left at zero, that are at a bound or grow without one, and only together where they are shared.

    Attributes
    ----------
    labels : list of Label
        The P reported coordinates: experts leaf by leaf, then the gate; intercepts first.
    estimate : ndarray of shape (P,)
        Their values in the user's units.
    jacobian : ndarray of shape (P, n_free)
        Their derivatives by the free coordinates.
    n_free : int
    notes : dict of int to str
        Why a reported coordinate is not free.
    tied : dict of int to int
        Reported coordinates that are one number with an earlier one.
    remarks : list of str
        What is taken as known altogether.

    Examples
    --------
    >>> import numpy as np
    >>> from hme import HMERegressor
    >>> from hme.experts import LinearExpert
    >>> from hme.model.features import Tables
    >>> from hme.inference.information import Layout, observe
    >>> X = np.arange(6.0)[:, None]
    >>> y = 2 * X[:, 0] + [0.0, 1.0, 0.0, 0.0, 1.0, 0.0]
    >>> model = HMERegressor(depth=0, expert=LinearExpert(alpha=0.0, variance_prior=None)).fit(X, y)
    >>> rows = model.columns_.rows(Tables(X, X), y=y[:, None], weight=np.ones(6))
    >>> _, stats = model.model_.e_step(model.params_, rows)
    >>> layout = Layout.of(model.model_, model.params_, model.columns_, stats)
    >>> [label.term for label in layout.labels]
    ['(intercept)', 'x0', 'log(variance)']
    >>> layout.estimate.round(2)
    array([ 0.33,  2.  , -1.5 ])
    >>> covariance = np.linalg.inv(-observe(model.model_, model.params_, rows, layout).hessian)
    >>> np.sqrt(np.diagonal(layout.jacobian @ covariance @ layout.jacobian.T)).round(3)
    array([0.341, 0.113, 0.577])
    """

    def __init__(self, mixture, params, columns, stats):
        self.mixture, self.params, self.columns = mixture, params, columns
        self.sides, self.n_leaves = _sides(mixture, params, columns), len(stats.load)
        names = mixture.expert.names
        maps, reports, lifts = [], [], []
        self.labels, self.notes, order = [], {}, []
        values, reasons = [], []
        for side in self.sides:
            design = columns.expert.design if side.kind == "expert" else columns.gate.design
            free, why = _free_map(side, mixture.gate, stats)
            maps.append(free)
            lifts.append(_contrasts(side))
            rows, labels, estimate, own = _reported(side, design, why, names)
            reports.append(rows)
            self.labels += labels
            values.append(estimate)
            reasons += own
            order += [(side.kind != "expert", leaf) for leaf in _owners(side, labels)]
        self._free = sp.block_diag([*maps, sp.csr_matrix((0, 0))], format="csr")
        self._computed = sp.block_diag([*lifts, sp.csr_matrix((0, 0))], format="csr")
        self.n_free = self._free.shape[1]
        jacobian = (sp.block_diag([*reports, sp.csr_matrix((0, 0))], format="csr") @ self._free).toarray()
        estimate = np.concatenate([*values, np.zeros(0)])
        order = sorted(range(len(order)), key=lambda i: order[i])
        self.labels, reasons = [self.labels[i] for i in order], [reasons[i] for i in order]
        self.estimate, self.jacobian = estimate[order], jacobian[order]
        self.notes, self.tied, first = {}, {}, {}
        for i, (sure, reason) in enumerate(reasons):
            if sure:
                self.jacobian[i] = 0.0  # but for rounding it is
            if not self.jacobian[i].any():
                self.notes[i] = reason or REFERENCE
                continue
            key = (*self.labels[i][2:], self.jacobian[i].tobytes())
            if first.setdefault(key, i) != i:
                self.tied[i] = first[key]
        self.remarks = [text for text in dict.fromkeys(_known(mixture, params)) if text]

    @classmethod
    def of(cls, mixture, params, columns, stats):
        """The layout of a mixture at its parameters.

        Parameters
        ----------
        mixture : Mixture
            Bound to its training table.
        params : Params
        columns : Columns
        stats : Statistics
            Of a sweep over the training rows at these parameters.

        Returns
        -------
        Layout
        """
        return cls(mixture, params, columns, stats)

    def move(self, delta):
        """Parameters displaced by `delta` (n_free,) along the free coordinates.

        Parameters
        ----------
        delta : array-like of shape (n_free,)

        Returns
        -------
        Params

        Raises
        ------
        ValueError
            For another number of displacements.
        """
        delta = np.asarray(delta, dtype=float)
        if delta.shape != (self.n_free,):
            raise ValueError(f"delta has shape {delta.shape}, but there are {self.n_free} free coordinates.")
        raw = self._free @ delta
        parts, gate, leaf = [], None, None
        for side in self.sides:
            Q, S, p = side.shape
            own = raw[side.raw : side.raw + Q * side.width].reshape(Q, side.width)
            coef = side.coordinates.coef + own[:, : S * p].reshape(Q, S, p)
            scalar = side.coordinates.scalars.value + own[:, S * p :]
            if side.kind == "leaf":
                leaf = scalar
            elif side.kind == "gate":
                gate = coef
            else:
                parts.append((side.number, side.family.displaced(side.params, coef, scalar)))
        experts, gate_params = self.params.experts, self.params.gate
        if parts:
            moved = dict(parts)
            components = self.mixture.expert.components(experts)
            parts = [moved.get(number, part) for number, _, _, part in components]
            experts = self.mixture.expert.assembled(experts, parts)
        if gate is not None:
            gate_params = self.mixture.gate.displaced(gate_params, gate, leaf)
        return Params(gate_params, experts)

    def prior(self):
        """Gradient (F,) and Hessian (F, F) of the log-density of penalties and priors."""
        gradients, hessians = [np.zeros(0)], [sp.csr_matrix((0, 0))]
        for side in self.sides:
            method = side.family.leaf_prior_derivatives if side.kind == "leaf" else side.family.prior_derivatives
            first, second = _through(side, *method(side.params))
            gradients.append(first.ravel())
            hessians += [sp.csr_matrix(block) for block in second]
        hessian = self._free.T @ sp.block_diag(hessians, format="csr") @ self._free
        return self._free.T @ np.concatenate(gradients), hessian.toarray()

    def bent(self, score):
        """What the bend of inner coordinates adds to a Hessian (F, F), from scores by the computed ones."""
        hessian = np.zeros((self.n_free, self.n_free))
        for side in self.sides:
            inner, E = side.coordinates.scalars.inner, side.n_scalars
            if inner is None:
                continue
            ends = side.computed + np.cumsum(side.widths())
            for q, end in enumerate(ends):
                stop = side.raw + (q + 1) * side.width
                own = self._free[stop - E : stop]
                used = np.unique(own.indices)
                own = own[:, used]
                bend = np.tensordot(score[end - E : end], inner[1][q], axes=1)
                hessian[np.ix_(used, used)] += own.T @ (own.T @ bend).T
        return hessian


# -- what is there ---------------------------------------------------------------------------------------------------


def _sides(mixture, params, columns):
    """All families that have coordinates, one after the other."""
    found, raw, computed = [], 0, 0
    gate, experts = mixture.gate, mixture.expert
    asked = [
        ("expert", number, family, leaves, part, family.coordinates(part, columns.expert.design))
        for number, family, leaves, part in experts.components(params.experts)
        if family.traits.smooth
    ]
    if gate.traits.smooth:
        own = gate.coordinates(params.gate, columns.gate.design)
        asked.append(("gate", None, gate, np.arange(own.coef.shape[0]), params.gate, own))
        own = gate.leaf_coordinates(params.gate, columns.gate.design)
        if own is not None:
            asked.append(("leaf", None, gate, np.arange(own.coef.shape[0]), params.gate, own))
    for kind, number, family, leaves, part, own in asked:
        Q, S, _ = own.coef.shape
        used = np.ones((Q, S), dtype=bool) if own.used is None else own.used
        slots = [np.flatnonzero(row) for row in used]
        side = _Side(kind, number, family, leaves, part, own, raw, computed, slots)
        found.append(side)
        raw += Q * side.width
        computed += int(side.widths().sum())
    return found


def _known(mixture, params):
    """Sentences about what is taken as known."""
    parts = [(family, part) for _, family, _, part in mixture.expert.components(params.experts)]
    for family, part in [*parts, (mixture.gate, params.gate)]:
        if family.traits.fixed or family.traits.smooth:
            yield family.traits.fixed
        elif family.n_parameters(part):
            yield f"{type(family).__name__} has no derivatives: its parameters are taken as known"


def _owners(side, labels):
    """Number of the leaf or node of each reported coordinate."""
    each = len(labels) // max(side.shape[0], 1)
    if side.coordinates.contrast and side.kind == "gate":
        return np.zeros(len(labels), dtype=int)  # node by node as they are
    return np.repeat(side.leaves, each) + (len(side.leaves) if side.kind == "leaf" else 0)


# -- free coordinates ------------------------------------------------------------------------------------------------


def _free_map(side, gate, stats):
    """The map (raw, free) of a side, sparse, and why raw coordinates (Q, D) are held, as far as they are."""
    Q, S, p = side.shape
    own, scalars = side.coordinates, side.coordinates.scalars
    why = np.full((Q, side.width), "", dtype=object)
    coef_why = np.full((Q, S, p), "", dtype=object)
    coef_why[:, :, _constant_columns(side, stats)] = CONSTANT
    coef_why[_diverging(side, stats)] = DIVERGES
    idle = stats.load <= IDLE * stats.load.sum()
    alive = np.ones((Q, S), dtype=bool) if own.used is None else own.used.copy()
    if side.kind == "gate":
        alive &= gate.branch_load(np.where(idle, 0.0, 1.0)) > 0
        coef_why[~alive] = NO_ROWS
    else:
        coef_why[idle[side.leaves]] = NO_ROWS
    if own.contrast:
        columns = _contrast_columns(own, coef_why, alive)
    elif own.constraints:
        columns = _constrained_columns(own, coef_why)
    else:
        if own.target is not None:
            _note_zeros(own, coef_why)
        columns = [_column(np.ravel_multi_index(place, (Q, S, p))) for place in np.argwhere(coef_why == "")]
    # Coefficients stand leaf by leaf, with the scalars of the leaf behind them.
    columns = [(_raw(number, S * p, side.width), value) for number, value in columns]
    why[:, : S * p] = coef_why.reshape(Q, S * p)
    held = scalars.held.astype(object)
    if side.kind != "gate":
        held[idle[side.leaves]] = NO_ROWS
    why[:, S * p :] = held
    for e, shared in enumerate(scalars.shared):
        free = np.flatnonzero(held[:, e] == "")
        places = free * side.width + S * p + e
        if shared and len(free):
            every = np.arange(Q) * side.width + S * p + e  # one number, also of experts without rows
            why[:, S * p + e] = ""
            columns.append((every, np.ones(Q)))
        elif not shared:
            columns += [_column(place) for place in places]
    rows = [number for number, _ in columns]
    index = np.repeat(np.arange(len(columns)), [len(number) for number in rows])
    data = np.concatenate([*(value for _, value in columns), np.zeros(0)])
    rows = np.concatenate([*rows, np.zeros(0, dtype=int)])
    return sp.csr_matrix((data, (rows, index)), shape=(Q * side.width, len(columns))), why


def _column(place):
    return np.atleast_1d(place), np.ones(1)


def _raw(number, size, width):
    """Numbers among the coefficients (Q, S p) of a side as numbers among all of its raw coordinates (Q, D)."""
    return number // size * width + number % size


def _constant_columns(side, stats):
    """Design columns (p,) without any information, which the statistics show."""
    p = side.shape[2]
    if side.kind == "leaf":
        return np.zeros(p, dtype=bool)
    seen = stats.gate if side.kind == "gate" else stats.experts
    size = side.family.column_information(seen if side.number is None else seen[side.number])
    return np.zeros(p, dtype=bool) if size is None else size < FLAT * size[-1]


def _diverging(side, stats):
    if side.kind == "leaf":
        return np.zeros(0, dtype=int)
    seen = stats.gate if side.kind == "gate" else stats.experts
    return side.family.diverging(side.params, seen if side.number is None else seen[side.number])


def _note_zeros(own, why):
    """Note the slopes that a lasso has left where it draws them to."""
    resting = (own.coef == own.target) & (why == "")
    resting[:, :, -1] = False
    why[resting] = np.where(own.target[resting] == 0, ZERO, DRAWN)


def _contrast_columns(own, why, alive):
    """Directions in which the slots of each node move against each other, eq. (free-contrasts)."""
    Q, S, p = own.coef.shape
    if own.target is not None:
        resting = (own.coef == own.target) & (why == "")
        resting[:, :, -1] = False
    columns = []
    for q in range(Q):
        slots = np.flatnonzero(alive[q])
        for j in range(p):
            if (why[q, slots, j] != "").any() or len(slots) < 2:
                why[q, why[q, :, j] == "", j] = next((text for text in why[q, slots, j] if text), "")
                continue
            place = (q * S + slots) * p + j
            if own.target is not None and resting[q, slots, j].any():
                zero = resting[q, slots, j]
                why[q, slots[zero], j] = np.where(own.target[q, slots[zero], j] == 0, ZERO, DRAWN)
                columns += [_column(number) for number in place[~zero]]
                continue
            for c in range(1, len(slots)):
                columns.append((place, (np.arange(len(slots)) == c) - 1.0 / len(slots)))
    return columns


def _constrained_columns(own, why):
    """Free numbers of coefficients under constraints, the same for every slot, eq. (constraints)."""
    Q, S, p = own.coef.shape
    space = own.constraints.space(Q)
    expert, column = space.first.T
    for j in own.constraints.fixed:
        why[:, :, j] = FIXED
    columns = []
    for s in range(S):
        theta = np.tensordot(space.B, own.coef[:, s] - space.base, axes=2)
        for t in range(len(theta)):
            direction, j = space.A[:, :, t], column[t]
            members = np.flatnonzero(direction[:, j])
            held = why[members, s, j]
            reason = held[0] if (held != "").all() else ""
            if own.target is not None and j < p - 1 and own.coef[expert[t], s, j] == own.target[expert[t], s, j]:
                reason = reason or (ZERO if own.target[expert[t], s, j] == 0 else DRAWN)
            elif space.nonnegative[t] and theta[t] <= 1e-12:
                reason = reason or BOUND
            why[members, s, j] = reason
            if not reason:
                k, r = np.nonzero(direction)
                columns.append(((k * S + s) * p + r, direction[k, r]))
    return columns


# -- what derivatives are by, and what is reported --------------------------------------------------------------------


def _contrasts(side):
    """The map (computed, raw) of a side: the slots of contrasts less the first."""
    Q, S, p = side.shape
    inner, E, ends = side.coordinates.scalars.inner, side.n_scalars, np.cumsum(side.widths())
    entries = _Entries()
    for q, end in enumerate(ends):
        column, scalar = q * side.width + np.arange(S * p).reshape(S, p), q * side.width + S * p + np.arange(E)
        slots = side.slots[q]
        own = slots[1:] if side.coordinates.contrast else slots
        row = end - E - len(own) * p + np.arange(len(own) * p).reshape(len(own), p)
        entries.add(row, column[own], 1.0)
        if side.coordinates.contrast:
            entries.add(row, np.broadcast_to(column[slots[0]], row.shape), -1.0)
        if inner is None:
            entries.add(end - E + np.arange(E), scalar, 1.0)
        else:
            entries.add(*np.meshgrid(end - E + np.arange(E), scalar, indexing="ij"), inner[0][q])
    return entries.matrix(int(ends[-1]) if Q else 0, Q * side.width)


class _Entries:
    """Entries of a sparse matrix, gathered."""

    def __init__(self):
        self.rows, self.columns, self.values = [np.zeros(0, dtype=int)], [np.zeros(0, dtype=int)], [np.zeros(0)]

    def add(self, rows, columns, values):
        self.rows.append(np.ravel(rows))
        self.columns.append(np.ravel(columns))
        self.values.append(np.broadcast_to(values, np.shape(rows)).ravel())

    def matrix(self, n_rows, n_columns):
        index = np.concatenate(self.rows), np.concatenate(self.columns)
        return sp.csr_matrix((np.concatenate(self.values), index), shape=(n_rows, n_columns))


def _through(side, first, second):
    """Gradients (Q, d) and Hessians (Q, d, d) by the scalars, from those by their inner coordinates."""
    inner, cut = side.coordinates.scalars.inner, side.width - side.n_scalars
    if inner is None:
        return first, second
    slope, bend = inner
    turn = np.zeros_like(second)
    turn[:, np.arange(cut), np.arange(cut)] = 1.0
    turn[:, cut:, cut:] = slope
    second = np.swapaxes(turn, 1, 2) @ second @ turn
    second[:, cut:, cut:] += np.einsum("ke,kefg->kfg", first[:, cut:], bend)
    return np.einsum("ke,kef->kf", first, turn), second


def _reported(side, design, why, names):
    """The map (reported, raw) of a side, its labels, estimates, and why they may not be free (surely, reason)."""
    Q, S, p = side.shape
    own, scalars = side.coordinates, side.coordinates.scalars
    design = design.intercept() if p == 1 else design
    terms = [f"x{j}" for j in range(p - 1)] if design.names is None else [str(name) for name in design.names]
    terms = [INTERCEPT, *terms][: max(p, 0)]
    kind = "expert" if side.kind == "expert" else "gate"
    entries, labels, estimates, reasons = _Entries(), [], [], []
    for q, leaf in enumerate(side.leaves):
        index = names[leaf] if names and side.kind == "expert" else int(leaf)
        slots = side.slots[q]
        for s in slots[1:] if own.contrast else slots:
            start = len(labels)
            _add_in_units(entries, start, q * side.width + s * p, design, p, 1.0)
            coef, text = own.coef[q, s], np.roll(why[q, s * p : (s + 1) * p], 1)
            if own.contrast:
                first = slots[0] * p
                _add_in_units(entries, start, q * side.width + first, design, p, -1.0)
                coef = coef - own.coef[q, slots[0]]
                pairs = zip(text, np.roll(why[q, first : first + p], 1), strict=True)
                reasons += [(NO_ROWS in pair, pair[0] or pair[1]) for pair in pairs]
            else:
                reasons += [(bool(a), a) for a in text]
            slope, intercept = design.to_user_units(coef)
            estimates += [intercept, *slope]
            two = own.contrast and S == 2 and kind == "expert"
            labels += [Label(kind, index, "" if two else own.parts[s], term) for term in terms]
        rows = len(labels) + np.arange(len(scalars.terms))
        columns = q * side.width + S * p + np.arange(len(rows))
        entries.add(*np.meshgrid(rows, columns, indexing="ij"), scalars.rate[q])
        labels += [Label(kind, index, part, term) for part, term in scalars.terms]
        estimates += scalars.shown[q].tolist()
        reasons += [(bool(text), text) for text in why[q, S * p :]]
    rows = entries.matrix(len(labels), Q * side.width)
    return rows, labels, np.array(estimates, dtype=float), reasons


def _add_in_units(entries, row, column, design, p, sign):
    """Intercept and slopes of the user's columns, in rows from `row` on, from p coefficients of the design."""
    slopes = np.arange(p - 1)
    entries.add(np.full(p - 1, row), column + slopes, -sign * design.center / design.scale)
    entries.add([row], [column + p - 1], sign)
    entries.add(row + 1 + slopes, column + slopes, sign / design.scale)
