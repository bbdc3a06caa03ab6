"""The binomial distribution, and that with log-odds that are normal."""

import numpy as np
from scipy.special import expit, gammaln, log_expit

from ..numerics.stirling import half_deviance, log_gamma_rest
from .base import empty_for
from .counts import Counts, beta_below, with_many

__all__ = ["MOST_SPREAD", "Binomial", "BinomialNormal", "log_mass", "shortage"]

LARGEST = 1e15  # trials that are drawn as such
# Of the standard normal distribution; a rule of five nodes is exact for polynomials of degree nine.
NODES, NODE_WEIGHTS = np.polynomial.hermite_e.hermegauss(5)
NODE_WEIGHTS = NODE_WEIGHTS / NODE_WEIGHTS.sum()
SHIFTS, STILL, MOST_SPREAD = 6, 1e-8, 25.0


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


class BinomialNormal(Counts):
    """Binomial distributions whose log-odds of success are normal, with the mean of those of log-odds `eta`.

    The normal distribution is the one of Gauss and Hermite's nodes, so that every answer is a sum of binomial ones.
    `eta_variance` is its variance.
    """

    names, neutral = ("trials", "eta", "eta_variance"), (1.0, 0.0, 0.0)

    def widened(self, factor):
        """By that variance, to first order; a single trial has no variance to add."""
        slope = np.maximum(expit(self.eta) * expit(-self.eta), np.finfo(float).tiny)
        pairs = self.trials * np.maximum(self.trials - 1.0, 0.0) * slope**2
        added = np.divide((factor - 1.0) * self.variance(), pairs, out=np.zeros(self.shape), where=pairs > 0)
        spread = np.clip(self.eta_variance + added, 0.0, MOST_SPREAD)
        return self._new([self.trials, self.eta, spread], self.shape[0])

    def _each(self):
        """The binomial distributions at the nodes."""
        return [Binomial(self.trials, own) for own in np.moveaxis(self._log_odds(), 2, 0)]

    def _log_odds(self):
        """Those of the nodes, (n, K, nodes)."""
        steps = np.sqrt(self.eta_variance)[:, :, None] * NODES
        shift, mean = np.zeros(steps.shape[:2]), expit(self.eta)
        for _ in range(SHIFTS):  # Newton's steps, so that the mean stays
            share = expit(self.eta[:, :, None] + shift[:, :, None] + steps)
            slope = (share * (1.0 - share)) @ NODE_WEIGHTS
            step = np.clip((share @ NODE_WEIGHTS - mean) / np.maximum(slope, 1e-300), -1.0, 1.0)
            shift = shift - step
            if not (np.abs(step) > STILL).any():  # the next one would be its square
                break
        return (self.eta + shift)[:, :, None] + steps

    def support(self):
        return self._full(0.0), self._full(self.trials)

    def _log_mass(self, y):
        possible = y <= self.trials
        value = log_mass(np.where(possible, y, 0.0)[:, :, None], self._log_odds(), self.trials[:, :, None])
        value += np.log(NODE_WEIGHTS)
        return np.where(possible, np.logaddexp.reduce(value, axis=2), -np.inf)

    def _summed(self, name, *arguments):
        return sum(w * getattr(one, name)(*arguments) for w, one in zip(NODE_WEIGHTS, self._each(), strict=True))

    def _cdf(self, k):
        return np.minimum(self._summed("_cdf", k), 1.0)

    def _sf(self, k):
        return self._summed("_sf", k)

    def mean(self):
        return self._full(self.trials * expit(self.eta))

    def variance(self):
        mean, parts = self.mean(), self._each()
        squares = [w * (one.variance() + (one.mean() - mean) ** 2) for w, one in zip(NODE_WEIGHTS, parts, strict=True)]
        return self._full(sum(squares))

    def mode(self):
        return self._full(np.minimum(np.floor((self.trials + 1.0) * expit(self.eta)), np.floor(self.trials)))

    def sample(self, rng):
        parts = np.stack([one.sample(rng) for one in self._each()])
        node = rng.choice(len(NODES), size=self.shape, p=NODE_WEIGHTS)
        return np.take_along_axis(parts, node[None], axis=0)[0]
