"""The binomial distribution."""

import numpy as np
from scipy.special import expit, gammaln

from .base import empty_for
from .counts import Counts, beta_below

__all__ = ["Binomial", "log_mass"]


def log_mass(y, log_odds, trials):
    """Log-probability of y successes, whose log-odds are given, out of a number of trials, eq. (binomial)."""
    out = np.multiply(y, log_odds, out=empty_for(y, log_odds, trials))
    out -= trials * np.logaddexp(0.0, log_odds)
    out += gammaln(trials + 1.0) - gammaln(y + 1.0) - gammaln(trials - y + 1.0)
    return out


class Binomial(Counts):
    """Binomial distributions of `trials` whose success has log-odds `eta`, eq. (binomial)."""

    names, neutral = ("trials", "eta"), (1.0, 0.0)

    def support(self):
        return self._full(0.0), self._full(self.trials)

    def _log_mass(self, y):
        possible = y <= self.trials
        return np.where(possible, log_mass(np.where(possible, y, 0.0), self.eta, self.trials), -np.inf)

    def _cdf(self, k):
        left = np.maximum(self.trials - k, 1e-300)
        return np.where(k < self.trials, beta_below(k + 1.0, left, expit(self.eta), expit(-self.eta)), 1.0)

    def _sf(self, k):
        left = np.maximum(self.trials - k, 1e-300)
        return np.where(k < self.trials, beta_below(left, k + 1.0, expit(-self.eta), expit(self.eta)), 0.0)

    def mean(self):
        return self._full(self.trials * expit(self.eta))

    def variance(self):
        return self._full(self.trials * expit(self.eta) * expit(-self.eta))

    def mode(self):
        return self._full(np.minimum(np.floor((self.trials + 1.0) * expit(self.eta)), np.floor(self.trials)))

    def sample(self, rng):
        trials = self._full(self.trials)
        # Trials need not be whole numbers where a user says so; draws are.
        return rng.binomial(np.rint(trials).astype(np.int64), self._full(expit(self.eta))).astype(float)
