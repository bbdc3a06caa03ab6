"""Experts with linear predictors: penalised and possibly constrained coefficients, combined with a response."""

from abc import abstractmethod
from copy import copy

import numpy as np
from sklearn.base import clone

from ..model.bank import Shares, largest
from ..model.shrunk import Shrunk
from ..model.uncertainty import CoefUncertainty, above_rounding, coef_roots, free_parameters, leverages
from ..model.wording import diverging_in_words
from ..numerics import penalties
from ..numerics.checks import check_choice
from ..numerics.constraints import Constraints
from ..numerics.coordinates import Coordinates, by_output
from ..numerics.divergence import lost_directions, running_away
from ..numerics.kernels import linear_scores
from ..numerics.multinomial import second_moment
from ..numerics.rank import rank_of
from ..numerics.shrinkage import Evidence
from ..numerics.systems import solve_psd
from ..numerics.wide import column_information, diagonal_of, is_wide
from .base import AdditiveExpert, shrinks_to_pooled
from .noise.arrays import single, targets
from .noise.sums import changes, squares_after, summed, sums_of, wide_maximum

__all__ = ["PredictorExpert"]

CLOSER_STEPS = 4  # updates of one expert that is shrunk to the pooled fit, as multiples of those of a start


class PredictorExpert(Shrunk, AdditiveExpert):
    """A family whose experts depend on x through linear predictors eta_k = b_k'x + offset, eq. (predictor).

    This class handles the coefficients (K, T, p): penalty, center, constraints, Newton steps and reports. A `Response`
    handles the density of y given eta, and its scalar parameters such as variances.

    A subclass takes the hyper-parameters `alpha`, `l1_ratio`, `shrink_to`, `shared_coef`, `fixed_coef`, `nonnegative`
    and, if its noise has a scale, `scale_penalty`; the defaults below apply to those that it does not take. It returns
    its response from the method `response`.
    """

    alpha, l1_ratio, shrink_to, scale_penalty = 0.1, 0.0, None, True
    shared_coef, fixed_coef, nonnegative = None, None, False
    adjustable = frozenset({"alpha", "l1_ratio", "shrink_to"})

    @abstractmethod
    def response(self):
        """The `Response` with the family's hyper-parameters, not bound to a table."""

    @property
    def traits(self):
        return self.response().traits

    def possible(self, rows):
        response = vars(self).get("response_") or self.response()  # perhaps not bound yet
        response.check()
        return response.possible(rows)

    def pruned(self, kept):
        if self.fixed_coef is None:
            return self
        fixed = {name: np.asarray(a)[kept] if np.ndim(a) else a for name, a in self.fixed_coef.items()}
        return clone(self).set_params(fixed_coef=fixed)

    def exchangeable(self, n_leaves):
        if any(np.ndim(value) for value in (self.fixed_coef or {}).values()):  # a coefficient is fixed leaf by leaf
            return np.eye(n_leaves, dtype=bool)
        return super().exchangeable(n_leaves)

    # -- binding to a table ------------------------------------------------------------------------------------------

    def bind(self, rows, design):
        bound = super().bind(rows, design)
        bound.alpha_, response = self._strength(design), bound.response()
        response.check()
        bound._bind_predictor(rows, design)
        bound.check_together(response)
        response = response.bind(rows)
        pooled = response.pooled(bound._alone(response, rows), rows)
        bound.center_ = pooled.coef if bound._to_pooled else np.zeros_like(pooled.coef)
        bound.scales = response.scales
        bound.response_ = response.guarded(bound, rows).bind_pooled(
            pooled, lambda: (response.start_target(rows) - linear_scores(rows.X, pooled.coef[0]), rows.weight)
        )
        bound.pooled_ = bound.response_.held(pooled)
        scale = bound.response_.scale_
        return bound if scale is None or not scale.near_floor else bound._lowered(rows)

    def _lowered(self, rows):
        """The family with a floor below the noise of one expert, which may be closer than the pooled fit."""
        response, one = self.response_, copy(self)
        one.response_ = response.with_scale(response.scale_.opened())
        one.constraints_, one.pooled_ = self.constraints_.alone(), one.response_.held(self.pooled_)
        fitted = one.steps(one.start(1), rows, rows.weight[:, None], CLOSER_STEPS * response.init_steps)
        self.response_ = response.with_scale(response.scale_.beside(fitted[1][0]))
        self.pooled_ = self.response_.held(self.pooled_)
        return self

    def _alone(self, response, rows):
        """The family of the pooled fit: one expert that shrinks towards zero, with a penalty of its own."""
        alone = copy(self).with_response(response)
        alone.constraints_, alone.center_ = self.constraints_.alone(), np.zeros((1, rows.y.shape[1], rows.X.shape[1]))
        if self._to_pooled:
            design = self.constraints_.design
            strength = penalties.light(self.alpha_, design, self.moment_, rows.weight.sum())
            alone._penalise(strength, design)
        return alone

    def _penalise(self, alpha, design):
        """Set the strengths of the penalty on each column; the center of what is fixed is its value."""
        ridge, lasso = penalties.strengths(alpha, self.l1_ratio, design)
        held = np.isin(np.arange(len(ridge)), list(self.constraints_.fixed)) & (self._to_pooled or self._estimated)
        self.penalty_, self.lasso_ = np.where(held, 0.0, ridge), None if lasso is None else np.where(held, 0.0, lasso)

    def _bind_predictor(self, rows, design):
        """Check the hyper-parameters of the coefficients and bind them to the columns."""
        self._to_pooled = shrinks_to_pooled(self)
        check_choice(self.scale_penalty, "scale_penalty", (True, False))
        self.constraints_ = Constraints(self.shared_coef, self.fixed_coef, self.nonnegative, design)
        self._penalise(self.alpha_, design)
        if self.lasso_ is not None and self.constraints_.nonnegative and self._to_pooled:
            raise ValueError("shrink_to='global' cannot be combined with nonnegative if l1_ratio > 0; use 'zero'.")
        self.wide_ = is_wide(rows.X) and not self.constraints_
        self.moment_ = second_moment(rows.X, rows.weight)
        self.rank_ = rank_of(self.moment_)

    def check_together(self, response):
        """Raise an error if hyper-parameters of the coefficients cannot be combined with those of the response."""

    def with_response(self, response, pooled=None):
        """The same predictors with another response that is bound to the same table, and its pooled fit."""
        other = copy(self)
        other.response_, other.pooled_ = response, pooled
        return other

    # -- starting ----------------------------------------------------------------------------------------------------

    def start(self, n_experts):
        """Parameters of `n_experts` experts that equal the pooled fit, projected onto the constraints."""
        start = type(self.pooled_)(*(np.repeat(a, n_experts, axis=0) for a in self.pooled_))
        return start._replace(coef=self.feasible(start.coef))

    def init(self, rows, resp):
        return self.steps(self.response_.begin(self, rows, resp), rows, resp, self.response_.init_steps)

    def start_target(self, rows):
        return self.response_.start_target(rows)

    # -- densities and moments ---------------------------------------------------------------------------------------

    def _eta(self, coef, rows):
        """Linear predictors (n, K, T), stored so that rows are contiguous."""
        K, T, p = coef.shape
        eta = linear_scores(rows.X, coef.reshape(K * T, p))
        if rows.offset is not None:
            eta += rows.offset[:, None]
        return eta.T.reshape(K, T, rows.n_rows).transpose(2, 0, 1)

    def log_prob(self, params, rows):
        return self.evaluate(params, rows)[0]

    def evaluate(self, params, rows):
        eta = self._eta(params.coef, rows)
        return self.response_.log_prob(targets(rows), eta, params, rows), eta

    def log_ceiling(self, params, rows):
        return self.response_.log_ceiling(params, rows)

    def predict(self, params, rows):
        return self.response_.mean(self._eta(params.coef, rows), params, rows)

    def variance(self, params, rows):
        return self.response_.variance(self._eta(params.coef, rows), params, rows)

    def predict_dist(self, params, rows):
        return self.response_.joint(self._eta(params.coef, rows), params, rows)

    # -- the predictive density --------------------------------------------------------------------------------------

    @property
    def least_squares(self):
        return self.response_.parameter_free

    @property
    def estimates_tails(self):
        return self.response_.estimates_tails

    def uncertainty(self, params, parts):
        """Leverages and degrees of freedom of the coefficients, eqs. (degrees), (predictive)."""
        stats = None
        for block, resp in parts:
            working = self.response_.working(targets(block), self._eta(params.coef, block), params, block)
            expected = working._replace(information=self.response_.expected_information(working, params), terms=())
            stats = self.add(stats, summed(block.X, resp, expected, not self.wide_))
        found, used = self._roots(params, stats)
        used = used.sum(axis=2)
        return CoefUncertainty(self.response_.factor(stats.weight, used, self.response_.scale(params)), found)

    def _roots(self, params, stats):
        """Roots and degrees of freedom as from `coef_roots`; of wide tables only the latter."""
        if self.wide_:
            return np.zeros((*params.coef[:, :1].shape, 0)), self._degrees(params, stats)
        moved = params.coef != self.center_ if self.lasso_ is not None else above_rounding(params.coef)
        space = self.constraints_.space(len(moved)) if self.constraints_ else None
        free = free_parameters(moved, space, self.lasso_ is not None)
        return coef_roots(self._systems(params, stats), stats.gram, self.response_.scale(params), space, free)

    def _evidence(self, params, stats):
        K, T, p = params.coef.shape
        used = self._roots(params, stats)[1]
        # One expert is near its own pooled fit by nature, and what is fixed is no sign of how far slopes are from it.
        far, fixed = params.coef - (K > 1) * self.center_, np.isin(np.arange(p), list(self.constraints_.fixed))
        far = np.where(fixed, 0.0, self.response_.standard(far, params) if self.scale_penalty else far)
        square = penalties.column_squares(far, self.constraints_.design.penalty_scale, 1.0)
        return Evidence(used.sum(axis=(0, 1))[:-1] * (T / used.shape[1]), square)

    def _degrees(self, params, stats):
        """Degrees of freedom (K, T or 1, p) that the coefficients take, eq. (own-df)."""
        if self.wide_:
            return stats.gram.degrees(self._unit(params)[:, : stats.gram.lead[1]] * self.penalty_)
        return np.diagonal(solve_psd(self._systems(params, stats), stats.gram), axis1=-2, axis2=-1)

    def predictive(self, params, rows, uncertainty):
        eta, leverage = self._eta(params.coef, rows), leverages(rows, uncertainty.root)
        return self.response_.predictive(eta, leverage, uncertainty.factor, params, rows)

    # -- the M-step --------------------------------------------------------------------------------------------------

    def _origin(self, params):
        """The coefficients at which the sums over rows are computed."""
        return self.pooled_.coef if self.response_.parameter_free and not self.wide_ else params.coef

    def statistics(self, params, rows, resp, seen=None):
        if seen is None or self.response_.parameter_free:
            seen = self._eta(self._origin(params), rows)
        return sums_of(self.response_, params, rows, resp, seen, not self.wide_)

    def update(self, params, stats, rows=None):
        """The scalars follow where Q is quadratic in the coefficients, which move to its maximum; else they lead."""
        response = self.response_
        if response.quadratic:
            moved = params._replace(coef=self._stepped(params, stats))
            return response.update(moved, stats, self._ridge(moved), self._squares(moved, params, stats))
        new = response.update(params, stats, self._ridge(params))
        # If the penalty is not divided by the scale, the step depends on the new scale, eq. (unscaled-update).
        return new._replace(coef=self._stepped(params if self.scale_penalty else new, stats))

    def _unit(self, params):
        """Factor (K, T, 1) that converts a penalty to the units of score and information."""
        scale = self.response_.scale(params)
        return (np.ones_like(scale) if self.scale_penalty else scale)[..., None]

    def _force(self, params, stats):
        """Gradient (K, T, p) of the log-likelihood minus the ridge penalty, multiplied by the scale."""
        force = stats.cross - self._unit(params) * self.penalty_ * (params.coef - self.center_)
        if self.response_.parameter_free and not self.wide_:
            force -= np.einsum("ktp,kpr->ktr", params.coef - self._origin(params), stats.gram[:, 0])
        return force

    def _systems(self, params, stats):
        """Minus the Hessian of the same, (K, T, p, p), or (K, 1, p, p) if it is the same for all outputs."""
        unit = self._unit(params)[:, : 1 if self.scale_penalty else None]
        return stats.gram + unit[..., None] * np.diag(self.penalty_)

    def _maximum(self, params, stats):
        """Coefficients (K, T, p) that maximise the quadratic model, eqs. (linear-update), (proximal-newton)."""
        force = self._force(params, stats)
        if self.wide_:
            return wide_maximum(stats, force, params.coef, self.center_, self._unit(params), self.penalty_, self.lasso_)
        systems = self._systems(params, stats)
        if not self.constraints_ and self.lasso_ is None:
            if systems.shape[1] == 1:
                return params.coef + np.swapaxes(solve_psd(systems[:, 0], np.swapaxes(force, 1, 2)), 1, 2)
            return params.coef + solve_psd(systems, force[..., None])[..., 0]
        new, unit = np.empty_like(params.coef), self._unit(params)
        systems = np.broadcast_to(systems, (*force.shape, force.shape[2]))
        # Divided by the scales, so that experts which share coefficients are weighted as in the log-likelihood.
        for t, precision in enumerate(1.0 / self.response_.scale(params).T):
            system, pull = systems[:, t] * precision[:, None, None], force[:, t] * precision[:, None]
            old = params.coef[:, t]
            if self.lasso_ is None:
                new[:, t] = old + self.constraints_.step(system, pull, old)
            else:
                lasso = self.lasso_ * unit[:, t] * precision[:, None]
                new[:, t] = self.constraints_.maximum(system, pull, old, self.center_[:, t], lasso)
        return new

    def _stepped(self, params, stats):
        """Coefficients after a step, damped if the log-likelihood is not quadratic, eqs. (guard), (log-link)."""
        new = self._maximum(params, stats)
        if not self.response_.quadratic:
            change = changes(new - params.coef, self.response_.link, stats, self.moment_)
            damping = np.divide(np.log1p(change), change, out=np.ones_like(change), where=change > 1e-12)
            damping = np.stack([self.constraints_.common(own) for own in damping.T], axis=1)
            damping = damping if self.lasso_ is None else penalties.whole(damping)
            part_way = params.coef + damping[..., None] * (new - params.coef)
            new = np.where(damping[..., None] >= 1.0, new, part_way)  # full steps end there exactly
        return self.feasible(new) if self.lasso_ is None else new

    def feasible(self, coef):
        """Coefficients (K, T, p) projected onto the constraints."""
        parts = [self.constraints_.feasible(own) for own in coef.swapaxes(0, 1)] if self.constraints_ else None
        return coef if parts is None else np.stack(parts, axis=1)

    def _squares(self, params, old, stats):
        """Squared residuals (K, T) or (K, T, T) of `params`, from sums at `old`; None unless quadratic."""
        return squares_after(stats, params.coef - self._origin(old)) if self.response_.quadratic else None

    def _ridge(self, params):
        """Twice the penalty, zero where it is not divided by the scale, (K, T), or (K, T, T) with covariances."""
        ridge = self._penalty(params)
        return ridge if self.scale_penalty else np.zeros_like(ridge)

    def _penalty(self, params):
        distance = params.coef - self.center_
        if self.response_.full:
            return (distance * self.penalty_) @ np.swapaxes(distance, 1, 2)
        return penalties.squares(distance, self.penalty_, self.lasso_)

    # -- the objective -----------------------------------------------------------------------------------------------

    @property
    def separate(self):
        return not (self.constraints_ or self.wide_) and self.response_.separate

    def log_prior_density(self, params):
        return np.sum(self.response_.log_prior(params)) - 0.5 * self._measured(params).sum()

    def _measured(self, params):
        """Twice the penalty, in units of the log-likelihood."""
        penalty = self._penalty(params)
        return self.response_.measured(penalty, params) if self.scale_penalty else penalty

    def shares(self, params, stats):
        force, square = self._force(params, stats), self._squares(params, params, stats)
        if self.lasso_ is not None:
            force = penalties.subgradient(force, params.coef - self.center_, self._unit(params) * self.lasso_)
        scalars = self.response_.gradient(params, stats, self._ridge(params), square)
        by_expert = np.moveaxis(scalars.reshape(-1, *force.shape[:2]), 0, 2)
        entry = largest(self.response_.unitless(force, params, False), by_expert)
        log_prior = self.response_.log_prior(params) - 0.5 * self._measured(params).sum(axis=1)
        return Shares(log_prior, entry, self._rounding(params, stats))

    def gradient(self, params, stats):
        tied = bool(self.constraints_)
        slopes = self.response_.unitless(self._force(params, stats), params, tied)
        lasso = [None] * slopes.shape[1]
        if self.lasso_ is not None:
            whole = np.broadcast_to(self._unit(params) * self.lasso_, slopes.shape)
            lasso = self.response_.unitless(whole, params, tied).swapaxes(0, 1)
        arrays = (slopes, params.coef, np.broadcast_to(self.center_, slopes.shape))
        parts = zip(*(a.swapaxes(0, 1) for a in arrays), lasso, strict=True)
        slopes = np.stack([self.constraints_.gradient(*part) for part in parts], axis=-2)
        ridge, square = self._ridge(params), self._squares(params, params, stats)
        return np.append(slopes, self.response_.gradient(params, stats, ridge, square))

    def rounding(self, params, stats):
        return np.sqrt(np.square(self._rounding(params, stats)).sum())

    def _rounding(self, params, stats):
        """From errors of a rounding unit in the terms of linear predictors and in means, eq. (rounded-objective)."""
        diagonal, means = diagonal_of(stats.gram), self.response_.link != "identity"  # which have errors of their own
        squares = (diagonal * params.coef**2).sum(axis=2) + means * diagonal[..., -1]
        total = (squares / self.response_.scale(params)).sum(axis=1)
        return np.finfo(float).eps * np.sqrt(np.where(np.isfinite(total), total, 0.0))

    def pulls(self, params, stats):
        precision = 1.0 / self.response_.scale(params)[..., None]
        force, lasso = self._force(params, stats) * precision, self._unit(params) * self.lasso_ * precision
        lasso, center = (np.broadcast_to(a, force.shape) for a in (lasso, self.center_))
        parts = zip(*(a.swapaxes(0, 1) for a in (force, params.coef, center, lasso)), strict=True)
        return np.concatenate([self.constraints_.pulls(*part).ravel() for part in parts])

    def n_parameters(self, params):
        center = None if self.lasso_ is None else self.center_
        of_coef = self.constraints_.n_parameters(params.coef, center, self.moment_, self.rank_)
        return of_coef + self.response_.n_parameters(params)

    def effective_df(self, params, stats):
        if self.constraints_ or self.lasso_ is not None:
            return super().effective_df(params, stats)
        K, T, _ = params.coef.shape
        own = self._degrees(params, stats).sum(axis=2)
        return own.sum(axis=1) * (T / own.shape[1]) + self.response_.n_parameters(params) / K

    # -- boundaries --------------------------------------------------------------------------------------------------

    def column_information(self, stats):
        return column_information(stats.gram)

    def diverging(self, params, stats):
        return np.union1d(*self._diverging(params, stats))

    def _diverging(self, params, stats):
        """Experts whose coefficients grow without bound, and other experts of which only the intercepts do."""
        if self.response_.link == "identity" or self.response_.quadratic:
            return np.zeros(0, dtype=int), np.zeros(0, dtype=int)
        new, scale, unit = self._maximum(params, stats), self.response_.scale(params), self._unit(params)
        step = (new - params.coef)[:, 0]
        lasso = None if self.lasso_ is None else self.lasso_ * unit
        gained = penalties.gained(self._force(params, stats), params.coef - self.center_, new - self.center_, lasso)
        if step.shape[1] > 1:
            step[:, -1] = 0.0
        change = changes(step[:, None], self.response_.link, stats, self.moment_)[:, 0]
        running = running_away(change, gained.sum(axis=1) / scale[:, 0], stats.weight)
        if self.response_.link != "inverse" and not (self.constraints_ or self.wide_):
            systems = self._systems(params, stats)[:, 0] / scale[:, :1, None]
            if lasso is not None:
                held = penalties.bend((params.coef - self.center_)[:, 0], lasso[:, 0] / scale[:, :1])
                systems = systems + held[:, :, None] * np.eye(held.shape[1])
            running |= lost_directions(params.coef[:, 0], systems, self.moment_)
        return np.flatnonzero(running), np.flatnonzero(self.response_.one_sided(stats) & ~running)

    def at_floor(self, params):
        return self.response_.at_floor(params)

    def warnings(self, params, stats):
        found = diverging_in_words(*self._diverging(params, stats), self.alpha_, self._estimated)
        return found + self.response_.warnings(params, stats, self._squares(params, params, stats))

    # -- information -------------------------------------------------------------------------------------------------

    def coordinates(self, params, design):
        T = params.coef.shape[1]
        parts = ("",) if T == 1 else tuple(map(str, range(T)))
        target = None if self.lasso_ is None else np.broadcast_to(self.center_, params.coef.shape)
        scalars = self.response_.coordinates(params, parts)
        return Coordinates(params.coef, parts, scalars, target=target, constraints=self.constraints_)

    def displaced(self, params, coef, scalar):
        return self.response_.displaced(params._replace(coef=coef), scalar)

    def derivatives(self, params, rows):
        first, second = self.response_.derivatives(targets(rows), self._eta(params.coef, rows), params, rows)
        return (first, second) if first.ndim == 3 else by_output(first, second)

    def prior_derivatives(self, params):
        penalty = self.penalty_, self.lasso_, self.scale_penalty
        return self.response_.prior_derivatives(params, params.coef - self.center_, *penalty)

    # -- what the user is shown --------------------------------------------------------------------------------------

    def report(self, params, design):
        return self.response_.report(*map(single, design.to_user_units(params.coef)), params)

    def equations(self, report, feature_names, target):
        return self.response().equations(report, feature_names, target)
