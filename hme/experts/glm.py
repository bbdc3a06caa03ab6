"""Generalised linear experts: one linear predictor, a link, a variance function, and guarded IRLS for all experts."""

from abc import abstractmethod
from typing import NamedTuple

import numpy as np

from ..numerics import multinomial, penalties, statistics
from ..numerics.checks import check_choice, check_prior, check_real
from ..numerics.coordinates import STEP, Coordinates, differenced, joined, log_scalars, ridge_derivatives, stacked
from ..numerics.kernels import linear_scores, rounding_step, weighted_cross, weighted_gram
from ..numerics.links import LINKS
from .predictor import LinearPredictorExpert, along, with_offset

__all__ = ["GLMExpert", "GLMParams", "GLMReport", "ScaledGLMExpert"]

AUTO_FLOOR = 1e-6  # of the spread of y, for dispersion_floor="auto"
INIT_STEPS = 5  # IRLS steps from the global fit that turn a start's responsibilities into coefficients
# A fit runs away where its next step still moves linear predictors by more than this, although next to nothing is left
# to gain by it.
MOVING = 0.05
# It has run away where rows hold less information than this on a direction of the slopes in which linear predictors
# spread by more than that: the steps have vanished by then.
LEAST_INFORMATION, FAR = 1e-3, 5.0


class GLMParams(NamedTuple):
    coef: np.ndarray  # (K, p), of the design columns, intercept last
    dispersion: np.ndarray  # (K,); ones where the family has none


class GLMStatistics(NamedTuple):
    """Additive statistics: enough for one IRLS step of every expert."""

    weight: np.ndarray  # (K,)
    gradient: np.ndarray  # (K, p) of the log-likelihood, eq. (irls-gradient)
    curvature: np.ndarray  # (K, p, p) its expected information, eq. (irls-information)
    dispersion: np.ndarray  # (K, s), what the dispersion's update needs


class GLMReport(NamedTuple):
    """GLM experts in the user's units: `coef` (K, p), `intercept` (K,) of the linear predictor, `dispersion` (K,)."""

    coef: np.ndarray
    intercept: np.ndarray
    dispersion: np.ndarray


