"""Gate + experts = mixture: the joint density of leaf and y, Bayes' rule, and the M-step."""

from typing import Any, NamedTuple

import numpy as np

from .kernels import log_normalize

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
        return self.expert.exact

    def init(self, rows, resp):
        """Parameters from initial responsibilities (n, K)."""
        weighted = resp * rows.weight[:, None]
        return Params(self.gate.init(rows, weighted), self.expert.init(rows, weighted))

    def log_joint(self, params, rows):
        """log g_k(x) + log p_k(y | x), (n, K), eq. (joint)."""
        log_joint = self.gate.log_prior(params.gate, rows)
        log_joint += self.expert.log_prob(params.experts, rows)
        return log_joint

    def e_step(self, params, rows):
        """log p(y | x) (n,) and responsibilities (n, K), eqs. (evidence) and (responsibility)."""
        return log_normalize(self.log_joint(params, rows))

    def sweep(self, params, rows):
        """One pass over the rows: the objective at `params`, and the statistics for the step that follows."""
        log_likelihood, gate, experts, load = 0.0, None, None, 0.0
        for _, block in rows.blocks():
            log_joint, seen_gate = self.gate.evaluate(params.gate, block)
            log_prob, seen_experts = self.expert.evaluate(params.experts, block)
            log_joint += log_prob
            log_density, resp = log_normalize(log_joint)
            resp *= block.weight[:, None]
            log_likelihood += block.weight @ log_density
            gate = self.gate.add(gate, self.gate.statistics(params.gate, block, resp, seen_gate))
            experts = self.expert.add(experts, self.expert.statistics(params.experts, block, resp, seen_experts))
            load = load + resp.sum(axis=0)
        objective = (log_likelihood + self.log_prior_density(params)) / load.sum()
        return objective, Statistics(gate, experts, load)

    def m_step(self, params, stats, rows):
        """New parameters: each expert and each gating node maximises its own part of Q."""
        return Params(
            self.gate.update(params.gate, stats.gate, rows), self.expert.update(params.experts, stats.experts, rows)
        )

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
