"""Reports of fitted models as vectors of coefficients with labels."""

from typing import Any, NamedTuple

import numpy as np

__all__ = ["Coefficient", "entries_of", "labelled", "numbers_of", "numeric", "reordered", "shapes_of", "stacked"]


class Coefficient(NamedTuple):
    """Identifies a number in `experts_` or `gate_`."""

    side: str  # "expert" or "gate"
    index: Any  # leaf or gating node, or the name of the expert
    part: str  # class, output or branch; "" where there is only one
    term: str  # name of the column, "(intercept)", or of the field of the report


def numeric(report):
    """A report, or a dict of them, with None for fields that are not arrays of numbers."""
    if isinstance(report, dict):
        return {name: numeric(part) for name, part in report.items()}
    fields = (np.asarray(field) if np.asarray(field).dtype.kind in "fiu" else None for field in _fields(report))
    return type(report)(*fields)


def _fields(report):
    """The fields of a report, without estimators, some of which look like sequences."""
    return ["" if hasattr(field, "fit") else field for field in report]


def pick(report, index):
    """A report with its first axes put in another order."""
    return type(report)(*(None if field is None else field[index] for field in report))


def reordered(model, found):
    """Reports of a refit as numbers, its leaves, nodes and branches in the order of an `Alignment` to another fit."""
    experts, gate = numeric(model.experts_), numeric(model.gate_)
    if isinstance(experts, dict):
        parts = list(experts.values())
        experts = {name: parts[k] for name, k in zip(experts, found.experts, strict=True)}
    else:
        experts = pick(experts, found.experts)
    axes = _axes(model)
    if model.model_.gate.tree is None:
        orders = {1: found.leaves}
    else:
        orders = {1: found.nodes, 2: (found.nodes[:, None], found.branches)}
    fields = (field if not _common(field, axes) else field[orders[_common(field, axes)]] for field in gate)
    return experts, type(gate)(*fields)


def _axes(model):
    """Sizes of the first axes of a gate's report: nodes and branches, or leaves."""
    tree = model.model_.gate.tree
    return (model.n_experts_,) if tree is None else (tree.n_nodes, tree.max_branching)


def _common(field, axes):
    """How many of these axes a field starts with; a field without any is of the whole gate."""
    if field is None:
        return 0
    return next(d for d in range(len(axes), -1, -1) if field.shape[:d] == axes[:d])


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
    entries = list(entries_of(model, numeric(model.experts_), numeric(model.gate_)))
    return [label for label, _ in entries], np.array([value for _, value in entries], dtype=float)


def entries_of(model, experts, gate):
    """(Coefficient, value) of every number."""
    columns = [_names(side.design) for side in model.columns_[:2]]
    classes = [str(c) for c in model.target_.labels] if model.task == "classification" else []
    parts = classes[1:] if len(classes) == 2 else classes
    if isinstance(experts, dict):
        for name, report in experts.items():
            yield from _of_report("expert", name, report, columns[0], parts)
    else:
        for k in range(model.n_experts_):
            yield from _of_report("expert", k, pick(experts, k), columns[0], parts)
    axes, experts_by_name = _axes(model), model.model_.expert.names
    for place in range(axes[0]):
        index = (place,) if len(axes) == 1 else (place, slice(model.tree_.branching[place]))
        own = (field[index[: _common(field, axes)]] if _common(field, axes) else None for field in gate)
        name = experts_by_name[place] if experts_by_name and len(axes) == 1 else place
        yield from _of_report("gate", name, type(gate)(*own), columns[1])
    whole = (None if _common(field, axes) else field for field in gate)
    yield from _of_report("gate", "", type(gate)(*whole), columns[1])


def _names(design):
    return [f"x{j}" for j in range(len(design.scale))] if design.names is None else design.names


def _of_report(side, index, report, columns, parts=()):
    """(Coefficient, value) of the numbers of one expert or node."""
    for name, field in zip(report._fields, report, strict=True):
        if field is None:
            continue
        field = np.asarray(field, dtype=float)
        slopes = name == "coef" and field.shape[-1:] == (len(columns),)
        alone = all(size == 1 for size in (field.shape[:-1] if slopes else field.shape))
        for place, value in np.ndenumerate(field):
            term, where = ("(intercept)" if name == "intercept" else name), place
            if slopes:
                term, where = columns[place[-1]], place[:-1]
            part = "" if alone else ", ".join(parts[i] if i < len(parts) else str(i) for i in where)
            yield Coefficient(side, index, part, str(term)), float(value)
