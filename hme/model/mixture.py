"""Gate + experts = mixture: the joint density of leaf and y, Bayes' rule, and the M-step."""

from typing import Any, NamedTuple

import numpy as np

from ..numerics.kernels import log_normalize
from .rows import BLOCK_ROWS

__all__ = ["Mixture", "Params", "Statistics"]


class Params(NamedTuple):
    """What EM learns: the gate's parameters and the experts'."""

    gate: Any
    experts: Any


class Statistics(NamedTuple):
    """What a sweep gathers for the M-step."""

    gate: Any
    experts: Any
    load: np.ndarray  # (K,) weight of each leaf


class Mixture:
    """A mixture of experts: a gate and a family of experts, both bound to a training table, and no state.

    Parameters
    ----------
    gate : Gate
    expert : Expert
    """

    def __init__(self, gate, expert):
        self.gate = gate
        self.expert = expert

    @property
    def exact(self):
        """Whether no M-step lets the objective fall but by overshooting."""
        return self.gate.traits.exact and self.expert.traits.exact

    @property
    def refitted(self):
        """Whether an M-step fits something anew, so that the objective may fall and there is no way back by halves."""
        return self.gate.traits.refitted or self.expert.traits.refitted

    def init(self, rows, resp):
        """Parameters from initial responsibilities (heads, K)."""
        heads = rows.heads()
        weighted = resp * heads.weight[:, None]
        return Params(self.gate.init(heads, weighted), self.expert.init(rows, rows.spread(weighted)))

    def log_joint(self, params, rows):
        """log g_k(x) + log p_k(y | x), (heads, K), eqs. (joint), (group); -inf where a sparse gate has no such leaf."""
        heads = rows.heads()
        if not self.sparse:
            log_joint = self.gate.log_prior(params.gate, heads)
            log_joint += rows.pooled(self.expert.log_prob(params.experts, rows))
        else:
            active, log_prior = self.gate.route(params.gate, heads)
            (log_prob,) = self._visit(params, rows, rows.spread(active), ("log_prob",))
            log_joint = np.full((len(params.gate.coef), heads.n_rows), -np.inf).T
            np.put_along_axis(log_joint, active, log_prior + rows.pooled(log_prob), axis=1)
        return log_joint if heads.log_label is None else log_joint + heads.log_label

    def e_step(self, params, rows):
        """log p(y | x) (heads,) and responsibilities (heads, K), eqs. (evidence) and (responsibility)."""
        log_density, resp = log_normalize(self.log_joint(params, rows))
        nobody = np.isneginf(log_density)
        if nobody.any():  # y says nothing about who it comes from: as if it had not been seen
            resp[nobody] = np.exp(self.gate.log_prior(params.gate, rows.heads())[nobody])
        return log_density, resp

    # -- prediction ---------------------------------------------------------------------------------------------------

    @property
    def sparse(self):
        """Whether the gate lets a row use a few leaves only, so that no others are evaluated for it."""
        return self.gate.traits.routed

    def evidence(self, params, rows):
        """log p(y | x), (heads,), eqs. (evidence), (group)."""
        return self._joined(lambda block: (self.e_step(params, block)[0],), rows)[0]

    def mean(self, params, rows):
        """Mean of y given x, (n, T), or class probabilities (n, C), eq. (mean)."""
        return self._joined(lambda block: self._mixed(params, block, ("predict",))[:1], rows)[0]

    def moments(self, params, rows):
        """Mean and variance of y given x, (n, T) each, eqs. (mean) and (variance)."""

        def moments(block):
            mean, prior, means, within = self._mixed(params, block, ("predict", "variance"))
            spread = within + (means - mean[:, None]) ** 2
            return mean, (prior * np.where(prior > 0, spread, 0.0)).sum(axis=1)  # a variance may be infinite

        return self._joined(moments, rows)

    def _mixed(self, params, rows, methods):
        """The mean, and of the leaves that are used: prior (n, k, 1) and what each method says, (n, k, T)."""
        if self.sparse:
            active, log_prior = self.gate.route(params.gate, rows)
            values = self._visit(params, rows, active, methods)
        else:
            log_prior = self.gate.log_prior(params.gate, rows)
            values = [getattr(self.expert, method)(params.experts, rows) for method in methods]
        prior = np.exp(log_prior)[:, :, None]
        return (prior * values[0]).sum(axis=1), prior, *values

    def _visit(self, params, rows, active, methods):
        """What methods of the experts say, (n, k, ...), each expert being asked about the rows routed to it only."""
        rows = rows._replace(Z=rows.X, active=None)  # experts look at X
        n, k = active.shape
        n_leaves = len(params.gate.coef)
        short = active.astype(np.min_scalar_type(n_leaves))  # integers of two bytes or less are sorted by radix
        order = np.argsort(short, axis=None, kind="stable")  # slots of the first leaf, of the second, ...
        ends = np.cumsum(np.bincount(active.ravel(), minlength=n_leaves))
        out = [None] * len(methods)
        for leaf, slots in enumerate(np.split(order, ends[:-1])):
            if not len(slots):
                continue
            alone, routed = self.expert.take(params.experts, [leaf]), rows[slots // k]
            for i, method in enumerate(methods):
                value = getattr(self.expert, method)(alone, routed)[:, 0]
                if out[i] is None:
                    out[i] = np.empty((n * k, *value.shape[1:]))
                out[i][slots] = value
        return [value.reshape(n, k, *value.shape[1:]) for value in out]

    def _joined(self, function, rows):
        """Answers to all rows from those to blocks of them, large enough for the rows of one expert to fill a block."""
        size = BLOCK_ROWS * 4 if self.sparse else None
        return tuple(map(np.concatenate, zip(*(function(block) for _, block in rows.blocks(size)), strict=True)))

    # -- training -----------------------------------------------------------------------------------------------------

    def sweep(self, params, rows, posterior=log_normalize):
        """One pass over the rows: the objective at `params`, and the statistics for the step that follows.

        `posterior` turns log-joint densities (heads, K) into their contributions to the objective (heads,) and into
        responsibilities: Bayes' rule, or what stands for it in other algorithms than EM.
        """
        log_likelihood, gate, experts, load = 0.0, None, None, 0.0
        for _, block in rows.blocks():
            heads = block.heads()
            log_joint, seen_gate = self.gate.evaluate(params.gate, heads)
            log_prob, seen_experts = self.expert.evaluate(params.experts, block)
            log_joint += block.pooled(log_prob)
            if heads.log_label is not None:
                log_joint += heads.log_label
            log_density, resp = posterior(log_joint)
            resp *= heads.weight[:, None]
            log_likelihood += heads.weight @ log_density
            gate = self.gate.add(gate, self.gate.statistics(params.gate, heads, resp, seen_gate))
            seen = block, block.spread(resp), seen_experts
            experts = self.expert.add(experts, self.expert.statistics(params.experts, *seen))
            load = load + resp.sum(axis=0)
        objective = (log_likelihood + self.log_prior_density(params)) / load.sum()
        return objective, Statistics(gate, experts, load)

    def m_step(self, params, stats, rows):
        """New parameters: each expert and each gating node maximises its own part of Q."""
        gate = self.gate.update(params.gate, stats.gate, rows.heads())
        return Params(gate, self.expert.update(params.experts, stats.experts, rows))

    def log_prior_density(self, params):
        """Penalties and priors of the objective, eq. (objective), not divided by the weight."""
        return self.gate.log_prior_density(params.gate) + self.expert.log_prior_density(params.experts)

    def gradient(self, params, stats):
        """Largest entry of the scaled gradient of the objective, by Fisher's identity, eq. (fisher)."""
        gate = self.gate.gradient(params.gate, stats.gate)
        experts = self.expert.gradient(params.experts, stats.experts)
        return float(np.abs(np.append(gate, experts)).max(initial=0.0) / stats.load.sum())

    def interpolate(self, old, new, step):
        """Parameters on the way back from `new` to `old`."""
        return Params(
            self.gate.interpolate(old.gate, new.gate, step), self.expert.interpolate(old.experts, new.experts, step)
        )

    def n_parameters(self, params):
        return self.gate.n_parameters(params.gate) + self.expert.n_parameters(params.experts)

    def warnings(self, params, stats):
        """What is at a boundary, in sentences."""
        return self.gate.warnings(params.gate, stats.gate) + self.expert.warnings(params.experts, stats.experts)
