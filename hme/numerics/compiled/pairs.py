"""Products of pairs of columns."""

import numpy as np

from .scalars import kernel

__all__ = ["column_pairs"]


def column_pairs(X):
    if X.dtype != np.float64:
        return NotImplemented
    columns = np.ascontiguousarray(X.T)
    p, n = columns.shape
    products = np.empty((p * (p + 1) // 2, n))
    _column_pairs(columns, products)
    return products


@kernel
def _column_pairs(columns, products):
    p, n = columns.shape
    pair = 0
    for j in range(p):
        first = columns[j]
        for k in range(j, p):
            second, out = columns[k], products[pair]
            for i in range(n):
                out[i] = first[i] * second[i]
            pair += 1
