"""Weighted quantiles that do not depend on the order of the rows."""

import numpy as np

__all__ = ["quantiles"]

LEVEL_TIE = 1e-9  # share of the weight by which a quantile may miss its level


def quantiles(x, levels, weight):
    """Weighted quantiles of a column, each of them one of its values.

    A level counts as reached where rounding in the sum of the weights may be all that it lacks: the order of the rows
    would decide otherwise.
    """
    order = np.argsort(x, kind="stable")
    reached = np.cumsum(weight[order])
    index = np.searchsorted(reached, (np.asarray(levels) - LEVEL_TIE) * reached[-1])
    return x[order[np.minimum(index, len(x) - 1)]]
