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
    routed : bool
        Whether it is the models' requests that say which of them are given weights.
    """

    table: Any
    y: np.ndarray
    weight: np.ndarray
    weighted: bool
    classes: Any
    arguments: dict
    routed: bool

    def at(self, index):
        """The rows of an index."""
        arguments = {
            name: {key: _safe_indexing(value, index) for key, value in own.items()}
            for name, own in self.arguments.items()
        }
        table = _safe_indexing(self.table, index)
        return self._replace(table=table, y=self.y[index], weight=self.weight[index], arguments=arguments)


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
    kept : ndarray of bool of shape (n,)
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
    if y is None:
        raise ValueError(f"{type(stack).__name__} requires y to be passed, but the target y is None.")
    y = stack._read_target(y)
    check_consistent_length(table, y, groups)
    weight = _check_sample_weight(sample_weight, y, dtype=np.float64, ensure_non_negative=True)
    kept = weight > 0
    if not kept.any():
        raise ValueError("sample_weight is zero everywhere; at least one row needs a positive weight.")
    stack._learn_values(y[kept])
    arguments = _routed(stack, sample_weight, groups, fit_params)
    routed = get_config()["enable_metadata_routing"] and stack.estimators is not None
    classes = getattr(stack, "classes_", None)
    sources = Sources(table, y, weight, sample_weight is not None, classes, arguments, routed)
    return sources.at(np.flatnonzero(kept)), None if groups is None else np.asarray(groups)[kept], kept


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
    given = {name: value for name, value in given.items() if value is not None}
    if not given:
        return {}
    routed = process_routing(stack, "fit", **given)
    return {name: dict(routed[name]["fit"]) for name, model in stack._pairs() if not isinstance(model, str)}
