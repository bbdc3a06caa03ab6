"""Splits of the leaves of a fitted mixture, on soft responsibilities."""

from typing import Any, NamedTuple

import numpy as np

from ..fitting.model_tree import best_split
from ..fitting.regions import SOFTNESS, dense, divisions, targets_of
from ..fitting.screening import narrowed
from ..model.folds import fold_numbers
from ..numerics.quantiles import quantiles

__all__ = ["Split", "Splitter", "split_leaves"]

# A row is looked at by the leaves that have at least this share of it.
LEAST = 0.01
# Rows from which the split of a leaf is chosen, about, for each column of its linear fit; and not fewer than FEWEST.
ROWS_A_COLUMN, FEWEST = 64, 8192
# Share of the rows of a leaf that the wrong half of a hard division keeps: a blind gate cannot follow it.
KEPT = 0.1
# Share of the weight of a leaf that may come or go before its best split is searched again.
MOVED = 0.2


class Split(NamedTuple):
    """The best split of a leaf by a column, or none that helps."""

    gain: float  # of the log-likelihood, about; -inf if the leaf cannot be split
    column: Any = None  # None of a gate that cannot follow columns
    threshold: float = 0.0
    weight: float = 0.0  # of the leaf when it was searched

    def is_stale(self, weight):
        """Whether EM has moved so much weight since that the leaf is another one."""
        return abs(weight - self.weight) > MOVED * max(weight, self.weight)


class Splitter:
    """Searches for the best splits of the leaves of a growing tree.

    Splits are scored as those of a model tree, on rows that are weighted by the responsibilities. A gate that sees no
    columns cannot follow them: then the rows of a leaf are divided by what its own fit leaves over, as where EM is
    pushed off a saddle.

    Parameters
    ----------
    mixture : Mixture
    rows : Rows
    least : float
        Weight that both parts of a leaf have at least.
    n_columns : int
        About how many coefficients the experts have together: large tables are searched in a sample of rows.
    """

    def __init__(self, mixture, rows, least, n_columns):
        few = narrowed(rows._replace(y=mixture.expert.start_target(rows)))
        self.rows, self.least = rows, least
        self.Z, self.X, self.Y = dense(few.Z, rows.weight), dense(few.X, rows.weight), targets_of(few)
        self.blind = not mixture.gate.traits.sees_columns or not np.ptp(self.Z[:, :-1], axis=0).any()
        spread = np.average((self.Y - np.average(self.Y, axis=0, weights=rows.weight)) ** 2, 0, rows.weight)
        self.floor = np.maximum(1e-6 * spread, np.finfo(float).tiny)
        self.sample = _sample(rows, n_columns)

    def search(self, share):
        """The best `Split` of a leaf that has a share (n,) of every row."""
        weight = self.rows.weight * share
        total = weight.sum()
        if self.blind:  # the heaviest leaf is divided first
            enough = total >= max(2.0 * (self.X.shape[1] + 1), 2.0 * self.least)
            return Split(total if enough else -np.inf, weight=total)
        inside = self._inside(share)
        seen = weight[inside].sum() / max(total, np.finfo(float).tiny)
        found = best_split(self.Z, self.X, self.Y, weight, inside, self.floor, least=self.least * seen)
        return Split(-np.inf, weight=total) if found[1] is None else Split(found[0] / seen, *found[1:], total)

    def below(self, share, split):
        """The share (n,) of a leaf's part of every row that goes to the first of both halves; None if all goes."""
        weight = self.rows.weight * share
        if split.column is None:
            score = next(divisions(self.X, self.Y, weight))
            above = score > quantiles(score, [0.5], weight)[0]
            return np.where(above, KEPT, 1.0 - KEPT) if above.any() else None
        x, inside = self.Z[:, split.column], self._inside(share)
        center = np.average(x[inside], weights=weight[inside])
        spread = np.sqrt(np.average((x[inside] - center) ** 2, weights=weight[inside]))
        distance = (x - split.threshold) / (SOFTNESS * spread if spread > 0 else 1.0)
        return np.exp(-np.logaddexp(0.0, distance))

    def _inside(self, share):
        return np.flatnonzero(share > LEAST) if self.sample is None else self.sample[share[self.sample] > LEAST]


def _sample(rows, n_columns):
    """Numbers of the rows that splits are chosen from; None is all of them."""
    enough = max(FEWEST, ROWS_A_COLUMN * n_columns)
    if rows.n_rows < 2 * enough:
        return None
    number = fold_numbers(rows)
    step = (int(number.max()) + 1) // enough
    return np.flatnonzero(number % step == 0) if step > 1 else None


def split_leaves(splitter, tree, resp, splits, n_new):
    """Split the leaves that gain most.

    Parameters
    ----------
    splitter : Splitter
    tree : Tree
    resp : ndarray of shape (heads, K)
    splits : list of Split or None
        The best split of every leaf; None where it is not known yet.
    n_new : int
        How many leaves are added at most.

    Returns
    -------
    tree : Tree
        The same tree if no leaf can be split.
    resp : ndarray of shape (heads, K)
    splits : list of Split or None
        Those of leaves that have not been split are kept, though EM moves them a little.
    """
    rows, shares, splits = splitter.rows, splitter.rows.spread(resp).T, list(splits)
    for k, (split, share) in enumerate(zip(splits, shares, strict=True)):
        if split is None or split.is_stale(rows.weight @ share):
            splits[k] = splitter.search(share)
    order = [k for k in np.argsort([-split.gain for split in splits], kind="stable") if splits[k].gain > -np.inf]
    for leaf in sorted(order[:n_new], reverse=True):
        below = splitter.below(shares[leaf], splits[leaf])
        if below is None:
            continue
        below = rows.pooled(rows.weight * below) / rows.pooled(rows.weight)
        tree, origin = tree.split(leaf)
        resp = resp[:, origin]
        resp[:, leaf] *= below
        resp[:, leaf + 1] *= 1.0 - below
        splits[leaf : leaf + 1] = [None, None]
    return tree, resp, splits
