"""A fitted model as the source of a Python function that imports nothing but `math`."""

import keyword
import re
from textwrap import indent
from unicodedata import normalize

from ..estimators.target import plain
from ..numerics.checks import check_choice
from .formula import NotExportable
from .layers import Language, layers
from .portable import portable

__all__ = ["to_python"]

WIDTH = 100  # of a line, where it can be broken
ARGUMENTS = "columns", "row"
BUILT_IN = {"math", "min", "max", "sum", "tuple", "proba", "whole"}  # what the function uses
OWN = (
    "col_",
    "way_",
    "beyond_",
    "bent_",
    "held_",
    "away_",
    "score_",
    "rank_",
    "top_",
    "exp_",
    "sum_",
    "prior_",
    "mean_",
)  # how its variables begin


class _Python(Language):
    """Expressions of Python over the names of arguments, or over a row."""

    def __init__(self, columns):
        self.columns = columns

    def number(self, value):
        return repr(float(value))

    def column(self, place):
        return self.columns[place]

    def held(self, value, low, high):
        return f"min(max({value}, {low}), {high})"

    def exponential(self, value):
        return f"math.exp({value})"

    def largest(self, values):
        return f"max({', '.join(values)})"

    def exceeds(self, value, other, equal):
        return f"({value} {'>=' if equal else '>'} {other})"

    def below(self, count, limit, value, otherwise):
        return f"{value} if {count} < {limit} else {otherwise}"


def to_python(model, *, name="predict", arguments="columns", density="predictive"):
    """The source of a Python function that predicts what a fitted model predicts.

    It needs no package: copy it into a file, or `exec` it. Columns are in your units, whatever was standardised; they
    are held near their ranges in the fit as in the model.

    Parameters
    ----------
    model : HMERegressor or HMEClassifier
        Fitted; or a pipeline of StandardScalers that ends in one. The gate must be of softmax nodes, top-k, Gaussian
        or constant, the experts linear, generalised linear, logistic or constant; columns chosen, or splines or squares
        of them.
    name : str, default="predict"
        Of the function. Of a classifier it gives the class, and the function ``<name>_proba`` a tuple of the
        probabilities of all classes, which are in ``<NAME>_CLASSES``.
    arguments : {"columns", "row"}, default="columns"
        Whether the function takes the columns that the model uses as arguments, by their names where these are names in
        Python, else similar ones; or one row: a mapping by the names of columns, if the model was fitted to a table
        with names, else a sequence of all columns.
    density : {"predictive", "plug-in"}, default="predictive"
        As of `predict`: of a tree that has grown, the average over sizes, or the tree alone.

    Returns
    -------
    str

    Raises
    ------
    NotExportable
        A ValueError that names what cannot be written as a formula.

    Examples
    --------
    >>> import numpy as np
    >>> from hme import HMERegressor
    >>> from hme.export import to_python
    >>> X = np.linspace(-1, 1, 200)[:, None]
    >>> model = HMERegressor(depth=1).fit(X, np.abs(X[:, 0]))
    >>> found = {}
    >>> exec(to_python(model), found)
    >>> abs(found["predict"](0.5) - model.predict([[0.5]])[0]) < 1e-12
    np.True_
    """
    check_choice(arguments, "arguments", ARGUMENTS)
    if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name) or name in BUILT_IN:
        raise ValueError(f"name = {name!r} must be a name in Python, and none of {sorted(BUILT_IN)}.")
    found = portable(model, density)
    signature, columns = _signature(found, arguments, {name, f"{name}_proba", _constant(name)})
    steps, answers = layers(found, _Python(columns))
    body = "\n\n".join(f"# {layer.title}\n" + "\n".join(map(_assigned, layer.names, layer.values)) for layer in steps)
    body = f"{body}\n" if body else ""
    if found.task == "regression":
        value = answers[0] if found.flat else f"({', '.join(answers)},)"
        return _function(name, signature, "Mean of y given x.", f"{body}{_assigned('return', value, '')}")
    return _of_classes(found, name, signature, body, answers)


def _of_classes(found, name, signature, body, answers):
    """The functions of a classifier: probabilities of classes, and the class."""
    labels = plain(found.classes_)
    if not all(isinstance(label, bool | int | float | str) for label in labels):
        raise NotExportable(f"classes of type {type(labels[0]).__name__} are not exported")
    values = ["0.0"] * len(labels)
    for c, answer in zip(found.weighted, answers, strict=True):
        values[c] = answer
    constant = _constant(name)
    proba = (
        _assigned("proba", f"({', '.join(values)},)") + "\nwhole = sum(proba)\nreturn tuple(p / whole for p in proba)"
    )
    said = f"Probabilities of the classes in {constant}."
    call = f"proba = {name}_proba({signature})\nreturn {constant}[proba.index(max(proba))]"
    first = _function(f"{name}_proba", signature, said, body + proba)
    head, rest = first.split("\n\n\n", 1)
    second = _function(name, signature, "The most probable class.", call).split("\n\n\n", 1)[1]
    return f"{head}\n\n{constant} = {tuple(labels)!r}\n\n\n{rest}\n\n{second}"


def _constant(name):
    """The name of the tuple of classes."""
    return f"{name.upper()}_CLASSES"


def _signature(found, arguments, names):
    """The arguments of the function, and what the inputs are called in it, by their places.

    Names of functions, `names`, are not those of arguments.
    """
    if arguments == "row":
        return "row", {j: f"row[{found.inputs[j]!r}]" if found.named else f"row[{j}]" for j in found.used}
    columns, taken = {}, BUILT_IN | names
    for j in found.used:
        made = re.sub(r"\W", "_", normalize("NFKC", found.inputs[j]))  # as Python reads names
        if not made.isidentifier() or keyword.iskeyword(made) or made.startswith(OWN):
            made = f"column_{made}"
        while made in taken:
            made += "_"
        taken.add(made)
        columns[j] = made
    return ", ".join(columns.values()), columns


def _assigned(name, value, sign=" ="):
    """An assignment, in several lines if it is long."""
    line = f"{name}{sign} {value}"
    if len(line) <= WIDTH or "row[" in value:  # names of columns are not broken
        return line
    broken = re.sub(r" ([+-]) ", r"\n\1 ", value)
    return f"{name}{sign} (\n{indent(broken, '    ')}\n)"


def _function(name, signature, said, body):
    """A module of one function."""
    return f'import math\n\n\ndef {name}({signature}):\n    """{said}"""\n{indent(body, "    ")}\n'
