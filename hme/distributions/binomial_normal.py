"""The binomial distribution with log-odds that are normal."""

import numpy as np
from scipy.special import expit

from .binomial import Binomial
from .counts import Counts

__all__ = ["MOST_SPREAD", "BinomialNormal"]

# Of the standard normal distribution; a rule of five nodes is exact for polynomials of degree nine.
NODES, NODE_WEIGHTS = np.polynomial.hermite_e.hermegauss(5)
NODE_WEIGHTS = NODE_WEIGHTS / NODE_WEIGHTS.sum()
SHIFTS, MOST_SPREAD = 6, 25.0


class BinomialNormal(Counts):
    """Binomial distributions whose log-odds of success are normal, with the mean of those of log-odds `eta`.

    The normal distribution is the one of Gauss and Hermite's nodes, so that every answer is a sum of binomial ones.
    `spread` is its variance.
    """

    names, neutral = ("trials", "eta", "spread"), (1.0, 0.0, 0.0)

    def widened(self, factor):
        """By the spread, to first order; a single trial has no variance to add."""
        slope = np.maximum(expit(self.eta) * expit(-self.eta), np.finfo(float).tiny)
        pairs = self.trials * np.maximum(self.trials - 1.0, 0.0) * slope**2
        added = np.divide((factor - 1.0) * self.variance(), pairs, out=np.zeros(self.shape), where=pairs > 0)
        spread = np.clip(self.spread + added, 0.0, MOST_SPREAD)
        return self._new([self.trials, self.eta, spread], self.shape[0])

    def _each(self):
        """The binomial distributions at the nodes."""
        steps = np.sqrt(self.spread)[:, :, None] * NODES
        shift, mean = np.zeros(steps.shape[:2]), expit(self.eta)
        for _ in range(SHIFTS):  # Newton's steps, so that the mean stays
            share = expit(self.eta[:, :, None] + shift[:, :, None] + steps)
            slope = (share * (1.0 - share)) @ NODE_WEIGHTS
            shift = shift - np.clip((share @ NODE_WEIGHTS - mean) / np.maximum(slope, 1e-300), -1.0, 1.0)
        return [Binomial(self.trials, self.eta + shift + steps[:, :, j]) for j in range(len(NODES))]

    def support(self):
        return self._full(0.0), self._full(self.trials)

    def _log_mass(self, y):
        parts = [np.log(w) + one._log_mass(y) for w, one in zip(NODE_WEIGHTS, self._each(), strict=True)]
        return np.logaddexp.reduce(parts, axis=0)

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
