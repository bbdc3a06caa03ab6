"""Tables that are given to a fitted model, validated as those of its fit were."""

import numpy as np
import scipy.sparse as sp
from sklearn.utils.validation import validate_data

from ..model.cells import gaps, has_dates, not_numbers, plain
from ..model.design import LARGEST
from ..model.features import Tables
from .row_arguments import NEUTRAL, row_argument

__all__ = ["NotNumbers", "as_table", "check_range", "given_arguments", "numbers_of", "row_names", "tables_like"]


class NotNumbers(ValueError, TypeError):
    """A table has columns that are no numbers, or has gaps: the message names them."""


def as_table(X):
    """X as an array, a data frame or sparse rows."""
    table = X if hasattr(X, "shape") else np.asarray(X)
    return table.tocsr() if sp.issparse(table) else table


def numbers_of(model, table, *y, dtype=np.float64, **checks):
    """What scikit-learn's `validate_data` returns for the numeric array of a table; its errors name the columns."""
    if has_dates(table):
        raise NotNumbers(f"{not_numbers(table)}.")
    try:
        return validate_data(model, table, *y, accept_sparse="csr", dtype=dtype, **checks)
    except (TypeError, ValueError) as error:
        reason = plain(str(error).splitlines()[0].rstrip("."))
        if "X contains" in reason:
            where = gaps(table)
            advice = "Impute them, for example by scikit-learn's SimpleImputer in a pipeline" if "NaN" in reason else ""
            if where:
                raise NotNumbers(f"{reason}, in {where}. {advice or 'Replace them or leave the rows out'}.") from error
        what = not_numbers(table)
        if not what:
            raise
        if "Complex data" in reason:
            raise NotNumbers(f"{reason}: {what}.") from error
        quoted = f" ({reason})" if "float" in reason and "DType" not in reason else ""
        raise NotNumbers(f"{what}{quoted}.") from error


def row_names(X):
    """Names of the rows of a data frame, else None."""
    index = getattr(X, "index", None)  # of a list it is a method
    return None if callable(index) else index


def tables_like(model, X, views=None):
    """The tables, validated, that the sides of a fitted model take their columns from; a part of it has own `views`."""
    table, views = as_table(X), model.columns_.views if views is None else views
    if not views.all_pick:
        numbers = numbers_of(model, X, dtype=views.dtypes, reset=False)
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
