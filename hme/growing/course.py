"""The course of a candidate: trees without each fold grow and are pruned, all step by step, as far as scores rise."""

from itertools import islice

import numpy as np

from ..model.folds import with_every_class
from ..progress import tell_size
from .held_out import Scores, compared, log_density_of, predicted, values_of
from .path import ONE_BY_ONE, grown, pruned

__all__ = ["Course"]

# Folds of tables of up to so many distinct rows; of larger ones a fifth of the rows is held out once.
FOLDS = (300, 5), (1500, 3), (3000, 2)
ONCE = 5
# Steps in a row that bring nothing better, after which no larger tree is tried, of one leaf and of several; on the way
# down, steps that are worse than the best one by more than the standard error of the difference.
PATIENCE, LARGE_STEPS = 3, 2
# Trees of more experts are not pruned: no one will read them, and to be few is not what makes them good.
MOST_PRUNED = 32


class Course:
    """What the trees without each fold have reached, and how likely the rows of the fold are by them.

    The search for splits is part of what is repeated, so that columns which only chance makes useful do no good.

    Parameters
    ----------
    candidate : Candidate
    rows : Rows
        Those of the candidate, or a sample of them.
    settings : Settings
    number : ndarray of int of shape (n,)
        As of `fold_numbers`.

    Attributes
    ----------
    found : list of ndarray of shape (m,)
        Held-out log-densities of every size.
    best : int
        Number of the size of the highest mean.
    weight : ndarray of shape (m,)
    interrupted, told_to_stop : bool
        By the user, by a callback.
    """

    def __init__(self, candidate, rows, settings, number):
        self.make, self.settings = candidate.make, settings.of(candidate)
        n_folds = next((n for most, n in FOLDS if number.max() < most), 1)
        every = n_folds if n_folds > 1 else ONCE
        folds = [~with_every_class(rows, number, number % every != c) for c in range(n_folds)]
        folds = [fold for fold in folds if fold.any() and not fold.all()]
        self.parts = [(rows[np.flatnonzero(~fold)], rows[np.flatnonzero(fold)]) for fold in folds] or [(rows, rows)]
        self.weight = np.concatenate([outside.heads().weight for _, outside in self.parts])
        self.values, self.once = values_of(rows, int(number.max()) + 1), n_folds == 1
        most = None if folds else 1  # every row is the only one of its class: there is nothing to compare sizes by
        ways = (grown(self.make, inside, candidate.max_experts, self.settings) for inside, _ in self.parts)
        self._ways, self._failed = [islice(way, most) for way in ways], 0
        self.found, self._seen, self._fitted, self._n_experts, self.best, self._n_up = [], [], [], [], 0, 0
        self.interrupted = self.told_to_stop = False

    @property
    def stopped(self):
        return self.interrupted or self.told_to_stop

    def rise(self, n_experts=np.inf):
        """Grow on, to so many experts at most."""
        while self._failed < PATIENCE and not self.stopped and (self._n_experts or [0])[-1] < n_experts:
            large = bool(self._n_experts) and self._n_experts[-1] > ONE_BY_ONE
            if (large and self._failed >= LARGE_STEPS) or not self._step(self._ways, 0.0):
                self._failed = PATIENCE

    def fall(self):
        """Prune the best size on the way up."""
        top, self._n_up, self._failed = self.best, len(self.found), 0
        if not 2 < max(size.tree.n_leaves for size in self._fitted[top]) <= MOST_PRUNED:
            return
        pairs = zip(self.parts, self._fitted[top], strict=True)
        ways = [pruned(self.make, inside, size, self.settings) for (inside, _), size in pairs]
        while self._failed < PATIENCE and not self.stopped and self._step(ways, 1.0):
            pass

    def scores(self):
        """The `Scores` of all sizes."""
        up = self._n_up or len(self.found)
        means = [self.weight @ own for own in self.found[:up]]
        return Scores(
            np.stack(self.found, axis=1),
            self.weight,
            np.array(self._n_experts),
            self._seen,
            int(np.argmax(means)),
            up,
            self._fitted,
            self.once,
        )

    def _step(self, ways, errors):
        """Take a step, one size of every fold, and return whether there was one.

        It fails if it misses the best score by more than so many standard errors. An interrupt leaves what there is;
        before there is anything it is raised.
        """
        try:
            sizes = [next(way, None) for way in ways]
            if any(size is None for size in sizes):
                return False
            missing, error = self._take(sizes)
            self._failed = self._failed + 1 if missing > errors * error else 0
        except KeyboardInterrupt:
            if not self.found:
                raise
            self.interrupted = True
        return True

    def _take(self, sizes):
        """Ask about the rows of the folds; what is missing to the best score so far, and the standard error."""
        seen = [predicted(size, *part, self.values) for size, part in zip(sizes, self.parts, strict=True)]
        found, n_experts = log_density_of(seen), sizes[0].tree.n_leaves
        missing, error = compared(self.found[self.best] if self.found else found, found, self.weight)
        if missing < 0:
            self.best = len(self.found)
        self._seen.append(seen)
        self.found.append(found)
        self._fitted.append(sizes)
        self._n_experts.append(n_experts)
        tell_size(self.settings.options, n_experts, self.weight @ found / self.weight.sum())
        self.told_to_stop = self.settings.options.task.step("size")
        return missing, error
