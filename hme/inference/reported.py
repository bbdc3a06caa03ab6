"""Sparse maps from raw coordinates to those that are reported, and to those by which derivatives are taken."""

from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from .free import NO_ROWS

__all__ = ["INTERCEPT", "Label", "computed_map", "labels_by_name", "name_of", "reported_map", "through_scalars"]

INTERCEPT = "(intercept)"


class Label(NamedTuple):
    """Identifies a reported coordinate."""

    side: str  # "expert" or "gate"
    index: Any  # number of the leaf or node; of experts in a list the name
    part: str  # number of the class, output or branch; "" where there is but one
    term: str  # name of the column, "(intercept)", "log(variance)", ...


def labels_by_name(labels, experts, classes, leaf_gate):
    """Labels whose experts and classes have their names.

    Parameters
    ----------
    labels : list of Label
        With numbers.
    experts : list of str or None
        Names of the experts in a list.
    classes : sequence or None
        Of a classifier.
    leaf_gate : bool
        Whether the gate acts on leaves, so that its parts are experts, and not branches.
    """

    def expert(number):
        return experts[int(number)] if experts and str(number).isdigit() else number

    def named(label):
        if label.side == "expert":
            known = classes is not None and label.part.isdigit()
            return label._replace(part=str(classes[int(label.part)])) if known else label
        if not leaf_gate:
            return label
        return label._replace(index=expert(label.index) if not label.part else label.index, part=expert(label.part))

    return list(map(named, labels))


def name_of(label):
    """A coordinate in one line."""
    part = f" [{label.part}]" if label.part else ""
    return f"{label.side} {label.index}{part}: {label.term}"


class _Entries:
    """Entries of a sparse matrix, collected one after the other."""

    def __init__(self):
        self.rows, self.columns, self.values = [np.zeros(0, dtype=int)], [np.zeros(0, dtype=int)], [np.zeros(0)]

    def add(self, rows, columns, values):
        self.rows.append(np.ravel(rows))
        self.columns.append(np.ravel(columns))
        self.values.append(np.broadcast_to(values, np.shape(rows)).ravel())

    def matrix(self, n_rows, n_columns):
        index = np.concatenate(self.rows), np.concatenate(self.columns)
        return sp.csr_matrix((np.concatenate(self.values), index), shape=(n_rows, n_columns))


def computed_map(side):
    """The map (computed, raw) of a side: slots that are contrasts less the first one."""
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


def through_scalars(side, first, second):
    """Gradients (Q, d) and Hessians (Q, d, d) by the scalars, from those by their inner coordinates."""
    inner, cut = side.coordinates.scalars.inner, side.width - side.n_scalars
    if inner is None:
        return first, second
    slope, bend = inner
    turn = np.zeros_like(second)
    turn[:, np.arange(cut), np.arange(cut)] = 1.0
    turn[:, cut:, cut:] = slope
    second = np.swapaxes(turn, 1, 2) @ second @ turn
    second[:, cut:, cut:] += np.stack([bend.along(score, q) for q, score in enumerate(first[:, cut:])])
    return np.einsum("ke,kef->kf", first, turn), second


def reported_map(side, design, why, names):
    """The map (reported, raw) of a side, its labels, estimates, and why they may not be free (surely, reason)."""
    Q, S, p = side.shape
    own, scalars = side.coordinates, side.coordinates.scalars
    design = design.intercept() if p == 1 else design
    terms = [f"x{j}" for j in range(p - 1)] if design.names is None else [str(name) for name in design.names]
    terms = [INTERCEPT, *terms][: max(p, 0)]
    kind = "expert" if side.kind == "expert" else "gate"
    two = own.contrast and S == 2 and kind == "expert"
    entries, labels, estimates, reasons = _Entries(), [], [], []
    for q, leaf in enumerate(side.leaves):
        index = names[leaf] if names and side.kind == "expert" else int(leaf)
        for s in side.slots[q][1:] if own.contrast else side.slots[q]:
            intercept, slope, reason = _slot(side, q, s, design, why, entries, len(labels))
            estimates += [intercept, *slope]
            reasons += reason
            labels += [Label(kind, index, "" if two else own.parts[s], term) for term in terms]
        rows = len(labels) + np.arange(len(scalars.terms))
        columns = q * side.width + S * p + np.arange(len(rows))
        entries.add(*np.meshgrid(rows, columns, indexing="ij"), scalars.rate[q])
        labels += [Label(kind, index, part, term) for part, term in scalars.terms]
        estimates += scalars.shown[q].tolist()
        reasons += [(bool(text), text) for text in why[q, S * p :]]
    rows = entries.matrix(len(labels), Q * side.width)
    return rows, labels, np.array(estimates, dtype=float), reasons


def _slot(side, q, s, design, why, entries, row):
    """Intercept and slopes of a slot, or its contrast to the first, and why they may not be free; adds its entries."""
    p, own = side.shape[2], side.coordinates
    coef, text = own.coef[q, s], np.roll(why[q, s * p : (s + 1) * p], 1)
    _add_in_units(entries, row, q * side.width + s * p, design, p, 1.0)
    if own.contrast:
        first = side.slots[q][0]
        _add_in_units(entries, row, q * side.width + first * p, design, p, -1.0)
        coef = coef - own.coef[q, first]
        pairs = zip(text, np.roll(why[q, first * p : (first + 1) * p], 1), strict=True)
        reasons = [(NO_ROWS in pair, pair[0] or pair[1]) for pair in pairs]
    else:
        reasons = [(bool(a), a) for a in text]
    slope, intercept = design.to_user_units(coef)
    return intercept, slope, reasons


def _add_in_units(entries, row, column, design, p, sign):
    """Intercept and slopes of the user's columns, in rows from `row` on, from p coefficients of the design."""
    slopes = np.arange(p - 1)
    entries.add(np.full(p - 1, row), column + slopes, -sign * design.center / design.scale)
    entries.add([row], [column + p - 1], sign)
    entries.add(row + 1 + slopes, column + slopes, sign / design.scale)
