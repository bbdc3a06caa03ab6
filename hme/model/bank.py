"""Several mixtures of the same families and rows side by side: one bank of all their experts, and all their gates.

What a sweep of a small table costs is hardly arithmetic: most of it is the way to each array function and back. So the
steps of R mixtures of K experts are taken as those of R K experts, whose responsibilities are normalised K by K.
"""

from math import prod
from typing import Any, NamedTuple

import numpy as np

from ..numerics import statistics
from ..numerics.kernels import pairs_shared
from .mixture import Params

__all__ = ["Bank", "Packing", "Seen", "Shares", "largest"]


class Shares(NamedTuple):
    """What each expert, or gate, of several side by side contributes to numbers that are otherwise those of all."""

    log_prior: np.ndarray  # log-density of penalties and priors
    gradient: np.ndarray  # largest absolute entry of the scaled gradient
    rounding: np.ndarray = np.zeros(0)  # error of the log-likelihood; the squares of several add up


def largest(*arrays):
    """Largest absolute entry of arrays (K, ...), for each k; zero where there is none."""
    return np.max([np.abs(a).max(axis=tuple(range(1, a.ndim)), initial=0.0) for a in arrays], axis=0)


class Seen(NamedTuple):
    """What the E-step of a bank has found out; statistics of all mixtures stand one after the other."""

    gate: Any
    experts: Any
    load: np.ndarray  # (R, K)
    objective: np.ndarray  # (R,)
    gradient: np.ndarray  # (R,)
    rounding: np.ndarray  # (R,)


class Packing:
    """Named tuples of arrays as numbers (R, D): a row for each of R mixtures, of which some can be taken or changed.

    Parameters
    ----------
    sides : sequence of NamedTuple
        Of R mixtures, one after the other along the first axis of every array.
    n : int
        R.
    """

    def __init__(self, sides, n):
        self.kinds = [type(side) for side in sides]
        self.fields = [[((len(a) // n, *a.shape[1:]), a.dtype) for a in side] for side in sides]

    def packed(self, sides, n):
        """The numbers (n, D)."""
        flat = [
            a.reshape(n, prod(shape))
            for side, of in zip(sides, self.fields, strict=True)
            for a, (shape, _) in zip(side, of, strict=True)
        ]
        return np.concatenate(flat, axis=1, dtype=float, casting="unsafe")

    def unpacked(self, numbers):
        """A list of the sides."""
        n, stop, sides = len(numbers), 0, []
        for kind, of in zip(self.kinds, self.fields, strict=True):
            arrays = []
            for shape, dtype in of:
                start, stop = stop, stop + prod(shape)
                own = numbers[:, start:stop].reshape(n * shape[0], *shape[1:])
                arrays.append(own.astype(dtype, copy=False))
            sides.append(kind(*arrays))
        return sides


class Bank:
    """The steps of several mixtures at once: their parameters stand one after the other, and so do the results.

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
        share = rows.weight / rows.weight.max()
        self.typical = np.sqrt(rows.weight.max() * (share @ share / share.sum()))
        self._gates = {}

    @staticmethod
    def holds(mixture):
        """Whether mixtures of these families can stand side by side."""
        families = mixture.gate.separate and mixture.expert.separate
        return families and mixture.exact and not (mixture.routed or mixture.refitted)

    def _times(self, n):
        if n not in self._gates:
            self._gates[n] = self.gate.times(n)
        return self._gates[n]

    def init(self, resps):
        """As `Mixture.init`, from a list of responsibilities (heads, K): a list of `Params`."""
        n = len(resps)
        weighted = np.concatenate([resp.T for resp in resps]).T * self.heads.weight[:, None]
        gate = self._times(n).init(self.heads, weighted)
        experts = self.expert.init(self.rows, self.rows.spread(weighted))
        return list(map(Params, statistics.divided(gate, n), statistics.divided(experts, n)))

    def e_step(self, params, n):
        """As `Mixture.e_step`, of n mixtures: `Seen`."""
        gate, stats, log_likelihood = self._times(n), (None, None, 0.0), 0.0
        for block, heads in self.blocks:
            with pairs_shared(block.X):
                log_joint, seen_gate = gate.evaluate(params.gate, heads)
                log_prob, seen_experts = self.expert.evaluate(params.experts, block)
                log_joint += block.pooled(log_prob)
                log_density, resp = self._normalized(log_joint, heads, n)
                log_likelihood = log_likelihood + log_density @ heads.weight
                seen = block, block.spread(resp), seen_experts
                stats = (
                    gate.add(stats[0], gate.statistics(params.gate, heads, resp, seen_gate)),
                    self.expert.add(stats[1], self.expert.statistics(params.experts, *seen)),
                    stats[2] + resp.sum(axis=0),
                )
        return self._seen(gate, params, stats, log_likelihood)

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
        of_gate, of_experts = gate.shares(params.gate, stats[0]), self.expert.shares(params.experts, stats[1])
        log_prior, gradient, rounding = (a.reshape(n, -1) for a in of_experts)
        load = stats[2].reshape(n, -1)
        total = load.sum(axis=1)
        objective = (log_likelihood + of_gate.log_prior + log_prior.sum(axis=1) + self.log_hyperprior) / total
        gradient = np.maximum(of_gate.gradient, gradient.max(axis=1)) / total
        rounding = self.typical * np.sqrt(np.square(rounding).sum(axis=1)) / total
        return Seen(stats[0], stats[1], load, objective, gradient, rounding)

    def m_step(self, params, seen, n):
        """As `Mixture.m_step`, of n mixtures: `Params`, from anything that has their statistics as `Seen` does."""
        gate = self._times(n).update(params.gate, seen.gate, self.heads)
        return Params(gate, self.expert.update(params.experts, seen.experts, self.rows))

    def interpolate(self, old, new, steps):
        """As `Mixture.interpolate`, of n mixtures with steps (n,) of their own; all of them are beyond one or none is.

        Where a scale has vanished that mixture goes another way than those beside it.
        """
        n = len(steps)
        if n > 1 and not (self._positive(old) and self._positive(new)):
            parts = (statistics.divided(side, n) for side in (*old, *new))
            moved = [
                self.interpolate(Params(*own[:2]), Params(*own[2:]), steps[i : i + 1])
                for i, own in enumerate(zip(*parts, strict=True))
            ]
            return Params(*(statistics.concatenate(*side) for side in zip(*moved, strict=True)))
        of_gates, of_experts = (np.repeat(steps, len(side[0]) // n) for side in new)
        gate = self.gate.interpolate(old.gate, new.gate, of_gates)
        return Params(gate, self.expert.interpolate(old.experts, new.experts, of_experts))

    def _positive(self, params):
        """Whether all scales are positive."""
        sides = zip((self.gate, self.expert), params, strict=True)
        return all((side._asdict()[name] > 0).all() for family, side in sides for name in family.scales)
