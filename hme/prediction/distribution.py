"""The predictive distribution p(y | x) = sum_k g_k(x) p_k(y | x) of many rows at once."""

import numpy as np

from ..numerics.checks import check_choice, check_real
from .blocks import BLOCK, cdf_of, logcdf_of, logpdf_of, logsf_of, pdf_of, sf_of
from .frozen import frozen_row
from .quantiles import ULPS, count_quantile_of, quantile_of
from .ranked import RankedScore
from .regions import Regions

__all__ = ["PredictiveDistribution"]


class PredictiveDistribution(RankedScore, Regions):
    """Mixture distributions of one output, one for every row.

    Parameters
    ----------
    weights : ndarray of shape (n, K)
        Prior of every expert.
    components : Distribution or Composite
        Distributions of y given the expert.
    index : sequence or None
        Names of the rows.

    Attributes
    ----------
    weights, components, index
    n_outputs : int
        1.
    discrete : bool
        Whether y are counts, or other points.

    Notes
    -----
    Where a method takes `y`, it is a number for all rows, one number for each row (n,), a grid for each row (n, m), or
    the same grid (1, m); answers are (n,) or (n, m). Probabilities `q` are a number or the same numbers (m,) for all
    rows.

    References
    ----------
    Grimit, E. P., Gneiting, T., Berrocal, V. J. and Johnson, N. A. (2006). The continuous ranked probability score for
    circular variables and its application to mesoscale forecast ensemble verification. Quarterly Journal of the Royal
    Meteorological Society 132, 2925-2942.

    Examples
    --------
    >>> import numpy as np
    >>> from hme.distributions import Normal
    >>> from hme.prediction import PredictiveDistribution
    >>> dist = PredictiveDistribution(np.array([[0.5, 0.5]]), Normal(np.array([[-2.0, 2.0]]), np.ones((1, 2))))
    >>> dist.mean(), dist.variance()
    (array([0.]), array([5.]))
    >>> dist.icdf([0.25, 0.75]).round(3)
    array([[-2.,  2.]])
    >>> dist.interval(0.5, method="highest_density")[0].round(2)
    array([[-2.67, -1.32],
           [ 1.32,  2.67]])
    """

    n_outputs = 1

    def __init__(self, weights, components, index=None):
        self.weights = np.asfortranarray(weights, dtype=float)
        self.components = components
        self.index = index

    # -- rows and experts ---------------------------------------------------------------------------------------------

    def __len__(self):
        return self.weights.shape[0]

    def __repr__(self):
        n, K = self.weights.shape
        kinds = self._kinds()
        return f"{type(self).__name__}({n} row{'s' * (n != 1)}, {K} expert{'s' * (K != 1)}: {', '.join(kinds)})"

    def _kinds(self):
        return [type(part).__name__ for part, _ in self.components.parts]

    def __getitem__(self, rows):
        if isinstance(rows, (int, np.integer)):
            if not -len(self) <= rows < len(self):
                raise IndexError(f"row {rows} of {len(self)} rows")
            rows = [int(rows) % len(self)]
        rows = np.arange(len(self))[rows]
        index = None if self.index is None else np.asarray(self.index)[rows]
        return type(self)(self.weights[rows], self.components.take(rows), index)

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def given(self, expert):
        """The distribution with the expert known, or with other weights.

        Parameters
        ----------
        expert : int, ndarray of int of shape (n,), or ndarray of float of shape (n, K)
            An expert, the expert of every row, or weights such as responsibilities, whose rows are divided by their
            sums.

        Returns
        -------
        PredictiveDistribution

        Raises
        ------
        ValueError
            Where it is none of these.
        """
        n, K = self.weights.shape
        value = np.asarray(expert)
        if value.ndim == 2 and value.shape == (n, K) and value.dtype.kind in "biuf":
            value = value.astype(float)
            total = value.sum(axis=1, keepdims=True)
            if not np.isfinite(value).all() or (value < 0).any() or (total == 0).any():
                raise ValueError("expert: weights must be finite and >= 0, and no row of them all zero.")
            return type(self)(value / total, self.components, self.index)
        if value.dtype.kind not in "iu" or value.shape not in ((), (n,)):
            raise ValueError(
                f"expert must be an expert's number, one for each of the {n} rows, or weights {(n, K)}; got "
                f"{'shape ' + str(value.shape) if value.ndim else repr(expert)}."
            )
        if value.size and not (-K <= value.min() and value.max() < K):
            raise ValueError(f"expert must be between 0 and {K - 1}, got {expert!r}.")
        weights = np.zeros((n, K))
        weights[np.arange(n), value] = 1.0
        return type(self)(weights, self.components, self.index)

    @property
    def discrete(self):
        return self.components.discrete

    def marginal(self, t):
        """The distribution of one output: of a single one itself."""
        return self

    # -- moments ------------------------------------------------------------------------------------------------------

    def mean(self):
        """Mean of y given x, (n,), eq. (mean)."""
        return (self.weights * self._means()).sum(axis=1)

    def _means(self):
        means = self.components.mean()
        return means if np.isfinite(means).all() else np.where(self.weights > 0, means, 0.0)

    def variance_parts(self):
        """Variances within experts and between experts, (n,) each, eq. (variance)."""
        means, mean = self._means(), self.mean()[:, None]
        within = np.where(self.weights > 0, self.components.variance(), 0.0)
        exists = np.isfinite(mean)
        distances = means - mean if exists.all() else np.where(exists, means, np.inf) - np.where(exists, mean, 0.0)
        return (self.weights * within).sum(axis=1), (self.weights * distances**2).sum(axis=1)

    def variance(self):
        """Variance of y given x, (n,), eq. (variance); inf where an expert has none."""
        within, between = self.variance_parts()
        return within + between

    def standard_deviation(self):
        """Root of the variance, (n,)."""
        return np.sqrt(self.variance())

    def support(self):
        """Least and largest possible y, (n,) each."""
        low, high = self.components.support()
        used = self.weights > 0
        return np.where(used, low, np.inf).min(axis=1), np.where(used, high, -np.inf).max(axis=1)

    # -- densities and probabilities ----------------------------------------------------------------------------------

    def pdf(self, y):
        """Density; of points that have probability, beside densities, that probability, eq. (atom)."""
        self._is("density", "pdf", "pmf")
        return self._at(y, pdf_of, 0.0, 0.0)

    def logpdf(self, y):
        """Logarithm of `pdf`: what `log_likelihood` of the model is."""
        self._is("density", "logpdf", "logpmf")
        return self._at(y, logpdf_of, -np.inf, -np.inf)

    def pmf(self, y):
        """Probability of counts."""
        self._is("mass", "pmf", "pdf")
        return self._at(y, pdf_of, 0.0, 0.0)

    def logpmf(self, y):
        """Logarithm of `pmf`. Numbers that are not whole have no probability, though a Poisson model may be fitted to
        rates."""
        self._is("mass", "logpmf", "logpdf")
        return self._at(y, logpdf_of, -np.inf, -np.inf)

    def log_likelihood(self, y):
        """`logpmf` of counts, else `logpdf`."""
        return self._at(y, logpdf_of, -np.inf, -np.inf)

    def cdf(self, y):
        """Probability of y or less, eq. (cdf)."""
        return self._at(y, cdf_of, 0.0, 1.0)

    def ccdf(self, y):
        """Probability of more than y, without loss of digits where that is small."""
        return self._at(y, sf_of, 1.0, 0.0)

    def logcdf(self, y):
        """Logarithm of `cdf`."""
        return self._at(y, logcdf_of, -np.inf, 0.0)

    def logccdf(self, y):
        """Logarithm of `ccdf`."""
        return self._at(y, logsf_of, 0.0, -np.inf)

    def _is(self, measure, name, other):
        if (measure == "mass") != self.discrete:
            what = "counts, which have probabilities" if self.discrete else "no counts: y has a density"
            raise TypeError(f"{name} makes no sense here: these are {what}. Use {other}.")

    def _grid(self, y):
        y = np.asarray(y, dtype=float)
        n = len(self)
        shape = (n,) if y.ndim < 2 else (n, *y.shape[1:])
        if y.ndim > 2 or y.shape not in ((), (n,), (n, *y.shape[1:]), (1, *y.shape[1:])):
            raise ValueError(f"y has shape {y.shape}; it must be a number, {(n,)}, {(n, 'm')} or {(1, 'm')}.")
        if np.isnan(y).any():
            raise ValueError("y must not hold nan.")
        return np.broadcast_to(y, shape)

    def _at(self, y, function, low, high):
        """function(components, weights, y) of blocks of pairs of a row and a value; `low`, `high` at the infinities."""
        y = self._grid(y)
        finite = np.isfinite(y)
        if not finite.all():
            out = self._at(np.where(finite, y, 0.0), function, low, high)
            return np.where(finite, out, np.where(y > 0, high, low))
        if y.ndim == 1:
            return self._blockwise(function, None, y)
        rows = np.repeat(np.arange(len(self)), y.shape[1])
        return self._blockwise(function, rows, y.ravel()).reshape(y.shape)

    def _blockwise(self, function, rows, *arrays):
        """Answers (m,) to pairs of rows and values (m,), block by block; rows None are all in turn."""
        m = len(arrays[0])
        out, size = np.empty(m), max(BLOCK // self.weights.shape[1], 1)
        with np.errstate(over="ignore", under="ignore"):
            for start in range(0, m, size):
                part = slice(start, min(start + size, m))
                index = part if rows is None else rows[part]
                components = self.components if rows is None and m <= size else self.components.take(index)
                out[part] = function(components, self.weights[index], *(a[part][:, None] for a in arrays))
        return out

    # -- quantiles ----------------------------------------------------------------------------------------------------

    def icdf(self, q):
        """Quantiles, eq. (quantile): the smallest y with ``cdf(y) >= q``.

        Parameters
        ----------
        q : float or array-like of shape (m,)
            Probabilities; 0 and 1 give the ends of the support.

        Returns
        -------
        ndarray of shape (n,) or (n, m)
        """
        return self._quantiles(q, False)

    def iccdf(self, q):
        """The smallest y that is exceeded with probability q or less; `icdf` of 1 - q without loss of digits."""
        return self._quantiles(q, True)

    def median(self):
        """The smallest y with ``cdf(y) >= 1/2``, (n,)."""
        return self.icdf(0.5)

    def _quantiles(self, q, upper):
        q = np.asarray(q, dtype=float)
        n = len(self)
        if q.ndim > 2 or (q.ndim == 2 and q.shape[0] not in (1, n)):
            raise ValueError(f"q has shape {q.shape}; it must be a number, {('m',)} or {(n, 'm')}.")
        if not ((q >= 0) & (q <= 1)).all():
            raise ValueError(f"q must be between 0 and 1, got {float(q[~((q >= 0) & (q <= 1))].flat[0])!r}.")
        if q.ndim == 2:
            q = np.broadcast_to(q, (n, q.shape[1]))
            return self._solved(np.repeat(np.arange(n), q.shape[1]), q.ravel(), upper).reshape(q.shape)
        values = np.atleast_1d(q)
        columns = [self._solved(np.arange(n), np.full(n, value), upper) for value in values]
        return columns[0] if q.ndim == 0 else np.stack(columns, axis=1) if columns else np.empty((n, 0))

    def _solved(self, rows, q, upper):
        """Quantiles (m,) of pairs of a row and a probability (m,)."""
        out = np.empty(len(rows))
        ends = (q == 0) | (q == 1)
        if ends.any():
            low, high = self.support()
            out[ends] = np.where((q[ends] == 0) != upper, low[rows[ends]], high[rows[ends]])
        # Each is found from the side where its probability is the smaller one, and has the more digits.
        solve = count_quantile_of if self.discrete else quantile_of
        for other in (False, True):
            side = ~ends & ((q > 0.5) == other)
            index = np.flatnonzero(side)
            p = 1.0 - q[index] if other else q[index]
            size = max(BLOCK // self.weights.shape[1], 1)
            with np.errstate(over="ignore", under="ignore", divide="ignore", invalid="ignore"):
                for start in range(0, len(index), size):
                    part = slice(start, start + size)
                    r = rows[index[part]]
                    slack = ULPS * (1.0 if other else p[part])  # of a difference the digits are those of one
                    components, weights = self.components.take(r), self.weights[r]
                    out[index[part]] = solve(components, weights, p[part], slack, upper != other)
        return out

    # -- draws --------------------------------------------------------------------------------------------------------

    def sample(self, size=None, rng=None):
        """Draws of y: of an expert, then of its distribution.

        Parameters
        ----------
        size : int or None, default=None
            Draws of every row.
        rng : None, int, Generator or RandomState

        Returns
        -------
        ndarray of shape (n,) or (n, size)
        """
        rng, n = _generator(rng), len(self)
        m = 1 if size is None else int(size)
        cumulated = np.cumsum(self.weights, axis=1)
        u = rng.uniform(size=(n, m, 1)) * cumulated[:, None, -1:]
        experts = (cumulated[:, None] <= u).sum(axis=2).ravel()
        values = self.components.draw(rng, np.repeat(np.arange(n), m), experts)
        values = values.reshape(n, m, *values.shape[1:])
        return values[:, 0] if size is None else np.moveaxis(values, 1, -1)

    # -- modes and intervals ------------------------------------------------------------------------------------------

    def interval(self, coverage=0.9, method="equal_tailed"):
        """Regions that hold y with probability `coverage`.

        Parameters
        ----------
        coverage : float, default=0.9
            Between 0 and 1.
        method : {"equal_tailed", "highest_density"}, default="equal_tailed"
            Between two quantiles with as much probability below as above, or where the density is above a level,
            eq. (highest-density): the smallest region, several intervals where the density has several peaks. Of counts
            it is the smallest set of at least that probability.

        Returns
        -------
        ndarray of shape (n, 2), or list of n ndarrays of shape (m, 2)
        """
        coverage = check_real(coverage, "coverage", positive=True)
        if coverage >= 1:
            raise ValueError(f"coverage must be between 0 and 1, got {coverage!r}.")
        check_choice(method, "method", ("equal_tailed", "highest_density"))
        if method == "equal_tailed":
            tail = 0.5 * (1.0 - coverage)
            return np.stack([self.icdf(tail), self.iccdf(tail)], axis=1)
        out, size = [], max(BLOCK // self.weights.shape[1], 1)
        with np.errstate(over="ignore", under="ignore", divide="ignore", invalid="ignore"):
            for start in range(0, len(self), size):
                part = self[start : start + size]
                out += part._count_region(coverage) if self.discrete else part._density_region(coverage)
        return out

    # -- views --------------------------------------------------------------------------------------------------------

    def to_scipy(self, i=0):
        """Row i as a frozen distribution of scipy.stats: pdf or pmf, cdf, ppf, rvs, mean, std and so on.

        Parameters
        ----------
        i : int, default=0

        Returns
        -------
        rv_frozen
        """
        return frozen_row(self[int(i)])

    def to_frame(self, quantiles=(0.05, 0.5, 0.95)):
        """Mean, standard deviation, its two parts and quantiles as a pandas DataFrame.

        Parameters
        ----------
        quantiles : sequence of float, default=(0.05, 0.5, 0.95)

        Returns
        -------
        DataFrame
            "within experts" and "between experts" are roots of the parts of eq. (variance).
        """
        try:
            import pandas as pd
        except ImportError:
            raise ImportError("to_frame needs pandas; install it.") from None
        within, between = self.variance_parts()
        columns = {"mean": self.mean(), "standard deviation": np.sqrt(within + between)}
        columns |= {"within experts": np.sqrt(within), "between experts": np.sqrt(between)}
        columns |= dict(zip(map(_quantile_name, quantiles), self.icdf(list(quantiles)).T, strict=True))
        return pd.DataFrame(columns, index=self.index)


def _quantile_name(q):
    return f"q{100 * float(q):g}%"


def _generator(rng):
    if isinstance(rng, np.random.RandomState):
        return np.random.default_rng(rng.randint(2**32, size=4, dtype=np.uint64))
    try:
        return np.random.default_rng(rng)
    except (TypeError, ValueError):
        raise TypeError(f"rng must be None, an int >= 0, a Generator or a RandomState, got {rng!r}.") from None
