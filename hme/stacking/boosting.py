"""Boosting whose rate, size of trees and number of trees are chosen on the folds, within a budget of trees."""

import numpy as np
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from ..model.refits import fit_to

__all__ = ["chosen_boosting"]

SIZES = (4, 10, 31)  # leaves of a tree
LEAST = (5, 20)  # rows of a leaf
RATE, SLOW = 0.1, 0.03
MOST_TREES = 250  # of a fit at the larger rate; of several classes together
LEAST_TREES = 40
SEARCHED = 2  # folds
PARTS = 6  # in which trees are added
TINY = 1e-15  # added to probabilities


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
    """The smallest mean loss over the numbers of trees, and the model with that number.

    Trees are added by the part; when the last part has brought nothing, no more are.
    """
    most, part = model.max_iter, max(model.max_iter // PARTS, 1)
    fits = [clone(model).set_params(warm_start=True) for _ in folds]
    for size in range(part, most + part, part):
        total = 0.0
        for fit, (train, test) in zip(fits, folds, strict=True):
            fit.set_params(max_iter=min(size, most))
            weight = {"sample_weight": sources.weight[train]} if sources.weighted else {}  # makes binning slow
            fit_to(fit, columns[train], sources.y[train], **weight)
            total = total + _losses(fit, columns[test], sources.y[test], sources.weight[test])
        number = int(np.argmin(total))
        if number < size - part:
            break
    weight = sum(sources.weight[test].sum() for _, test in folds)
    return total[number] / weight, clone(model).set_params(max_iter=number + 1)


def _losses(model, X, y, weight):
    """Sums over the rows of the loss after every number of trees."""
    if not hasattr(model, "classes_"):
        return np.array([weight @ (y - predicted) ** 2 for predicted in model.staged_predict(X)])
    place = np.searchsorted(model.classes_, y)
    known = np.isin(y, model.classes_)  # a class that the other folds lack costs every number of trees the same
    rows, place, weight = np.flatnonzero(known), place[known], weight[known]
    return np.array([-(weight @ np.log(p[rows, place] + TINY)) for p in model.staged_predict_proba(X)])
