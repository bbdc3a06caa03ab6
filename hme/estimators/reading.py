"""Tables that are given to a fitted model, validated as those of its fit were."""

import numpy as np
import scipy.sparse as sp
from sklearn.utils.validation import validate_data

from ..model.design import LARGEST
from ..model.features import Tables
from .row_arguments import NEUTRAL, row_argument

__all__ = ["as_table", "check_range", "given_arguments", "row_names", "tables_like"]


def as_table(X):
    """X as an array, a data frame or sparse rows."""
    table = X if hasattr(X, "shape") else np.asarray(X)
    return table.tocsr() if sp.issparse(table) else table


def row_names(X):
    """Names of the rows of a data frame, else None."""
    index = getattr(X, "index", None)  # of a list it is a method
    return None if callable(index) else index


def tables_like(model, X):
    """The tables that the sides of a fitted model take their columns from, validated."""
    table, views = as_table(X), model.columns_.views
    if not views.all_pick:
        numbers = validate_data(model, X, accept_sparse="csr", dtype=np.float64, reset=False)
        return Tables.of(table, numbers, views)
    if len(table.shape) != 2:
        raise ValueError(f"Expected 2D array, got X of shape {table.shape} instead.")
    validate_data(model, table, reset=False, skip_check_array=True)
    return Tables.of(table, None, views)


def given_arguments(model, n_rows, **arguments):
    """Row arguments of the predict side, (n,) or None, which must be those that the model was fitted with."""
    arrays = {name: row_argument(name, value, n_rows) for name, value in arguments.items()}
    for name, array in arrays.items():
        if array is None and name in model.row_arguments_:
            raise ValueError(f"the model was fitted with {name}; give {name} here too, {NEUTRAL[name]}.")
        if array is not None and name not in model.model_.expert.traits.row_arguments:
            raise ValueError(f"{name} is given, but {type(model.model_.expert).__name__} takes no {name}.")
    return arrays


def check_range(rows):
    """Refuse design columns whose squares leave the range of a double."""
    for columns in (rows.X,) if rows.Z is rows.X else (rows.X, rows.Z):
        values = columns.data if sp.issparse(columns) else columns
        if values.size and max(values.max(), -values.min()) > LARGEST:
            raise ValueError(f"X holds values more than {LARGEST:g} standard deviations from those of the fit.")
