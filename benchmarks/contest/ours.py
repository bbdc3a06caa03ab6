"""Our mixtures of experts, with their defaults."""

import hme

from .scores import Prediction

__all__ = ["fit_class_mixture", "fit_mixture", "fit_mixture_cv"]


def fit_mixture(training):
    model = hme.HMERegressor().fit(training.X, training.y)
    return lambda X: Prediction(model.predict(X), model.predict_dist(X))


def fit_mixture_cv(training):
    model = hme.HMERegressorCV().fit(training.X, training.y)
    return lambda X: Prediction(model.predict(X), model.predict_dist(X))


def fit_class_mixture(training):
    return hme.HMEClassifier().fit(training.X, training.y).predict_proba
