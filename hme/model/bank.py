"""Several mixtures of the same families and rows side by side: one bank of all their experts, and all their gates.

What a sweep of a small table costs is hardly arithmetic: most of it is the way to each array function and back. So the
steps of R mixtures of K experts are taken as those of R K experts, whose responsibilities are normalised K by K.
"""

from typing import Any, NamedTuple

import numpy as np

from ..numerics import statistics
from .mixture import Params

__all__ = ["Bank", "Seen", "Shares", "largest"]


class Shares(NamedTuple):
    """What each expert, or gate, of several side by side contributes to numbers that are otherwise those of all."""

    log_prior: np.ndarray  # log-density of penalties and priors
    gradient: np.ndarray  # largest absolute entry of the scaled gradient
    rounding: np.ndarray = np.zeros(0)  # error of the log-likelihood; the squares of several add up


def largest(*arrays):
    """Largest absolute entry of arrays (K, ...), for each k; zero where there is none."""
    return np.max([np.abs(a).max(axis=tuple(range(1, a.ndim)), initial=0.0) for a in arrays], axis=0)


class Seen(NamedTuple):
    """`Statistics` of one mixture of a bank, with what else its E-step has found out."""

    gate: Any
    experts: Any
    load: np.ndarray  # (K,)
    gradient: float
    rounding: float


class Bank:
    """The steps of several mixtures at once, as lists with an entry for each of them.

    The result for one mixture is, up to rounding, what `Mixture` says, whichever others stand beside it.

    Parameters
    ----------
    mixture : Mixture
        Whose gate and experts are `separate`.
    rows : Rows
    """

    def __init__(self, mixture, rows):
        self.gate, self.expert = mixture.gate, mixture.expert
        self.log_hyperprior = mixture.log_hyperprior
        self.blocks = [(block, block.heads()) for _, block in rows.blocks()]
        self.rows, self.heads = rows, rows.heads()
        self.total = self.heads.weight.sum()
        share = rows.weight / rows.weight.max()
        self.typical = np.sqrt(rows.weight.max() * (share @ share / share.sum()))

    @staticmethod
    def holds(mixture):
        """Whether mixtures of these families can stand side by side."""
        families = mixture.gate.separate and mixture.expert.separate
        return families and mixture.exact and not (mixture.routed or mixture.refitted)

    def init(self, resps):
        """As `Mixture.init`, from a list of responsibilities (heads, K)."""
        n = len(resps)
        weighted = np.concatenate([resp.T for resp in resps]).T * self.heads.weight[:, None]
        gate = self.gate.times(n).init(self.heads, weighted)
        return _parted(gate, self.expert.init(self.rows, self.rows.spread(weighted)), n)

    def e_step(self, params):
        """As `Mixture.e_step`, from a list of `Params`: a list of pairs of the objective and `Seen`."""
        n = len(params)
        gates, experts = (statistics.concatenate(*side) for side in zip(*params, strict=True))
        gate, stats = self.gate.times(n), (None, None, 0.0)
        log_likelihood = np.zeros(n)
        for block, heads in self.blocks:
            log_joint, seen_gate = gate.evaluate(gates, heads)
            log_prob, seen_experts = self.expert.evaluate(experts, block)
            log_joint += block.pooled(log_prob)
            log_density, resp = self._normalized(log_joint, heads, n)
            log_likelihood += log_density @ heads.weight
            seen = block, block.spread(resp), seen_experts
            stats = (
                gate.add(stats[0], gate.statistics(gates, heads, resp, seen_gate)),
                self.expert.add(stats[1], self.expert.statistics(experts, *seen)),
                stats[2] + resp.sum(axis=0),
            )
        return self._seen(gate, (gates, experts), stats, log_likelihood)

    def _normalized(self, log_joint, heads, n):
        """Bayes' rule (K by K): log-densities (n, heads) and responsibilities (heads, n K) times the weights."""
        scores = np.ascontiguousarray(log_joint.T).reshape(n, -1, heads.n_rows)
        if heads.log_label is not None:
            scores += heads.log_label.T
        top = scores.max(axis=1, keepdims=True)
        top[np.isneginf(top)] = 0.0
        scores -= top
        np.exp(scores, out=scores)
        total = scores.sum(axis=1, keepdims=True)
        scores *= heads.weight / np.where(total == 0.0, 1.0, total)
        return (np.log(total) + top)[:, 0], scores.reshape(-1, heads.n_rows).T

    def _seen(self, gate, params, stats, log_likelihood):
        n = gate.copies
        of_gate, of_experts = gate.shares(params[0], stats[0]), self.expert.shares(params[1], stats[1])
        log_prior, gradient, rounding = (a.reshape(n, -1) for a in of_experts)
        total = stats[2].reshape(n, -1).sum(axis=1)
        objective = (log_likelihood + of_gate.log_prior + log_prior.sum(axis=1) + self.log_hyperprior) / total
        gradient = np.maximum(of_gate.gradient, gradient.max(axis=1)) / total
        rounding = self.typical * np.sqrt(np.square(rounding).sum(axis=1)) / total
        parts = (*(statistics.divided(side, n) for side in stats[:2]), stats[2].reshape(n, -1))
        seen = map(Seen, *parts, gradient.tolist(), rounding.tolist())
        return list(zip(objective.tolist(), seen, strict=True))

    def m_step(self, params, seen):
        """As `Mixture.m_step`, from lists of `Params` and `Seen`: a list of `Params`."""
        n = len(params)
        gates, experts = (statistics.concatenate(*side) for side in zip(*params, strict=True))
        of_gates, of_experts = (statistics.concatenate(*side) for side in list(zip(*seen, strict=True))[:2])
        gate = self.gate.times(n).update(gates, of_gates, self.heads)
        return _parted(gate, self.expert.update(experts, of_experts, self.rows), n)


def _parted(gates, experts, n):
    """`Params` of n mixtures, from those of all gates and of all experts."""
    return list(map(Params, statistics.divided(gates, n), statistics.divided(experts, n)))
