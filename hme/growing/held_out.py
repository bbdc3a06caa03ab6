"""How likely rows are by mixtures that have not seen them, for every size on the path of growing trees."""

from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import nnls

from ..model.folds import with_every_class
from ..numerics.kernels import log_normalize
from ..prediction import PredictiveDistribution
from ..progress import tell_size
from ..scoring.cells import cells_of, log_scores
from .path import ONE_BY_ONE, grown, pruned

__all__ = ["Scores", "compared", "factor_of", "joined", "scores_of", "shares_of", "values_of"]

# Folds of tables of up to so many distinct rows; of larger ones a fifth of the rows is held out once.
FOLDS = (300, 5), (1500, 3), (3000, 2)
ONCE = 5
SHARED = 4  # distinct rows to a value of y from which on it is rounded
# Steps in a row that bring nothing better, after which no larger tree is tried, of one leaf and of several; on the way
# down, steps that are worse than the best one by more than the standard error of the difference.
PATIENCE, LARGE_STEPS = 3, 2
# Trees of more experts are not pruned: no one will read them, and to be few is not what makes them good.
MOST_PRUNED = 40
# Factors on the variances of held-out rows that are tried, up and down from one.
FACTORS = 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0, 3.0
PRIOR = 200.0  # rows as which a factor of one counts
SHARE_ROUNDS, SHARE_TOL = 50, 1e-7  # nats that are left to gain
FAR = 100.0  # nats to the best size of a row, beyond which one is as impossible as another
LEAST_SHARE = 1e-3  # of a size from which its share may grow again
STEPS = 0.5 ** np.arange(8)
SAME = 1e-3  # nats a row for which no further size is kept
IMPOSSIBLE = -1e4  # log-density of a row that is impossible by a size, so that others are still compared


class Scores(NamedTuple):
    """Held-out log-densities of rows (or groups) by the sizes of the path."""

    log_density: np.ndarray  # (m, S)
    weight: np.ndarray  # (m,)
    n_experts: np.ndarray  # (S,) of int
    seen: list  # of every size, for every fold, what `_evidence` needs
    top: int  # number of the size from which the tree is pruned
    n_up: int  # number of the sizes before pruning
    fitted: list  # of every size, the `Size` without each fold
    once: bool  # whether there is no other fold
    interrupted: bool
    told_to_stop: bool  # by a callback

    @property
    def mean(self):
        """Of every size, (S,)."""
        return self.weight @ self.log_density / self.weight.sum()

    def error(self, best):
        """Standard errors (S,) of the differences of the means to that of one size."""
        return np.array([compared(self.log_density[:, best], own, self.weight)[1] for own in self.log_density.T])


def joined(every):
    """The scores of several paths on the same rows as those of one, of all their sizes."""
    lists = {name: [one for own in every for one in getattr(own, name)] for name in ("seen", "fitted")}
    log_density = np.concatenate([own.log_density for own in every], axis=1)
    return every[0]._replace(
        log_density=log_density, n_experts=np.concatenate([own.n_experts for own in every]), **lists
    )


def scores_of(make, rows, max_experts, settings, number):
    """Grow and prune a tree without each fold, all step by step, and ask about the rows of the fold.

    The search for splits is part of what is repeated, so that columns which only chance makes useful do no good.

    Parameters
    ----------
    make, rows, max_experts, settings
        As for `path.grown`.
    number : ndarray of int of shape (n,)
        As of `fold_numbers`.

    Returns
    -------
    Scores
    """
    n_folds = next((n for most, n in FOLDS if number.max() < most), 1)
    every = n_folds if n_folds > 1 else ONCE
    folds = [~with_every_class(rows, number, number % every != c) for c in range(n_folds)]
    folds = [fold for fold in folds if fold.any() and not fold.all()]
    values = values_of(rows, int(number.max()) + 1)
    parts = [(rows[np.flatnonzero(~fold)], rows[np.flatnonzero(fold)]) for fold in folds] or [(rows, rows)]
    most = None if folds else 1  # every row is the only one of its class: there is nothing to compare sizes by
    weight = np.concatenate([outside.heads().weight for _, outside in parts])
    course = _Course(parts, weight, values, settings.options)
    course.follow([islice(grown(make, inside, max_experts, settings), most) for inside, _ in parts], 0.0)
    top = course.best
    down = course.fitted[top] if 2 < max(size.tree.n_leaves for size in course.fitted[top]) <= MOST_PRUNED else []
    course.follow([pruned(make, inside, size, settings) for (inside, _), size in zip(parts, down, strict=False)], 1.0)
    found, n_experts = np.stack(course.found, axis=1), np.array(course.n_experts)
    return Scores(found, weight, n_experts, course.seen, top, course.n_up, course.fitted, n_folds == 1, *course.stops)


