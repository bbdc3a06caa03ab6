"""Deciding what the columns of a table are; guesses are reported, with the cells in question."""

import re
from collections import Counter
from typing import NamedTuple

import numpy as np

from .kinds import PARTS, Dates, Kind, Numbers, Text, Truth, cells_of, is_missing
from .numbers import PERCENT, evidence, parse
from .source import pandas
from .terminal import listed, note, short, shown_cells

__all__ = ["Column", "decide"]

NEARLY = 0.9  # share of the cells that are numbers, or dates, from which on the others are errors
# Cells that stand for no value where the column holds numbers otherwise; in a column of text they may be levels.
NO_NUMBER = frozenset(
    "none nil - -- --- – — . .. ... ? ?? missing unknown unk n.a. n.a na. n.d. nd #div/0! #value! #ref! #num! #name? "
    "#null! err error tba tbd inf -inf".split()
) | {"not available", "not known"}
WORDS = [("no", "yes"), ("false", "true"), ("f", "t"), ("n", "y"), ("off", "on"), ("nein", "ja"), ("falsch", "wahr")]
WORDS += [("non", "oui"), ("no", "si"), ("no", "sí"), ("nee", "ja"), ("nej", "ja")]
TIMES = ["", " %H:%M:%S", " %H:%M", " %H:%M:%S.%f", "T%H:%M:%S", " %I:%M %p", " %I:%M:%S %p"]
DAY_FIRST = ["%d/%m/%Y", "%d-%m-%Y", "%d.%m.%Y", "%d/%m/%y", "%d-%m-%y", "%d.%m.%y"]
MONTH_FIRST = ["%m/%d/%Y", "%m-%d-%Y", "%m.%d.%Y", "%m/%d/%y", "%m-%d-%y", "%m.%d.%y"]
WORDED = ["%d %b %Y", "%d %B %Y", "%d-%b-%Y", "%d-%b-%y", "%d. %B %Y", "%b %d, %Y", "%B %d, %Y", "%b %Y", "%B %Y"]
MONTH = "(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
DATE_LIKE = re.compile(
    r"(\d{4}[-/.]\d{1,2}([-/.]\d{1,2})?|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4})([ T].*)?|\d{1,2}:\d\d.*|"
    rf"(.*\W)?{MONTH}\W.*\d\d.*",
    re.I,
)
CLOCK = ("%H:%M:%S", "%H:%M", "%H:%M:%S.%f")
CODE = re.compile("0[0-9]+")  # a number does not begin with 0
SAMPLE = 100  # different cells that a format of dates is found out from


class Column(NamedTuple):
    """A column of the table: its cells, what they are, and which of them are not."""

    cells: np.ndarray
    kind: Kind
    odd: np.ndarray  # places of the cells that are no values though they are not empty
    rows: np.ndarray  # numbers of the rows in the file, the first of which is 0

    def shown(self, places):
        """Cells with the numbers of their rows, for messages."""
        return shown_cells(self.cells[places], self.rows[places])

    @property
    def missing(self):
        """Which rows have no value, (n,) of bool."""
        return is_missing(self.cells, self.kind.missing)


def decide(frame, options):
    """The columns of a table.

    Parameters
    ----------
    frame : pandas.DataFrame
        Text as it stands in a file, or typed columns; the index has the numbers of the rows in the file.
    options
        Those of the command: `text`, `missing`, `decimal`, `dates`.

    Returns
    -------
    dict of Column
        By name, in the order of the table.
    """
    given = frozenset(cell.strip().lower() for cell in options.missing)
    cells = {name: cells_of(frame[name]) for name in frame.columns}
    proofs = {name: _proof(column, given) for name, column in cells.items() if name not in options.text}
    mark = options.decimal or _mark(proofs.values())
    columns, rows = {}, frame.index.to_numpy()
    for name, column in cells.items():
        decider = _Decider(name, column, given, options, mark, set(cells), rows)
        columns[name] = decider.text() if name in options.text else decider.kind(proofs[name])
    if any(len(column.odd) for name, column in columns.items() if name != options.target):
        note("row 1 is the first below the names")
    _say_words(columns, options.target)
    return columns


def _proof(cells, given):
    """For which decimal sign the cells speak; None for a column that is not of text."""
    if cells.dtype.kind != "O":
        return None
    texts = [cell for cell in cells[~is_missing(cells, given)] if isinstance(cell, str)]
    if len(texts) > SAMPLE and _are_floats(texts):  # a sample says the same, and regular expressions are slow
        few = evidence(texts[:SAMPLE])
        if few.point or not any("." in text for text in texts):
            return few
    return evidence(texts)


