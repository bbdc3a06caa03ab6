"""A fitted model as a SELECT statement."""

from ..estimators.target import plain
from ..numerics.checks import check_choice
from .formula import NotExportable
from .layers import Language, Layer, layers
from .portable import portable

__all__ = ["to_sql"]


class _Standard(Language):
    """Standard SQL. Numbers have exponents, which makes them floating-point ones rather than decimals."""

    real, materialized = "DOUBLE PRECISION", ""

    def __init__(self, inputs):
        self.inputs = inputs

    def number(self, value):
        text = repr(float(value))
        return text if "e" in text else f"{text}e0"

    def column(self, place):
        return f"CAST({quoted(self.inputs[place])} AS {self.real})"

    def held(self, value, low, high):  # LEAST and GREATEST pass over NULL in some systems
        return f"CASE WHEN {value} < {low} THEN {low} WHEN {value} > {high} THEN {high} ELSE {value} END"

    def exponential(self, value):
        return f"EXP({value})"

    def largest(self, values):
        return f"GREATEST({', '.join(values)})"

    def exceeds(self, value, other, equal):
        return f"CASE WHEN {value} {'>=' if equal else '>'} {other} THEN 1 ELSE 0 END"

    def below(self, count, limit, value, otherwise):
        return f"CASE WHEN {count} < {limit} THEN {value} ELSE {otherwise} END"


class _SQLite(_Standard):
    """SQL of SQLite, which would write the steps into each other if it were not told to keep them."""

    real, materialized = "REAL", "MATERIALIZED "

    def number(self, value):
        return repr(float(value))

    def largest(self, values):
        return f"MAX({', '.join(values)})"


DIALECTS = {"sqlite": _SQLite, "standard": _Standard}


def to_sql(model, table, *, keep=(), dialect="sqlite", density="predictive"):
    """A SELECT statement that predicts what a fitted model predicts, for the rows of a table of a database.

    It uses arithmetic, CASE, EXP and the largest of several numbers, in a few common table expressions, one for each
    step. Where a column is NULL, so are the predictions. Builds of SQLite without mathematical functions need an EXP:
    ``connection.create_function("EXP", 1, lambda x: None if x is None else math.exp(x))``.

    Parameters
    ----------
    model : HMERegressor or HMEClassifier
        Fitted, as for `to_python`. Its columns are found in the table by their names; those of an array are x0, x1, ...
    table : str or sequence of str
        Name of the table, or of schema and table.
    keep : str or sequence of str
        Names of columns that come before the predictions, such as a key: the order of rows is not sure in SQL.
    dialect : {"sqlite", "standard"}, default="sqlite"
        "standard" is for PostgreSQL, DuckDB and others that have GREATEST and EXP.
    density : {"predictive", "plug-in"}, default="predictive"
        As for `to_python`.

    Returns
    -------
    str
        A statement whose result has the columns of `keep` and ``prediction``; ``prediction_0``, ... for several
        outputs; of a classifier first ``proba_<class>`` for every class, then ``prediction``, the class; True and
        False are 1 and 0.

    Raises
    ------
    NotExportable
        A ValueError that names what cannot be written as a formula.

    Examples
    --------
    >>> import math, sqlite3
    >>> import numpy as np
    >>> from hme import HMERegressor
    >>> from hme.export import to_sql
    >>> X = np.linspace(-1, 1, 200)[:, None]
    >>> model = HMERegressor(depth=1).fit(X, np.abs(X[:, 0]))
    >>> base = sqlite3.connect(":memory:")
    >>> base.create_function("EXP", 1, math.exp)
    >>> _ = base.execute("CREATE TABLE points AS SELECT 1 AS id, 0.5 AS x0")
    >>> number, prediction = base.execute(to_sql(model, "points", keep="id")).fetchone()
    >>> number, abs(prediction - model.predict([[0.5]])[0]) < 1e-12
    (1, np.True_)
    """
    check_choice(dialect, "dialect", tuple(DIALECTS))
    found = portable(model, density)
    keep = [keep] if isinstance(keep, str) else list(keep)
    language = DIALECTS[dialect](found.inputs)
    steps, answers = layers(found, language)
    kept = Layer("", [f"keep{i}" for i in range(len(keep))], [quoted(name) for name in keep])
    if found.task == "classification":
        whole, columns = _of_classes(found, answers, language)
        steps = [*steps, *whole]
    else:
        names = ["prediction"] if found.flat else [f"prediction_{t}" for t in range(found.n_outputs)]
        columns = list(zip(answers, names, strict=True))
    source = quoted(table) if isinstance(table, str) else ".".join(map(quoted, table))
    head, last = _steps(kept, steps, source, language.materialized)
    columns = [*zip(kept.names, keep, strict=True), *columns]
    return f"{head}SELECT\n  " + ",\n  ".join(f"{v} AS {quoted(name)}" for v, name in columns) + f"\nFROM {last}"


def quoted(name):
    """An identifier in quotes."""
    return '"' + str(name).replace('"', '""') + '"'


def _steps(kept, steps, source, materialized):
    """Common table expressions of the layers, and the name of the last one."""
    written = []
    for number, layer in enumerate(steps):
        first, name = number == 0, f"hme_step{number + 1}"
        columns = [f"{value} AS {own}" for own, value in zip(layer.names, layer.values, strict=True)]
        before = [f"{value} AS {own}" for own, value in zip(kept.names, kept.values, strict=True)] if first else ["*"]
        columns = before + columns
        selected = ",\n    ".join(columns)
        written.append(f"-- {layer.title}\n{name} AS {materialized}(\n  SELECT\n    {selected}\n  FROM {source}\n)")
        source = name
    return "WITH\n" + ",\n".join(written) + "\n", source


def _of_classes(found, answers, language):
    """The layers in which probabilities are normalised, and the columns of the result."""
    raw = [f"r{c}" for c in range(len(answers))]
    first = Layer("probabilities of classes", raw, answers)
    labels, values = plain(found.classes_), [language.number(0.0)] * len(found.classes_)
    for c, own in zip(found.weighted, raw, strict=True):
        values[c] = f"{own} / ({' + '.join(raw)})"
    proba = [f"q{c}" for c in range(len(values))]
    second = Layer("their shares of the sum", proba, values)
    cases = " ".join(
        f"WHEN {' AND '.join(f'{own} >= {other}' for other in proba if other != own)} THEN {_literal(label)}"
        for own, label in zip(proba, labels, strict=True)
    )
    columns = [(own, f"proba_{label}") for own, label in zip(proba, labels, strict=True)]
    return [first, second], [*columns, (f"CASE {cases} END", "prediction")]


def _literal(label):
    """A class as a literal."""
    if isinstance(label, bool):
        return str(int(label))
    if isinstance(label, int | float):
        return repr(label)
    if isinstance(label, str):
        return "'" + label.replace("'", "''") + "'"
    raise NotExportable(f"classes of type {type(label).__name__} are not exported")
