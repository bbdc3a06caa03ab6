"""Cross-validation folds that depend only on the content of rows: a repeated row is the same as one of weight two."""

import numpy as np
import scipy.sparse as sp

__all__ = ["fold_numbers", "with_every_class"]

FEW = 1 << 22  # numbers of a sparse table that is sorted as the dense one is
STRATA = 20  # quantile bins of y, each of which is distributed evenly over the folds


def fold_numbers(rows):
    """Number (n,) of each row, from which its fold is ``number % cv``.

    Equal rows have the same number, and so do the rows of a group. For every `cv` the folds are stratified: their
    sizes, and their counts of each class or quantile bin of y, differ by at most one distinct row.
    """
    # Sort keys whose order does not depend on the units of the columns. The last key of lexsort is the primary one.
    keys = [a for a in (rows.trials, rows.offset) if a is not None]
    if rows.Z is not rows.X and rows.Z is not None and rows.Z.shape[0] == rows.n_rows:
        keys += _columns(rows.Z)
    keys += _columns(rows.X)
    keys += list(np.atleast_2d(rows.y.T)[::-1])
    order, changes = _sorted(keys)
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


def with_every_class(rows, number, kept):
    """The rows that are kept, (n,) of bool, and those of classes of which none is.

    They come with all that have their `number`, so that no group is cut. What is fitted to a part of the rows can say
    nothing of a class that it has not seen.
    """
    if rows.y.ndim > 1:
        return kept
    lacking = np.setdiff1d(rows.y, rows.y[kept])
    return kept | np.isin(number, number[np.isin(rows.y, lacking)]) if len(lacking) else kept


def _sorted(keys):
    """The order of rows by keys, the last one first, and which of the ordered rows differ from the one before.

    Most rows differ in the first key already: only those that do not are sorted by the others.
    """
    order = np.argsort(keys[-1], kind="stable")
    same = keys[-1][order[1:]] == keys[-1][order[:-1]]
    changes = np.append(np.zeros(min(len(order), 1), dtype=bool), ~same)
    tied = np.flatnonzero(np.append(same, False) | np.append(False, same)) if len(order) else order
    if len(tied):
        rows = order[tied]
        order[tied] = rows = rows[np.lexsort([key[rows] for key in keys])]
        neighbours = np.diff(tied) == 1
        for key in keys:
            changes[tied[1:]] |= neighbours & (key[rows[1:]] != key[rows[:-1]])
    return order, changes


def _columns(design):
    """The columns (n,) of a design but for the intercept, the last one first; of a large sparse one two projections."""
    columns = design[:, :-1]
    if sp.issparse(columns) and columns.shape[0] * columns.shape[1] <= FEW:
        columns = columns.toarray()
    if sp.issparse(columns):
        columns = columns @ np.random.default_rng(0).standard_normal((columns.shape[1], 2))
        return list(columns.T)
    return list(columns.T[::-1])
