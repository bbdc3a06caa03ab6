"""The EM loop: E-step, guard, stop, M-step."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..progress import NOBODY, Watch
from .algorithms import ALGORITHMS
from .guard import SETTLING, Guard

__all__ = ["Fit", "History", "Options", "fit"]


class Options(NamedTuple):
    """When EM stops, what it calls on the way, and which algorithm it is.

    Attributes
    ----------
    max_iter : int
        Most sweeps.
    tol : float
        A fit has converged when no more than this is left to gain, in nats per unit of weight, by the estimate of
        eq. (aitken), and the scaled gradient is below the square root of it. Where steps may go down, it has when a
        sweep gains no more.
    callback : callable or None
        Called as ``callback(sweep, objective, params)`` after every accepted step; True stops the fit.
    verbose : int
        1 prints every tenth sweep, 2 every sweep.
    algorithm : str
        "em"; "hard", which gives each row to its most probable leaf and climbs the classification likelihood,
        eq. (classification); or "stochastic", which gives each row to a leaf drawn from its responsibilities: the
        objective then wanders, and the fit ends when its best value has not risen for long.
    seed : int or sequence of int
        Of the generator that "stochastic" draws from.
    accelerate : bool
        Whether plain EM leaps ahead where its steps are steady, eq. (squarem). A leap is a sweep whose parameters count
        as not accepted; it is followed by an M-step, whose result is kept only if the objective has not fallen.
    climbs : bool
        Whether a fit that has converged is pushed off the point where it stands, see `ascent.complete`.
    look : callable or None
        ``look(mixture, rows, fit, least=objective)`` returns parameters of a higher objective near the end of a fit, or
        None: what `ascent.complete` asks where no push leads up.
    at_maximum : callable or None
        ``at_maximum(mixture, rows, fit)`` says whether the end of a fit is certain to be a maximum, so that
        `ascent.complete` need not push it.
    newton : callable or None
        ``newton(mixture, rows, fit)`` returns the parameters to which a Newton step leads from the end of a fit, or
        None: how `ascent.complete` ends a fit that has converged.
    settled : bool
        Whether the run continues one whose early sweeps are over, so that EM may leap at once.
    held_out : HeldOut or None
        Rows that EM does not see: a run ends when they have become no more likely for some sweeps, and the parameters
        by which they are most likely are kept.
    task : Task
        The task that sweeps are parts of, of which scikit-learn's callbacks are told.
    done : int
        Sweeps before this run, which callback and lines count too.
    place : str
        What lines begin with, such as "start 1 of 3".
    begin : float
        When the fit began, by ``time.perf_counter``.
    """

    max_iter: int = 500
    tol: float = 1e-5
    callback: Callable | None = None
    verbose: int = 0
    algorithm: str = "em"
    seed: Any = 0
    accelerate: bool = True
    climbs: bool = True
    look: Callable | None = None
    at_maximum: Callable | None = None
    newton: Callable | None = None
    settled: bool = False
    held_out: Any = None
    task: Any = NOBODY
    done: int = 0
    place: str = ""
    begin: float = 0.0

    @property
    def watched(self):
        """Whether someone looks at the sweeps."""
        return self.callback is not None or bool(self.verbose or self.task)

    def quiet(self):
        """The options of a run that no one looks at."""
        return self._replace(callback=None, verbose=0, task=NOBODY)

    def after(self, done, left):
        """The options of a run that continues one of `done` sweeps, for `left` sweeps at most."""
        return self._replace(max_iter=left, done=self.done + done, settled=done >= SETTLING)


class History(NamedTuple):
    """The course of a fit, one entry a sweep."""

    objective: np.ndarray  # mean penalised log-likelihood at the parameters of the sweep
    accepted: np.ndarray  # False where the guard rejected these parameters, and after those that are kept
    gradient: np.ndarray  # largest entry of the scaled gradient; nan where rejected
    load: np.ndarray  # (sweeps, K) weight of each leaf
    score: np.ndarray  # of rows that are held out, eq. (held-out-score); nan where rejected, or where there are none
    moved: np.ndarray  # True at the first sweep with new strengths of penalties: the objective is another one from here

    @classmethod
    def of(cls, sweeps):
        """The history of a fit whose strengths stay, from an iterable of its other fields."""
        arrays = list(map(np.array, zip(*sweeps, strict=True)))
        return cls(*arrays, np.zeros(len(arrays[0]), dtype=bool))

    @classmethod
    def joined(cls, parts):
        """Several histories as one."""
        return cls(*map(np.concatenate, zip(*parts, strict=True)))


class Fit(NamedTuple):
    """The result of a fit: the best parameters that it came across, and its course."""

    params: Any
    objective: float  # at `params`, as are the statistics and the gradient
    stats: Any
    gradient: float
    history: History
    reason: str  # "converged", "max_iter", "stalled", "early_stopping", "callback", "interrupted", or "max_stages"
    stages: tuple = ()  # what each stage reached, of a gate that is trained in stages
    samples: tuple = ()  # the course of the fit on samples of the rows, before its own sweeps
    score: float = np.nan  # at `params`, of rows that are held out

    @property
    def n_iter(self):
        """Number of sweeps."""
        return len(self.history.objective)

    @property
    def converged(self):
        return self.reason == "converged"

    @property
    def merit(self):
        """What fits are compared by: the score of rows that are held out, or the objective where there are none.

        A fit that stops early has been on its way: its objective says when it stopped, not how good it is.
        """
        return self.objective if np.isnan(self.score) else self.score


def fit(model, rows, params, options=Options(), reached=-np.inf):
    """Run EM from `params` and return the best that it came across.

    Every E-step measures the M-step before it. Where the objective fell or is not a number, the guard goes half-way
    back to the last accepted parameters, eq. (rollback), so that the accepted objective never falls. Where steps may go
    down by their nature, those of stochastic EM and of families that are refitted, the fit goes on for some sweeps.

    Parameters
    ----------
    model : Mixture
    rows : Rows
    params : Params
        From ``model.init(rows, resp)`` or an earlier fit.
    options : Options
    reached : float
        Objective that an earlier, converged fit reached at `params`: a fit that starts there stops there.

    Returns
    -------
    Fit
    """
    assign = ALGORITHMS[options.algorithm](np.random.default_rng(options.seed))
    guard, history, reason = Guard(model, rows.weight, options, reached), [], "max_iter"
    watch = Watch(model, options)
    try:
        for sweep in range(options.max_iter):
            if guard.leaping:
                objective, params = guard.land(params, rows, assign)
                history.append((objective, False, np.nan, guard.best.stats.load, np.nan))
                continue
            with np.errstate(all="ignore"):  # the guard handles what overflows
                objective, stats = model.e_step(params, rows, assign)
            gain = guard.gain(objective)
            if guard.rejects(objective, gain):
                history.append((objective, False, np.nan, stats.load, np.nan))
                if guard.gives_up(gain):
                    reason = guard.reason()
                    if reason == "converged" and not guard.wanders:  # steps of mere rounding are no part of the course
                        del history[1 + max(i for i, (_, accepted, *_) in enumerate(history) if accepted) :]
                    break
                params = guard.next_params(params, objective, stats, rows)
                continue
            gradient, score = model.gradient(params, stats), watch.score(params)
            history.append((objective, True, gradient, stats.load, score))
            guard.accept(Fit(params, objective, stats, gradient, None, None, score=score), gain)
            stop = watch.ends(sweep, guard.best, gain) or (guard.converged(gain, gradient) and "converged")
            if stop:
                reason = stop
                break
            if sweep + 1 < options.max_iter:  # nobody would look where the last step leads
                params = guard.go_on(model.m_step(params, stats, rows))
    except KeyboardInterrupt:
        if guard.best is None:
            raise
        reason = "interrupted"
    return watch.kept(guard.best, History.of(history), reason)
