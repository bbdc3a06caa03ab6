"""Any distribution of scipy.stats, with parameters for n rows and K experts."""

from functools import cached_property

import numpy as np
from scipy.optimize import elementwise
from scipy.special import zeta
from scipy.stats import rv_discrete, zipf

from .counts import Counts
from .roots import first_counts
from .univariate import PIECES, RATIO, Univariate

__all__ = ["FromScipy"]

GAUSS, GAUSS_WEIGHTS = np.polynomial.legendre.leggauss(8)
FINEST = 8  # pieces that one piece is cut into, at most
FARTHEST = 60  # panels beyond the last piece, at most
NEGLIGIBLE = 1e-15  # share of an integral at which its tail ends
TERMS = 1 << 22  # of a sum of probabilities, at most
LOST = 1e-14  # a difference of such a sum from one has no digits below


class ScipyFailure(ValueError):
    """A function of scipy.stats stopped where numbers are out of its range."""


class FromScipy(Univariate):
    """Distributions of scipy.stats, continuous or of whole numbers.

    Everything but these three comes from scipy and is as exact as there:

    - `mode` is approximate: the highest peak between neighbouring quantiles, to half the digits of a double;
    - `excess`, and with it the CRPS, is approximate: integrals of the survival function by Gauss rules between
      quantiles. They have ten digits where the density is smooth but for its mode and the ends of its support, six
      where it has a tail with little more than a mean;
    - `spread` fills rows that do not use an expert with the parameters of the first row that does.

    Where the mean is undefined, as of a Cauchy distribution, the median stands for it, as the center does in `Student`;
    `has_mean` tells. scipy says nan there, or, of Student's with df <= 1, infinity: of distributions on the whole line
    that means the same here. Where the support has an end, an infinite mean stays so, as of a Pareto distribution. A
    variance that does not exist is infinite.

    Of some counts scipy knows only the probabilities, and sums them up; such sums must not have more than four million
    terms.

    Parameters
    ----------
    family : scipy.stats.rv_continuous or scipy.stats.rv_discrete
    n_rows : int or None, default=None
        Number of rows where all parameters are shared by the rows.
    **parameters : array-like
        Shape parameters, `loc` and `scale` by name; each broadcasts to (n, K), a number or (K,) too.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy import stats
    >>> from hme.distributions import FromScipy
    >>> from hme.prediction import PredictiveDistribution
    >>> center, width = np.array([[0.0, 1.0], [1.0, 2.0]]), np.array([[0.5, 0.2]])
    >>> components = FromScipy(stats.lognorm, s=width, scale=np.exp(center))
    >>> dist = PredictiveDistribution(np.full((2, 2), 0.5), components)
    >>> dist.median().round(3), dist.crps([1.0, 4.0]).round(3)
    (array([2.043, 5.553]), array([0.528, 0.994]))
    """

    def __init__(self, family, n_rows=None, **parameters):
        self.family, self.names = family, tuple(parameters)
        fields = self._arranged([np.atleast_2d(value) for value in parameters.values()], n_rows)
        self.parameters = dict(zip(self.names, fields, strict=True))
        loc = self.parameters.get("loc", 0.0)
        if self.discrete and not np.all(loc == np.floor(loc)):
            raise ValueError("loc must be a whole number where y is discrete.")

    def __repr__(self):
        return f"FromScipy({self.family.name}, {', '.join(self.names)}) of {len(self)} rows and {self.shape[1]} experts"

    @property
    def measure(self):
        return "mass" if isinstance(self.family, rv_discrete) else "density"

    @property
    def on_lattice(self):
        return self.discrete

    @property
    def kind(self):
        return type(self), self.family, self.names

    @property
    def neutral(self):
        defaults = [0.0 if name == "loc" else 1.0 for name in self.names]
        return [field[0] if len(field) else value for field, value in zip(self._fields(), defaults, strict=True)]

    def _fields(self):
        return list(self.parameters.values())

    def _new(self, fields, n_rows):
        return FromScipy(self.family, n_rows, **dict(zip(self.names, fields, strict=True)))

    def _ask(self, method, *arguments, **settings):
        try:
            with np.errstate(all="ignore"):  # of poles, and of values that are as good as zero
                return getattr(self.family, method)(*arguments, **self.parameters, **settings)
        except ArithmeticError as error:
            raise ScipyFailure(f"scipy.stats.{self.family.name}.{method} fails at these parameters: {error}") from error

    def widened(self, factor):
        """By the scale, of families whose mean is their location."""
        if self.discrete or not {"loc", "scale"} <= set(self.names):
            return self
        loc, mean = self._full(self.parameters["loc"]), self.mean()
        if not np.allclose(mean, loc, rtol=1e-9, atol=1e-9 * float(np.max(self.parameters["scale"], initial=0.0))):
            return self
        scale = self.parameters["scale"] * np.sqrt(factor)
        return self._new([scale if name == "scale" else self.parameters[name] for name in self.names], len(self))

    def logpdf(self, y):
        return self._ask("logpmf" if self.discrete else "logpdf", y)

    def pdf(self, y):
        try:
            return self._ask("pmf" if self.discrete else "pdf", y)
        except ScipyFailure:  # next to a pole the logarithm is not out of range
            return super().pdf(y)

    def cdf(self, y):
        if self._is_zipf:
            return 1.0 - self._zipf_tail(y)
        return self._sum("cdf", y)

    def sf(self, y):
        if self._is_zipf:
            return self._zipf_tail(y)
        return self._sum("sf", y)

    _log_mass, _cdf, _sf = logpdf, cdf, sf  # as counts have them, for `ZeroTruncated`
    _log_positive_mass, _beyond_one, _mean_of_pairs = (
        Counts._log_positive_mass,
        Counts._beyond_one,
        Counts._mean_of_pairs,
    )

    def logcdf(self, y):
        return super().logcdf(y) if self._is_summed else self._ask("logcdf", y)

    def logsf(self, y):
        return super().logsf(y) if self._is_summed else self._ask("logsf", y)

    def icdf(self, q):
        return self._full(self._searched(q, False) if self._is_summed else self._ask("ppf", q))

    def isf(self, q):
        return self._full(self._searched(q, True) if self._is_summed else self._ask("isf", q))

    @property
    def _is_zipf(self):
        return isinstance(self.family, type(zipf))

    @property
    def _is_summed(self):
        """Whether scipy sums up probabilities, as many as they are, for the distribution function."""
        own = type(self.family)
        return self.discrete and own._cdf is rv_discrete._cdf and own._cdf_single is rv_discrete._cdf_single

    def _sum(self, method, y):
        """`cdf` or `sf` by scipy, whose sums over counts end where nothing is left."""
        if not self._is_summed:
            return self._ask(method, y)
        low, high = self.support()
        y = np.broadcast_to(y, np.broadcast_shapes(np.shape(y), self.shape))
        beyond, y = (y < high) & (y - low > TERMS), np.where(y < high, np.minimum(y, low + TERMS), y)
        if not np.isneginf(low).any():
            value = self._ask("cdf", y)
            tail = 1.0 - value
            if not (beyond & (tail > LOST)).any():
                return value if method == "cdf" else np.where(tail < LOST, 0.0, tail)
        raise ValueError(
            f"{self.family.name} has no distribution function of its own in scipy.stats, and at these parameters its "
            f"probabilities would be summed up over more than {TERMS} counts. Give the family a _cdf, and a _sf and "
            "_ppf where its tail is heavy."
        )

    def _zipf_tail(self, y):
        """Probability of more than y; scipy has none but the sum over counts."""
        a, loc = self.parameters["a"], self.parameters.get("loc", 0.0)
        k = np.maximum(np.floor(y) - loc, 0.0)
        with np.errstate(all="ignore"):
            return np.where(k > 0, zeta(a, k + 1.0) / zeta(a, 1.0), np.where(np.isnan(a), np.nan, 1.0))

    def _searched(self, q, upper):
        """Quantiles of counts by `cdf` or `sf`."""
        (low, high), q = self.support(), np.broadcast_to(q, self.shape)
        last = q <= 0 if upper else q >= 1
        slack = 4.0 * np.finfo(float).eps  # by which a sum of probabilities may miss the one that it is to reach

        def reached(k):
            return last | (self.sf(k) <= q * (1.0 + slack) if upper else self.cdf(k) >= q - slack)

        return np.where(last, high, first_counts(reached, low, high))

    def _is_undefined(self, mean):
        """Where scipy's mean is none: nan, or the infinity of a distribution that may have two heavy tails."""
        if np.isfinite(mean).all():
            return np.zeros(self.shape, dtype=bool)
        low, high = self.support()
        return self._full(np.isnan(mean)) | (np.isinf(mean) & np.isinf(low) & np.isinf(high))

    def mean(self):
        mean = self._full(self._ask("mean"))
        undefined = self._is_undefined(mean)
        return np.where(undefined, self.icdf(0.5), mean) if undefined.any() else mean

    def has_mean(self):
        return self._full(np.isfinite(self._ask("mean")))

    def variance(self):
        variance = self._full(self._ask("var"))
        if not (none := np.isnan(variance)).any():
            return variance
        return np.where(none & ~np.isnan(self.icdf(0.5)), np.inf, variance)  # nan where parameters are impossible

    def support(self):
        return tuple(self._full(end) for end in self._ask("support"))

    def sample(self, rng):
        parameters = {name: _integers(field) if self.discrete else field for name, field in self.parameters.items()}
        return np.asarray(self.family.rvs(**parameters, size=self.shape, random_state=rng), dtype=float)

    def mode(self):
        return self._mode

    @cached_property
    def _mode(self):
        points = np.sort(np.concatenate([self._quantiles, *_finite(self.support(), self.icdf(0.5))], axis=2), axis=2)
        if self.discrete:
            points = np.floor(points)
        density = self._at(self.pdf, points)
        best = density.argmax(axis=2)[:, :, None]
        return self._count_peak(points, best) if self.discrete else self._peak(points, density, best)

    def _peak(self, points, density, best):
        """Largest densities between the neighbours of the best points."""
        place = np.take_along_axis(points, best, axis=2)[:, :, 0]
        low = np.where(points < place[:, :, None], points, -np.inf).max(axis=2)
        high = np.where(points > place[:, :, None], points, np.inf).min(axis=2)
        peak = np.take_along_axis(density, best, axis=2)[:, :, 0]
        rows, experts = np.nonzero(np.isfinite(low) & np.isfinite(high) & np.isfinite(peak))

        def negative(y, i, k):
            return -self.pick(i, k).pdf(y[:, None])[:, 0]

        bracket = tuple(a[rows, experts] for a in (low, place, high))
        out = place.copy()
        if len(rows):
            found = elementwise.find_minimum(negative, bracket, args=(rows, experts))
            out[rows, experts] = np.where(-found.f_x >= peak[rows, experts], found.x, bracket[1])
        return out

    def _count_peak(self, points, best):
        """Largest probabilities between the neighbours of the best points, which rise and then fall."""
        place = np.take_along_axis(points, best, axis=2)  # the same count may be there more than once
        low = np.where(points < place, points, -np.inf).max(axis=2)
        high = np.where(points > place, points, np.inf).min(axis=2)
        low, high = (np.where(np.isfinite(end), end, place[:, :, 0]) for end in (low, high))
        while (low < high).any():
            middle = np.floor(0.5 * (low + high))
            rises = self.pdf(middle) < self.pdf(middle + 1.0)
            low, high = np.where(rises, np.minimum(middle + 1.0, high), low), np.where(rises, high, middle)
        return low

    def excess(self, y):
        y = self._full(y)
        points = self.pieces()
        total = np.maximum(points[:, :, 0] - y, 0.0)
        for left, right in zip(points[:, :, :-1].T, points[:, :, 1:].T, strict=True):
            total += self._panel(np.maximum(left.T, y), np.maximum(right.T, y))
        # Beyond the last piece by panels that grow with their distance, until they no longer count.
        left, origin = np.maximum(points[:, :, -1], y), self.icdf(0.5)
        for _ in range(FARTHEST):
            right = np.minimum(origin + RATIO * np.maximum(left - origin, 0.0), self.support()[1])
            part = self._panel(left, right)
            total += part
            if not (part > NEGLIGIBLE * total).any():
                break
            left = right
        return np.where(self.has_mean(), total, np.inf)

    def shortfall(self, y):
        exists = self.has_mean()
        if exists.all():
            return super().shortfall(y)
        mean = np.where(exists, self.mean(), 0.0)
        return np.where(exists, np.maximum(self.excess(y) + (y - mean), 0.0), np.inf)

    def _panel(self, low, high):
        """Integrals (n, K) of the survival function between two points."""
        half = 0.5 * np.maximum(high - low, 0.0)
        total = sum(
            weight * self.sf(low + half * (1.0 + node)) for node, weight in zip(GAUSS, GAUSS_WEIGHTS, strict=True)
        )
        return half * total

    def pieces(self):
        """Quantiles, the mode, ends of the support, and more points where the distances grow as those of powers."""
        points = self._quantiles
        middle, (low, high) = points[:, :, [len(PIECES)]], (end[:, :, None] for end in self.support())
        lower, upper = points[:, :, : len(PIECES)], points[:, :, len(PIECES) + 1 :]
        origin = [np.where(np.isfinite(end), end, middle) for end in (low, high)]
        more = [_between(lower, origin[0]), _between(upper, origin[1])]
        ends = _finite(self.support(), self.icdf(0.5))
        return np.sort(np.concatenate([points, *more, *ends, self.mode()[:, :, None]], axis=2), axis=2)

    def kinks(self):
        return np.concatenate([*_finite(self.support(), self.icdf(0.5)), self.mode()[:, :, None]], axis=2)

    @cached_property
    def _quantiles(self):
        if not self._is_summed:
            return super().pieces()
        p = PIECES[PIECES >= 1e-3]  # counts have no peak further out, and their sums may be long
        return np.stack([*(self.icdf(q) for q in p), self.icdf(0.5), *(self.isf(q) for q in p[::-1])], axis=2)

    def _at(self, function, points):
        """function of points (n, K, m)."""
        return np.stack([function(points[:, :, j]) for j in range(points.shape[2])], axis=2)


def _integers(field):
    """Whole numbers as integers, which generators of counts insist on."""
    return field.astype(np.int64) if (field == np.floor(field)).all() else field


def _finite(ends, middle):
    """Ends of the support, (n, K, 1) each; the median where they are infinite."""
    return [np.where(np.isfinite(end), end, middle)[:, :, None] for end in ends]


def _between(points, origin):
    """Points (n, K, ...) between neighbours whose distances from an origin have a ratio larger than RATIO."""
    distance, side = np.abs(points - origin), np.sign(points.mean(axis=2, keepdims=True) - origin)
    out = [points[:, :, :0]]
    for j in range(points.shape[2] - 1):
        first, last = distance[:, :, j], distance[:, :, j + 1]
        with np.errstate(all="ignore"):
            log = np.abs(np.log(last / first))
        log = np.where(np.isfinite(log), log, 0.0)
        n_parts = int(np.clip(np.ceil(log.max(initial=0.0) / np.log(RATIO)), 1, FINEST))
        steps = np.arange(1, n_parts) / n_parts
        grown = first[:, :, None] * np.exp(np.sign(last - first)[:, :, None] * log[:, :, None] * steps)
        out.append(origin + side * grown)
    return np.concatenate(out, axis=2)
