"""Folds that depend on the content of the rows, so that repeating a row is the same as doubling its weight."""

import numpy as np
import scipy.sparse as sp

__all__ = ["fold_numbers"]

STRATA = 20  # quantile bins of y, each of which is spread evenly over the folds


def fold_numbers(rows):
    """Numbers of the rows, (n,), of which ``number % cv`` is the fold.

    Equal rows have the same number, and so have the rows of a group. For every `cv` the folds are of equal size up to
    one distinct row, and so are their shares of each class, or of each quantile bin of y.
    """
    columns = rows.X[:, :-1]
    # Sorting keys whose order does not depend on the units of the columns; the last key of lexsort is the primary one.
    keys = list((columns @ _directions(columns.shape[1])).T if sp.issparse(columns) else columns.T[::-1])
    keys += list(np.atleast_2d(rows.y.T)[::-1])
    order = np.lexsort(keys)
    changes = np.zeros(len(order), dtype=bool)
    for key in keys:
        changes[1:] |= key[order[1:]] != key[order[:-1]]
    rank = np.empty(len(order), dtype=int)
    rank[order] = np.cumsum(changes)
    if rows.group is not None:
        smallest = np.minimum.reduceat(rank, rows.firsts())
        rank = rows.spread(np.unique(smallest, return_inverse=True)[1])
    n_distinct = int(rank.max()) + 1
    if rows.y.ndim == 1:  # classes; a group of several is counted by its first row in rank
        stratum = np.zeros(n_distinct, dtype=int)
        stratum[rank[order[::-1]]] = rows.y[order[::-1]]
    else:
        stratum = np.arange(n_distinct) * STRATA // n_distinct
    number = np.empty(n_distinct, dtype=int)
    number[np.lexsort((np.random.default_rng(0).random(n_distinct), stratum))] = np.arange(n_distinct)
    return number[rank]


def _directions(n_columns):
    return np.random.default_rng(0).standard_normal((n_columns, 2))
