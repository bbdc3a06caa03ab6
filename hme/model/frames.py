"""Reports of fitted models that know the names of what they hold, and show it as data frames."""

from functools import cache
from typing import Any, NamedTuple

import numpy as np

from ..tables import pandas_for
from .wording import models_named

__all__ = ["Legend", "ReportOfEach", "with_legend"]

INTERCEPT = "(intercept)"


class Legend(NamedTuple):
    """Names of the axes of a report."""

    levels: tuple  # of the index: "expert"; "expert" and "class"; "node" and "branch"
    places: tuple  # of the first axis: names or numbers of the experts or nodes
    parts: tuple  # of the second axis: classes, outputs or branches, where there is one
    columns: tuple  # of the user's table
    inner: tuple  # of the axes of fields that hold several numbers: outputs, or the gate's columns
    used: Any = None  # (M, B) of bool, the branches that exist; None means all


class Framed:
    """A report, a named tuple of arrays, with a legend."""

    legend = None

    def to_frame(self):
        """The report as a data frame, a row for each expert, or gating node and branch.

        Returns
        -------
        pandas.DataFrame
            Slopes under the names of their columns, then "(intercept)", then the other fields.
        """
        if self.legend is None:
            raise AttributeError("to_frame is of the attributes experts_ and gate_ of a fitted model, not of parts.")
        return _frame([(self, self.legend)])

    def __reduce__(self):
        return with_legend, (type(self).__mro__[2](*self), self.legend)


class ReportOfEach(dict):
    """Reports of experts in a list, by their names."""

    legend = None

    def to_frame(self):
        """The reports as one data frame, a row for each expert; what an expert does not have is missing.

        Returns
        -------
        pandas.DataFrame
        """
        alone = [self.legend._replace(places=(name,)) for name in self]
        return _frame([(type(r)(*map(_with_axis, r)), own) for r, own in zip(self.values(), alone, strict=True)])


def with_legend(report, legend):
    """The same report with a legend: an instance of a subclass of its class, or a `ReportOfEach`."""
    if isinstance(report, dict):
        made = ReportOfEach(report)
    else:
        made = _framed_class(type(report))(*report)
    made.legend = legend
    return made


@cache
def _framed_class(base):
    """The class of reports with a legend."""
    if issubclass(base, Framed):
        return base
    return type(base.__name__, (Framed, base), {"__doc__": base.__doc__, "__module__": base.__module__})


def _with_axis(field):
    """A field of one expert with the axis of experts."""
    array = np.empty(1, dtype=object)
    array[0] = field
    return array if hasattr(field, "fit") else np.asarray(field)[None]


def _frame(reports):
    """The data frame of reports with their legends."""
    pandas, index, rows, levels = pandas_for("to_frame"), [], [], reports[0][1].levels
    for report, legend in reports:
        fields = {name: _array(field) for name, field in zip(report._fields, report, strict=True) if field is not None}
        n_parts = _n_parts(fields, legend)
        for k, place in enumerate(legend.places):
            for s in range(n_parts):
                if legend.used is not None and not legend.used[k, s]:
                    continue
                part = legend.parts[s] if s < len(legend.parts) else s
                index.append((place, part if n_parts > 1 or len(legend.parts) == 1 else ""))
                rows.append(dict(_cells(fields, k, s, n_parts, legend)))
    frame = pandas.DataFrame(rows, index=pandas.MultiIndex.from_tuples(index, names=(*levels, "part")[:2]))
    slopes = [name for name in reports[0][1].columns if name in frame]
    first = [*slopes, *([INTERCEPT] if INTERCEPT in frame else [])]
    frame = frame[[*first, *(name for name in frame if name not in first)]]
    return frame.droplevel(1) if len(levels) == 1 else frame


def _array(field):
    if not hasattr(field, "fit"):
        return np.asarray(field)
    array = np.empty(1, dtype=object)  # one for all: NumPy takes pipelines and forests for sequences
    array[0] = field
    return array


def _n_parts(fields, legend):
    """Number of rows for each expert or node."""
    coef = fields.get("coef")
    if len(legend.levels) > 1 and coef is not None and coef.ndim == 3:
        return coef.shape[1]
    if len(legend.levels) > 1 and "intercept" in fields and fields["intercept"].ndim == 2:
        return fields["intercept"].shape[1]
    return 1


def _cells(fields, k, s, n_parts, legend):
    """Iterate over (name, value) of a row."""
    for name, field in fields.items():
        value = field[k if len(field) > 1 or k == 0 else 0]
        if name == "weights":  # of models, each of which has a column for every class
            yield from zip(models_named(legend.columns, len(value)), map(float, value), strict=True)
            continue
        if n_parts > 1 and np.shape(value)[:1] == (n_parts,):
            value = value[s]
        elif name in ("coef", "intercept") and np.ndim(value) == (2 if name == "coef" else 1) and len(value) == 1:
            value = value[0]
        if name == "coef" and np.shape(value) == (len(legend.columns),):
            yield from zip(legend.columns, map(float, value), strict=True)
        elif np.ndim(value) == 0 or hasattr(value, "fit"):
            yield (INTERCEPT if name == "intercept" else name), value.item() if hasattr(value, "item") else value
        else:
            yield from _several(name, np.asarray(value), legend.inner)


def _several(name, value, inner):
    """Entries of a field that has several numbers for each row."""
    known = all(size == len(inner) for size in value.shape)
    for place, number in np.ndenumerate(value):
        if value.ndim == 2 and value.shape[0] == value.shape[1] and place[0] > place[1]:
            continue  # of symmetric matrices one half
        where = ", ".join(str(inner[i]) if known else str(i) for i in place)
        yield f"{name}({where})", number.item()
