"""The methods of the contest, in the order in which they run, cheap ones first, and which of them are ranked."""

from collections.abc import Callable
from typing import NamedTuple

from . import classification, ours, regression, stacks
from .searches import SPACE

__all__ = ["CONTROLS", "LINEAR_STACK", "METHODS", "OURS", "POOL", "TUNED", "Method", "words_of"]

LINEAR_STACK, TUNED = "stack", "histograms_tuned"
CONTROLS = {  # rows that a method's fit gives beside its own
    "average": "the models of the stacks, averaged",
    "permuted_gate": "stacking, the gate's answers for a row given to another row",
}


class Method(NamedTuple):
    """One way to predict.

    `fit` takes `Training` and returns a function of X. Its answer is a prediction, or a dictionary of predictions by
    the names of rows, of which the first is the method's own. A change of settings adds one to `revision`: rows of
    other revisions no longer count.
    """

    name: str
    words: str
    package: str
    fit: Callable
    control: str | None = None
    revision: int = 1


TUNING = f"25 random settings on one fifth held out, the best one fitted to all rows ({SPACE})".replace("\n", " ")
STACKED = "scikit-learn's stacking of the same models as ours, five folds, which ends in {} (its default)"
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
        Method("stack", STACKED.format("RidgeCV"), "scikit-learn", stacks.fit_stack, "average"),
        Method("hme_stacking", "`HMEStackingRegressor()`", "hme", ours.fit_stacking, "permuted_gate"),
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
        Method(
            "stack",
            STACKED.format("logistic regression"),
            "scikit-learn",
            stacks.fit_class_stack,
            "average",
        ),
        Method("hme_stacking", "`HMEStackingClassifier()`", "hme", ours.fit_class_stacking, "permuted_gate"),
    ),
}
OURS = ("hme", "hme_stacking")
# Fixed before any row was run; `LEFT_OUT` of words.py gives the reasons.
POOL = {
    "regression": (
        "ridge", "histograms", "histograms_tuned", "lightgbm_tuned", "lightgbm_pair", "catboost", "extra_trees",
        "cubist", "gaussian_process", "stack", "hme", "hme_stacking",
    ),
    "classes": tuple(method.name for method in METHODS["classes"]),
}  # fmt: skip


def words_of(task, name):
    return {method.name: method.words for method in METHODS[task]}.get(name) or CONTROLS[name]
