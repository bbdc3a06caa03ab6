"""Cross-validation folds that depend only on the content of rows: a repeated row is the same as one of weight two."""

import numpy as np
import scipy.sparse as sp

__all__ = ["fold_numbers"]

STRATA = 20  # quantile bins of y, each of which is distributed evenly over the folds


def fold_numbers(rows):
    """Number (n,) of each row, from which its fold is ``number % cv``.

    Equal rows have the same number, and so do the rows of a group. For every `cv` the folds are stratified: their
    sizes, and their counts of each class or quantile bin of y, differ by at most one distinct row.
    """
    columns = rows.X[:, :-1]
    # Sort keys whose order does not depend on the units of the columns. The last key of lexsort is the primary one.
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
    if rows.y.ndim == 1:  # classes; a group with several classes counts as that of its first row in rank
        stratum = np.zeros(n_distinct, dtype=int)
        stratum[rank[order[::-1]]] = rows.y[order[::-1]]
    else:
        stratum = np.arange(n_distinct) * STRATA // n_distinct
    number = np.empty(n_distinct, dtype=int)
    number[np.lexsort((np.random.default_rng(0).random(n_distinct), stratum))] = np.arange(n_distinct)
    return number[rank]


def _directions(n_columns):
    return np.random.default_rng(0).standard_normal((n_columns, 2))
