"""Laws of y given x and the expert: what p_k(y | x) is, for n rows and K experts at once.

Parameters of a law are arrays (n, K), or (1, K) where all rows share them; y is (n, 1), answers are (n, K). Counts have
a mass in the place of a density, under the same names. Arrays are stored column by column, as those of `kernels`.
"""

import numpy as np
from scipy.special import (
    betainc,
    betaincc,
    betaln,
    erfcx,
    exp1,
    expit,
    gammainc,
    gammaincc,
    gammainccinv,
    gammaincinv,
    gammaln,
    k0e,
    k1e,
    log_ndtr,
    ndtr,
    ndtri,
    stdtr,
    stdtrit,
)

from .kernels import whitener

__all__ = [
    "Binomial",
    "Composite",
    "Gamma",
    "Hyperbolic",
    "Independent",
    "InverseGaussian",
    "Law",
    "MultivariateNormal",
    "NegativeBinomial",
    "Normal",
    "PointMass",
    "Poisson",
    "Student",
    "TruncatedNegativeBinomial",
    "TruncatedPoisson",
    "Uniform",
    "independent",
    "join",
]

# Probabilities, below one half, whose quantiles cut a law into pieces that are smooth enough for a Gauss rule.
PIECES = np.array([1e-13, 1e-11, 1e-9, 1e-7, 1e-5, 1e-4, 1e-3, 0.01, 0.05, 0.15, 0.3])
PIECES_Z = ndtri(PIECES)
RATIO = 2.5  # of the distances of neighbouring points from where a law behaves like a power
FAR = 1e100  # distance at which Student's tail is a power, to all digits
LARGEST_LOG = 650.0  # of a quantile in scales, which is out of range beyond
LOG_SQRT_2PI = 0.5 * np.log(2.0 * np.pi)
LARGE = 50.0  # size beyond which differences of gamma functions lose their digits, and Stirling's series has them all
NODES, NODE_WEIGHTS = np.polynomial.legendre.leggauss(32)
LOG_STEPS = 100  # of Newton's method for the logarithm of a tail


class Law:
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


def _taken(field, rows, n_rows):
    return np.repeat(field, n_rows, axis=0) if len(field) == 1 and n_rows != 1 else field.T[:, rows].T


# -- densities -------------------------------------------------------------------------------------------------------


class Normal(Law):
    """Normal laws of given center and scale, the standard deviation."""

    names, neutral = ("center", "scale"), (0.0, 1.0)

    def _z(self, y):
        return (y - self.center) / self.scale

    def logpdf(self, y):
        return -0.5 * self._z(y) ** 2 - (np.log(self.scale) + LOG_SQRT_2PI)

    def pdf(self, y):
        z = self._z(y)
        z *= z
        z *= -0.5
        np.exp(z, out=z)
        z /= self.scale * np.sqrt(2.0 * np.pi)
        return z

    def cdf(self, y):
        z = self._z(y)
        return ndtr(z, out=z)

    def sf(self, y):
        z = self._z(y)
        np.negative(z, out=z)
        return ndtr(z, out=z)

    def logcdf(self, y):
        return log_ndtr(self._z(y))

    def logsf(self, y):
        return log_ndtr(-self._z(y))

    def icdf(self, q):
        return self._full(self.center + self.scale * ndtri(q))

    def isf(self, q):
        return self._full(self.center - self.scale * ndtri(q))

    def mean(self):
        return self._full(self.center)

    def variance(self):
        return self._full(self.scale**2)

    def mode(self):
        return self.mean()

    def sample(self, rng):
        return self.center + self.scale * rng.standard_normal(self.shape)

    def excess(self, y):
        z = self._z(y)
        return self.scale * np.maximum(np.exp(-0.5 * z**2 - LOG_SQRT_2PI) - z * ndtr(-z), 0.0)

    def shortfall(self, y):
        return self.excess(2.0 * self.center - y)

    def half_difference(self):
        return self._full(self.scale / np.sqrt(np.pi))

    def pieces(self):
        z = np.concatenate([PIECES_Z, [0.0], -PIECES_Z[::-1]])
        return self._full(self.center)[:, :, None] + self.scale[:, :, None] * z


