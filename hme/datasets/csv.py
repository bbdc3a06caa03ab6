"""Tables from CSV files: columns of numbers or of text, with missing values marked."""

import csv
import io
from pathlib import Path
from typing import NamedTuple

import numpy as np

__all__ = ["Table", "TableError", "read_csv"]

MISSING = {"", "na", "n/a", "nan", "null"}  # in upper or lower case
DELIMITERS = ",;\t|"


class TableError(ValueError):
    """Raised, with a message for the user, if a file is not a table."""


class Table(NamedTuple):
    """Named columns of one length: float arrays (nan where missing) or object arrays of str (None where missing)."""

    columns: dict

    @property
    def names(self):
        return list(self.columns)

    @property
    def n_rows(self):
        return len(next(iter(self.columns.values())))

    def is_numeric(self, name):
        return self.columns[name].dtype.kind == "f"

    def is_missing(self, name):
        """Whether each value of a column is missing, (n,) of bool."""
        column = self.columns[name]
        return np.isnan(column) if self.is_numeric(name) else np.equal(column, None)

    def take(self, rows):
        """The table of the rows given by an index array or a mask."""
        return Table({name: column[rows] for name, column in self.columns.items()})

    def drop(self, names):
        """The table without some columns."""
        return Table({name: column for name, column in self.columns.items() if name not in names})

    def to_array(self):
        """Object array (n, p), in which scikit-learn accepts numbers and text together; missing values are nan."""
        array = np.empty((self.n_rows, len(self.columns)), dtype=object)
        for j, (name, column) in enumerate(self.columns.items()):
            array[:, j] = np.where(self.is_missing(name), np.nan, column)
        return array


def read_csv(path):
    """Read a CSV file whose first line names the columns.

    A column is numeric if all its values that are not missing are finite numbers. Empty cells, NA, N/A, NaN and null
    are missing. The delimiter is the comma, semicolon, tab or vertical bar that is most frequent in the first line.

    Parameters
    ----------
    path : str or Path
        File, encoded in UTF-8.

    Returns
    -------
    Table

    Raises
    ------
    TableError
        If the file cannot be read, or is not a table.

    Examples
    --------
    >>> from importlib.resources import files
    >>> from hme.datasets.csv import read_csv
    >>> table = read_csv(files("hme.datasets").joinpath("data/motorcycle.csv"))
    >>> table.names, table.n_rows
    (['times', 'accel'], 133)
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise TableError(f"{path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise TableError(f"{path} is not a text file encoded in UTF-8") from None
    delimiter = max(DELIMITERS, key=text.partition("\n")[0].count)
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, skipinitialspace=True, strict=True)
    try:
        numbered = [(reader.line_num, row) for row in reader if row]
    except csv.Error as error:
        raise TableError(f"{path}, line {reader.line_num}: {error}") from None
    if not numbered:
        raise TableError(f"{path} is empty")
    names = _header([cell.strip() for cell in numbered[0][1]], path)
    for number, row in numbered[1:]:
        if len(row) != len(names):
            raise TableError(f"{path}, line {number}: {len(row)} cells, but the first line names {len(names)} columns")
    if len(numbered) == 1:
        raise TableError(f"{path} has a line of column names and no rows")
    cells = zip(*(row for _, row in numbered[1:]), strict=True)
    return Table({name: _column([cell.strip() for cell in column]) for name, column in zip(names, cells, strict=True)})


def _header(names, path):
    if all(_number(name) is not None for name in names):
        raise TableError(f"{path}: the first line must name the columns, but it holds numbers")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise TableError(f"{path}: the first line names {', '.join(map(repr, twice))} more than once")
    return [name or f"column {j + 1}" for j, name in enumerate(names)]


def _column(cells):
    missing = np.array([cell.lower() in MISSING for cell in cells])
    numbers = [np.nan if gone else _number(cell) for cell, gone in zip(cells, missing, strict=True)]
    if None not in numbers:
        return np.array(numbers, dtype=float)
    column = np.array(cells, dtype=object)
    column[missing] = None
    return column


def _number(cell):
    """The number in a cell, or None if it is text; infinity and Python's 1_000 count as text."""
    try:
        number = float(cell)
    except ValueError:
        return None
    return number if np.isfinite(number) and "_" not in cell else None
