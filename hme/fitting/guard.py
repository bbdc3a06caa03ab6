"""The guard of EM: which steps are accepted, where to go on after one that is not, and when nothing is left to gain."""

import numpy as np

__all__ = ["SETTLING", "Guard", "limit"]

# The objective may fall by rounding; a fall beyond this share of its size is the step's fault.
ROUNDING = 1e-13
# Errors of densities, in standard deviations of their sum, that mean nothing.
ROUNDED = 8.0
# Halvings of one step before the guard gives up: beyond them nothing of the step is left.
MAX_HALVINGS = 40
# Sweeps without a better objective before none is expected, where steps may go down: of drawn and of refitted ones.
DRAWN_PATIENCE, REFIT_PATIENCE = 50, 10
# Rate of EM below which it is fast enough, and plain steps that the first leap may cover.
SLOW, FIRST_LEAP, STEADY = 0.3, 4.0, 0.5
# Plain steps before the first leap: early ones choose the region in which a fit ends.
SETTLING = 5
# Gains may shrink fast while the slow part of a fit has hardly begun: estimates take no smaller ratio than this.
LEAST_RATIO = 0.9


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
    ratios = [b / a for a, b in ((first, second), (second, third)) if a > 0.0]
    ratio = max([LEAST_RATIO, *ratios])
    return third * ratio / (1.0 - ratio)


def limit(objectives):
    """The objective that EM is on its way to, by the same estimate, from those of plain steps; inf if unknown."""
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
    rounding : float
        Changes of the objective by the rounding of densities at the best parameters.
    started : bool
        Whether a step has been accepted, beyond the parameters that the fit starts from.
    """

    def __init__(self, model, weight, options, reached):
        self.model, self.weight, self.reached, self.tol = model, weight, reached, options.tol
        self.drawn = options.algorithm == "stochastic"
        self.wanders = self.drawn or model.refitted
        self.most_falls = DRAWN_PATIENCE if self.drawn else REFIT_PATIENCE if self.wanders else MAX_HALVINGS
        self.best, self.falls, self.gains, self.started = None, 0, [], False
        self.leaps = options.accelerate and options.algorithm == "em" and not model.refitted and not model.routed
        self.leaping, self.plain, self.trail, self.longest = False, None, [], FIRST_LEAP
        self.settled, self.rounding, self.level = options.settled, 0.0, False

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

    def gives_up(self, gain):
        """Count a rejected step, and say whether it was one too many, or fell by no more than densities are rounded."""
        self.falls += 1
        self.level = not self.wanders and self.plain is None and gain >= -self.rounding
        return self.level or self.falls > self.most_falls

    def reason(self):
        """Why the fit ends after a step that was one too many.

        Rounding may hide what is left to gain; the size of the last plain step and the gradient say whether it is much.
        """
        small = self.level or (bool(self.gains) and self.gains[-1] <= self.tol)
        return "converged" if self.wanders or (small and self._flat(self.best.gradient)) else "stalled"

    def _flat(self, gradient):
        """Whether the gradient is that of a maximum."""
        return gradient <= max(np.sqrt(self.tol), 1e-9)

    def next_params(self, params, objective, stats, rows):
        """Parameters after a rejected step: half-way back, or one step on where steps wander."""
        if self.wanders and np.isfinite(objective):
            return self.model.m_step(params, stats, rows)
        if self.plain is not None:  # the leap was too long
            params, self.plain, self.falls, self.longest = self.plain, None, 0, max(self.longest / 2, FIRST_LEAP)
            return params
        return self.model.interpolate(self.best.params, params, 0.5)

    def converged(self, gain, gradient):
        """Whether the fit has converged at the best parameters, to which the last step led with this gain.

        Where steps wander, or an earlier fit has converged at these parameters, a small gain is enough.
        """
        if not self._flat(gradient):
            return False
        if self.wanders or not self.started:
            return gain <= self.tol
        if self.gains and self.gains[-1] == 0.0:  # a plain step changes nothing: a fixed point
            return True
        return remaining(self.gains) <= self.tol

    def accept(self, best, gain):
        """Keep what a step led to. After a leap or a shortened step the gains of plain ones are counted anew."""
        self.started = self.best is not None
        plain = self.started and self.falls == 0 and self.plain is None
        least = max(rounding(best.objective), self.rounding)
        self.gains = [*self.gains[-SETTLING:], gain if gain > least else 0.0] if plain else []
        self.trail = [*self.trail[-1:], best.params] if plain else [best.params]
        self.best, self.plain = best, None
        self.rounding = ROUNDED * self.model.rounding(best.params, best.stats, self.weight)
        if gain > self.tol or not self.wanders:  # going round in circles is no progress
            self.falls = 0

    def go_on(self, params):
        """Where to go on after an accepted step: to where the M-step leads, or further the same way, eq. (squarem)."""
        length = self._length()
        if length <= 1.0:
            return params
        first, second = self.trail
        self.leaping, self.plain = True, params
        near = self.model.interpolate(first, second, length)
        return self.model.interpolate(near, self.model.interpolate(second, params, length), length)

    def land(self, params, rows, assign):
        """The objective where a leap has led, and the M-step from there, which obeys all constraints.

        Where there is no distribution, as with a covariance that is not positive definite, the plain step is taken.
        """
        self.leaping = False
        try:
            with np.errstate(all="ignore"):
                objective, stats = self.model.e_step(params, rows, assign)
            if np.isfinite(objective):
                return objective, self.model.m_step(params, stats, rows)
        except np.linalg.LinAlgError:
            objective = np.nan
        return objective, self.next_params(params, objective, None, rows)

    def _length(self):
        """How many plain steps a leap covers; one where there is none, or where EM is not steady."""
        if not self.leaps or len(self.gains) < (2 if self.settled else SETTLING) or min(self.gains[-2:]) <= 0.0:
            return 1.0
        before, gain = self.gains[-2:]
        ratio = gain / before
        earlier = before / self.gains[-3] if len(self.gains) > 2 and self.gains[-3] > 0.0 else ratio
        steady = abs(ratio - earlier) <= STEADY * abs(1.0 - ratio)
        if not steady or ratio < SLOW or (ratio < 1.0 and gain * ratio / (1.0 - ratio) <= self.tol):
            return 1.0
        self.settled = True
        wanted = 1.0 / max(abs(1.0 - np.sqrt(ratio)), 1e-6)  # gains are squares of distances
        if wanted > self.longest:
            wanted, self.longest = self.longest, 2.0 * self.longest
        return wanted
