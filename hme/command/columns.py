"""The columns that models see: read from cells as they stand in a file, filled in and coded."""

from itertools import count

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.utils.validation import check_is_fitted

from .kinds import Text, cells_of
from .source import pandas
from .terminal import listed, shown_cells

__all__ = ["ColumnReader", "LevelNames", "preprocessing"]

MAX_LEVELS = 20  # levels of a text column that are encoded; rarer ones share one column
RARE = "(rare)"


class ColumnReader(TransformerMixin, BaseEstimator):
    """Reads the columns of a table, by their names, as those of the table were read that a model was fitted to.

    Columns may be numbers, dates and truth values already, or text as it stands in the file. Their order does not
    matter, and others are ignored.

    Parameters
    ----------
    kinds : dict of Kind
        What the columns hold, by their names.

    Attributes
    ----------
    feature_names_in_ : ndarray of str
    n_features_in_ : int
    """

    def __init__(self, kinds):
        self.kinds = kinds

    def fit(self, X=None, y=None):
        """Nothing is learned: what the columns hold is known."""
        self.feature_names_in_ = np.array(list(self.kinds), dtype=object)
        self.n_features_in_ = len(self.kinds)
        return self

    def transform(self, X):
        """The columns that the models see.

        Parameters
        ----------
        X : pandas.DataFrame, or array-like of shape (n, p)
            An array has the columns in the order of `feature_names_in_`.

        Returns
        -------
        pandas.DataFrame

        Raises
        ------
        ValueError
            If a column is not there, or holds what it did not hold before.
        """
        check_is_fitted(self)
        frame, columns = self._frame(X), {}
        for name, kind in self.kinds.items():
            cells = cells_of(frame[name])
            values, odd = kind.read(cells)
            if odd.any():
                rows = np.flatnonzero(odd)
                cells = shown_cells(cells[rows], rows)
                raise ValueError(f"column {name!r} should hold {kind.word}: {cells} (the first row is row 1).")
            columns |= zip(kind.names(name), values, strict=True)
        return pandas().DataFrame(columns, index=frame.index)

    def _frame(self, X):
        """X as a data frame with the columns of `feature_names_in_`."""
        names = list(self.feature_names_in_)
        if hasattr(X, "to_pandas"):
            X = X.to_pandas()
        if not hasattr(X, "columns"):
            X = np.asarray(X)
            if X.ndim != 2 or X.shape[1] != len(names):
                raise ValueError(f"X has shape {X.shape}, but the columns are {len(names)}: {listed(names)}.")
            return pandas().DataFrame({name: X[:, j] for j, name in enumerate(names)})
        found = [str(name).strip() for name in X.columns]
        lost = [name for name in names if name not in found]
        if lost:
            raise ValueError(f"X lacks the column{'s' * (len(lost) > 1)} {listed(lost)}; it has {listed(found)}.")
        twice = [name for name in names if found.count(name) > 1]
        if twice:
            raise ValueError(f"X has several columns of the same name: {listed(twice)}.")
        return X.iloc[:, [found.index(name) for name in names]].set_axis(names, axis=1)

    def get_feature_names_out(self, input_features=None):
        """Names of the columns that the models see."""
        return np.array([new for name, kind in self.kinds.items() for new in kind.names(name)], dtype=object)


class LevelNames:
    """Names of the columns of levels, which differ from all other names: colour_red, or colour=red if that is taken."""

    def __init__(self, numbers, levels):
        marks = ("_" if k == 0 else "=" * k for k in count())
        self.mark = next(mark for mark in marks if not self._clash(mark, numbers, levels))

    @staticmethod
    def _clash(mark, numbers, levels):
        names = [*numbers, *(f"{name}{mark}{level}" for name in levels for level in {*levels[name], RARE})]
        return len(set(names)) < len(names)

    def __call__(self, name, level):
        """Name of the column of one level; scikit-learn's word for all rare ones is long."""
        return f"{name}{self.mark}{RARE if level == 'infrequent_sklearn' else level}"


def preprocessing(frame, kinds):
    """A transformer that fills in missing values and codes columns of text.

    Parameters
    ----------
    frame : pandas.DataFrame
        As `ColumnReader` returns it.
    kinds : dict of Kind

    Returns
    -------
    ColumnTransformer
        Its columns have names.
    """
    text = [name for name, kind in kinds.items() if isinstance(kind, Text)]
    numbers = [name for name in frame.columns if name not in set(text)]
    levels = {name: set(frame[name].dropna()) for name in text}
    code = make_pipeline(
        SimpleImputer(strategy="most_frequent", keep_empty_features=True),
        OneHotEncoder(
            handle_unknown="infrequent_if_exist",
            max_categories=MAX_LEVELS,
            sparse_output=False,
            feature_name_combiner=LevelNames(numbers, levels),
        ),
    )
    fill = SimpleImputer(strategy="median", keep_empty_features=True)
    parts = [("number", fill, numbers), ("text", code, text)]
    return ColumnTransformer([part for part in parts if part[2]], verbose_feature_names_out=False).set_output(
        transform="pandas"
    )