class GLMExpert(LinearPredictorExpert):
    """A generalised linear model for each expert; a family says its density, its variance function and its dispersion.

    Methods of a family get arrays that broadcast to (n, K): targets `y` and `trials` (n, 1), linear predictors `eta`
    and means `mean` (n, K), dispersions (K,).

    Attributes
    ----------
    links : tuple of str
        The links that the family offers.
    dispersed : bool
        Whether a dispersion is learned.
    """

    links = ("log",)
    supports_multioutput = dispersed = False
    smooth = True

    # -- what a family says ------------------------------------------------------------------------------------------

    @abstractmethod
    def log_density(self, y, eta, mean, dispersion, trials):
        """log p(y | eta), (n, K)."""

    @abstractmethod
    def variance_function(self, mean, dispersion, trials):
        """Variance of y at a mean, (n, K)."""

    def law(self, eta, mean, dispersion, trials):
        """The distribution of y, an object of `hme.distributions`; without it there are no predictive distributions."""
        raise NotImplementedError(f"{type(self).__name__} has no law, so that it has no predictive distribution.")

    def expectation(self, mean, dispersion, trials):
        """Mean of y, (n, K), where it is not the link's."""
        return mean

    def working(self, y, eta, mean, dispersion, trials):
        """Derivative of the log-density by eta, and the negative second one, eq. (irls-weights).

        Of its expectation and what is observed families take the larger one, eq. (observed-curvature): steps of
        Fisher's scoring overshoot, and need not converge, where the former is less than half of the latter; the latter
        can be next to nothing.
        """
        slope = self.link_.slope(mean, eta, self.largest_)
        ratio = slope / self.variance_function(mean, dispersion, trials)
        return (y - mean) * ratio, slope * ratio

    def density_derivatives(self, y, eta, mean, dispersion, trials):
        """Derivatives of the log-density by eta, and by the log-dispersion where that is learned, as `stacked`.

        By differences for families that do not say them.
        """

        def displaced(shift, log_factor=0.0):
            moved = eta + shift
            mean = self.link_.mean(moved, self.largest_)
            return self.log_density(y, moved, mean, dispersion * np.exp(log_factor), trials)

        return differenced(displaced, 1 + self.dispersed)

    def dispersion_statistics(self, y, eta, mean, dispersion, trials):
        """List of (n, K) arrays whose weighted sums the dispersion's update needs."""
        return []

    def update_dispersion(self, dispersion, weight, sums, ridge):
        """New dispersions (K,) from weights (K,), sums (K, s) and the ridge's squares (K,)."""
        return dispersion

    def dispersion_gradient(self, dispersion, weight, sums, ridge):
        """Derivative (K,) of this family's part of Q by the log-dispersion; empty for a family without one."""
        return np.zeros(0)

    def penalty_scale(self, dispersion):
        """What the penalty is divided by, (K,): the dispersion where that only scales the log-density, else one."""
        return np.ones_like(dispersion)

    def interior(self, y, trials):
        """Targets moved to where the link has finite values; shares of the trials where there are trials."""
        return y

    # -- binding to data ---------------------------------------------------------------------------------------------

    def _check(self):
        check_choice(self.link, "link", self.links)

    def bind(self, rows, design):
        self._check()
        bound = super().bind(rows, design)
        bound._bind_predictor(design)
        bound.link_ = LINKS[self.link]
        y, trials, weight = rows.y, self._trials(rows), rows.weight
        bound.largest_ = float(np.abs(y).max()) or 1.0
        bound.moment_ = multinomial.second_moment(rows.X, weight)
        mean = weight @ bound.interior(y, trials) / weight.sum()  # (1,)
        bound._bind_dispersion(rows, mean)
        # The size in which a linear predictor is large makes its gradient free of units.
        bound.unit_ = 1.0
        if self.link == "identity":
            bound.unit_ = float(np.sqrt(bound.start_dispersion_[0]))
        elif self.link == "inverse":
            bound.unit_ = 1.0 / float(mean[0])
        # The fit of all rows by one expert: what slopes shrink to, and where every expert starts.
        bound.anchor_ = np.zeros((1, rows.X.shape[1]))
        start = bound.anchor_.copy()
        start[0, -1] = bound.link_.eta(mean)[0]
        if rows.offset is not None:
            start[0, -1] -= np.average(rows.offset, weights=weight)
        unbound, bound.constraints_ = bound.constraints_, bound.constraints_.none()
        fit = bound.converge(GLMParams(start, bound.start_dispersion_), rows)
        bound.constraints_ = unbound
        bound.start_ = fit
        if bound.to_global_:
            bound.anchor_ = fit.coef
        bound._bind_prior(fit.dispersion)
        return bound

    def _bind_dispersion(self, rows, mean):
        self.start_dispersion_ = np.ones(1)

    def _bind_prior(self, dispersion):
        pass

    def _trials(self, rows):
        """Trials (n, 1), or None for a family without."""
        return None

    def start(self, n_experts):
        coef = np.repeat(self.start_.coef, n_experts, axis=0)
        return GLMParams(self.constraints_.feasible(coef), np.repeat(self.start_.dispersion, n_experts))

    def init(self, rows, resp):
        return self.steps(self.start(resp.shape[1]), rows, resp, INIT_STEPS)

    def start_target(self, rows):
        eta = LINKS[self.link].eta(self.interior(rows.y, self._trials(rows)))
        return eta if rows.offset is None else eta - rows.offset[:, None]

    # -- the family --------------------------------------------------------------------------------------------------

    def _eta(self, params, rows):
        return with_offset(linear_scores(rows.X, params.coef), rows.offset)

    def _arguments(self, params, rows, eta=None):
        """The arguments that a family's functions take after y."""
        eta = self._eta(params, rows) if eta is None else eta
        return eta, self.link_.mean(eta, self.largest_), params.dispersion, self._trials(rows)

    def log_prob(self, params, rows):
        return self.evaluate(params, rows)[0]

    def evaluate(self, params, rows):
        eta = self._eta(params, rows)
        return self.log_density(rows.y, *self._arguments(params, rows, eta)), eta

    def predict(self, params, rows):
        _, *arguments = self._arguments(params, rows)
        return self.expectation(*arguments)[:, :, None]

    def variance(self, params, rows):
        _, *arguments = self._arguments(params, rows)
        return self.variance_function(*arguments)[:, :, None]

    def predict_dist(self, params, rows):
        return self.law(*self._arguments(params, rows))

    def statistics(self, params, rows, resp, seen=None):
        arguments = self._arguments(params, rows, seen)
        score, information = self.working(rows.y, *arguments)
        sums = [(resp * term).sum(axis=0) for term in self.dispersion_statistics(rows.y, *arguments)]
        return GLMStatistics(
            resp.sum(axis=0),
            weighted_cross(rows.X, resp * score),
            weighted_gram(rows.X, resp * information),
            np.stack(sums, axis=1) if sums else np.zeros((len(params.coef), 0)),
        )

    def update(self, params, stats, rows=None):
        weight, sums, ridge = self._for_dispersion(params, stats)
        dispersion = self.update_dispersion(params.dispersion, weight, sums, ridge)
        seen = (stats.weight > 0) | (weight != stats.weight)
        dispersion = np.where(seen, dispersion, params.dispersion)
        if not self.scale_penalty:  # coefficients answer to the new dispersion, eq. (unscaled-update)
            ratio = params.dispersion / dispersion
            by_eta = {"gradient": ratio[:, None] * stats.gradient, "curvature": ratio[:, None, None] * stats.curvature}
            params, stats = params._replace(dispersion=dispersion), stats._replace(**by_eta)
        step, _ = self._newton(params, stats)
        damping = self.constraints_.common(self.damping(step, params, stats))
        if self.lasso_ is None:
            coef = self.constraints_.move(params.coef, damping[:, None] * step)
        else:
            coef = along(params.coef, self._proximal(params, stats), penalties.whole(damping))
        return GLMParams(coef, dispersion)

    def _force(self, params, stats):
        """Gradient (K, p) of the log-likelihood less the ridge."""
        shrink = self.penalty_ * (params.coef - self.anchor_)
        return stats.gradient - shrink / self.penalty_scale(params.dispersion)[:, None]

    def _system(self, params, stats):
        ridge = self.penalty_ / self.penalty_scale(params.dispersion)[:, None]
        return stats.curvature + ridge[:, :, None] * np.eye(ridge.shape[1])

    def _scaled_lasso(self, params):
        """Strengths (K, p), or None."""
        return None if self.lasso_ is None else self.lasso_ / self.penalty_scale(params.dispersion)[:, None]

    def _proximal(self, params, stats):
        """Coefficients (K, p) at the maximum of the quadratic model less the lasso, eq. (proximal-newton)."""
        system, force = self._system(params, stats), self._force(params, stats)
        return self.constraints_.maximum(system, force, params.coef, self.anchor_, self._scaled_lasso(params))

    def _newton(self, params, stats):
        """Undamped steps (K, p) and their decrements (K,)."""
        force, lasso = self._force(params, stats), self._scaled_lasso(params)
        if lasso is None:
            step = self.constraints_.step(self._system(params, stats), force, params.coef)
            return step, (step * force).sum(axis=1)
        new = self._proximal(params, stats)
        step = new - params.coef
        lost = lasso * (np.abs(new - self.anchor_) - np.abs(params.coef - self.anchor_))
        return step, (step * force - lost).sum(axis=1)

    def change(self, step, params, stats):
        """Typical size (K,) of what steps do to the linear predictors, eqs. (typical-spread), (relative-change)."""
        if self.link == "identity":
            return np.zeros(len(step))  # the log-likelihood is a quadratic: no step is too long
        if self.link == "inverse":  # relative to eta: the information is the sum of (x / eta)^2 / dispersion
            squares = np.einsum("kp,kpr,kr->k", step, stats.curvature, step) * params.dispersion
            squares = squares / np.maximum(stats.weight, np.finfo(float).tiny)
        else:
            squares = np.einsum("kp,pr,kr->k", step, self.moment_, step)
        return np.sqrt(np.maximum(squares, 0.0))

    def damping(self, step, params, stats):
        """Step lengths (K,), eqs. (guard), (log-link)."""
        change = self.change(step, params, stats)
        return np.divide(np.log1p(change), change, out=np.ones_like(change), where=change > 1e-12)

    def _for_dispersion(self, params, stats):
        """Weights, sums and penalty's squares for the dispersions, of all experts together where they share one."""
        ridge = self._squares(params) if self.scale_penalty else np.zeros(len(params.coef))
        parts = (stats.weight, stats.dispersion, ridge)
        if getattr(self, "shared_dispersion", False):
            parts = tuple(np.broadcast_to(a.sum(axis=0), a.shape) for a in parts)
        return parts

    def _squares(self, params):
        return penalties.squares(params.coef - self.anchor_, self.penalty_, self.lasso_)

    def log_prior_density(self, params):
        return -0.5 * (self._squares(params) / self.penalty_scale(params.dispersion)).sum()

    def gradient(self, params, stats):
        lasso = None if self.lasso_ is None else self._scaled_lasso(params) * self.unit_
        slopes = self._force(params, stats) * self.unit_
        slopes = self.constraints_.gradient(slopes, params.coef, self.anchor_, lasso)
        return np.append(slopes, self.dispersion_gradient(params.dispersion, *self._for_dispersion(params, stats)))

    def pulls(self, params, stats):
        """How hard each slope is pulled from what it is drawn to, in units of the lasso."""
        force, lasso = self._force(params, stats), self._scaled_lasso(params)
        return self.constraints_.pulls(force, params.coef, self.anchor_, lasso).ravel()

    def n_parameters(self, params):
        if self.lasso_ is None:
            return self.constraints_.n_free(params.coef.shape)
        return self.constraints_.n_moved(params.coef, self.anchor_)

    def column_information(self, stats):
        return statistics.diagonal(stats.curvature)

    # -- information --------------------------------------------------------------------------------------------------

    def coordinates(self, params, design):
        target = None if self.lasso_ is None else np.broadcast_to(self.anchor_, params.coef.shape)[:, None]
        scalars = self._dispersion_scalars(params)
        return Coordinates(params.coef[:, None], ("",), scalars, target=target, constraints=self.constraints_)

    def _dispersion_scalars(self, params):
        return joined(n=len(params.coef))

    def displaced(self, params, coef, scalar):
        return GLMParams(coef[:, 0], np.exp(scalar[:, 0]) if scalar.shape[1] else params.dispersion)

    def derivatives(self, params, rows):
        return self.density_derivatives(rows.y, *self._arguments(params, rows))

    def prior_derivatives(self, params):
        return ridge_derivatives((params.coef - self.anchor_)[:, None], self.penalty_, self.lasso_)

    def diverging(self, params, stats):
        return np.union1d(*self._diverging(params, stats))

    def _diverging(self, params, stats):
        """Experts whose coefficients grow without bound, and those, others, whose intercepts do."""
        step, decrement = self._newton(params, stats)
        step[:, -1] = 0.0 if step.shape[1] > 1 else step[:, -1]
        change = self.change(step, params, stats)
        weight = np.maximum(stats.weight, np.finfo(float).tiny)
        running = (change > MOVING) & (decrement < MOVING * change**2 * weight)
        running = np.flatnonzero(running | self._run_away(params, stats))
        return running, np.setdiff1d(np.flatnonzero(self._one_sided(stats)), running)

    def warnings(self, params, stats):
        running, alone = self._diverging(params, stats)
        found = []
        if len(running):
            found.append(
                f"the coefficients of expert(s) {running.tolist()} grow without bound, or all but: their mean goes to "
                "the edge of its range on some rows. Use alpha > 0 or fewer experts"
            )
        if len(alone):
            found.append(
                f"the intercepts of expert(s) {alone.tolist()} grow without bound: their rows are all at one end of "
                "the range of y. Use a PointMassExpert for such rows, or fewer experts"
            )
        return found

    def _one_sided(self, stats):
        """Experts (K,) that have hardly seen an event, or nothing else; no penalty holds their intercepts."""
        return np.zeros(len(stats.weight), dtype=bool)

    def _run_away(self, params, stats):
        """Experts (K,) whose slopes are so far out that no row tells how far."""
        if self.link not in ("log", "logit") or self.constraints_:
            return np.zeros(len(params.coef), dtype=bool)
        values, vectors = np.linalg.eigh(self.moment_[:-1, :-1])
        kept = values > 1e-9 * values.max(initial=0.0)
        axes = vectors[:, kept] / np.sqrt(values[kept])  # along each, linear predictors spread by one
        system = self._system(params, stats)
        if self.lasso_ is not None:
            held = penalties.bend(params.coef - self.anchor_, self._scaled_lasso(params))
            system = system + held[:, :, None] * np.eye(held.shape[1])
        corner = np.maximum(system[:, -1:, -1:], np.finfo(float).tiny)
        slopes = system[:, :-1, :-1] - system[:, :-1, -1:] @ system[:, -1:, :-1] / corner  # at the best intercept
        information, turned = np.linalg.eigh(axes.T @ slopes @ axes)
        largest = information.max(axis=1, initial=0.0)[:, None]
        spread = params.coef[:, :-1] @ (vectors[:, kept] * np.sqrt(values[kept]))
        spread = np.einsum("kij,ki->kj", turned, spread)
        # Along a column that is constant on an expert's rows there is no information either, but no way to run.
        lost = (information + 1e-13 * largest < LEAST_INFORMATION) & (np.abs(spread) > FAR)
        return lost.any(axis=1)

    def report(self, params, design):
        return GLMReport(*design.to_user_units(params.coef), params.dispersion)

    def equations(self, report, feature_names, target):
        left = target if self.link == "identity" else f"{self.link}({target})"
        return [
            f"{left} = {self._equation(coef, intercept, feature_names)}{self.dispersion_text(dispersion)}"
            for coef, intercept, dispersion in zip(*report, strict=True)
        ]

    def dispersion_text(self, dispersion):
        return ""