class _Course:
    """What the sizes of all folds have reached."""

    def __init__(self, parts, weight, values, options):
        self.parts, self.weight, self.values, self.options = parts, weight, values, options
        self.found, self.seen, self.fitted, self.n_experts, self.best, self.n_up = [], [], [], [], 0, 0
        self.interrupted = self.told_to_stop = False

    def follow(self, paths, errors):
        """Go along the paths of the folds, step by step, as long as there is a chance of better scores.

        A step fails that misses the best score by more than so many standard errors. An interrupt leaves what there is;
        before there is anything it is raised.
        """
        failed, patience = 0, PATIENCE
        try:
            while failed < patience and paths and not (self.interrupted or self.told_to_stop):
                steps = [next(path, None) for path in paths]
                if any(step is None for step in steps):
                    break
                missing, error = self._take(steps)
                failed = failed + 1 if missing > errors * error else 0
                patience = LARGE_STEPS if not self.n_up and self.n_experts[-1] > ONE_BY_ONE else PATIENCE
        except KeyboardInterrupt:
            if not self.found:
                raise
            self.interrupted = True
        self.n_up = self.n_up or len(self.found)

    @property
    def stops(self):
        return self.interrupted, self.told_to_stop

    def _take(self, steps):
        """Take a step, one size of every fold; what its score misses to the best so far, and the standard error."""
        pairs = zip(steps, self.parts, strict=True)
        seen = [_predicted(step, *part, self.values) for step, part in pairs]
        found, n_experts = _log_density(seen), steps[0].tree.n_leaves
        missing, error = compared(self.found[self.best] if self.found else found, found, self.weight)
        if missing < 0:
            self.best = len(self.found)
        self.seen.append(seen)
        self.found.append(found)
        self.fitted.append(steps)
        self.n_experts.append(n_experts)
        tell_size(self.options, n_experts, self.weight @ found / self.weight.sum())
        self.told_to_stop = self.options.task.step("size")
        return missing, error


def compared(a, b, weight):
    """How much larger the mean of `a` is than that of `b`, and the standard error of the difference."""
    difference, total = a - b, weight.sum()
    mean = weight @ difference / total
    return mean, np.sqrt(weight @ (difference - mean) ** 2) / total


class _Predicted(NamedTuple):
    """What a mixture says of held-out rows."""

    rows: Any
    log_prior: Any  # (heads, K)
    components: Any  # None of families without distributions: then the densities are given
    log_density: Any = None  # (heads,)
    values: Any = None  # the few values that y takes, whose cells have probabilities


def values_of(rows, n_distinct):
    """The values that y takes where most rows share theirs with others: densities say nothing then; else None."""
    if rows.group is not None or rows.y.ndim < 2 or rows.y.shape[1] > 1:
        return None
    values = cells_of(rows.y)
    return None if values is None or SHARED * len(values) > n_distinct else values


def _predicted(step, inside, outside, values):
    mixture, params = step.mixture, step.params
    if outside.y.ndim == 1:  # class codes
        return _Predicted(outside, None, None, mixture.evidence(params, outside))
    try:
        own = mixture.uncertainty(params, inside).experts
        components = mixture.expert.predictive(params.experts, outside, own)
        components.logpdf(outside.y[:1])
    except NotImplementedError:
        return _Predicted(outside, None, None, mixture.evidence(params, outside))
    values = values if mixture.expert.traits.measure == "density" else None
    return _Predicted(outside, mixture.log_prior(params, outside.heads()), components, values=values)


