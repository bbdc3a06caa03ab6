"""What families that are fitted anew in each sweep have in common, experts and gates."""

from inspect import signature

import numpy as np
from sklearn import config_context
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.utils import _safe_indexing, get_tags
from sklearn.utils.validation import has_fit_parameter

__all__ = ["STEP", "Refitted", "fit_to", "name_of", "resample", "rows_of", "seeded", "size_of", "tag_of", "weight_name"]

# Of a row: responsibilities are rounded to multiples of it, so that sums over rows have no rounding. Splits of a small
# tree are often equally good; rounding that depends on the order of rows, or on how a weight is written, would decide.
STEP = 2.0**-20
SEED = 0  # for estimators that draw, so that two sweeps differ by their weights only


class Refitted:
    """Verbs of a family that is fitted anew on all rows: its "statistics" are the responsibilities themselves."""

    def statistics(self, params, rows, resp, seen=None):
        return resp.copy()

    def add(self, a, b):
        return b if a is None else np.concatenate([a, b])

    def update(self, params, stats, rows=None):
        return self.fit(rows, stats)

    def init(self, rows, resp):
        return self.fit(rows, resp)

    def interpolate(self, old, new, step):
        return old  # fitted estimators cannot be mixed


def seeded(estimator):
    """The estimator with a number for every `random_state` that is None; it is changed."""
    unset = {
        name: SEED
        for name, value in estimator.get_params().items()
        if name.rpartition("__")[2] == "random_state" and value is None
    }
    return estimator.set_params(**unset) if unset else estimator


def weight_name(estimator):
    """The keyword under which an estimator's `fit` takes the weights of rows, None if it takes none."""
    if has_fit_parameter(estimator, "sample_weight"):
        return "sample_weight"
    if isinstance(estimator, Pipeline):
        name, last = estimator.steps[-1]
        inner = None if isinstance(last, str) or last is None else weight_name(last)
        return None if inner is None else f"{name}__{inner}"
    # Searches and transformed targets hand on what they are given.
    inner = getattr(estimator, "estimator", getattr(estimator, "regressor", None))
    takes_any = any(kind.kind is kind.VAR_KEYWORD for kind in signature(estimator.fit).parameters.values())
    return weight_name(inner) if takes_any and hasattr(inner, "fit") and not isinstance(inner, type) else None


def fit_to(estimator, X, y, **arguments):
    """Fit an estimator without metadata routing, which is for the whole model, in whatever thread it runs."""
    with config_context(enable_metadata_routing=False):
        return estimator.fit(X, y, **arguments)


def resample(weight, n_draws):
    """Numbers (n_draws,) of rows in proportion to their weights (n,), without chance, eq. (systematic).

    At even steps of the cumulated weight, so that each row comes as often as its share of `n_draws`, rounded down or
    up.
    """
    edge = np.cumsum(weight)
    # Off the edges, where rounding would decide.
    point = (np.arange(n_draws) + 0.5) * (edge[-1] / n_draws) * (1.0 - 1e-12)
    return np.minimum(np.searchsorted(edge, point), len(edge) - 1)


def tag_of(estimator, read):
    """A tag of an estimator, or None where it has none."""
    try:
        return read(get_tags(estimator))
    except (AttributeError, TypeError, ValueError):
        return None


def rows_of(X, index):
    """Rows of a table by their numbers; the table itself where it is all of them."""
    return X if len(index) == X.shape[0] and (np.diff(index) == 1).all() else _safe_indexing(X, index)


def size_of(estimator, n_outputs):
    """Free numbers of a fitted estimator, as far as they can be counted."""
    if isinstance(estimator, Pipeline):
        return size_of(estimator[-1], n_outputs)
    if hasattr(estimator, "get_n_leaves"):
        per_leaf = len(estimator.classes_) - 1 if hasattr(estimator, "classes_") else n_outputs
        return int(estimator.get_n_leaves()) * per_leaf
    try:
        return sum(np.size(getattr(estimator, name)) for name in ("coef_", "intercept_") if hasattr(estimator, name))
    except (AttributeError, TypeError, ValueError):
        return 0


def name_of(estimator):
    """An estimator in a few words."""
    if isinstance(estimator, FrozenEstimator):
        return f"frozen {name_of(estimator.estimator)}"
    if isinstance(estimator, Pipeline):
        return " | ".join(name_of(step) for _, step in estimator.steps)
    if isinstance(estimator, DecisionTreeRegressor | DecisionTreeClassifier):
        return f"tree of {estimator.get_n_leaves()} leaves"
    return type(estimator).__name__
