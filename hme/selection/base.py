"""What both estimators that choose by cross-validation share."""

import time
import warnings
from abc import abstractmethod
from functools import partial

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.utils import _safe_indexing, check_random_state, get_tags
from sklearn.utils.validation import _check_sample_weight

from ..estimators.binding import bind
from ..estimators.inputs import read, unchanged_on_error
from ..estimators.reading import as_table
from ..estimators.storing import Versioned
from ..growing.held_out import values_of
from ..model.folds import fold_numbers
from ..model.parts import quiet, renamed
from ..numerics.checks import check_choice, check_int, check_real
from ..numerics.engine import threads
from ..progress import Followable, followed
from .candidates import checked, default_candidates
from .folds import Problem, folds_of
from .race import Fitted, run
from .results import results_of

__all__ = ["BaseCV"]

IMPOSSIBLE = -1e4  # log-density of a row that is impossible by a candidate, so that others are still compared
OF_ALL_ROWS = 0.5  # share of the models of all rows in the answer of all models
BLOCK = 4096  # rows whose densities are computed at once


class BaseCV(Versioned, Followable, BaseEstimator):
    """Candidates that differ in hyper-parameters, compared by log scores of rows that they have not seen.

    Attributes
    ----------
    mixtures : class
        Of the models: `HMERegressor` or `HMEClassifier`.
    """

    def __init__(
        self,
        estimator=None,
        candidates=None,
        *,
        cv=None,
        predict_from="all",
        budget=None,
        random_state=None,
        n_jobs=None,
        verbose=0,
    ):
        self.estimator = estimator
        self.candidates = candidates
        self.cv = cv
        self.predict_from = predict_from
        self.budget = budget
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    # -- what differs between the tasks --------------------------------------------------------------------------------

    @staticmethod
    @abstractmethod
    def _log_scores(model, table, y, arguments, values):
        """Log scores (m,) of rows by a fitted model."""

    @abstractmethod
    def _adopt(self, target):
        """Keep what the target is."""

    # -- fitting -------------------------------------------------------------------------------------------------------

    def _fit(self, X, y, sample_weight, groups, **arguments):
        with followed(self, X, y, sample_weight, 2) as task, unchanged_on_error(self):
            check_choice(self.predict_from, "predict_from", ("all", "folds", "refit"))
            check_int(self.verbose, "verbose", 0)
            if self.budget is not None:
                check_real(self.budget, "budget", positive=True)
            base = self._base()
            problem, bound, target = self._problem(base, X, y, sample_weight, groups, arguments)
            self.candidates_ = (
                default_candidates(base, bound) if self.candidates is None else checked(self.candidates, base)
            )
            folds = folds_of(self.cv, problem, get_tags(base).classifier_tags is not None)
            fit = partial(_fitted, base, self.candidates_, problem, folds, self._log_scores)
            say = partial(print, f"{type(self).__name__}:") if self.verbose else None
            race = run(len(self.candidates_), len(folds), fit, self.budget, self.n_jobs, say, task)
            self._keep(race, base, problem, task)
            self._adopt(target)
        return self

    def _base(self):
        """The estimator whose parameters the candidates change, not fitted."""
        if self.estimator is None:
            base = self.mixtures()
        elif isinstance(self.estimator, self.mixtures):
            base = clone(self.estimator)
        else:
            raise TypeError(f"estimator = {self.estimator!r} must be None or an {self.mixtures.__name__}.")
        if self.random_state is not None and base.random_state is None:
            base.set_params(random_state=int(check_random_state(self.random_state).randint(2**31 - 1)))
        return base

    def _problem(self, base, X, y, sample_weight, groups, arguments):
        """The rows of the fit, their folds' numbers, and what binding tells of them."""
        probe = clone(base)
        given = read(probe, X, y, sample_weight, groups, None, **arguments)
        bound = bind(probe, given)
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(probe, name):
                setattr(self, name, getattr(probe, name))
            elif hasattr(self, name):
                delattr(self, name)
        table, y = as_table(X), np.asarray(y)
        y = y.ravel() if given.target.n_outputs == 1 and y.ndim == 2 and (given.target.flat or given.y.ndim == 1) else y
        n = len(y)
        number, place = np.full(n, -1), np.flatnonzero(given.kept)
        number[place if bound.order is None else place[bound.order]] = fold_numbers(bound.rows)
        weight = _check_sample_weight(sample_weight, y, dtype=np.float64)
        rows = {"groups": groups, **arguments}
        rows = {name: np.broadcast_to(np.asarray(v), (n,)) for name, v in rows.items() if v is not None}
        values = values_of(bound.rows, int(number.max()) + 1)
        return Problem(table, y, weight, rows, number, values), bound, given.target

    def _keep(self, race, base, problem, task):
        """Set the fitted attributes: the mixture of the fold models, and the best candidate fitted to all rows."""
        self.best_index_ = race.best
        if race.mean(race.best) <= IMPOSSIBLE:
            raise ValueError("y has no density under any candidate; is it what the experts are for?")
        self.weights_ = race.shares()
        self.n_splits_ = race.n_folds
        self.folds_score_, self.refit_score_ = race.honest()
        self.best_params_ = self.candidates_[race.best]
        self.best_score_ = race.mean(race.best)
        self.cv_results_ = results_of(race, self.candidates_, self.weights_)
        self.fold_estimators_ = [
            [one.model for one in fitted] if self.weights_[c] > 0 else [] for c, fitted in enumerate(race.fitted)
        ]
        begin = time.perf_counter()
        others = [c for c in np.flatnonzero(self.weights_) if c != race.best] if self.predict_from == "all" else []
        task = task.part("refits", 1 + len(others))
        with threads(self.n_jobs):
            self.best_estimator_ = _refitted(base, self.best_params_, problem, task)
            self.refit_estimators_ = [self.best_estimator_ if c == race.best else None for c in range(len(race.fitted))]
            with quiet():  # what the best one warns of has been shown
                for c in others:
                    self.refit_estimators_[c] = _refitted(base, self.candidates_[c], problem, task)
        task.end()
        self.refit_time_ = time.perf_counter() - begin
        self.members_ = self._answering(race)

    def _answering(self, race):
        """Pairs of a share and a model: those whose mixture answers."""
        if self.predict_from == "refit":
            return [(1.0, self.best_estimator_)]
        members, of_folds = [], 1.0 if self.predict_from == "folds" else 1.0 - OF_ALL_ROWS
        for share, models, refit in zip(
            self.weights_.tolist(), self.fold_estimators_, self.refit_estimators_, strict=True
        ):
            members += [(of_folds * share / race.n_folds, model) for model in models]
            members += [(OF_ALL_ROWS * share, refit)] if self.predict_from == "all" and share > 0 else []
        return members

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        try:
            own = get_tags(self._base())
        except (TypeError, ValueError):  # refused in fit
            own = get_tags(self.mixtures())
        tags.input_tags, tags.target_tags = own.input_tags, own.target_tags
        return tags


