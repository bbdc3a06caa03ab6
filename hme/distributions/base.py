"""What a law is: densities, probabilities, quantiles and moments of n rows and K experts at once."""

import numpy as np
from scipy.special import ndtri

__all__ = [
    "LARGE",
    "LARGEST_LOG",
    "LOG_SQRT_2PI",
    "LOG_STEPS",
    "Distribution",
    "PIECES",
    "PIECES_Z",
    "RATIO",
    "draw",
    "empty_for",
    "probit_root",
    "with_powers",
]

# Probabilities, below one half, whose quantiles cut a law into pieces that are smooth enough for a Gauss rule.
PIECES = np.array([1e-13, 1e-11, 1e-9, 1e-7, 1e-5, 1e-4, 1e-3, 0.01, 0.05, 0.15, 0.3])
PIECES_Z = ndtri(PIECES)
RATIO = 2.5  # of the distances of neighbouring points from where a law behaves like a power
LARGEST_LOG = 650.0  # of a quantile in scales, which is out of range beyond
LOG_SQRT_2PI = 0.5 * np.log(2.0 * np.pi)
LARGE = 50.0  # size beyond which differences of gamma functions lose their digits, and Stirling's series has them all
LOG_STEPS = 100  # of Newton's method for the logarithm of a tail


class Distribution:
    """One-dimensional laws of n rows under K experts.

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
    measure : {"density", "mass"}
        What `logpdf` is the logarithm of.
    discrete : bool
        Whether all probability is on points.
    atoms : ndarray
        Points that have probability, beside counts.
    """

    names, neutral = (), ()
    measure = "density"
    atoms = np.zeros(0)

    def __init__(self, *fields, n_rows=None):
        fields = [np.asarray(field, dtype=float) for field in fields]
        rows, experts = np.broadcast_shapes(*(field.shape for field in fields))
        self.shape = (rows if n_rows is None else n_rows), experts
        for name, field in zip(self.names, fields, strict=True):
            setattr(self, name, np.asfortranarray(np.broadcast_to(field, (len(field), experts))))

    def __len__(self):
        return self.shape[0]

    def __repr__(self):
        return f"{type(self).__name__}({', '.join(self.names)}) of {self.shape[0]} rows and {self.shape[1]} experts"

    def __getitem__(self, k):
        """The law of one expert, or of several."""
        return self.columns(np.atleast_1d(np.arange(self.shape[1])[k]))

    @property
    def discrete(self):
        return self.measure == "mass"

    def _new(self, fields, n_rows):
        return type(self)(*fields, n_rows=n_rows)

    def _fields(self):
        return [getattr(self, name) for name in self.names]

    def take(self, rows):
        """The laws of some rows, by number, mask or slice."""
        n_rows = len(np.arange(self.shape[0])[rows])
        fields = [f if len(f) == 1 and self.shape[0] != 1 else _taken(f, rows, n_rows) for f in self._fields()]
        return self._new(fields, n_rows)

    def columns(self, index):
        """The laws of some experts."""
        return self._new([field[:, index] for field in self._fields()], self.shape[0])

    def pick(self, rows, experts):
        """The laws (m, 1) of pairs of a row and an expert."""
        fields = [field[np.zeros_like(rows) if len(field) == 1 else rows, experts] for field in self._fields()]
        return self._new([field[:, None] for field in fields], len(rows))

    def spread(self, index, n_rows):
        """The laws of `n_rows` rows of which these are those of numbers `index`; the others' are neutral."""
        fields = []
        for field, neutral in zip(self._fields(), self.neutral, strict=True):
            if len(field) == 1 and self.shape[0] != 1:
                fields.append(field)
                continue
            full = np.full((n_rows, field.shape[1]), neutral, order="F")
            full[index] = field
            fields.append(full)
        return self._new(fields, n_rows)

    # -- what a law says ----------------------------------------------------------------------------------------------

    def logpdf(self, y):
        """Log-density, or log-mass."""
        raise NotImplementedError

    def pdf(self, y):
        return np.exp(self.logpdf(y))

    def cdf(self, y):
        raise NotImplementedError

    def sf(self, y):
        """Probability of more than y."""
        raise NotImplementedError

    def logcdf(self, y):
        with np.errstate(divide="ignore"):
            return np.log(self.cdf(y))

    def logsf(self, y):
        with np.errstate(divide="ignore"):
            return np.log(self.sf(y))

    def icdf(self, q):
        """Quantiles (n, K) of probabilities that broadcast to it, between zero and one."""
        raise NotImplementedError

    def isf(self, q):
        """What is exceeded with probability q."""
        raise NotImplementedError

    def mean(self):
        raise NotImplementedError

    def variance(self):
        raise NotImplementedError

    def mode(self):
        """Where the density is largest."""
        raise NotImplementedError

    def support(self):
        """Ends (n, K) of the support."""
        return self._full(-np.inf), self._full(np.inf)

    def sample(self, rng):
        """One draw of every law, (n, K)."""
        raise NotImplementedError

    def excess(self, y):
        """E max(Y - y, 0): the integral of the survival function."""
        raise NotImplementedError

    def shortfall(self, y):
        """E max(y - Y, 0): the integral of the distribution function."""
        return np.maximum(self.excess(y) + (y - self.mean()), 0.0)

    def half_difference(self):
        """E|Y - Y'| / 2 of two independent draws, eq. (mean-difference); None where it has no closed form."""
        return None

    def pieces(self):
        """Points (n, K, m) between which the law is smooth, as far out as there is anything to tell."""
        lower = [self.icdf(p) for p in PIECES]
        upper = [self.isf(p) for p in PIECES]
        return np.stack([*lower, self.icdf(0.5), *upper[::-1]], axis=2)

    def kinks(self):
        """Points (n, K, m) where the law is not smooth."""
        return np.empty((*self.shape, 0))

    def _full(self, value):
        return np.broadcast_to(value, self.shape)


