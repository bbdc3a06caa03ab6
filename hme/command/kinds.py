"""What the cells of a column are: numbers, truth values, dates or text; and how each of these becomes columns."""

import datetime
import decimal
from abc import ABC, abstractmethod
from dataclasses import dataclass, field

import numpy as np

from .numbers import PERCENT, parse
from .source import pandas

__all__ = ["Dates", "Kind", "Numbers", "Text", "Truth", "cells_of", "is_missing"]

# Spellings, in lower case, of a cell that is no value whatever the column holds.
MISSING = frozenset(["", "na", "n/a", "nan", "-nan", "null", "<na>", "#n/a", "#na", "nat", "\\n"])
PARTS = {"month": "month", "weekday": "day_of_week", "hour": "hour"}  # of a date, with their names in pandas


def cells_of(column):
    """The cells of a column of any type: floats with nan, dates with NaT, or objects, where texts are stripped.

    Parameters
    ----------
    column : pandas.Series

    Returns
    -------
    ndarray
        Of floats, of datetime64, or of objects: text, and numbers that stand between texts; "" is a missing one.
    """
    pd = pandas()
    types = pd.api.types
    if types.is_bool_dtype(column.dtype):
        return np.array(
            ["" if missing else str(bool(x)) for x, missing in zip(column, column.isna(), strict=True)], object
        )
    if types.is_timedelta64_dtype(column.dtype):
        return (column / pd.Timedelta(days=1)).to_numpy(dtype=float)
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        column = column.dt.tz_convert("UTC").dt.tz_localize(None)
    if types.is_datetime64_dtype(column.dtype):
        return column.to_numpy(dtype="datetime64[us]")
    if types.is_numeric_dtype(column.dtype) and not types.is_complex_dtype(column.dtype):
        return column.to_numpy(dtype=float, na_value=np.nan)
    objects = column.to_numpy(dtype=object)
    gone = np.array(pd.isna(objects), dtype=bool)
    if not gone.all() and all(isinstance(cell, datetime.date) for cell in objects[~gone]):
        dates = pd.to_datetime(pd.Series(np.where(gone, None, objects)), utc=True).dt.tz_localize(None)
        return dates.to_numpy(dtype="datetime64[us]")
    return np.array(["" if no else _cell(cell) for cell, no in zip(objects, gone, strict=True)], dtype=object)