class Student(Law):
    """Student laws: center + scale t, with df degrees of freedom."""

    names, neutral = ("df", "center", "scale"), (4.0, 0.0, 1.0)

    def _z(self, y):
        return (y - self.center) / self.scale

    def logpdf(self, y):
        z = self._z(y)
        far = np.abs(z) > FAR
        tail = np.log1p(np.where(far, 0.0, z) ** 2 / self.df)
        if far.any():
            tail = np.where(far, 2.0 * np.log(np.where(far, np.abs(z), 1.0)) - np.log(self.df), tail)
        tail *= -0.5 * (self.df + 1.0)
        tail += _student_constant(self.df) - np.log(self.scale)
        return tail

    def cdf(self, y):
        return self._below(self._z(y))

    def sf(self, y):
        return self._below(-self._z(y))

    def _below(self, z):
        far = z < -FAR  # a power, whose square would be out of range
        if not far.any():
            return stdtr(self.df, z)
        power = np.exp(self._log_power() - self.df * np.log(np.where(far, -z, 1.0)))
        return np.where(far, power, stdtr(self.df, np.where(far, 0.0, z)))

    def _log_power(self):
        """Logarithm of the tail times the distance to the power df, far away."""
        return _student_constant(self.df) + 0.5 * (self.df - 1.0) * np.log(self.df)

    def _quantile(self, q):
        z = stdtrit(self.df, q)
        far = np.abs(z) > FAR
        if not far.any():
            return z
        tail = np.maximum(np.minimum(q, 1.0 - np.asarray(q)), 5e-324)
        power = np.exp(np.minimum((self._log_power() - np.log(tail)) / self.df, LARGEST_LOG))
        return np.where(far, np.copysign(power, z), z)

    def icdf(self, q):
        return self._full(self.center + self.scale * self._quantile(q))

    def isf(self, q):
        return self._full(self.center - self.scale * self._quantile(q))

    def mean(self):
        # Without a first moment the location stands for it, as in `predict`.
        return self._full(self.center)

    def variance(self):
        ratio = np.divide(self.df, self.df - 2.0, out=np.full_like(self.df, np.inf), where=self.df > 2.0)
        return self._full(self.scale**2 * ratio)

    def mode(self):
        return self._full(self.center)

    def sample(self, rng):
        return self.center + self.scale * rng.standard_t(self._full(self.df))

    def excess(self, y):
        z = self._z(y)
        density = np.exp(_student_constant(self.df) - 0.5 * (self.df - 1.0) * np.log1p(z**2 / self.df))
        with np.errstate(all="ignore"):
            value = self.scale * np.maximum(density * self.df / (self.df - 1.0) - z * stdtr(self.df, -z), 0.0)
        return np.where(self.df > 1.0, value, np.inf)

    def shortfall(self, y):
        return self.excess(2.0 * self.center - y)

    def pieces(self):
        # Powers: no piece may be long for its distance from the center.
        farthest = np.exp(min(-np.log(PIECES[0]) / self.df.min(), 690.0))
        near = np.array([0.25, 0.5, 1.0, 1.5, 2.2, 3.2, 4.6, 6.5, 9.0, 13.0])
        far = near[-1] * RATIO ** np.arange(1.0, max(np.log(farthest / near[-1]) / np.log(RATIO), 0.0) + 1.0)
        away = np.concatenate([near, far])
        away = np.concatenate([-away[::-1], [0.0], away])
        return self._full(self.center)[:, :, None] + self.scale[:, :, None] * away

    def half_difference(self):
        df = np.maximum(self.df, 1.0 + 1e-12)
        # Beta functions of one half are constants of densities, which keep their digits.
        constants = 2.0 * _student_constant(df) - _student_constant(2.0 * df - 1.0)
        value = 2.0 * self.scale * df / (df - 1.0) * np.exp(constants) * np.sqrt(df / (2.0 * df - 1.0))
        return self._full(np.where(self.df > 1.0, value, np.inf))


def _student_constant(df):
    """log of the density of t at zero, eq. (t-constant)."""
    i = 1.0 / df
    i2, few = i * i, np.minimum(df, 2.0 * LARGE)
    exact = gammaln((few + 1.0) / 2.0) - gammaln(few / 2.0) - 0.5 * np.log(np.pi * few)
    series = -LOG_SQRT_2PI - i * (1 / 4 - i2 * (1 / 24 - i2 * (1 / 20 - i2 * (17 / 112 - i2 * 31 / 36))))
    return np.where(df > 2.0 * LARGE, series, exact)


class Hyperbolic(Law):
    """Laplace laws whose corner is rounded: density exp(-sqrt(r^2 + corner^2) / scale), normalised, eq. (hyperbolic).

    The distribution function is eq. (hyperbolic-cdf).
    """

    names, neutral = ("center", "scale", "corner"), (0.0, 1.0, 1e-4)

    def _z(self, y):
        return (y - self.center) / self.scale

    def logpdf(self, y):
        r = y - self.center
        length = np.abs(r) * (np.abs(r) / (np.hypot(r, self.corner) + self.corner))
        return -length / self.scale - np.log(2.0 * self.corner * k1e(self.corner / self.scale))

    def cdf(self, y):
        z = self._z(y)
        upper = hyperbolic_tail(np.abs(z), self.corner / self.scale)
        return np.where(z < 0, upper, 1.0 - upper)

    def sf(self, y):
        z = self._z(y)
        upper = hyperbolic_tail(np.abs(z), self.corner / self.scale)
        return np.where(z > 0, upper, 1.0 - upper)

    def icdf(self, q):
        q, x = np.broadcast_arrays(q, self.corner / self.scale)  # no more of them than there are different ones
        away = hyperbolic_isf(np.minimum(q, 1.0 - q), x)
        return self._full(self.center + self.scale * np.where(q < 0.5, -away, away))

    def isf(self, q):
        return 2.0 * self.center - self.icdf(q)

    def mean(self):
        return self._full(self.center)

    def variance(self):
        x = self.corner / self.scale
        return self._full(2.0 * self.scale**2 + self.corner * self.scale * k0e(x) / k1e(x))

    def mode(self):
        return self._full(self.center)

    def sample(self, rng):
        # A normal law whose variance is generalised inverse Gaussian would do; the quantile of a uniform number does.
        return self.icdf(np.clip(rng.uniform(size=self.shape), 1e-300, 1.0 - 1e-16))

    def excess(self, y):
        r = y - self.center
        x, w = self.corner / self.scale, np.hypot(r, self.corner) / self.scale
        beyond = (1.0 + w) * np.exp(x - w) / (2.0 * x * k1e(x))
        return np.maximum(self.scale * beyond - r * self.sf(y), 0.0)

    def shortfall(self, y):
        return self.excess(2.0 * self.center - y)

    def pieces(self):
        near = np.array([1.0, 4.0, 16.0, 64.0])
        far = -np.log(2.0 * PIECES[::-1])
        x = (self.corner / self.scale)[:, :, None]
        away = np.sort(np.concatenate([x * near, x + far], axis=2), axis=2)
        away = np.concatenate([-away[:, :, ::-1], np.zeros_like(x), away], axis=2)
        return self._full(self.center)[:, :, None] + self.scale[:, :, None] * away


