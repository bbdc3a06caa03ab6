"""Candidates are fitted without each fold, and those that lag behind are left out of the later ones."""

import time
from typing import Any, NamedTuple

import numpy as np
from joblib import Parallel, delayed

from ..growing.held_out import shares_of
from ..progress import NOBODY

__all__ = ["Fitted", "Race", "run"]

LAGS = 3.0  # standard errors by which a candidate may be behind the best one
LEAST_SHARE = 0.01  # in the mixture
REFIT = 1.25  # times as long as without a fold


class Fitted(NamedTuple):
    """A candidate without a fold."""

    model: Any
    log_score: np.ndarray  # (m,) of the rows, or groups, of the fold
    weight: np.ndarray  # (m,)
    fit_time: float
    score_time: float


class Race(NamedTuple):
    """What the candidates have reached.

    Attributes
    ----------
    fitted : list of list of Fitted
        Of every candidate, for the folds that it has seen.
    alive : ndarray of int
        Candidates that have seen all folds.
    """

    fitted: list
    alive: np.ndarray

    def column(self, c, folds=None):
        """Log scores of held-out rows by a candidate, of all folds or the first few."""
        return np.concatenate([one.log_score for one in self.fitted[c][:folds]])

    @property
    def n_folds(self):
        return len(self.fitted[self.alive[0]])

    @property
    def weight(self):
        """Of the held-out rows."""
        return np.concatenate([one.weight for one in self.fitted[self.alive[0]]])

    def mean(self, c):
        """Mean log score of a candidate over the rows of its folds."""
        weight = np.concatenate([one.weight for one in self.fitted[c]])
        return float(weight @ self.column(c) / weight.sum())

    @property
    def best(self):
        means = [self.mean(c) for c in self.alive]
        return int(self.alive[int(np.argmax(means))])

    def shares(self, but=None):
        """Shares of all candidates in the mixture that makes held-out rows most likely, eq. (stop-shares).

        Parameters
        ----------
        but : int or None
            A fold that is not looked at.
        """
        inside = self._rows(but)
        found = shares_of(np.stack([self.column(c) for c in self.alive], axis=1)[inside], self.weight[inside])
        found = np.where(found < LEAST_SHARE, 0.0, found)
        share = np.zeros(len(self.fitted))
        share[self.alive] = found / found.sum()
        return share

    def _rows(self, but=None):
        numbers = np.repeat(np.arange(self.n_folds), [len(one.weight) for one in self.fitted[self.alive[0]]])
        return np.ones(len(numbers), dtype=bool) if but is None or self.n_folds < 2 else numbers != but

    def honest(self):
        """Mean log scores of the mixture and of the best candidate, both chosen without the rows that they score."""
        mixed, single, table = [], [], {c: self.fitted[c] for c in self.alive}
        for f in range(self.n_folds):
            share, inside = self.shares(f), self._rows(f)
            with np.errstate(divide="ignore"):
                own = np.stack([np.log(share[c]) + table[c][f].log_score for c in self.alive])
            mixed.append(np.logaddexp.reduce(own))
            means = [self.weight[inside] @ self.column(c)[inside] for c in self.alive]
            single.append(table[self.alive[int(np.argmax(means))]][f].log_score)
        total = self.weight.sum()
        return tuple(float(self.weight @ np.concatenate(parts) / total) for parts in (mixed, single))


def run(n_candidates, n_folds, fit, budget=None, n_jobs=None, say=None, task=NOBODY):
    """Fit the candidates without each fold.

    Parameters
    ----------
    n_candidates, n_folds : int
    fit : callable
        ``fit(candidate, fold, task)`` returns a `Fitted`.
    budget : float or None
        Seconds that all fits may take, with those to all rows: then the worst candidates, and at last
        folds, are left out.
    n_jobs : int or None
    say : callable or None
        Called with a line of text for what is left out.
    task : Task
        What the fits are parts of.

    Returns
    -------
    Race
    """
    begin, race = time.perf_counter(), Race([[] for _ in range(n_candidates)], np.arange(n_candidates))
    search = task.part("search", n_candidates * n_folds)
    stages = [[0], list(range(1, n_folds))] if budget is None else [[f] for f in range(n_folds)]
    for stage in stages:
        tasks = [(c, f) for f in stage for c in race.alive]
        parts = [search.part("candidate-fold", number=int(c) * n_folds + f, begin=False) for c, f in tasks]
        before = time.perf_counter()
        done = Parallel(n_jobs=n_jobs)(delayed(fit)(c, f, part) for (c, f), part in zip(tasks, parts, strict=True))
        for (c, _), one in zip(tasks, done, strict=True):
            race.fitted[c].append(one)
        if stage[-1] == n_folds - 1:
            break
        alive = _not_lagging(race)
        if budget is not None:
            each = {
                c: sum(one.fit_time + one.score_time for one in race.fitted[c]) / len(race.fitted[c]) for c in alive
            }
            workers = max(sum(one.fit_time + one.score_time for one in done) / (time.perf_counter() - before), 1.0)
            left = budget - (time.perf_counter() - begin)
            alive, enough = _affordable(race, alive, each, n_folds - stage[-1] - 1, left, workers)
        gone = [int(c) for c in race.alive if c not in alive]
        if gone and say:
            say(f"candidates {gone} are left out after {stage[-1] + 1} of {n_folds} folds")
        race = race._replace(alive=np.array(alive))
        if budget is not None and not enough:
            if say:
                say(f"the budget ends after {stage[-1] + 1} of {n_folds} folds")
            break
    search.end()
    return race


def _not_lagging(race):
    """Candidates that are not clearly worse than the best one."""
    best, weight = race.column(race.best), race.weight
    alive = []
    for c in race.alive:
        difference = best - race.column(c)
        lag = weight @ difference / weight.sum()
        error = np.sqrt(weight @ (difference - lag) ** 2) / weight.sum()
        if lag <= LAGS * error:
            alive.append(int(c))
    return alive


def _affordable(race, alive, each, n_left, seconds, workers):
    """The best candidates whose fits to the folds that are left can be paid, and whether a single one can be."""
    alive = sorted(alive, key=race.mean, reverse=True)
    while True:
        needed = (n_left / workers + REFIT) * sum(each[c] for c in alive)
        if needed <= seconds or len(alive) == 1:
            break
        alive.pop()
    # One more fold of the best one must fit in.
    return sorted(alive), needed <= seconds or each[alive[0]] * (1.0 + REFIT) <= seconds
