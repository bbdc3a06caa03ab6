"""The table of the second level: what the models predict, and the columns of X that the gate sees beside it."""

from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.utils import _safe_indexing

from .preparation import preparation

__all__ = ["LevelOne", "Picked"]

OF_X = " of X"  # behind the name of a column of X that a model has, too


class Picked(TransformerMixin, BaseEstimator):
    """Columns of an array under names of their own, as `expert_features` or `gate_features` of a mixture.

    Parameters
    ----------
    columns : slice
    names : sequence of str
    dense : bool, default=False
        Whether they are an array where the table is sparse.
    """

    def __init__(self, columns, names, dense=False):
        self.columns = columns
        self.names = names
        self.dense = dense

    def fit(self, X, y=None):
        """Nothing is learned."""
        return self

    def transform(self, X):
        """The columns."""
        columns = X[:, self.columns]
        return columns.toarray() if self.dense and sp.issparse(columns) else columns

    def get_feature_names_out(self, input_features=None):
        """Their names."""
        return np.asarray(self.names, dtype=object)

    def __sklearn_is_fitted__(self):
        return True


class LevelOne(NamedTuple):
    """How the table of the second level is made, and what its columns are called.

    Attributes
    ----------
    preparation : fitted transformer or None
        Of X; None if the gate sees the predictions only.
    names : list of str
        Names of the prepared columns.
    predicted : list of str
        Names of the columns that the models make: their own names, or those with the classes.
    passthrough : bool
        Whether experts see the prepared columns too.
    """

    preparation: Any
    names: list
    predicted: list = ()
    passthrough: bool = False

    @classmethod
    def fit(cls, spec, table, given):
        """The level, without models so far, and the prepared columns (n, q) of the rows of the fit.

        Parameters
        ----------
        spec : None, columns or transformer
            What of X the gate sees, `gate_features` of a stack.
        table : data frame, ndarray or sparse matrix of shape (n, p)
        given : list of str
            Names of the columns of X.
        """
        if isinstance(spec, list | tuple | np.ndarray) and not len(spec):
            return cls(None, []), np.empty((table.shape[0], 0))
        prepared = _prepared(spec, table)
        columns = _array(prepared.fit_transform(table))
        if len(getattr(columns, "shape", ())) != 2 or columns.shape[0] != table.shape[0]:
            raise ValueError(f"gate_features = {spec!r} must make a 2-D table with one row for each of X.")
        try:
            names = [str(name) for name in prepared.get_feature_names_out(None if hasattr(table, "columns") else given)]
        except (AttributeError, ValueError, TypeError):
            names = []
        if len(names) != columns.shape[1]:
            names = [f"g{j}" for j in range(columns.shape[1])]
        return cls(prepared, names), columns

    def over(self, predicted, passthrough):
        """The level over models whose columns are called `predicted`."""
        names = [f"{name}{OF_X}" if name in set(predicted) else name for name in self.names]
        return self._replace(names=names, predicted=list(predicted), passthrough=passthrough)

    def called(self, given, names):
        """A dict from names of prepared columns to new ones, if the columns of X that were called `given` have `names`.

        A column is of X where it has a name of X, or one followed by what a transformer adds: site_north of site.
        """
        found, owners = {}, sorted(zip(map(str, given), map(str, names), strict=True), key=lambda pair: -len(pair[0]))
        for column in self.names:
            short = column.removesuffix(OF_X)
            for old, new in owners:
                if short == old or short.startswith(f"{old}_"):
                    renamed = new + short[len(old) :]
                    found[column] = f"{renamed}{OF_X}" if renamed in set(self.predicted) else renamed
                    break
        return found

    def columns(self, table):
        """The prepared columns (n, q) of new rows."""
        return np.empty((table.shape[0], 0)) if self.preparation is None else _array(self.preparation.transform(table))

    @staticmethod
    def join(predicted, columns):
        """The table (n, M + q), from the columns that the models make and the prepared ones."""
        if sp.issparse(columns):
            return sp.hstack([sp.csr_matrix(predicted), columns], format="csr")
        return np.hstack([predicted, np.asarray(columns, dtype=float)])

    @property
    def sides(self):
        """`expert_features` and `gate_features` of the mixture."""
        n, every = len(self.predicted), [*self.predicted, *self.names]
        gate = Picked(slice(0, len(every)), every)
        return (gate if self.passthrough else Picked(slice(0, n), self.predicted, dense=True)), gate


def _array(columns):
    """What a transformer has made, which may be a data frame, as an array or sparse rows."""
    return columns.tocsr() if sp.issparse(columns) else np.asarray(columns)


def _prepared(spec, table):
    """The transformer, not fitted, of what the gate sees."""
    if spec is None:
        return preparation(table)
    if hasattr(spec, "transform") and not isinstance(spec, type):
        return clone(spec)
    if isinstance(spec, type | bool | int | float | dict):
        raise TypeError(f"gate_features = {spec!r} must be None, a list of column names or numbers, or a transformer.")
    columns = [spec] if isinstance(spec, str) else spec
    try:
        seen = _safe_indexing(table, columns, axis=1)
    except (KeyError, IndexError, ValueError, TypeError) as error:
        raise ValueError(f"gate_features = {spec!r}: {error}") from error
    return ColumnTransformer([("columns", preparation(seen), columns)], verbose_feature_names_out=False)
