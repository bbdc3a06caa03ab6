"""Growth: sizes of a tree are compared by rows that they have not seen, and a path on all rows ends with the useful."""

from typing import Any, NamedTuple

import numpy as np

from ..fitting import em
from ..model.folds import fold_numbers
from ..numerics.threads import one_thread
from .held_out import factor_of, scores_of, shares_of
from .merging import Average, Part
from .path import finished, grown, pruned, sampled

__all__ = ["Growth", "GrowthStep", "Settings", "grow"]

# Least share of a size in the average.
LEAST_SHARE = 0.01
# Standard errors of the difference to the best score that a smaller tree may lack: chance has its part in the best.
ERRORS = 2.0
CLOSE = 0.01  # nats a row that no one would read a larger tree for
# Sizes of a large table are compared in a sample of at least so many distinct rows.
MOST = 1 << 14


class Settings(NamedTuple):
    """How a tree grows."""

    max_experts: int
    min_weight_fraction_leaf: float
    options: em.Options


class GrowthStep(NamedTuple):
    """One size on the path.

    Attributes
    ----------
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

    n_experts: int
    score: float
    difference: float
    error: float
    share: float
    chosen: bool


class Growth(NamedTuple):
    """What growing has found."""

    steps: list  # of GrowthStep
    chosen: Any  # `Size` of the tree
    average: Any  # `Average` of the sizes, without their uncertainty
    interrupted: bool  # then the tree is the best one so far, fitted without a fold


def grow(make, rows, settings):
    """Grow a tree.

    Parameters
    ----------
    make : callable
        ``make(tree, rows, alphas, like)`` is the mixture on a tree, bound to the rows, with strengths of penalties;
        `like` is None or another one that is bound to the same rows.
    rows : Rows
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
        scores = scores_of(make, sampled(rows, fold_numbers(rows), MOST) if rows.n_rows > 2 * MOST else rows, settings)
        chosen, interrupted = _chosen(scores), scores.interrupted
        share = shares_of(scores.log_density, scores.weight)
        share = np.where(share < LEAST_SHARE, 0.0, share)
        factor, sizes = 1.0, {}
        try:
            if not interrupted:
                factor = factor_of(scores, share / share.sum())
                sizes = _sizes(make, rows, settings, scores, {chosen, *np.flatnonzero(share).tolist()})
        except KeyboardInterrupt:
            interrupted = True
        if interrupted:
            sizes = {chosen: _of_all(make, rows, scores.fitted[chosen])}
    chosen = min(chosen, max(sizes))
    share = np.array([own if s in sizes else 0.0 for s, own in enumerate(share)])
    if interrupted or not share.any():
        share[chosen] = 1.0
    share = share / share.sum()
    best, missing = int(scores.mean.argmax()), scores.mean.max() - scores.mean
    error = scores.error(best)
    steps = [
        GrowthStep(
            int(scores.n_experts[s]),
            *map(float, (scores.mean[s], missing[s], error[s])),
            float(share[s]),
            s == chosen,
        )
        for s in range(len(scores.n_experts))
    ]
    parts = [Part(float(share[s]), sizes[s].mixture, sizes[s].params, None, factor) for s in np.flatnonzero(share)]
    return Growth(steps, sizes[chosen], Average(parts), interrupted)


def _sizes(make, rows, settings, scores, needed):
    """The sizes that are needed, by their numbers, fitted to all rows.

    Where rows were held out once, of a large table, EM goes on with all rows from the fit without them. Otherwise the
    tree grows again.
    """
    if scores.once:
        sizes = {s: _of_all(make, rows, scores.fitted[s]) for s in needed}
    else:
        sizes = _grown_again(make, rows, settings, scores, max(needed))
    return {s: finished(make, size, rows, settings) if s in needed else size for s, size in sizes.items()}


def _of_all(make, rows, size):
    """A size that was fitted to a part of the rows, bound to all of them."""
    return size._replace(mixture=make(size.tree, rows, size.mixture.alphas), sampled=True)


def _grown_again(make, rows, settings, scores, last):
    """The sizes on the path of all rows, as far as they are needed."""
    sizes = {}
    for s, size in enumerate(grown(make, rows, settings)):
        sizes[s] = size
        if s == min(max(last, scores.top), scores.n_up - 1):
            break
    if last >= scores.n_up and scores.top in sizes:
        for s, size in enumerate(pruned(make, rows, sizes[scores.top], settings), scores.n_up):
            sizes[s] = size
            if s == last:
                break
    return sizes


def _chosen(scores):
    """Number of the smallest size whose score is within `ERRORS`, or `CLOSE`, of the best one."""
    best = int(scores.mean.argmax())
    near = np.flatnonzero(scores.mean[best] - scores.mean <= np.maximum(ERRORS * scores.error(best), CLOSE))
    fewest = scores.n_experts[near].min()
    near = near[scores.n_experts[near] == fewest]
    return int(near[scores.mean[near].argmax()])
