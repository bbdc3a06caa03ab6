"""Transformers that make bent columns of every column of a table, one column at a time."""

from abc import ABC, abstractmethod
from typing import NamedTuple

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

__all__ = ["Columnwise", "Plain"]


class Plain(NamedTuple):
    """A column that stays as it is."""

    def columns(self, x):
        """Columns (n, 1) of a column (n,)."""
        return x[:, None]

    def names(self, name):
        """Names of the columns, from that of the column."""
        return [name]

    @property
    def pieces(self):
        """`Pieces` of the columns; None of one that stays as it is."""
        return None

    @property
    def curved(self):
        """Whether the columns make one curve, which their names do not write as a formula."""
        return False


class Columnwise(TransformerMixin, BaseEstimator, ABC):
    """A transformer that looks at one column at a time.

    A subclass says what becomes of a column, in `_map`: an object with the methods of `Plain`.
    """

    def fit(self, X, y=None, sample_weight=None):
        """Learn from the columns of a table.

        Parameters
        ----------
        X : array-like or data frame of shape (n, p)
        y : ignored
        sample_weight : array-like of shape (n,) or None
            Not negative; a weight of 2 is the same as the row twice.

        Returns
        -------
        self
        """
        self._check()
        X = validate_data(self, X, dtype=np.float64)
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        kept = weight > 0
        if not kept.any():
            raise ValueError("sample_weight is zero everywhere; at least one row needs a positive weight.")
        X, weight = (X, weight) if kept.all() else (X[kept], weight[kept])
        self.maps_ = [self._map(x, weight) for x in X.T]
        return self

    def transform(self, X):
        """The columns that are made of those of a table.

        Parameters
        ----------
        X : array-like or data frame of shape (n, p)

        Returns
        -------
        ndarray of shape (n, q)
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        return np.concatenate([one.columns(x) for one, x in zip(self.maps_, X.T, strict=True)], axis=1)

    def get_feature_names_out(self, input_features=None):
        """Names of the columns of `transform`.

        Parameters
        ----------
        input_features : array-like of str or None
            Names of the columns of X; None takes those of the fit, or x0, x1, ...

        Returns
        -------
        ndarray of str
        """
        check_is_fitted(self)
        given = getattr(self, "feature_names_in_", None)
        if input_features is None:
            input_features = [f"x{j}" for j in range(self.n_features_in_)] if given is None else given
        elif given is not None and not np.array_equal(given, input_features):
            raise ValueError("input_features is not equal to feature_names_in_")
        if len(input_features) != self.n_features_in_:
            raise ValueError(
                f"input_features should have length equal to number of features ({self.n_features_in_}), got "
                f"{len(input_features)}"
            )
        return np.array([name for several in self.named(input_features) for name in several], dtype=object)

    def named(self, names):
        """For every column of X, whose names are given, the names of what is made of it, as a list of lists."""
        return [one.names(name) for one, name in zip(self.maps_, names, strict=True)]

    @abstractmethod
    def _check(self):
        """Refuse hyper-parameters out of range."""

    @abstractmethod
    def _map(self, x, weight):
        """What becomes of a column (n,) whose rows have positive weights (n,)."""
