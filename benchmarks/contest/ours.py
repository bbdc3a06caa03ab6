"""Our own estimators, with their defaults."""

import numpy as np

import hme

from .scores import Prediction

__all__ = ["fit_class_mixture", "fit_class_stacking", "fit_mixture", "fit_stacking"]


def fit_mixture(training):
    model = hme.HMERegressor().fit(training.X, training.y)
    return lambda X: Prediction(model.predict(X), model.predict_dist(X))


def fit_class_mixture(training):
    return hme.HMEClassifier().fit(training.X, training.y).predict_proba


def _other_rows(dist):
    """The same experts with the gate's answers for other rows."""
    return dist.given(np.random.default_rng(0).permutation(dist.weights))


def fit_stacking(training):
    model = hme.HMEStackingRegressor().fit(training.X, training.y)

    def answer(X):
        dist = model.predict_dist(X)
        permuted = _other_rows(dist)
        return {
            "hme_stacking": Prediction(model.predict(X), dist),
            "permuted_gate": Prediction(permuted.mean(), permuted),
        }

    return answer


def fit_class_stacking(training):
    groups = {} if training.groups is None else {"groups": training.groups}
    model = hme.HMEStackingClassifier().fit(training.X, training.y, **groups)

    def answer(X):
        permuted = _other_rows(model.predict_dist(X))
        return {"hme_stacking": model.predict_proba(X), "permuted_gate": permuted.probabilities()}

    return answer
