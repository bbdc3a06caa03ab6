"""Fits of a model to other data, and checks of models and row arguments."""

import warnings

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.utils import _safe_indexing, check_random_state

from ..estimators import HMEClassifier, HMERegressor
from ..progress import unfollowed

__all__ = [
    "FINALISTS",
    "REFIT_ERRORS",
    "STARVING",
    "check_model",
    "check_rows",
    "copies",
    "fit_once",
    "one_start",
    "refit",
    "seed_of",
    "unit_codes",
    "without_labels",
]

REFIT_ERRORS = (ValueError, np.linalg.LinAlgError, FloatingPointError)
STARVING = 1e-3  # share of an equal share of the weight, as in `restarts.starving`
FINALISTS = 2  # starts of a test's fits that are run to convergence


def one_start(start):
    """Settings for a fit from one start only; for None, no change."""
    return {} if start is None else {"start": start, "n_init": 1, "n_finalists": None}


def refit(model, X, y, weight, rows, seed, predictive=True, nested=None, **settings):
    """A clone of a fitted model on the same tree, fitted to other data without warnings.

    With ``predictive=False`` without what the predictive density adds, which takes a fit of its own for each fold; then
    `nested` may be responsibilities of one more start.
    """
    settings = model.as_fitted() | {"callback": None, "verbose": 0, "n_jobs": None, "random_state": seed} | settings
    if "labels" in rows:
        rows = rows | {"labels": model.labels_as_fitted(rows["labels"])}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # troubles of refits are counted instead
        again = unfollowed(clone(model)).set_params(**settings)
        if predictive:
            return again.fit(X, y, sample_weight=weight, **rows)
        return again.fit_for_search(X, y, weight, climbs=True, nested=nested, **rows)


def fit_once(model, X, y, weight, rows):
    """The model itself if it is fitted, else a clone that is fitted without warnings."""
    if hasattr(model, "params_"):
        return model
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        again = unfollowed(clone(model)).set_params(warm_start=False)
        return again.fit(X, y, sample_weight=weight, **rows)


def unit_codes(n_rows, groups, clusters):
    """Codes (n,) of the units that are drawn as a whole: clusters, else groups, else rows."""
    if clusters is None and groups is None:
        return np.arange(n_rows)
    name, values = ("groups", groups) if clusters is None else ("clusters", clusters)
    values = np.asarray(values)
    if values.shape != (n_rows,):
        raise ValueError(f"{name} has shape {values.shape}; it must hold one value for each row, {(n_rows,)}.")
    codes = np.unique(values, return_inverse=True)[1]
    if clusters is not None and groups is not None:
        pairs = np.unique(np.column_stack([np.unique(groups, return_inverse=True)[1], codes]), axis=0)
        if len(pairs) > len(np.unique(groups)):
            raise ValueError("clusters must hold groups whole: some group has rows in several clusters.")
    return codes


def copies(X, y, weight, rows):
    """Each row repeated as often as its weight, so that each copy can have a y of its own."""
    if (weight == 1.0).all():
        return X, y, weight, rows
    count = np.rint(weight).astype(int)
    if not np.array_equal(count, weight):
        raise ValueError(
            "sample_weight must hold whole numbers when y is drawn from the model: a weight of 2 is the row twice, "
            "with two draws of y. Use kind='case'."
        )
    index = np.repeat(np.arange(len(weight)), count)
    rows = {name: value if np.ndim(value) == 0 else np.asarray(value)[index] for name, value in rows.items()}
    if "groups" in rows:  # a copy of a group is a group of its own
        copy = np.concatenate([np.arange(c) for c in count])
        pairs = np.column_stack([np.unique(rows["groups"], return_inverse=True)[1], copy])
        rows["groups"] = np.unique(pairs, axis=0, return_inverse=True)[1].ravel()
    return _safe_indexing(X, index), y[index], np.ones(len(index)), rows


def check_model(model, name="model"):
    """Refuse models other than this package's regressor and classifier."""
    if not isinstance(model, HMERegressor | HMEClassifier):
        raise TypeError(f"{name} must be an HMERegressor or HMEClassifier, got {type(model).__name__}.")


def check_maximal(model, name="model"):
    """Refuse a model whose fits stop before a maximum: their objectives say where they stopped."""
    if model.early_stopping:
        raise ValueError(
            f"{name} has early_stopping = True: its fits do not end at a maximum, and their likelihoods cannot be "
            "compared. Use early_stopping=False."
        )


def check_rows(model, rows):
    """The row arguments that are not None; those that the model's `fit` does not take are refused by name."""
    allowed = ("groups", "labels") if is_classifier(model) else ("offset", "trials", "groups", "labels")
    odd = sorted(set(rows) - set(allowed))
    if odd:
        raise TypeError(f"{odd[0]} is not an argument of fit of {type(model).__name__}; it has {', '.join(allowed)}.")
    return {name: value for name, value in rows.items() if value is not None}


def without_labels(rows):
    """Row arguments for prediction: all but labels."""
    return {name: value for name, value in rows.items() if name != "labels"}


def seed_of(random_state):
    """A whole number drawn from what the user gives."""
    return int(check_random_state(random_state).randint(2**31 - 1))