def hyperbolic_tail(z, x):
    """Probability that r / scale > z >= 0, with x = corner / scale, eq. (hyperbolic-cdf)."""
    w, scale = np.hypot(z, x), 2.0 * x * k1e(x)
    small = x <= 1.0
    out = _far_tail(w, np.minimum(x, 1.0), scale)
    near = np.broadcast_to((z < 4.0 * x) & small, out.shape)
    if near.any():  # half less the integral from the middle
        z_, x_, scale_ = (np.broadcast_to(a, out.shape)[near][:, None] for a in (z, x, scale))
        end = np.arcsinh(z_ / x_)
        t = 0.5 * end * (NODES + 1.0)
        value = np.exp(-2.0 * x_ * np.sinh(0.5 * t) ** 2) * np.cosh(t)
        out[near] = 0.5 - (0.5 * end * x_ / scale_)[:, 0] * (value @ NODE_WEIGHTS)
    if small.all():
        return out
    large = np.broadcast_to(~small, out.shape)
    out[large] = 0.0
    large = large & (w - x < 750.0)
    if large.any():  # the tail itself, as far as it counts
        z_, x_, w_, scale_ = (np.broadcast_to(a, out.shape)[large][:, None] for a in (z, x, w, scale))
        start = np.arcsinh(z_ / x_)
        excess = (w_ - x_ + 40.0) / x_
        end = np.log1p(excess + np.sqrt(excess * (excess + 2.0)))  # of which the hyperbolic cosine is 1 + excess
        t = start + 0.5 * (end - start) * (NODES + 1.0)
        value = np.exp(-2.0 * x_ * np.sinh(0.5 * t) ** 2) * np.cosh(t)
        out[large] = (0.5 * (end - start) * x_ / scale_)[:, 0] * (value @ NODE_WEIGHTS)
    return out


def _far_tail(w, x, scale):
    """The tail by powers of (x / w)^2, whose terms are exponential integrals of even order."""
    decay, ratio = np.exp(-w), (x / np.maximum(w, 4.0 * x)) ** 2
    total = decay.copy()
    largest = float(ratio.max(initial=0.0))
    if largest > 1e-17:
        integral, factor, bound = exp1(w), 1.0, 1.0
        for j in range(1, 13):
            if j > 1:
                integral = (decay - w * integral) / (2 * j - 2)
            integral = (decay - w * integral) / (2 * j - 1)
            factor, bound = factor * ratio * ((2 * j - 1) / (2 * j)), bound * largest
            total += factor * w * integral
            if bound < 1e-17:
                break
    total *= np.exp(x)
    total /= scale
    return total


def hyperbolic_isf(p, x):
    """z >= 0 that r / scale exceeds with probability p <= 1/2: Newton's steps on the logarithm, which is concave."""
    target = np.log(np.maximum(p, 1e-320))
    z = np.maximum(-target - np.log(2.0), 0.0)
    log_scale = np.log(2.0 * x * k1e(x))
    active = np.ones(z.shape, dtype=bool)
    for _ in range(LOG_STEPS):
        now, b = z[active], x[active]
        tail = np.maximum(hyperbolic_tail(now, b), 1e-320)
        length = now**2 / (np.hypot(now, b) + b)
        slope = np.exp(-length - log_scale[active] - np.log(tail))
        new = np.maximum(now + (np.log(tail) - target[active]) / slope, 0.0)
        z[active] = new
        moving = np.abs(new - now) > 1e-9 * (now + b)  # the step that follows would be too small to count
        active[active] = moving
        if not active.any():
            break
    return z


class Uniform(Law):
    """Uniform laws between two ends."""

    names, neutral = ("center", "width"), (0.0, 1.0)

    def logpdf(self, y):
        # With room for rounding: the ends belong to it.
        inside = np.abs(y - self.center) <= 0.5 * (1 + 1e-9) * self.width
        return np.where(inside, -np.log(self.width), -np.inf)

    def cdf(self, y):
        return np.clip((y - self.center) / self.width + 0.5, 0.0, 1.0)

    def sf(self, y):
        return np.clip(0.5 - (y - self.center) / self.width, 0.0, 1.0)

    def icdf(self, q):
        return self._full(self.center + (q - 0.5) * self.width)

    def isf(self, q):
        return self._full(self.center + (0.5 - q) * self.width)

    def mean(self):
        return self._full(self.center)

    def variance(self):
        return self._full(self.width**2 / 12.0)

    def mode(self):
        return self._full(self.center)

    def support(self):
        return self._full(self.center - 0.5 * self.width), self._full(self.center + 0.5 * self.width)

    def sample(self, rng):
        return self.center + self.width * (rng.uniform(size=self.shape) - 0.5)

    def excess(self, y):
        z = (y - self.center) / self.width
        return self.width * np.where(z < -0.5, -z, 0.5 * np.maximum(0.5 - z, 0.0) ** 2)

    def shortfall(self, y):
        return self.excess(2.0 * self.center - y)

    def half_difference(self):
        return self._full(self.width / 6.0)

    def pieces(self):
        # On both sides of the ends: at the ends themselves the density has room for rounding.
        room = (2e-9 * self.width)[:, :, None] * np.array([-1.0, 1.0])
        low, high = (end[:, :, None] for end in self.support())
        return np.concatenate([low + room, self.mean()[:, :, None], high + room], axis=2)

    def kinks(self):
        return np.stack(self.support(), axis=2)


