"""Distributions of one output, by their parameters; what symmetric and what positive ones share."""

from abc import ABC, abstractmethod

import numpy as np
from scipy.special import ndtri

from .base import Distribution

__all__ = ["LOG_SQRT_2PI", "PIECES", "PIECES_Z", "RATIO", "Positive", "Symmetric", "Univariate"]

# Probabilities, below one half, whose quantiles cut a distribution into pieces that are smooth enough for a Gauss rule.
PIECES = np.array([1e-13, 1e-11, 1e-9, 1e-7, 1e-5, 1e-4, 1e-3, 0.01, 0.05, 0.15, 0.3])
PIECES_Z = ndtri(PIECES)
RATIO = 2.5  # of the distances of neighbouring points from where a distribution behaves like a power
LOG_SQRT_2PI = 0.5 * np.log(2.0 * np.pi)


class Univariate(Distribution):
    """Distributions of one output, n rows and K experts.

    Parameters
    ----------
    *fields : ndarray of shape (n, K) or (1, K)
        The parameters, in the order of `names`.
    n_rows : int or None
        Number of rows where all parameters are shared by the rows.

    Attributes
    ----------
    names : tuple of str
        Names of the parameters, which are attributes.
    neutral : tuple of float
        Harmless values of them, for rows that do not use an expert.

    Examples
    --------
    >>> import numpy as np
    >>> from hme.distributions import Normal, Univariate
    >>> dist = Normal(np.zeros((1, 2)), np.array([[1.0, 2.0]]), n_rows=3)
    >>> isinstance(dist, Univariate), dist.shape, dist.names
    (True, (3, 2), ('center', 'scale'))
    """

    names, neutral = (), ()

    def __init__(self, *fields, n_rows=None):
        for name, field in zip(self.names, self._arranged(fields, n_rows), strict=True):
            setattr(self, name, field)

    def __repr__(self):
        return f"{type(self).__name__}({', '.join(self.names)}) of {self.shape[0]} rows and {self.shape[1]} experts"

    def _arranged(self, fields, n_rows):
        """The parameters with a column for every expert; keeps the shape."""
        fields = [np.asarray(field, dtype=float) for field in fields]
        rows, experts = np.broadcast_shapes(*(field.shape for field in fields))
        self.shape = (rows if n_rows is None else n_rows), experts
        return [np.asfortranarray(np.broadcast_to(field, (len(field), experts))) for field in fields]

    def _new(self, fields, n_rows):
        return type(self)(*fields, n_rows=n_rows)

    def _fields(self):
        return [getattr(self, name) for name in self.names]

    def beside(self, others):
        fields = []
        for own in zip(*(one._fields() for one in (self, *others)), strict=True):
            if len({len(field) for field in own}) > 1:
                own = [np.broadcast_to(field, (len(self), field.shape[1])) for field in own]
            fields.append(np.concatenate([field.T for field in own]).T)
        return self._new(fields, len(self))

    def take(self, rows):
        n_rows = len(np.arange(self.shape[0])[rows])
        fields = [f if len(f) == 1 and self.shape[0] != 1 else _taken(f, rows, n_rows) for f in self._fields()]
        return self._new(fields, n_rows)

    def columns(self, index):
        return self._new([field[:, index] for field in self._fields()], self.shape[0])

    def pick(self, rows, experts):
        """The distributions (m, 1) of pairs of a row and an expert."""
        fields = [field[np.zeros_like(rows) if len(field) == 1 else rows, experts] for field in self._fields()]
        return self._new([field[:, None] for field in fields], len(rows))

    def spread(self, index, n_rows):
        fields = []
        for field, neutral in zip(self._fields(), self.neutral, strict=True):
            if len(field) == 1 and self.shape[0] != 1:
                fields.append(field)
                continue
            full = np.full((n_rows, field.shape[1]), neutral, order="F")
            full[index] = field
            fields.append(full)
        return self._new(fields, n_rows)

    def draw(self, rng, rows, experts):
        return self.pick(rows, experts).sample(rng)[:, 0]

    def support(self):
        return self._full(-np.inf), self._full(np.inf)

    def pieces(self):
        lower = [self.icdf(p) for p in PIECES]
        upper = [self.isf(p) for p in PIECES]
        return np.stack([*lower, self.icdf(0.5), *upper[::-1]], axis=2)

    def _full(self, value):
        return np.broadcast_to(value, self.shape)


