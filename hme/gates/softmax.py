"""Softmax gating nodes: branch probabilities by a multinomial logit of x."""

from typing import NamedTuple

import numpy as np
from scipy.special import expit

from ..model.bank import Shares, largest
from ..model.shrunk import Shrunk
from ..model.traits import GateTraits
from ..model.wording import Terms, curve_lines, cut, linear_parts, linear_text, number, runaway
from ..numerics import multinomial, penalties
from ..numerics.coordinates import Coordinates, joined, ridge_derivatives
from ..numerics.kernels import linear_scores, symmetric
from ..numerics.paths import pair_moments, pair_priors
from ..numerics.rank import rank_of
from ..numerics.shrinkage import Evidence
from ..numerics.wide import WideGram, column_information
from .base import Question
from .hierarchy import NodeGate

__all__ = ["SoftmaxGate", "score_texts"]

SURE = np.log(9.0)  # log-odds at which a branch has 90 % of a row
# A node whose log-odds move less than this over a standard deviation does not look at x.
FLAT = 1e-6
# Strength per row that is estimated at least: borders are as good as sharp then, and would be sharper for ever.
LEAST = 1e-3


class SoftmaxParams(NamedTuple):
    coef: np.ndarray  # (M, B, p), symmetric coding, intercept last
    used: np.ndarray  # (M, B) of bool, the branches that exist


class SoftmaxReport(NamedTuple):
    """Gating nodes in the user's units: `coef` (M, B, p) and `intercept` (M, B).

    They sum to zero over the branches; with a lasso and more than two branches the median of slopes is zero.
    """

    coef: np.ndarray
    intercept: np.ndarray


class SoftmaxGate(Shrunk, NodeGate):
    """Softmax of linear scores at every gating node.

    Each M-step is one guarded Newton step of a weighted multinomial logit with soft targets, eqs. (logit-gradient) to
    (guard).

    Parameters
    ----------
    alpha : float, array-like of shape (p,), "auto" or "ard", default=0.1
        Strength of the penalty on the slopes in the symmetric coding, relative to the sum over rows; intercepts are not
        penalised. 0 means no penalty; an array has a strength for each column. With "auto" one strength is estimated
        from the rows, with "ard" one for each column, for all nodes together, eqs. (evidence-alpha) and (ard); both
        need ``l1_ratio=0``.
    l1_ratio : float, default=0.0
        Mixing parameter of the elastic net, from 0 (ridge) to 1 (lasso), eq. (elastic-net). If it is positive, slopes
        may be exactly zero. With two branches the lasso penalty is `alpha` times the slope of the log-odds.

    References
    ----------
    Jordan, M. I. and Jacobs, R. A. (1994). Hierarchical mixtures of experts and the EM algorithm. Neural Computation
    6(2), 181-214, eqs. 25-26.

    Examples
    --------
    >>> from hme import HMERegressor
    >>> from hme.gates import SoftmaxGate
    >>> X, y = [[-2.0], [-1.0], [0.1], [1.0], [2.0]] * 3, [2.0, 1.2, 0.0, 1.0, 2.1] * 3
    >>> model = HMERegressor(n_experts=2, gate=SoftmaxGate(alpha=1.0)).fit(X, y)
    >>> model.gate_.coef.shape
    (1, 2, 1)
    """

    traits = GateTraits(exact=True, smooth=True, sparse_input=True)
    adjustable = frozenset({"alpha", "l1_ratio"})

    def __init__(self, alpha=0.1, l1_ratio=0.0):
        self.alpha = alpha
        self.l1_ratio = l1_ratio

    def bind(self, rows, design):
        bound = super().bind(rows, design)
        bound.alpha_ = self._strength(design)
        bound.penalty_, bound.lasso_ = penalties.strengths(bound.alpha_, self.l1_ratio, design)
        bound.moment_ = multinomial.second_moment(rows.Z, rows.weight)
        bound.rank_ = rank_of(bound.moment_)
        return bound

    def start(self, used, n_columns):
        return SoftmaxParams(np.zeros((*used.shape, n_columns)), used)

    def log_branch(self, params, rows):
        return multinomial.log_probability(params.coef, rows.Z, params.used)

    def statistics(self, log_branch, rows, mass):
        return multinomial.statistics(log_branch, rows.Z, mass)

    def log_leaf(self, params, rows, paths):
        if not paths.pairs:
            return super().log_leaf(params, rows, paths)
        return pair_priors(paths, linear_scores(rows.Z, self.pair_slopes(params)).T)

    def pair_slopes(self, params):
        return params.coef[:, 1] - params.coef[:, 0]

    def from_pairs(self, total, curvature, gradient):
        gradient = np.stack([-gradient, gradient], axis=1)
        return multinomial.LogitStatistics(total, gradient, symmetric(curvature)[:, None])

    def slots(self, params):
        return params.coef[0] if multinomial.is_exact(*params.coef.shape[1:]) else None

    def from_slots(self, total, curvature, gradient):
        return multinomial.LogitStatistics(total, gradient[None], symmetric(curvature)[None])

    def gather(self, seen, rows, leaf, paths):
        if not paths.pairs:
            return super().gather(seen, rows, leaf, paths)
        return multinomial.pair_statistics(rows.Z, *pair_moments(paths, seen, leaf))

    def update(self, params, stats):
        system = (self.penalty_, 0.0, self.moment_, params.used, self.lasso_)
        return params._replace(coef=multinomial.guarded_step(params.coef, stats, *system))

    def interpolate(self, old, new, step):
        if self.lasso_ is not None and np.max(step) > 1.0:  # zeros, and which branch is the reference, are not foretold
            return new
        return old._replace(coef=old.coef + np.reshape(step, (-1, 1, 1)) * (new.coef - old.coef))

    def log_prior_density(self, params):
        return -0.5 * penalties.squares(params.coef, self.penalty_, self.lasso_).sum()

    def _evidence(self, params, stats):
        square = penalties.column_squares(params.coef, self.penalty_, self.alpha_)
        return Evidence(multinomial.degrees(stats, self.penalty_), square, LEAST)

    @property
    def separate(self):
        return not isinstance(self.moment_, WideGram)

    def shares(self, params, stats):
        own = penalties.squares(params.coef, self.penalty_, self.lasso_).sum(axis=1)
        return Shares(-0.5 * own, largest(multinomial.subgradient_of(params.coef, stats, self.penalty_, self.lasso_)))

    def gradient(self, params, stats):
        return multinomial.subgradient_of(params.coef, stats, self.penalty_, self.lasso_).ravel()

    def pulls(self, params, stats):
        return multinomial.pulls(params.coef, stats, self.penalty_, self.lasso_)[params.used].ravel()

    def n_parameters(self, params):
        if self.lasso_ is None:
            return int((params.used.sum(axis=1) - 1).sum()) * self.rank_
        if self.rank_ < params.coef.shape[2]:
            return multinomial.n_independent(params.coef, self.moment_, params.used)
        return multinomial.n_moved(params.coef, params.used)

    # -- what users are shown ------------------------------------------------------------------------------------------

    def warnings(self, params, stats):
        diverging = self.diverging(params, stats)
        if not len(diverging) or self._estimated:  # sharp borders are what the rows ask for
            return []
        slopes = runaway(self.alpha, "gate__alpha")
        return [f"gating node(s) {diverging.tolist()} separate their branches: slopes {slopes} or use fewer experts"]

    def report(self, params, design):
        return SoftmaxReport(*design.to_user_units(params.coef))

    def questions(self, report, branching, names, scale, max_terms=None):
        found = []
        for coef, intercept, n_branches in zip(report.coef, report.intercept, branching, strict=True):
            if n_branches == 2:
                found.append(log_odds(coef[1] - coef[0], intercept[1] - intercept[0], names, scale, max_terms))
                continue
            answers, curves = score_texts(coef[:n_branches], intercept[:n_branches], names, max_terms)
            found.append(Question("softmax of the scores", answers, curves))
        return found

    def column_strength(self, report, design):
        return np.abs(report.coef * design.scale).sum(axis=(0, 1))

    # -- information ---------------------------------------------------------------------------------------------------

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

    def column_information(self, stats):
        return column_information(stats.curvature)