class Gamma(Law):
    """Gamma laws of given mean and dispersion: the shape is 1 / dispersion, eq. (gamma)."""

    names, neutral = ("expected", "dispersion"), (1.0, 1.0)

    @property
    def _shape(self):
        return 1.0 / self.dispersion

    def _x(self, y):
        return np.maximum(y, 0.0) / (self.expected * self.dispersion)

    def logpdf(self, y):
        shape, positive = self._shape, y > 0
        ratio = np.where(positive, y, 1.0) / self.expected
        # In differences, where the digits of a large shape are.
        value = shape * (np.log(ratio) - ratio) + (shape * np.log(shape) - gammaln(shape))
        value = value - np.log(np.where(positive, y, 1.0))
        at_zero = np.where(shape < 1, np.inf, np.where(shape == 1, -np.log(self.expected), -np.inf))
        return np.where(positive, value, np.where(np.equal(y, 0), at_zero, -np.inf))

    def cdf(self, y):
        return gammainc(self._shape, self._x(y))

    def sf(self, y):
        return gammaincc(self._shape, self._x(y))

    def icdf(self, q):
        return self._full(self.expected * self.dispersion * gammaincinv(self._shape, q))

    def isf(self, q):
        return self._full(self.expected * self.dispersion * gammainccinv(self._shape, q))

    def mean(self):
        return self._full(self.expected)

    def variance(self):
        return self._full(self.dispersion * self.expected**2)

    def mode(self):
        return self._full(self.expected * np.maximum(1.0 - self.dispersion, 0.0))

    def support(self):
        return self._full(0.0), self._full(np.inf)

    def sample(self, rng):
        return rng.standard_gamma(self._full(self._shape)) * (self.expected * self.dispersion)

    def excess(self, y):
        x, shape = self._x(y), self._shape
        above = self.expected * gammaincc(shape + 1.0, x) - np.maximum(y, 0.0) * gammaincc(shape, x)
        return np.maximum(above, 0.0) + np.maximum(-y, 0.0)

    def pieces(self):
        return _with_powers(super().pieces(), self.dispersion.max() > 0.5)

    def half_difference(self):
        return self._full(self.expected * self.dispersion * np.exp(-betaln(0.5, self._shape)))


class InverseGaussian(Law):
    """Inverse Gaussian laws of given mean and dispersion, eqs. (inverse-gaussian) and (inverse-gaussian-cdf)."""

    names, neutral = ("expected", "dispersion"), (1.0, 1.0)

    def logpdf(self, y):
        safe = np.where(y > 0, y, 1.0)
        deviance = (safe / self.expected - 1.0) ** 2 / safe
        value = -0.5 * deviance / self.dispersion - 1.5 * np.log(safe) - 0.5 * np.log(self.dispersion) - LOG_SQRT_2PI
        return np.where(y > 0, value, -np.inf)

    def _terms(self, y):
        """Standardised distances a and b, eq. (inverse-gaussian-cdf), of y > 0."""
        root = 1.0 / (np.sqrt(self.dispersion) * np.sqrt(y))
        ratio = y / self.expected
        return root * (ratio - 1.0), root * (ratio + 1.0)

    def cdf(self, y):
        a, b = self._terms(np.where(y > 0, y, 1.0))
        value = ndtr(a) + 0.5 * np.exp(-0.5 * a**2) * erfcx(b / np.sqrt(2.0))
        return np.where(y > 0, np.minimum(value, 1.0), 0.0)

    def sf(self, y):
        a, b = self._terms(np.where(y > 0, y, 1.0))
        other = 0.5 * np.exp(-0.5 * a**2) * erfcx(b / np.sqrt(2.0))
        return np.where(y > 0, np.maximum(ndtr(-a) - other, 0.0), 1.0)

    def _at(self, z):
        """Where a is z: near the quantile of probability ndtr(z)."""
        step = 0.5 * z * np.sqrt(self.dispersion * self.expected)
        # t - 1 / t = 2 step, without cancellation
        t = np.where(step >= 0, step + np.hypot(step, 1.0), 1.0 / (np.hypot(step, 1.0) - step))
        return self.expected * t**2

    def icdf(self, q):
        return _probit_root(self.cdf, self.pdf, self._full(q), self._full(self._at(ndtri(q))), 1.0)

    def isf(self, q):
        return _probit_root(self.sf, self.pdf, self._full(q), self._full(self._at(-ndtri(q))), -1.0)

    def mean(self):
        return self._full(self.expected)

    def variance(self):
        return self._full(self.dispersion * self.expected**3)

    def mode(self):
        half = 1.5 * self.dispersion * self.expected
        return self._full(self.expected / (np.hypot(half, 1.0) + half))

    def support(self):
        return self._full(0.0), self._full(np.inf)

    def sample(self, rng):
        return rng.wald(self._full(self.expected), self._full(1.0 / self.dispersion))

    def excess(self, y):
        safe = np.where(y > 0, y, 1.0)
        a, b = self._terms(safe)
        other = 0.5 * np.exp(-0.5 * a**2) * erfcx(b / np.sqrt(2.0))
        above = (self.expected - safe) * ndtr(-a) + (self.expected + safe) * other
        return np.where(y > 0, np.maximum(above, 0.0), self.expected - y)

    def pieces(self):
        points = np.stack([self._full(self._at(z)) for z in (*PIECES_Z, 0.0, *-PIECES_Z[::-1])], axis=2)
        return _with_powers(points, (self.dispersion * self.expected).max(initial=0.0) > 0.1)


