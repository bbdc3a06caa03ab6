"""How many of some columns are linearly independent, from their second moments: aliased ones are no parameters."""

import numpy as np
from scipy.linalg.lapack import dpstrf

from .kernels import weighted_gram
from .wide import WideGram, diagonal_of

__all__ = ["n_aliased", "n_distinct", "n_independent", "rank_of", "rank_of_directions"]

# A column is a combination of others if they leave no more than this share of its second moment; R's `lm` has the
# square root of it, 1e-7 by default, for lengths.
ALIASED = 1e-13
NOTHING = 1e-20  # share of the largest second moment below which a column is zero but for rounding
WIDEST = 2000  # columns of a table whose second moments are formed to count those that are aliased
BLOCK = 2048


def rank_of(moment):
    """Number of linearly independent columns, from their second moments (p, p), eq. (aliased).

    Examples
    --------
    >>> import numpy as np
    >>> from hme.numerics.rank import rank_of
    >>> a = np.array([1.0, 0.0, 1.0, 1.0])
    >>> X = np.column_stack([a, 1.0 - a, np.ones(4)])
    >>> rank_of(X.T @ X)
    2
    """
    diagonal = diagonal_of(moment)
    kept = np.flatnonzero(diagonal > NOTHING * diagonal.max(initial=0.0))
    if not len(kept):
        return 0
    if isinstance(moment, WideGram):  # of very wide tables no combination is looked for
        return len(diagonal)
    unit = diagonal[kept] ** -0.5
    return int(dpstrf(moment[np.ix_(kept, kept)] * unit * unit[:, None], tol=ALIASED)[2])


def n_aliased(X, weight):
    """How many of the design columns (n, p) are combinations of others; of very wide tables none is looked at."""
    if X.shape[1] > WIDEST:
        return 0
    moment = np.zeros((X.shape[1], X.shape[1]))
    for start in range(0, X.shape[0], BLOCK):
        moment += weighted_gram(X[start : start + BLOCK], weight[start : start + BLOCK, None])[0]
    return X.shape[1] - rank_of(moment)


def n_independent(moment, own, common=None):
    """Number of parameters of K linear predictors that have columns of their own (K, p), and columns in common (p,).

    A column in common has one coefficient in all of them, beside their own.
    """
    known = {}

    def rank(columns):
        key = columns.tobytes()
        if key not in known:
            known[key] = rank_of(moment[np.ix_(columns, columns)])
        return known[key]

    total = sum(rank(columns) for columns in own)
    if common is not None and common.any():
        everywhere = own.all(axis=0)
        total += rank(everywhere | common) - rank(everywhere)
    return total


def rank_of_directions(moment, directions):
    """Number of linearly independent directions of K linear predictors, an array (K, p, f)."""
    return rank_of(np.einsum("kpf,pr,krg->fg", directions, moment, directions, optimize=True))


def n_distinct(covariance):
    """Number of columns that are no linear function of a single other one and vary, from covariances (q, q)."""
    diagonal = np.diagonal(covariance)
    kept = np.flatnonzero(diagonal > NOTHING * diagonal.max(initial=0.0))
    unit = diagonal[kept] ** -0.5
    square = (covariance[np.ix_(kept, kept)] * unit * unit[:, None]) ** 2
    return int((~np.triu(square > 1.0 - ALIASED, k=1).any(axis=0)).sum())
