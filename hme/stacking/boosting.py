"""Boosting whose rate, size of trees and number of trees are chosen on the folds, within a budget of trees."""

import numpy as np
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import log_loss

from ..model.refits import fit_to

__all__ = ["chosen_boosting"]

SIZES = (4, 10, 31)  # leaves of a tree
LEAST = (5, 20)  # rows of a leaf
RATE, SLOW = 0.1, 0.03
MOST_TREES = 250  # of a fit at the larger rate; of several classes together
LEAST_TREES = 40
SEARCHED = 2  # folds


def chosen_boosting(sources, folds, columns, random_state):
    """The best of a few settings of scikit-learn's boosting of histograms, not fitted.

    All sizes of trees and of leaves are tried at one rate on `SEARCHED` folds, with the number of trees that is best on
    their rows; then the best of them at a slower rate with more trees: 14 fits of at most `MOST_TREES` trees at the
    larger rate.

    Parameters
    ----------
    sources : Sources
    folds : list of (train, test)
    columns : ndarray or sparse matrix of shape (n, q)
        Prepared columns.
    random_state : int

    Returns
    -------
    HistGradientBoostingRegressor or HistGradientBoostingClassifier
    """
    columns = columns.toarray() if hasattr(columns, "toarray") else columns
    kind = HistGradientBoostingRegressor if sources.classes is None else HistGradientBoostingClassifier
    n_series = 1 if sources.classes is None or len(sources.classes) == 2 else len(sources.classes)
    most = max(MOST_TREES // n_series, LEAST_TREES)
    base = kind(early_stopping=False, random_state=random_state)
    searched = folds[:SEARCHED]
    fast = [
        base.set_params(max_leaf_nodes=size, min_samples_leaf=least, learning_rate=RATE, max_iter=most).get_params()
        for size in SIZES
        for least in LEAST
    ]
    best = min((_tried(kind(**setting), sources, searched, columns) for setting in fast), key=lambda tried: tried[0])
    slow = clone(best[1]).set_params(learning_rate=SLOW, max_iter=int(best[1].max_iter * 1.5 * RATE / SLOW))
    return min(best, _tried(slow, sources, searched, columns), key=lambda tried: tried[0])[1]


def _tried(model, sources, folds, columns):
    """The smallest mean loss over the numbers of trees, and the model with that number."""
    total, weight = 0.0, 0.0
    for train, test in folds:
        fitted = fit_to(clone(model), columns[train], sources.y[train], sample_weight=sources.weight[train])
        total = total + _losses(fitted, columns[test], sources.y[test], sources.weight[test])
        weight += sources.weight[test].sum()
    number = int(np.argmin(total))
    return total[number] / weight, clone(model).set_params(max_iter=number + 1)


def _losses(model, X, y, weight):
    """Sums over the rows of the loss after every number of trees."""
    if hasattr(model, "classes_"):
        stages = (log_loss(y, p, sample_weight=weight, labels=model.classes_) for p in model.staged_predict_proba(X))
        return weight.sum() * np.array(list(stages))
    return np.array([weight @ (y - predicted) ** 2 for predicted in model.staged_predict(X)])
