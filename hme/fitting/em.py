"""The EM loop: E-step, guard, stop, M-step."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .algorithms import ALGORITHMS

__all__ = ["Fit", "History", "Options", "fit"]

# The objective may fall by rounding; a fall beyond this share of its size is the step's fault.
ROUNDING = 1e-13
# Halvings of one step before the guard gives up: beyond them nothing of the step is left.
MAX_HALVINGS = 40
# Sweeps without a better objective before none is expected, where steps may go down: of drawn and of refitted ones.
DRAWN_PATIENCE, REFIT_PATIENCE = 50, 10


class Options(NamedTuple):
    """When EM stops, what it calls on the way, and which algorithm it is.

    Attributes
    ----------
    max_iter : int
        Most sweeps.
    tol : float
        A fit has converged when a sweep gains less than this, in nats per unit of weight, and the scaled gradient is
        below the square root of it.
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
    """

    max_iter: int = 500
    tol: float = 1e-5
    callback: Callable | None = None
    verbose: int = 0
    algorithm: str = "em"
    seed: Any = 0


class History(NamedTuple):
    """The course of a fit, one entry a sweep."""

    objective: np.ndarray  # mean penalised log-likelihood at the parameters of the sweep
    accepted: np.ndarray  # False where the guard rejected these parameters
    gradient: np.ndarray  # largest entry of the scaled gradient; nan where rejected
    load: np.ndarray  # (sweeps, K) weight of each leaf

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
    assign = ALGORITHMS[options.algorithm](np.random.default_rng(options.seed))
    guard, history, reason = _Guard(model, options, reached), [], "max_iter"
    try:
        for sweep in range(options.max_iter):
            with np.errstate(all="ignore"):  # the guard handles what overflows
                objective, stats = model.e_step(params, rows, assign)
            gain = guard.gain(objective)
            if guard.rejects(objective, gain):
                history.append((objective, False, np.nan, stats.load))
                if guard.gives_up():
                    reason = "converged" if guard.wanders else "stalled"
                    break
                params = guard.next_params(params, objective, stats, rows)
                continue
            gradient = model.gradient(params, stats)
            history.append((objective, True, gradient, stats.load))
            guard.best = Fit(params, objective, stats, gradient, None, None)
            if options.verbose > 1 or (options.verbose and sweep % 10 == 0):
                print(f"sweep {sweep:4d}  objective {objective:.6f}  gradient {gradient:.1e}")
            if options.callback is not None and options.callback(sweep, objective, params):
                reason = "callback"
                break
            if guard.converged(gain, gradient):
                reason = "converged"
                break
            guard.go_on(gain)
            params = model.m_step(params, stats, rows)
    except KeyboardInterrupt:
        if guard.best is None:
            raise
        reason = "interrupted"
    return guard.best._replace(history=History(*map(np.array, zip(*history, strict=True))), reason=reason)


class _Guard:
    """Whether a step is accepted, by the objective that it led to, and where to go on where it is not.

    Attributes
    ----------
    wanders : bool
        Whether steps may go down by their nature.
    best : Fit or None
        The best parameters so far, the last accepted ones.
    falls : int
        Rejected sweeps since the last accepted one; where steps wander, since the last one that gained something.
    """

    def __init__(self, model, options, reached):
        self.model, self.reached, self.tol = model, reached, options.tol
        self.drawn = options.algorithm == "stochastic"
        self.wanders = self.drawn or model.refitted
        self.most_falls = DRAWN_PATIENCE if self.drawn else REFIT_PATIENCE if self.wanders else MAX_HALVINGS
        self.best, self.falls = None, 0

    def gain(self, objective):
        """How much better the objective is than the best; at the start, how far from that of an earlier fit."""
        if self.best is not None:
            return objective - self.best.objective
        if not np.isfinite(objective):
            raise ValueError(
                f"the objective is {objective} at the start: some row has probability zero under every expert that "
                "the gate lets it use, or its numbers are out of range. Use a gate that reaches every expert, or "
                "change the units of y."
            )
        return abs(objective - self.reached)

    def rejects(self, objective, gain):
        """Whether the step lowered the objective by more than rounding; a drawn one must gain something."""
        least = self.tol if self.drawn else -ROUNDING * max(1.0, abs(objective))
        return self.best is not None and not gain >= least  # nan is no gain

    def gives_up(self):
        """Count a rejected step, and say whether it was one too many."""
        self.falls += 1
        return self.falls > self.most_falls

    def next_params(self, params, objective, stats, rows):
        """Parameters after a rejected step: half-way back, or one step on where steps wander."""
        if self.wanders and np.isfinite(objective):
            return self.model.m_step(params, stats, rows)
        return self.model.interpolate(self.best.params, params, 0.5)

    def converged(self, gain, gradient):
        """Whether the fit has converged at the best parameters, to which the last step led with this gain."""
        # A small gain proves nothing after a step that was shortened, unless steps cannot be.
        full = self.falls == 0 or self.wanders
        return full and gain <= self.tol and gradient <= max(np.sqrt(self.tol), 1e-9)

    def go_on(self, gain):
        """After an accepted step the count of rejected ones starts anew."""
        if gain > self.tol or not self.wanders:  # going round in circles is no progress
            self.falls = 0
