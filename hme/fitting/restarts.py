"""Several starts: fit from each, all to the end or in a race, and give rows to leaves that hold none."""

from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs

from ..model import mixture as mixtures
from ..numerics.engine import one_thread, threads
from ..progress import NOBODY, of_fitted, tell_end
from . import em, ends, racing, samples, side_by_side, starts, training
from .regions import Ground
from .screening import narrowed

__all__ = ["Outcome", "continue_fit", "feed", "run", "starving"]

MAX_RESEEDS = 3
# Starts that are responsibilities of all rows, the user's or those of a smaller model: samples cannot draw them anew.
GIVEN = "given", "nested"
# What ended a fit before it converged, and what to do about it; {0} is max_iter, {1} the gradient.
STOPS = {
    "max_iter": "EM stopped after max_iter={0} sweeps before it converged. Raise max_iter or tol",
    "stalled": "EM stopped because no part of its last step raised the objective; the gradient is {1:.1g}. Raise alpha "
    "or look for columns of very different scale",
    "saddle": "EM stands at a saddle of the objective: a way leads up from there, whose end it has not reached within "
    "max_iter={0}. Raise max_iter or use another start",
    "max_stages": "the leaves that the gate chooses still changed after its last stage. Raise gate max_stages",
}
INTERRUPTED = (
    "EM was interrupted {0}; the best parameters so far are kept. Set warm_start=True and fit again to go on from them"
)
STARVED = "expert(s) {0} hold next to no weight. Use fewer experts, {1}"


class Outcome(NamedTuple):
    """What the starts reached."""

    fits: list  # of Fit, in the order of their starts
    numbers: list  # of int, the start of each: an interrupt leaves later ones out
    interrupted: str = ""  # where an interrupt came, such as "in start 3 of 8, after 12 sweeps"


def run(
    mixture, rows, tree, names, options, given=None, n_finalists=None, n_jobs=None, prefer="likelihood", brief=False
):
    """Fit from every start.

    Parameters
    ----------
    mixture : Mixture
    rows : Rows
    tree : Tree
    names : list of str
        Names of the starts, see `starts.STARTS`, or "given" and "nested" for responsibilities and "grown" for
        parameters.
    options : Options
        Start number i draws from ``default_rng((options.seed, i))`` alone, so that every backend and `n_jobs` gives the
        same fits.
    given : dict or None
        From the names of the latter to what they are.
    n_finalists : int, "auto" or None
        With None every start runs to the end. Otherwise they race, see `racing.race`; with "auto" only if there are
        many.
    n_jobs : int or None
        Fits that run at the same time, each by as many threads as that leaves. One fit uses those of the context.
    prefer : {"interior", "likelihood"}
        What the starts race for, see `ends.worth`.
    brief : bool
        Whether the starts are candidates, of which short runs choose the finalists.

    Returns
    -------
    Outcome

    Raises
    ------
    KeyboardInterrupt
        If it comes before any fit has parameters.
    """
    field = _Field(mixture, rows, tree, names, options, given or {}, n_jobs)
    most = racing.finalists(n_finalists, len(names))
    if most is None:
        field.advance(range(len(names)), options.max_iter)
    else:
        field.options = options._replace(climbs=False, newton=None)  # where it ends matters of the winner only
        racing.race(field, mixture, rows, options, most, prefer, brief)
        field.finish(field.winner(options, prefer), options)
    field.end()
    numbers = sorted(field.fits)
    return Outcome([field.fits[i] for i in numbers], numbers, field.interrupted)