class ScaledGLMExpert(GLMExpert):
    """GLM experts whose dispersion phi scales the variance: Gaussian, gamma, inverse Gaussian.

    A family says its `deviance`: log p = -deviance / (2 phi) + terms without the mean. So a step that lowers the
    deviance is right for every phi, and phi's maximiser at the old deviance is right after it: the joint update never
    lets Q fall, eq. (dispersion-update).
    """

    exact = dispersed = True
    ceiling = np.inf  # largest dispersion

    def __init__(
        self,
        link="log",
        alpha=0.1,
        l1_ratio=0.0,
        shrink_to=None,
        scale_penalty=True,
        dispersion_prior=(1.0, 0.1),
        dispersion_floor="auto",
        shared_dispersion=False,
        shared_coef=None,
        fixed_coef=None,
        nonnegative=False,
    ):
        self.link = link
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.shrink_to = shrink_to
        self.scale_penalty = scale_penalty
        self.dispersion_prior = dispersion_prior
        self.dispersion_floor = dispersion_floor
        self.shared_dispersion = shared_dispersion
        self.shared_coef = shared_coef
        self.fixed_coef = fixed_coef
        self.nonnegative = nonnegative

    def _check(self):
        super()._check()
        check_prior(self.dispersion_prior, "dispersion_prior")
        check_choice(self.shared_dispersion, "shared_dispersion", (True, False))
        if self.dispersion_floor != "auto":
            check_real(self.dispersion_floor, "dispersion_floor", positive=True)

    @abstractmethod
    def unit_variance(self, mean):
        """Variance of y where the dispersion is one, (n, K)."""

    def unit_variance_slope(self, mean):
        """Its derivative by the mean, (n, K); by differences for families that do not say it."""
        step = STEP * np.where(mean == 0, 1.0, np.abs(mean))
        near, far = (self.unit_variance(mean + s) - self.unit_variance(mean - s) for s in (step, 2.0 * step))
        return (8.0 * near - far) / (12.0 * step)

    @abstractmethod
    def deviance(self, y, mean):
        """Deviance of a row, (n, K)."""

    def variance_function(self, mean, dispersion, trials):
        return dispersion * self.unit_variance(mean)

    def dispersion_statistics(self, y, eta, mean, dispersion, trials):
        return [self.deviance(y, mean)]

    def penalty_scale(self, dispersion):
        return dispersion if self.scale_penalty else super().penalty_scale(dispersion)

    def density_derivatives(self, y, eta, mean, dispersion, trials):
        """Eq. (glm-derivatives)."""
        slope, bend = (f(mean, eta, self.largest_) for f in (self.link_.slope, self.link_.bend))
        unit = self.unit_variance(mean)
        force = (y - mean) / (dispersion * unit)
        curvature = force * (bend - slope**2 * self.unit_variance_slope(mean) / unit) - slope**2 / (dispersion * unit)
        score = force * slope
        first, second = self.dispersion_derivatives(self.deviance(y, mean), dispersion)
        return stacked([score, first], [[curvature, -score], [second]])

    def dispersion_derivatives(self, deviance, dispersion):
        """First and second derivatives (n, K) of the log-density by the log-dispersion."""
        half = 0.5 * deviance / dispersion
        return half - 0.5, -half

    def _dispersion_scalars(self, params):
        terms = [("", "log(dispersion)")]
        return log_scalars(params.dispersion[:, None], terms, self.shared_dispersion, self.floor_, self.ceiling)

    def prior_derivatives(self, params):
        count = np.full((len(params.coef), 1), self.prior_rows_)
        count[1:] *= not self.shared_dispersion  # the prior of a shared one counts once
        ridge = self.penalty_, self.lasso_, params.dispersion[:, None], self.scale_penalty
        return ridge_derivatives((params.coef - self.anchor_)[:, None], *ridge, count, self.prior_dispersion_)

    def _bind_dispersion(self, rows, mean):
        y, total = rows.y[:, 0], rows.weight.sum()
        center, unit = mean[0], self.unit_variance(mean)[0]
        spread = rows.weight @ (y - center) ** 2 / total / unit
        # A constant target has no scale of its own: take the size of its values.
        spread = spread if spread > 1e-28 * center**2 / unit else center**2 / unit or 1.0
        self.start_dispersion_ = np.array([spread])
        if self.dispersion_floor == "auto":
            self.floor_ = max(AUTO_FLOOR * spread, rounding_step(y) ** 2 / 12.0 / unit)
        else:
            self.floor_ = self.dispersion_floor * spread
        self.prior_rows_ = self.prior_dispersion_ = 0.0

    def _bind_prior(self, dispersion):
        count, fraction = (0.0, 1.0) if self.dispersion_prior is None else self.dispersion_prior
        self.prior_rows_, self.prior_dispersion_ = count, fraction * float(dispersion[0])
        self.global_dispersion_ = float(dispersion[0])

    def solve_dispersion(self, count, deviance):
        """Maximiser (K,) of -count / 2 log phi - deviance / (2 phi), or what stands for it in the family."""
        return deviance / count

    def update_dispersion(self, dispersion, weight, sums, ridge):
        count, deviance = self._with_prior(weight, sums, ridge)
        solved = self.solve_dispersion(np.where(count > 0, count, 1.0), deviance)
        return np.where(count > 0, np.maximum(solved, self.floor_), dispersion)

    def _with_prior(self, weight, sums, ridge):
        return weight + self.prior_rows_, sums[:, 0] + ridge + self.prior_rows_ * self.prior_dispersion_

    def log_prior_density(self, params):
        dispersion = params.dispersion[:1] if self.shared_dispersion else params.dispersion
        prior = self.prior_rows_ * (np.log(dispersion) + self.prior_dispersion_ / dispersion)
        return super().log_prior_density(params) - 0.5 * prior.sum()

    def dispersion_gradient(self, dispersion, weight, sums, ridge):
        count, deviance = self._with_prior(weight, sums, ridge)
        return np.where(dispersion > self.floor_, 0.5 * (deviance / dispersion - count), 0.0)

    def n_parameters(self, params):
        return super().n_parameters(params) + (1 if self.shared_dispersion else len(params.dispersion))

    def warnings(self, params, stats):
        found = super().warnings(params, stats)
        if self.global_dispersion_ > self.floor_:
            at_floor = np.flatnonzero(params.dispersion <= self.floor_ * (1 + 1e-9))
            if len(at_floor):
                found.append(
                    f"the dispersion of expert(s) {at_floor.tolist()} is at its floor: they fit rows exactly. Use a "
                    "dispersion_prior, raise dispersion_floor or use fewer experts"
                )
        return found

    def dispersion_text(self, dispersion):
        return f",  dispersion {dispersion:.3g}"
