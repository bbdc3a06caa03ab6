"""The EM loop: E-step, guard, stop, M-step."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .algorithms import ALGORITHMS
from .guard import SETTLING, Guard

__all__ = ["Fit", "History", "Options", "course", "fit"]


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
    newton : callable or None
        ``newton(mixture, rows, fit)`` returns the parameters to which a Newton step leads from the end of a fit, or
        None: how `ascent.complete` ends a fit that has converged.
    settled : bool
        Whether the run continues one whose early sweeps are over, so that EM may leap at once.
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
    newton: Callable | None = None
    settled: bool = False

    def after(self, done, left):
        """The options of a run that continues one of `done` sweeps, for `left` sweeps at most."""
        callback = None if self.callback is None else _Later(self.callback, done)
        return self._replace(max_iter=left, callback=callback, settled=done >= SETTLING)


class _Later:
    """A callback that counts the sweeps of an earlier run too."""

    def __init__(self, callback, done):
        self.callback, self.done = callback, done

    def __call__(self, sweep, objective, params):
        return self.callback(self.done + sweep, objective, params)


class History(NamedTuple):
    """The course of a fit, one entry a sweep."""

    objective: np.ndarray  # mean penalised log-likelihood at the parameters of the sweep
    accepted: np.ndarray  # False where the guard rejected these parameters
    gradient: np.ndarray  # largest entry of the scaled gradient; nan where rejected
    load: np.ndarray  # (sweeps, K) weight of each leaf
    moved: np.ndarray  # True at the first sweep with new strengths of penalties: the objective is another one from here

    @classmethod
    def of(cls, sweeps):
        """The history of a fit whose strengths stay, from an iterable of (objective, accepted, gradient, load)."""
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
    reason: str  # "converged", "max_iter", "stalled", "callback" or "interrupted"; of stages also "max_stages"
    stages: tuple = ()  # what each stage reached, of a gate that is trained in stages
    samples: tuple = ()  # the course of the fit on samples of the rows, before its own sweeps

    @property
    def n_iter(self):
        """Number of sweeps."""
        return len(self.history.objective)

    @property
    def converged(self):
        return self.reason == "converged"


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
    own = course(model, rows, params, options, reached)
    try:
        step, *arguments = next(own)
        while True:
            try:
                while True:
                    if step == "m_step":
                        step, *arguments = own.send(model.m_step(*arguments))
                        continue
                    with np.errstate(all="ignore"):  # the guard handles what overflows
                        seen = model.e_step(*arguments)
                    step, *arguments = own.send(seen)
            except StopIteration:
                raise
            except BaseException as error:  # the course may know what to do; one that has ended raises it again
                step, *arguments = own.throw(error)
    except StopIteration as end:
        return end.value


def course(model, rows, params, options, reached=-np.inf):
    """`fit` as a generator, which yields every step of the model that it needs and is sent the result.

    So the steps of several fits can be taken together, see `side_by_side`.
    """
    assign = ALGORITHMS[options.algorithm](np.random.default_rng(options.seed))
    guard, history, reason = Guard(model, rows.weight, options, reached), [], "max_iter"
    try:
        for sweep in range(options.max_iter):
            if guard.leaping:
                objective, params = yield from guard.land(params, rows, assign)
                history.append((objective, False, np.nan, guard.best.stats.load))
                continue
            objective, stats = yield "e_step", params, rows, assign
            gain = guard.gain(objective)
            if guard.rejects(objective, gain):
                history.append((objective, False, np.nan, stats.load))
                if guard.gives_up(gain):
                    reason = guard.reason()
                    if reason == "converged" and not guard.wanders:  # steps of mere rounding are no part of the course
                        del history[1 + max(i for i, (_, accepted, *_) in enumerate(history) if accepted) :]
                    break
                params = guard.next_params(params, objective, stats, rows)
                continue
            gradient = model.gradient(params, stats)
            history.append((objective, True, gradient, stats.load))
            guard.accept(Fit(params, objective, stats, gradient, None, None), gain)
            if options.verbose > 1 or (options.verbose and sweep % 10 == 0):
                print(f"sweep {sweep:4d}  objective {objective:.6f}  gradient {gradient:.1e}")
            if options.callback is not None and options.callback(sweep, objective, params):
                reason = "callback"
                break
            if guard.converged(gain, gradient):
                reason = "converged"
                break
            if sweep + 1 < options.max_iter:  # nobody would look where the last step leads
                params = guard.go_on((yield "m_step", params, stats, rows))
    except KeyboardInterrupt:
        if guard.best is None:
            raise
        reason = "interrupted"
    return guard.best._replace(history=History.of(history), reason=reason)
