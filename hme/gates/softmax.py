"""Softmax gating nodes: branch probabilities by a multinomial logit of x."""

from typing import NamedTuple

import numpy as np

from ..numerics import multinomial, penalties, statistics
from ..numerics.coordinates import Coordinates, joined, ridge_derivatives
from .base import NodeGate

__all__ = ["SoftmaxGate"]


class SoftmaxParams(NamedTuple):
    coef: np.ndarray  # (M, B, p), symmetric coding, intercept last
    used: np.ndarray  # (M, B) of bool, the branches that exist


class SoftmaxReport(NamedTuple):
    """Gating nodes in the user's units: `coef` (M, B, p) and `intercept` (M, B).

    They sum to zero over the branches; with a lasso and more than two branches the median of slopes is zero.
    """

    coef: np.ndarray
    intercept: np.ndarray


class SoftmaxGate(NodeGate):
    """Softmax of linear scores at every gating node.

    Each M-step is one guarded Newton step of a weighted multinomial logit with soft targets, eqs. (logit-gradient) to
    (guard).

    Parameters
    ----------
    alpha : float, default=0.1
        Strength of the penalty on the slopes in the symmetric coding, a total; intercepts are free. 0 switches it off.
    l1_ratio : float, default=0.0
        Share of `alpha` that acts on absolute values, from 0 (ridge) over elastic nets to 1 (lasso), eq. (elastic-net):
        slopes may then be exactly zero. For two branches that is `alpha` times the slope of the log-odds.

    References
    ----------
    Jordan, M. I. and Jacobs, R. A. (1994). Hierarchical mixtures of experts and the EM algorithm. Neural Computation
    6(2), 181-214, eqs. 25-26.

    Examples
    --------
    >>> from hme import HMERegressor
    >>> from hme.gates import SoftmaxGate
    >>> X, y = [[-2.0], [-1.0], [0.1], [1.0], [2.0]], [2.0, 1.2, 0.0, 1.0, 2.1]
    >>> model = HMERegressor(n_experts=2, gate=SoftmaxGate(alpha=1.0)).fit(X, y)
    >>> model.gate_.coef.shape
    (1, 2, 1)
    """

    smooth = True

    def __init__(self, alpha=0.1, l1_ratio=0.0):
        self.alpha = alpha
        self.l1_ratio = l1_ratio

    def bind(self, rows, design):
        bound = super().bind(rows, design)
        bound.penalty_, bound.lasso_ = penalties.strengths(self.alpha, self.l1_ratio, design)
        bound.moment_ = multinomial.second_moment(rows.Z, rows.weight)
        return bound

    def start(self, used, n_columns):
        return SoftmaxParams(np.zeros((*used.shape, n_columns)), used)

    def log_branch(self, params, rows):
        return multinomial.log_probability(params.coef, rows.Z, params.used)

    def statistics(self, log_branch, rows, mass):
        return multinomial.statistics(log_branch, rows.Z, mass)

    def update(self, params, stats):
        system = (self.penalty_, 0.0, self.moment_, params.used, self.lasso_)
        return params._replace(coef=multinomial.guarded_step(params.coef, stats, *system))

    def interpolate(self, old, new, step):
        return old._replace(coef=old.coef + step * (new.coef - old.coef))

    def log_prior_density(self, params):
        return -0.5 * penalties.squares(params.coef, self.penalty_, self.lasso_).sum()

    def gradient(self, params, stats):
        return multinomial.subgradient_of(params.coef, stats, self.penalty_, self.lasso_).ravel()

    def pulls(self, params, stats):
        """How hard each slope is pulled from zero, in units of the lasso."""
        return multinomial.pulls(params.coef, stats, self.penalty_, self.lasso_)[params.used].ravel()

    def n_parameters(self, params):
        if self.lasso_ is not None:
            return multinomial.n_moved(params.coef, params.used)
        return int((params.used.sum(axis=1) - 1).sum()) * params.coef.shape[2]

    def column_information(self, stats):
        return statistics.diagonal(stats.curvature)

    # -- information --------------------------------------------------------------------------------------------------

    def coordinates(self, params, design):
        M, B, _ = params.coef.shape
        target = None if self.lasso_ is None else np.zeros_like(params.coef)
        return Coordinates(params.coef, tuple(map(str, range(B))), joined(n=M), True, params.used, target)

    def displaced(self, params, coef):
        return params._replace(coef=coef)

    def prior_derivatives(self, params):
        return ridge_derivatives(params.coef, self.penalty_, self.lasso_)

    def diverging(self, params, stats):
        system = (self.penalty_, 0.0, self.moment_, params.used, self.lasso_)
        return multinomial.diverging(params.coef, stats, *system)

    def warnings(self, params, stats):
        diverging = self.diverging(params, stats)
        if not len(diverging):
            return []
        return [
            f"gating node(s) {diverging.tolist()} separate their branches: slopes grow without bound, or all but. Use "
            "gate alpha > 0 or fewer experts"
        ]

    def report(self, params, design):
        return SoftmaxReport(*design.to_user_units(params.coef))