def _log_density(parts, factor=1.0):
    """Log-densities of the held-out rows of all folds, with the variances of the experts multiplied by a factor."""
    found = np.concatenate([_evidence(part, factor) for part in parts])
    return np.maximum(np.nan_to_num(found, nan=IMPOSSIBLE), IMPOSSIBLE)


def _evidence(part, factor):
    if part.components is None:
        return part.log_density
    components = part.components
    if factor != 1.0:
        components = components.widened(np.full(part.log_prior.shape[1], factor))
    if part.values is not None:
        return log_scores(PredictiveDistribution(np.exp(part.log_prior), components), part.rows.y[:, 0], part.values)
    log_joint = part.log_prior + part.rows.pooled(components.logpdf(part.rows.y))
    return log_normalize(np.asfortranarray(np.clip(np.nan_to_num(log_joint, nan=-np.inf), IMPOSSIBLE, -IMPOSSIBLE)))[0]


def factor_of(scores, share):
    """The factor on the variances of all sizes together with which their average makes held-out rows most likely."""
    used = np.flatnonzero(share)
    if any(part.components is None for s in used for part in scores.seen[s]):
        return 1.0

    def reached(factor):
        log_density = [np.log(share[s]) + _log_density(scores.seen[s], factor) for s in used]
        return scores.weight @ np.logaddexp.reduce(log_density)

    start = FACTORS.index(1.0)
    best, most = 1.0, reached(1.0)
    for way in (FACTORS[start + 1 :], FACTORS[:start][::-1]):
        for factor in way:
            own = reached(factor)
            if own <= most:
                break
            best, most = factor, own
        if best != 1.0:
            break
    weight = scores.weight.sum()
    return float(best ** (weight / (weight + PRIOR)))


def shares_of(log_density, weight):
    """The shares (S,) of the sizes which make held-out rows most likely, eq. (stop-shares), of as few as will do.

    Sizes that are next to each other on a path say nearly the same. The one of the least share is left out, again and
    again, as long as the mean log-density of rows falls by less than `SAME` altogether.
    """
    n_sizes, weight = log_density.shape[1], weight / weight.sum()
    used, (share, best) = np.arange(n_sizes), _shares(log_density, weight, np.full(n_sizes, 1.0 / n_sizes))
    found = share
    while len(used) > 1:
        used, begin = (np.delete(own, share.argmin()) for own in (used, share + LEAST_SHARE))
        share, reached = _shares(log_density[:, used], weight, begin / begin.sum())
        if best - reached > SAME:
            break
        found = np.zeros(n_sizes)
        found[used] = share
    return found


def _shares(log_density, weight, share):
    """The best shares (S,) of densities, and the mean log-density that they reach, from given ones.

    Newton steps for the problem without the constraint on the sum, whose solution is the same (Kim, Carbonetto,
    Stephens and Anitescu 2020); EM's step where they fail. By concavity no shares are better by more than the largest
    slope less one.
    """
    most = log_density.max(axis=1, keepdims=True)
    density = np.exp(np.maximum(log_density - most, -FAR))
    reached, scaled = _mixed(density, weight, share)
    for _ in range(SHARE_ROUNDS):
        slope = scaled.T @ weight
        if slope.max() <= 1.0 + SHARE_TOL:
            break
        curvature = scaled.T @ (weight[:, None] * scaled)
        little = SHARE_TOL * curvature.diagonal().max()
        root = np.linalg.cholesky(curvature + little * np.eye(len(share)))
        way = nnls(root.T, np.linalg.solve(root, 2.0 * slope - 1.0 + little * share))[0] - share
        for new in [*(share + step * way for step in STEPS), share * slope]:
            new = new / new.sum()
            gained, moved = _mixed(density, weight, new)
            if gained > reached:
                break
        else:
            break  # rounding is all that is left
        share, reached, scaled = new, gained, moved
    return share, reached + weight @ most[:, 0]


def _mixed(density, weight, share):
    """The mean log-density of a mixture, and the densities as multiples of it."""
    mixed = density @ share
    return weight @ np.log(mixed), density / mixed[:, None]
