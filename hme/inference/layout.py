"""The coordinates of a mixture's parameters: which are free to move, and which are shown to the user.

There are four kinds of coordinates. *Raw* ones are those of the parameters: coefficients of every slot (output, class,
branch) on the design columns, and scalars such as log-variances. Some of them are tied, held or at a boundary; what is
left to move are the *free* ones (`free.py`). *Computed* ones are those by which log-densities are differentiated, and
*reported* ones are shown to the user, in the user's units (`reported.py`). All maps between them are linear at the
fitted parameters, and sparse.
"""

from functools import cached_property
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from ..model.mixture import Params
from .free import diverging_units, free_map
from .reported import INTERCEPT, Label, computed_map, reported_map, through_scalars
from .sides import fixed_parts, sides_of

__all__ = ["INTERCEPT", "Label", "Layout"]

REFERENCE = "held where it is"


class _Reported(NamedTuple):
    """What of a layout is shown to the user; see there."""

    labels: list
    estimate: np.ndarray
    jacobian: np.ndarray
    notes: dict
    tied: dict


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
        maps = [free_map(side, mixture.gate, stats, hold) for side in self.sides]
        self._free, self._why = _block_diagonal([own for own, _ in maps]), [why for _, why in maps]
        self._computed = _block_diagonal([computed_map(side) for side in self.sides])
        self.n_free = self._free.shape[1]

    @cached_property
    def _reported(self):
        """What is shown to the user, made when it is asked for: steps uphill need none of it."""
        shown, labels, estimates, reasons, order = [], [], [np.zeros(0)], [], []
        for side, why in zip(self.sides, self._why, strict=True):
            design = self.columns.expert.design if side.kind == "expert" else self.columns.gate.design
            rows, names, estimate, reason = reported_map(side, design, why, self.mixture.expert.names)
            shown.append(rows)
            labels += names
            estimates.append(estimate)
            reasons += reason
            order += [(side.kind != "expert", leaf) for leaf in _owners(side, names)]
        order = sorted(range(len(order)), key=lambda i: order[i])
        jacobian = (_block_diagonal(shown) @ self._free).toarray()[order]
        labels = [labels[i] for i in order]
        notes, tied = _annotate(labels, jacobian, [reasons[i] for i in order])
        return _Reported(labels, np.concatenate(estimates)[order], jacobian, notes, tied)

    @cached_property
    def held(self):
        """Why raw coordinates are held, a set of texts."""
        return set().union(*(why.ravel() for why in self._why)) - {""}

    @property
    def labels(self):
        return self._reported.labels

    @property
    def estimate(self):
        return self._reported.estimate

    @property
    def jacobian(self):
        return self._reported.jacobian

    @property
    def notes(self):
        return self._reported.notes

    @property
    def tied(self):
        return self._reported.tied

    @cached_property
    def remarks(self):
        return [text for text in dict.fromkeys(fixed_parts(self.mixture, self.params)) if text]

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
        gradients, hessians = [np.zeros(0)], []
        for side in self.sides:
            method = side.family.leaf_prior_derivatives if side.kind == "leaf" else side.family.prior_derivatives
            first, second = through_scalars(side, *method(side.params))
            gradients.append(first.ravel())
            hessians += [sp.csr_matrix(block) for block in second]
        hessian = self._free.T @ _block_diagonal(hessians) @ self._free
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
    """`scipy.sparse.block_diag` of CSR matrices, which spends more time on checks of small ones than on them."""
    starts, shape = [np.zeros(1, dtype=np.int32)], (0, 0)
    indices, data, n_stored = [np.zeros(0, dtype=np.int32)], [np.zeros(0)], 0
    for block in blocks:
        starts.append(block.indptr[1:] + n_stored)
        n_stored += block.indptr[-1]
        indices.append(block.indices + shape[1])
        data.append(block.data)
        shape = shape[0] + block.shape[0], shape[1] + block.shape[1]
    return sp.csr_matrix((np.concatenate(data), np.concatenate(indices), np.concatenate(starts)), shape=shape)


def _annotate(labels, jacobian, reasons):
    """Notes on coordinates that are not free, and which ones are tied; clears rounding errors in the jacobian."""
    notes, tied, first = {}, {}, {}
    for i, (sure, reason) in enumerate(reasons):
        if sure:
            jacobian[i] = 0.0  # up to rounding it is already
        if not jacobian[i].any():
            notes[i] = reason or REFERENCE
            continue
        key = (*labels[i][2:], jacobian[i].tobytes())
        if first.setdefault(key, i) != i:
            tied[i] = first[key]
    return notes, tied


def _owners(side, labels):
    """Number of the leaf or node of each reported coordinate."""
    each = len(labels) // max(side.shape[0], 1)
    if side.coordinates.contrast and side.kind == "gate":
        return np.zeros(len(labels), dtype=int)  # node by node as they are
    return np.repeat(side.leaves, each) + (len(side.leaves) if side.kind == "leaf" else 0)
