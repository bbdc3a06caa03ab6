"""Constant gate: the prior does not depend on x, so that the model is a mixture of regressions."""

from typing import NamedTuple

import numpy as np
from scipy.special import softmax

from ..model.bank import Shares, largest
from ..model.traits import GateTraits
from ..numerics.coordinates import Coordinates, joined
from .base import Gate, Question

__all__ = ["ConstantGate", "proportion_coordinates", "proportion_derivatives"]


class ConstantParams(NamedTuple):
    proportion: np.ndarray  # (K,)


class ConstantGate(Gate):
    """The same prior for every row, eq. (constant-gate), which gives a mixture of regressions.

    Examples
    --------
    >>> from hme import HMERegressor
    >>> X, y = [[0.0], [1.0], [2.0], [3.0], [4.0]] * 3, [0.0, 1.0, 2.0, -3.0, -4.0] * 3
    >>> model = HMERegressor(n_experts=2, gate="constant").fit(X, y)
    >>> bool(abs(model.gate_.proportion.sum() - 1) < 1e-12)
    True
    """

    traits = GateTraits(sees_columns=False, exact=True, smooth=True, sparse_input=True)
    scales = ("proportion",)

    def init(self, rows, resp):
        return self.update(None, self.statistics(None, rows, resp))

    def log_score(self, params, rows):
        with np.errstate(divide="ignore"):
            return np.repeat(np.log(params.proportion)[:, None], rows.n_rows, axis=1).T

    def statistics(self, params, rows, resp, seen=None):
        return ConstantParams(resp.sum(axis=0))

    @property
    def separate(self):
        return True

    def update(self, params, stats, rows=None):
        load = stats.proportion.reshape(self.copies, -1)
        return ConstantParams((load / load.sum(axis=1, keepdims=True)).ravel())

    def shares(self, params, stats):
        return Shares(np.zeros(self.copies), largest(self.gradient(params, stats)))

    def gradient(self, params, stats):
        # By the logits of the proportions.
        load = stats.proportion.reshape(self.copies, -1)
        return load - load.sum(axis=1, keepdims=True) * params.proportion.reshape(load.shape)

    def n_parameters(self, params):
        return len(params.proportion) - 1

    def report(self, params, design):
        """`proportion` (K,), the prior of each leaf."""
        return params

    def questions(self, report, branching, names, scale, max_terms=None):
        return [Question(self.name, [f"prior {share:.2f}" for share in report.proportion])]

    # -- information ---------------------------------------------------------------------------------------------------

    def coordinates(self, params, design):
        return proportion_coordinates(params.proportion)

    def displaced(self, params, coef, leaf=None):
        return params._replace(proportion=softmax(coef[0, :, 0]))

    def derivatives(self, params, rows, resp):
        return proportion_derivatives(np.broadcast_to(params.proportion, resp.shape), resp)

    def prior_derivatives(self, params):
        K = len(params.proportion)
        return np.zeros((1, K)), np.zeros((1, K, K))


# -- arrays: proportions as the softmax of intercepts, for gates that have some ----------------------------------------


def proportion_coordinates(proportion):
    """Logs of proportions (K,) as `Coordinates` of one node whose branches are the leaves."""
    logits = np.log(np.maximum(proportion, np.finfo(float).tiny))
    logits -= logits.mean()
    return Coordinates(logits[None, :, None], tuple(map(str, range(len(logits)))), joined(n=1), True)


def proportion_derivatives(prior, resp):
    """Derivatives of log-priors (n, K) of one softmax by its contrasts, eq. (gate-derivatives).

    First ones (n, K, K - 1), and second ones (n, K - 1, K - 1) summed over leaves with weights `resp` (n, K).
    """
    n, K = resp.shape
    own = prior[:, 1:]
    first = np.eye(K)[:, 1:] - own[:, None]
    weighted = resp.sum(axis=1, keepdims=True) * own
    second = weighted[:, :, None] * own[:, None]
    number = np.arange(K - 1)
    second[:, number, number] -= weighted
    return first, second
