"""Linear-Gaussian experts: y = b_k' x + offset + noise of variance phi_k, for one or several outputs."""

from typing import NamedTuple

import numpy as np

from ..distributions import MultivariateNormal, Normal, independent
from ..numerics import penalties, statistics
from ..numerics.checks import check_choice
from ..numerics.coordinates import (
    Coordinates,
    covariance_of,
    covariance_scalars,
    gaussian_derivatives,
    gaussian_prior_derivatives,
    log_scalars,
    ridge_derivatives,
    symmetric_basis,
)
from ..numerics.kernels import linear_scores, solve_psd, weighted_cross, weighted_gram, whitener
from .noise import GaussianNoise, check_noise, log_density, noise_floor, spread
from .predictor import LinearPredictorExpert

__all__ = ["LinearExpert", "LinearParams", "LinearStatistics", "global_fit", "linear_statistics", "own_targets"]


GLOBAL_STEPS, GLOBAL_TOL = 100, 1e-13  # of the fit of all rows where it has no closed form


class LinearParams(NamedTuple):
    coef: np.ndarray  # (K, T, p), of the design columns, intercept last
    variance: np.ndarray  # (K, T), or covariances (K, T, T)


class LinearStatistics(NamedTuple):
    """Weighted sums of residuals from the anchor; free of the parameters, and accurate when y is far from zero."""

    weight: np.ndarray  # (K,)
    gram: np.ndarray  # (K, p, p)
    cross: np.ndarray  # (K, T, p)
    square: np.ndarray  # (K, T), or (K, T, T) of all pairs of outputs


class LinearReport(NamedTuple):
    """Linear experts in the user's units: `coef` (K, p) and `intercept`, `variance` (K,); (K, T, ...) for T outputs."""

    coef: np.ndarray
    intercept: np.ndarray
    variance: np.ndarray


class CovarianceReport(NamedTuple):
    """Linear experts of T outputs with covariances: `coef` (K, T, p), `intercept`, `variance` (K, T), and matrices."""

    coef: np.ndarray
    intercept: np.ndarray
    variance: np.ndarray
    covariance: np.ndarray  # (K, T, T)


