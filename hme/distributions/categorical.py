"""The categorical distribution."""

from functools import cached_property

import numpy as np
from scipy.special import entr

from .base import Distribution

__all__ = ["Categorical", "draws"]

SLACK = 4.0 * np.finfo(float).eps  # by which a sum of probabilities may miss the one that it is to reach


class Categorical(Distribution):
    """Distributions of a class, by its code from 0 to C - 1.

    Moments, quantiles and tails are those of the codes, and mean something where the classes are in order.

    Parameters
    ----------
    log_probability : ndarray of shape (n, K, C)
        Logarithms of the probabilities of the classes, which sum to one.

    Examples
    --------
    >>> import numpy as np
    >>> from hme.distributions import Categorical
    >>> dist = Categorical(np.log([[[0.2, 0.5, 0.3]]]))
    >>> dist.mean().round(2), dist.cdf(np.array([[1.0]])).round(2)
    (array([[1.1]]), array([[0.7]]))
    """

    measure, on_lattice = "mass", True

    def __init__(self, log_probability):
        self.log_probability = np.asarray(log_probability, dtype=float)
        self.shape = self.log_probability.shape[:2]

    @classmethod
    def of(cls, probability):
        """From probabilities (n, K, C)."""
        with np.errstate(divide="ignore"):
            return cls(np.log(probability))

    def __repr__(self):
        return f"Categorical of {self.n_classes} classes, {self.shape[0]} rows and {self.shape[1]} experts"

    @property
    def n_classes(self):
        return self.log_probability.shape[2]

    @property
    def kind(self):
        return type(self), self.n_classes

    def beside(self, others):
        return Categorical(np.concatenate([one.log_probability for one in (self, *others)], axis=1))

    def take(self, rows):
        return Categorical(self.log_probability[rows])

    def columns(self, index):
        return Categorical(self.log_probability[:, index])

    def spread(self, index, n_rows):
        full = np.full((n_rows, *self.log_probability.shape[1:]), -np.log(self.n_classes))
        full[index] = self.log_probability
        return Categorical(full)

    def among(self, codes, n_classes):
        """The same classes as those of numbers `codes` of `n_classes`; the others have probability zero."""
        full = np.full((*self.shape, n_classes), -np.inf)
        full[:, :, codes] = self.log_probability
        return Categorical(full)

    @cached_property
    def probability(self):
        """Probabilities (n, K, C)."""
        return np.exp(self.log_probability)

    @cached_property
    def _below(self):
        """Probabilities of each class or an earlier one."""
        return np.minimum(np.cumsum(self.probability, axis=2), 1.0)

    @cached_property
    def _above(self):
        """Probabilities of a later class."""
        later = np.cumsum(self.probability[:, :, :0:-1], axis=2)[:, :, ::-1]
        return np.minimum(np.concatenate([later, np.zeros((*self.shape, 1))], axis=2), 1.0)

    def _at(self, values, y, before, after):
        """Values (n, K, C) at the codes y, rounded down; `before` the first and `after` the last one."""
        y = np.broadcast_to(y, self.shape)
        code = np.floor(np.clip(y, 0, self.n_classes - 1)).astype(int)
        inside = np.take_along_axis(values, code[:, :, None], axis=2)[:, :, 0]
        return np.where(y < 0, before, np.where(y >= self.n_classes, after, inside))

    def logpdf(self, y):
        inside = self._at(self.log_probability, y, -np.inf, -np.inf)
        return np.where(np.equal(y, np.floor(y)), inside, -np.inf)

    def cdf(self, y):
        return self._at(self._below, y, 0.0, 1.0)

    def sf(self, y):
        return self._at(self._above, y, 1.0, 0.0)

    def icdf(self, q):
        reached = self._below >= np.broadcast_to(q, self.shape)[:, :, None] * (1.0 - SLACK)
        return reached.argmax(axis=2).astype(float)

    def isf(self, q):
        reached = self._above <= np.broadcast_to(q, self.shape)[:, :, None] * (1.0 + SLACK)
        return reached.argmax(axis=2).astype(float)

    def mean(self):
        return self.probability @ np.arange(self.n_classes)

    def variance(self):
        distance = np.arange(self.n_classes) - self.mean()[:, :, None]
        return (self.probability * distance**2).sum(axis=2)

    def entropy(self):
        """Entropies (n, K), in nats."""
        return entr(self.probability).sum(axis=2)

    def mode(self):
        return self.log_probability.argmax(axis=2).astype(float)

    def support(self):
        there = self.log_probability > -np.inf
        last = self.n_classes - 1 - there[:, :, ::-1].argmax(axis=2)
        return there.argmax(axis=2).astype(float), last.astype(float)

    def excess(self, y):
        beyond = np.maximum(np.arange(self.n_classes) - np.broadcast_to(y, self.shape)[:, :, None], 0.0)
        return (self.probability * beyond).sum(axis=2)

    def sample(self, rng):
        return draws(self.probability, rng)

    def draw(self, rng, rows, experts):
        return draws(self.probability[rows, experts], rng)


def draws(probability, rng):
    """Codes (...) of classes drawn with probabilities (..., C)."""
    cumulated = np.cumsum(probability, axis=-1)
    u = rng.uniform(size=cumulated.shape[:-1]) * cumulated[..., -1]
    return (cumulated <= u[..., None]).sum(axis=-1).astype(float)
