"""Logistic experts: a multinomial logit model of class probabilities for each expert."""

from copy import copy
from typing import NamedTuple

import numpy as np

from ..distributions import Categorical
from ..model.bank import Shares, largest
from ..model.shrunk import Shrunk
from ..model.traits import Traits
from ..model.wording import linear_text, runaway
from ..numerics import multinomial, penalties
from ..numerics.coordinates import Coordinates, joined, ridge_derivatives
from ..numerics.rank import rank_of
from ..numerics.shrinkage import Evidence
from ..numerics.systems import solve_psd
from ..numerics.wide import WideGram, column_information
from .base import AdditiveExpert, shrinks_to_pooled

__all__ = ["LogisticExpert"]


class LogisticParams(NamedTuple):
    coef: np.ndarray  # (K, C, p), symmetric coding, intercept last


class LogisticReport(NamedTuple):
    """Logistic experts in the user's units: `coef` (K, C, p) and `intercept` (K, C), as in scikit-learn's multinomial
    coding; for two classes (K, 1, p) and (K, 1), the log-odds of the second class."""

    coef: np.ndarray
    intercept: np.ndarray


class LogisticExpert(Shrunk, AdditiveExpert):
    """Binary or multinomial logistic regression.

    Each M-step is one guarded Newton step of the weighted multinomial logit, eqs. (logit-gradient) to (guard).

    Parameters
    ----------
    alpha : float, array-like of shape (p,), "auto" or "ard", default=0.1
        Strength of the penalty on the slopes, relative to the sum over rows: 1 / C of scikit-learn's
        `LogisticRegression`, also for two classes. Intercepts are not penalised. 0 means no penalty; an array has a
        strength for each column. With "auto" one strength is estimated from the rows, with "ard" one for each column,
        for all experts together, eqs. (evidence-alpha) and (ard); both need ``l1_ratio=0``.
    l1_ratio : float, default=0.0
        Mixing parameter of the elastic net, from 0 (ridge) to 1 (lasso), eq. (elastic-net). If it is positive, slopes
        may be exactly zero.
    shrink_to : {None, "global", "zero"}, default=None
        What the slopes are shrunk towards: the pooled fit (one expert fitted to all rows, with a light penalty of its
        own), or zero. None means "zero" with a lasso or ``alpha="ard"``, else "global".

    References
    ----------
    Jordan, M. I. and Jacobs, R. A. (1994), appendix A. Boehning, D. (1992). Multinomial logistic regression algorithm.
    Annals of the Institute of Statistical Mathematics 44, 197-200.

    Examples
    --------
    >>> from hme import HMEClassifier
    >>> from hme.experts import LogisticExpert
    >>> X, y = [[0.0], [1.0], [2.0], [3.0]], [0, 1, 0, 1]
    >>> model = HMEClassifier(depth=0, expert=LogisticExpert(alpha=1.0, shrink_to="zero")).fit(X, y)
    >>> model.predict_proba([[1.5]]).round(2)
    array([[0.5, 0.5]])
    """

    traits = Traits(
        tasks=("classification",),
        measure="classes",
        domain="classes",
        sparse_input=True,
        exact=True,
        additive=True,
        smooth=True,
    )
    adjustable = frozenset({"alpha", "l1_ratio", "shrink_to"})

    def __init__(self, alpha=0.1, l1_ratio=0.0, shrink_to=None):
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.shrink_to = shrink_to

    def bind(self, rows, design):
        to_pooled = shrinks_to_pooled(self)
        bound = super().bind(rows, design)
        bound.n_classes_, bound.alpha_ = int(rows.y.max()) + 1, self._strength(design)
        bound._penalise(bound.alpha_, design)
        bound.moment_ = multinomial.second_moment(rows.X, rows.weight)
        bound.rank_ = rank_of(bound.moment_)
        bound.center_ = np.zeros((1, bound.n_classes_, rows.X.shape[1]))
        frequency = np.bincount(rows.y, rows.weight) / rows.weight.sum()
        params = LogisticParams(np.zeros_like(bound.center_))
        params.coef[..., -1] = np.log(frequency) - np.log(frequency).mean()
        bound.start_ = params.coef
        if to_pooled and np.max(bound.alpha_, initial=0.0) > 0:
            alone = copy(bound)
            alone._penalise(penalties.light(bound.alpha_, design, bound.moment_, rows.weight.sum()), design)
            bound.start_ = bound.center_ = alone.converge(params, rows).coef
        return bound

    def _penalise(self, alpha, design):
        """Set the strengths of the penalty on each column."""
        penalty, self.lasso_ = penalties.strengths(alpha, self.l1_ratio, design)
        # For two classes the penalty is one on the difference d. In the symmetric coding, with coefficients d/2 and
        # -d/2, |d|^2 is 2 (|d/2|^2 + |d/2|^2), while |d| is |d/2| + |d/2|.
        self.penalty_ = penalty * (2.0 if self.n_classes_ == 2 else 1.0)

    def start(self, n_experts):
        return LogisticParams(np.repeat(self.start_, n_experts, axis=0))

    def predict(self, params, rows):
        return np.exp(multinomial.log_probability(params.coef, rows.X))

    def predict_dist(self, params, rows):
        return Categorical(multinomial.log_probability(params.coef, rows.X))

    def log_prob(self, params, rows):
        return self.evaluate(params, rows)[0]

    def evaluate(self, params, rows):
        log_probability = multinomial.log_probability(params.coef, rows.X)
        return np.take_along_axis(log_probability, rows.y[:, None, None], axis=2)[:, :, 0], log_probability

    def statistics(self, params, rows, resp, seen=None):
        K, C, _ = params.coef.shape
        target = np.zeros((C, K, rows.n_rows)).transpose(2, 1, 0)
        np.put_along_axis(target, rows.y[:, None, None], resp[:, :, None], axis=2)
        seen = multinomial.log_probability(params.coef, rows.X) if seen is None else seen
        return multinomial.statistics(seen, rows.X, target)

    def update(self, params, stats, rows=None):
        system = (self.penalty_, self.center_, self.moment_)
        return LogisticParams(multinomial.guarded_step(params.coef, stats, *system, lasso=self.lasso_))

    def _evidence(self, params, stats):
        center = self.center_ if len(params.coef) > 1 else 0.0  # one expert is near its own pooled fit by nature
        square = penalties.column_squares(params.coef - center, self.penalty_, self.alpha_)
        return Evidence(multinomial.degrees(stats, self.penalty_), square)

    @property
    def separate(self):
        return not isinstance(self.moment_, WideGram)

    def log_prior_density(self, params):
        return -0.5 * penalties.squares(params.coef - self.center_, self.penalty_, self.lasso_).sum()

    def shares(self, params, stats):
        own = penalties.squares(params.coef - self.center_, self.penalty_, self.lasso_).sum(axis=1)
        slopes = multinomial.subgradient_of(params.coef, stats, self.penalty_, self.lasso_, self.center_)
        return Shares(-0.5 * own, largest(slopes), np.zeros(len(own)))

    def gradient(self, params, stats):
        return multinomial.subgradient_of(params.coef, stats, self.penalty_, self.lasso_, self.center_).ravel()

    def pulls(self, params, stats):
        """Gradient of the smooth part with respect to each slope, relative to the strength of the lasso, 1-D."""
        return multinomial.pulls(params.coef, stats, self.penalty_, self.lasso_, self.center_).ravel()

    def n_parameters(self, params):
        K, C, p = params.coef.shape
        if self.lasso_ is None:
            return K * (C - 1) * self.rank_
        distance = params.coef - self.center_
        if self.rank_ < p:
            return multinomial.n_independent(distance, self.moment_, center=self.center_)
        tied = (distance == 0).any(axis=0) & (self.center_[0] != 0)  # equal to the nonzero center of all experts
        return multinomial.n_moved(distance) + int(np.minimum(tied[:, :-1].sum(axis=0), C - 1).sum())

    def effective_df(self, params, stats):
        _, C, p = params.coef.shape
        if self.lasso_ is not None:
            return super().effective_df(params, stats)
        if isinstance(stats.curvature, WideGram):
            own = stats.curvature.trace(self.penalty_, 2.0 if C == 2 else 1.0)  # (K, pairs), or (K, C) of a bound
            return own.sum(axis=1) * (1.0 if C == 2 else (C - 1) / C)
        slots = np.arange(C)
        own = multinomial.hessian(stats.curvature, C)[:, slots, :, slots]  # (C, K, p, p); slots as if on their own
        own = (2.0 if C == 2 else 1.0) * own
        shrunk = solve_psd(own + np.diag(self.penalty_), own)
        return np.trace(shrunk, axis1=-2, axis2=-1).sum(axis=0) * (C - 1) / C

    def column_information(self, stats):
        return column_information(stats.curvature)

    # -- information --------------------------------------------------------------------------------------------------

    def coordinates(self, params, design):
        K, C, _ = params.coef.shape
        target = None if self.lasso_ is None else np.broadcast_to(self.center_, params.coef.shape)
        return Coordinates(params.coef, tuple(map(str, range(C))), joined(n=K), True, target=target)

    def displaced(self, params, coef, scalar):
        return params._replace(coef=coef)

    def derivatives(self, params, rows):
        """With respect to the contrasts of the classes to the first one, eq. (logistic-derivatives)."""
        proba = np.exp(multinomial.log_probability(params.coef, rows.X))[:, :, 1:]
        C = proba.shape[2] + 1
        second = proba[..., None] * proba[..., None, :]
        number = np.arange(C - 1)
        second[..., number, number] -= proba
        return np.eye(C)[rows.y][:, None, 1:] - proba, second

    def prior_derivatives(self, params):
        return ridge_derivatives(params.coef - self.center_, self.penalty_, self.lasso_)

    def diverging(self, params, stats):
        system = (self.penalty_, self.center_, self.moment_)
        return multinomial.diverging(params.coef, stats, *system, lasso=self.lasso_)

    def warnings(self, params, stats):
        diverging = self.diverging(params, stats)
        if not len(diverging):
            return []
        return [
            f"the classes are (almost) separable for expert(s) {diverging.tolist()}, so that slopes "
            f"{runaway(self.alpha_, 'expert__alpha', self._estimated)}"
        ]

    def report(self, params, design):
        coef = params.coef
        if coef.shape[1] == 2:
            coef = coef[:, 1:] - coef[:, :1]
        return LogisticReport(*design.to_user_units(coef))

    def class_scores(self, report):
        if report.coef.shape[1] > 1:
            return report
        return tuple(np.concatenate([np.zeros_like(field), field], axis=1) for field in report)

    def equations(self, report, feature_names, target):
        lines = []
        for coef, intercept in zip(*report, strict=True):
            if len(coef) == 1:
                lines.append(f"log-odds({target}) = {linear_text(intercept[0], coef[0], feature_names)}")
            else:
                lines.append(f"multinomial logit of {len(coef)} classes, intercepts {intercept.round(2).tolist()}")
        return lines
