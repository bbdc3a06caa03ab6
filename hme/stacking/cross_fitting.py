"""Cross-fitting: predictions of every row by models that have not seen it."""

import time
import warnings
from typing import Any, NamedTuple

import numpy as np
from joblib import Parallel, delayed
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold, check_cv
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import check_is_fitted

from ..model.folds import fold_numbers
from ..model.parts import UnusablePart, called, first_of, lent, numbers_of, probabilities_of, quiet, renamed
from ..model.refits import weight_name
from ..model.rows import Rows
from ..progress import NOBODY

__all__ = ["CrossFit", "cross_fitted", "folds_of", "predictions_of"]

FOLDS = 5


class Fewer(NamedTuple):
    """Predictions of models that have seen neither of two folds, beside which `CrossFit.predictions` have seen one.

    Attributes
    ----------
    rows : ndarray of int of shape (m,)
        The rows of both folds.
    predictions : ndarray of shape (m, M) or (m, M, C)
    share, share_of_folds : float
        Shares of all rows that these models, and those of a fold, were fitted to.
    """

    rows: np.ndarray
    predictions: np.ndarray
    share: float
    share_of_folds: float


class CrossFit(NamedTuple):
    """Models fitted to all rows, and what models without a fold say of its rows.

    Attributes
    ----------
    models : list
        Fitted to all rows.
    predictions : ndarray of shape (n, M) or (n, M, C)
        Means, or probabilities of classes; nan in rows that no fold leaves out.
    fewer : Fewer or None
        What models of fewer rows say.
    seconds : ndarray of shape (M,)
        CPU time of each model, in all its fits.
    said : list of str
        What models warned of, a sentence each.
    """

    models: list
    predictions: np.ndarray
    fewer: Any
    seconds: np.ndarray
    said: list


def folds_of(cv, sources, numbers, groups, kept):
    """Pairs of training and test rows, none of which is tested twice.

    Parameters
    ----------
    cv : None, int, splitter or iterable
    sources : Sources
    numbers : ndarray or sparse matrix of shape (n, q)
        The prepared table, whose content decides about the folds of an int: equal rows share one.
    groups : ndarray of shape (n,) or None
    kept : ndarray of bool
        Which rows of the user these are; an iterable of splits counts all of the user's.

    Returns
    -------
    list of (train, test)
    """
    if cv is None or (isinstance(cv, int | np.integer) and not isinstance(cv, bool)):
        if groups is None:
            return _by_content(cv, sources, numbers)
        n_folds = _number_of_folds(cv, len(np.unique(groups)), "groups")
        splitter = GroupKFold(n_folds) if sources.classes is None else StratifiedGroupKFold(n_folds)
    elif isinstance(cv, str | bool):
        raise ValueError(f"cv = {cv!r} must be None, an int, a splitter, an iterable of splits, or 'prefit'.")
    else:
        splitter = check_cv(cv)
    if cv is splitter or isinstance(cv, int | np.integer) or cv is None:
        rows, splits = np.arange(len(sources.y)), splitter.split(sources.table, sources.y, groups)
    else:
        rows, splits = np.where(kept, np.cumsum(kept) - 1, -1), splitter.split()
    inside = [tuple(rows[part][rows[part] >= 0] for part in split) for split in splits]
    return _checked([(train, test) for train, test in inside if len(test)], cv)


def _checked(folds, cv):
    """Folds that can be fitted, and of which no two test the same row."""
    if not folds or not all(len(train) for train, _ in folds):
        raise ValueError(f"cv = {cv!r} must make folds that have both training and test rows.")
    tested = np.concatenate([test for _, test in folds])
    if len(np.unique(tested)) < len(tested):
        raise ValueError(f"cv = {cv!r} leaves some rows out more than once; every row may be in one test fold only.")
    if any(len(np.intersect1d(train, test)) for train, test in folds):
        raise ValueError(f"cv = {cv!r} has rows in both parts of a split; models would be asked about rows they know.")
    return folds


def _number_of_folds(cv, most, what):
    """The number that an int says, or `FOLDS` as far as there are as many different rows or groups."""
    n_folds = min(FOLDS, most) if cv is None else int(cv)
    if n_folds < 2:
        few = f"Folds need two {what} or more, and there is n_samples = 1 of them."
        raise ValueError(few if cv is None else f"cv = {cv!r} must be at least 2.")
    if n_folds > most:
        raise ValueError(f"cv = {n_folds} folds need as many {what}; there are {most}.")
    return n_folds


def _by_content(cv, sources, numbers):
    """Folds that repeated rows share, stratified by y."""
    y = sources.y if sources.classes is None else np.searchsorted(sources.classes, sources.y)
    ones = np.ones((len(y), 1))
    columns = np.hstack([numbers.toarray() if hasattr(numbers, "toarray") else numbers, ones])
    target = y.astype(float)[:, None] if sources.classes is None else y
    number = fold_numbers(Rows(columns, columns, y=target, weight=sources.weight))
    n_folds = _number_of_folds(cv, int(number.max()) + 1, "different rows")
    number = number % n_folds
    return [(np.flatnonzero(number != f), np.flatnonzero(number == f)) for f in range(n_folds)]


