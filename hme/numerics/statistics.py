"""Additive statistics and learned parameters: NamedTuples of arrays whose first axis is the expert or gating node.

Statistics add over rows, blocks, chunks and machines; parameters are taken, mixed and joined along their first axis.
"""

import numpy as np

__all__ = ["add", "concatenate", "decay", "diagonal", "interpolate", "take"]


def add(a, b):
    """Sum of two statistics of the same family; None is the empty sum."""
    if a is None or b is None:
        return b if a is None else a
    return type(a)(*(u + v for u, v in zip(a, b, strict=True)))


def decay(stats, factor):
    """Statistics that forget: every array times `factor` in (0, 1]."""
    return type(stats)(*(factor * u for u in stats))


def take(params, index):
    """Parameters of the experts (or nodes) in `index`, in that order."""
    return type(params)(*(u[np.asarray(index)] for u in params))


def concatenate(a, b):
    """Parameters of the experts of `a`, then of `b`."""
    return type(a)(*(np.concatenate([u, v]) for u, v in zip(a, b, strict=True)))


def interpolate(a, b, step):
    """Parameters at ``a + step (b - a)``."""
    return type(a)(*(u + step * (v - u) for u, v in zip(a, b, strict=True)))


def diagonal(gram):
    """The diagonals of matrices (..., p, p) summed, (p,): what all of them hold on each column."""
    return np.einsum("...jj->...j", gram).reshape(-1, gram.shape[-1]).sum(axis=0)
