"""Default reports of families: the parameters in the user's units, as named tuples and as text."""

from collections import namedtuple
from functools import cache

import numpy as np

from .wording import linear_text

__all__ = ["in_user_units", "in_words", "named", "one_by_one"]


def in_user_units(params, design):
    """Parameters as a report, a named tuple whose first axis is the expert.

    Coefficients `coef` (..., p) of the design columns, intercept last, become slopes `coef` and an `intercept` in the
    user's units; all other fields are unchanged.

    Examples
    --------
    >>> import numpy as np
    >>> from typing import NamedTuple
    >>> from hme.model.reports import in_user_units
    >>> from hme.model.design import Design
    >>> class Params(NamedTuple):
    ...     coef: np.ndarray
    ...     rate: np.ndarray
    >>> design = Design(np.array([10.0]), np.array([2.0]), True)
    >>> in_user_units(Params(np.array([[6.0, 1.0]]), np.array([0.5])), design)
    Report(coef=array([[3.]]), intercept=array([-29.]), rate=array([0.5]))
    """
    fields = params._asdict()
    coef = fields.get("coef")
    if np.ndim(coef) < 2 or np.shape(coef)[-1] != len(design.scale) + 1:
        return params
    shown = {}
    for name, value in fields.items():
        if name == "coef":
            shown["coef"], shown["intercept"] = design.to_user_units(coef)
        else:
            shown[name] = value
    return named(type(params).__name__.removesuffix("Params") + "Report", tuple(shown), tuple(shown.values()))


def named(name, fields, values):
    """A named tuple of a class that is made for it, and can be stored."""
    return _report_class(name, fields)(*values)


@cache
def _report_class(name, fields):
    """A class of named tuples, found in this module by a name that says its fields, so that reports can be stored."""

    def __repr__(self):
        return f"{name}({', '.join(f'{field}={value!r}' for field, value in zip(fields, self, strict=True))})"

    made = namedtuple(name, fields, module=__name__)
    made.__name__ = made.__qualname__ = f"{name}({', '.join(fields)})"
    made.__repr__ = __repr__
    return made


def __getattr__(name):
    """The class of a report that was stored."""
    kind, found, fields = name.removesuffix(")").partition("(")
    if not found:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _report_class(kind, tuple(fields.split(", ")))


def one_by_one(report):
    """Iterate over the experts of a report, each as a dict of its fields."""
    for values in zip(*report, strict=True):
        yield dict(zip(report._fields, values, strict=True))


def in_words(fields, feature_names, target):
    """The report of one expert as a line of text: its linear predictors, if any, and its other fields."""
    fields, said = dict(fields), []
    if "coef" in fields and "intercept" in fields:
        coef, intercept = np.asarray(fields.pop("coef")), np.asarray(fields.pop("intercept"))
        predictors = zip(coef.reshape(-1, coef.shape[-1]), intercept.ravel(), strict=True)
        said.append("; ".join(linear_text(b, a, feature_names) for a, b in predictors))
    said += [f"{name} {_short(value)}" for name, value in fields.items()]
    return f"{target}: {',  '.join(said)}"


def _short(value):
    """A number, an array or an object as short text."""
    value = value if hasattr(value, "fit") else np.asarray(value)  # NumPy treats some estimators as sequences
    if not isinstance(value, np.ndarray):
        return type(value).__name__
    if value.ndim == 0:
        return f"{value[()]:.3g}" if value.dtype.kind == "f" else str(value[()])
    return " ".join(np.array2string(value, precision=3, threshold=8, edgeitems=2).split())