def _are_floats(texts):
    try:
        return bool(np.isfinite(np.array(texts, dtype=object).astype(float)).all()) and "_" not in "".join(texts)
    except ValueError:
        return False


def _mark(proofs):
    """The decimal sign that most columns show, or None."""
    shown = [p for p in proofs if p is not None and p.share >= 0.5]
    point, comma = sum(p.point > p.comma for p in shown), sum(p.comma > p.point for p in shown)
    return None if point == comma else "." if point > comma else ","


class _Decider:
    """Decides what one column is."""

    def __init__(self, name, cells, given, options, mark, taken, rows):
        self.name, self.cells, self.given, self.options, self.mark = name, cells, given, options, mark
        self.taken, self.rows = taken, rows
        self.present = np.flatnonzero(~is_missing(cells, given))

    def text(self):
        return self._column(Text(self.given))

    def _column(self, kind, odd=()):
        return Column(self.cells, kind, np.array(odd, dtype=int), self.rows)

    def kind(self, proof):
        """The column as what most of its cells are."""
        if self.cells.dtype.kind == "M":
            return self._dates(("ISO8601",))
        if self.cells.dtype.kind == "f":
            return self._numbers(".", "")
        if not len(self.present):
            return self._column(Numbers(self.given))
        return self._as_numbers(proof) or self._as_truth() or self._as_dates() or self._as_text(proof)

    # -- numbers

    def _as_numbers(self, proof):
        decimal = self._decimal(proof)
        unit, odd = "", Numbers(self.given, decimal).read(self.cells)[1]
        if odd.any():
            unit = self._unit(decimal)
            odd = Numbers(self.given, decimal, unit).read(self.cells)[1]
            share = 1.0 - odd.sum() / len(self.present)
            codes = all(str(cell).lower() in NO_NUMBER for cell in self.cells[odd])
            if share < (0.5 if codes else NEARLY) or share == 0.0:
                return None
        if proof.open and not proof.point and not proof.comma and self.options.decimal is None:
            self._say_open(proof, decimal)
        code = next((cell for cell in self.cells[self.present] if CODE.fullmatch(str(cell))), None)
        if code is not None:
            note(f"{self.name}: {short(code)} is read as {int(code)}; --text {short(self.name)} keeps it as a code")
        return self._numbers(decimal, unit)

    def _unit(self, decimal):
        """The currency of most cells that have one, or % if most cells have it."""
        parsed = (parse(cell, decimal) for cell in self.cells[self.present] if isinstance(cell, str))
        units = Counter(found[1] for found in parsed if found)
        unit = max((u for u in units if u), key=units.get, default="")
        return "" if unit in PERCENT and units[unit] < units[""] else unit

    def _decimal(self, proof):
        """The decimal sign of this column: its own cells know best, then those of the other columns."""
        if self.options.decimal is not None:
            return self.options.decimal
        if proof.point != proof.comma:
            return "." if proof.point > proof.comma else ","
        return self.mark or "."

    def _say_open(self, proof, decimal):
        """Say how 1,234 is read, unless it is 1.234 and nothing in the table speaks against it."""
        if decimal == "." and "." in proof.example and self.mark != ",":
            return
        number, other = parse(proof.example, decimal)[0], {".": "comma", ",": "point"}[decimal]
        note(f"{self.name}: {short(proof.example)} is read as {number:g}; --decimal {other} reads it the other way")

    def _numbers(self, decimal, unit):
        kind = Numbers(self.given, decimal, unit)
        odd = np.flatnonzero(kind.read(self.cells)[1])
        self._say_odd(odd, "a number")
        return self._column(Numbers(self._with(odd), decimal, unit), odd)

    # -- truth

    def _as_truth(self):
        words = {cell.lower() if isinstance(cell, str) else "" for cell in self.cells[self.present]}
        pair = next((pair for pair in WORDS if words == set(pair)), None)
        return pair and self._column(Truth(self.given, pair))

    # -- dates

    def _as_dates(self):
        texts = [str(cell) for cell in self.cells[self.present]]
        counts = Counter(texts)
        sample = dict(list(counts.items())[:SAMPLE])
        like = sum(count for text, count in sample.items() if DATE_LIKE.fullmatch(text))
        if like < NEARLY * sum(sample.values()):
            return None
        forms = self._formats(sample, counts)
        return forms and self._dates(forms)

    def _formats(self, sample, counts):
        """The formats of the dates in cells, found out from a sample of them, or None."""
        iso = ("ISO8601", *(form + time for form in ("%Y/%m/%d", "%Y.%m.%d") for time in TIMES))
        by = {"day-first": DAY_FIRST, "month-first": MONTH_FIRST}
        tried = {"iso": iso}
        tried |= {order: tuple(f + t for f in forms for t in TIMES) for order, forms in by.items()}
        tried["clock"] = CLOCK
        tried["worded"] = tuple(form + time for form in WORDED for time in TIMES)
        found = {word: _used(forms, sample) for word, forms in tried.items()}
        best = max(found, key=lambda word: found[word][1])
        if found[best][1] < NEARLY * sum(sample.values()):
            return None
        if best in by and found["day-first"][1] == found["month-first"][1]:  # all of them may tell more
            found |= {order: _used(tried[order], counts) for order in by}
            day, month = (found[order][1] for order in by)
            best = self._order(next(iter(sample))) if day == month else "day-first" if day > month else "month-first"
        return found[best][0]

    def _order(self, cell):
        """The order of day and month that the cells leave open."""
        if self.options.dates is None:
            order, other = ("month-first", "day-first") if "/" in cell else ("day-first", "month-first")
            note(f"{self.name}: dates such as {short(cell)} are read {order}; --dates {other} reads the other way")
            return order
        return self.options.dates

    def _dates(self, formats):
        kind = Dates(self.given, formats)
        dates = kind.dates(self.cells)
        odd = np.flatnonzero(np.isnat(dates) & ~is_missing(self.cells, self.given))
        if len(odd) > (1.0 - NEARLY) * max(len(self.present), 1):
            return None
        self._say_odd(odd, "a date")
        known = dates[~np.isnat(dates)]
        if not len(known):
            return self._column(Numbers(self.given), odd)
        origin, parts = str(known.min().astype("datetime64[D]")), _parts(known)
        names = tuple(self._fresh(f"{self.name}_{part}") for part in ("days", *parts))
        return self._column(Dates(self._with(odd), formats, origin, parts, names), odd)

    def _fresh(self, name):
        """A name that no column of the table has."""
        while name in self.taken:
            name += "_"
        return name

    # -- text

    def _as_text(self, proof):
        if proof.share >= 0.5:
            odd = np.flatnonzero(Numbers(self.given, self._decimal(proof)).read(self.cells)[1])
            note(
                f"{self.name} is taken for text, though {len(self.present) - len(odd)} of {len(self.present)} cells "
                f"are numbers; the others: {shown_cells(self.cells[odd], self.rows[odd])}"
            )
        return self.text()

    # -- cells in question

    def _with(self, odd):
        return self.given | {str(self.cells[i]).lower() for i in odd}

    def _say_odd(self, odd, word):
        if len(odd) and self.name != self.options.target:
            verb = "is" if len(odd) == 1 else "are"
            note(
                f"{self.name}: {len(odd)} of {len(self.present)} cells {verb} not {word} and {verb} taken as missing: "
                f"{shown_cells(self.cells[odd], self.rows[odd])}"
            )


