"""Several fits at once: each goes its own way, and the steps that they need are taken together."""

import numpy as np

from ..model.bank import Bank, Packing
from ..model.mixture import Params, Statistics
from ..numerics import statistics
from . import em
from .guards import Guards

__all__ = ["begin_together", "fit_together", "groups_of", "together"]

# Rows times leaves up to which the steps of several fits are taken together, and of all these fits.
SMALL, LARGEST = 16384, 65536
FAILURES = ValueError, np.linalg.LinAlgError  # of a step


def together(mixture, rows, n_leaves, options):
    """Whether fits may be run together: on a small table, by plain EM, where no one watches a single fit."""
    plain = tuple(np.atleast_1d(options.algorithm)) == ("em",) and not options.watched and options.held_out is None
    return plain and Bank.holds(mixture) and rows.n_rows * n_leaves <= SMALL


def groups_of(numbers, n_rows, n_leaves):
    """The starts in groups that are run together, each small enough for the cache."""
    size = max(1, LARGEST // (n_rows * n_leaves))
    return [numbers[i : i + size] for i in range(0, len(numbers), size)]


def begin_together(mixture, rows, resps):
    """Parameters from each of several responsibilities, as from `Mixture.init`."""
    try:
        return Bank(mixture, rows).init(resps)
    except FAILURES:  # of one of them
        return [mixture.init(rows, resp) for resp in resps]


def fit_together(mixture, rows, starts, options, errors=()):
    """Run EM from several parameters, as `em.fit` does from each.

    Parameters
    ----------
    mixture : Mixture
        One that `together` allows.
    rows : Rows
    starts : list of Params
    options : list of Options
        One for each of them, of plain EM without a callback.
    errors : tuple of type
        Exceptions that end a single fit, which are yielded in its place.

    Yields
    ------
    number : int
        Of the start, in the order in which the fits end.
    fit : Fit

    Raises
    ------
    KeyboardInterrupt
        After an interrupt, when all fits that had parameters have come.
    """
    ended, run = set(), _Run(Bank(mixture, rows), starts, options)
    try:
        for number, fit in run.sweeps():
            ended.add(number)
            yield number, fit
        return
    except FAILURES:  # of one of them, which all others would suffer for
        pass
    for number in (i for i in range(len(starts)) if i not in ended):
        try:
            fit = em.fit(mixture, rows, starts[number], options[number])
        except errors as error:
            fit = error
        yield number, fit
        if isinstance(fit, em.Fit) and fit.reason == "interrupted":
            raise KeyboardInterrupt


class _Run:
    """EM from several parameters: arrays have an entry, or a row of numbers, for each fit that has not ended.

    Attributes
    ----------
    numbers : ndarray of int
        Which of the fits these are.
    params, best, before, plain : ndarray of shape (R, D)
        Parameters where a fit stands, its best ones, those before them, and those of the plain step beside a leap.
    stats, load : ndarray of shape (R, S), (R, K)
        At the best parameters.
    """

    def __init__(self, bank, starts, options):
        sides, n = [statistics.concatenate(*side) for side in zip(*starts, strict=True)], len(starts)
        self.bank, self.guards, self.course = bank, Guards(options), _Course(n)
        self.numbers, self.most = np.arange(n), np.array([one.max_iter for one in options])
        self.of_params, self.of_stats, self.stats, self.load = Packing(sides, n), None, None, None
        self.params = self.of_params.packed(sides, n)
        self.best, self.before, self.plain = (self.params.copy() for _ in range(3))

    def sweeps(self):
        """Yield the fits as they end, as pairs of number and `Fit`."""
        while len(self.numbers):
            try:
                with np.errstate(all="ignore"):  # the guards handle what overflows
                    ended = self._sweep()
            except KeyboardInterrupt:
                begun = np.flatnonzero(self.guards.begun)
                yield from [self._fit(i, "interrupted", len(self.course)) for i in begun]
                raise
            yield from ended

    def _sweep(self):
        """A sweep of all fits; a list of those that have ended."""
        n, guards = len(self.numbers), self.guards
        params = self._unpacked(self.params)
        seen = self.bank.e_step(params, n)
        if not (guards.begun | np.isfinite(seen.objective)).all():
            raise ValueError("the objective of a start is no number.")
        verdict = guards.judge(seen)
        stats = self._keep(verdict, seen)
        last = self.most <= len(self.course)
        over = verdict.converged | verdict.stalled | last
        ended = [self._ended(i, verdict) for i in np.flatnonzero(over)]
        self.params[verdict.back] = self.plain[verdict.back]
        if verdict.half.any():
            best, here = (self._unpacked(a[verdict.half]) for a in (self.best, self.params))
            half = np.full(int(verdict.half.sum()), 0.5)
            self.params[verdict.half] = self._packed(self.bank.interpolate(best, here, half))
        index = np.flatnonzero((verdict.accepted | verdict.landed) & ~over)
        if len(index):
            if len(index) < n:
                params = self._unpacked(self.params[index])
                seen = Statistics(*self.of_stats.unpacked(stats[index]), None)
            self._go_on(index, self._packed(self.bank.m_step(params, seen, len(index))), verdict.accepted & ~over)
        if len(ended):
            self._take(np.flatnonzero(~over))
        return ended

    def _keep(self, verdict, seen):
        """Keep what accepted steps led to, and note the sweep; the statistics of all as numbers."""
        sides, n, accepted = [seen.gate, seen.experts], len(self.numbers), verdict.accepted
        if self.of_stats is None:
            self.of_stats = Packing(sides, n)
        stats = self.of_stats.packed(sides, n)
        if self.stats is None:
            self.stats, self.load = stats.copy(), seen.load.copy()
        load = np.where(verdict.leapt[:, None], self.load, seen.load)
        gradient = np.where(accepted, seen.gradient, np.nan)
        self.course.note(self.numbers, seen.objective, accepted, gradient, load)
        self.before[verdict.plain] = self.best[verdict.plain]
        self.best[accepted], self.stats[accepted] = self.params[accepted], stats[accepted]
        self.load[accepted] = seen.load[accepted]
        return stats

    def _go_on(self, index, new, accepted):
        """Where M-steps from the fits `index` lead, or further the same way."""
        self.params[index] = new
        lengths = self.guards.lengths(accepted)
        far = np.flatnonzero(self.guards.leaping)
        if not len(far):
            return
        self.plain[far] = self.params[far]
        steps, interpolate = lengths[far], self.bank.interpolate
        first, second, third = (self._unpacked(a[far]) for a in (self.before, self.best, self.params))
        near = interpolate(first, second, steps)
        self.params[far] = self._packed(interpolate(near, interpolate(second, third, steps), steps))

    def _ended(self, i, verdict):
        sweeps, reason = len(self.course), "max_iter"
        if verdict.converged[i]:
            reason = "converged"
            if not verdict.accepted[i]:  # steps of mere rounding are no part of the course
                sweeps = self.course.last_accepted(self.numbers[i]) + 1
        elif verdict.stalled[i]:
            reason = "stalled"
        return self._fit(i, reason, sweeps)

    def _fit(self, i, reason, sweeps):
        """The number of a fit, and the fit."""
        own, guards, number = slice(i, i + 1), self.guards, int(self.numbers[i])
        stats = Statistics(*self.of_stats.unpacked(self.stats[own]), self.load[i].copy())
        params, history = self._unpacked(self.best[own]), self.course.of(number, sweeps)
        return number, em.Fit(params, float(guards.best[i]), stats, float(guards.gradient[i]), history, reason)

    def _take(self, index):
        """Keep some of the fits only."""
        for name in ("numbers", "most", "params", "best", "before", "plain", "stats", "load"):
            setattr(self, name, getattr(self, name)[index])
        self.guards.take(index)

    def _packed(self, params):
        return self.of_params.packed(params, len(params.experts[0]) // self.of_params.fields[1][0][0][0])

    def _unpacked(self, numbers):
        return Params(*self.of_params.unpacked(numbers))


class _Course:
    """The sweeps of several fits."""

    def __init__(self, n):
        self.n, self.sweeps, self.stacked = n, [], None

    def __len__(self):
        return len(self.sweeps)

    def note(self, numbers, *values):
        """Add a sweep, from the values of the fits `numbers`: objective, accepted, gradient and load."""
        sweep = []
        for own in values:
            of_all = np.zeros((self.n, *own.shape[1:]), dtype=own.dtype)
            of_all[numbers] = own
            sweep.append(of_all)
        self.sweeps.append(sweep)
        self.stacked = None

    def _stacked(self):
        if self.stacked is None:
            self.stacked = [np.stack(values, axis=1) for values in zip(*self.sweeps, strict=True)]
        return self.stacked

    def last_accepted(self, number):
        return int(np.flatnonzero(self._stacked()[1][number])[-1])

    def of(self, number, sweeps):
        """The `History` of a fit."""
        objective, accepted, gradient, load = (values[number, :sweeps].copy() for values in self._stacked())
        nothing = np.zeros(sweeps, dtype=bool)
        return em.History(objective, accepted, gradient, load, np.full(sweeps, np.nan), nothing)
