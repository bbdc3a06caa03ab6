"""What the models are fitted to: tables, targets, weights, and what else goes with the rows."""

from typing import Any, NamedTuple

import numpy as np
from sklearn import get_config
from sklearn.utils import _safe_indexing
from sklearn.utils.metadata_routing import process_routing
from sklearn.utils.validation import _check_sample_weight, check_consistent_length, validate_data

from ..estimators.reading import as_table

__all__ = ["Sources", "read"]


class Sources(NamedTuple):
    """What the models are fitted to: rows of positive weight.

    Attributes
    ----------
    table : data frame, ndarray or sparse matrix of shape (n, p)
    y : ndarray of shape (n,)
        As the user gave it; classes keep their labels.
    weight : ndarray of shape (n,)
    weighted : bool
        Whether the user gave weights, so that the models must be given them.
    classes : ndarray of shape (C,) or None
    arguments : dict of dict
        What else the `fit` of each model is given, by its name (metadata routing): arrays aligned with the rows.
    """

    table: Any
    y: np.ndarray
    weight: np.ndarray
    weighted: bool
    classes: Any
    arguments: dict

    def at(self, index):
        """The rows of an index."""
        arguments = {
            name: {key: _safe_indexing(value, index) for key, value in own.items()}
            for name, own in self.arguments.items()
        }
        table = _safe_indexing(self.table, index)
        return Sources(table, self.y[index], self.weight[index], self.weighted, self.classes, arguments)


def read(stack, X, y, sample_weight, groups, fit_params):
    """Validate what the `fit` of a stack is given.

    Parameters
    ----------
    stack : HMEStackingRegressor or HMEStackingClassifier
        Its `n_features_in_`, `feature_names_in_` and `classes_` are set.
    X, y, sample_weight, groups, fit_params
        As in its `fit`.

    Returns
    -------
    sources : Sources
    groups : ndarray of shape (n,) or None
        Of the same rows.
    kept : ndarray of int of shape (n,)
        Which rows of the user these are.
    """
    table = as_table(X)
    if len(table.shape) != 2:
        raise ValueError(f"Expected 2D array, got X of shape {table.shape} instead. Reshape your data.")
    for size, what in zip(table.shape, ("sample(s)", "feature(s)"), strict=True):
        if size < 1:
            raise ValueError(
                f"X has shape {table.shape}: 0 {what} (shape={table.shape}) while a minimum of 1 is required."
            )
    validate_data(stack, table, skip_check_array=True)
    y = stack.read_target(y)
    check_consistent_length(table, y, groups)
    weight = _check_sample_weight(sample_weight, y, dtype=np.float64, ensure_non_negative=True)
    kept = np.flatnonzero(weight > 0)
    if not len(kept):
        raise ValueError("sample_weight is zero everywhere; at least one row needs a positive weight.")
    stack.read_classes(y[kept])
    arguments = _routed(stack, sample_weight, groups, fit_params)
    sources = Sources(table, y, weight, sample_weight is not None, getattr(stack, "classes_", None), arguments)
    return sources.at(kept), None if groups is None else np.asarray(groups)[kept], kept


def _routed(stack, sample_weight, groups, fit_params):
    """What the `fit` of each model is given beside rows and weights, by its name."""
    if not get_config()["enable_metadata_routing"]:
        if fit_params:
            raise TypeError(
                f"fit got unexpected arguments {sorted(fit_params)}; models get such arguments by scikit-learn's "
                "metadata routing only: sklearn.set_config(enable_metadata_routing=True), and set_fit_request of the "
                "model."
            )
        return {}
    given = {"sample_weight": sample_weight, "groups": groups, **fit_params}
    routed = process_routing(stack, "fit", **{name: value for name, value in given.items() if value is not None})
    return {name: dict(routed[name]["fit"]) for name, _ in stack.pairs() if name in routed}
