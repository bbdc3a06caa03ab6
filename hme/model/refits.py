"""Shared by the experts and gates that are refitted from scratch in every sweep."""

from inspect import signature

import numpy as np
from sklearn import config_context
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.utils import _safe_indexing, get_tags
from sklearn.utils.validation import has_fit_parameter

__all__ = ["STEP", "Refitted", "fit_to", "name_of", "resample", "rows_of", "seeded", "size_of", "tag_of", "weight_name"]

# Responsibilities are rounded to multiples of this, so that sums over rows are free of round-off. Splits of a small
# tree are often equally good, and round-off, which depends on the order of the rows, would decide between them.
STEP = 2.0**-20
SEED = 0  # seed of estimators that use random numbers, so that the fits of two sweeps differ by their weights only


class Refitted:
    """Methods of a family that is refitted to all rows in every sweep: its statistics are the responsibilities."""

    def statistics(self, params, rows, resp, seen=None):
        return resp.copy()

    def add(self, a, b):
        return b if a is None else np.concatenate([a, b])

    def update(self, params, stats, rows=None):
        return self.fit(rows, stats)

    def init(self, rows, resp):
        return self.fit(rows, resp)

    def interpolate(self, old, new, step):
        return old  # fitted estimators cannot be interpolated


def seeded(estimator):
    """Set every `random_state` of the estimator that is None to a fixed seed, in place; return the estimator."""
    unset = {
        name: SEED
        for name, value in estimator.get_params().items()
        if name.rpartition("__")[2] == "random_state" and value is None
    }
    return estimator.set_params(**unset) if unset else estimator


def weight_name(estimator):
    """The keyword argument under which an estimator's `fit` takes row weights; None if it takes none."""
    if has_fit_parameter(estimator, "sample_weight"):
        return "sample_weight"
    if isinstance(estimator, Pipeline):
        name, last = estimator.steps[-1]
        inner = None if isinstance(last, str) or last is None else weight_name(last)
        return None if inner is None else f"{name}__{inner}"
    # Meta-estimators such as GridSearchCV and TransformedTargetRegressor pass their fit arguments on.
    inner = getattr(estimator, "estimator", getattr(estimator, "regressor", None))
    takes_any = any(kind.kind is kind.VAR_KEYWORD for kind in signature(estimator.fit).parameters.values())
    return weight_name(inner) if takes_any and hasattr(inner, "fit") and not isinstance(inner, type) else None


def fit_to(estimator, X, y, **arguments):
    """Fit an estimator with metadata routing disabled, since routing concerns the whole model; safe in threads."""
    with config_context(enable_metadata_routing=False):
        return estimator.fit(X, y, **arguments)


def resample(weight, n_draws):
    """Indices (n_draws,) of rows sampled in proportion to their weights (n,), deterministically, eq. (systematic).

    The rows are taken at equal steps of the cumulative weight, so that each occurs as often as its share of `n_draws`,
    rounded down or up.
    """
    edge = np.cumsum(weight)
    # Slightly smaller, so that no point falls on an edge, where round-off would decide.
    point = (np.arange(n_draws) + 0.5) * (edge[-1] / n_draws) * (1.0 - 1e-12)
    return np.minimum(np.searchsorted(edge, point), len(edge) - 1)


def tag_of(estimator, read):
    """A tag of an estimator, read by the function `read`; None if the estimator has no such tag."""
    try:
        return read(get_tags(estimator))
    except (AttributeError, TypeError, ValueError):
        return None


def rows_of(X, index):
    """Rows of a table by index, in the order given; the table itself, without a copy, if these are all of its rows."""
    return X if len(index) == X.shape[0] and (np.diff(index) == 1).all() else _safe_indexing(X, index)


def size_of(estimator, n_outputs, n_columns=0, n_aliased=0):
    """Number of free parameters of a fitted estimator, as far as it can be determined; else 0.

    Of linear models of `n_columns` columns, `n_aliased` of these are combinations of others and of the intercept.
    """
    if isinstance(estimator, Pipeline):
        return size_of(estimator[-1], n_outputs, n_columns, n_aliased)
    if hasattr(estimator, "get_n_leaves"):
        per_leaf = len(estimator.classes_) - 1 if hasattr(estimator, "classes_") else n_outputs
        return int(estimator.get_n_leaves()) * per_leaf
    try:
        size = sum(np.size(getattr(estimator, name)) for name in ("coef_", "intercept_") if hasattr(estimator, name))
        shape = np.shape(getattr(estimator, "coef_", 0.0))
        if n_aliased and shape[-1:] == (n_columns,) and getattr(estimator, "fit_intercept", True):
            size -= n_aliased * int(np.prod(shape[:-1]))
        return size
    except (AttributeError, TypeError, ValueError):
        return 0


def name_of(estimator):
    """A short description of an estimator."""
    if isinstance(estimator, FrozenEstimator):
        return f"frozen {name_of(estimator.estimator)}"
    if isinstance(estimator, Pipeline):
        return " | ".join(name_of(step) for _, step in estimator.steps)
    if isinstance(estimator, DecisionTreeRegressor | DecisionTreeClassifier):
        return f"tree of {estimator.get_n_leaves()} leaves"
    return type(estimator).__name__