def log_odds(slope, intercept, names, scale, max_terms):
    """The question when the log-odds of the second of two branches are positive."""
    if np.abs(slope * scale).max(initial=0.0) < FLAT:
        return Question(f"yes for {expit(intercept):.2f} of every row", ["no", "yes"])
    names = Terms.plain(names)
    if len(slope) > 1:
        short, intercept, names, n_left_out = cut(slope, intercept, names, max_terms)
        threshold, parts = linear_parts(intercept, short, names, -1.0)
        parts = [*parts, *([names.rest] if names.rest else [])]
        text = f"{' '.join(parts).lstrip('+')}{' ...' if n_left_out else ''} > {threshold}"
        return Question(text, ["no", "yes"], tuple(curve_lines(slope, names)))
    place, width = -intercept / slope[0], SURE / abs(slope[0])
    shown = number(place, names.digits, width), number(width, max(names.digits - 1, 1))
    return Question(f"{names[0]} {'>' if slope[0] > 0 else '<'} {shown[0]} +/- {shown[1]}", ["no", "yes"])


def score_texts(coef, intercept, names, max_terms, branch="branch"):
    """Linear scores (K, p) and (K,) as text, and lines about the curves in them."""
    texts, curves = [], []
    for k, (slope, constant) in enumerate(zip(coef, intercept, strict=True)):
        short, constant, terms, n_left_out = cut(slope, constant, Terms.plain(names), max_terms)
        texts.append(f"{linear_text(constant, short, terms)}{' ...' if n_left_out else ''}")
        curves += [f"{branch} {k}, {line}" for line in curve_lines(slope, terms)]
    return texts, tuple(curves)
