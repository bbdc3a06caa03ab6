"""What a user hands to fit and predict, checked: weights, row arguments, and a fit that fails without a trace."""

from contextlib import contextmanager

import numpy as np
import scipy.sparse as sp
from sklearn.utils import _safe_indexing

from ..checks import check_array
from ..design import LARGEST

__all__ = ["NEUTRAL", "positive_rows", "row_argument", "rows_out_of_range", "unchanged_on_error"]


@contextmanager
def unchanged_on_error(estimator):
    """A fit that fails leaves an earlier one as it was."""
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise


def positive_rows(weight, tables, *arrays):
    """Rows of positive weight, as a mask, and the others' tables and arrays: they must not touch anything."""
    kept = weight > 0
    if not kept.any():
        raise ValueError("sample_weight is zero everywhere; at least one row needs a positive weight.")
    if kept.all():
        return kept, tables, *arrays
    index = np.flatnonzero(kept)
    tables = tuple(_safe_indexing(table, index) for table in tables)
    return kept, tables, *(None if array is None else array[kept] for array in arrays)


def rows_out_of_range(columns):
    """Whether design columns hold values whose squares leave the range of a double."""
    values = columns.data if sp.issparse(columns) else columns
    return bool(values.size) and max(values.max(), -values.min()) > LARGEST


# What a row argument is where it changes nothing.
NEUTRAL = {"offset": "0 for a rate per unit of exposure", "trials": "1 for the probability of a success"}


def row_argument(name, value, n_rows):
    """A number for each row, or None."""
    if value is None:
        return None
    array = check_array(value, name, (n_rows,), nonnegative=name == "trials")
    if name == "trials" and (array == 0).any():
        raise ValueError(f"trials must be > 0, got {value!r}.")
    return array
