"""The table of the user: read from a file, its columns decided, and those left out that cannot tell rows apart."""

import datetime
import difflib
import re
from decimal import Decimal
from numbers import Real
from typing import NamedTuple

import numpy as np

from . import TableError
from .kinds import Text
from .layout import UNNAMED, names_of, read_text
from .reading import decide
from .source import decode, load, pandas
from .terminal import listed, note

__all__ = ["Features", "column_named", "features", "read_table"]


def read_table(options):
    """The columns of the table that the options name.

    Returns
    -------
    dict of Column
        By name.
    """
    pandas()
    path, content = options.data, load(options.data)
    if isinstance(content, bytes):
        text, encoding = decode(content, path, options.encoding)
        if encoding:
            note(f"{path.name} is not UTF-8 and is read as {encoding}; --encoding names another encoding")
        names, frame = read_text(text, path, options.separator)
    else:
        frame = content.drop(columns=_nested(content))
        names = [str(name).strip() for name in frame.columns]
    frame = frame.set_axis(names_of(names, path), axis=1)
    for option in ("text", "drop"):
        for name in getattr(options, option):
            column_named(name, f"--{option}", list(frame.columns))
    frame = frame.drop(columns=[*options.drop, *_row_names(frame, options)])
    return decide(frame, options)


def _nested(frame):
    """Columns of a typed file whose cells are neither text nor real numbers nor dates, but lists, bytes or the like."""
    plain = str, bool, np.bool_, Real, Decimal, datetime.date, datetime.time, np.datetime64, datetime.timedelta
    values = {name: frame[name].dropna() for name in frame.columns}
    found = [name for name, column in values.items() if len(column) and not isinstance(column.iloc[0], plain)]
    if found:
        note(f"columns whose cells are no single values are left out: {listed(found)}")
    return found


def column_named(name, option, names):
    """Refuse a name that no column has."""
    if name in names:
        return
    close = difflib.get_close_matches(name, names, n=1) or [one for one in names if one.lower() == name.lower()]
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    data = any(re.fullmatch(r"[-+]?[0-9]*\.?[0-9]+", one) for one in names)
    first = "; the first line of the table must name them" if data else ""
    raise TableError(f"{option} {name}: there is no such column{hint}; the columns are {listed(names)}{first}")


def _row_names(frame, options):
    """Columns without a name that only count or name the rows: other programs write their index so."""
    found = []
    for j, name in enumerate(frame.columns):
        if not UNNAMED.fullmatch(name) or name == options.target:
            continue
        cells = frame[name].astype(str)
        if (cells == "").all():
            found.append(name)
        elif j == 0 and len(frame) > 1 and cells.is_unique:
            found.append(name)
            note("the first column has no name and another cell in every row; it is taken for the names of the rows")
    return found


class Features(NamedTuple):
    """Columns to learn from."""

    frame: object  # pandas.DataFrame, what the kinds make of the cells
    kinds: dict  # of Kind, by the name of the column in the table


def features(columns, target, rows):
    """The columns beside the target that can tell rows apart; the others are left out, and named.

    Parameters
    ----------
    columns : dict of Column
    target : str
    rows : ndarray
        Those to learn from.

    Returns
    -------
    Features
    """
    made, kinds, left = {}, {}, {}
    for name, column in columns.items():
        if name == target:
            continue
        cells = column.cells[rows]
        values = column.kind.read(cells)[0]
        reason = _useless(values[0], column.kind)
        if reason:
            left.setdefault(reason, []).append(name)
            continue
        kinds[name] = column.kind
        made |= zip(column.kind.names(name), values, strict=True)
    for reason, names in left.items():
        note(f"columns {reason} are left out: {listed(names)}")
    if not kinds:
        raise TableError(
            f"the table has no column besides {target} that could help to predict it; if it should have several, "
            "--separator says what stands between cells"
        )
    if len(made) >= len(rows):
        note(f"{len(made)} columns for {len(rows)} rows: what the models find in so few rows may be chance")
    return Features(pandas().DataFrame(made), kinds)


def _useless(values, kind):
    """Why a column cannot tell rows apart, or None."""
    here = values[~pandas().isna(values)]
    if not len(here):
        return "without any values"
    levels, counts = np.unique(here.astype(str) if isinstance(kind, Text) else here, return_counts=True)
    if len(levels) == 1:
        return "with a single value"
    if isinstance(kind, Text) and len(levels) > max(0.5 * len(here), 1):
        return "of text that hardly ever repeats"
    return None