def _refitted(base, params, problem, task):
    """A candidate fitted to all rows, as a part of a task."""
    model = clone(base).set_params(**params)
    with task.part("refit", begin=False).around(model):
        model.fit(problem.table, problem.y, problem.weight, **problem.arguments)
    if model.stop_reason_ == "interrupted":
        raise KeyboardInterrupt
    return model


def _fitted(base, candidates, problem, folds, log_scores, c, f, task):
    """A candidate without a fold, and what it says of the rows of the fold; its fit is a task."""
    params, fold, begin = candidates[c], folds[f], time.perf_counter()
    model = clone(base).set_params(**params)
    with quiet():
        try:
            with task.around(model):
                model.fit(problem.table, problem.y, fold.weight, **problem.arguments)
        except (ValueError, TypeError) as error:
            raise renamed(error, f"candidates[{c}] = {params!r}, without fold {f}: {error}") from error
    if model.stop_reason_ == "interrupted":
        raise KeyboardInterrupt
    middle = time.perf_counter()
    found, weight = _asked(model, problem, fold.test, log_scores)
    found = np.maximum(np.nan_to_num(found, nan=IMPOSSIBLE), IMPOSSIBLE)
    return Fitted(model, found, weight, middle - begin, time.perf_counter() - middle)


def _asked(model, problem, test, log_scores):
    """Log scores and weights of held-out rows, or of groups in the order of their values."""
    groups = problem.arguments.get("groups")
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        if groups is not None:  # rows of a group have a joint density
            arguments = {name: values[test] for name, values in problem.arguments.items()}
            found = model.log_likelihood(_safe_indexing(problem.table, test), problem.y[test], **arguments)
            return found, problem.weight[test][np.unique(groups[test], return_index=True)[1]]
        found = []
        for start in range(0, len(test), BLOCK):
            part = test[start : start + BLOCK]
            arguments = {name: values[part] for name, values in problem.arguments.items()}
            rows = _safe_indexing(problem.table, part), problem.y[part]
            found.append(log_scores(model, *rows, arguments, problem.values))
    return np.concatenate(found), problem.weight[test]
