"""Fits that leave rows out, fits from other starts, and fits to drawn rows."""

import warnings
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold
from sklearn.utils import _safe_indexing

from ..bootstrap import bootstrap
from ..bootstrap.refits import REFIT_ERRORS, refit, without_labels
from ..progress import unfollowed

__all__ = ["Data", "bootstrap_ari", "folds_of", "held_out", "other_start"]


class Held(NamedTuple):
    """Predictions for the rows of a fold, by a fit that has not seen them."""

    log_likelihood: np.ndarray  # (heads,)
    n_parameters: int | None
    prior: Any = None  # (n, K)
    resp: Any = None  # (n, K)
    mean: Any = None  # (n, T), or probabilities (n, C)
    std: Any = None  # (n, T)
    pit: Any = None  # (n, T)


class Data(NamedTuple):
    """A user's table, targets, weights and row arguments together."""

    X: Any
    y: np.ndarray
    weight: np.ndarray
    rows: dict
    units: np.ndarray  # (n,) codes of rows that must stay together

    def take(self, index):
        rows = {name: value if np.ndim(value) == 0 else np.asarray(value)[index] for name, value in self.rows.items()}
        return Data(_safe_indexing(self.X, index), self.y[index], self.weight[index], rows, self.units[index])


def folds_of(model, table, cv, seed):
    """Numbers of the held-out rows of each fold."""
    n_units = len(np.unique(table.units))
    alone = n_units == len(table.y)
    if n_units < cv:
        raise ValueError(f"cv = {cv} must be at most the number of rows, groups or clusters, {n_units}.")
    if is_classifier(model):
        least = np.unique(table.y, return_counts=True)[1].min()
        if least < cv:
            raise ValueError(f"cv = {cv} must be at most the number of rows of the rarest class, {least}.")
        splitter = (StratifiedKFold if alone else StratifiedGroupKFold)(cv, shuffle=True, random_state=seed)
        groups = None if alone else table.units
        return [test for _, test in splitter.split(np.zeros((len(table.y), 1)), table.y, groups)]
    if alone:
        return [test for _, test in KFold(cv, shuffle=True, random_state=seed).split(table.y)]
    codes = np.random.default_rng(seed).permutation(n_units)[np.unique(table.units, return_inverse=True)[1]]
    return [test for _, test in GroupKFold(cv).split(np.zeros((len(codes), 1)), groups=codes)]


def _fit_again(model, table, seed, predictive=True, **settings):
    """The model on its tree, or an alternative as it stands, fitted quietly; see `refit` for `predictive`."""
    if hasattr(model, "params_"):
        return refit(model, *table[:4], seed, predictive, **settings)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        settings = {"random_state": seed, "n_jobs": None, "verbose": 0, "callback": None}
        rows = without_labels(table.rows)  # labels refer to the experts of the model only
        again = unfollowed(clone(model)).set_params(**settings)
        if predictive:
            return again.fit(table.X, table.y, sample_weight=table.weight, **rows)
        return again.fit_for_search(table.X, table.y, table.weight, climbs=True, **rows)


def held_out(model, table, fold, seed, whole):
    """The rows of a fold as predicted by a fit to the other rows, or the message of an error."""
    outside = np.setdiff1d(np.arange(len(table.y)), fold)
    train, test = table.take(outside), table.take(fold)
    given = not isinstance(model.start, str)
    settings = {"start": np.asarray(model.start)[outside]} if given and hasattr(model, "params_") else {}
    try:
        fitted = _fit_again(model, train, seed, predictive=whole, **settings)
        rows = without_labels(test.rows)
        log_likelihood = fitted.log_likelihood(test.X, test.y, **rows)
        size = getattr(fitted, "n_parameters_", None)
    except REFIT_ERRORS as error:
        return f"{type(error).__name__}: {error}"
    if not whole:
        return Held(log_likelihood, size)
    alone = {name: value for name, value in rows.items() if name != "groups"}
    prior, resp = fitted.gate_proba(test.X), fitted.responsibilities(test.X, test.y, **rows)
    if is_classifier(model):
        return Held(log_likelihood, size, prior, resp, fitted.predict_proba(test.X))
    try:
        mean, std = fitted.predict(test.X, return_std=True, **alone)
        mean, std = mean.reshape(len(mean), -1), std.reshape(len(std), -1)
    except NotImplementedError:  # a family without a variance
        mean = std = None
    return Held(log_likelihood, size, prior, resp, mean, std, _pit(fitted, test, alone, seed))


def _pit(fitted, test, rows, seed):
    """Probability integral transforms (n, T), drawn at random within the jump where y has positive probability."""
    if not hasattr(fitted, "predict_dist"):
        return None
    y = np.asarray(test.y, dtype=float).reshape(len(test.y), -1)
    try:
        dist = fitted.predict_dist(test.X, **rows)
        outputs = [dist.marginal(t) for t in range(y.shape[1])]
        upper = np.column_stack([np.ravel(one.cdf(y[:, t])) for t, one in enumerate(outputs)])
        below = np.nextafter(y, -np.inf)
        lower = np.column_stack([np.ravel(one.cdf(below[:, t])) for t, one in enumerate(outputs)])
    except NotImplementedError:
        return None
    return lower + np.random.default_rng(seed).uniform(size=y.shape) * (upper - lower)


def other_start(model, table, seed):
    """ARI with the model, and what it has `reached`, of a fit from another start, or the message of an error."""
    seed = int(np.random.default_rng(seed).integers(2**31 - 1))
    try:
        # A random start for either task.
        same = model.alphas_as_fitted()
        fitted = _fit_again(model, table, seed, predictive=False, start="perturbed_model_tree", **same)
    except REFIT_ERRORS as error:
        return f"{type(error).__name__}: {error}"
    return _ari(model, fitted, table), reached(fitted)


def reached(model):
    """What starts are compared by: the objective at the same strengths of penalties, or the score of held-out rows."""
    score = model.best_validation_score_
    return float(model.lower_bounds_[-1] - model.log_hyperprior_) if score is None else score


def _leaves(model, table):
    """The most probable leaf of each row: by the prior if the gate sees columns, else by the responsibilities."""
    if model.model_.gate.traits.sees_columns:
        return model.apply(table.X)
    return model.responsibilities(table.X, table.y, **without_labels(table.rows)).argmax(axis=1)


def _ari(model, other, table):
    there = table.weight > 0
    return float(adjusted_rand_score(_leaves(model, table)[there], _leaves(other, table)[there]))


class _LeavesOf:
    """A statistic for `bootstrap`: agreement of the leaves with the model's."""

    def __init__(self, model, table):
        self.model, self.table = model, table

    def __call__(self, fitted):
        return _ari(self.model, fitted, self.table)


def bootstrap_ari(model, table, n_bootstrap, seed, n_jobs, verbose, clusters, remarks):
    """ARI with the model of fits to drawn rows, each from the model's own start."""
    if not n_bootstrap:
        return np.zeros(0)
    given = not isinstance(model.start, str)
    try:
        found = bootstrap(
            model, table.X, table.y, n_bootstrap, sample_weight=table.weight, weighting="rows", clusters=clusters,
            refits="warm" if given else "full", leave_out=(), statistic=_LeavesOf(model, table), random_state=seed,
            n_jobs=n_jobs, verbose=verbose, **table.rows,
        )  # fmt: skip
    except ValueError as error:
        remarks.append(str(error))
        return np.zeros(0)
    if found.n_used < n_bootstrap:
        remarks.append(f"{n_bootstrap - found.n_used} of {n_bootstrap} fits to drawn rows failed")
    return found.statistics
