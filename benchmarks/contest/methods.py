"""The methods of the contest, in the order in which they run, cheap ones first, and which of them are ranked."""

from collections.abc import Callable
from typing import NamedTuple

from . import classification, ours, regression, stacks
from .searches import SPACE

__all__ = ["CONTROLS", "LINEAR_STACK", "METHODS", "MODELS", "OURS", "POOL", "STACKING", "TUNED", "Method", "words_of"]

STACKING, LINEAR_STACK, TUNED = "hme_stacking", "stack", "histograms_tuned"
# Rows that the fit of our stack gives beside its own: the linear stack, two controls, and the models alone.
LINEAR = "scikit-learn's stacking of the same models as ours on the same folds, which ends in {} (its default)"
LINEAR_WORDS = {"regression": LINEAR.format("RidgeCV"), "classes": LINEAR.format("logistic regression")}
CONTROLS = {
    "average": "the models of the stacks, averaged",
    "permuted_gate": "HME stacking, the gate's answers for a row given to another row",
}
MODELS = {
    "regression": ("model_boosting", "model_extra_trees", "model_ridge", "model_hme", "model_gaussian_process"),
    "classes": ("model_boosting", "model_extra_trees", "model_logistic", "model_hme"),
}


def beside(task):
    """Names of the rows that the fit of our stack gives beside its own."""
    return (LINEAR_STACK, *CONTROLS, *MODELS[task])


class Method(NamedTuple):
    """One way to predict.

    `fit` takes `Training` and returns a function of X, whose answer is a prediction; or a dictionary of `Part` by the
    names of rows: the method's own, and those of `beside`. A change of settings adds one to `revision`: rows of other
    revisions no longer count.
    """

    name: str
    words: str
    package: str
    fit: Callable
    beside: tuple = ()
    revision: int = 1


TUNING = f"25 random settings on one fifth held out, the best one fitted to all rows ({SPACE})".replace("\n", " ")
METHODS = {
    "regression": (
        Method("ridge", "ridge, penalty by generalised cross-validation", "scikit-learn", regression.ridge),
        Method("lightgbm", "LightGBM, defaults", "lightgbm", regression.lightgbm),
        Method("histograms", "HistGradientBoosting, defaults", "scikit-learn", regression.histograms),
        Method(
            "lightgbm_pair",
            "two LightGBM models, for mean and log-variance, the second from cross-fitted errors",
            "lightgbm",
            regression.lightgbm_pair,
        ),
        Method("catboost", "CatBoost with uncertainty, 500 trees of depth 6", "catboost", regression.catboost),
        Method("random_forest", "random forest, 200 trees", "scikit-learn", regression.random_forest),
        Method("extra_trees", "extra trees, 200 trees", "scikit-learn", regression.extra_trees),
        Method("lightgbm_tuned", f"LightGBM, {TUNING}", "lightgbm", regression.lightgbm_tuned),
        Method("histograms_tuned", f"HistGradientBoosting, {TUNING}", "scikit-learn", regression.histograms_tuned),
        Method(
            "gaussian_process",
            "Gaussian process, Matern kernel with a length for each column, on at most 2,000 rows drawn at random, the "
            "kernel learned from 1,000 of these",
            "scikit-learn",
            regression.gaussian_process,
        ),
        Method("cubist", "Cubist, 20 committees, 5 neighbours", "cubist", regression.cubist),
        Method("hme", "`HMERegressor()`", "hme", ours.fit_mixture),
        Method("hme_cv", "`HMERegressorCV()`", "hme", ours.fit_mixture_cv),
        Method("hme_stacking", "`HMEStackingRegressor()`", "hme", stacks.fit_stacking, beside("regression")),
        Method("ngboost", "NGBoost, normal distribution, defaults", "ngboost", regression.ngboost),
        Method("explainable_boosting", "EBM of interpret, defaults", "interpret-core", regression.explainable_boosting),
    ),
    "classes": (
        Method("logistic", "logistic regression", "scikit-learn", classification.logistic),
        Method("random_forest", "random forest, 200 trees", "scikit-learn", classification.random_forest),
        Method("extra_trees", "extra trees, 200 trees", "scikit-learn", classification.extra_trees),
        Method("lightgbm", "LightGBM, defaults", "lightgbm", classification.lightgbm),
        Method("histograms", "HistGradientBoosting, defaults", "scikit-learn", classification.histograms),
        Method("catboost", "CatBoost, 500 trees of depth 6", "catboost", classification.catboost),
        Method("histograms_tuned", f"HistGradientBoosting, {TUNING}", "scikit-learn", classification.histograms_tuned),
        Method("hme", "`HMEClassifier()`", "hme", ours.fit_class_mixture),
        Method("hme_stacking", "`HMEStackingClassifier()`", "hme", stacks.fit_class_stacking, beside("classes")),
    ),
}
OURS = ("hme", "hme_cv", "hme_stacking")
# Fixed before any row was run; `LEFT_OUT` of words.py gives the reasons.
POOL = {
    "regression": (
        "ridge", "histograms", "histograms_tuned", "lightgbm_tuned", "lightgbm_pair", "catboost", "extra_trees",
        "cubist", "gaussian_process", "stack", "hme", "hme_stacking",
    ),
    "classes": (*(method.name for method in METHODS["classes"]), LINEAR_STACK),
}  # fmt: skip


def words_of(task, name):
    """What a method is, in words."""
    words = {method.name: method.words for method in METHODS[task]} | CONTROLS | {LINEAR_STACK: LINEAR_WORDS[task]}
    return words[name]