class LinearExpert(LinearPredictorExpert):
    """Linear regression with Gaussian noise, its own variance for each expert.

    The M-step is a weighted ridge regression in closed form, eqs. (linear-update) and (variance-update) of the theory
    page; with full covariances eq. (covariance-update).

    Parameters
    ----------
    alpha : float, default=0.1
        Strength of the penalty on the slopes, a total as in scikit-learn's `Ridge`, and n times the one of its
        `ElasticNet`; intercepts are free. 0 switches it off.
    l1_ratio : float, default=0.0
        Share of `alpha` that acts on absolute values, from 0 (ridge) over elastic nets to 1 (lasso), eq. (elastic-net):
        slopes may then be exactly zero. Not with full covariances.
    shrink_to : {None, "global", "zero"}, default=None
        What the slopes are drawn to: the penalised fit of all rows together, or zero. None is "global" for a ridge and
        "zero" where `l1_ratio` is positive.
    {scale_penalty}
    variance_prior : (float, float) or None, default=(1.0, 0.1)
        Weak prior on each noise variance: it counts as so many more rows, in each expert, whose mean squared residual
        is this fraction of the global fit's. None switches it off.
    variance_floor : "auto" or float, default="auto"
        Least variance, as a fraction of var(y) (of y less the offset). "auto" is 1e-6, raised to q^2 / 12 where y is
        rounded to steps of q.
    shared_variance : bool, default=False
        One noise variance, or covariance, for all experts.
    covariance : {"diagonal", "full"}, default="diagonal"
        Noise of several outputs: independent given the expert, or with a covariance matrix for each expert.
    {constraints}
        They hold for every output alike, and go with diagonal covariances only.

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

    Two outputs whose noise goes together:

    >>> import numpy as np
    >>> Y = np.column_stack([y, [0.1, 1.0, 1.9, 3.5]])
    >>> model = HMERegressor(depth=0, expert=LinearExpert(covariance="full")).fit(X, Y)
    >>> model.experts_.covariance.shape
    (1, 2, 2)
    """

    supports_multioutput = smooth = True

    def __init__(
        self,
        alpha=0.1,
        l1_ratio=0.0,
        shrink_to=None,
        scale_penalty=True,
        variance_prior=(1.0, 0.1),
        variance_floor="auto",
        shared_variance=False,
        covariance="diagonal",
        shared_coef=None,
        fixed_coef=None,
        nonnegative=False,
    ):
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.shrink_to = shrink_to
        self.scale_penalty = scale_penalty
        self.variance_prior = variance_prior
        self.variance_floor = variance_floor
        self.shared_variance = shared_variance
        self.covariance = covariance
        self.shared_coef = shared_coef
        self.fixed_coef = fixed_coef
        self.nonnegative = nonnegative

    # -- binding to data ---------------------------------------------------------------------------------------------

    def _check(self):
        check_choice(self.covariance, "covariance", ("diagonal", "full"))
        check_noise(self.variance_prior, self.variance_floor, self.shared_variance)

    def bind(self, rows, design):
        self._check()
        bound = super().bind(rows, design)
        bound._bind_predictor(design)
        if bound.constraints_ and self.covariance == "full":
            raise ValueError("covariance='full' does not go with shared_coef, fixed_coef or nonnegative.")
        if self.covariance == "full" and (bound.lasso_ is not None or not self.scale_penalty):
            raise ValueError("covariance='full' does not go with l1_ratio > 0 or scale_penalty=False.")
        bound.anchor_, global_variance = bound._global_fit(rows)
        y = own_targets(rows)
        bound.floor_ = noise_floor(self.variance_floor, rows.y, spread(y, rows.weight))
        bound.noise_ = GaussianNoise(bound.floor_, global_variance, self.variance_prior, self.shared_variance)
        # The statistics are taken around the global fit in any case; the penalty's target is another matter.
        bound.target_ = bound.anchor_ if bound.to_global_ else np.zeros_like(bound.anchor_)
        return bound

    def _global_fit(self, rows):
        return global_fit(rows, self.penalty_, self.covariance == "full", self.lasso_, self.scale_penalty)

    def start_target(self, rows):
        return own_targets(rows)

    # -- the family --------------------------------------------------------------------------------------------------

    def start(self, n_experts):
        coef = self._constrained(np.repeat(self.anchor_, n_experts, axis=0))
        return LinearParams(coef, self.noise_.start(n_experts))

    def _constrained(self, coef):
        """Coefficients (K, T, p) moved to where they may be."""
        if not self.constraints_:
            return coef
        return np.stack([self.constraints_.feasible(coef[:, t]) for t in range(coef.shape[1])], axis=1)

    def _residuals(self, params, rows):
        """Fit less y, (n, K) for one output after the other."""
        y = own_targets(rows)
        for t in range(y.shape[1]):
            residual = linear_scores(rows.X, params.coef[:, t])
            residual -= y[:, t, None]
            yield residual

    def log_prob(self, params, rows):
        return log_density(self._residuals(params, rows), params.variance)

    def predict(self, params, rows):
        K, T, p = params.coef.shape
        mean = linear_scores(rows.X, params.coef.reshape(K * T, p))
        if rows.offset is not None:
            mean += rows.offset[:, None]
        return mean.reshape(-1, K, T)

    def variance(self, params, rows):
        variance = self.noise_.diagonal(params.variance)
        return np.broadcast_to(variance, (rows.n_rows, *variance.shape))

    def predict_dist(self, params, rows):
        mean = self.predict(params, rows)
        if self.noise_.full and mean.shape[2] > 1:
            return MultivariateNormal(mean, params.variance[None])
        return independent(Normal, mean, np.sqrt(self.noise_.diagonal(params.variance)))

    def statistics(self, params, rows, resp, seen=None):
        return linear_statistics(rows, self.anchor_, resp, self.noise_.full)

    def update(self, params, stats, rows=None):
        coef = self._fit_coef(params, stats)
        return LinearParams(coef, self.noise_.update(params.variance, stats.weight, self._squares(coef, params, stats)))

    def _center(self, params):
        """The coefficients whose residuals the statistics are made of."""
        return self.anchor_

    def _fit_coef(self, params, stats):
        """The maximiser (K, T, p): for any noise, eq. (linear-update), or for the present one, eq. (constraints)."""
        force, system = self._force(params.coef, params, stats), stats.gram + np.diag(self.penalty_)
        if not self.constraints_ and self.lasso_ is None and self.scale_penalty:
            return params.coef + _solve(system, force)
        coef = np.empty_like(params.coef)
        for t, precision in enumerate(1.0 / params.variance.T):
            old, unit = params.coef[:, t], self._unit(params)[:, t]
            # Of the log-likelihood, so that experts that share coefficients have each its say.
            system = (stats.gram + unit[..., None] * np.diag(self.penalty_)) * precision[:, None, None]
            pull = force[:, t] * precision[:, None]
            if self.lasso_ is None:
                coef[:, t] = self.constraints_.move(old, self.constraints_.step(system, pull, old))
            else:
                lasso = self.lasso_ * unit * precision[:, None]
                coef[:, t] = self.constraints_.maximum(system, pull, old, self.target_[:, t], lasso)
        return coef

    def _unit(self, params):
        """What a penalty is multiplied with to be in the units of squares, (K, T, 1)."""
        return np.ones_like(params.variance)[..., None] if self.scale_penalty else params.variance[..., None]

    def _force(self, coef, params, stats):
        """Gradient (K, T, p) of half the ridge's residual sum of squares, downhill."""
        shift = coef - self._center(params)
        ridge = self.penalty_ * (coef - self.target_)
        ridge = ridge if self.scale_penalty else ridge * self._unit(params)
        return stats.cross - np.einsum("ktp,kpr->ktr", shift, stats.gram) - ridge

    def _squares(self, coef, params, stats):
        """Residual sums of squares and the penalty, in the shape of the variances, eq. (variance-update)."""
        return self._residual_squares(coef, params, stats) + self._scaled_ridge(coef)

    def _residual_squares(self, coef, params, stats):
        shift = coef - self._center(params)
        if self.noise_.full:
            cross = np.einsum("ksp,ktp->kst", shift, stats.cross)
            fitted = np.einsum("ksp,kpr,ktr->kst", shift, stats.gram, shift)
            return stats.square - cross - np.swapaxes(cross, 1, 2) + fitted
        fitted = np.einsum("ktp,kpr,ktr->kt", shift, stats.gram, shift)
        return np.maximum(stats.square - 2.0 * np.einsum("ktp,ktp->kt", shift, stats.cross) + fitted, 0.0)

    def _ridge(self, coef):
        """Twice the penalty."""
        distance = coef - self.target_
        if self.noise_.full:
            return (distance * self.penalty_) @ np.swapaxes(distance, 1, 2)
        return penalties.squares(distance, self.penalty_, self.lasso_)

    def _scaled_ridge(self, coef):
        """What the noise answers for of it."""
        ridge = self._ridge(coef)
        return ridge if self.scale_penalty else np.zeros_like(ridge)

    def log_prior_density(self, params):
        prior = self.noise_.log_prior(params.variance, self._scaled_ridge(params.coef))
        return prior if self.scale_penalty else prior - 0.5 * self._ridge(params.coef).sum()

    def gradient(self, params, stats):
        # In units of the noise for the slopes; of the log-variance where it is free to move.
        return np.append(self._coef_gradient(params, stats), self._noise_gradient(params, stats))

    def _coef_gradient(self, params, stats):
        slopes = self._force(params.coef, params, stats)
        if self.noise_.full:
            return whitener(params.variance) @ slopes
        lasso = None if self.lasso_ is None else self._unit(params) * self.lasso_
        if self.constraints_:
            unit = np.sqrt(self.noise_.global_variance)[:, None] / params.variance[..., None]
            lasso = [None] * slopes.shape[1] if lasso is None else np.swapaxes(lasso * unit, 0, 1)
            parts = zip(*(np.swapaxes(a, 0, 1) for a in (slopes * unit, params.coef, self.target_)), lasso, strict=True)
            return np.concatenate([self.constraints_.gradient(*part) for part in parts])
        if lasso is not None:
            slopes = penalties.subgradient(slopes, params.coef - self.target_, lasso)
        return slopes / np.sqrt(params.variance)[..., None]

    def pulls(self, params, stats):
        """How hard each slope is pulled from what it is drawn to, in units of the lasso."""
        force, lasso = self._force(params.coef, params, stats), self._unit(params) * self.lasso_
        # Of the log-likelihood, as in `_fit_coef`.
        force, lasso = force / params.variance[..., None], lasso / params.variance[..., None]
        parts = zip(*(np.swapaxes(a, 0, 1) for a in (force, params.coef, self.target_, lasso)), strict=True)
        return np.concatenate([self.constraints_.pulls(*part).ravel() for part in parts])

    def _noise_gradient(self, params, stats):
        return self.noise_.gradient(params.variance, stats.weight, self._squares(params.coef, params, stats))

    def n_parameters(self, params):
        K, T, p = params.coef.shape
        n_noise = self.noise_.n_parameters(K)
        if self.lasso_ is None:
            return T * self.constraints_.n_free((K, p)) + n_noise
        return sum(self.constraints_.n_moved(params.coef[:, t], self.target_[:, t]) for t in range(T)) + n_noise

    def warnings(self, params, stats):
        return self.noise_.warnings(params.variance)

    def column_information(self, stats):
        return statistics.diagonal(stats.gram)

    # -- information --------------------------------------------------------------------------------------------------

    def coordinates(self, params, design):
        T = params.coef.shape[1]
        parts = ("",) if T == 1 else tuple(map(str, range(T)))
        target = None if self.lasso_ is None else np.broadcast_to(self.target_, params.coef.shape)
        scalars = self._noise_scalars(params, parts)
        return Coordinates(params.coef, parts, scalars, target=target, constraints=self.constraints_)

    def _noise_scalars(self, params, parts):
        """Logarithms of variances, or the entries of the covariances."""
        noise, variance = self.noise_, params.variance
        if not noise.full:
            return log_scalars(variance, [(part, "log(variance)") for part in parts], noise.shared, noise.floor)
        pairs, _ = symmetric_basis(variance.shape[1])
        terms = [(parts[i], "log(variance)") if i == j else ("", f"covariance({i}, {j})") for i, j in pairs]
        held = np.where(noise.collapsed(variance)[:, None], "at its floor", np.full(len(pairs), ""))
        return covariance_scalars(variance, terms, shared=noise.shared, held=held)

    def displaced(self, params, coef, scalar):
        if not self.noise_.full:
            return params._replace(coef=coef, variance=np.exp(scalar))
        return params._replace(coef=coef, variance=covariance_of(scalar, coef.shape[1]))

    def derivatives(self, params, rows):
        return gaussian_derivatives(-np.stack(list(self._residuals(params, rows)), axis=2), params.variance)

    def prior_derivatives(self, params):
        noise, distance = self.noise_, params.coef - self.target_
        count = np.full((len(distance), 1), noise.prior_rows)
        count[1:] *= not noise.shared  # the prior of a shared variance counts once
        if noise.full:
            square = (count > 0)[:, :, None] * noise.prior_square
            return gaussian_prior_derivatives(params.variance, count, square, distance, self.penalty_)
        ridge = self.penalty_, self.lasso_, params.variance, self.scale_penalty
        return ridge_derivatives(distance, *ridge, count, noise.prior_variance)

    def report(self, params, design):
        coef, intercept = design.to_user_units(params.coef)
        variance = self.noise_.diagonal(params.variance)
        if coef.shape[1] == 1:
            return LinearReport(coef[:, 0], intercept[:, 0], variance[:, 0])
        if self.noise_.full:
            return CovarianceReport(coef, intercept, variance.copy(), params.variance)
        return LinearReport(coef, intercept, variance)

    def equations(self, report, feature_names, target):
        lines = []
        for coef, intercept, variance in zip(*report[:3], strict=True):
            if np.ndim(intercept) == 0:
                noise = np.sqrt(variance)
                lines.append(f"{target} = {self._equation(coef, intercept, feature_names)},  noise {noise:.3g}")
            else:
                lines.append(f"{len(intercept)} linear outputs,  noise {np.sqrt(variance).round(3).tolist()}")
        return lines


