"""The binomial distribution."""

import numpy as np
from scipy.special import expit, gammaln, log_expit

from ..numerics.stirling import half_deviance, log_gamma_rest
from .base import empty_for
from .counts import Counts, beta_below, with_many

__all__ = ["Binomial", "log_mass", "shortage"]

LARGEST = 1e15  # trials that are drawn as such


def log_mass(y, log_odds, trials):
    """Log-probability of y successes, whose log-odds are given, out of a number of trials, eq. (binomial)."""
    out = np.multiply(y, log_odds, out=empty_for(y, log_odds, trials))
    out -= trials * np.logaddexp(0.0, log_odds)
    out += gammaln(trials + 1.0) - gammaln(y + 1.0) - gammaln(trials - y + 1.0)
    return with_many(out, _of_many, trials, y, log_odds)


def _of_many(trials, y, log_odds):
    """`log_mass` by eq. (saddle-point), which has all digits where the trials are many."""
    left, excess = trials - y, -shortage(y, log_odds, trials)
    inside = (y > 0) & (left > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = half_deviance(y, np.log(trials) + log_expit(log_odds), excess)
        apart = apart + half_deviance(left, np.log(trials) + log_expit(-log_odds), -excess)
        rest = log_gamma_rest(trials) - log_gamma_rest(y) - log_gamma_rest(left)
        value = rest - apart + 0.5 * np.log(trials / y / left / (2.0 * np.pi))
    return np.where(inside, value, trials * log_expit(np.where(y > 0, log_odds, np.negative(log_odds))))


def shortage(y, log_odds, trials):
    """Successes less their expected number; by failures where these are the smaller number."""
    by_failures = trials * expit(-log_odds) - (trials - y)
    return np.where(np.greater(log_odds, 0.0), by_failures, y - trials * expit(log_odds))


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
        large, share = trials > LARGEST, self._full(expit(self.eta))
        draws = rng.binomial(np.rint(np.where(large, 1.0, trials)).astype(np.int64), share).astype(float)
        if not large.any():
            return draws
        spread = np.sqrt(self.variance()) * rng.standard_normal(self.shape)  # as good as a double, there
        return np.where(large, np.clip(np.rint(self.mean() + spread), 0.0, trials), draws)
