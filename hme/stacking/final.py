"""The mixture over the models: candidates from one stack to a tree of them, chosen on rows that neither level saw."""

from typing import Any, NamedTuple

import numpy as np

from ..model.rows import Rows
from ..tables import Table

__all__ = ["Candidate", "Choice", "Problem", "choose", "held_out"]

DEEPEST = 3
ROWS = 10  # different rows for a leaf, at least, in the fits that are scored
FEW = 3000  # rows up to which nothing is saved
SCORED = 1500  # rows that are scored, at least, in as few folds as hold so many
KINDS = {
    "RMSE": ("one stack", "noises of one stack", "stacks close to one", "stacks"),
    "log loss": ("one pool", "pools that share their weights", "pools close to one", "pools"),
}
WORSE = 0.005  # by which the error may be larger than the smallest one, as a share of it
TINY = 1e-300
LITTLE = 1e-3  # nats a row that are no reason for anything, so that round-off is none
CLOSE, APART = 0.25, 1.0  # standard errors of a log score that are no reason for a tree, and for several stacks


class Candidate(NamedTuple):
    """A mixture over the models; the order is that of simplicity.

    Attributes
    ----------
    freedom : {0, 1, 2}
        Of the experts: 0 share one combination of the models and differ in their noise alone; those of 1 and 2 weigh
        the models each in a way of its own, with much and with little shrinkage towards one combination.
    depth : int
        Levels of gates.
    heavy : bool
        Whether the noise is Student's, whose tails are estimated; else normal.
    """

    freedom: int = 0
    depth: int = 0
    heavy: bool = True

    def called(self, kinds, noise):
        """In words, given what one expert and several of each kind are called, and whether noise is told."""
        what = kinds[0] if self.depth == 0 else f"{2**self.depth} {kinds[1 + self.freedom]}"
        return f"{what}, {'Student' if self.heavy else 'normal'} noise" if noise else what


class Problem(NamedTuple):
    """What the second level is fitted to: rows with a prediction of every model.

    Attributes
    ----------
    rows : ndarray of int of shape (n,)
        Which of the rows of the fit these are.
    table : ndarray or sparse matrix of shape (n, M + q)
    y : ndarray of shape (n,)
    weight : ndarray of shape (n,)
    folds : list of (train, test)
        Those of the first level, within these rows.
    measure : {"RMSE", "log loss"}
        Of errors; of squared losses the root is taken.
    """

    rows: np.ndarray
    table: Any
    y: np.ndarray
    weight: np.ndarray
    folds: list
    measure: str

    @classmethod
    def of(cls, level, predicted, columns, y, weight, folds, measure):
        """The problem of a level over columns of the models and prepared ones, which may lack rows of no test fold."""
        rows = np.flatnonzero(np.isfinite(predicted).all(axis=1))
        place = np.full(len(predicted), -1)
        place[rows] = np.arange(len(rows))
        inside = [[place[part][place[part] >= 0] for part in fold] for fold in folds]
        folds = [(train, test) for train, test in inside if len(train) and len(test)]
        table = level.join(predicted[rows], columns[rows])
        return cls(rows, table, y[rows], weight[rows], folds, measure)

    @property
    def seen(self):
        """Table, y and weights."""
        return self.table, self.y, self.weight

    def deepest(self):
        """Levels of the largest trees that have `ROWS` different rows for every leaf, at most `DEEPEST`."""
        codes = np.unique(self.y, return_inverse=True)[1]
        number = min(
            Rows(self.table[train], self.table[train], y=codes[train], weight=self.weight[train]).n_different(
                ROWS * 2**DEEPEST
            )
            for train, _ in self.searched()
        )
        return min(int(np.log2(max(number / ROWS, 1.0))), DEEPEST)

    def searched(self):
        """As few folds as hold `SCORED` rows."""
        sizes = np.cumsum([len(test) for _, test in self.folds])
        return self.folds[: int(np.searchsorted(sizes, min(SCORED, sizes[-1]))) + 1]


class Scored(NamedTuple):
    """What a candidate reached on rows that it had not seen.

    Attributes
    ----------
    candidate : Candidate
    log_score, error : float
    rows : ndarray of shape (m,)
        Log scores of the rows.
    """

    candidate: Candidate
    log_score: float
    error: float
    rows: np.ndarray