def _with_powers(points, skewed):
    """Points (n, K, m) and, of skewed laws, more of them at even ratios down from the last."""
    if not skewed:
        return points
    return np.sort(np.concatenate([points, points[:, :, -1:] * RATIO ** -np.arange(1.0, 40.0)], axis=2), axis=2)


def _probit_root(tail, density, p, guess, sign):
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


# -- counts ------------------------------------------------------------------------------------------------------------


class Counts(Law):
    """Laws of whole numbers from zero on."""

    measure = "mass"

    def support(self):
        return self._full(0.0), self._full(np.inf)

    def logpdf(self, y):
        possible = (y >= 0) & (y == np.floor(y))
        return np.where(possible, self._log_mass(np.where(possible, y, 0.0)), -np.inf)

    def cdf(self, y):
        k = np.floor(y)
        return np.where(k >= 0, self._cdf(np.maximum(k, 0.0)), 0.0)

    def sf(self, y):
        k = np.floor(y)
        return np.where(k >= 0, self._sf(np.maximum(k, 0.0)), 1.0)


class Poisson(Counts):
    """Poisson laws of given mean, before truncation."""

    names, neutral = ("rate",), (1.0,)

    def _log_mass(self, y):
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(y > 0, y * np.log(self.rate), 0.0) - self.rate - gammaln(y + 1.0)

    def _cdf(self, k):
        return gammaincc(k + 1.0, self._full(self.rate))

    def _sf(self, k):
        return gammainc(k + 1.0, self._full(self.rate))

    def mean(self):
        return self._full(self.rate)

    def variance(self):
        return self._full(self.rate)

    def sample(self, rng):
        return _poisson(rng, self._full(self.rate))

    def mode(self):
        return self._full(np.floor(self.rate))


class NegativeBinomial(Counts):
    """Negative binomial laws of given mean and dispersion, before truncation, eq. (negative-binomial)."""

    names, neutral = ("rate", "dispersion"), (1.0, 1.0)

    def _log_mass(self, y):
        size = 1.0 / self.dispersion
        with np.errstate(divide="ignore", invalid="ignore"):
            power = np.where(y > 0, y * np.log(self.rate), 0.0)
        return _log_rising(y, size) - gammaln(y + 1.0) + power - (y + size) * np.log1p(self.rate * self.dispersion)

    def _share(self):
        product = self.rate * self.dispersion
        return product / (1.0 + product)

    def _cdf(self, k):
        size, share = 1.0 / self.dispersion, self._share()
        return _below(k + 1.0, size, share, 1.0 / (1.0 + self.rate * self.dispersion))

    def _sf(self, k):
        return betainc(k + 1.0, 1.0 / self.dispersion, self._share())

    def mean(self):
        return self._full(self.rate)

    def variance(self):
        return self._full(self.rate + self.dispersion * self.rate**2)

    def mode(self):
        return self._full(np.floor(np.maximum(self.rate * (1.0 - self.dispersion), 0.0)))

    def sample(self, rng):
        return _poisson(rng, rng.standard_gamma(self._full(1.0 / self.dispersion)) * (self.rate * self.dispersion))


class _ZeroTruncated:
    """Laws given that y is not zero, eq. (truncated); `rate` and `dispersion` are those before truncation."""

    def support(self):
        return self._full(1.0), self._full(np.inf)

    def _positive(self):
        return -np.expm1(super()._log_mass(np.zeros((1, 1))))

    def _log_mass(self, y):
        return np.where(y > 0, super()._log_mass(y) - np.log(self._positive()), -np.inf)

    def _sf(self, k):
        return np.minimum(super()._sf(k) / self._positive(), 1.0)

    def _cdf(self, k):
        upper = self._sf(k)
        positive = self._positive()
        low = (super()._cdf(k) - (1.0 - positive)) / positive
        return np.where(k > 0, np.where(upper > 0.5, np.maximum(low, 0.0), 1.0 - upper), 0.0)

    def mean(self):
        return super().mean() / self._positive()

    def variance(self):
        positive, mean = self._positive(), super().mean()
        return np.maximum((super().variance() + mean**2) / positive - (mean / positive) ** 2, 0.0)

    def mode(self):
        return np.maximum(super().mode(), 1.0)

    def sample(self, rng):
        out = super().sample(rng)
        for _ in range(64):
            zero = np.argwhere(out == 0)
            if not len(zero):
                return out
            rows, experts = zero.T
            again = self.pick(rows, experts)
            out[rows, experts] = super(_ZeroTruncated, again).sample(rng)[:, 0]
        # Where nearly all is zero: the quantile of a uniform number.
        rows, experts = np.argwhere(out == 0).T
        out[rows, experts] = again_quantile(self.pick(rows, experts), rng)
        return out


