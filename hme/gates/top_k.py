"""The top-k gate: each row uses the k leaves that score highest for it, and no others."""

from numbers import Real
from typing import NamedTuple

import numpy as np
from sklearn.base import clone

from ..model.traits import GateTraits
from ..model.tree import Tree
from ..model.wording import runaway
from ..numerics import multinomial, penalties
from ..numerics.checks import check_int, check_real
from ..numerics.kernels import linear_scores, weighted_cross, weighted_gram
from ..numerics.systems import solve_psd
from . import stages
from .balance import balancing_bias, excess
from .base import Gate, Question
from .constant import proportion_derivatives
from .routing import curvature_bound, restricted, row_scores, scattered, top_k
from .softmax import SoftmaxGate, score_texts

__all__ = ["TopKGate"]

TILT = 0.5  # difference of the slopes of twins


class TopKParams(NamedTuple):
    coef: np.ndarray  # (K, p), symmetric coding, intercept last
    bias: np.ndarray  # (K,) added to the score where leaves are chosen, and nowhere else


class TopKStatistics(NamedTuple):
    """Additive statistics: enough for one step of the majoriser."""

    load: np.ndarray  # (K,) weight of the rows routed to each leaf
    gradient: np.ndarray  # (K, p) of the log-likelihood and the commitment, eq. (sparse-gradient)
    curvature: np.ndarray  # (K, p, p) bound of minus its Hessian, by leaves


class TopKReport(NamedTuple):
    """The gate in the user's units: `coef` (K, p) and `intercept` (K,) sum to zero over the leaves; `bias` (K,).

    With a lasso and more than two leaves the median of slopes is zero.
    """

    coef: np.ndarray
    intercept: np.ndarray
    bias: np.ndarray