def _used(formats, counts):
    """Those of the formats that read some cells that those before do not, and the number of cells that they read.

    Parameters
    ----------
    formats : iterable of str
    counts : dict
        Number of cells by their text.
    """
    used, read, left = [], 0, np.array(list(counts), dtype=object)
    pd = pandas()
    for form in formats:
        if not len(left):
            break
        fits = pd.to_datetime(pd.Series(left, dtype=object), format=form, errors="coerce", utc=True).notna().to_numpy()
        if fits.any():
            used.append(form)
            read += sum(counts[cell] for cell in left[fits])
            left = left[~fits]
    return tuple(used), read


def _parts(dates):
    """The parts of the calendar that tell these dates apart, beside the days that have gone by."""
    span = (dates.max() - dates.min()) / np.timedelta64(1, "D")
    table = Dates(parts=tuple(PARTS)).columns_of(dates)
    wide = {"month": span > 365, "weekday": span > 14 and len(np.unique(table["days"] % 7)) > 1, "hour": span > 2}
    if len(np.unique(dates.astype("datetime64[M]"))) > 0.9 * len(np.unique(dates.astype("datetime64[D]"))):
        wide["weekday"] = False  # one date a month: its weekday is an accident
    return tuple(part for part in PARTS if wide[part] and len(np.unique(table[part])) > 1)


def _say_words(columns, target):
    """Say what became of truth values and dates."""
    pairs = {}
    for name, column in columns.items():
        if name == target:
            continue
        if isinstance(column.kind, Truth):
            pairs.setdefault(column.kind.words, []).append(name)
        elif isinstance(column.kind, Dates):
            parts = ", ".join(column.kind.parts)
            since = f" since {column.kind.origin}" if column.kind.formats[0] not in CLOCK else ""
            note(f"{name} holds dates or times, read as days{since}" + (f", and {parts}" if parts else ""))
    for (no, yes), names in pairs.items():
        note(f"{yes} is 1 and {no} is 0 in {listed(names)}")
