"""The coordinates of a mixture's parameters: which are free to move, and which are shown to the user.

There are four kinds of coordinates. *Raw* ones are those of the parameters: coefficients of every slot (output, class,
branch) on the design columns, and scalars such as log-variances. Some of them are tied, held or at a boundary; what is
left to move are the *free* ones (`free.py`). *Computed* ones are those by which log-densities are differentiated, and
*reported* ones are shown to the user, in the user's units (`reported.py`). All maps between them are linear at the
fitted parameters, and sparse.
"""

import numpy as np
import scipy.sparse as sp

from ..model.mixture import Params
from .free import diverging_units, free_map
from .reported import INTERCEPT, Label, computed_map, reported_map, through_scalars
from .sides import fixed_parts, sides_of

__all__ = ["INTERCEPT", "Label", "Layout"]

REFERENCE = "held where it is"


class Layout:
    """The free coordinates of a mixture at its parameters, and the reported ones.

    Parameters are displaced from the fitted ones along the free coordinates. Coefficients that are fixed, at zero by
    the lasso, at a bound or diverging are not free; shared ones move together.

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
        Reported coordinates that equal an earlier one by construction.
    remarks : list of str
        Which parts of the model are taken as fixed.
    n_coefficients : int
        How many of the free coordinates move coefficients of columns or intercepts.
    diverging : frozenset of (str, Any, int)
        Kind and number of the side, and number of the node or expert, whose coefficients grow without bound and are not
        held for it.

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

    def __init__(self, mixture, params, columns, stats, hold=True):
        self.mixture, self.params, self.columns = mixture, params, columns
        self.sides, self.n_leaves = sides_of(mixture, params, columns), len(stats.load)
        self.diverging = frozenset() if hold else frozenset(diverging_units(self.sides, stats))
        free, shown, labels, estimates, reasons, order = [], [], [], [np.zeros(0)], [], []
        for side in self.sides:
            design = columns.expert.design if side.kind == "expert" else columns.gate.design
            own, why = free_map(side, mixture.gate, stats, hold)
            free.append(own)
            rows, names, estimate, reason = reported_map(side, design, why, mixture.expert.names)
            shown.append(rows)
            labels += names
            estimates.append(estimate)
            reasons += reason
            order += [(side.kind != "expert", leaf) for leaf in _owners(side, names)]
        self._free = _block_diagonal(free)
        self._computed = _block_diagonal(map(computed_map, self.sides))
        self.n_free = self._free.shape[1]
        order = sorted(range(len(order)), key=lambda i: order[i])
        self.labels = [labels[i] for i in order]
        self.estimate = np.concatenate(estimates)[order]
        self.jacobian = (_block_diagonal(shown) @ self._free).toarray()[order]
        self.notes, self.tied = self._annotate([reasons[i] for i in order])
        self.remarks = [text for text in dict.fromkeys(fixed_parts(mixture, params)) if text]

    def _annotate(self, reasons):
        """Notes on coordinates that are not free, and which ones are tied; clears rounding errors in the jacobian."""
        notes, tied, first = {}, {}, {}
        for i, (sure, reason) in enumerate(reasons):
            if sure:
                self.jacobian[i] = 0.0  # up to rounding it is already
            if not self.jacobian[i].any():
                notes[i] = reason or REFERENCE
                continue
            key = (*self.labels[i][2:], self.jacobian[i].tobytes())
            if first.setdefault(key, i) != i:
                tied[i] = first[key]
        return notes, tied

    @classmethod
    def of(cls, mixture, params, columns, stats, hold=True):
        """The layout of a mixture at its parameters.

        Parameters
        ----------
        mixture : Mixture
            Bound to its training table.
        params : Params
        columns : Columns
        stats : Statistics
            Of a sweep over the training rows at these parameters.
        hold : bool, default=True
            Whether all coefficients of a node or expert are held where some of them grow without bound; else they
            are free, and `diverging` says whose they are.

        Returns
        -------
        Layout
        """
        return cls(mixture, params, columns, stats, hold)

    @property
    def n_coefficients(self):
        moved = np.zeros(self.n_free, dtype=bool)
        for side in self.sides:
            block = self._rows_of(side, np.arange(side.shape[0]))
            moved[block.indices[block.data != 0]] = True
        return int(moved.sum())

    def _rows_of(self, side, units):
        """The rows of the map from free to raw coordinates that are the coefficients of some units, sparse."""
        _, S, p = side.shape
        return self._free[side.raw + np.add.outer(np.asarray(units) * side.width, np.arange(S * p)).ravel()]

    def coefficients_of(self, side, units):
        """Derivatives (U, S, p, f) of the coefficients of some units by the f free coordinates, and their numbers."""
        _, S, p = side.shape
        block = self._rows_of(side, units)
        columns = np.unique(block.indices[block.data != 0])
        return block[:, columns].toarray().reshape(len(units), S, p, len(columns)), columns

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
            first, second = through_scalars(side, *method(side.params))
            gradients.append(first.ravel())
            hessians += [sp.csr_matrix(block) for block in second]
        hessian = self._free.T @ sp.block_diag(hessians, format="csr") @ self._free
        return self._free.T @ np.concatenate(gradients), hessian.toarray()

    def bent(self, score):
        """What the curvature of inner coordinates adds to a Hessian (F, F), from scores by the computed ones."""
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
                bend = inner[1].along(score[end - E : end], q)
                hessian[np.ix_(used, used)] += own.T @ (own.T @ bend).T
        return hessian


def _block_diagonal(blocks):
    return sp.block_diag([*blocks, sp.csr_matrix((0, 0))], format="csr")


def _owners(side, labels):
    """Number of the leaf or node of each reported coordinate."""
    each = len(labels) // max(side.shape[0], 1)
    if side.coordinates.contrast and side.kind == "gate":
        return np.zeros(len(labels), dtype=int)  # node by node as they are
    return np.repeat(side.leaves, each) + (len(side.leaves) if side.kind == "leaf" else 0)