def empty_for(*arrays):
    """An array of the shape that others broadcast to, stored column by column, for results to be computed in."""
    return np.empty(np.broadcast(*arrays).shape, order="F")


def _taken(field, rows, n_rows):
    return np.repeat(field, n_rows, axis=0) if len(field) == 1 and n_rows != 1 else field.T[:, rows].T


def with_powers(points, skewed):
    """Points (n, K, m) and, of skewed laws, more of them at even ratios down from the last."""
    if not skewed:
        return points
    return np.sort(np.concatenate([points, points[:, :, -1:] * RATIO ** -np.arange(1.0, 40.0)], axis=2), axis=2)


def probit_root(tail, density, p, guess, sign):
    """Positive y with tail(y) = p: Newton's steps on the probit of the tail over log y, halved where they overshoot."""
    target, y = ndtri(p), np.array(guess)
    low, high = np.zeros(y.shape), np.full(y.shape, np.inf)
    for _ in range(200):
        value = tail(y)
        score = ndtri(np.minimum(value, 1.0))
        error = score - target
        over = (error > 0) == (sign > 0)
        high, low = np.where(over, y, high), np.where(over, low, y)
        with np.errstate(all="ignore"):
            step = sign * error * np.exp(-0.5 * score**2 - LOG_SQRT_2PI) / (density(y) * y)
            new = y * np.exp(np.clip(-step, -2.0, 2.0))
            middle = np.where(np.isinf(high), 8.0 * low, np.where(low == 0, high / 8.0, np.sqrt(low) * np.sqrt(high)))
        new = np.where((new > low) & (new < high), new, middle)
        done = (np.abs(value - p) <= 1e-14 * p) | (np.nextafter(low, high) >= high) | (new == y)
        y = np.where(done, y, new)
        if done.all():
            break
    return y


def draw(law, rng, rows, experts):
    """Draws (m,) or (m, T) of pairs of a row and an expert."""
    return law.draw(rng, rows, experts) if hasattr(law, "draw") else law.pick(rows, experts).sample(rng)[:, 0]
