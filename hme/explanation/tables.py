"""Tables between a row and the one that it is compared with, and what columns are called."""

from typing import Any, NamedTuple

import numpy as np

__all__ = ["Between", "between", "merged"]


class Between(NamedTuple):
    """Rows of a table, and the row that they are compared with.

    Attributes
    ----------
    names : list of str of length p
    low : list
        Values of the row that is compared with.
    columns : list of ndarray of shape (n,)
    numeric : list of bool
    frame : data frame or None
        Of the types of the columns; None of an array.
    """

    names: list
    low: list
    columns: list
    numeric: list
    frame: Any

    def moving(self, one):
        """Numbers of the columns in which a row is different."""
        return [j for j, (low, column) in enumerate(zip(self.low, self.columns, strict=True)) if column[one] != low]

    def table(self, one, share):
        """Rows whose columns have gone a share (m, p) of the way; text changes half-way."""
        made = []
        for j, (low, column) in enumerate(zip(self.low, self.columns, strict=True)):
            if self.numeric[j]:
                made.append(low + share[:, j] * (column[one] - low))
            else:
                made.append(np.where(share[:, j] >= 0.5, [column[one]], [low]))
        if self.frame is None:
            return np.column_stack(made)
        types = {
            name: kind
            for name, kind, numeric in zip(self.frame.columns, self.frame.dtypes, self.numeric, strict=True)
            if not numeric
        }
        named = dict(zip(self.frame.columns, made, strict=True))
        return type(self.frame)(named).astype(types)


def between(mixture, table, background):
    """The `Between` of the rows of a table that a mixture sees."""
    framed = hasattr(table, "iloc")
    names = [str(name) for name in table.columns] if framed else list(map(str, mixture.input_names()))
    p = len(names)
    columns = [np.asarray(table.iloc[:, j] if framed else np.asarray(table)[:, j]) for j in range(p)]
    if background is None:
        side = mixture.columns_.expert
        if side.features.transformer is not None or len(side.design.mean) != p:
            raise ValueError(
                "background = None: the mean of the training rows is known of columns of numbers only; give rows, such "
                "as those of the fit."
            )
        return Between(
            names, list(side.design.mean), [c.astype(float) for c in columns], [True] * p, None if not framed else table
        )
    low, numeric = [], []
    for j in range(p):
        own = np.asarray(background.iloc[:, j] if hasattr(background, "iloc") else np.asarray(background)[:, j])
        try:
            low.append(float(np.mean(own.astype(float))))
            columns[j] = columns[j].astype(float)
            numeric.append(True)
        except (TypeError, ValueError):
            values, count = np.unique(own.astype(str), return_counts=True)
            most = values[count.argmax()]
            low.append(next(value for value in own if str(value) == most))
            numeric.append(False)
    return Between(names, low, columns, numeric, table if framed else None)


def merged(columns, names):
    """For each column that a model sees the column of the user's table that it is made of, where names tell.

    A transformer calls a column of the levels of "site" "site_north": such columns belong to "site".

    Examples
    --------
    >>> from hme.explanation.tables import merged
    >>> merged(["site_north", "site_south", "age", "e0"], ["site", "age"])
    ['site', 'site', 'age', 'e0']
    """
    found = []
    for column in columns:
        short = column.rpartition("__")[2]  # without the name of the transformer
        owners = [name for name in names if short == name or short.startswith(f"{name}_")]
        found.append(max(owners, key=len) if owners else column)
    return found
