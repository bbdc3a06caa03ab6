"""The layout of a text table: its separator, its line of names, comments, and lines that do not fit."""

import csv
import io
import re
from collections import Counter
from typing import NamedTuple

from . import TableError
from .source import pandas
from .terminal import listed, note

__all__ = ["Layout", "names_of", "read_text", "sniff"]

SEPARATORS = "\t;|,"  # the first of those that fit equally well; a comma may be a decimal sign
SAMPLE = 500  # lines that the separator is found out from
MOST_RAGGED = 0.05  # share of the lines that may be left out since they have another number of cells
UNNAMED = re.compile(r"Unnamed: \d+(_level_\d+)?|")


class Layout(NamedTuple):
    """How the lines of a text are cells."""

    separator: str
    width: int  # cells of a row
    fit: int  # of the first line: 2 names every column, 1 all but the first, 0 is something else
    share: float  # of the lines that have as many cells


class Record(NamedTuple):
    """One row of cells, which may go over several lines if quotes hold line ends."""

    first: int  # number of its first line, from 0
    last: int  # and of the line after it
    cells: list


def sniff(lines):
    """The separator of a table, found out from its lines.

    Every sign is tried; the one wins by which most lines have the same number of cells, above all the first. White
    space is tried last, since text may hold it.

    Parameters
    ----------
    lines : list of str

    Returns
    -------
    Layout

    Examples
    --------
    >>> from hme.command.layout import sniff
    >>> sniff(["a;b", "1,5;2,5", "0,5;3"]).separator
    ';'
    """
    found = [_layout(lines, separator) for separator in SEPARATORS]
    found = [layout for layout in found if layout is not None]
    if not any(layout.share >= 0.8 and layout.fit for layout in found):
        found += filter(None, [_layout(lines, " ")])
    if not found:
        return Layout(",", 1, 2, 1.0)
    return max(found, key=lambda layout: (layout.fit > 0, round(layout.share, 2), layout.fit))


def _layout(lines, separator):
    """The layout by one separator, or None if most lines hold none."""
    lines = [line.strip() for line in lines] if separator == " " else lines
    rows = csv.reader((line for line in lines if line.strip()), delimiter=separator, skipinitialspace=True)
    try:
        rows = list(rows)
    except csv.Error:
        return None
    if not rows:
        return None
    widths, numbers = [len(row) for row in rows], [any(map(_is_number, row)) for row in rows[:3]]
    width = Counter(widths[1:] or widths).most_common(1)[0][0]
    if width < 2:
        return None
    fit = {width: 2, width - 1: 1}.get(widths[0], 0)
    if fit == 1 and numbers[1:] == [False, True]:  # it is the second line that holds names
        fit = 0
    if widths[0] > width:  # lines may leave out empty cells at their end
        width, fit = widths[0], 2
    return Layout(
        separator, width, fit, sum(found == width for found in widths[1:] or widths) / len(widths[1:] or widths)
    )


def read_text(text, path, separator=None):
    """The cells of a text table, with the names of its columns in the first row.

    Parameters
    ----------
    text : str
    path : Path
        For messages.
    separator : str or None
        Found out if None.

    Returns
    -------
    names : list of str
        As they stand in the file; empty where there is none.
    cells : pandas.DataFrame
        Of text, a column for each name.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if re.fullmatch(r"sep=.", lines[0]):  # a line for Excel
        separator, lines[0] = separator or lines[0][-1], ""
    lines, comments = _without_comments(lines)
    full = [line for line in lines if line.strip()]
    if not full:
        raise TableError(f"{path} is empty")
    sample = full[:SAMPLE]
    layout = sniff(sample) if separator is None else _layout(sample, separator) or Layout(separator, 1, 2, 1.0)
    records = _records(lines, layout.separator, path)
    records = _after_title(records, comments, layout)
    if len(records) == 1:
        raise TableError(f"{path} has a line of column names and no rows")
    names = [cell.strip() for cell in records[0].cells]
    kept, names = _fitting(records[1:], names, path)
    frame = _frame(lines, [records[i + 1] for i in kept], len(names), layout.separator)
    if len(frame) != len(kept):
        raise TableError(f"{path} has {len(kept)} rows, but pandas reads {len(frame)}; look at its quotation marks")
    return names, frame.set_axis(kept)


def _without_comments(lines):
    """The lines, those emptied that begin with # before the names and wherever else they do; and these comments."""
    first = next((line for line in lines if line.strip()), "")
    if not first.lstrip().startswith("#"):
        return lines, []
    comments = [line.lstrip().lstrip("#").strip() for line in lines if line.lstrip().startswith("#")]
    return ["" if line.lstrip().startswith("#") else line for line in lines], comments


