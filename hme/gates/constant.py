"""Constant gate: the prior does not look at x; with it the model is a mixture of regressions."""

from typing import NamedTuple

import numpy as np

from .base import Gate

__all__ = ["ConstantGate"]


class ConstantParams(NamedTuple):
    proportion: np.ndarray  # (K,)


class ConstantGate(Gate):
    """The same prior for every row, eq. (constant-gate). The shape of the tree is then without meaning.

    Examples
    --------
    >>> from hme import HMERegressor
    >>> X, y = [[0.0], [1.0], [2.0], [3.0], [4.0]], [0.0, 1.0, 2.0, -3.0, -4.0]
    >>> model = HMERegressor(n_experts=2, gate="constant").fit(X, y)
    >>> bool(abs(model.gate_.proportion.sum() - 1) < 1e-12)
    True
    """

    sees_columns = False

    def init(self, rows, resp):
        return self.update(None, self.statistics(None, rows, resp))

    def log_score(self, params, rows):
        with np.errstate(divide="ignore"):
            return np.repeat(np.log(params.proportion)[:, None], rows.n_rows, axis=1).T

    def statistics(self, params, rows, resp, seen=None):
        return ConstantParams(resp.sum(axis=0))

    def update(self, params, stats, rows=None):
        return ConstantParams(stats.proportion / stats.proportion.sum())

    def gradient(self, params, stats):
        # With respect to the logits of the proportions, on the simplex.
        return stats.proportion - stats.proportion.sum() * params.proportion

    def n_parameters(self, params):
        return len(params.proportion) - 1
