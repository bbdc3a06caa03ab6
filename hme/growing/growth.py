"""Growth: sizes of a tree are compared by rows that they have not seen, and a path on all rows ends with the useful."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..fitting import em
from ..model.folds import fold_numbers
from ..model.rows import Rows
from ..numerics.engine import one_thread
from .course import Course
from .held_out import compared, factor_of, joined, shares_of
from .merging import Average, Part
from .path import ONE_BY_ONE, finished, grown, pruned, sampled

__all__ = ["Candidate", "Growth", "GrowthStep", "Settings", "grow"]

# Standard errors of the difference to the best score that a smaller tree may lack: chance has its part in the best.
ERRORS = 2.0
CLOSE = 0.01  # nats a row that no one would read a larger tree for
WORTH = 0.25  # nats a row for which one reads bent borders
# Sizes of a large table are compared in a sample of at least so many distinct rows.
MOST = 1 << 14


class Candidate(NamedTuple):
    """Families and columns with which a tree may grow."""

    make: Callable  # as of `path.grown`
    rows: Rows  # the same ones for all candidates, but for their columns
    max_experts: int
    held_out: Any = None  # `HeldOut` of the same columns, of ``early_stopping=True``
    heat: Any = None  # candidates of the same heat first grow to a few experts, and only the best of them go on


class Settings(NamedTuple):
    """How a tree grows."""

    min_weight_fraction_leaf: float
    options: em.Options

    def of(self, candidate):
        """Those of a candidate, whose held-out rows have columns of their own."""
        return self._replace(options=self.options._replace(held_out=candidate.held_out))


class GrowthStep(NamedTuple):
    """One size on the path.

    Attributes
    ----------
    candidate : int
        Number of the candidate that has grown.
    n_experts : int
    score : float
        Mean log-density of rows that were held out, in nats.
    difference, error : float
        What is missing to the best score, and the standard error of this difference.
    share : float
        Weight of the size in the average.
    chosen : bool
        Whether the tree has this size.
    """

    candidate: int
    n_experts: int
    score: float
    difference: float
    error: float
    share: float
    chosen: bool


class Growth(NamedTuple):
    """What growing has found."""

    steps: list  # of GrowthStep
    candidate: int  # number of the one whose tree is chosen
    chosen: Any  # `Size` of the tree
    average: Any  # `Average` of the sizes, without their uncertainty
    interrupted: bool  # then the tree is the best one so far, fitted without a fold


def grow(candidates, settings):
    """Grow a tree.

    Parameters
    ----------
    candidates : list of Candidate
        What grows, the simplest first. The sizes of all are compared, and predict together.
    settings : Settings

    Returns
    -------
    Growth

    Raises
    ------
    KeyboardInterrupt
        If it comes before the first size has a score.
    """
    with one_thread(), np.errstate(all="ignore"):
        every, interrupted = _scores(candidates, settings)
        places = [(c, s) for c, scores in enumerate(every) for s in range(len(scores.n_experts))]
        scores = joined(every)
        n_coefficients = [candidates[c].rows.n_coefficients(every[c].n_experts[s]) for c, s in places]
        columns = [own.rows.Z.shape[1] for own in candidates]
        chosen = _chosen(scores, n_coefficients, [columns[c] <= columns[0] for c, _ in places])
        share = shares_of(scores.log_density, scores.weight)
        factor, sizes = 1.0, {}
        try:
            if not interrupted:
                factor = factor_of(scores, share)
                sizes = _sizes(candidates, settings, every, places, {chosen, *np.flatnonzero(share).tolist()})
        except KeyboardInterrupt:
            interrupted = True
        if interrupted:
            sizes = {chosen: _of_all(candidates[places[chosen][0]], scores.fitted[chosen][0])}
    if interrupted:
        share = np.eye(len(share))[chosen]
    parts = [
        Part(float(share[i]), sizes[i].mixture, sizes[i].params, factor=factor, candidate=places[i][0])
        for i in np.flatnonzero(share)
    ]
    return Growth(_steps(scores, places, share, chosen), places[chosen][0], sizes[chosen], Average(parts), interrupted)


def _scores(candidates, settings):
    """The `Scores` of every candidate, as far as there is no interrupt once there are any, and whether there was one.

    All are held to the same folds.
    """
    seen, courses, interrupted = [own.rows for own in candidates], [], False
    number = fold_numbers(seen[0])
    if len(number) > 2 * MOST:
        seen = [sampled(rows, number, MOST) for rows in seen]
        number = fold_numbers(seen[0])
    try:
        for candidate, rows in zip(candidates, seen, strict=True):
            courses.append(Course(candidate, rows, settings, number))
            courses[-1].rise(np.inf if candidate.heat is None else ONE_BY_ONE)
            if courses[-1].stopped:
                break
        else:
            ahead = _ahead(candidates, courses)
            for course in courses:
                if course in ahead:
                    course.rise()
                course.fall()
                if course.stopped:
                    break
    except KeyboardInterrupt:
        interrupted, courses = True, [own for own in courses if own.found]
        if not courses:
            raise
    return [own.scores() for own in courses], interrupted or any(own.interrupted for own in courses)


def _ahead(candidates, courses):
    """The courses that go on after heats: in each heat the best, and those that chance may have kept behind it."""
    ahead, heats = [], [own.heat for own in candidates]
    for heat in dict.fromkeys(own for own in heats if own is not None):
        rivals = [course for course, own in zip(courses, heats, strict=True) if own == heat]
        reached = [course.found[course.best] for course in rivals]
        best = max(reached, key=lambda own: rivals[0].weight @ own)
        for course, own in zip(rivals, reached, strict=True):
            missing, error = compared(best, own, course.weight)
            if missing <= error:
                ahead.append(course)
    return ahead


def _steps(scores, places, share, chosen):
    """What there is to tell of every size."""
    best, missing = int(scores.mean.argmax()), scores.mean.max() - scores.mean
    error = scores.error(best)
    return [
        GrowthStep(
            c,
            int(scores.n_experts[i]),
            *map(float, (scores.mean[i], missing[i], error[i])),
            float(share[i]),
            i == chosen,
        )
        for i, (c, _) in enumerate(places)
    ]


def _sizes(candidates, settings, every, places, needed):
    """The sizes that are needed, by their numbers, fitted to all rows.

    Where rows were held out once, of a large table, EM goes on with all rows from the fit without them. Otherwise the
    tree grows again; it may take a worse way than without a fold, and each size is the best one of all ways.
    """
    found = {}
    for c, (candidate, scores) in enumerate(zip(candidates, every, strict=True)):
        own, first = sorted(places[i][1] for i in needed if places[i][0] == c), places.index((c, 0))
        again = {} if scores.once or not own else _grown_again(candidate, settings.of(candidate), scores, own[-1])
        for s in own:
            way = again.get(s)
            others = [_of_all(candidate, one, way and way.mixture) for one in scores.fitted[s]]
            size = _best(others if way is None else [way, *others], candidate.rows)
            found[first + s] = finished(candidate.make, size, candidate.rows, settings.of(candidate))
    return found


def _best(sizes, rows):
    """The first one, unless another makes the rows more likely by more than chance would."""
    if len(sizes) == 1:
        return sizes[0]
    weight, reached = rows.heads().weight, [size.mixture.evidence(size.params, rows) for size in sizes]
    gains, errors = zip(*(compared(own, reached[0], weight) for own in reached), strict=True)
    best = int(np.nan_to_num(gains, nan=-np.inf).argmax())
    return sizes[best if gains[best] > max(ERRORS * errors[best], CLOSE) else 0]


def _of_all(candidate, size, like=None):
    """A size that was fitted to a part of the rows, bound to all of them."""
    return size._replace(mixture=candidate.make(size.tree, candidate.rows, size.mixture.alphas, like), sampled=True)


def _grown_again(candidate, settings, scores, last):
    """The sizes on the path of all rows, as far as they are needed."""
    make, rows, most, sizes = candidate.make, candidate.rows, candidate.max_experts, {}
    for s, size in enumerate(grown(make, rows, most, settings)):
        sizes[s] = size
        if s == min(max(last, scores.top), scores.n_up - 1):
            break
    if last >= scores.n_up and scores.top in sizes:
        for s, size in enumerate(pruned(make, rows, sizes[scores.top], settings), scores.n_up):
            sizes[s] = size
            if s == last:
                break
    return sizes


def _chosen(scores, n_coefficients, straight):
    """Number of the size whose tree is read.

    It is the smallest mixture whose score is within `ERRORS`, or `CLOSE`, of the best one with `straight` borders. Bent
    ones are harder to read: the smallest near the best of all is taken if it is smaller still, or `WORTH` it.
    """
    n_coefficients, straight = np.asarray(n_coefficients), np.asarray(straight)

    def smallest(sizes):
        best = int(sizes[scores.mean[sizes].argmax()])
        near = sizes[(scores.mean[best] - scores.mean <= np.maximum(ERRORS * scores.error(best), CLOSE))[sizes]]
        near = near[n_coefficients[near] == n_coefficients[near].min()]
        return int(near[scores.mean[near].argmax()])

    plain, of_all = smallest(np.flatnonzero(straight)), smallest(np.arange(len(straight)))
    worth = scores.mean[of_all] > scores.mean[plain] + WORTH
    return of_all if worth or n_coefficients[of_all] < n_coefficients[plain] else plain