class Symmetric(Univariate, ABC):
    """Distributions of center + scale z, where z is symmetric around zero: a family says what is so of z alone."""

    scale: np.ndarray

    def _log_density(self, z):
        """Log-density of z."""
        raise self._lacks("logpdf")

    @abstractmethod
    def _below(self, z):
        """Probability of z or less."""

    @abstractmethod
    def _quantile(self, q):
        """Where `_below` is q."""

    @abstractmethod
    def _variance(self):
        """Variance of z."""

    @abstractmethod
    def _draw(self, rng):
        """Draws (n, K) of z."""

    @abstractmethod
    def _excess(self, z):
        """E max(Z - z, 0)."""

    def _half_difference(self):
        """E|Z - Z'| / 2, or None."""
        return None

    def _pieces(self):
        """Points (..., m) of z between which its distribution is smooth."""
        raise self._lacks("pieces")

    def _z(self, y):
        return (y - self.center) / self.scale

    def widened(self, factor):
        scale = self.scale * np.sqrt(factor)
        fields = [scale if name == "scale" else getattr(self, name) for name in self.names]
        return self._new(fields, self.shape[0])

    def logpdf(self, y):
        return self._log_density(self._z(y)) - np.log(self.scale)

    def cdf(self, y):
        return self._below(self._z(y))

    def sf(self, y):
        z = self._z(y)
        return self._below(np.negative(z, out=z))

    def icdf(self, q):
        return self._full(self.center + self.scale * self._quantile(q))

    def isf(self, q):
        return self._full(self.center - self.scale * self._quantile(q))

    def mean(self):
        return self._full(self.center)

    mode = mean

    def variance(self):
        return self._full(self.scale**2 * self._variance())

    def sample(self, rng):
        return self.center + self.scale * self._draw(rng)

    def excess(self, y):
        return self.scale * self._excess(self._z(y))

    def shortfall(self, y):
        return self.excess(2.0 * self.center - y)

    def half_difference(self):
        value = self._half_difference()
        return None if value is None else self._full(self.scale * value)

    def pieces(self):
        return self._full(self.center)[:, :, None] + self.scale[:, :, None] * self._pieces()


class Positive(Univariate, ABC):
    """Distributions of positive numbers by their mean, `expected`, and a dispersion: variance dispersion mean^power."""

    names, neutral = ("expected", "dispersion"), (1.0, 1.0)
    power: float

    @staticmethod
    @abstractmethod
    def log_density(y, mean, dispersion):
        """Log-density at y > 0."""

    @abstractmethod
    def _cdf(self, y):
        """Probability of y or less, for y > 0."""

    @abstractmethod
    def _sf(self, y):
        """Probability of more than y, for y > 0."""

    @abstractmethod
    def _excess(self, y):
        """E max(Y - y, 0), for y > 0."""

    def _at_zero(self):
        """Log-density at zero."""
        return -np.inf

    def widened(self, factor):
        return self._new([self.expected, self.dispersion * factor], self.shape[0])

    def logpdf(self, y):
        def value(y):
            return self.log_density(y, self.expected, self.dispersion)

        return _where_positive(y, value, lambda: np.where(np.equal(y, 0), self._at_zero(), -np.inf))

    def cdf(self, y):
        return _where_positive(y, self._cdf, lambda: 0.0)

    def sf(self, y):
        return _where_positive(y, self._sf, lambda: 1.0)

    def mean(self):
        return self._full(self.expected)

    def variance(self):
        with np.errstate(over="ignore"):
            return self._full(self.dispersion * self.expected**self.power)

    def support(self):
        return self._full(0.0), self._full(np.inf)

    def excess(self, y):
        value = np.maximum(self._excess(np.where(y > 0, y, 1.0)), 0.0)
        return np.where(y > 0, value, self.expected - y)

    def _with_powers(self, points, skewed):
        """Points (n, K, m) and, of skewed distributions, more of them at even ratios down from the last."""
        if not skewed:
            return points
        return np.sort(np.concatenate([points, points[:, :, -1:] * RATIO ** -np.arange(1.0, 40.0)], axis=2), axis=2)


def _where_positive(y, value, other):
    """value(y) where y > 0, and other() elsewhere."""
    positive = np.greater(y, 0)
    if positive.all():
        return value(y)
    return np.where(positive, value(np.where(positive, y, 1.0)), other())


def _taken(field, rows, n_rows):
    return np.repeat(field, n_rows, axis=0) if len(field) == 1 and n_rows != 1 else field.T[:, rows].T
