"""Logarithmic opinion pools: class probabilities from the log-probabilities of several models, eq. (log-pool)."""

from copy import copy
from typing import NamedTuple

import numpy as np

from ..distributions import Categorical
from ..model.shrunk import AUTO, Shrunk
from ..model.traits import Traits
from ..model.wording import models_named, runaway
from ..numerics import penalties, pools
from ..numerics.checks import check_choice, check_real
from ..numerics.coordinates import Coordinates, Scalars
from ..numerics.divergence import running_away
from ..numerics.multinomial import STEEP
from ..numerics.rank import rank_of
from ..numerics.shrinkage import Evidence
from ..numerics.systems import solve_psd
from .base import AdditiveExpert

__all__ = ["PoolExpert"]

AT_BOUND = 1e-12  # weights up to this are zero


class PoolParams(NamedTuple):
    coef: np.ndarray  # (K, M + C), the weights of the models, then the intercepts of the classes, which sum to zero


class PoolReport(NamedTuple):
    """Opinion pools: `weights` (K, M) of the models and `intercept` (K, C), which sums to zero over the classes; for
    two classes (K, 1), what is added to the log-odds of the second class."""

    weights: np.ndarray
    intercept: np.ndarray


class PoolExpert(Shrunk, AdditiveExpert):
    """Logarithmic opinion pool of several models' class probabilities, eq. (log-pool).

    The columns of X are log-probabilities that M models give to the C classes, model by model: those of the first model
    for all classes, in the order of `classes_`, then those of the second model, and so on. An expert multiplies them
    by one weight for each model, and adds an intercept for each class; the softmax of the sums are its probabilities.
    Weights and intercepts are pure numbers, so that `standardize` of the estimator does not matter.

    Parameters
    ----------
    alpha : float or "auto", default=0.1
        Strength of the penalty on weights and intercepts, relative to the sum (not the mean) over rows. Intercepts are
        penalised so that those of classes without rows in an expert stay finite. 0 means no penalty. With "auto" one
        strength of all experts is estimated from the rows, eq. (evidence-alpha).
    shrink_to : {"global", "zero"}, default="global"
        What weights and intercepts are shrunk towards: those of the pooled fit (one expert fitted to all rows, with a
        light penalty of its own), or zero.
    nonnegative : bool, default=True
        Whether weights are constrained to be >= 0.
    shared_weights : bool, default=False
        Whether all experts have the same weights, and differ in their intercepts only.

    References
    ----------
    Genest, C. and Zidek, J. V. (1986). Combining probability distributions: a critique and an annotated bibliography.
    Statistical Science 1(1), 114-135. Heskes, T. (1998). Selecting weighting factors in logarithmic opinion pools.
    Advances in Neural Information Processing Systems 10, 266-272.

    Examples
    --------
    One model that says the right thing, too boldly:

    >>> import numpy as np
    >>> from hme import HMEClassifier
    >>> from hme.experts import PoolExpert
    >>> bold = np.log([[0.99, 0.01]] * 10 + [[0.01, 0.99]] * 10)
    >>> y = [0] * 8 + [1] * 10 + [0] * 2
    >>> model = HMEClassifier(depth=0, expert=PoolExpert(alpha=0.0)).fit(bold, y)
    >>> model.experts_.weights.round(3)
    array([[0.302]])
    >>> model.predict_proba(bold[:1]).round(2)
    array([[0.8, 0.2]])
    """

    traits = Traits(
        tasks=("classification",), measure="classes", domain="classes", exact=True, additive=True, smooth=True
    )
    adjustable, estimates = frozenset({"alpha", "shrink_to"}), frozenset({AUTO})

    def __init__(self, alpha=0.1, shrink_to="global", nonnegative=True, shared_weights=False):
        self.alpha = alpha
        self.shrink_to = shrink_to
        self.nonnegative = nonnegative
        self.shared_weights = shared_weights

    # -- binding to a table, and starts -------------------------------------------------------------------------------

    def bind(self, rows, design):
        check_choice(self.shrink_to, "shrink_to", ("global", "zero"))
        for name in ("nonnegative", "shared_weights"):
            check_choice(getattr(self, name), name, (True, False))
        bound = super().bind(rows, design)
        bound.alpha_ = check_real(self._strength(design), "alpha")
        C, p = int(rows.y.max()) + 1, len(design.scale)
        if p == 0 or p % C:
            raise ValueError(
                f"PoolExpert takes columns of log-probabilities, one for each model and class: with {C} classes a "
                f"multiple of {C}, got {p}. Choose them with expert_features."
            )
        bound.n_classes_, bound.n_models_ = C, p // C
        bound.n_tied_ = p // C if self.shared_weights else 0
        bound.units_ = design.scale[:, None], design.center[:, None]
        total, parts = rows.weight.sum(), rows.blocks()
        bound.moment_ = sum(pools.moment(bound._opinions(part), part.weight) for _, part in parts) / total
        bound.start_ = np.append(np.full(bound.n_models_, 1.0 / bound.n_models_), np.zeros(C))[None]
        bound.center_ = np.zeros_like(bound.start_)
        if self.shrink_to == "global" and bound.alpha_ > 0:
            alone = copy(bound)
            alone.alpha_ = min(bound.alpha_, penalties.LIGHT)
            bound.start_ = bound.center_ = alone.converge(bound.start(1), rows).coef
        return bound

    def start(self, n_experts):
        return PoolParams(np.repeat(self.start_, n_experts, axis=0))

    def _opinions(self, rows):
        """Log-probabilities (M, C, n) of the models, in the user's units."""
        scale, center = self.units_
        return (rows.X[:, :-1].T * scale + center).reshape(self.n_models_, self.n_classes_, rows.n_rows)

    # -- densities ----------------------------------------------------------------------------------------------------

    def predict(self, params, rows):
        return pools.probabilities(params.coef, self._opinions(rows))[1].transpose(2, 0, 1)

    def predict_dist(self, params, rows):
        return Categorical(pools.probabilities(params.coef, self._opinions(rows))[0].transpose(2, 0, 1))

    def log_prob(self, params, rows):
        return self.evaluate(params, rows)[0]

    def evaluate(self, params, rows):
        opinions = self._opinions(rows)
        log_probability, probability = pools.probabilities(params.coef, opinions)
        return log_probability[:, rows.y, np.arange(rows.n_rows)].T, (opinions, probability)

    # -- the M-step ---------------------------------------------------------------------------------------------------

    def statistics(self, params, rows, resp, seen=None):
        opinions, probability = self.evaluate(params, rows)[1] if seen is None else seen
        return pools.statistics(probability, opinions, rows.y, resp)

    def update(self, params, stats, rows=None):
        """One damped Newton step within the bounds, eqs. (log-pool-step), (guard)."""
        step = self._maximum(params, stats) - params.coef
        change = self._change(step)
        length = np.divide(np.log1p(change), change, out=np.ones_like(change), where=change > 1e-12)
        if self.nonnegative:
            length = penalties.whole(length)
        if self.shared_weights:
            length = np.full_like(length, length.min())
        return PoolParams(self._feasible(params.coef + length[:, None] * step))

    def _feasible(self, coef):
        """Coefficients whose weights obey the bounds, and whose intercepts sum to zero."""
        weights, intercept = np.split(coef, [self.n_models_], axis=1)
        weights = np.maximum(weights, 0.0) if self.nonnegative else weights
        return np.concatenate([weights, intercept - intercept.mean(axis=1, keepdims=True)], axis=1)

    def _force(self, params, stats):
        """Gradient (K, M + C) of Q."""
        return stats.gradient - self.alpha_ * (params.coef - self.center_)

    def _systems(self, stats):
        """Minus the Hessians (K, M + C, M + C) of Q."""
        return stats.information + self.alpha_ * np.eye(stats.gradient.shape[1])

    def _maximum(self, params, stats):
        """Coefficients (K, M + C) that maximise the quadratic model of Q within the bounds, eq. (log-pool-step)."""
        coef, M = params.coef, self.n_models_
        systems = pools.tied(self._systems(stats), self.n_tied_)
        force = pools.joined(self._force(params, stats), self.n_tied_)
        if not self.nonnegative:
            return coef + pools.parted(solve_psd(systems, force[..., None])[..., 0], self.n_tied_, len(coef))
        free = pools.joined(coef, self.n_tied_)
        free[:, :M] = coef[: len(free), :M]  # shared weights as they are, and not their sum
        bound = np.where(np.arange(free.shape[1]) < M, np.inf, 0.0)  # a penalty of infinite slope below zero
        return pools.parted(penalties.lasso_minimum(systems, force, free, 0.0, bound), self.n_tied_, len(coef))

    def _change(self, step):
        """Typical change (K,) of the scores of the classes by steps (K, M + C), eq. (log-pool-change)."""
        return np.sqrt(np.maximum(np.einsum("kp,pq,kq->k", step, self.moment_, step), 0.0))

    def interpolate(self, old, new, step):
        return PoolParams(self._feasible(super().interpolate(old, new, step).coef))

    # -- the objective ------------------------------------------------------------------------------------------------

    def log_prior_density(self, params):
        return -0.5 * self.alpha_ * ((params.coef - self.center_) ** 2).sum()

    def gradient(self, params, stats):
        force = pools.joined(self._force(params, stats), self.n_tied_)
        at_bound = self._at_bound(params)[: len(force)]
        force[:, : self.n_models_][at_bound & (force[:, : self.n_models_] < 0)] = 0.0
        return force.ravel()

    def _at_bound(self, params):
        """Weights (K, M) that are held at zero."""
        return self.nonnegative & (params.coef[:, : self.n_models_] <= AT_BOUND)

    def _evidence(self, params, stats):
        own = np.where(self._movable(params), stats.information, 0.0)
        systems = pools.tied(own + self.alpha_ * np.eye(own.shape[1]), self.n_tied_)
        degrees = np.trace(solve_psd(systems, pools.tied(own, self.n_tied_)), axis1=1, axis2=2).sum()
        return Evidence(degrees, ((params.coef - self.center_) ** 2).sum())

    def n_parameters(self, params):
        K, free = len(params.coef), self.n_classes_ - 1
        return K * free + (1 if self.shared_weights else K) * (rank_of(self.moment_) - free)

    def _movable(self, params):
        """Pairs (K, M + C, M + C) of coefficients of which none is held at a bound."""
        free = np.concatenate([~self._at_bound(params), np.ones((len(params.coef), self.n_classes_), bool)], axis=1)
        return free[:, :, None] & free[:, None]

    def effective_df(self, params, stats):
        both = self._movable(params)
        own = np.where(both, stats.information, 0.0)
        shrunk = solve_psd(np.where(both, self._systems(stats), 0.0), own)  # eq. (own-df)
        return np.trace(shrunk, axis1=1, axis2=2)

    # -- boundaries ---------------------------------------------------------------------------------------------------

    def diverging(self, params, stats):
        step = self._maximum(params, stats) - params.coef
        gained = (step * self._force(params, stats)).sum(axis=1)
        step[:, self.n_models_ :] = 0.0  # the intercept alone diverges where a class has no rows
        running = running_away(self._change(step), gained, stats.weight)
        spread = np.sqrt(np.diagonal(self.moment_)[: self.n_models_])
        return np.flatnonzero(running | (np.abs(params.coef[:, : self.n_models_]) * spread > STEEP).any(axis=1))

    def warnings(self, params, stats):
        diverging = self.diverging(params, stats)
        if not len(diverging):
            return []
        return [
            f"the models (almost) separate the classes of expert(s) {diverging.tolist()}, so that weights "
            f"{runaway(self.alpha_, 'expert__alpha', self._estimated)}"
        ]

    # -- information --------------------------------------------------------------------------------------------------

    def coordinates(self, params, design):
        K, M, C = len(params.coef), self.n_models_, self.n_classes_
        names = [f"x{j}" for j in range(M * C)] if design.names is None else design.names
        terms = [("", name) for name in models_named(names, M)]
        terms += [("" if C == 2 else str(c), "(intercept)") for c in range(1, C)]
        weights, intercept = np.split(params.coef, [M], axis=1)
        value = np.concatenate([weights, intercept[:, 1:] - intercept[:, :1]], axis=1)
        held = np.full(value.shape, "", dtype="<U12")
        held[:, :M][self._at_bound(params)] = "at its bound"
        rate = np.repeat(np.eye(value.shape[1])[None], K, axis=0)
        shared = (np.arange(value.shape[1]) < M) & self.shared_weights
        return Coordinates(np.zeros((K, 0, 0)), (), Scalars(value, tuple(terms), value, rate, shared, held))

    def displaced(self, params, coef, scalar):
        return PoolParams(scalar @ self._contrasts().T)

    def _contrasts(self):
        """The matrix (M + C, M + C - 1) from weights and contrasts to the first intercept to coefficients."""
        M, C = self.n_models_, self.n_classes_
        turn = np.eye(M + C)
        turn[M:, M:] -= 1.0 / C
        return np.delete(turn, M, axis=1)

    def derivatives(self, params, rows):
        """By weights and by contrasts of intercepts to the first one, eq. (log-pool-derivatives)."""
        opinions, probability = self.evaluate(params, rows)[1]
        keep = np.delete(np.arange(params.coef.shape[1]), self.n_models_)
        first, second = pools.derivatives(probability, opinions, rows.y)
        return first[..., keep], second[..., keep[:, None], keep]

    def prior_derivatives(self, params):
        turn = self._contrasts()
        first = -self.alpha_ * (params.coef - self.center_) @ turn
        return first, np.repeat(-self.alpha_ * (turn.T @ turn)[None], len(first), axis=0)

    # -- what the user is shown ---------------------------------------------------------------------------------------

    def report(self, params, design):
        weights, intercept = np.split(params.coef, [self.n_models_], axis=1)
        return PoolReport(weights, intercept if self.n_classes_ > 2 else intercept[:, 1:] - intercept[:, :1])

    def equations(self, report, feature_names, target):
        lines, names = [], models_named(feature_names, report.weights.shape[1])
        for weights, intercept in zip(*report, strict=True):
            terms = [f"{weight:.3g} {name}" for weight, name in zip(weights, names, strict=True) if weight]
            intercepts = " ".join(f"{a:.3g}" for a in intercept + 0.0)
            pool = " + ".join(terms).replace("+ -", "- ") or "0"
            lines.append(f"logit({target}) = {pool},  intercept{'s' * (len(intercept) > 1)} {intercepts}")
        return lines