def again_quantile(law, rng):
    """Draws (m,) by counting upwards from one, for laws (m, 1) that are next to all at one."""
    u, k = rng.uniform(size=len(law)), np.ones(len(law))
    for _ in range(10_000):
        low = law.cdf(k[:, None])[:, 0] < u
        if not low.any():
            break
        k[low] += 1.0
    return k


class TruncatedPoisson(_ZeroTruncated, Poisson):
    """Poisson laws given that y is not zero."""


class TruncatedNegativeBinomial(_ZeroTruncated, NegativeBinomial):
    """Negative binomial laws given that y is not zero."""


class Binomial(Counts):
    """Binomial laws of `trials` whose success has log-odds `eta`, eq. (binomial)."""

    names, neutral = ("trials", "eta"), (1.0, 0.0)

    def support(self):
        return self._full(0.0), self._full(self.trials)

    def _log_mass(self, y):
        possible = y <= self.trials
        k = np.where(possible, y, 0.0)
        ways = gammaln(self.trials + 1.0) - gammaln(k + 1.0) - gammaln(self.trials - k + 1.0)
        value = ways + k * self.eta - self.trials * np.logaddexp(0.0, self.eta)
        return np.where(possible, value, -np.inf)

    def _cdf(self, k):
        left = np.maximum(self.trials - k, 1e-300)
        return np.where(k < self.trials, _below(k + 1.0, left, expit(self.eta), expit(-self.eta)), 1.0)

    def _sf(self, k):
        left = np.maximum(self.trials - k, 1e-300)
        return np.where(k < self.trials, _below(left, k + 1.0, expit(-self.eta), expit(self.eta)), 0.0)

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


class PointMass(Law):
    """All probability on one value."""

    names, neutral = ("value",), (0.0,)
    measure = "mass"

    @property
    def atoms(self):
        return np.unique(self.value)

    def logpdf(self, y):
        return np.where(y == self._full(self.value), 0.0, -np.inf)

    def cdf(self, y):
        return (y >= self._full(self.value)).astype(float)

    def sf(self, y):
        return (y < self._full(self.value)).astype(float)

    def mean(self):
        return self._full(self.value)

    def variance(self):
        return np.zeros(self.shape)

    def mode(self):
        return self._full(self.value)

    def support(self):
        return self._full(self.value), self._full(self.value)

    def icdf(self, q):
        return self._full(self.value)

    isf = icdf

    def sample(self, rng):
        return np.array(self._full(self.value))

    def excess(self, y):
        return np.maximum(self.value - y, 0.0)

    def shortfall(self, y):
        return np.maximum(y - self.value, 0.0)

    def half_difference(self):
        return np.zeros(self.shape)

    def pieces(self):
        return np.array(self._full(self.value)[:, :, None])

    kinks = pieces


def _below(a, b, x, rest):
    """1 - I_x(a, b), the regularised incomplete beta function, with all digits of a small value; rest is 1 - x.

    Its complement is an order of magnitude faster to compute, and right where the digits of `rest` suffice.
    """
    a, b, x, rest = np.broadcast_arrays(a, b, x, rest)
    value = betainc(b, a, rest)
    fine = (x <= 0.5) & (b > 1e3)  # large powers of what is close to one
    if fine.any():
        value[fine] = 1.0 - betainc(a[fine], b[fine], x[fine])
        small = fine & (value < 0.5)
        value[small] = betaincc(a[small], b[small], x[small])
    return value


def _poisson(rng, rate):
    """Poisson draws; of rates beyond NumPy's range the normal law, which is then as good as a double."""
    large = rate > 1e15
    if not large.any():
        return rng.poisson(rate).astype(float)
    draws = rng.poisson(np.where(large, 1.0, rate)).astype(float)
    return np.where(large, np.rint(rate + np.sqrt(rate) * rng.standard_normal(rate.shape)), draws)


def _log_rising(y, size):
    """log(Gamma(size + y) / Gamma(size)) - y log(size)."""
    y, size = np.broadcast_arrays(y, size)
    small = np.minimum(size, LARGE)
    exact = gammaln(small + y) - gammaln(small) - y * np.log(small)
    if not (size > LARGE).any():
        return exact
    large = np.maximum(size, LARGE)
    end = large + y
    series = (end - 0.5) * np.log1p(y / large) - y + _stirling_rest(end) - _stirling_rest(large)
    return np.where(size > LARGE, series, exact)


def _stirling_rest(z):
    i, i2 = 1.0 / z, 1.0 / z**2
    return i * (1 / 12 - i2 * (1 / 360 - i2 * (1 / 1260 - i2 / 1680)))


# -- several kinds, several outputs ------------------------------------------------------------------------------------


