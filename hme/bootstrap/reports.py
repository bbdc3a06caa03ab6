"""What a fit reports as numbers with names."""

from typing import Any, NamedTuple

import numpy as np

__all__ = ["Coefficient", "entries_of", "labelled", "numbers_of", "numeric", "pick", "shapes_of", "stacked", "taken"]


class Coefficient(NamedTuple):
    """Which number of `experts_` or `gate_` one is."""

    side: str  # "expert" or "gate"
    index: Any  # leaf or gating node, or the name of the expert
    part: str  # class, output or branch, "" where there is one
    term: str  # name of the column, "(intercept)", or of the field of the report


def numeric(report):
    """A report, or a dict of them, with None for what is no array of numbers."""
    if isinstance(report, dict):
        return {name: numeric(part) for name, part in report.items()}
    fields = (np.asarray(field) if np.asarray(field).dtype.kind in "fiu" else None for field in _fields(report))
    return type(report)(*fields)


def _fields(report):
    """The fields of a report; estimators, some of which look like sequences, are no numbers."""
    return ["" if hasattr(field, "fit") else field for field in report]


def pick(report, index):
    """A report with its first axes put in another order."""
    return type(report)(*(None if field is None else field[index] for field in report))


def taken(report, order):
    """A report with its experts, or nodes, in another order."""
    if isinstance(report, dict):
        parts = list(report.values())
        return {name: parts[k] for name, k in zip(report, order, strict=True)}
    return pick(report, order)


def shapes_of(report):
    """Shapes of the fields of a report."""
    if isinstance(report, dict):
        return {name: shapes_of(part) for name, part in report.items()}
    return [None if field is None else field.shape for field in numeric(report)]


def stacked(reports):
    """Reports of all draws as one, the draw being the first axis."""
    first = reports[0]
    if isinstance(first, dict):
        return {name: stacked([report[name] for report in reports]) for name in first}
    fields = zip(*reports, strict=True)
    return type(first)(*(None if field[0] is None else np.stack(field) for field in fields))


def numbers_of(model, experts, gate):
    """All coefficients of both sides as one vector, in the order of their labels."""
    return np.array([value for _, value in entries_of(model, experts, gate)])


def labelled(model):
    """Labels of all coefficients, and the fit's own values."""
    labels, values = zip(*entries_of(model, numeric(model.experts_), numeric(model.gate_)), strict=True)
    return list(labels), np.array(values)


def entries_of(model, experts, gate):
    """(Coefficient, value) of every number."""
    columns = [side.design.names for side in model.columns_[:2]]
    classes = [str(c) for c in getattr(model, "classes_", [])]
    parts = classes[1:] if len(classes) == 2 else classes
    if isinstance(experts, dict):
        for name, report in experts.items():
            yield from _of_report("expert", name, report, columns[0], parts)
    else:
        for k in range(model.n_experts_):
            yield from _of_report("expert", k, pick(experts, k), columns[0], parts)
    if model.model_.gate.tree is not None:
        for m, n_branches in enumerate(model.tree_.branching):
            yield from _of_report("gate", m, pick(gate, (m, slice(n_branches))), columns[1], None)
    else:
        for k in range(model.n_experts_):
            yield from _of_report("gate", k, pick(gate, k), columns[1], None)


def _of_report(side, index, report, columns, parts):
    """(Coefficient, value) of the numbers of one expert or node."""
    for name, field in zip(report._fields, report, strict=True):
        if field is None:
            continue
        field = np.asarray(field, dtype=float)
        for place, value in np.ndenumerate(field):
            term, where = name, place
            if name == "intercept":
                term = "(intercept)"
            elif name == "coef":
                term, where = _column(columns, place[-1]), place[:-1]
            alone = all(size == 1 for size in (field.shape[:-1] if name == "coef" else field.shape))
            part = "" if alone else ", ".join(parts[i] if parts and i < len(parts) else str(i) for i in where)
            yield Coefficient(side, index, part, str(term)), float(value)


def _column(columns, j):
    return f"x{j}" if columns is None else columns[j]
