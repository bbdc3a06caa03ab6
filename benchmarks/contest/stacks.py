"""The linear stack of the models, and their average: one fit answers for both."""

import numpy as np
from sklearn.ensemble import StackingClassifier, StackingRegressor
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import GroupKFold, StratifiedKFold, cross_val_predict

from .models import stack_models
from .noise import FOLDS, constant_noise

__all__ = ["class_folds", "fit_class_stack", "fit_stack"]


class KeepingRidge(RidgeCV):
    """The ridge that stacking ends in by default, which keeps the errors on the cross-fitted predictions."""

    def fit(self, X, y, sample_weight=None):
        self.errors_ = y - cross_val_predict(RidgeCV(), X, y, cv=FOLDS)
        self.errors_of_mean_ = y - X.mean(axis=1)
        return super().fit(X, y, sample_weight)


def fit_stack(training):
    X, y, _ = training
    stack = StackingRegressor(stack_models(training, False), KeepingRidge(), cv=FOLDS).fit(X, y)
    final = stack.final_estimator_
    linear = constant_noise(final.predict, final.errors_)
    mean = constant_noise(lambda predicted: predicted.mean(axis=1), final.errors_of_mean_)

    def answer(X):
        predicted = stack.transform(X)
        return {"stack": linear(predicted), "average": mean(predicted)}

    return answer


def class_folds(training):
    """Five folds as pairs of row numbers, with whole groups where there are groups."""
    folds = StratifiedKFold(5, shuffle=True, random_state=0) if training.groups is None else GroupKFold(5)
    return list(folds.split(training.X, training.y, training.groups))


def fit_class_stack(training):
    X, y, _ = training
    stack = StackingClassifier(
        stack_models(training, True), LogisticRegression(max_iter=1000), cv=class_folds(training)
    )
    stack.fit(X, y)

    def answer(X):
        average = np.mean([model.predict_proba(X) for model in stack.estimators_], axis=0)
        return {"stack": stack.predict_proba(X), "average": average}

    return answer