class Composite:
    """Laws of several kinds, each of some of the experts.

    Parameters
    ----------
    parts : list of (law, ndarray of int)
        Laws and the experts that they are of.
    atoms : sequence of float
        Points that beside densities belong to the point masses alone, eq. (atom).
    """

    def __init__(self, parts, atoms=()):
        self.parts = [(law, np.asarray(index)) for law, index in parts]
        self.atoms = np.unique(np.asarray(atoms, dtype=float))
        self.shape = self.parts[0][0].shape[0], sum(len(index) for _, index in self.parts)

    def __len__(self):
        return self.shape[0]

    def __repr__(self):
        kinds = ", ".join(type(law).__name__ for law, _ in self.parts)
        return f"Composite({kinds}) of {self.shape[0]} rows and {self.shape[1]} experts"

    def __getitem__(self, k):
        return self.columns(np.atleast_1d(np.arange(self.shape[1])[k]))

    @property
    def measure(self):
        """Density, where any of the laws has one."""
        return "density" if any(law.measure == "density" for law, _ in self.parts) else "mass"

    @property
    def discrete(self):
        return self.measure == "mass"

    @property
    def n_outputs(self):
        return getattr(self.parts[0][0], "n_outputs", 1)

    def take(self, rows):
        return Composite([(law.take(rows), index) for law, index in self.parts], self.atoms)

    def columns(self, index):
        index = np.asarray(index)
        parts = []
        for law, own in self.parts:
            there = np.flatnonzero(np.isin(index, own))
            if len(there):
                place = {k: i for i, k in enumerate(own.tolist())}
                parts.append((law.columns([place[k] for k in index[there].tolist()]), there))
        return Composite(parts, self.atoms)

    def spread(self, index, n_rows):
        return Composite([(law.spread(index, n_rows), own) for law, own in self.parts], self.atoms)

    def marginal(self, t):
        """Laws of one output."""
        return join([(law.marginal(t), index) for law, index in self.parts], self.atoms)

    def draw(self, rng, rows, experts):
        """Draws of pairs of a row and an expert."""
        out = None
        for law, own in self.parts:
            there = np.flatnonzero(np.isin(experts, own))
            place = np.zeros(self.shape[1], dtype=int)
            place[own] = np.arange(len(own))
            values = draw(law, rng, rows[there], place[experts[there]])
            if out is None:
                out = np.empty((len(rows), *values.shape[1:]))
            out[there] = values
        return out

    def _fill(self, name, *arguments):
        out = None
        for law, index in self.parts:
            values = getattr(law, name)(*(_own(a, index, self.shape[1]) for a in arguments))
            if out is None:
                out = np.empty((self.shape[1], self.shape[0], *values.shape[2:])).swapaxes(0, 1)
            out[:, index] = values
        return out

    def logpdf(self, y):
        out = self._fill("logpdf", y)
        if len(self.atoms) and self.measure == "density" and self.n_outputs == 1:
            taken = np.isin(y, self.atoms)
            for law, index in self.parts:
                if law.measure == "density":
                    out[:, index] = np.where(taken, -np.inf, out[:, index])
        return out

    def pdf(self, y):
        return np.exp(self.logpdf(y))

    def pieces(self):
        """Pieces of all kinds; kinds with fewer points repeat their last one."""
        return self._padded("pieces")

    def kinks(self):
        """Kinks of all kinds; kinds with fewer repeat one, or their mean."""
        return self._padded("kinks")

    def _padded(self, name):
        parts = [(getattr(law, name)(), law.mean()[:, :, None], index) for law, index in self.parts]
        out = np.empty((*self.shape, max(points.shape[2] for points, _, _ in parts)))
        for points, mean, index in parts:
            m = points.shape[2]
            out[:, index, :m] = points
            out[:, index, m:] = points[:, :, -1:] if m else mean
        return out

    def support(self):
        ends = [law.support() for law, _ in self.parts]
        out = np.empty((2, *self.shape))
        for (_, index), end in zip(self.parts, ends, strict=True):
            out[0][:, index], out[1][:, index] = end
        return out[0], out[1]

    def half_difference(self):
        out = np.empty(self.shape)
        for law, index in self.parts:
            value = law.half_difference()
            if value is None:
                return None
            out[:, index] = value
        return out

    def sample(self, rng):
        return self._fill("sample", _Bound(rng))


class _Bound:
    """An argument that every part gets as it is."""

    def __init__(self, value):
        self.value = value


def _own(argument, index, n_experts):
    if isinstance(argument, _Bound):
        return argument.value
    wide = np.ndim(argument) == 2 and np.shape(argument)[1] == n_experts > 1
    return argument[:, index] if wide else argument


def _filled(name):
    def method(self, *arguments):
        return self._fill(name, *arguments)

    method.__name__ = name
    return method


for _name in (
    "cdf",
    "sf",
    "logcdf",
    "logsf",
    "icdf",
    "isf",
    "mean",
    "variance",
    "mode",
    "excess",
    "shortfall",
    "covariance",
):
    setattr(Composite, _name, _filled(_name))


class Independent:
    """Several outputs that are independent given the expert: a law for each."""

    measure, atoms = "density", np.zeros(0)

    def __init__(self, laws):
        self.laws = list(laws)
        self.shape, self.n_outputs = self.laws[0].shape, len(self.laws)

    def __len__(self):
        return self.shape[0]

    def __repr__(self):
        return f"Independent({self.laws!r})"

    def __getitem__(self, k):
        return self.columns(np.atleast_1d(np.arange(self.shape[1])[k]))

    def take(self, rows):
        return Independent([law.take(rows) for law in self.laws])

    def columns(self, index):
        return Independent([law.columns(index) for law in self.laws])

    def spread(self, index, n_rows):
        return Independent([law.spread(index, n_rows) for law in self.laws])

    def marginal(self, t):
        """Laws of one output."""
        return self.laws[t]

    def logpdf(self, y):
        return sum(law.logpdf(y[:, [t]]) for t, law in enumerate(self.laws))

    def mean(self):
        return np.stack([law.mean() for law in self.laws], axis=2)

    def covariance(self):
        variance = np.stack([law.variance() for law in self.laws], axis=2)
        return np.where(np.eye(self.n_outputs, dtype=bool), variance[..., None], 0.0)

    def draw(self, rng, rows, experts):
        return np.stack([draw(law, rng, rows, experts) for law in self.laws], axis=1)


