"""The predictive distribution p(y | x) = sum_k g_k(x) p_k(y | x) of many rows at once.

Method names are those of scipy.stats' new infrastructure. Whatever goes over pairs of a row and a value does so in
blocks that stay in cache.
"""

import numpy as np
from scipy.special import ndtr, ndtri

from .checks import check_choice, check_real
from .distributions import LOG_SQRT_2PI, Composite, Independent, Normal, PointMass, draw, join

__all__ = ["OutputsDistribution", "PredictiveDistribution", "predictive"]

BLOCK = 1 << 15  # numbers in a block: pairs of row and value, times experts
LEVEL = 1e-12  # relative error of a probability at which a quantile is found
ARITHMETIC = 50  # steps after which intervals are halved by the bits of their ends, which ends for certain
MOST = 200
ULPS = 4.0 * np.finfo(float).eps  # by which a sum of probabilities may miss the one that it is to reach
GAUSS, GAUSS_WEIGHTS = np.polynomial.legendre.leggauss(8)
GOLDEN = 0.5 * (np.sqrt(5.0) - 1.0)
TAIL = 1e-17  # probability at which sums over counts end


def predictive(mixture, params, rows, flat=True, index=None):
    """The predictive distribution of a mixture of experts.

    Parameters
    ----------
    mixture : Mixture
    params : Params
    rows : Rows
        Their y is not looked at.
    flat : bool, default=True
        Whether a single output is a number, or a row of one output.
    index : sequence or None
        Names of the rows, for `to_frame`.

    Returns
    -------
    PredictiveDistribution
        For several outputs, or one that is not flat, an `OutputsDistribution`.

    Examples
    --------
    >>> import numpy as np
    >>> from hme import HMERegressor
    >>> from hme.prediction import predictive
    >>> X = np.linspace(-1, 1, 200)[:, None]
    >>> model = HMERegressor(depth=1).fit(X, np.abs(X[:, 0]))
    >>> dist = predictive(model.model_, model.params_, model._rows([[-0.5], [0.5]]))
    >>> dist.median().round(2)
    array([0.5, 0.5])
    """
    rows = rows._replace(y=None)
    if mixture.sparse:
        weights, components = _routed(mixture, params, rows)
    else:
        log_prior = [mixture.gate.log_prior(params.gate, block) for _, block in rows.blocks()]
        weights = np.exp(np.concatenate([part.T for part in log_prior], axis=1)).T
        components = mixture.expert.predictive(params.experts, rows)
    several = hasattr(components, "marginal") and getattr(components, "n_outputs", 1) > 1
    if several or not flat:
        return OutputsDistribution(weights, components if several else Independent([components]), index)
    return PredictiveDistribution(weights, components, index)


def _routed(mixture, params, rows):
    """Weights and components where a gate is sparse: every expert is asked about the rows routed to it only."""
    active, log_prior = [], []
    for _, block in rows.blocks():
        parts = mixture.gate.route(params.gate, block)
        active.append(parts[0])
        log_prior.append(parts[1])
    active, prior = np.concatenate(active), np.exp(np.concatenate(log_prior))
    n_leaves = len(params.gate.coef)
    weights = np.zeros((n_leaves, rows.n_rows)).T
    np.put_along_axis(weights, active, prior, axis=1)
    rows = rows._replace(Z=rows.X, active=None)  # experts look at X
    parts = []
    order = np.argsort(active, axis=None, kind="stable")
    ends = np.cumsum(np.bincount(active.ravel(), minlength=n_leaves))
    for leaf, slots in enumerate(np.split(order, ends[:-1])):
        routed = slots // active.shape[1]
        law = mixture.expert.predictive(mixture.expert.take(params.experts, [leaf]), rows[routed])
        parts.append((law.spread(routed, rows.n_rows), [leaf]))
    return weights, join(parts)


