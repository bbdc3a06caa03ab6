"""The guard of EM: which steps are accepted, where to go on after one that is not, and when nothing is left to gain."""

import numpy as np

__all__ = ["Guard", "limit"]

# The objective may fall by rounding; a fall beyond this share of its size is the step's fault.
ROUNDING = 1e-13
# Halvings of one step before the guard gives up: beyond them nothing of the step is left.
MAX_HALVINGS = 40
# Sweeps without a better objective before none is expected, where steps may go down: of drawn and of refitted ones.
DRAWN_PATIENCE, REFIT_PATIENCE = 50, 10


def remaining(gains):
    """What is left to gain after three successive EM steps, by Aitken's estimate, eq. (aitken).

    EM converges linearly: gains shrink by a ratio that settles, and what is left is a geometric series. The larger of
    the last two ratios is used; where one of them is not below one, the fit is not yet on its last climb, as after a
    plateau or near a saddle, and nothing is known.

    Parameters
    ----------
    gains : sequence of float
        The last gains, none negative; fewer than three say nothing.

    Returns
    -------
    float
        inf where nothing is known.
    """
    if len(gains) < 3:
        return np.inf
    first, second, third = gains[-3:]
    if not (second < first or second == 0.0) or not (third < second or third == 0.0):
        return np.inf
    ratio = max(second / first if first > 0.0 else 0.0, third / second if second > 0.0 else 0.0)
    return third * ratio / (1.0 - ratio)


def limit(objectives):
    """The objective that EM is on its way to, by the same estimate from the objectives of plain steps; inf if unknown."""
    gains = np.diff(objectives[-4:])
    return objectives[-1] + remaining(np.where(np.abs(gains) <= rounding(objectives[-1]), 0.0, gains))


def rounding(objective):
    """Changes of an objective that mean nothing."""
    return ROUNDING * max(1.0, abs(objective))


class Guard:
    """Whether a step is accepted, by the objective that it led to, and where to go on where it is not.

    Attributes
    ----------
    wanders : bool
        Whether steps may go down by their nature.
    best : Fit or None
        The best parameters so far, the last accepted ones.
    falls : int
        Rejected sweeps since the last accepted one; where steps wander, since the last one that gained something.
    gains : list of float
        Of the full steps since the last rejected one.
    started : bool
        Whether a step has been accepted, beyond the parameters that the fit starts from.
    """

    def __init__(self, model, options, reached):
        self.model, self.reached, self.tol = model, reached, options.tol
        self.drawn = options.algorithm == "stochastic"
        self.wanders = self.drawn or model.refitted
        self.most_falls = DRAWN_PATIENCE if self.drawn else REFIT_PATIENCE if self.wanders else MAX_HALVINGS
        self.best, self.falls, self.gains, self.started = None, 0, [], False

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
        least = self.tol if self.drawn else -rounding(objective)
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
        """Whether the fit has converged at the best parameters, to which the last step led with this gain.

        Where steps wander, or an earlier fit has converged at these parameters, a small gain is enough.
        """
        if not gradient <= max(np.sqrt(self.tol), 1e-9):
            return False
        if self.wanders or not self.started:
            return gain <= self.tol
        return remaining(self.gains) <= self.tol

    def accept(self, best, gain):
        """Keep what a step led to. After a step that was shortened, the gains of full ones are counted anew."""
        self.started = self.best is not None
        full = self.started and self.falls == 0
        self.gains = [*self.gains[-2:], gain if gain > rounding(best.objective) else 0.0] if full else []
        self.best = best
        if gain > self.tol or not self.wanders:  # going round in circles is no progress
            self.falls = 0
