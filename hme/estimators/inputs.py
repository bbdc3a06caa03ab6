"""What `fit` is given, validated: tables, targets, weights, and the other arguments that go with the rows."""

from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils import _safe_indexing, check_X_y
from sklearn.utils.validation import _check_sample_weight, validate_data

from ..model.cells import plain
from ..model.features import Tables, Views
from ..registry import make_expert, make_gate
from .reading import NotNumbers, as_table, numbers_of
from .row_arguments import ONE_WEIGHT, check_constant, group_codes, row_argument
from .settings import is_automatic
from .target import TARGETS

__all__ = ["Given", "read", "unchanged_on_error"]


@contextmanager
def unchanged_on_error(estimator):
    """A fit that fails leaves the estimator as it was, with its earlier fit; its error shows values in plain types."""
    before = dict(vars(estimator))
    try:
        yield
    except BaseException as error:
        vars(estimator).clear()
        vars(estimator).update(before)
        error.args = tuple(plain(text) if isinstance(text, str) else text for text in error.args)
        raise


class Given(NamedTuple):
    """What a fit is given: the families, and the rows of positive weight. Only `kept` and `labels` are of all rows."""

    expert: Any
    gate: Any
    views: Views
    tables: Tables
    target: Any  # Outputs or Classes
    y: np.ndarray  # (n, T) or class codes (n,)
    weight: np.ndarray  # (n,)
    arguments: dict  # offset and trials, (n,) or None
    groups: Any  # codes (n,) or None
    kept: np.ndarray  # which of the user's rows have a positive weight
    labels: Any  # as the user gave them, to be checked when the number of leaves is known


def read(model, X, y, sample_weight, groups, labels, **arguments):
    """Validate what an estimator's `fit` is given.

    Parameters
    ----------
    model : HMERegressor or HMEClassifier
        Its `n_features_in_` and `feature_names_in_` are set.
    X, y, sample_weight, groups, labels, **arguments
        As in its `fit`.

    Returns
    -------
    Given
    """
    expert, gate = make_expert(model.expert, model.task, is_automatic(model)), make_gate(model.gate)
    target = TARGETS[model.task]
    views = Views.of(expert, gate, model.expert_features, model.gate_features, list(getattr(X, "columns", ())))
    tables, views, y = _tables(model, views, X, y, target.validation(y, expert))
    target.check_type(y)
    weight = _check_sample_weight(sample_weight, y, dtype=np.float64, ensure_non_negative=True)
    factors = model.class_factors(y, weight)
    weight = weight * factors
    arguments = {name: row_argument(name, value, len(y)) for name, value in arguments.items()}
    codes = group_codes(groups, len(y))
    if codes is not None:
        check_constant("sample_weight" if (factors == 1.0).all() else "class_weight", weight, codes, ONE_WEIGHT)
    kept, every = weight > 0, y
    if not kept.any():
        raise ValueError("sample_weight is zero everywhere; at least one row needs a positive weight.")
    if not kept.all():  # rows without weight must not influence anything
        index = np.flatnonzero(kept)
        tables = Tables(*(None if table is None else _safe_indexing(table, index) for table in tables))
        y, weight = y[kept], weight[kept]
        arguments = {name: None if values is None else values[kept] for name, values in arguments.items()}
        codes = None if codes is None else codes[kept]
    target, y = target.fit(y, expert, every)
    return Given(expert, gate, views, tables, target, y, weight, arguments, codes, kept, labels)


def _tables(model, views, X, y, checks):
    """The tables that the sides take their columns from, the views of them, and y, validated."""
    table = as_table(X)
    if views.all_pick:
        if len(table.shape) != 2:
            raise ValueError(f"Expected 2D array, got X of shape {table.shape} instead.")
        y = check_X_y(np.zeros((table.shape[0], 1)), y, **checks)[1]  # scikit-learn's checks of y alone
        validate_data(model, table, skip_check_array=True)
        return Tables.of(table, None, views), views, y
    try:
        numbers, y = numbers_of(model, X, y, dtype=views.dtypes, **checks)
    except NotNumbers as error:
        if not views.any_picks:
            raise
        if views.experts_follow and views.gate_is_blind:  # only the experts' estimators look at X
            return _tables(model, views._replace(experts_pick=True, gate_picks=True), X, y, checks)
        side = "expert" if views.gate_picks else "gate"
        raise NotNumbers(f"{error} Here the {side} sees all columns of X; give {side}_features too.") from error
    return Tables.of(table, numbers, views), views, y