# -- arrays ----------------------------------------------------------------------------------------------------------


def own_targets(rows):
    """Outputs (n, T) less the offset: what the coefficients answer for."""
    return rows.y if rows.offset is None else rows.y - rows.offset[:, None]


def global_fit(rows, penalty, full=False, lasso=None, scaled=True):
    """Penalised regression of all rows: coefficients (1, T, p), and the mean squares (T,) or (T, T) of its residuals.

    Where the penalty is not scaled with the noise, its variance is that of the residuals.
    """
    y, total = own_targets(rows), rows.weight.sum()
    anchor = np.zeros((1, y.shape[1], rows.X.shape[1]))
    anchor[0, :, -1] = rows.weight @ y / total
    for _ in range(2):  # the second round takes the first one's rounding error away
        stats = None
        for _, block in rows.blocks():
            stats = statistics.add(stats, linear_statistics(block, anchor, block.weight[:, None], full))
        anchor = anchor + _solve(stats.gram + np.diag(penalty), stats.cross - penalty * anchor)
    if lasso is not None or not scaled:
        anchor = _penalised(anchor, rows, penalty, lasso, scaled)
    square = 0.0
    for _, block in rows.blocks():
        residual = own_targets(block) - linear_scores(block.X, anchor[0])
        square = square + (residual.T @ (residual * block.weight[:, None]) if full else block.weight @ residual**2)
    return anchor, square / total


