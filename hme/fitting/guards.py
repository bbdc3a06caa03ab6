"""The guard of several fits of plain EM at once: what `Guard` decides for one, in arrays with an entry for each."""

from typing import NamedTuple

import numpy as np

from .guard import FIRST_LEAP, LEAST_RATIO, MAX_HALVINGS, ROUNDED, ROUNDING, SETTLING, SLOW, STEADY

__all__ = ["Guards", "Verdict"]

KEPT = SETTLING + 1  # gains


def rounding(objective):
    """Changes of objectives that mean nothing."""
    return ROUNDING * np.maximum(1.0, np.abs(objective))


def remaining(gains, count):
    """What is left to gain, eq. (aitken), from the last gains (R, >= 3) and how many there are; inf where unknown."""
    first, second, third = gains[:, -3:].T
    with np.errstate(all="ignore"):
        known = (count >= 3) & ((second < first) | (second == 0.0)) & ((third < second) | (third == 0.0))
        ratio = np.maximum(np.where(first > 0.0, second / first, 0.0), np.where(second > 0.0, third / second, 0.0))
        ratio = np.maximum(ratio, LEAST_RATIO)
        return np.where(known, third * ratio / (1.0 - ratio), np.inf)


class Verdict(NamedTuple):
    """What becomes of each fit after an E-step: masks (R,)."""

    accepted: np.ndarray  # the parameters are the best so far
    leapt: np.ndarray  # they are those of a leap
    landed: np.ndarray  # of one from which an M-step leads on
    plain: np.ndarray  # accepted after a whole step of EM
    back: np.ndarray  # to the plain step instead of a leap
    half: np.ndarray  # half-way back to the best parameters
    converged: np.ndarray  # the fit ends, at a maximum
    stalled: np.ndarray  # it ends


class Guards:
    """Whether steps are accepted, how far the next ones go, and which fits have ended.

    Parameters
    ----------
    options : list of Options
        Of plain EM, one for each fit.
    """

    def __init__(self, options):
        R = len(options)
        self.tol = np.array([one.tol for one in options])
        self.leaps = np.array([one.accelerate for one in options])
        self.settled = np.array([one.settled for one in options])
        self.flat = np.maximum(np.sqrt(self.tol), 1e-9)
        self.best, self.gradient = np.full(R, -np.inf), np.full(R, np.inf)
        self.falls, self.count, self.gains = np.zeros(R, dtype=int), np.zeros(R, dtype=int), np.zeros((R, KEPT))
        self.leaping, self.has_plain, self.begun = (np.zeros(R, dtype=bool) for _ in range(3))
        self.longest, self.rounding = np.full(R, FIRST_LEAP), np.zeros(R)

    def take(self, index):
        """Keep some of the fits only."""
        for name, values in vars(self).items():
            setattr(self, name, values[index])

    def judge(self, seen):
        """The `Verdict` on the parameters at which `seen`, a `Seen`, was computed."""
        landing, gain = self.leaping, seen.objective - self.best
        with np.errstate(invalid="ignore"):
            falls = ~landing & self.begun & ~(gain >= -rounding(seen.objective))  # nan is no gain
            accepted = ~landing & ~falls
            finite = np.isfinite(seen.objective)
            level = falls & ~self.has_plain & (gain >= -self.rounding)
        self.falls += falls
        over = level | (falls & (self.falls > MAX_HALVINGS))
        small = level | ((self.count > 0) & (self.gains[:, -1] <= self.tol))
        at_end = over & small & (self.gradient <= self.flat)
        stalled = over & ~at_end
        back = (falls & ~over & self.has_plain) | (landing & ~finite)
        half = falls & ~over & ~back
        self.has_plain[back], self.falls[back] = False, 0
        self.longest[back] = np.maximum(self.longest[back] / 2, FIRST_LEAP)
        self.leaping = np.zeros_like(landing)
        plain = self._accept(accepted, gain, seen)
        ends = at_end | self._converged(accepted)
        return Verdict(accepted, landing, landing & finite, plain, back, half, ends, stalled)

    def _accept(self, accepted, gain, seen):
        """Keep what accepted steps led to; which of them were whole steps of EM."""
        plain = accepted & self.begun & (self.falls == 0) & ~self.has_plain
        least = np.maximum(rounding(seen.objective), self.rounding)
        self.gains[plain] = np.roll(self.gains[plain], -1, axis=1)
        self.gains[plain, -1] = np.where(gain > least, gain, 0.0)[plain]
        self.count[accepted] = np.where(plain, np.minimum(self.count + 1, KEPT), 0)[accepted]
        self.best[accepted], self.gradient[accepted] = seen.objective[accepted], seen.gradient[accepted]
        self.rounding[accepted] = ROUNDED * seen.rounding[accepted]
        self.has_plain[accepted], self.falls[accepted], self.begun[accepted] = False, 0, True
        return plain

    def _converged(self, accepted):
        """Which of the accepted steps were the last ones that matter."""
        fixed = (self.count > 0) & (self.gains[:, -1] == 0.0)
        return accepted & (self.gradient <= self.flat) & (fixed | (remaining(self.gains, self.count) <= self.tol))

    def lengths(self, accepted):
        """How many plain steps each fit goes on by, eq. (squarem): one where it does not leap."""
        before, gain = self.gains[:, -2:].T
        wanted = np.ones(len(accepted))
        ready = accepted & self.leaps & (self.count >= np.where(self.settled, 2, SETTLING))
        ready &= (before > 0.0) & (gain > 0.0)
        if not ready.any():
            return wanted
        with np.errstate(all="ignore"):
            ratio = gain / before
            third = self.gains[:, -3]
            earlier = np.where((self.count > 2) & (third > 0.0), before / third, ratio)
            ready &= (np.abs(ratio - earlier) <= STEADY * np.abs(1.0 - ratio)) & ~(ratio < SLOW)
            ready &= ~((ratio < 1.0) & (gain * ratio / (1.0 - ratio) <= self.tol))
            far = 1.0 / np.maximum(np.abs(1.0 - np.sqrt(ratio)), 1e-6)  # gains are squares of distances
        self.settled |= ready
        wanted[ready] = np.minimum(far, self.longest)[ready]
        self.longest[ready & (far > self.longest)] *= 2.0
        leaps = wanted > 1.0
        self.leaping, self.has_plain = leaps, self.has_plain | leaps
        return wanted