def cross_fitted(models, sources, folds, n_jobs=None, fewer=False, task=NOBODY):
    """Fit every model to all rows, and without each fold, eq. (cross-fitted-models).

    Parameters
    ----------
    models : list of (str, estimator)
    sources : Sources
    folds : list of (train, test)
    n_jobs : int or None
    fewer : bool
        Whether models are fitted without two folds too, where there are three.
    task : Task
        What the fits are parts of.

    Returns
    -------
    CrossFit
    """
    everything = np.arange(len(sources.y))
    two = _two_folds(folds) if fewer else []
    parts = [(everything, everything[:0]), *folds, *two]
    tasks = [(name, model, train, test) for name, model in models for train, test in parts]
    whole = task.part("models", len(tasks))
    done = Parallel(n_jobs=n_jobs)(
        delayed(_fit_and_predict)(
            name, model, sources.at(train), _safe_indexing(sources.table, test), whole.part(name, begin=False)
        )
        for name, model, train, test in tasks
    )
    whole.end()
    C = () if sources.classes is None else (len(sources.classes),)
    predictions = np.full((len(everything), len(models), *C), np.nan)
    of_fewer = np.full_like(predictions, np.nan)
    seconds, fitted, said = np.zeros(len(models)), [], []
    for number, ((name, _, _, test), (model, answer, used, sentence)) in enumerate(zip(tasks, done, strict=True)):
        m, part = divmod(number, len(parts))
        seconds[m] += used
        if part == 0:
            fitted.append(model)
        else:
            (of_fewer if part > len(folds) else predictions)[test, m] = answer
        if sentence and not any(earlier.startswith(f"{name}: ") for earlier in said):
            said.append(f"{name}: {sentence}")
    if two:
        (train, test), n = two[0], len(everything)
        both = Fewer(test, of_fewer[test], len(train) / n, np.mean([len(fold[0]) for fold in folds[:2]]) / n)
    return CrossFit(fitted, predictions, both if two else None, seconds, said)


def _two_folds(folds):
    """The first two test folds as one, and the rows that neither has left out, as a list; none of growing windows."""
    if len(folds) < 3:
        return []
    (train, test), (other, tested) = folds[:2]
    both, left = np.intersect1d(train, other), np.concatenate([test, tested])
    return [(both, left)] if len(both) and len(both) < min(len(train), len(other)) else []


def of_fitted(models, sources):
    """The `CrossFit` of models that were fitted to other rows.

    Parameters
    ----------
    models : list of (str, fitted estimator)
    sources : Sources

    Returns
    -------
    CrossFit
    """
    for name, model in models:
        try:
            check_is_fitted(model)
        except NotFittedError as error:
            raise NotFittedError(f"cv = 'prefit', but estimators[{name!r}] = {called(model)} is not fitted.") from error
    answers = [predictions_of(name, model, sources.table, sources.classes) for name, model in models]
    return CrossFit([model for _, model in models], np.stack(answers, axis=1), None, np.zeros(len(models)), [])


def _fit_and_predict(name, model, seen, table, task):
    """A fitted clone, its answer to other rows, the CPU seconds used, and what it warned of."""
    begin, model, role = time.process_time(), clone(model), f"estimators[{name!r}]"
    arguments = dict(seen.arguments.get(name, {}))
    takes = weight_name(model)
    if seen.weighted and takes and not seen.routed:
        arguments[takes] = seen.weight
    with quiet() as caught:
        if seen.weighted and not takes and np.ptp(seen.weight):
            warnings.warn("its fit takes no sample_weight, and is without", UserWarning, stacklevel=1)
        try:
            with lent(model, role, X=seen.table, y=seen.y) as (X, y):
                with config_context(enable_metadata_routing=seen.routed), task.around(model):
                    model.fit(X, y, **arguments)
        except UnusablePart:
            raise
        except Exception as error:
            raise renamed(error, f"{role} = {called(model)} failed to fit {len(seen.y)} rows: {error}") from error
        answer = predictions_of(name, model, table, seen.classes) if table.shape[0] else None
    return model, answer, time.process_time() - begin, first_of(caught, model)


def predictions_of(name, model, table, classes):
    """Means (n,) of a fitted model for rows of a table, or probabilities (n, C) of the classes."""
    n, role = table.shape[0], f"estimators[{name!r}]"
    method = "predict" if classes is None else "predict_proba"
    with lent(model, role, X=table) as (X,), config_context(enable_metadata_routing=False):
        try:
            answer = getattr(model, method)(X)
        except UnusablePart:
            raise
        except Exception as error:
            raise renamed(error, f"{role} = {called(model)}: {method} failed on {n} rows: {error}") from error
    if classes is None:
        return numbers_of(answer, n, 1, model, role)[:, 0]
    known = np.searchsorted(classes, model.classes_)
    if not np.isin(model.classes_, classes).all():
        raise UnusablePart(f"{role}: classes_ is {model.classes_!r}, but the classes of y are {classes!r}.")
    return probabilities_of(answer, n, len(classes), model, role, known)
