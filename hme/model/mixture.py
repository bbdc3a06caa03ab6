"""The mixture of gate and experts: joint density of leaf and y, Bayes' rule, E-step and M-step."""

from functools import partial, reduce
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from ..numerics.engine import in_order, in_use, neglect, work
from ..numerics.kernels import log_normalize, pairs_shared
from ..numerics.shrinkage import estimated, log_hyperprior
from .branches import BRANCH_LEAVES, BRANCH_ROWS, Branches, routed_rows, routed_sums
from .rows import BLOCK_ROWS, PRUNED_ROWS, block_rows, small_rows
from .uncertainty import Uncertainty
from .wording import by_name

__all__ = ["Mixture", "Params", "Statistics", "starving"]

# A leaf is starving if its weight is less than this fraction of the mean weight of the leaves.
STARVING = 1e-3
# The gate's probabilities are summed for so many rows before a fit, and may differ from one by this much.
CHECKED, SUM_TOL = 100, 1e-6
# Leaves from which it pays that rows visit only some of them: for sums of a sweep, and for means.
MANY_SUMS, MANY_MEANS = 3, 24
MANY_BRANCHES = 128  # the same where they visit subtrees
ROUTED_ROWS = 4096  # from which each expert has enough rows of its own under a routed gate


class Params(NamedTuple):
    """The parameters that EM estimates: the gate's and the experts'."""

    gate: Any
    experts: Any


class Statistics(NamedTuple):
    """The sufficient statistics that an E-step collects for the M-step."""

    gate: Any
    experts: Any
    load: np.ndarray  # (K,) weight of each leaf


def starving(load):
    """Indices of the leaves that have almost no weight, from the weights `load` (K,) of all leaves."""
    return np.flatnonzero(load < STARVING * load.mean())


def _parts(rows, size):
    """Blocks of rows."""
    return (block for _, block in rows.blocks(size))


def _of_blocks(function, rows, size):
    """What a function returns for blocks of rows, a list; None if it returns that."""
    found = []
    for own in in_order(function, _parts(rows, size)):
        if own is None:
            return None
        found.append(own)
    return found


