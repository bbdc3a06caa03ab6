"""The folds of a cross-validation, and what is fitted to and asked about them."""

import warnings
from typing import Any, NamedTuple

import numpy as np
from sklearn.model_selection import check_cv

__all__ = ["Fold", "Problem", "folds_of"]

# Folds by default; of more than so many different rows, how many of them are looked at.
FOLDS, MANY, OF_MANY = 5, 5000, 3


class Problem(NamedTuple):
    """The rows of a fit.

    Attributes
    ----------
    table : array, data frame or sparse matrix of shape (n, p)
    y : ndarray of shape (n,) or (n, T)
    weight : ndarray of shape (n,)
    arguments : dict
        Those of `offset`, `trials` and `groups` that are given, (n,) each.
    number : ndarray of int of shape (n,)
        Which of the different rows, or groups, each row is; -1 without weight.
    values : ndarray or None
        The few values of a rounded y.
    """

    table: Any
    y: np.ndarray
    weight: np.ndarray
    arguments: dict
    number: np.ndarray
    values: Any = None


class Fold(NamedTuple):
    """What a model is fitted to, and what it is asked about.

    Attributes
    ----------
    weight : ndarray of shape (n,)
        Weights of all rows in the fit: zero of those that are left out, so that every fit knows all classes.
    test : ndarray of int of shape (m,)
    """

    weight: np.ndarray
    test: np.ndarray


def folds_of(cv, problem, classes):
    """The folds that a value of `cv` makes.

    Parameters
    ----------
    cv : int, splitter, iterable of (train, test) or None
        Folds of an int know the content of rows only, so that equal rows share one, and keep groups whole. None is five
        of them, of which three are looked at where rows are many.
    problem : Problem
    classes : bool
        Whether y holds classes: rows of a class that a fit has not seen are then not asked about.

    Returns
    -------
    list of Fold
    """
    if isinstance(cv, str | bool | np.bool_):
        raise ValueError(f"cv = {cv!r} must be None, an int >= 2, a splitter or an iterable of (train, test) pairs.")
    if cv is None or isinstance(cv, int | np.integer):
        splits = _by_content(cv, problem)
    else:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # of groups that a splitter does not look at; it is refused where it matters
            splits = list(check_cv(cv).split(problem.table, problem.y, problem.arguments.get("groups")))
    folds = [_fold(train, test, problem, classes) for train, test in splits]
    if not folds:
        raise ValueError(f"cv = {cv!r} makes no folds.")
    return folds


def _by_content(cv, problem):
    what = "groups" if "groups" in problem.arguments else "different rows"
    most = int(problem.number.max()) + 1
    n_folds = int(cv) if cv is not None else max(min(FOLDS, most), 2)
    if n_folds < 2:
        raise ValueError(f"cv = {n_folds} must be at least 2.")
    if n_folds > most:
        raise ValueError(f"cv = {n_folds} folds need as many {what}; there are n_samples = {most} of them.")
    number = np.where(problem.number < 0, -1, problem.number % n_folds)
    for f in range(n_folds if cv is not None or most <= MANY else OF_MANY):
        yield np.flatnonzero(number != f), np.flatnonzero(number == f)


def _fold(train, test, problem, classes):
    n, y = len(problem.y), problem.y
    rows = np.arange(n)
    train, test = rows[train], rows[test]
    weight = problem.weight * np.bincount(train, minlength=n)
    test = test[problem.weight[test] > 0]
    if classes:
        test = test[np.isin(y[test], y[weight > 0])]
    if not weight.any() or not len(test):
        raise ValueError(
            "cv must leave rows of positive weight, and of the same classes, on both sides of every split."
        )
    if np.intersect1d(np.flatnonzero(weight), test).size:
        raise ValueError("cv has rows on both sides of a split; models would be asked about rows they know.")
    groups = problem.arguments.get("groups")
    if groups is not None and np.isin(groups[test], groups[weight > 0]).any():
        raise ValueError("cv cuts through groups; rows of one group must stay together.")
    return Fold(weight, test)
