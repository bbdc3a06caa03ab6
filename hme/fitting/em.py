"""The EM loop: sweep, guard, step, stop."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .algorithms import ALGORITHMS

__all__ = ["Fit", "History", "Options", "fit"]

# The objective may fall by rounding; a fall beyond this share of its size is the step's fault.
ROUNDING = 1e-13
# Halvings of one step before the guard gives up: beyond them nothing of the step is left.
MAX_HALVINGS = 40
# Sweeps without a better objective before no more is expected, of steps that may go down: drawn and refitted ones.
DRAWN_PATIENCE, REFIT_PATIENCE = 50, 10


class Options(NamedTuple):
    """How long to go on.

    `tol` is the gain of the objective per sweep, in nats per unit of weight, below which the fit has converged,
    provided that the scaled gradient is below its square root.

    `algorithm` is "em", "hard" (each row to its most probable leaf; the objective is the classification likelihood,
    eq. (classification)) or "stochastic" (each row to a leaf drawn from its responsibilities by ``default_rng(seed)``;
    the objective wanders, and the fit ends when its best value has not risen for long).
    """

    max_iter: int = 500
    tol: float = 1e-5
    callback: Callable | None = None  # callback(sweep, objective, params); True stops the fit
    verbose: int = 0
    algorithm: str = "em"
    seed: Any = 0


class History(NamedTuple):
    """One entry a sweep."""

    objective: np.ndarray  # mean penalised log-likelihood at the parameters that the sweep looked at
    accepted: np.ndarray  # False where the guard turned the step back
    gradient: np.ndarray  # largest entry of the scaled gradient; nan where turned back
    load: np.ndarray  # (sweeps, K) weight of each leaf


class Fit(NamedTuple):
    """What a fit leaves: the best parameters seen and how it came to them."""

    params: Any
    objective: float
    stats: Any
    gradient: float
    history: History
    reason: str  # "converged", "max_iter", "stalled", "callback" or "interrupted"
    stages: tuple = ()  # of a fit in stages, what each one reached

    @property
    def n_iter(self):
        return len(self.history.objective)

    @property
    def converged(self):
        return self.reason == "converged"


def fit(model, rows, params, options=Options(), reached=-np.inf):
    """Run EM from `params` and return the best it saw.

    Every sweep measures the step that led to it. Where the objective fell or is not a number, the next parameters are
    half-way back to the last accepted ones, eq. (rollback), so the accepted objective never falls. Where steps go down
    by their nature, of stochastic EM and of families that are refitted, the fit wanders on for some sweeps instead.

    Parameters
    ----------
    model : Mixture
    rows : Rows
    params : Params
        From ``model.init(rows, resp)`` or an earlier fit.
    options : Options
    reached : float
        Objective that an earlier, converged fit has reached at `params`: where this one starts there, it stops there.

    Returns
    -------
    Fit
    """
    posterior = ALGORITHMS[options.algorithm](np.random.default_rng(options.seed))
    drawn = options.algorithm == "stochastic"
    wanders = drawn or model.refitted
    most_falls = DRAWN_PATIENCE if drawn else REFIT_PATIENCE if wanders else MAX_HALVINGS
    best, history, falls, reason = None, [], 0, "max_iter"
    try:
        for sweep in range(options.max_iter):
            with np.errstate(all="ignore"):  # the guard sees to what overflows
                objective, stats = model.sweep(params, rows, posterior)
            if best is None and not np.isfinite(objective):
                raise ValueError(
                    f"the objective is {objective} at the start: some row has probability zero under every expert that "
                    "the gate lets it use, or its numbers are out of range. Use a gate that reaches every expert, or "
                    "change the units of y."
                )
            gain = abs(objective - reached) if best is None else objective - best.objective
            if best is not None and not gain >= (options.tol if drawn else -ROUNDING * max(1.0, abs(objective))):
                history.append((objective, False, np.nan, stats.load))
                falls += 1
                if falls > most_falls:
                    reason = "converged" if wanders else "stalled"
                    break
                if wanders and np.isfinite(objective):
                    params = model.m_step(params, stats, rows)
                else:
                    params = model.interpolate(best.params, params, 0.5)
                continue
            gradient = model.gradient(params, stats)
            history.append((objective, True, gradient, stats.load))
            best = Fit(params, objective, stats, gradient, None, None)
            if options.verbose > 1 or (options.verbose and sweep % 10 == 0):
                print(f"sweep {sweep:4d}  objective {objective:.6f}  gradient {gradient:.1e}")
            if options.callback is not None and options.callback(sweep, objective, params):
                reason = "callback"
                break
            # A step that the guard shortened proves nothing, unless the family has no shorter one.
            if (falls == 0 or wanders) and gain <= options.tol and gradient <= max(np.sqrt(options.tol), 1e-9):
                reason = "converged"
                break
            falls = 0 if gain > options.tol or not wanders else falls  # going round in circles is no progress
            params = model.m_step(params, stats, rows)
    except KeyboardInterrupt:
        if best is None:
            raise
        reason = "interrupted"
    return best._replace(history=History(*map(np.array, zip(*history, strict=True))), reason=reason)
