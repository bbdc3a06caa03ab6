"""Folds: numbers by the content of the rows, so that a repeated row is the same as a double weight."""

import numpy as np
import scipy.sparse as sp

__all__ = ["fold_numbers"]

STRATA = 20  # parts of the range of y that every fold has its share of


def fold_numbers(rows):
    """A number for every row, (n,): rows with the same ``number % cv`` are fold number % cv.

    Equal rows get the same number, rows of a group too. Folds of any `cv` are of equal size up to one distinct row,
    and so is each one's share of every class or of every part of the range of y.
    """
    columns = rows.X[:, :-1]
    # Keys that the columns' units do not change the order of; the last one of lexsort counts most.
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
    if rows.y.ndim == 1:  # classes; groups may hold several, their first row by rank stands for them
        stratum = np.zeros(n_distinct, dtype=int)
        stratum[rank[order[::-1]]] = rows.y[order[::-1]]
    else:
        stratum = np.arange(n_distinct) * STRATA // n_distinct
    number = np.empty(n_distinct, dtype=int)
    number[np.lexsort((np.random.default_rng(0).random(n_distinct), stratum))] = np.arange(n_distinct)
    return number[rank]


def _directions(n_columns):
    return np.random.default_rng(0).standard_normal((n_columns, 2))
