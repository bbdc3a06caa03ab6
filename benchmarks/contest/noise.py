"""What the errors of a point prediction are, from rows that the model has not seen."""

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import KFold, cross_val_predict, train_test_split

from .scores import NormalPrediction, Prediction

__all__ = ["FOLDS", "constant_noise", "fit_with_folds", "fit_with_held_out"]

FOLDS = KFold(5, shuffle=True, random_state=0)


def constant_noise(predict, errors):
    """A method's answer: predicted means with normal noise of constant variance, the mean square of some errors."""
    std = np.sqrt(np.mean(np.square(errors)))

    def answer(X):
        mean = np.ravel(predict(X))
        return Prediction(mean, NormalPrediction(mean, std))

    return answer


def fit_with_folds(model, training):
    """Fit a model to all rows; its noise is that of five folds."""
    X, y, _ = training
    errors = y - np.ravel(cross_val_predict(model, X, y, cv=FOLDS))
    return constant_noise(clone(model).fit(X, y).predict, errors)


def fit_with_held_out(model, training):
    """Fit a model to all rows; its noise is that on a fifth, predicted by a fit to the others."""
    X, X_out, y, y_out = train_test_split(training.X, training.y, test_size=0.2, random_state=0)
    errors = y_out - np.ravel(clone(model).fit(X, y).predict(X_out))
    return constant_noise(clone(model).fit(training.X, training.y).predict, errors)
