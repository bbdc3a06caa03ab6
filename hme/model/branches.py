"""Passes over rows that visit only the branches of a large tree which carry mass for them, eq. (pruning).

The tree is cut: a gate over its subtrees comes first, and says by the ceilings of densities which rows a subtree gets;
within a subtree all leaves are evaluated, for any families of gating nodes and experts. Under a routed gate it is given
which leaves a row visits.
"""

from typing import Any, NamedTuple

import numpy as np

from ..numerics.kernels import log_normalize, pairs_shared
from ..numerics.statistics import placed
from .rows import block_rows

__all__ = ["BRANCH_LEAVES", "BRANCH_ROWS", "Branches", "routed_rows", "routed_sums"]

BRANCH_LEAVES = 16  # most leaves of a subtree: fewer, and what it costs to call functions counts
BRANCH_ROWS = 4096  # of a block, of which a subtree gets a share
ROUTED_NUMBERS, MOST_ROUTED_ROWS = 1 << 22, 1 << 15  # of rows and leaves, and rows, in a block under a routed gate
SHARE = 0.25  # of what may still be left out of a row, that one subtree may take
WORTH, SAMPLE = 0.7, 256  # share of subtrees, visited by so many rows, up to which it pays to choose


class Visit(NamedTuple):
    """Rows of a block in a subtree."""

    index: np.ndarray
    rows: Any
    resp: np.ndarray  # (m, leaves), within the subtree
    experts: Any  # parameters of its leaves
    seen: tuple  # what gate and experts have for `statistics`