class Choice(list):
    """The candidates that were tried, with their scores; it prints as a table.

    Attributes
    ----------
    chosen : Candidate
    measure : str
        What the errors are.
    """

    def __init__(self, scored, chosen, measure):
        super().__init__(scored)
        self.chosen, self.measure = chosen, measure

    def __reduce__(self):
        return type(self), (list(self), self.chosen, self.measure)

    def table(self):
        words = KINDS[self.measure], self.measure == "RMSE"
        cells = [[one.candidate.called(*words), one.log_score, one.error, one.candidate == self.chosen] for one in self]
        return Table(
            ["mixture", "log score", self.measure, "chosen"], cells, "Mixtures over the models, by held-out rows"
        )

    def __str__(self):
        return self.table().text()

    def _repr_html_(self):
        return self.table().html()

    def to_frame(self):
        """The scores as a data frame.

        Returns
        -------
        pandas.DataFrame
        """
        return self.table().to_frame()


def choose(problem, make, score, several):
    """The simplest candidate that is hardly worse than the best one, on rows that it has not seen.

    One stack comes first, then two experts of each kind. The best kind goes on to `Problem.deepest` levels, of up to
    `FEW` rows noises of one stack do too; the best of all, with normal noise, comes last. Of those whose error is
    within `WORSE` of the smallest and whose log score is no worse than one stack's (if none is, it is one stack), the
    simplest is taken whose log score is within `CLOSE` standard errors of the best one's, or within `APART` if the best
    has several stacks and this one has not, `LITTLE` besides.

    Parameters
    ----------
    problem : Problem
    make : callable
        The mixture of a candidate for rows of the table, y and weight, not fitted.
    score : callable
        Log scores (n,) and losses (n,) of a fitted mixture, for rows of the table and y.
    several : bool
        Whether there are several models, which experts can weigh.

    Returns
    -------
    Choice
    """

    def scored(*candidate):
        tried.append(held_out(problem, make, score, Candidate(*candidate)))
        return tried[-1]

    tried, deepest = [], problem.deepest()
    scored(0, 0)
    if deepest:
        best = max([scored(kind, 1) for kind in (range(3) if several else range(1))], key=_merit).candidate
        for kind in {0, best.freedom} if len(problem.y) <= FEW else {best.freedom}:
            for depth in range(2, deepest + 1):
                scored(kind, depth)
    best = max(tried, key=_merit).candidate
    if best.depth and problem.measure == "RMSE":
        scored(best.freedom, best.depth, False)
    bound = min(one.error for one in tried) * (1.0 + WORSE)
    able = [one for one in tried if one.error <= bound and one.log_score >= tried[0].log_score] or tried[:1]
    able.sort(key=lambda one: one.candidate)
    best = max(able, key=lambda one: one.log_score)
    weight = np.concatenate([problem.weight[test] for _, test in problem.searched()])
    chosen = next(one for one in able if _as_good(one, best, weight))
    return Choice(tried, chosen.candidate, problem.measure)


def _merit(scored):
    """Log score and error in one number: a share of the error counts as much as the log score that it costs."""
    return scored.log_score - np.log(max(scored.error, TINY))


def held_out(problem, make, score, candidate):
    """What a candidate reaches on rows that it has not seen, a `Scored`; arguments as for `choose`."""
    log_scores, losses, weights = [], [], []
    for train, test in problem.searched():
        rows = problem.table[train], problem.y[train], problem.weight[train]
        fitted = make(candidate, *rows).fit_for_search(*rows)
        gained, lost = score(fitted, problem.table[test], problem.y[test])
        log_scores.append(gained)
        losses.append(lost)
        weights.append(problem.weight[test])
    rows, weight = np.concatenate(log_scores), np.concatenate(weights)
    loss = np.average(np.concatenate(losses), weights=weight)
    error = np.sqrt(loss) if problem.measure == "RMSE" else loss
    return Scored(candidate, float(np.average(rows, weights=weight)), float(error), rows)


def _as_good(one, best, weight):
    """Whether a simpler candidate is hardly worse than the best one."""
    factor = APART if best.candidate.freedom > one.candidate.freedom == 0 else CLOSE
    return best.log_score - one.log_score <= factor * _error(best.rows - one.rows, weight) + LITTLE


def _error(differences, weight):
    """Standard error of a weighted mean; a weight of 2 is the same as the row twice."""
    mean, total = np.average(differences, weights=weight), weight.sum()
    return np.sqrt(weight @ (differences - mean) ** 2) / total