class PredictiveDistribution:
    """Mixture distributions of one output, one for every row.

    Parameters
    ----------
    weights : ndarray of shape (n, K)
        Prior of every expert.
    components : Law or Composite
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
        parts = self.components.parts if isinstance(self.components, Composite) else [(self.components, None)]
        return [type(law).__name__ for law, _ in parts]

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

    # -- moments ------------------------------------------------------------------------------------------------------

    def mean(self):
        """Mean of y given x, (n,), eq. (mean)."""
        return (self.weights * self.components.mean()).sum(axis=1)

    def variance_parts(self):
        """Variance within experts, and what is due to not knowing the expert: (n,) each, eq. (variance)."""
        means, mean = self.components.mean(), self.mean()[:, None]
        within = np.where(self.weights > 0, self.components.variance(), 0.0)
        return (self.weights * within).sum(axis=1), (self.weights * (means - mean) ** 2).sum(axis=1)

    def variance(self):
        """Variance of y given x, (n,), eq. (variance); inf where an expert has none."""
        within, which = self.variance_parts()
        return within + which

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
        return self._at(y, _density, 0.0, 0.0)

    def logpdf(self, y):
        """Logarithm of `pdf`: what `log_likelihood` of the model is."""
        self._is("density", "logpdf", "logpmf")
        return self._at(y, _log_density, -np.inf, -np.inf)

    def pmf(self, y):
        """Probability of counts."""
        self._is("mass", "pmf", "pdf")
        return self._at(y, _density, 0.0, 0.0)

    def logpmf(self, y):
        """Logarithm of `pmf`. Numbers that are not whole have no probability, though a Poisson model may be fitted to
        rates."""
        self._is("mass", "logpmf", "logpdf")
        return self._at(y, _log_density, -np.inf, -np.inf)

    def log_likelihood(self, y):
        """`logpmf` of counts, else `logpdf`."""
        return self._at(y, _log_density, -np.inf, -np.inf)

    def cdf(self, y):
        """Probability of y or less, eq. (cdf)."""
        return self._at(y, _lower, 0.0, 1.0)

    def ccdf(self, y):
        """Probability of more than y, without loss of digits where that is small."""
        return self._at(y, _upper, 1.0, 0.0)

    def logcdf(self, y):
        """Logarithm of `cdf`."""
        return self._at(y, _log_lower, -np.inf, 0.0)

    def logccdf(self, y):
        """Logarithm of `ccdf`."""
        return self._at(y, _log_upper, 0.0, -np.inf)

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
        """function(law, weights, y) of blocks of pairs of a row and a value; `low`, `high` at the infinities."""
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
                law = self.components if rows is None and m <= size else self.components.take(index)
                out[part] = function(law, self.weights[index], *(a[part][:, None] for a in arrays))
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
            raise ValueError(f"q must be between 0 and 1, got {q[~((q >= 0) & (q <= 1))].flat[0]!r}.")
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
        solve = _count_quantile if self.discrete else _quantile
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
                    law, weights = self.components.take(r), self.weights[r]
                    out[index[part]] = solve(law, weights, p[part], slack, upper != other)
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
        values = draw(self.components, rng, np.repeat(np.arange(n), m), experts)
        values = values.reshape(n, m, *values.shape[1:])
        return values[:, 0] if size is None else np.moveaxis(values, 1, -1)

    # -- scores -------------------------------------------------------------------------------------------------------

    def crps(self, y):
        """Continuous ranked probability score, smaller is better, eqs. (crps), (crps-law) and (crps-counts).

        Parameters
        ----------
        y : float or array-like of shape (n,), (n, m) or (1, m)

        Returns
        -------
        ndarray of shape (n,) or (n, m)

        Raises
        ------
        ValueError
            Where an expert has no mean (Student noise with one or fewer degrees of freedom), or y is not finite.
        """
        y = self._grid(y)
        if not np.isfinite(y).all():
            raise ValueError("y must be finite: the score of an infinite y is infinite.")
        with np.errstate(over="ignore", under="ignore"):
            if self.discrete:
                return self._count_crps(y)
            self._has_means()
            half = self._half_difference()
            score = self._at(y, _absolute, 0.0, 0.0) - (half if y.ndim == 1 else half[:, None])
        return np.maximum(score, 0.0)

    def _has_means(self):
        parts = (
            self.components.parts
            if isinstance(self.components, Composite)
            else [(self.components, np.arange(self.weights.shape[1]))]
        )
        for law, index in parts:
            df = getattr(law, "df", None)
            if df is not None and ((df <= 1.0) & (self.weights[:, index] > 0)).any():
                raise ValueError(
                    "crps is infinite: an expert's Student noise has df <= 1 and no mean. Fix a larger df, or compare "
                    "logarithmic scores."
                )

    def _half_difference(self):
        """E|Y - Y'| / 2 of two independent draws of every row, (n,), eq. (mean-difference)."""
        law, weights = self.components, self.weights
        if isinstance(law, Normal):
            return self._blockwise(_normal_half_difference, None, np.zeros(len(self)))
        out = np.empty(len(self))
        alone = weights.max(axis=1) >= 1.0
        own = law.half_difference()
        if own is None:
            alone[:] = False
        else:
            out[alone] = (weights * np.where(weights > 0, own, 0.0)).sum(axis=1)[alone]
        rest = np.flatnonzero(~alone)
        size = max(BLOCK // (64 * weights.shape[1]), 1)
        for start in range(0, len(rest), size):
            index = rest[start : start + size]
            out[index] = self[index]._spread_integral()
        return out

    def _knots(self):
        """Points (n, P), ascending, between which the distribution functions of all experts are smooth."""
        law, weights = self.components, self.weights
        points = law.pieces()
        used = weights > 0
        first = points[np.arange(len(self)), used.argmax(axis=1), :1]
        points = np.where(used[:, :, None], points, first[:, :, None]).reshape(len(self), -1)
        return np.sort(points, axis=1)

    def _panels(self):
        """Fewer knots (n, P) for integrals: no panel is longer than the shortest piece of an expert around it."""
        points, knots = self.components.pieces(), self._knots()
        middle, step = 0.5 * (knots[:, :-1] + knots[:, 1:]), np.full((len(self), knots.shape[1] - 1), np.inf)
        length = np.pad(np.diff(points, axis=2), ((0, 0), (0, 0), (1, 1)), constant_values=np.inf)
        for i in range(len(self)):
            for k in np.flatnonzero(self.weights[i] > 0):
                own = length[i, k][np.searchsorted(points[i, k], middle[i])]
                np.minimum(step[i], own, out=step[i])
        gaps = np.diff(knots, axis=1)
        pace = np.cumsum(np.where(np.isinf(step), gaps > 0, gaps / step), axis=1)
        pace = np.concatenate([np.zeros((len(self), 1)), pace], axis=1)
        most = int(np.ceil(pace[:, -1].max(initial=0.0))) + 1
        even = np.linspace(0.0, 1.0, max(most, 2))
        panels = np.stack([np.interp(even * p[-1], p, row) for p, row in zip(pace, knots, strict=True)])
        # Where a law begins and ends, so that what lies between two of them is a panel.
        fixed = np.concatenate([points[:, :, :1], points[:, :, -1:], self.components.kinks()], axis=2)
        fixed = np.where((self.weights > 0)[:, :, None], fixed, panels[:, :1, None])
        return np.sort(np.concatenate([panels, fixed.reshape(len(self), -1)], axis=1), axis=1)

    def _spread_integral(self):
        """Integral of F (1 - F), by Gauss rules between knots and closed forms beyond them, eq. (mean-difference)."""
        knots = self._panels()
        low, high = knots[:, 0], knots[:, -1]
        out = self._blockwise(_shortfall, None, low) + self._blockwise(_excess, None, high)
        length = np.diff(knots, axis=1)
        row, panel = np.nonzero(length > 0)
        half = 0.5 * length[row, panel]
        y = (knots[row, panel] + half)[:, None] + half[:, None] * GAUSS
        values = self._blockwise(_spread, np.repeat(row, len(GAUSS)), y.ravel()).reshape(y.shape)
        return out + np.bincount(row, half * (values @ GAUSS_WEIGHTS), len(self))

    def _count_crps(self, y):
        """Sums over counts, eq. (crps-counts)."""
        grid = y.reshape(len(self), -1)
        out = np.empty(grid.shape)
        size = max(BLOCK // (64 * self.weights.shape[1]), 1)
        for start in range(0, len(self), size):
            part = slice(start, start + size)
            out[part] = self[np.arange(len(self))[part]]._count_crps_block(grid[part])
        return out.reshape(y.shape)

    def _count_crps_block(self, y):
        points = self._points()
        low, out = points[:, :1], np.zeros(y.shape)
        out += np.maximum(low - y, 0.0)  # nothing is below
        for start, end, F in self._steps(points):
            for j in range(y.shape[1]):
                at = y[:, [j]]
                below = np.clip(at, start, end) - start  # where the step lies below y
                out[:, j] += (F**2 * below + (1.0 - F) ** 2 * (end - start - below)).sum(axis=1)
        last = points[:, -1:]
        return out + np.maximum(y - last, 0.0)

    def _points(self):
        """First and last point (n, 2) that have any probability to speak of."""
        low = self.support()[0]
        with np.errstate(invalid="ignore"):
            high = self.iccdf(TAIL)
        return np.stack([low, np.maximum(high, low)], axis=1)

    def _steps(self, points, chunk=64):
        """Blocks (start, end, cdf), each (n, c), of the steps of the distribution functions."""
        n, law, atoms = len(self), self.components, self.components.atoms
        odd = atoms[atoms != np.floor(atoms)]
        offsets = np.unique(odd - np.floor(odd))
        lattice = _lattice(law)
        low, high = np.floor(points[:, 0]), points[:, 1]
        if not lattice:
            edges = np.broadcast_to(atoms, (n, len(atoms)))
            yield from self._step_block(edges, points)
            return
        inner = np.concatenate([[0.0], offsets])
        k = 0.0
        while True:
            left = low[:, None] + k
            if not (left <= high[:, None]).any():
                return
            edges = (left + np.arange(chunk)[None, :])[:, :, None] + inner
            edges = np.concatenate([edges.reshape(n, -1), left + chunk], axis=1)
            yield from self._step_block(edges, points)
            k += chunk

    def _step_block(self, edges, points):
        edges = np.clip(edges, points[:, :1], points[:, 1:])
        start, end = edges[:, :-1], edges[:, 1:]
        if not start.shape[1]:
            return
        rows = np.repeat(np.arange(len(self)), start.shape[1])
        F = self._blockwise(_lower, rows, start.ravel()).reshape(start.shape)
        yield start, end, F

    # -- modes and intervals ------------------------------------------------------------------------------------------

    def mode(self):
        """Where density or probability is largest, (n,).

        Raises
        ------
        TypeError
            Where some points have probability beside densities: the two cannot be compared.
        """
        if not self.discrete and len(self.components.atoms):
            raise TypeError("mode makes no sense here: densities and probabilities of points cannot be compared.")
        out = np.empty(len(self))
        size = max(BLOCK // (64 * self.weights.shape[1]), 1)
        with np.errstate(over="ignore", under="ignore", divide="ignore", invalid="ignore"):
            for start in range(0, len(self), size):
                part = self[start : start + size]
                out[start : start + size] = part._count_mode() if self.discrete else part._density_mode()
        return out

    def _between_modes(self):
        """Least and largest mode (n,) of the experts in use: the mixture's lie between."""
        modes, used = self.components.mode(), self.weights > 0
        return np.where(used, modes, np.inf).min(axis=1), np.where(used, modes, -np.inf).max(axis=1)

    def _density_mode(self):
        x, f = self._critical()
        return x[np.arange(len(self)), f.argmax(axis=1)]

    def _critical(self):
        """Points (n, P), ascending, their densities, and the rows and places of the local maxima among them.

        Between neighbours the density rises or falls: local maxima and minima are among the points.
        """
        n = len(self)
        modes = np.where(self.weights > 0, self.components.mode(), np.nan)
        x = np.concatenate([self._knots(), modes], axis=1)
        x = np.sort(np.where(np.isnan(x), x[:, :1], x), axis=1)
        f = self._at(x, _density, 0.0, 0.0)
        found = []
        for sign in (1.0, -1.0):
            # A run of equal neighbours counts once, with the points on both of its sides.
            left, right = np.diff(x, axis=1)[:, :-1] > 0, np.diff(x, axis=1)[:, 1:] > 0
            middle = sign * f[:, 1:-1]
            turns = (middle >= sign * f[:, :-2]) & (middle >= sign * f[:, 2:]) & (left | right)
            turns &= np.isfinite(f[:, 1:-1]) & (f[:, 1:-1] > 0)
            row, place = np.nonzero(turns)
            place = place + 1
            a, b = x[row, np.maximum(place - 1, 0)], x[row, np.minimum(place + 1, x.shape[1] - 1)]
            # neighbours that differ
            a = np.where(a < x[row, place], a, x[row, np.maximum(place - 2, 0)])
            b = np.where(b > x[row, place], b, x[row, np.minimum(place + 2, x.shape[1] - 1)])
            found.append((row, self._golden(row, a, b, sign)))
        row = np.concatenate([r for r, _ in found])
        extra = np.concatenate([v for _, v in found])
        most = int(np.bincount(row, minlength=n).max()) if len(row) else 0
        if most:
            more = np.repeat(x[:, :1], most, axis=1)
            order = np.argsort(row, kind="stable")
            row, extra = row[order], extra[order]
            start = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=n))])[:-1]
            more[row, np.arange(len(row)) - start[row]] = extra
            x = np.concatenate([x, more], axis=1)
            f = np.concatenate([f, self._at(more, _density, 0.0, 0.0)], axis=1)
            order = np.argsort(x, axis=1, kind="stable")
            x, f = np.take_along_axis(x, order, axis=1), np.take_along_axis(f, order, axis=1)
        return x, f

    def _golden(self, rows, a, b, sign):
        """Maxima (m,) of sign times the density between a and b (m,), by golden sections."""
        c, d = b - GOLDEN * (b - a), a + GOLDEN * (b - a)
        fc, fd = (sign * self._blockwise(_density, rows, v) for v in (c, d))
        for _ in range(42):
            left = fc > fd
            a, b = np.where(left, a, c), np.where(left, d, b)
            c, d = np.where(left, b - GOLDEN * (b - a), d), np.where(left, c, a + GOLDEN * (b - a))
            value = sign * self._blockwise(_density, rows, np.where(left, c, d))
            fc, fd = np.where(left, value, fd), np.where(left, fc, value)
        return 0.5 * (a + b)

    def _count_mode(self):
        low, high = self._between_modes()
        best, where = np.full(len(self), -1.0), low.copy()
        atoms = self.components.atoms
        candidates = [np.full(len(self), atom) for atom in atoms]
        if _lattice(self.components):
            first = np.floor(low)
            candidates = [*candidates, *(first + k for k in range(int((high - first).max()) + 1))]
        for value in candidates:
            mass = self._blockwise(_density, None, value)
            better = mass > best * (1 + ULPS)
            best, where = np.where(better, mass, best), np.where(better, value, where)
        return where

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
        out, size = [], max(BLOCK // (64 * self.weights.shape[1]), 1)
        with np.errstate(over="ignore", under="ignore", divide="ignore", invalid="ignore"):
            for start in range(0, len(self), size):
                part = self[start : start + size]
                out += part._count_region(coverage) if self.discrete else part._density_region(coverage)
        return out

    def _density_region(self, coverage):
        """Regions that leave `coverage`; points with a probability of their own take no room, and come first."""
        atoms = self.components.atoms
        if not len(atoms):
            return self._level_region(np.full(len(self), coverage))
        masses = self._at(np.tile(atoms, (len(self), 1)), _density, 0.0, 0.0)
        smooth, share = self._without_atoms()
        seeking = coverage > masses.sum(axis=1)
        wanted = np.where(seeking, coverage - masses.sum(axis=1), 0.5 * share) / share
        regions = smooth._level_region(np.minimum(wanted, 1.0))
        for i in range(len(self)):
            if seeking[i]:
                points = atoms[masses[i] > 0]
                regions[i] = _merged(np.concatenate([regions[i], np.stack([points, points], axis=1)]))
            else:
                regions[i] = _points_region(atoms, masses[i], coverage)
        return regions

    def _without_atoms(self):
        """The distribution given that y is at no atom, and the probability of that (n,)."""
        kept = [(law, index) for law, index in self.components.parts if law.measure == "density"]
        index = np.concatenate([own for _, own in kept])
        ends = np.cumsum([len(own) for _, own in kept])
        law = join([(law, np.arange(end - len(own), end)) for (law, own), end in zip(kept, ends, strict=True)])
        weights = np.array(self.weights[:, index])
        weights[weights.sum(axis=1) == 0, 0] = 1.0  # of rows that have atoms only any law will do
        share = weights.sum(axis=1)
        return PredictiveDistribution(weights / share[:, None], law), share

    def _level_region(self, wanted):
        """Intervals of each row where the density is above the level that leaves `wanted` (n,), eq. (highest-density).

        Where the density is flat at the level there are many of them, and as much of the flat parts is taken as needed.
        """
        x, f = self._critical()
        positive = np.where((f > 0) & np.isfinite(f), f, np.nan)
        low = np.log(np.nanmin(positive, axis=1)) - 1e-6
        high = np.log(np.nanmax(positive, axis=1)) + 1e-12
        high[np.isinf(f).any(axis=1)] += 700.0
        low, high = self._level(x, f, low, high, wanted)
        outer, inner = self._edges(x, f, low), self._edges(x, f, high)
        start = np.where(np.isfinite(self.support()[0]), self.support()[0], x[:, 0])
        regions = []
        for i in range(len(self)):
            region, one = outer[i], self[i]
            if one._probability(region) > wanted[i] + 1e-10:
                region = one._with_flat_parts(inner[i], region, wanted[i])
            # next to nothing is below the first point
            regions.append(_merged(np.where(region == x[i, 0], start[i], region)))
        return regions

    def _level(self, x, f, low, high, wanted):
        """Logarithms (n,) of the levels, from below and above: the probability above them falls; by Illinois' rule."""
        above_low, above_high = self._above(x, f, low) - wanted, self._above(x, f, high) - wanted
        low, high = low.copy(), high.copy()
        active = np.flatnonzero(above_low > 0)
        last = np.zeros(len(self))
        for step in range(MOST):
            if not len(active):
                break
            a, b, fa, fb = low[active], high[active], above_low[active], above_high[active]
            new = b - fb * (b - a) / (fb - fa)
            new = np.where((new > a) & (new < b) & (step % 5 < 4) & (step < 25), new, 0.5 * (a + b))
            part = self[active]
            value = part._above(x[active], f[active], new) - wanted[active]
            up = value > 0
            low[active], high[active] = np.where(up, new, a), np.where(up, b, new)
            again = last[active] == np.where(up, 1.0, -1.0)
            above_low[active] = np.where(up, value, np.where(again, 0.5 * fa, fa))
            above_high[active] = np.where(up, np.where(again, 0.5 * fb, fb), value)
            last[active] = np.where(up, 1.0, -1.0)
            done = (np.abs(value) < 1e-11) | (high[active] - low[active] < 1e-12 * (1 + np.abs(new)))
            exact = np.abs(value) < 1e-11
            low[active[exact]] = high[active[exact]] = new[exact]
            active = active[~done]
        return low, high

    def _crossings(self, x, f, level):
        """Rows, directions (1 up, -1 down) and places where densities cross the levels, ascending in every row."""
        inside = f >= np.exp(level)[:, None]
        padded = np.pad(inside, ((0, 0), (1, 1))).astype(int)
        change = np.diff(padded, axis=1)  # at place j: between points j - 1 and j
        row, j = np.nonzero(change)
        direction = change[row, j]
        a, b = x[row, np.maximum(j - 1, 0)], x[row, np.minimum(j, x.shape[1] - 1)]
        at_end = (j == 0) | (j == x.shape[1]) | (a == b)
        place = np.where(j == x.shape[1], a, b)
        solve = np.flatnonzero(~at_end)
        if len(solve):
            place[solve] = self._level_roots(row[solve], a[solve], b[solve], level[row[solve]])
        return row, direction, place

    def _level_roots(self, rows, a, b, level):
        """Places (m,) between a and b where the density goes through exp(level): Illinois' rule, and halvings."""
        a, b, out, active = a.copy(), b.copy(), a.copy(), np.arange(len(a))

        def above(rows, y, level):
            return np.log(self._blockwise(_density, rows, y)) - level

        fa, fb = above(rows, a, level), above(rows, b, level)
        for step in range(MOST):
            if not len(active):
                break
            y = b - fb * (b - a) / (fb - fa)
            inside = (y > a) & (y < b) & (step % 2 == 0 or step < 8)  # a jump, or a pole, is not found by chords
            y = np.where(inside, y, 0.5 * a + 0.5 * b if step < ARITHMETIC else _bit_middle(a, b))
            f = above(rows, y, level)
            left = np.sign(f) == np.sign(fb)
            keep = np.where(inside, 0.5, 1.0)
            fa, fb = np.where(left, keep * fa, f), np.where(left, f, keep * fb)
            a, b = np.where(left, a, y), np.where(left, y, b)
            out[active] = y
            kept = np.flatnonzero((np.abs(f) > 1e-13) & (b - a > 4.0 * np.spacing(np.abs(a) + np.abs(b))))
            active, rows, a, b, fa, fb, level = (v[kept] for v in (active, rows, a, b, fa, fb, level))
        return out

    def _above(self, x, f, level):
        """Probability (n,) of densities above the levels."""
        row, direction, place = self._crossings(x, f, level)
        if not len(row):
            return np.zeros(len(self))
        return -np.bincount(row, direction * self._blockwise(_lower, row, place), len(self))

    def _edges(self, x, f, level):
        row, _, place = self._crossings(x, f, level)
        return [part.reshape(-1, 2) for part in np.split(place, np.searchsorted(row, np.arange(1, len(self))))]

    def _with_flat_parts(self, inner, outer, wanted):
        """Of one row, the region `inner` and as much of `outer`, whose density is the same there, as is wanted."""
        flat = _difference(outer, inner)
        left = wanted - self._probability(inner)
        kept = [inner]
        for low, high in flat[np.argsort(-np.diff(flat, axis=1)[:, 0], kind="stable")]:
            F = self.cdf([[low, high]])[0]
            if F[1] - F[0] <= left:
                kept.append([[low, high]])
            elif left > 0:  # what touches the region keeps its side, else its middle
                share = 1.0 if (inner[:, 1] == low).any() else 0.0 if (inner[:, 0] == high).any() else 0.5
                cut = F[1] - F[0] - left
                kept.append([self.icdf([F[0] + (1.0 - share) * cut, F[1] - share * cut])[0]])
            left -= F[1] - F[0]
        return np.concatenate(kept)

    def _probability(self, region):
        """Of one row, the probability of intervals (m, 2)."""
        return np.diff(self.cdf(region.reshape(1, -1)).reshape(-1, 2), axis=1).sum()

    def _count_region(self, coverage):
        """Runs of the counts with the largest probabilities, as many as it takes."""
        tail = min(1e-3 * (1.0 - coverage), 1e-6)
        first = np.where(np.isfinite(self.support()[0]), self.icdf(tail), 0.0)
        last, atoms, regions = self.iccdf(tail), self.components.atoms, []
        for i in range(len(self)):
            one = self[i]
            counts = np.arange(np.floor(first[i]), last[i] + 1) if _lattice(self.components) else np.zeros(0)
            counts = np.union1d(counts, atoms)
            mass = one.pmf(counts[None])[0]
            counts, mass = counts[mass > 0], mass[mass > 0]
            order = np.lexsort((counts, -mass))
            n_kept = int(np.searchsorted(np.cumsum(mass[order]), coverage * (1.0 - ULPS))) + 1
            kept = np.sort(order[:n_kept])
            runs = np.split(kept, np.flatnonzero(np.diff(kept) > 1) + 1)
            regions.append(np.array([[counts[run[0]], counts[run[-1]]] for run in runs]))
        return regions

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
        return _frozen(self[int(i)])

    def to_frame(self, quantiles=(0.05, 0.5, 0.95)):
        """Mean, standard deviation, its two parts and quantiles as a pandas DataFrame.

        Parameters
        ----------
        quantiles : sequence of float, default=(0.05, 0.5, 0.95)

        Returns
        -------
        DataFrame
            "within" and "which" are roots of the parts of eq. (variance).
        """
        try:
            import pandas as pd
        except ImportError:
            raise ImportError("to_frame needs pandas; install it.") from None
        within, which = self.variance_parts()
        columns = {"mean": self.mean(), "standard deviation": np.sqrt(within + which)}
        columns |= {"within": np.sqrt(within), "which": np.sqrt(which)}
        columns |= dict(zip(map(_quantile_name, quantiles), self.icdf(list(quantiles)).T, strict=True))
        return pd.DataFrame(columns, index=self.index)


def _quantile_name(q):
    return f"q{100 * float(q):g}%"


class OutputsDistribution(PredictiveDistribution):
    """Mixture distributions of T outputs: joint density and draws, everything else output by output.

    Where `PredictiveDistribution` answers (n,) or (n, m), it answers (n, T) or (n, T, m); y is (n, T) or (n, T, m).

    Examples
    --------
    >>> import numpy as np
    >>> from hme.distributions import MultivariateNormal
    >>> from hme.prediction import OutputsDistribution
    >>> matrix = np.array([[[[1.0, 0.5], [0.5, 1.0]]]])
    >>> dist = OutputsDistribution(np.ones((1, 1)), MultivariateNormal(np.zeros((1, 1, 2)), matrix))
    >>> dist.covariance()[0]
    array([[1. , 0.5],
           [0.5, 1. ]])
    >>> dist.icdf(0.975).round(2)
    array([[1.96, 1.96]])
    """

    @property
    def n_outputs(self):
        return self.components.n_outputs

    @property
    def discrete(self):
        return self.marginal(0).discrete

    def marginal(self, t):
        """The distribution of one output.

        Parameters
        ----------
        t : int

        Returns
        -------
        PredictiveDistribution
        """
        return PredictiveDistribution(self.weights, self.components.marginal(range(self.n_outputs)[t]), self.index)

    @property
    def _marginals(self):
        return [self.marginal(t) for t in range(self.n_outputs)]

    def _each(self, name, *arguments):
        return np.stack([getattr(one, name)(*arguments) for one in self._marginals], axis=1)

    def _with_y(self, name, y):
        y = np.asarray(y, dtype=float)
        n, T = len(self), self.n_outputs
        if y.ndim and (y.ndim > 3 or y.shape[:2] != (n, T)):
            raise ValueError(f"y has shape {y.shape}; it must be a number, {(n, T)} or {(n, T, 'm')}.")
        return np.stack([getattr(one, name)(y[:, t] if y.ndim else y) for t, one in enumerate(self._marginals)], axis=1)

    def mean(self):
        """Means (n, T), eq. (mean)."""
        return self._each("mean")

    def variance_parts(self):
        """Variances within experts, and what is due to not knowing the expert: (n, T) each, eq. (variance)."""
        parts = [one.variance_parts() for one in self._marginals]
        return np.stack([within for within, _ in parts], axis=1), np.stack([which for _, which in parts], axis=1)

    def covariance(self):
        """Covariances (n, T, T) of the outputs: within experts, and of their means."""
        distance = self.components.mean() - self.mean()[:, None]
        within = np.where((self.weights > 0)[:, :, None, None], self.components.covariance(), 0.0)
        return np.einsum("nk,nkst->nst", self.weights, within) + np.einsum(
            "nk,nks,nkt->nst", self.weights, distance, distance
        )

    def support(self):
        """Least and largest possible y, (n, T) each."""
        ends = [one.support() for one in self._marginals]
        return np.stack([low for low, _ in ends], axis=1), np.stack([high for _, high in ends], axis=1)

    def logpdf(self, y):
        """Joint log-density (n,) of y (n, T)."""
        y, n, T = np.asarray(y, dtype=float), len(self), self.n_outputs
        if y.shape != (n, T) or not np.isfinite(y).all():
            raise ValueError(f"y must be finite numbers {(n, T)}, got shape {y.shape}.")
        self._is("density", "logpdf", "logpmf")
        return self._joint(y)

    def _joint(self, y):
        out, size = np.empty(len(self)), max(BLOCK // (self.weights.shape[1] * self.n_outputs), 1)
        with np.errstate(over="ignore", under="ignore"):
            for start in range(0, len(self), size):
                part = slice(start, start + size)
                law = self.components.take(np.arange(len(self))[part])
                out[part] = _log_density(law, self.weights[part], y[part])
        return out

    def pdf(self, y):
        """Joint density (n,) of y (n, T)."""
        return np.exp(self.logpdf(y))

    def log_likelihood(self, y):
        """Joint log-density or log-probability (n,) of y (n, T)."""
        return self._joint(np.asarray(y, dtype=float).reshape(len(self), self.n_outputs))

    def pmf(self, y):
        """Joint probability (n,) of y (n, T)."""
        return np.exp(self.logpmf(y))

    def logpmf(self, y):
        """Joint log-probability (n,) of y (n, T)."""
        self._is("mass", "logpmf", "logpdf")
        return self.log_likelihood(y)

    def cdf(self, y):
        """Probability of y or less, output by output."""
        return self._with_y("cdf", y)

    def ccdf(self, y):
        """Probability of more than y, output by output."""
        return self._with_y("ccdf", y)

    def logcdf(self, y):
        """Logarithm of `cdf`."""
        return self._with_y("logcdf", y)

    def logccdf(self, y):
        """Logarithm of `ccdf`."""
        return self._with_y("logccdf", y)

    def crps(self, y):
        """Continuous ranked probability scores, output by output."""
        return self._with_y("crps", y)

    def icdf(self, q):
        """Quantiles (n, T) or (n, T, m), output by output."""
        return self._each("icdf", q)

    def iccdf(self, q):
        """What is exceeded with probability q, (n, T) or (n, T, m)."""
        return self._each("iccdf", q)

    def mode(self):
        """Modes (n, T) of the outputs, one by one."""
        return self._each("mode")

    def interval(self, coverage=0.9, method="equal_tailed"):
        """Intervals (n, T, 2); with highest densities a list of n lists of T arrays (m, 2)."""
        parts = [one.interval(coverage, method) for one in self._marginals]
        return np.stack(parts, axis=1) if method == "equal_tailed" else [list(row) for row in zip(*parts, strict=True)]

    def to_scipy(self, i=0):
        raise TypeError("to_scipy is for one output; use marginal(t).to_scipy(i).")

    def to_frame(self, quantiles=(0.05, 0.5, 0.95)):
        """The frames of all outputs side by side, the number of the output above."""
        import pandas as pd

        return pd.concat({t: one.to_frame(quantiles) for t, one in enumerate(self._marginals)}, axis=1)

    def _kinds(self):
        return [f"{self.n_outputs} outputs"]


# -- a block: laws of m pairs, weights (m, K), values (m, 1) ----------------------------------------------------------


def _density(law, weights, y):
    values = law.pdf(y)
    if np.isinf(values).any():
        values = np.where(weights > 0, values, 0.0)
    return (weights * values).sum(axis=1)


def _log_density(law, weights, y):
    with np.errstate(divide="ignore"):
        terms = np.where(weights > 0, law.logpdf(y), -np.inf) + np.where(weights > 0, np.log(weights), 0.0)
    return np.logaddexp.reduce(terms, axis=1)


def _lower(law, weights, y):
    return np.minimum((weights * law.cdf(y)).sum(axis=1), 1.0)


def _upper(law, weights, y):
    return np.minimum((weights * law.sf(y)).sum(axis=1), 1.0)


def _spread(law, weights, y):
    F = _lower(law, weights, y)
    S = 1.0 - F
    far = np.flatnonzero(S < 0.01)  # where the difference has lost digits
    S[far] = _upper(law.take(far), weights[far], y[far])
    return F * S


def _log_lower(law, weights, y):
    return _logs(weights, law.logcdf(y))


def _log_upper(law, weights, y):
    return _logs(weights, law.logsf(y))


def _logs(weights, values):
    with np.errstate(divide="ignore"):
        terms = np.where(weights > 0, values, -np.inf) + np.where(weights > 0, np.log(weights), 0.0)
    return np.minimum(np.logaddexp.reduce(terms, axis=1), 0.0)


def _absolute(law, weights, y):
    values = law.excess(y) + law.shortfall(y)
    return (weights * np.where(weights > 0, values, 0.0)).sum(axis=1)


def _excess(law, weights, y):
    return (weights * np.where(weights > 0, law.excess(y), 0.0)).sum(axis=1)


def _shortfall(law, weights, y):
    return (weights * np.where(weights > 0, law.shortfall(y), 0.0)).sum(axis=1)


def _normal_half_difference(law, weights, _):
    """Of normal laws in closed form, the second part of eq. (crps)."""
    out, K = 0.0, weights.shape[1]
    center, variance = law.center, law.scale**2
    for j in range(K):
        scale = np.sqrt(variance[:, [j]] + variance[:, j:])
        distance = center[:, [j]] - center[:, j:]
        z = distance / scale
        part = scale * np.sqrt(2.0 / np.pi) * np.exp(-0.5 * z**2) + distance * (2.0 * ndtr(z) - 1.0)
        part = weights[:, [j]] * weights[:, j:] * part
        out = out + 0.5 * part[:, 0] + part[:, 1:].sum(axis=1)
    return out


def _quantile(law, weights, p, slack, upper):
    """Where the smaller tail, below or above, is p (m,): Newton's steps on its logarithm between brackets."""
    used = weights > 0
    each = p[0] if (p == p[0]).all() else p[:, None]
    own = law.isf(each) if upper else law.icdf(each)
    low = np.where(used, own, np.inf).min(axis=1)
    high = np.where(used, own, -np.inf).max(axis=1)
    room = 1e-8 * (high - low) + 1e-10 * np.maximum(np.abs(low), np.abs(high)) + 1e-300
    low, high = low - room, high + room
    x = (weights * np.where(used, own, 0.0)).sum(axis=1) / weights.sum(axis=1)
    out, active = x.copy(), np.arange(len(x))
    if len(law.atoms):
        active = _past_atoms(law, weights, p, slack, upper, low, high, out)
        law, weights, p, low, high, x = _some(active, law, weights, p, low, high, x)
        x = np.clip(x, low, high)
    sign = -1.0 if upper else 1.0
    target, last = ndtri(p), np.full(len(p), np.inf)
    for step in range(MOST):
        if not len(active):
            break
        column = x[:, None]
        tail = (weights * (law.sf(column) if upper else law.cdf(column))).sum(axis=1)
        score = ndtri(np.minimum(tail, 1.0))
        error = score - target
        over = (error > 0) != upper
        high, low = np.where(over, x, high), np.where(over, low, x)
        new = x - sign * error * np.exp(-0.5 * score**2 - LOG_SQRT_2PI) / _density(law, weights, column)
        size = np.abs(error)
        inside = (new > low) & (new < high) & (size <= 0.5 * last)
        new = np.where(inside, new, 0.5 * low + 0.5 * high if step < ARITHMETIC else _bit_middle(low, high))
        found = np.abs(tail - p) <= LEVEL * p
        done = found | (new == x) | (np.nextafter(low, high) >= high)
        out[active] = np.where(found, x, new)
        x, last = new, np.where(inside, size, np.inf)
        if done.any():
            kept = np.flatnonzero(~done)
            active = active[kept]
            law, weights, p, low, high, x, target, last = _some(kept, law, weights, p, low, high, x, target, last)
    return out


def _some(index, law, *arrays):
    return law.take(index), *(a[index] for a in arrays)


def _bit_middle(low, high):
    """Doubles in the middle of others as they are ordered in memory: no interval takes more than 64 halvings."""
    a, b = (np.where((i := v.view(np.int64)) < 0, np.iinfo(np.int64).min - i, i) for v in (low.copy(), high.copy()))
    middle = (a >> 1) + (b >> 1) + (a & b & 1)
    return np.where(middle < 0, np.iinfo(np.int64).min - middle, middle).view(np.float64)


def _past_atoms(law, weights, p, slack, upper, low, high, out):
    """Rows whose quantile is at no atom, (m,) of int; narrows their brackets, and writes the others' quantiles."""
    open_ = np.ones(len(p), dtype=bool)
    for atom in law.atoms:
        at = np.full((len(p), 1), atom)
        mass = (weights * np.where(law.logpdf(at) == 0.0, 1.0, 0.0)).sum(axis=1)
        tail = (weights * (law.sf(at) if upper else law.cdf(at))).sum(axis=1)
        if upper:
            reached, before = tail <= p + slack, tail + mass <= p + slack
        else:
            reached, before = tail >= p - slack, tail - mass >= p - slack
        here = open_ & reached & ~before & (mass > 0)
        out[here] = atom
        open_ &= ~here
        np.maximum(low, atom, out=low, where=~reached)
        np.minimum(high, atom, out=high, where=before)
    return np.flatnonzero(open_)


def _count_quantile(law, weights, p, slack, upper):
    """Smallest points whose tail below reaches p (m,), or above does not exceed it."""

    def reached(k):
        if upper:
            return (weights * law.sf(k[:, None])).sum(axis=1) <= p + slack
        return (weights * law.cdf(k[:, None])).sum(axis=1) >= p - slack

    best = np.full(len(p), np.inf)
    for atom in law.atoms[::-1]:
        best = np.where(reached(np.full(len(p), atom)), atom, best)
    if not _lattice(law):
        return best
    low = np.full(len(p), -1.0)
    used = weights > 0
    high = np.where(used, law.mean() + 6.0 * np.sqrt(law.variance()), 0.0).max(axis=1)
    high = np.maximum(np.ceil(np.minimum(high, 1e300)), 1.0)
    for _ in range(2000):
        short = ~reached(high)
        if not short.any():
            break
        low, high = np.where(short, high, low), np.where(short, 2.0 * high + 1.0, high)
    while True:
        middle = np.floor(low + 0.5 * (high - low))
        if not ((middle > low) & (middle < high)).any():
            break
        ok = reached(middle)
        low, high = np.where(ok, low, middle), np.where(ok, middle, high)
    return np.minimum(best, high)


def _lattice(law):
    """Whether counts are among the points."""
    parts = law.parts if isinstance(law, Composite) else [(law, None)]
    return any(part.discrete and not isinstance(part, PointMass) for part, _ in parts)


def _points_region(atoms, masses, coverage):
    order = np.argsort(-masses, kind="stable")
    n_kept = int(np.searchsorted(np.cumsum(masses[order]), coverage * (1.0 - ULPS))) + 1
    kept = np.sort(atoms[order[:n_kept]])
    return np.stack([kept, kept], axis=1)


def _difference(outer, inner):
    """Intervals (m, 2) of what is in `outer` and not in `inner`."""
    out = []
    for low, high in outer:
        for a, b in inner[(inner[:, 0] < high) & (inner[:, 1] > low)]:
            out.append((low, a))
            low = b
        out.append((low, high))
    out = np.reshape(out, (-1, 2))
    return out[out[:, 1] > out[:, 0]]


def _merged(region):
    """Intervals in order, those that touch put together."""
    region = region[np.argsort(region[:, 0], kind="stable")]
    out = [region[0]]
    for low, high in region[1:]:
        if low <= out[-1][1]:
            out[-1] = np.array([out[-1][0], max(out[-1][1], high)])
        else:
            out.append(np.array([low, high]))
    return np.array(out)


def _generator(rng):
    if isinstance(rng, np.random.RandomState):
        return np.random.default_rng(rng.randint(2**32, size=4, dtype=np.uint64))
    try:
        return np.random.default_rng(rng)
    except (TypeError, ValueError):
        raise TypeError(f"rng must be None, an int >= 0, a Generator or a RandomState, got {rng!r}.") from None


def _frozen(one):
    """A frozen distribution of scipy.stats that asks a PredictiveDistribution of one row."""
    from scipy import stats

    low, high = (float(end[0]) for end in one.support())

    def ask(name):
        return lambda self, x: getattr(one, name)(np.reshape(x, (1, -1)))[0].reshape(np.shape(x))

    def quantile(name):
        return lambda self, q: getattr(one, name)(np.ravel(q))[0].reshape(np.shape(q))

    def rvs(self, size=None, random_state=None):
        draws = one.sample(int(np.prod(size or 1)), random_state)[0]
        return draws.reshape(size) if size else draws[0]

    def moments(self, *_):
        return one.mean()[0], one.variance()[0], None, None

    density = ("pmf", "logpmf") if one.discrete else ("pdf", "logpdf")
    methods = {f"_{name}": ask(name) for name in (*density, "cdf", "logcdf")}
    methods |= {"_sf": ask("ccdf"), "_logsf": ask("logccdf"), "_ppf": quantile("icdf"), "_isf": quantile("iccdf")}
    methods |= {"_rvs": rvs, "_stats": moments}
    base = stats.rv_discrete if one.discrete else stats.rv_continuous
    return type("PredictiveRow", (base,), methods)(a=low, b=high, name="predictive")()