class Branches:
    """A mixture under a gate in two stages, at given parameters.

    Parameters
    ----------
    mixture : Mixture
    params : Params
    stages : tuple
        As from ``gate.stages``.
    neglect : float
        Share of the density of a row that may be left out.
    """

    def __init__(self, mixture, params, stages, neglect):
        self.gate, self.expert, self.params, self.neglect = mixture.gate, mixture.expert, params, neglect
        self.top, self.below = stages
        self.n_leaves = sum(len(part.leaves) for part in self.below)
        self.experts = [self.expert.take(params.experts, part.leaves) for part in self.below]

    # -- which rows a subtree gets -------------------------------------------------------------------------------------

    def _visited(self, log_prior, likeliest, ceiling, floor):
        """Whether each row visits each subtree, (n, S) of bool; its likeliest one always.

        Parameters
        ----------
        log_prior : ndarray of shape (n, S)
        likeliest : ndarray of int of shape (n,)
        ceiling : ndarray of shape (S,)
            Of log-densities below the subtrees.
        floor : ndarray of shape (n,)
            Lower bounds of log-densities, less what all ceilings of a row have in common.
        """
        visited, slack = np.empty(log_prior.shape, dtype=bool, order="F"), np.full(len(floor), self.neglect)
        for s, most in enumerate(ceiling):
            lost = np.exp(np.minimum(log_prior[:, s] + most - floor, 1.0))
            visited[:, s] = ~(lost <= SHARE * slack) | (likeliest == s)  # nan is visited
            slack -= np.where(visited[:, s], 0.0, lost)
        return visited

    def _floor(self, rows, log_prior, likeliest):
        """Logarithms of the part of the density of each row that is in its likeliest subtree."""
        floor = np.empty(rows.n_rows)
        for s in range(len(self.below)):
            index = np.flatnonzero(likeliest == s)
            if len(index):
                own = log_normalize(self._joint(s, rows[index])[0])[0]
                floor[index] = own + log_prior[index, s]
        return floor

    def _joint(self, s, rows):
        """Log-joint densities of leaf and y in subtree s, and what gate and experts have for `statistics`."""
        part = self.below[s]
        log_joint, of_gate = part.gate.evaluate(part.params, rows)
        log_prob, of_experts = self.expert.evaluate(self.experts[s], rows)
        log_joint += log_prob
        return log_joint, (of_gate, of_experts)

    def pay(self, rows, observed):
        """Whether few of the subtrees carry mass for a sample of the rows."""
        some = rows[np.arange(0, rows.n_rows, max(rows.n_rows // SAMPLE, 1))]
        return self._chosen(some, self.top.gate.log_prior(self.top.params, some), observed).mean() <= WORTH

    def _chosen(self, rows, log_prior, observed=True):
        """Which subtrees carry mass for the rows, (n, S) of bool, by their log-priors, and by y if it is observed."""
        likeliest = log_prior.argmax(axis=1)
        if not observed:
            return self._visited(log_prior, likeliest, np.zeros(len(self.below)), np.zeros(rows.n_rows))
        of_rows, of_leaves = self.expert.log_ceiling(self.params.experts, rows)
        ceiling = np.array([of_leaves[part.leaves].max() for part in self.below])
        return self._visited(log_prior, likeliest, ceiling, self._floor(rows, log_prior, likeliest) - of_rows)

    def _evaluated(self, rows):
        """Log-joint densities (n, S) of subtree and y, `Visit`s by subtrees, and what the top has for `statistics`."""
        log_prior, of_top = self.top.gate.evaluate(self.top.params, rows)
        log_joint, visits = np.full(log_prior.shape, -np.inf, order="F"), {}
        for s, own in enumerate(self._chosen(rows, log_prior).T):
            index = np.flatnonzero(own)
            if len(index):
                inside = rows[index]
                within, seen = self._joint(s, inside)
                log_density, resp = log_normalize(within)
                log_joint[index, s] = log_density + log_prior[index, s]
                visits[s] = Visit(index, inside, resp, self.experts[s], seen)
        return log_joint, visits, of_top

    # -- what a pass is for --------------------------------------------------------------------------------------------

    def sums(self, rows):
        """Log-likelihood, statistics of gate and experts, loads (K,)."""
        log_joint, visits, of_top = self._evaluated(rows)
        log_density, share = log_normalize(log_joint)
        share *= rows.weight[:, None]
        gates, experts, load = (
            [self.top.gate.statistics(self.top.params, rows, share, of_top)],
            [],
            np.zeros(self.n_leaves),
        )
        for s, visit in visits.items():
            part, resp = self.below[s], visit.resp
            resp *= share[visit.index, s][:, None]
            with pairs_shared(visit.rows.X):
                gates.append(part.gate.statistics(part.params, visit.rows, resp, visit.seen[0]))
                experts.append(self.expert.statistics(visit.experts, visit.rows, resp, visit.seen[1]))
            load[part.leaves] += resp.sum(axis=0)
        nodes, leaves = [self.top.nodes, *(self.below[s].nodes for s in visits)], [self.below[s].leaves for s in visits]
        n_nodes = len(self.top.nodes) + sum(len(part.nodes) for part in self.below)
        stats = placed(gates, nodes, n_nodes), placed(experts, leaves, self.n_leaves)
        return rows.weight @ log_density, *stats, load

    def evidence(self, rows):
        """log p(y | x), (n,)."""
        return log_normalize(self._evaluated(rows)[0])[0]

    def mean(self, rows):
        """Mean of y given x, (n, T) or (n, C)."""
        log_prior = self.top.gate.log_prior(self.top.params, rows)
        total, mean = np.zeros(rows.n_rows), None
        for s, own in enumerate(self._chosen(rows, log_prior, observed=False).T):
            index = np.flatnonzero(own)
            if not len(index):
                continue
            part, inside = self.below[s], rows[index]
            prior = np.exp(part.gate.log_prior(part.params, inside) + log_prior[index, s][:, None])
            means = (prior[:, :, None] * self.expert.predict(self.experts[s], inside)).sum(axis=1)
            mean = np.zeros((rows.n_rows, means.shape[1])) if mean is None else mean
            mean[index] += means
            total[index] += prior.sum(axis=1)
        return mean / total[:, None]


def routed_rows(n_leaves):
    """Rows in a block under a routed gate: many, so that those of each leaf are enough for matrix products."""
    return min(max(ROUTED_NUMBERS // n_leaves, BRANCH_ROWS), MOST_ROUTED_ROWS)


def routed_sums(mixture, params, rows):
    """As `Branches.sums`, under a gate that has routed each row to the leaves ``rows.active``."""
    expert, visits, parts = mixture.expert, [], list(rows.blocks(block_rows(mixture.n_leaves(params))))
    # The gate sees all leaves: once before the experts and once after them, since to keep it takes more time.
    log_joint = np.concatenate(
        [_of_active(mixture.gate.log_score(params.gate, part), part.active) for _, part in parts]
    )
    for leaf, slots, own, inside in mixture.visits(params, rows, rows.active):
        if len(slots):
            log_prob, seen = expert.evaluate(own, inside)
            log_joint.ravel()[slots] += log_prob[:, 0]
            visits.append((leaf, slots, own, inside, seen))
    log_density, resp = log_normalize(log_joint)
    resp *= rows.weight[:, None]
    gate, load = None, np.zeros(mixture.n_leaves(params))
    for index, part in parts:
        whole = np.zeros((len(load), part.n_rows)).T
        np.put_along_axis(whole, part.active, resp[index], axis=1)
        gate = mixture.gate.add(gate, mixture.gate.statistics(params.gate, part, whole))
    experts = []
    for leaf, slots, own, inside, seen in visits:
        experts.append(expert.statistics(own, inside, resp.ravel()[slots][:, None], seen))
        load[leaf] = resp.ravel()[slots].sum()
    return rows.weight @ log_density, gate, placed(experts, [[leaf] for leaf, *_ in visits], len(load)), load


def _of_active(values, active):
    return np.take_along_axis(values, active, axis=1)
