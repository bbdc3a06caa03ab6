"""The models that are mixed where none are given: boosting, extra trees, a linear model, a mixture of experts."""

import time

from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline

from ..estimators import HMEClassifier, HMERegressor
from .boosting import chosen_boosting
from .gaussian_process import BoundedGaussianProcess
from .preparation import preparation

__all__ = ["default_models"]

LARGEST_PROCESS = 1500  # rows below which a Gaussian process is one of the models
BRIEF = {"tol": 1e-3, "max_iter": 100}  # of the mixture of experts: its mean is what counts


def default_models(sources, folds, random_state):
    """The default models, not fitted, as pairs of name and estimator, and what it has cost to choose one.

    Parameters
    ----------
    sources : Sources
    folds : list of (train, test)
        Where boosting is chosen, see `chosen_boosting`.
    random_state : int

    Returns
    -------
    models : list of (str, Pipeline)
    seconds : dict of float
        CPU seconds by the name of a model that has been chosen.
    """
    begin = time.process_time()
    columns = preparation(sources.table, scale=True).fit_transform(sources.table)
    boosting = chosen_boosting(sources, folds, columns, random_state)
    seconds = {"boosting": time.process_time() - begin}
    if sources.classes is None:
        forest = ExtraTreesRegressor(200, random_state=random_state)
        models = [("boosting", boosting), ("extra_trees", forest), ("ridge", Ridge()), ("hme", HMERegressor(**BRIEF))]
        if len(sources.y) < LARGEST_PROCESS:
            models.append(("gaussian_process", BoundedGaussianProcess()))
    else:
        forest = ExtraTreesClassifier(200, random_state=random_state)
        linear = ("logistic", LogisticRegression(max_iter=1000))
        models = [("boosting", boosting), ("extra_trees", forest), linear, ("hme", HMEClassifier(**BRIEF))]
    return [(name, make_pipeline(preparation(sources.table, scale=True), model)) for name, model in models], seconds