class MultivariateNormal:
    """Normal laws of several outputs: centers (n, K, T) and covariances (n, K, T, T), or (1, K, T, T) for all rows."""

    measure, atoms = "density", np.zeros(0)

    def __init__(self, center, matrix):
        self.center, self.matrix = np.asarray(center, dtype=float), np.asarray(matrix, dtype=float)
        self.shape, self.n_outputs = self.center.shape[:2], self.center.shape[2]

    def __len__(self):
        return self.shape[0]

    def __repr__(self):
        return f"MultivariateNormal of {self.n_outputs} outputs, {self.shape[0]} rows and {self.shape[1]} experts"

    def __getitem__(self, k):
        return self.columns(np.atleast_1d(np.arange(self.shape[1])[k]))

    def take(self, rows):
        matrix = self.matrix if len(self.matrix) == 1 and self.shape[0] != 1 else self.matrix[rows]
        if len(self.matrix) == 1:
            matrix = self.matrix
        return MultivariateNormal(self.center[rows], matrix)

    def columns(self, index):
        return MultivariateNormal(self.center[:, index], self.matrix[:, index])

    def spread(self, index, n_rows):
        center = np.zeros((n_rows, *self.center.shape[1:]))
        center[index] = self.center
        return MultivariateNormal(center, self.matrix[:1] if len(self.matrix) else self.matrix)

    def marginal(self, t):
        """Laws of one output."""
        return Normal(self.center[:, :, t], np.sqrt(self.matrix[:, :, t, t]), n_rows=self.shape[0])

    def logpdf(self, y):
        root = whitener(self.matrix)
        white = np.einsum(
            "nkst,nkt->nks", np.broadcast_to(root, (self.shape[0], *root.shape[1:])), y[:, None] - self.center
        )
        log_root = np.log(np.diagonal(root, axis1=2, axis2=3)).sum(axis=2)
        return log_root - 0.5 * (white**2).sum(axis=2) - self.n_outputs * LOG_SQRT_2PI

    def mean(self):
        return self.center

    def covariance(self):
        return np.broadcast_to(self.matrix, (self.shape[0], *self.matrix.shape[1:]))

    def draw(self, rng, rows, experts):
        root = np.linalg.cholesky(self.matrix)
        root = root[np.zeros_like(rows) if len(root) == 1 else rows, experts]
        return self.center[rows, experts] + np.einsum(
            "mst,mt->ms", root, rng.standard_normal((len(rows), self.n_outputs))
        )


def independent(kind, center, scale):
    """Laws of one kind around centers (n, K, T), of scales (K, T): one law, or for several outputs one for each."""
    laws = [kind(center[:, :, t], scale.T[[t]]) for t in range(center.shape[2])]
    return laws[0] if len(laws) == 1 else Independent(laws)


def draw(law, rng, rows, experts):
    """Draws (m,) or (m, T) of pairs of a row and an expert."""
    return law.draw(rng, rows, experts) if hasattr(law, "draw") else law.pick(rows, experts).sample(rng)[:, 0]


def join(parts, atoms=()):
    """One law of all experts from (law, experts) pairs; those of one kind are put together.

    Parameters
    ----------
    parts : list of (law, sequence of int)
        Laws of the same rows, and the numbers of the experts that they are of.
    atoms : sequence of float
        As in `Composite`.

    Returns
    -------
    Law, Composite, Independent or MultivariateNormal
    """
    flat = []
    for law, index in parts:
        index = np.asarray(index)
        if isinstance(law, Composite):
            flat += [(part, index[own]) for part, own in law.parts]
            atoms = np.union1d(atoms, law.atoms)
        else:
            flat.append((law, index))
    kinds = {}
    for law, index in flat:
        key = type(law), getattr(law, "n_outputs", 1), tuple(type(own) for own in getattr(law, "laws", ()))
        kinds.setdefault(key, []).append((law, index))
    joined = []
    for members in kinds.values():
        index = np.concatenate([own for _, own in members])
        joined.append((_side_by_side([law for law, _ in members]), index))
    if len(joined) == 1:
        law, index = joined[0]
        return law.columns(np.argsort(index))
    return Composite(joined, atoms)


def _side_by_side(laws):
    """Laws of one kind, the experts of one after those of the other."""
    if len(laws) == 1:
        return laws[0]
    first = laws[0]
    if isinstance(first, Independent):
        return Independent(
            [join([(law.laws[t], np.arange(a, b)) for law, a, b in _places(laws)]) for t in range(first.n_outputs)]
        )
    if isinstance(first, MultivariateNormal):
        center = np.concatenate([law.center for law in laws], axis=1)
        n = max(len(law.matrix) for law in laws)
        matrices = [np.broadcast_to(law.matrix, (n, *law.matrix.shape[1:])) for law in laws]
        return MultivariateNormal(center, np.concatenate(matrices, axis=1))
    n_rows, fields = first.shape[0], []
    for name in first.names:
        own = [getattr(law, name) for law in laws]
        if len({len(field) for field in own}) > 1:
            own = [np.broadcast_to(field, (n_rows, field.shape[1])) for field in own]
        fields.append(np.concatenate([field.T for field in own]).T)
    return type(first)(*fields, n_rows=n_rows)


def _places(laws):
    stop = 0
    for law in laws:
        start, stop = stop, stop + law.shape[1]
        yield law, start, stop
