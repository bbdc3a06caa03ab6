"""Our stacks, and what the fit of one gives beside: the linear stack of the same models, controls, the models alone."""

import time

import numpy as np
from sklearn.linear_model import LogisticRegression, RidgeCV

import hme

from .noise import constant_noise
from .scores import Part, Prediction

__all__ = ["fit_class_stacking", "fit_stacking", "linear_class_stack", "linear_stack"]


def _fitted(kind, training):
    """A fitted stack, CPU seconds of its models by their names, and those of the whole fit."""
    groups = {} if training.groups is None else {"groups": training.groups}
    begin = time.process_time()
    stack = kind().fit(training.X, training.y, **groups)
    return stack, stack.seconds_, time.process_time() - begin


def _timed(function, *arguments):
    begin = time.process_time()
    result = function(*arguments)
    return result, time.process_time() - begin


def _other_rows(dist):
    """The same experts with the gate's answers for other rows."""
    return dist.given(np.random.default_rng(0).permutation(dist.weights))


# -- regression --------------------------------------------------------------------------------------------------------


def linear_stack(stack, y):
    """What StackingRegressor makes of the models of a fitted stack; noise from errors on the folds, in both levels."""
    predicted = stack.cross_fitted_predictions_
    errors = np.full(len(y), np.nan)
    for train, test in stack.folds_:
        errors[test] = y[test] - RidgeCV().fit(predicted[train], y[train]).predict(predicted[test])
    ridge = RidgeCV().fit(predicted, y)
    return constant_noise(lambda X: ridge.predict(stack.predict_models(X)), errors)


def fit_stacking(training):
    stack, seconds, whole = _fitted(hme.HMEStackingRegressor, training)
    y, models, predicted = training.y, sum(seconds.values()), stack.cross_fitted_predictions_
    linear, own = _timed(linear_stack, stack, y)

    def mixed(X):
        dist = stack.predict_dist(X)
        return Prediction(dist.mean(), dist)

    def permuted(X):
        dist = _other_rows(stack.predict_dist(X))
        return Prediction(dist.mean(), dist)

    parts = {
        "hme_stacking": Part(mixed, whole, models),
        "stack": Part(linear, models + own, models),
        "average": Part(
            constant_noise(lambda X: stack.predict_models(X).mean(axis=1), y - predicted.mean(axis=1)), models, models
        ),
        "permuted_gate": Part(permuted, whole, models),
    }
    for m, (name, model) in enumerate(zip(stack.names_, stack.estimators_, strict=True)):
        parts[f"model_{name}"] = Part(constant_noise(model.predict, y - predicted[:, m]), seconds[name], seconds[name])
    return parts


# -- classes -----------------------------------------------------------------------------------------------------------


def _class_columns(predicted):
    """Columns of the models' probabilities as StackingClassifier makes them: of two classes, the second one's."""
    return predicted[:, :, 1] if predicted.shape[2] == 2 else predicted.reshape(len(predicted), -1)


def linear_class_stack(stack, y):
    """What StackingClassifier makes of the models of a fitted stack."""
    final = LogisticRegression(max_iter=1000).fit(_class_columns(stack.cross_fitted_predictions_), y)
    return lambda X: final.predict_proba(_class_columns(stack.predict_models(X)))


def fit_class_stacking(training):
    stack, seconds, whole = _fitted(hme.HMEStackingClassifier, training)
    models = sum(seconds.values())
    linear, own = _timed(linear_class_stack, stack, training.y)
    parts = {
        "hme_stacking": Part(stack.predict_proba, whole, models),
        "stack": Part(linear, models + own, models),
        "average": Part(lambda X: stack.predict_models(X).mean(axis=1), models, models),
        "permuted_gate": Part(lambda X: _other_rows(stack.predict_dist(X)).probabilities(), whole, models),
    }
    for name, model in zip(stack.names_, stack.estimators_, strict=True):
        parts[f"model_{name}"] = Part(model.predict_proba, seconds[name], seconds[name])
    return parts