def _cell(value):
    """A text without blanks around it, or a number."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool | np.bool_):
        return str(bool(value))
    if isinstance(value, int | float | np.number | decimal.Decimal):
        return float(value)
    return str(value)


def is_missing(cells, more=frozenset()):
    """Which cells are no values, (n,) of bool; `more` holds further spellings in lower case."""
    if cells.dtype.kind == "M":
        return np.isnat(cells)
    if cells.dtype.kind == "f":
        return ~np.isfinite(cells) | np.isin(cells, [found[0] for found in map(parse, more) if found])
    known = MISSING | more
    return np.fromiter((isinstance(c, str) and c.lower() in known for c in cells), dtype=bool, count=len(cells))


@dataclass(frozen=True)
class Kind(ABC):
    """What the cells of a column are, decided once, on the table that a model is fitted to.

    Parameters
    ----------
    missing : frozenset of str
        Spellings in lower case that stand for no value in this column, beside those that do so everywhere.
    """

    missing: frozenset = frozenset()

    #: What a cell should be, for messages.
    word = "a value"

    def names(self, name):
        """Names of the columns that a column of this name becomes."""
        return [name]

    @abstractmethod
    def read(self, cells):
        """The columns that cells become, a list of arrays, and which cells cannot be read, (n,) of bool.

        Parameters
        ----------
        cells : ndarray
            As `cells_of` returns them.
        """


@dataclass(frozen=True)
class Numbers(Kind):
    """Numbers with one decimal sign, all of them in one currency, in per cent, or without a unit."""

    decimal: str = "."
    unit: str = ""
    word = "a number"

    def read(self, cells):
        if cells.dtype.kind == "f":
            return [np.where(is_missing(cells, self.missing), np.nan, cells)], np.isinf(cells)
        if cells.dtype.kind == "M":
            return [np.full(len(cells), np.nan)], ~np.isnat(cells)
        gone = is_missing(cells, self.missing)
        if self.decimal == "." and self.unit not in PERCENT:
            try:  # all at once
                numbers = np.where(gone, "nan", cells).astype(float)
            except ValueError:
                pass
            else:
                if (np.isfinite(numbers) | gone).all() and not any(isinstance(c, str) and "_" in c for c in cells):
                    return [numbers], np.zeros(len(cells), dtype=bool)
        numbers = np.array([np.nan if no else self._number(cell) for cell, no in zip(cells, gone, strict=True)], float)
        return [numbers], np.isnan(numbers) & ~gone

    def _number(self, cell):
        if not isinstance(cell, str):
            return cell if np.isfinite(cell) else np.nan
        number, unit = parse(cell, self.decimal) or (np.nan, self.unit)
        plain_too = unit == "" and self.unit not in PERCENT
        return number if unit == self.unit or plain_too else np.nan


@dataclass(frozen=True)
class Truth(Kind):
    """Two words, or true and false: the second is one, the first zero."""

    words: tuple = ("false", "true")

    @property
    def word(self):
        return " or ".join(self.words)

    def read(self, cells):
        if cells.dtype.kind == "M":
            return [np.full(len(cells), np.nan)], ~np.isnat(cells)
        gone = is_missing(cells, self.missing)
        codes = {self.words[0]: 0.0, self.words[1]: 1.0, 0.0: 0.0, 1.0: 1.0, "0": 0.0, "1": 1.0}
        codes |= {"false": 0.0, "true": 1.0, "0.0": 0.0, "1.0": 1.0}  # as other programs write them
        keys = (cell.lower() if isinstance(cell, str) else float(cell) for cell in cells)
        values = np.array([codes.get(key, np.nan) for key in keys])
        values[gone] = np.nan
        return [values], np.isnan(values) & ~gone


@dataclass(frozen=True)
class Dates(Kind):
    """Dates and times: the days since the first one, and those parts of the calendar that tell rows apart.

    The months are 1 to 12, the weekdays 0 (Monday) to 6, the hours 0 to 23.
    """

    formats: tuple = ("ISO8601",)
    origin: str = "1970-01-01"
    parts: tuple = ()
    columns: tuple = field(default=())  # names of what the dates become
    word = "a date"

    def names(self, name):
        return list(self.columns)

    def dates(self, cells):
        """The cells as dates, NaT where they are none."""
        if cells.dtype.kind == "f":
            return np.full(len(cells), np.datetime64("NaT"), dtype="datetime64[us]")
        if cells.dtype.kind == "M":
            return cells.astype("datetime64[us]")
        pd = pandas()
        texts = pd.Series(np.where(is_missing(cells, self.missing), "", cells).astype(str), dtype=object)
        dates = pd.Series(np.datetime64("NaT"), index=texts.index, dtype="datetime64[us]")
        for form in self.formats:
            left = dates.isna().to_numpy() & (texts != "").to_numpy()
            if left.any():
                found = pd.to_datetime(texts[left], format=form, errors="coerce", utc=True)
                dates[left] = found.dt.tz_localize(None).astype("datetime64[us]")
        return dates.to_numpy(dtype="datetime64[us]")

    def read(self, cells):
        dates, gone = self.dates(cells), is_missing(cells, self.missing)
        return list(self.columns_of(dates).values()), np.isnat(dates) & ~gone

    def columns_of(self, dates):
        """Days since the origin and the parts, a dict."""
        when = pandas().Series(dates).dt
        days = (dates - np.datetime64(self.origin, "us")) / np.timedelta64(1, "D")
        calendar = {part: getattr(when, PARTS[part]).to_numpy(dtype=float) for part in self.parts}
        return {"days": days, **calendar}


@dataclass(frozen=True)
class Text(Kind):
    """Text, or codes: the levels of a category."""

    word = "text"

    def read(self, cells):
        gone = is_missing(cells, self.missing)
        texts = np.array([_level(cell) for cell in cells], dtype=object)
        texts[gone] = np.nan
        return [texts], np.zeros(len(cells), dtype=bool)


def _level(cell):
    """The level that a cell names; codes may have been read as numbers: 7.0 is 7."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, float | np.floating):
        return str(int(cell)) if np.isfinite(cell) and cell == int(cell) else str(float(cell))
    return str(cell)
