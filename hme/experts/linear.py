"""Linear-Gaussian experts: y = b_k' x + noise of variance phi_k, for one or several outputs."""

from typing import NamedTuple

import numpy as np

from ..checks import check_choice, check_real
from ..kernels import linear_scores, solve_psd, weighted_cross, weighted_gram
from .base import AdditiveExpert

__all__ = ["LinearExpert"]

AUTO_FLOOR = 1e-6  # of var(y), for variance_floor="auto"


class LinearParams(NamedTuple):
    coef: np.ndarray  # (K, T, p), of the design columns, intercept last
    variance: np.ndarray  # (K, T)


class LinearStatistics(NamedTuple):
    """Weighted sums of residuals from the anchor; free of the parameters, and accurate when y is far from zero."""

    weight: np.ndarray  # (K,)
    gram: np.ndarray  # (K, p, p)
    cross: np.ndarray  # (K, T, p)
    square: np.ndarray  # (K, T)


class LinearReport(NamedTuple):
    """Linear experts in the user's units: `coef` (K, p) and `intercept`, `variance` (K,); (K, T, ...) for T outputs."""

    coef: np.ndarray
    intercept: np.ndarray
    variance: np.ndarray


class LinearExpert(AdditiveExpert):
    """Linear regression with Gaussian noise, its own variance for each expert.

    The M-step is a weighted ridge regression in closed form, eqs. (linear-update) and (variance-update) of the theory
    page.

    Parameters
    ----------
    alpha : float, default=0.1
        L2 strength, a total as in scikit-learn's `Ridge`; intercepts are free. 0 switches it off.
    shrink_to : {"global", "zero"}, default="global"
        What the slopes are drawn to: the ridge fit of all rows together, or zero.
    variance_prior : (float, float) or None, default=(1.0, 0.1)
        Weak prior on each noise variance: it counts as so many more rows, in each expert, whose mean squared residual
        is this fraction of the global fit's. None switches it off.
    variance_floor : "auto" or float, default="auto"
        Least variance, as a fraction of var(y). "auto" is 1e-6, raised to q^2 / 12 where y is rounded to steps of q.
    shared_variance : bool, default=False
        One noise variance for all experts.

    References
    ----------
    Jordan, M. I. and Jacobs, R. A. (1994). Hierarchical mixtures of experts and the EM algorithm. Neural Computation
    6(2), 181-214, eqs. 22-24.

    Examples
    --------
    >>> from hme import HMERegressor
    >>> from hme.experts import LinearExpert
    >>> X, y = [[0.0], [1.0], [2.0], [3.0]], [1.0, 3.0, 5.0, 7.5]
    >>> exact = LinearExpert(alpha=0.0, variance_prior=None, variance_floor=1e-8)
    >>> model = HMERegressor(depth=0, expert=exact).fit(X, y)
    >>> model.experts_.coef.round(2)
    array([[2.15]])
    """

    tasks = ("regression",)
    supports_multioutput = True

    def __init__(
        self,
        alpha=0.1,
        shrink_to="global",
        variance_prior=(1.0, 0.1),
        variance_floor="auto",
        shared_variance=False,
    ):
        self.alpha = alpha
        self.shrink_to = shrink_to
        self.variance_prior = variance_prior
        self.variance_floor = variance_floor
        self.shared_variance = shared_variance

    # -- binding to data ---------------------------------------------------------------------------------------------

    def _check(self):
        check_real(self.alpha, "alpha")
        check_choice(self.shrink_to, "shrink_to", ("global", "zero"))
        check_choice(self.shared_variance, "shared_variance", (True, False))
        if self.variance_floor != "auto":
            check_real(self.variance_floor, "variance_floor", positive=True)
        if self.variance_prior is not None:
            try:
                rows, fraction = map(float, self.variance_prior)
            except (TypeError, ValueError):
                rows = fraction = -1.0
            if not (0 <= rows < np.inf and 0 < fraction < np.inf):
                raise ValueError(
                    f"variance_prior = {self.variance_prior!r} must be None or a pair (rows >= 0, fraction > 0)."
                )

    def resolve(self, rows, design):
        self._check()
        bound = super().resolve(rows, design)
        y, weight = rows.y, rows.weight
        total = weight.sum()
        mean = weight @ y / total
        bound.penalty_ = self.alpha * design.penalty_scale
        bound.anchor_ = np.zeros((1, y.shape[1], rows.X.shape[1]))  # (1, T, p)
        bound.anchor_[0, :, -1] = mean
        for _ in range(2):  # the second round takes the first one's rounding error away
            stats = None
            for _, block in rows.blocks():
                stats = bound.add(stats, bound.statistics(None, block, block.weight[:, None]))
            force = stats.cross - bound.penalty_ * bound.anchor_
            bound.anchor_ = bound.anchor_ + _solve(stats.gram + np.diag(bound.penalty_), force)
        residual = sum(
            block.weight @ (block.y - linear_scores(block.X, bound.anchor_[0])) ** 2 for _, block in rows.blocks()
        )
        spread = weight @ (y - mean) ** 2 / total
        # A constant output has no scale of its own: take the size of its values.
        spread = np.where(spread > 1e-28 * mean**2, spread, np.where(mean != 0, mean**2, 1.0))
        if self.variance_floor == "auto":
            step = np.array([_rounding_step(column) for column in y.T])
            bound.floor_ = np.maximum(AUTO_FLOOR * spread, step**2 / 12.0)
        else:
            bound.floor_ = self.variance_floor * spread
        global_variance = np.maximum(residual / total, bound.floor_)
        count, fraction = (0.0, 1.0) if self.variance_prior is None else self.variance_prior
        bound.prior_rows_, bound.prior_variance_ = count, fraction * global_variance
        bound.global_variance_ = global_variance
        # The statistics are taken around the global fit in any case; the penalty's target is another matter.
        bound.target_ = bound.anchor_ if self.shrink_to == "global" else np.zeros_like(bound.anchor_)
        return bound

    # -- the family --------------------------------------------------------------------------------------------------

    def start(self, n_experts):
        return LinearParams(
            np.repeat(self.anchor_, n_experts, axis=0), np.repeat(self.global_variance_[None], n_experts, axis=0)
        )

    def log_prob(self, params, rows):
        out = np.full((len(params.variance), rows.n_rows), 0.0).T
        for t in range(rows.y.shape[1]):
            term = linear_scores(rows.X, params.coef[:, t])
            term -= rows.y[:, t, None]
            np.square(term, out=term)
            term *= -0.5 / params.variance[:, t]
            out += term
        out -= 0.5 * np.log(2.0 * np.pi * params.variance).sum(axis=1)
        return out

    def predict(self, params, rows):
        K, T, p = params.coef.shape
        return linear_scores(rows.X, params.coef.reshape(K * T, p)).reshape(-1, K, T)

    def variance(self, params, rows):
        return np.broadcast_to(params.variance, (rows.n_rows, *params.variance.shape))

    def statistics(self, params, rows, resp, seen=None):
        residual = rows.y - linear_scores(rows.X, self.anchor_[0])
        weighted = [resp * residual[:, t, None] for t in range(residual.shape[1])]
        return LinearStatistics(
            resp.sum(axis=0),
            weighted_gram(rows.X, resp),
            np.stack([weighted_cross(rows.X, w) for w in weighted], axis=1),
            np.stack([residual[:, t] @ w for t, w in enumerate(weighted)], axis=1),
        )

    def update(self, params, stats, rows=None):
        system = stats.gram + np.diag(self.penalty_)
        coef = params.coef + _solve(system, self._force(params.coef, stats))
        count, square = self._noise(coef, stats)
        seen = count > 0
        variance = np.divide(square, count, out=params.variance.copy(), where=seen)
        return LinearParams(coef, np.maximum(variance, self.floor_))

    def _force(self, coef, stats):
        """Gradient (K, T, p) of half the penalised residual sum of squares, downhill."""
        shift = coef - self.anchor_
        return stats.cross - np.einsum("ktp,kpr->ktr", shift, stats.gram) - self.penalty_ * (coef - self.target_)

    def _noise(self, coef, stats):
        """Rows counted and squares summed for the variances, (K, T) each, prior included, eq. (variance-update)."""
        shift = coef - self.anchor_
        fitted = np.einsum("ktp,kpr,ktr->kt", shift, stats.gram, shift)
        square = np.maximum(stats.square - 2.0 * np.einsum("ktp,ktp->kt", shift, stats.cross) + fitted, 0.0)
        square += ((coef - self.target_) ** 2) @ self.penalty_
        count = np.broadcast_to(stats.weight[:, None], square.shape)
        if self.shared_variance:
            count, square = (np.broadcast_to(a.sum(axis=0), a.shape) for a in (count, square))
        return count + self.prior_rows_, square + self.prior_rows_ * self.prior_variance_

    def log_prior_density(self, params):
        ridge = ((params.coef - self.target_) ** 2) @ self.penalty_ / params.variance
        variance = params.variance[:1] if self.shared_variance else params.variance
        prior = self.prior_rows_ * (np.log(variance) + self.prior_variance_ / variance)
        return -0.5 * (ridge.sum() + prior.sum())

    def gradient(self, params, stats):
        # In units of the noise for the slopes; of the log-variance where it is free to move.
        slopes = self._force(params.coef, stats) / np.sqrt(params.variance)[..., None]
        count, square = self._noise(params.coef, stats)
        free = params.variance > self.floor_
        return np.append(slopes, np.where(free, 0.5 * (square / params.variance - count), 0.0))

    def n_parameters(self, params):
        K, T, _ = params.coef.shape
        return params.coef.size + (T if self.shared_variance else K * T)

    def warnings(self, params, stats):
        # Where even the global fit is exact, the data have no noise: nothing collapsed.
        collapsed = (params.variance <= self.floor_ * (1 + 1e-9)) & (self.global_variance_ > self.floor_)
        at_floor = np.flatnonzero(collapsed.any(axis=1))
        if not len(at_floor):
            return []
        return [
            f"the noise variance of expert(s) {at_floor.tolist()} is at its floor: they fit rows exactly. Use a "
            "variance_prior, raise variance_floor or use fewer experts"
        ]

    def report(self, params, design):
        coef, intercept = design.to_user_units(params.coef)
        report = LinearReport(coef, intercept, params.variance)
        return LinearReport(*(a[:, 0] for a in report)) if params.coef.shape[1] == 1 else report

    def equations(self, report, feature_names, target):
        lines = []
        for coef, intercept, variance in zip(*report, strict=True):
            if np.ndim(intercept) == 0:
                terms = [f"{b:+.4g} {name}" for b, name in zip(coef, feature_names, strict=True)]
                lines.append(f"{target} = {intercept:.4g} {' '.join(terms)},  noise {np.sqrt(variance):.3g}")
            else:
                lines.append(f"{len(intercept)} linear outputs,  noise {np.sqrt(variance).round(3).tolist()}")
        return lines


def _solve(system, force):
    """Steps (K, T, p) of K systems with T right-hand sides each."""
    return np.swapaxes(solve_psd(system, np.swapaxes(force, 1, 2)), 1, 2)


def _rounding_step(y):
    """Step that the values of y are rounded to; next to nothing where they are not.

    A low quantile of the gaps between neighbouring distinct values is the step of a grid when there is one; without
    rounding it is a small part of range / n, whose variance is far below any floor.
    """
    gaps = np.diff(np.unique(y))
    return float(np.quantile(gaps, 0.05, method="inverted_cdf")) if len(gaps) else 0.0