class Mixture:
    """A mixture of experts: a gate and a family of experts, both bound to a training table.

    It holds no parameters; every method takes them as an argument. Rows come in groups where ``rows.group`` is given;
    responsibilities and log-densities then have one row for each group ("heads", see `Rows`).

    Parameters
    ----------
    gate : Gate
    expert : Expert
    rate : float
        Rows that a unit of weight stands for where strengths of penalties are estimated.
    """

    def __init__(self, gate, expert, rate=1.0):
        self.gate = gate
        self.expert = expert
        self.rate = rate
        strengths = [alpha for side in self.alphas.values() for alpha in side.values()]
        self.log_hyperprior = sum(log_hyperprior(alpha, rate) for alpha in strengths)

    @property
    def alphas(self):
        """The estimated strengths of penalties in force, a dict of sides, gate and experts, and of names in them."""
        sides = {"expert": self.expert.alphas, "gate": self.gate.alphas}
        return {side: alphas for side, alphas in sides.items() if alphas}

    def estimated_alphas(self, params, stats):
        """`alphas` anew, from the sums of an E-step, eq. (evidence-alpha)."""
        sides = {"expert": self.expert.evidence(params.experts, stats.experts)}
        sides["gate"] = self.gate.evidence(params.gate, stats.gate)
        return {
            side: {name: estimated(one, self.rate) for name, one in found.items()}
            for side, found in sides.items()
            if found
        }

    @property
    def exact(self):
        """Whether no M-step decreases the objective, unless a step overshoots."""
        return self.gate.traits.exact and self.expert.traits.exact

    @property
    def refitted(self):
        """Whether an M-step refits something from scratch: the objective may fall, and steps cannot be halved."""
        return self.gate.traits.refitted or self.expert.traits.refitted

    @property
    def routed(self):
        """Whether the gate routes each row to a few leaves, so that only their experts are evaluated for it."""
        return self.gate.traits.routed

    def under(self, gate):
        """The mixture of the same experts with another gate."""
        return Mixture(gate, self.expert, self.rate)

    def n_leaves(self, params):
        """K, the number of leaves."""
        return self.gate.n_leaves(params.gate)

    def init(self, rows, resp):
        """Parameters from initial responsibilities (heads, K)."""
        heads = rows.heads()
        weighted = resp if (heads.weight == 1.0).all() else resp * heads.weight[:, None]
        params = Params(self.gate.init(heads, weighted), self.expert.init(rows, rows.spread(weighted)))
        self._check_prior(params, heads[:CHECKED])
        return params

    def _check_prior(self, params, heads):
        """Refuse a gate whose probabilities do not sum to one: the objective would not be a likelihood."""
        total = np.exp(self.log_prior(params, heads)).sum(axis=1)
        off = np.flatnonzero(~(np.abs(total - 1.0) <= SUM_TOL))
        if len(off):
            raise ValueError(
                f"gate = {self.gate.name}: the probabilities of the experts sum to {total[off[0]]:.4g}, not to 1, for "
                f"row {off[0]}. log_score must be the logarithm of probabilities, or log p(x, k) with "
                "traits.generative = True."
            )

    # -- Bayes' rule ---------------------------------------------------------------------------------------------------

    def log_prior(self, params, rows):
        """log g_k(x), (n, K), eq. (prior)."""
        return self.gate.log_prior(params.gate, rows)

    def log_joint(self, params, rows):
        """log g_k(x) + log p_k(y | x), (heads, K), eqs. (joint), (group); -inf for leaves a row is not routed to."""
        heads = rows.heads()
        if not self.routed:
            log_joint = self.log_prior(params, heads)
            log_joint += rows.pooled(self.expert.log_prob(params.experts, rows))
        else:
            active, log_prior = self.gate.route(params.gate, heads)
            (log_prob,) = self._of_active(params, rows, rows.spread(active), self.expert.log_prob)
            log_joint = np.full((self.n_leaves(params), heads.n_rows), -np.inf).T
            np.put_along_axis(log_joint, active, log_prior + rows.pooled(log_prob), axis=1)
        return log_joint if heads.log_label is None else log_joint + heads.log_label

    def posterior(self, params, rows):
        """log p(y | x) (heads,) and responsibilities (heads, K), eqs. (evidence) and (responsibility)."""
        log_density, resp = log_normalize(self.log_joint(params, rows))
        impossible = np.isneginf(log_density)
        if impossible.any():  # y has probability zero under every leaf: use the prior
            resp[impossible] = np.exp(self.log_prior(params, rows.heads())[impossible])
        return log_density, resp

    def evidence(self, params, rows):
        """log p(y | x), (heads,), eqs. (evidence), (group)."""
        branches = self._branches(params, rows)
        if branches is not None:
            return np.concatenate(_of_blocks(branches.evidence, rows, BRANCH_ROWS))
        return self._joined(params, lambda block: (self.posterior(params, block)[0],), rows)[0]

    # -- prediction ----------------------------------------------------------------------------------------------------

    def mean(self, params, rows):
        """Mean of y given x, (n, T), or class probabilities (n, C), eq. (mean)."""
        with work(rows.n_rows * self.n_leaves(params)):
            pruned = self._pruned(params, rows, self.expert.means_below, MANY_MEANS)
        if pruned is not None:
            return np.concatenate(pruned)
        branches = self._branches(params, rows, observed=False)
        if branches is not None:
            return np.concatenate(_of_blocks(branches.mean, rows, BRANCH_ROWS))
        return self._joined(params, lambda block: self._mixed(params, block, self.expert.predict)[:1], rows)[0]

    def log_proba(self, params, rows, n_classes):
        """Logarithms of class probabilities, (n, C), of which small ones do not underflow."""

        def of_classes(block):
            every = (np.full(block.n_rows, c) for c in range(n_classes))
            return np.stack([self.posterior(params, block._replace(y=y))[0] for y in every], axis=1)

        return rows.blockwise(of_classes)

    def moments(self, params, rows):
        """Mean and variance of y given x, (n, T) each, eqs. (mean) and (variance)."""

        def moments(block):
            mean, prior, means, within = self._mixed(params, block, self.expert.predict, self.expert.variance)
            with np.errstate(invalid="ignore"):  # a mean that is infinite
                square = np.where(np.isinf(within), np.inf, within + (means - mean[:, None]) ** 2)
            return mean, (prior * np.where(prior > 0, square, 0.0)).sum(axis=1)  # a variance may be infinite

        return self._joined(params, moments, rows)

    def visits(self, params, rows, active):
        """Iterate over the leaves, each with the rows that are routed to it.

        Parameters
        ----------
        params : Params
        rows : Rows
        active : ndarray of int of shape (n, k)
            The leaves of every row, as from ``gate.route``.

        Yields
        ------
        leaf : int
        slots : ndarray of int
            Positions of the leaf in the flattened `active`.
        experts : NamedTuple
            Parameters of its expert only.
        rows : Rows
            The rows routed to it, one for each slot, with the experts' design columns.
        """
        rows = rows._replace(Z=rows.X, active=None)  # experts use X only
        k, n_leaves = active.shape[1], self.n_leaves(params)
        short = active.astype(np.min_scalar_type(n_leaves))  # NumPy uses radix sort for integers of up to two bytes
        order = np.argsort(short, axis=None, kind="stable")  # slots of the first leaf, of the second, ...
        ends = np.cumsum(np.bincount(active.ravel(), minlength=n_leaves))
        for leaf, slots in enumerate(np.split(order, ends[:-1])):
            yield leaf, slots, self.expert.take(params.experts, [leaf]), rows[slots // k]

    def _mixed(self, params, rows, *functions):
        """The mean, and for the k leaves in use the prior (n, k, 1) and the values of `functions`, (n, k, T) each."""
        if self.routed:
            active, log_prior = self.gate.route(params.gate, rows)
            values = self._of_active(params, rows, active, *functions)
        else:
            log_prior = self.log_prior(params, rows)
            values = [function(params.experts, rows) for function in functions]
        prior = np.exp(log_prior)[:, :, None]
        with np.errstate(invalid="ignore"):
            mean = (prior * values[0]).sum(axis=1)
        if np.isnan(mean).any():  # an infinite mean that has no weight
            mean = np.where(prior > 0, prior * values[0], 0.0).sum(axis=1)
        return mean, prior, *values

    def _of_active(self, params, rows, active, *functions):
        """Values (n, k, ...) of functions of the experts, each evaluated only for the rows routed to it."""
        out = [None] * len(functions)
        for _, slots, experts, routed in self.visits(params, rows, active):
            if not len(slots):
                continue
            for i, function in enumerate(functions):
                value = function(experts, routed)[:, 0]
                if out[i] is None:
                    out[i] = np.empty((active.size, *value.shape[1:]))
                out[i][slots] = value
        return [value.reshape(*active.shape, *value.shape[1:]) for value in out]

    def _joined(self, params, function, rows):
        """Apply a function to blocks of rows and concatenate the results.

        With a routed gate blocks are larger, so that the rows of each expert are enough for efficient matrix products.
        """
        size = BLOCK_ROWS * 4 if self.routed else small_rows(self.n_leaves(params))
        parts = in_order(function, _parts(rows, size))
        return tuple(map(np.concatenate, zip(*parts, strict=True)))

    # -- the predictive density ----------------------------------------------------------------------------------------

    def uncertainty(self, params, rows):
        """The `Uncertainty` of parameters, from the rows that they were fitted to; without inflation."""

        def with_resp(block):
            return block, block.spread(self.posterior(params, block)[1] * block.heads().weight[:, None])

        parts = in_order(with_resp, _parts(rows, small_rows(self.n_leaves(params))))
        return Uncertainty(self.expert.uncertainty(params.experts, parts), np.ones(self.n_leaves(params)))

    # -- training ------------------------------------------------------------------------------------------------------

    def e_step(self, params, rows, assign=log_normalize):
        """One pass over the rows: the objective at `params`, eq. (objective), and the statistics for the M-step.

        Parameters
        ----------
        params : Params
        rows : Rows
        assign : callable
            Maps log-joint densities (heads, K) to the contributions to the objective (heads,) and the responsibilities
            (heads, K): Bayes' rule for EM, other rules for its variants.

        Returns
        -------
        objective : float
        stats : Statistics
        """
        log_likelihood, stats, n_leaves = 0.0, None, self.n_leaves(params)
        with work(rows.n_rows * n_leaves):
            if assign is log_normalize and rows.group is None and rows.log_label is None:
                together = self._summed(params, rows)
                if together is not None:
                    return (together[0] + self.log_prior_density(params)) / together[1].load.sum(), together[1]
            size, of_block = block_rows(n_leaves, in_use()), partial(self._of_block, params, assign)
            if assign is log_normalize and self._is_routed(rows):
                size, of_block = routed_rows(n_leaves), partial(routed_sums, self, params)
            elif assign is log_normalize and (branches := self._branches(params, rows)) is not None:
                size, of_block = BRANCH_ROWS, branches.sums
            # Draws follow each other; estimators that users give may not stand several threads.
            each = map if assign is not log_normalize or self.refitted else in_order
            for part, *own in each(of_block, _parts(rows, size)):
                log_likelihood, own = log_likelihood + part, Statistics(*own)
                stats = own if stats is None else self._added(stats, own)
        return (log_likelihood + self.log_prior_density(params)) / stats.load.sum(), stats

    def _of_block(self, params, assign, block):
        """The log-likelihood and the statistics of a block of rows."""
        heads = block.heads()
        with pairs_shared(block.X):
            log_joint, seen_gate = self.gate.evaluate(params.gate, heads)
            log_prob, seen_experts = self.expert.evaluate(params.experts, block)
            log_joint += block.pooled(log_prob)
            if heads.log_label is not None:
                log_joint += heads.log_label
            log_density, resp = assign(log_joint)
            if not (heads.weight == 1.0).all():
                resp *= heads.weight[:, None]
            gate = self.gate.statistics(params.gate, heads, resp, seen_gate)
            experts = self.expert.statistics(params.experts, block, block.spread(resp), seen_experts)
        return heads.weight @ log_density, gate, experts, resp.sum(axis=0)

    def _is_routed(self, rows):
        """Whether the rows have leaves, so many rows for each of these that it pays to evaluate no other experts."""
        if rows.active is None or rows.group is not None or rows.log_label is not None:
            return False
        alike = self.expert.traits.additive and len(self.expert.members) == 1 and not sp.issparse(rows.X)
        return alike and rows.n_rows >= ROUTED_ROWS

    def _branches(self, params, rows, observed=True):
        """The mixture as `Branches`, where it pays that rows visit few of them; else None.

        If y is observed, no group of rows and no labels may tell anything of their leaves, and densities have bounds.
        """
        if not neglect() or self.n_leaves(params) < MANY_BRANCHES or rows.n_rows < BRANCH_ROWS:
            return None
        if sp.issparse(rows.X) or sp.issparse(rows.Z):
            return None
        if observed and not (self.expert.traits.additive and rows.group is None and rows.log_label is None):
            return None
        if observed and self.expert.log_ceiling(params.experts, rows[:1]) is None:
            return None
        stages = self.gate.stages(params.gate, BRANCH_LEAVES)
        if stages is None:
            return None
        branches = Branches(self, params, stages, neglect())
        return branches if branches.pay(rows, observed) else None

    def _summed(self, params, rows):
        """The log-likelihood and the statistics, where functions of gate and experts together make them, or None."""
        found, slots = self._pruned(params, rows, self.expert.sums_below, MANY_SUMS), None
        if found is None and rows.Z is rows.X and not sp.issparse(rows.X):
            slots = self.gate.slots(params.gate)
        if slots is not None:
            sums = partial(self.expert.sums_below, params.experts, paths=None, slope=slots, neglect=0.0)
            found = _of_blocks(sums, rows, block_rows(self.n_leaves(params), in_use()))
        if found is None:
            return None
        log_likelihood, load, experts, of_gate = reduce(self._together, found)
        gather = self.gate.from_pairs if slots is None else self.gate.from_slots
        return log_likelihood, Statistics(gather(*of_gate), experts, load)

    def _together(self, a, b):
        """The sums of two blocks, as from ``expert.sums_below``, together."""
        of_gate = tuple(one + other for one, other in zip(a[3], b[3], strict=True))
        return a[0] + b[0], a[1] + b[1], self.expert.add(a[2], b[2]), of_gate

    def _pruned(self, params, rows, function, many):
        """A function of the experts by rows that visit few of `many` leaves, eq. (pruning); None if there is no way.

        Returned is a list of its results for blocks of rows.
        """
        n_leaves = self.n_leaves(params)
        if not (in_use() and neglect()) or rows.Z is not rows.X or sp.issparse(rows.X) or n_leaves < many:
            return None
        pairs = self.gate.pairs(params.gate)
        if pairs is None:
            return None
        return _of_blocks(lambda block: function(params.experts, block, *pairs, neglect()), rows, PRUNED_ROWS)

    def _added(self, a, b):
        """Statistics of two blocks together."""
        return Statistics(self.gate.add(a.gate, b.gate), self.expert.add(a.experts, b.experts), a.load + b.load)

    def m_step(self, params, stats, rows):
        """New parameters: each expert and each gating node maximises its own part of Q."""
        gate = self.gate.update(params.gate, stats.gate, rows.heads())
        return Params(gate, self.expert.update(params.experts, stats.experts, rows))

    def log_prior_density(self, params):
        """Sum of the penalties and log-priors in the objective, eq. (objective), not divided by the total weight."""
        of_params = self.gate.log_prior_density(params.gate) + self.expert.log_prior_density(params.experts)
        return of_params + self.log_hyperprior

    def gradient(self, params, stats):
        """Largest absolute entry of the scaled gradient of the objective, by Fisher's identity, eq. (fisher)."""
        gate = self.gate.gradient(params.gate, stats.gate)
        experts = self.expert.gradient(params.experts, stats.experts)
        return float(np.abs(np.append(gate, experts)).max(initial=0.0) / stats.load.sum())

    def rounding(self, params, stats, weight):
        """How much the objective may change because the densities of the experts are rounded, eq. (rounded-objective).

        `weight` (n,) are the weights of the rows: the error of a row counts as often as the row does.
        """
        share = weight / weight.max()
        typical = np.sqrt(weight.max() * (share @ share / share.sum()))
        return float(typical * self.expert.rounding(params.experts, stats.experts) / stats.load.sum())

    def interpolate(self, old, new, step):
        """Parameters at the fraction `step` of the way from `old` to `new`."""
        return Params(
            self.gate.interpolate(old.gate, new.gate, step), self.expert.interpolate(old.experts, new.experts, step)
        )

    # -- what users are shown ------------------------------------------------------------------------------------------

    def n_parameters(self, params):
        """Number of free parameters of gate and experts; raises NotImplementedError if they cannot be counted."""
        return self.gate.n_parameters(params.gate) + self.expert.n_parameters(params.experts)

    def at_floor(self, params):
        """Leaves of which something is at a floor that alone bounds their likelihood, an array of int."""
        return np.union1d(self.gate.at_floor(params.gate), self.expert.at_floor(params.experts))

    def warnings(self, params, stats):
        """Warnings about parameters at a boundary, a list of sentences."""
        found, names = self.gate.warnings(params.gate, stats.gate), self.expert.names
        if names:
            found = [by_name(sentence, list(map(repr, names))) for sentence in found]
        return found + self.expert.warnings(params.experts, stats.experts)