class _Field:
    """The starts of a fit, each of which can be advanced by some sweeps.

    Attributes
    ----------
    fits : dict from int to Fit
        What each start has reached.
    interrupted : str
        Where an interrupt came; nothing advances any more.
    """

    def __init__(self, mixture, rows, tree, names, options, given, n_jobs):
        self.mixture, self.rows, self.tree, self.names = mixture, rows, tree, names
        self.options, self.given, self.n_jobs = options, given, n_jobs
        self.fits, self.interrupted, self._running, self._tasks = {}, "", None, {}
        self._whole = options.task.part("starts", len(names))
        sampled = any(name not in GIVEN for name in names)
        self.samples = samples.nested(mixture, rows, tree.n_leaves, options.algorithm) if sampled else []

    def advance(self, numbers, max_iter, anew=False):
        """Run starts until they have converged, or have made `max_iter` sweeps: in all, or from now on if `anew`."""
        if self.interrupted:
            return
        jobs = ((i, self._job(i, max_iter, anew)) for i in numbers)
        try:
            if len(numbers) > 1 and not self.samples and self._is_small():
                self._together(dict(jobs))
                return
            if (n_jobs := effective_n_jobs(self.n_jobs)) > 1 and len(numbers) > 1:
                for i, fit in _in_parallel(jobs, min(n_jobs, len(numbers)), n_jobs):
                    self._keep(i, fit)
                return
            for i, job in jobs:  # one by one, each drawn when it runs
                self._running = i
                with job.quietly():
                    params, options, course = job.begin()
                    fit = training.train(job.mixture, job.rows, params, options)
                self._keep(i, fit._replace(samples=course))
        except KeyboardInterrupt:
            if not self.fits:
                raise
            if not self.interrupted:
                self._stop(self._running)

    def winner(self, options, prefer):
        """The best start, which is run to its end if the race has ended it, as it may have ended all of its twins."""
        while True:
            numbers = sorted(self.fits)
            fits = [self.fits[i] for i in numbers]
            best = ends.best_of(self.mixture, self.rows, fits, prefer, options, among_all=True)
            if ends.finished(fits[best]) or self.interrupted or fits[best].n_iter >= options.max_iter:
                return numbers[best]
            self.advance([numbers[best]], options.max_iter)

    def finish(self, i, options):
        """Push a start that has converged off the point where it stands, and end it exactly."""
        fit = self.fits[i]
        if not fit.converged or fit.n_iter >= options.max_iter:
            return
        self.options = options._replace(climbs=options.climbs and not self.samples)  # on samples it has been pushed
        if options.watched or self.mixture.routed:
            self.advance([i], options.max_iter)
            return
        self._running = i
        try:
            with _Job.quietly():
                last = self.options._replace(algorithm=str(np.atleast_1d(options.algorithm)[-1]))
                self.fits[i] = training.ended(self.mixture, self.rows, fit, last)
        except KeyboardInterrupt:
            self._stop(i)

    def _job(self, i, max_iter, anew):
        """What start i runs, or runs on."""
        options, before = self._options(i)._replace(seed=(self.options.seed, i)), self.fits.get(i)
        if before is None:
            if self.names[i] == "grown":
                options = options._replace(max_iter=max_iter)
                return _Job(self.mixture, self.rows, options, self.tree, None, self.samples, self.given["grown"])
            start = self.given.get(self.names[i], self.names[i])
            options, parts = options._replace(max_iter=max_iter), self.samples if isinstance(start, str) else []
            return _Job(self.mixture, self.rows, options, self.tree, start, parts, None)
        options = options.after(before.n_iter, max_iter if anew else max_iter - before.n_iter)
        last = np.atleast_1d(options.algorithm)[-1]  # earlier ones have done their work
        options = options._replace(algorithm=str(last), seed=(*options.seed, before.n_iter))
        return _Job(self.mixture, self.rows, options, self.tree, None, [], before.params)

    def _options(self, i):
        """Options of start i, which say who it is."""
        if i not in self._tasks:
            self._tasks[i] = self._whole.part("start", self.options.max_iter, i)
        return self.options._replace(place=f"start {i + 1} of {len(self.names)}  ", task=self._tasks[i])

    def end(self, numbers=None):
        """Tell that starts have ended, all that have not been told of by default."""
        for i in list(self._tasks) if numbers is None else numbers:
            task, fit = self._tasks.get(i), self.fits.get(i)
            if task:
                task.end(**({} if fit is None else of_fitted(self.mixture, fit.params)))
                self._tasks[i] = NOBODY
        if numbers is None:
            self._whole.end()

    def _is_small(self):
        return side_by_side.together(self.mixture, self.rows, self.tree.n_leaves, self.options)

    def _together(self, jobs):
        """Run the jobs of a small table side by side, each as if it were alone."""
        for group in side_by_side.groups_of(list(jobs), self.rows.n_rows, self.tree.n_leaves):
            own, before, new = [jobs[i] for i in group], dict(self.fits), {}
            options, self._running = [job.options._replace(algorithm="em") for job in own], group
            with _Job.quietly():
                params = _begun(self.mixture, self.rows, own)
                for place, fit in side_by_side.fit_together(self.mixture, self.rows, params, options):
                    new[place] = fit
                    self.fits[group[place]] = _joined(before.get(group[place]), fit)
                for place, fit in new.items():
                    fit = training.ended(self.mixture, self.rows, fit, options[place])
                    self.fits[group[place]] = _joined(before.get(group[place]), fit)

    def _keep(self, i, fit):
        self.fits[i] = fit = _joined(self.fits.get(i), fit)
        if fit.reason != "max_iter" or fit.n_iter >= self.options.max_iter:  # else it may be run on
            tell_end(self._options(i), fit)
            self.end([i])
        if fit.reason == "interrupted":
            self._stop(i)
            raise KeyboardInterrupt

    def _stop(self, number):
        n_starts = len(self.names)
        if number is None:  # in other processes
            self.interrupted = f"after {len(self.fits)} of {n_starts} starts"
            return
        if isinstance(number, list):  # side by side
            number, of = number[0], f" in starts {number[0] + 1} to {number[-1] + 1} of {n_starts}"
        else:
            of = f" in start {number + 1} of {n_starts}" if n_starts > 1 else ""
        fit = self.fits.get(number)
        self.interrupted = (
            f"before the first sweep{of}" if fit is None else f"{of}, after {fit.n_iter} sweep(s)".lstrip(" ,")
        )