class TopKGate(Gate):
    """One softmax over all leaves, restricted to the k largest scores of each row: only k experts are evaluated.

    The prior is eq. (sparse-prior), whatever the shape of the tree. Training starts with the dense softmax and
    continues in stages: each fixes the k leaves of every row, maximises the likelihood of that sparse model plus a
    commitment term, eq. (commitment), and then lets the gate choose again. The parameters that are best with the leaves
    of their own choice are kept.

    Parameters
    ----------
    k : int, default=2
        Number of leaves used for each row, at most the number of experts.
    alpha : float or array-like of shape (p,), default=0.1
        Strength of the penalty on the slopes in the symmetric coding, relative to the sum over rows; intercepts are not
        penalised. 0 means no penalty; an array has a strength for each column.
    l1_ratio : float, default=0.0
        Mixing parameter of the elastic net, from 0 (ridge) to 1 (lasso), eq. (elastic-net). If it is positive, slopes
        may be exactly zero.
    balance : float or None, default=None
        Largest load of a leaf (the weight of the rows routed to it) relative to the mean load; the smallest is 1 /
        `balance`. Greater than 1. On the training rows this is achieved by a bias for each leaf that enters only the
        choice of leaves. None does not balance the loads.
    commit : float, default=0.1
        Weight, from 0 to 1, of the commitment term: the log-probability that the dense softmax assigns to the leaves
        fixed in a stage. The likelihood alone does not depend on how these leaves compare with the others, so that with
        0 the gate drifts and chooses worse leaves from stage to stage.
    dense_sweeps : int, default=1000
        Largest number of sweeps with the dense softmax before the first stage; `max_iter` of the model limits all
        stages. A gate that has not converged makes worse choices.
    max_stages : int, default=20
        Largest number of stages.
    stage_sweeps : int, default=25
        Largest number of sweeps of a stage.

    References
    ----------
    Shazeer, N. et al. (2017). Outrageously large neural networks: the sparsely-gated mixture-of-experts layer. ICLR,
    eqs. 3-5 (without the noise), 6 and 10.

    Examples
    --------
    >>> import numpy as np
    >>> from hme import HMERegressor
    >>> from hme.gates import TopKGate
    >>> X = np.linspace(-2, 2, 200)[:, None]
    >>> model = HMERegressor(n_experts=4, gate=TopKGate(k=2)).fit(X, np.sin(2 * X[:, 0]))
    >>> int((model.gate_proba(X) > 0).sum(axis=1).max())
    2
    """

    traits = GateTraits(
        routed=True,
        exact=True,
        smooth=True,
        sparse_input=True,
        fixed="which leaves the gate has chosen for each row is taken as known, so that errors of its coefficients are "
        "those of a softmax over these leaves",
    )
    adjustable = frozenset({"alpha", "l1_ratio", "balance", "commit", "dense_sweeps", "max_stages", "stage_sweeps"})

    def __init__(
        self,
        k=2,
        alpha=0.1,
        l1_ratio=0.0,
        balance=None,
        commit=0.1,
        dense_sweeps=1000,
        max_stages=20,
        stage_sweeps=25,
    ):
        self.k = k
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.balance = balance
        self.commit = commit
        self.dense_sweeps = dense_sweeps
        self.max_stages = max_stages
        self.stage_sweeps = stage_sweeps

    def pruned(self, tree):
        return clone(self).set_params(k=min(self.k, tree.n_leaves))

    def bind(self, rows, design):
        for name in ("k", "dense_sweeps", "max_stages", "stage_sweeps"):
            check_int(getattr(self, name), name)
        if check_real(self.commit, "commit") > 1:
            raise ValueError(f"commit must be a number between 0 and 1, got {self.commit!r}.")
        if self.balance is not None:
            if isinstance(self.balance, bool | np.bool_) or not isinstance(self.balance, Real):
                raise TypeError(f"balance must be None or a finite number > 1, got {self.balance!r}.")
            if not 1 < self.balance < np.inf:
                raise ValueError(f"balance must be None or a finite number > 1, got {self.balance!r}.")
        if isinstance(self.alpha, str):
            raise ValueError(
                f"alpha must be a number for a TopKGate, got {self.alpha!r}: its stages have likelihoods of their own, "
                "to which the evidence approximation does not apply. Only SoftmaxGate takes 'auto' and 'ard'."
            )
        bound = super().bind(rows, design)
        bound.node_ = SoftmaxGate(self.alpha, self.l1_ratio).bind(rows, design)
        return bound

    # -- the dense softmax that training starts from -------------------------------------------------------------------

    def dense(self, n_leaves):
        """The softmax gate over all leaves."""
        return self.node_.over(Tree.flat(n_leaves))

    def to_dense(self, params):
        """Parameters of `dense`."""
        start = self.node_.start(np.ones((1, len(params.coef)), dtype=bool), params.coef.shape[1])
        return start._replace(coef=params.coef[None])

    def from_dense(self, params):
        """Parameters of this gate, without any bias."""
        return TopKParams(params.coef[0], np.zeros(params.coef.shape[1]))

    def init(self, rows, resp):
        K = resp.shape[1]
        if self.k > K:
            raise ValueError(f"k = {self.k!r} must be at most the number of experts, {K}.")
        if K == 1:
            return TopKParams(np.zeros((1, rows.Z.shape[1])), np.zeros(1))
        return self.from_dense(self.dense(K).init(rows, resp))

    def train(self, mixture, params, rows, run):
        """In stages, see the class."""
        return stages.train(mixture, params, rows, run)

    # -- routing -------------------------------------------------------------------------------------------------------

    def freeze(self, params, rows):
        """Parameters with the bias that balances the loads, and every row's leaves (n, k), eq. (active)."""
        if self.balance is not None:
            score = np.empty((len(params.coef), rows.n_rows)).T
            for index, block in rows.blocks():
                score[index] = linear_scores(block.Z, params.coef)
            bias = balancing_bias(score, rows.weight, self.k, self.balance, params.bias)
            params = params._replace(bias=bias)
        return params, np.concatenate([self.active(params, block) for _, block in rows.blocks()])

    def active(self, params, rows):
        """The leaves of every row, (n, k), in ascending order: those of `rows` where they are frozen."""
        return self.route(params, rows)[0]

    def route(self, params, rows):
        """The leaves of every row and their log-priors, (n, k) each, eqs. (active) and (sparse-prior)."""
        score = row_scores(rows.Z, params.coef)
        active = top_k(score + params.bias, self.k, overwrite=True) if rows.active is None else rows.active
        return active, restricted(score, active)[0]

    def twin(self, params, leaf, donor, number):
        """Parameters in which a leaf has the donor's scores, tilted along one column; `number` says which."""
        coef, bias = params.coef.copy(), params.bias.copy()
        coef[leaf], bias[leaf] = coef[donor], bias[donor]
        if coef.shape[1] > 1:
            column = number % (coef.shape[1] - 1)
            coef[leaf, column] += 0.5 * TILT
            coef[donor, column] -= 0.5 * TILT
        if self.node_.lasso_ is not None:
            return TopKParams(multinomial.shifted(coef[None], self.node_.penalty_, self.node_.lasso_)[0], bias)
        return TopKParams(coef - coef.mean(axis=0), bias)

    # -- the prior and the M-step --------------------------------------------------------------------------------------

    def log_prior(self, params, rows):
        active, log_prior = self.route(params, rows)
        return scattered(active, log_prior, len(params.coef), -np.inf)

    def log_score(self, params, rows):
        return self.evaluate(params, rows)[0]

    def evaluate(self, params, rows):
        active, log_prior = self.route(params, rows)
        if not self._commits(params, rows):
            return scattered(active, log_prior, len(params.coef), -np.inf), (active, log_prior, None)
        dense = multinomial.log_probability(params.coef[None], rows.Z)[:, 0]
        committed = log_prior + self.commit * restricted(dense, active)[1]  # eq. (commitment)
        return scattered(active, committed, len(params.coef), -np.inf), (active, log_prior, dense)

    def _commits(self, params, rows):
        return self.commit > 0 and rows.active is not None and rows.active.shape[1] < len(params.coef)

    def statistics(self, params, rows, resp, seen=None):
        active, log_prior, log_dense = self.evaluate(params, rows)[1] if seen is None else seen
        K = resp.shape[1]
        target = np.take_along_axis(resp, active, axis=1)
        total = target.sum(axis=1, keepdims=True)
        routed = np.bincount(active.ravel(), np.repeat(total, active.shape[1]), K)
        prior = np.exp(log_prior)
        commit = 0.0 if log_dense is None else self.commit
        moved = scattered(active, target - (1.0 - commit) * total * prior, K)
        bound = scattered(active, (1.0 - commit) * total * curvature_bound(prior), K)
        if commit:
            dense = np.exp(log_dense)
            moved -= commit * total * dense
            bound += commit * total * curvature_bound(dense)
        return TopKStatistics(routed, weighted_cross(rows.Z, moved), weighted_gram(rows.Z, bound))

    def update(self, params, stats, rows=None):
        """One over-relaxed step of the majoriser, damped as a dense softmax's, eqs. (over-relaxation) and (guard)."""
        penalty = self.node_.penalty_
        force = stats.gradient - penalty * params.coef
        if self.node_.lasso_ is not None:
            new = multinomial.majorised(stats.curvature, force, params.coef, penalty, self.node_.lasso_)[None]
            new = multinomial.shifted(new, penalty, self.node_.lasso_)
            return params._replace(coef=multinomial.part_way(params.coef[None], new, 0.0, self.node_.moment_)[0])
        step = solve_psd(stats.curvature + np.diag(penalty), force[..., None])[..., 0]
        step = multinomial.RELAXATION * (step - step.mean(axis=0))
        spread = multinomial.typical_spread(step[None], self.node_.moment_)[0]
        damping = np.log1p(spread) / spread if spread > 1e-12 else 1.0
        return params._replace(coef=params.coef + damping * step)

    def gradient(self, params, stats):
        force = stats.gradient - self.node_.penalty_ * params.coef
        lasso = self.node_.lasso_
        return (force if lasso is None else penalties.subgradient(force, params.coef, lasso)).ravel()

    def log_prior_density(self, params):
        return -0.5 * penalties.squares(params.coef, self.node_.penalty_, self.node_.lasso_).sum()

    def interpolate(self, old, new, step):
        return old._replace(coef=old.coef + step * (new.coef - old.coef))

    def n_parameters(self, params):
        # A bias is set by the loads, not by the likelihood.
        return self.node_.n_parameters(self.to_dense(params))

    # -- information ---------------------------------------------------------------------------------------------------

    def coordinates(self, params, design):
        return self.node_.coordinates(self.to_dense(params), design)

    def displaced(self, params, coef, leaf=None):
        return params._replace(coef=coef[0])

    def derivatives(self, params, rows, resp):
        return proportion_derivatives(np.exp(self.log_prior(params, rows)), resp)

    def prior_derivatives(self, params):
        return self.node_.prior_derivatives(self.to_dense(params))

    def diverging(self, params, stats):
        return np.arange(int(np.ptp(params.coef[:, :-1], axis=0).max(initial=0.0) > multinomial.STEEP))

    def column_information(self, stats):
        return np.einsum("kjj->j", stats.curvature)

    # -- what users are shown ------------------------------------------------------------------------------------------

    def warnings(self, params, stats):
        found = []
        if np.ptp(params.coef[:, :-1], axis=0).max(initial=0.0) > multinomial.STEEP:
            found.append(f"the gate's slopes {runaway(self.alpha, 'gate__alpha')} or use fewer experts")
        if self.balance is not None:
            mean = stats.load.mean()
            outside = np.flatnonzero(excess(stats.load, mean / self.balance, mean * self.balance) > 1e-9)
            if len(outside):
                found.append(
                    f"the loads of expert(s) {outside.tolist()} cannot be brought within balance={self.balance}: too "
                    "many rows are alike. Raise balance or use fewer experts"
                )
        return found

    def report(self, params, design):
        return TopKReport(*design.to_user_units(params.coef), params.bias)

    def questions(self, report, branching, names, scale, max_terms=None):
        answers, curves = score_texts(report.coef, report.intercept, names, max_terms, "leaf")
        if report.bias.any():
            answers = [f"{text}, bias {bias:+.3g}" for text, bias in zip(answers, report.bias, strict=True)]
        return [Question(f"softmax of the {self.k} largest of the scores", answers, curves)]

    def column_strength(self, report, design):
        return np.abs(report.coef * design.scale).sum(axis=0)
