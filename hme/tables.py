"""Tables for the screen and for notebooks."""

from html import escape as escaped

import numpy as np

__all__ = ["escaped", "html_table", "text_table"]


def shown(value):
    """A cell: numbers in four significant digits."""
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, float | np.floating):
        return f"{value:.4g}"
    return str(value)


def text_table(names, rows):
    """Lines of a table; columns of numbers are aligned to the right."""
    cells = [list(map(str, names)), *([shown(value) for value in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    right = [all(isinstance(row[j], int | float | np.number) for row in rows) for j in range(len(names))]
    for line in cells:
        aligned = (c.rjust(w) if r else c.ljust(w) for c, w, r in zip(line, widths, right, strict=True))
        yield "  ".join(aligned).rstrip()


def html_table(names, rows):
    """The table in HTML."""
    head = "".join(f"<th>{escaped(str(name))}</th>" for name in names)
    body = "".join("<tr>" + "".join(f"<td>{escaped(shown(value))}</td>" for value in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
