"""Peers for classes: functions of training rows that return a function of X, whose answer are probabilities (n, C)."""

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from .searches import tuned_histograms


def _fitted(model, training):
    return model.fit(training.X, training.y).predict_proba


def logistic(training):
    return _fitted(make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)), training)


def histograms(training):
    return _fitted(HistGradientBoostingClassifier(random_state=0), training)


def histograms_tuned(training):
    return _fitted(tuned_histograms(training, True), training)


def lightgbm(training):
    from lightgbm import LGBMClassifier

    return _fitted(LGBMClassifier(n_jobs=1, verbose=-1, random_state=0), training)


def catboost(training):
    from catboost import CatBoostClassifier

    loss = "MultiClass" if len(np.unique(training.y)) > 2 else "Logloss"
    return _fitted(
        CatBoostClassifier(
            iterations=500,
            depth=6,
            loss_function=loss,
            random_seed=0,
            thread_count=1,
            verbose=False,
            allow_writing_files=False,
        ),
        training,
    )


def extra_trees(training):
    return _fitted(ExtraTreesClassifier(200, random_state=0), training)


def random_forest(training):
    return _fitted(RandomForestClassifier(200, random_state=0), training)
