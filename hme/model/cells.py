"""Which columns of a table hold something else than numbers, in words: dates, text, categories, gaps."""

import re

import numpy as np
import scipy.sparse as sp

__all__ = ["gaps", "has_dates", "kinds_of", "not_numbers", "plain"]

ADVICE = {
    "dates": "turn dates into numbers, such as days since the first",
    "durations": "turn durations into numbers, such as days",
    "text": "encode text, for example by scikit-learn's OneHotEncoder in a pipeline",
    "categories": "encode categories, for example by scikit-learn's OneHotEncoder in a pipeline",
    "complex numbers": "split complex numbers into real and imaginary parts",
    "objects": "turn objects into numbers",
}
SCALAR = re.compile(  # as NumPy shows a number or a text of its own
    r"np\.(?:str_|bytes_|bool_?|u?int\d+|float\d+|longdouble|complex\d+|datetime64|timedelta64)"
    r"\(((?:'[^']*')|(?:[^()']*))\)"
)
OF_POLARS = ("Date", "Datetime", "Duration", "Time")
MOST = 5  # columns that are named


def has_dates(table):
    """Whether some column holds dates or durations, which NumPy would take for numbers."""
    if sp.issparse(table):
        return False
    types = getattr(table, "dtypes", [table.dtype] if hasattr(table, "dtype") else [])
    return any(getattr(dtype, "kind", "") in ("m", "M") or str(dtype).startswith(OF_POLARS) for dtype in types)


def not_numbers(table, subject="X has", names=None):
    """The columns that hold no numbers, with what they hold and what to do about it; "" if there are none.

    Parameters
    ----------
    table : data frame or ndarray of shape (n, p)
    subject : str
        How the sentence begins.
    names : sequence of str or None
        Names of the columns of an array; None means their numbers.
    """
    found = []
    for name, values, dtype in _columns(table, names):
        kind = _kind(values, dtype)
        if kind:
            found.append((name, kind, dtype))
    if not found:
        return ""
    shown = [f"{name} ({kind}, dtype {dtype})" for name, kind, dtype in found[:MOST]]
    shown += [f"{len(found) - MOST} more"] if len(found) > MOST else []
    advice = "; ".join(ADVICE[kind] for kind in dict.fromkeys(kind for _, kind, _ in found))
    advice = f"{advice[0].upper()}{advice[1:]}; or leave them out"
    return f"{subject} columns that hold no numbers: {', '.join(shown)}. {advice}"


def kinds_of(table):
    """What each column of a dense table holds, a list of the keys of `ADVICE`, or None for numbers."""
    return [_kind(values, dtype) for _, values, dtype in _columns(table)]


def gaps(table, names=None):
    """The columns with missing or infinite values, as "column 'age'"; "" if they cannot be told."""
    found = []
    for name, values, _ in _columns(table, names):
        try:
            if not np.isfinite(np.asarray(values, dtype=float)).all():
                found.append(name)
        except (TypeError, ValueError):
            continue
    shown = ", ".join(found[:MOST]) + (f" and {len(found) - MOST} more" if len(found) > MOST else "")
    return f"column{'s' if len(found) > 1 else ''} {shown}" if found else ""


def plain(text):
    """A message without NumPy's types: 'a' instead of np.str_('a')."""
    return SCALAR.sub(r"\1", text)


def _columns(table, names=None):
    """Name, values and dtype of each column of a dense table."""
    if sp.issparse(table) or len(getattr(table, "shape", ())) != 2:
        return
    for j in range(table.shape[1]):
        column = table.iloc[:, j] if hasattr(table, "iloc") else table[:, j]
        known = table.columns if hasattr(table, "columns") else names
        name = str(j) if known is None else repr(str(known[j]))
        yield name, column, column.dtype


def _kind(column, dtype):
    """What a column holds, one of the keys of `ADVICE`; None for numbers."""
    kind, name = getattr(dtype, "kind", "O"), str(dtype).lower()
    if kind == "M" or name.startswith(("date", "period")):
        return "dates"
    if kind == "m" or name.startswith(("timedelta", "duration")):
        return "durations"
    if kind == "c":
        return "complex numbers"
    if kind in "biuf":
        return None
    values = np.asarray(column)
    if values.dtype.kind == "c":
        return "complex numbers"
    try:
        values.astype(float)
        return None
    except (TypeError, ValueError):
        pass
    if name.startswith(("category", "categorical", "enum")):
        return "categories"
    entries = [value for value in values.tolist() if value is not None and value == value]
    if any(isinstance(value, str | bytes) for value in entries):
        return "text"
    return "dates" if entries and all(hasattr(value, "year") for value in entries) else "objects"
