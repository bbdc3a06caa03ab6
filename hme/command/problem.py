"""What is to be predicted from what: target, task, and the rows that are held out."""

from typing import Any, NamedTuple

import numpy as np
from sklearn.model_selection import RepeatedKFold, train_test_split

from ..datasets import load_motorcycle
from . import TableError
from .columns import ColumnReader, preprocessing
from .kinds import Dates, Numbers, Text, Truth, is_missing
from .reading import NO_NUMBER
from .table import column_named, features, read_table
from .terminal import listed, note, short

__all__ = ["MIN_ROWS", "Problem", "example", "of_table"]

MIN_ROWS = 20
MAX_CODES = 10  # with --task auto, a column with at most this many distinct whole numbers holds classes


class Problem(NamedTuple):
    """The data to fit, and the train and test rows of the comparison."""

    title: str
    task: str
    X: Any  # array or data frame of what the reader makes of the table
    names: list  # of the columns of the table
    before: list  # steps of the saved pipeline that come before those that are fitted
    fitted: list  # steps before the model that are fitted with it, of training rows only
    y: np.ndarray
    target: str
    splits: list  # of (train, test)
    scoring: str  # description of how rows were held out


def example(options):
    """The bundled table."""
    if options.target is not None:
        raise TableError("--target needs a table: python -m hme data.csv --target COLUMN")
    data = load_motorcycle()
    folds = RepeatedKFold(n_splits=5, n_repeats=2, random_state=options.random_state)
    return Problem(
        "motorcycle: head acceleration (g) against time (ms) after a crash, 133 rows",
        "regression",
        data.data,
        data.feature_names,
        [],
        [],
        data.target,
        "accel",
        list(folds.split(data.data)),
        "5-fold cross-validation, repeated twice, since scores from a single split of so few rows vary a lot",
    )


def of_table(options):
    """The problem that a table and the options pose."""
    columns = read_table(options)
    if options.target is None:
        raise TableError(f"--target is missing; the columns are {listed(columns)}")
    column_named(options.target, "--target", list(columns))
    target = columns[options.target]
    task, y, rows = _target(target, options)
    X, kinds = features(columns, options.target, rows)
    left = len(y) - int(np.ceil(options.test_size * len(y)))
    if left < MIN_ROWS // 2:
        raise TableError(f"--test-size {options.test_size} leaves {left} of {len(y)} rows to fit")
    train, test = train_test_split(
        np.arange(len(y)),
        test_size=options.test_size,
        random_state=options.random_state,
        stratify=y if task == "classification" else None,
    )
    return Problem(
        f"{options.data.name}: {len(y)} rows, {len(kinds)} feature{'s' * (len(kinds) > 1)}",
        task,
        X,
        list(kinds),
        [ColumnReader(kinds).fit()],
        [preprocessing(X, kinds)],
        y,
        options.target,
        [(train, test)],
        f"{len(test)} rows drawn at random, not used to fit the models that are scored",
    )


# -- the target --------------------------------------------------------------------------------------------------------


def _target(column, options):
    """The task, the targets, and the rows that have one."""
    column = _without_errors(column, options)
    missing, name = column.missing, options.target
    if missing.any():
        odd = f" ({column.shown(column.odd)})" if len(column.odd) else ""
        note(f"{missing.sum()} of {len(missing)} rows are left out: {name} is missing{odd}")
    rows = np.flatnonzero(~missing)
    if len(rows) < MIN_ROWS:
        kept = f"{len(rows)} row{'s' * (len(rows) != 1)}"
        raise TableError(f"{options.data} has {kept} with a target; at least {MIN_ROWS} are needed")
    if isinstance(column.kind, Dates):
        raise TableError(
            f"--target {name} holds dates, such as {short(column.cells[rows[0]])}; give numbers or classes"
        )
    y = column.kind.read(column.cells[rows])[0][0]
    if len(set(y)) == 1:
        raise TableError(f"--target {name} is {short(column.cells[rows[0]])} in every row; there is nothing to predict")
    task = _task(options, column.kind, y)
    if task == "regression":
        return task, y, rows
    y, kept = _classes(_labels(column, rows, y), options)
    return task, y, rows[kept]


def _without_errors(column, options):
    """The column of targets, unless some of its cells are errors that the user has to look at.

    Cells such as "?" stand for a value that is not known, and their rows are left out; others may be mistyped.
    """
    errors = [i for i in column.odd if str(column.cells[i]).lower() not in NO_NUMBER]
    if not errors:
        return column
    numbers = column.kind.read(column.cells)[0][0]
    few = len(set(map(str, column.cells[~is_missing(column.cells)]))) <= MAX_CODES
    if few and options.task != "regression" and (np.isnan(numbers) | (numbers == np.round(numbers))).all():
        note(f"{options.target} holds whole numbers but for {column.shown(errors)}: all are taken for names of classes")
        return column._replace(kind=Text(), odd=column.odd[:0])
    first = str(column.cells[errors[0]])
    raise TableError(
        f"--target {options.target}: {len(errors)} of {len(column.cells)} cells are not {column.kind.word}: "
        f"{column.shown(errors)} (row 1 is the first below the names). Correct them in the table, or leave their "
        f"rows out with --missing {short(first)}; --text {short(options.target)} takes all cells for names of classes"
    )


def _task(options, kind, y):
    """The task given by `--task`; by default classification if the target is text or has few values, all whole."""
    if options.task == "regression" and isinstance(kind, Text):
        raise TableError(f"--task regression, but --target {options.target} holds text, for example {short(y[0])}")
    if options.task != "auto":
        return options.task
    numbers = isinstance(kind, Numbers)
    few = numbers and len(set(y)) <= MAX_CODES and (y == np.round(y)).all()
    return "classification" if few or not numbers else "regression"


def _labels(column, rows, y):
    """Labels of classes as pandas would read them: text, whole numbers, true and false."""
    if isinstance(column.kind, Truth):
        logical = column.kind.words == ("false", "true")
        return y.astype(bool) if logical else column.cells[rows].astype(str)
    whole = y.dtype.kind == "f" and (y == np.round(y)).all()
    return y.astype(int) if whole else y.astype(str)


def _classes(y, options):
    """Class labels of the rows that are kept, and which rows these are: those of classes with more than one row."""
    classes, codes, counts = np.unique(y, return_inverse=True, return_counts=True)
    single, kept = classes[counts == 1], counts[codes] > 1
    n_classes = len(classes) - len(single)
    if n_classes < 2 or n_classes > min(options.test_size, 1.0 - options.test_size) * kept.sum():
        raise TableError(
            f"--target {options.target} has {len(classes)} classes in {len(y)} rows, {len(single)} of them with only "
            "one row; at least two classes with several rows each are needed"
        )
    if len(single):
        note(f"classes with only one row are left out: {listed(single)}")
    return y[kept], kept
