"""People's tables as columns of numbers: text and categories in indicators, gaps filled and marked."""

import warnings

import numpy as np
import scipy.sparse as sp
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, OneHotEncoder, StandardScaler
from sklearn.utils import _safe_indexing

from ..model.cells import kinds_of, not_numbers, plain

__all__ = ["Levels", "preparation"]

MOST_LEVELS = 20  # columns of a category; rarer levels share one
ENCODED = {None, "text", "categories"}  # kinds of columns that can be prepared; None are numbers


class Levels(OneHotEncoder):
    """scikit-learn's `OneHotEncoder` without its warning of levels that the fit has not seen: folds often have some."""

    def transform(self, X):
        """Columns of indicators."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Found unknown categories", UserWarning)
            return super().transform(X)


def preparation(table, *, scale=False):
    """A transformer, not fitted, that makes columns of finite numbers of a table.

    Numbers: gaps are filled with the median, and a column that marks them is added. Text, categories and truth values:
    a column for each of the `MOST_LEVELS` commonest levels; levels that the fit has not seen count as rare ones.

    Parameters
    ----------
    table : data frame, ndarray or sparse matrix of shape (n, p)
    scale : bool, default=False
        Whether columns of numbers also get mean 0 and variance 1; of a sparse matrix, largest absolute value 1.

    Returns
    -------
    ColumnTransformer, or Pipeline for a sparse matrix

    Raises
    ------
    TypeError
        Naming columns of dates and other things that are neither numbers nor levels.
    """
    if sp.issparse(table):
        return make_pipeline(MaxAbsScaler() if scale else "passthrough")
    kinds = np.array(kinds_of(table), dtype=object)
    _check_kinds(table, [j for j, kind in enumerate(kinds) if kind not in ENCODED])
    numbers = [make_pipeline(SimpleImputer(strategy="median", add_indicator=True), *([StandardScaler()] * scale))]
    levels = Levels(
        handle_unknown="infrequent_if_exist", max_categories=MOST_LEVELS, sparse_output=False, drop="if_binary"
    )
    is_number = np.array([kind is None for kind in kinds])
    parts = [("numbers", *numbers, np.flatnonzero(is_number)), ("levels", levels, np.flatnonzero(~is_number))]
    prepared = ColumnTransformer(
        [part for part in parts if len(part[2])], sparse_threshold=0.0, verbose_feature_names_out=False
    )
    return prepared.set_output(transform="default")  # whatever scikit-learn is set to


def _check_kinds(table, strange):
    """Refuse columns of a table, given by their numbers, that hold neither numbers nor levels."""
    if not strange:
        return
    columns = _safe_indexing(table, strange, axis=1)
    what, reason = not_numbers(columns, names=None if hasattr(columns, "columns") else strange), ""
    try:
        np.asarray(columns, dtype=float)
    except (TypeError, ValueError) as error:
        reason = f" ({plain(str(error))})"
    raise TypeError(f"{what}{reason}.")