def _penalised(start, rows, penalty, lasso, scaled):
    """The fit of all rows with another penalty than a scaled ridge, whose fit it starts from."""
    stats = None
    for _, block in rows.blocks():
        stats = statistics.add(stats, linear_statistics(block, start, block.weight[:, None]))
    coef, unit = start[0], np.ones((start.shape[1], 1))
    for _ in range(GLOBAL_STEPS):
        shift = coef - start[0]
        if not scaled:
            fitted = (shift * (shift @ stats.gram[0] - 2.0 * stats.cross[0])).sum(axis=1)
            square = stats.square[0] + fitted
            unit = np.maximum(square, 0.0)[:, None] / stats.weight
        system = stats.gram + unit[..., None] * np.diag(penalty)
        force = stats.cross[0] - shift @ stats.gram[0] - unit * penalty * coef
        if lasso is None:
            new = coef + solve_psd(system, force[..., None])[..., 0]
        else:
            new = penalties.lasso_minimum(system, force, coef, unit * lasso)
        change, coef = np.abs(new - coef).max(), new
        if change <= GLOBAL_TOL * np.abs(coef).max(initial=0.0):
            break
    return coef[None]


def linear_statistics(rows, anchor, resp, full=False):
    """Weighted sums over rows of residuals from the anchor."""
    residual = own_targets(rows) - linear_scores(rows.X, anchor[0])
    products = [resp * residual[:, t, None] for t in range(residual.shape[1])]
    if full:
        square = np.stack([(residual.T @ product).T for product in products], axis=2)
    else:
        square = np.stack([residual[:, t] @ product for t, product in enumerate(products)], axis=1)
    return LinearStatistics(
        resp.sum(axis=0),
        weighted_gram(rows.X, resp),
        np.stack([weighted_cross(rows.X, product) for product in products], axis=1),
        square,
    )


def _solve(system, force):
    """Steps (K, T, p) of K systems with T right-hand sides each."""
    return np.swapaxes(solve_psd(system, np.swapaxes(force, 1, 2)), 1, 2)