def _records(lines, separator, path):
    """The rows of cells; blank lines are none."""
    if separator == " ":
        lines = [re.sub(r"\s+", " ", line).strip() for line in lines]
    reader = csv.reader((line + "\n" for line in lines), delimiter=separator, skipinitialspace=True, strict=True)
    records, first = [], 0
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells) or len(cells) > 1:
                records.append(Record(first, reader.line_num, cells))
            first = reader.line_num
    except csv.Error as error:
        raise TableError(
            f"{path}, line {first + 1}: {error}; a cell that begins with a quotation mark has to end with one"
        ) from None
    return records


def _after_title(records, comments, layout):
    """The records from the names on: a comment may hold the names, and lines of a title may precede them."""
    if comments and records and any(map(_is_number, records[0].cells)):
        for comment in comments[::-1]:
            (cells,) = csv.reader([comment], delimiter=layout.separator, skipinitialspace=True)
            if len(cells) == layout.width:
                return [Record(0, 0, cells), *records]
    if layout.fit:
        return records
    start = next((i for i, record in enumerate(records) if len(record.cells) == layout.width), 0)
    if start and any(map(_is_number, records[start].cells)):  # a row as any other: the first line should have fitted
        return records
    if start:
        note(f"what is above line {records[start].first + 1}, which names the columns, is taken for a title")
    return records[start:]


def _is_number(cell):
    return re.fullmatch(r"\s*[-+]?[0-9]*[.,]?[0-9]+([eE][-+]?[0-9]+)?\s*", cell) is not None


def _fitting(records, names, path):
    """Numbers of the rows that have a cell for every name, and the names: one more where every row has a name itself.

    A row with another number of cells is left out, since nobody knows which columns its cells belong to.
    """
    widths = Counter(len(record.cells) for record in records)
    more = len(names) + 1
    if widths[more] > len(records) / 2:
        ends = any(record.cells[-1].strip() for record in records if len(record.cells) == more)
        names = ["", *names] if ends else [*names, ""]
    width = len(names)
    fits = [len(r.cells) >= width and not any(cell.strip() for cell in r.cells[width:]) for r in records]
    kept, odd = ([i for i, fit in enumerate(fits) if fit is wanted] for wanted in (True, False))
    if not odd:
        return kept, names
    where = listed([f"line {records[i].first + 1} (cells: {len(records[i].cells)})" for i in odd], 5)
    if len(odd) > max(1, MOST_RAGGED * len(records)) or not kept:
        raise TableError(
            f"{path}: there are names for {width} columns, but {len(odd)} of {len(records)} rows have another number "
            f"of cells: {where}. --separator says what stands between cells; a cell that holds it has to be quoted"
        )
    note(f"left out, since there are {width} columns: {where}")
    return kept, names


def _frame(lines, records, width, separator):
    """The cells of the records, read by pandas."""
    kept = "\n".join("\n".join(lines[record.first : record.last]) for record in records)
    return pandas().read_csv(
        io.StringIO(kept),
        sep=r"\s+" if separator == " " else separator,
        header=None,
        names=range(max(len(record.cells) for record in records)),
        usecols=range(width),
        index_col=False,
        dtype=str,
        na_filter=False,
        skipinitialspace=True,
        skip_blank_lines=False,
    )


def names_of(names, path):
    """Names of columns as pandas gives them: "Unnamed: 2" where there is none, "x.1" for the second x."""
    if len(names) > 1 and all(map(_is_number, names)):
        raise TableError(f"{path}: the first line must name the columns, but it holds numbers")
    given, unique, twice = set(names), {}, []
    for j, name in enumerate(names):
        name = name or f"Unnamed: {j}"
        count, fresh = 0, name
        while fresh in unique or (count and fresh in given):
            count += 1
            fresh = f"{name}.{count}"
        twice += [f"{name} (now {fresh})"] if count else []
        unique[fresh] = j
    if twice:
        note(f"names that were there before: {listed(twice)}")
    return list(unique)