class _Job(NamedTuple):
    """A run of EM, in this process or in another one."""

    mixture: mixtures.Mixture
    rows: Any
    options: em.Options
    tree: Any
    start: Any  # the name of a start, or responsibilities
    samples: list  # of the rows, on which EM runs before it runs on all
    reached: Any  # parameters of an earlier run, from which this one goes on instead

    def begin(self):
        """The parameters from which EM goes on with all rows, with which options, and its course on samples."""
        if not self.samples:
            return self._first(self.rows), self.options, ()
        params, course = samples.climbed(self.mixture, self.rows, self.samples, self._first, self.options)
        return params, self.options._replace(settled=True, climbs=False), course

    def _first(self, rows):
        """The parameters from which EM starts on these rows."""
        return self._drawn(rows) if self.reached is None else self.reached

    @staticmethod
    @contextmanager
    def quietly():
        """One thread, so that results do not depend on their number; the guard notices what overflows."""
        with one_thread(), np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            yield

    def _drawn(self, rows):
        """The parameters to start from; a start is drawn here."""
        return self.mixture.init(rows, self.responsibilities(rows))

    def responsibilities(self, rows, ground=None):
        """Those of the start, (heads, K); `ground` is what it has in common with other starts from these rows."""
        resp = self.start
        if isinstance(resp, str):
            ground = _ground(self.mixture, rows) if ground is None else ground
            resp = starts.STARTS[resp](ground, self.tree, np.random.default_rng(self.options.seed))
            resp = self.mixture.expert.start_responsibilities(rows, resp)
        return starts.pooled(rows, resp)


def _ground(mixture, rows):
    """The rows as starts see them."""
    return Ground.of(narrowed(rows._replace(y=mixture.expert.start_target(rows))))


def _begun(mixture, rows, jobs):
    """The parameters that jobs start from, a list: those of new starts are made together."""
    new = [i for i, job in enumerate(jobs) if job.reached is None]
    params = [job.reached for job in jobs]
    if new:
        ground = _ground(mixture, rows)
        made = side_by_side.begin_together(mixture, rows, [jobs[i].responsibilities(rows, ground) for i in new])
        for i, one in zip(new, made, strict=True):
            params[i] = one
    return params


def _in_parallel(jobs, n_workers, n_jobs):
    """Pairs of a start and its fit, as they come; threads of the workers use the processors that are left."""
    calls = [delayed(_run)(i, job, n_jobs // n_workers) for i, job in jobs]
    try:
        results = Parallel(n_jobs=n_workers, return_as="generator_unordered")(calls)
    except ValueError:  # this backend returns only all of them at once
        results = iter(Parallel(n_jobs=n_workers)(calls))
    try:
        yield from results
    finally:
        with suppress(AttributeError):
            results.close()


def _run(i, job, n_threads):
    with threads(n_threads), job.quietly():
        params, options, course = job.begin()
        return i, training.train(job.mixture, job.rows, params, options)._replace(samples=course)


def _joined(before, fit):
    """A fit with the sweeps of the run that it continues; the better parameters of both."""
    if before is None:
        return fit
    history = em.History.joined([before.history, fit.history])
    best = fit if fit.merit >= before.merit else before
    return best._replace(history=history, reason=fit.reason, samples=before.samples)


def continue_fit(mixture, rows, params, options, reached=-np.inf, warm=True):
    """Fit from parameters, those of an earlier fit if `warm`; see `em.fit` for `reached`."""
    with one_thread():
        return training.train(mixture, rows, params, options, reached, warm)


def starving(fit):
    """Numbers of the leaves that hold next to no weight at the end of a fit."""
    return mixtures.starving(fit.stats.load)


def feed(mixture, rows, fit, options):
    """Give starving leaves the rows that the heaviest leaf fits worst, and fit again, as long as that helps."""
    for _ in range(MAX_RESEEDS):
        hungry = starving(fit)
        if not len(hungry):
            break
        params = mixture.init(rows, starts.reseeded(mixture, fit.params, rows, hungry))
        again = continue_fit(mixture, rows, params, options, warm=False)
        if again.merit <= fit.merit:
            break
        fit = again
    return fit
