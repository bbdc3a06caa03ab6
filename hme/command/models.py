"""The models that are compared, and their scores on rows that were held out."""

import numpy as np
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import _safe_indexing

from ..estimators import HMEClassifier, HMERegressor

__all__ = ["models", "score"]


def models(problem, options):
    """The mixture and the models that it is compared with, a dict of names and pipelines."""
    seed = options.random_state
    if problem.task == "regression":
        mixture = HMERegressor(options.depth, random_state=seed)
        linear, boosting = make_pipeline(LinearRegression()), HistGradientBoostingRegressor(random_state=seed)
    else:
        mixture = HMEClassifier(options.depth, random_state=seed)
        linear = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        boosting = HistGradientBoostingClassifier(random_state=seed)
    steps = {type(mixture).__name__: mixture, type(linear[-1]).__name__: linear, type(boosting).__name__: boosting}
    return {name: make_pipeline(*map(clone, problem.fitted), model) for name, model in steps.items()}


def score(model, problem):
    """Two scores over all held-out rows: RMSE and mean log-likelihood, or accuracy and log loss."""
    first, log_density = [], []
    for train, test in problem.splits:
        X, X_test = (_safe_indexing(problem.X, rows) for rows in (train, test))
        fitted = clone(model).fit(X, problem.y[train])
        if problem.task == "regression":
            first.append((fitted.predict(X_test) - problem.y[test]) ** 2)
            log_density.append(_log_density(fitted, X, problem.y[train], X_test, problem.y[test]))
        else:
            probability = fitted.predict_proba(X_test)
            seen = np.searchsorted(fitted.classes_, problem.y[test])
            first.append(fitted.predict(X_test) == problem.y[test])
            tiny = np.finfo(float).eps
            log_density.append(np.log(np.maximum(probability[np.arange(len(test)), seen], tiny)))
    first, second = np.concatenate(first).mean(), np.concatenate(log_density).mean()
    return (np.sqrt(first), second) if problem.task == "regression" else (first, -second)


def _log_density(fitted, X, y, X_test, y_test):
    """log p(y | x) of held-out rows, of a mixture by its predictive density; for other models, a Gaussian with the
    variance of cross-validated residuals."""
    if hasattr(fitted[-1], "predict_dist"):
        seen = fitted[:-1].transform(X_test) if len(fitted) > 1 else X_test
        return fitted[-1].predict_dist(seen).log_likelihood(y_test)
    folds = KFold(5, shuffle=True, random_state=0)
    residual = y - cross_val_predict(clone(fitted), X, y, cv=folds)
    variance = max(np.mean(residual**2), 1e-12 * np.var(y))
    return -0.5 * (np.log(2.0 * np.pi * variance) + (y_test - fitted.predict(X_test)) ** 2 / variance)
