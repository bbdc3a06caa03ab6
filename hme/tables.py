"""Tables of results: as text, in a notebook and as data frames."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from textwrap import wrap

import numpy as np

__all__ = ["Table", "as_html", "as_text", "pandas_for"]

WIDTH = 100  # of titles and notes in text


@dataclass(frozen=True)
class Table:
    """Cells under column names, with a title above and notes below.

    Attributes
    ----------
    columns : sequence of str
        Names of the columns.
    rows : sequence of sequences
        Cells: numbers, text, or None where there is nothing. A nan is shown as nothing too.
    title : str
        In text the table is indented below it.
    notes : sequence of str
    formats : sequence of str or callables, or None
        Format of the numbers of each column, or what turns one into text; four significant digits by default.
    align : str or None
        "l" or "r" for each column; by default columns of numbers are aligned to the right.

    Examples
    --------
    >>> from hme.tables import Table
    >>> print(Table(["expert", "load", "error"], [["a", 0.25, 1.0], ["b", 0.75, float("nan")]]))
    expert  load  error
    a       0.25      1
    b       0.75
    """

    columns: Sequence
    rows: Sequence
    title: str = ""
    notes: Sequence = ()
    formats: Sequence | None = None
    align: str | None = None

    def _cells(self):
        """The rows as text."""
        formats = self.formats or [".4g"] * len(self.columns)
        return [[_shown(value, form) for value, form in zip(row, formats, strict=True)] for row in self.rows]

    def _alignment(self):
        if self.align is not None:
            return self.align
        columns = zip(*self.rows, strict=True) if len(self.rows) else [()] * len(self.columns)
        return "".join("r" if all(map(_is_number, column)) else "l" for column in columns)

    def text(self):
        """The table as lines of text.

        Returns
        -------
        str
        """
        lines, indent = wrap(self.title, WIDTH), "  " if self.title else ""
        cells = [list(map(str, self.columns)), *self._cells()]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        align = self._alignment()
        for row in cells:
            places = zip(row, widths, align, strict=True)
            padded = [cell.rjust(width) if side == "r" else cell.ljust(width) for cell, width, side in places]
            lines.append(f"{indent}{'  '.join(padded)}".rstrip())
        for note in self.notes:
            lines += wrap(note, WIDTH, initial_indent=indent, subsequent_indent=f"{indent}    ")
        return "\n".join(lines)

    def html(self):
        """The table in HTML that needs no style sheet.

        Returns
        -------
        str
        """
        head = "".join(f"<th>{escape(str(name))}</th>" for name in self.columns) if any(self.columns) else ""
        head = f"<thead><tr>{head}</tr></thead>" if head else ""
        body = "".join(
            f"<tr><th>{escape(first)}</th>{''.join(f'<td>{escape(cell)}</td>' for cell in rest)}</tr>"
            for first, *rest in self._cells()
        )
        title = f"<caption>{escape(self.title)}</caption>" if self.title else ""
        notes = "".join(f"<div>{escape(note)}</div>" for note in self.notes)
        return f"<table>{title}{head}<tbody>{body}</tbody></table>{notes}"

    def to_frame(self):
        """The cells as a data frame.

        Returns
        -------
        pandas.DataFrame
        """
        return pandas_for("to_frame").DataFrame(list(map(list, self.rows)), columns=list(self.columns))

    def __str__(self):
        return self.text()

    def _repr_html_(self):
        return self.html()


def as_text(parts):
    """Sentences and tables one below the other, as text."""
    return "\n".join(part if isinstance(part, str) else part.text() for part in parts)


def as_html(parts):
    """Sentences and tables one below the other, for a notebook."""
    shown = (f"<p>{escape(part)}</p>" if isinstance(part, str) else part.html() for part in parts if part)
    return f"<div>{''.join(shown)}</div>"


def pandas_for(method):
    """The pandas module, or an error that says what needs it."""
    try:
        import pandas
    except ImportError as error:
        raise ImportError(f"{method} needs pandas: pip install pandas.") from error
    return pandas


def _shown(value, form):
    """A cell as text."""
    if value is None:
        return ""
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, float | np.floating):
        if np.isnan(value):
            return ""
        return form(value) if callable(form) else format(value, form)
    return str(value)


def _is_number(value):
    return value is None or isinstance(value, int | float | np.number)
