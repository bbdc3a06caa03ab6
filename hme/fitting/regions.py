"""Regions of feature space, cut down a tree: what starts are made of."""

from functools import cached_property

import numpy as np
import scipy.sparse as sp

from ..model.folds import fold_numbers
from ..model.rows import Rows
from ..numerics.kernels import log_normalize
from ..numerics.systems import solve_psd

__all__ = [
    "SOFTNESS",
    "Ground",
    "Region",
    "dense",
    "divided",
    "divisions",
    "from_labels",
    "left_over",
    "points_of",
    "targets_of",
]

# Width of a softened split, in standard deviations of its column within the region.
SOFTNESS = 0.2
# Scores whose range is a smaller share of their size are equal but for rounding.
EQUAL = 1e-13
RIDGE = 0.1  # of the fit whose residuals divide the rows of an expert


class Ground(Rows):
    """Rows with what all starts from them have in common, which is computed when the first one asks for it."""

    @classmethod
    def of(cls, rows):
        return rows if isinstance(rows, cls) else cls(*rows)

    @cached_property
    def columns(self):
        """The experts' design as an array."""
        return dense(self.X, self.weight)

    @cached_property
    def gate_columns(self):
        """The gate's."""
        return self.columns if self.Z is self.X else dense(self.Z, self.weight)

    @cached_property
    def targets(self):
        """See `targets_of`."""
        return targets_of(self)

    @cached_property
    def points(self):
        """See `points_of`."""
        return points_of(self)

    @cached_property
    def numbers(self):
        """See `fold_numbers`."""
        return fold_numbers(self)

    @cached_property
    def residual(self):
        """What the fit of all rows leaves over, (n, T)."""
        return left_over(self.columns, self.targets, self.weight)

    @cached_property
    def splits(self):
        """What is known of the splits of regions, a dict that `model_tree` fills."""
        return {}


class Region:
    """A part of feature space: its rows, and the log-probability of every row to be in its softened form."""

    def __init__(self, hard, log_soft):
        self.hard, self.log_soft = hard, log_soft

    def cut(self, score, threshold, weight):
        """The parts with score <= threshold and beyond."""
        if not len(self.hard):
            return self.halve()
        inside = score[self.hard]
        # Equal scores have no spread; that of all rows is still in their units.
        spread = _spread(inside, weight[self.hard]) or _spread(score, weight)
        distance = (score - threshold) / (SOFTNESS * spread if spread else 1.0)
        below = self.hard[inside <= threshold]
        above = self.hard[inside > threshold]
        return (
            Region(below, self.log_soft - np.logaddexp(0.0, distance)),
            Region(above, self.log_soft - np.logaddexp(0.0, -distance)),
        )

    def divide(self, labels, n_pieces, softness=0.1):
        """The parts by label of the inside rows; a share `softness` of each row is spread over all parts."""
        log_share = np.full((len(self.log_soft), n_pieces), -np.log(n_pieces))  # rows outside belong to all alike
        log_share[self.hard] = np.log(from_labels(labels, n_pieces, softness))
        return [Region(self.hard[labels == b], self.log_soft + log_share[:, b]) for b in range(n_pieces)]

    def halve(self):
        """Two copies with half the probability each, where nothing tells the rows apart."""
        return Region(self.hard, self.log_soft - np.log(2.0)), Region(self.hard, self.log_soft - np.log(2.0))


def divided(rows, tree, cut):
    """Cut the whole space down the tree; `cut(region, n_pieces)` returns the pieces from left to right."""
    log_soft = np.empty((rows.n_rows, tree.n_leaves))

    def descend(child, region):
        if child < 0:
            log_soft[:, ~child] = region.log_soft
            return
        children = [c for c in tree.children[child] if c != 0]
        if len(region.hard):
            pieces = cut(region, len(children))
        else:
            pieces = region.divide(np.zeros(0, dtype=int), len(children))
        for c, piece in zip(children, pieces, strict=True):
            descend(c, piece)

    whole = Region(np.arange(rows.n_rows), np.zeros(rows.n_rows))
    descend(0 if tree.n_nodes else ~0, whole)
    return log_normalize(log_soft)[1]


def from_labels(labels, n_leaves, softness=0.0):
    """Responsibilities from leaf numbers; a share `softness` is spread over all leaves."""
    resp = np.full((len(labels), n_leaves), softness / n_leaves)
    resp[np.arange(len(labels)), labels] += 1.0 - softness
    return resp


# -- arrays ----------------------------------------------------------------------------------------------------------


def _spread(score, weight):
    """Weighted standard deviation of scores (n,); zero if they differ by rounding only."""
    if not np.ptp(score) > EQUAL * np.abs(score).max():
        return 0.0
    return np.sqrt(np.average((score - np.average(score, weights=weight)) ** 2, weights=weight))


def dense(X, weight):
    """A design as an array whose columns are centred, as those of a sparse one are not: starts have ridges."""
    if not sp.issparse(X):
        return X
    X = X.toarray()
    X[:, :-1] -= np.average(X[:, :-1], axis=0, weights=weight)
    return X


def targets_of(rows):
    """Outputs (n, T); indicator columns for class codes."""
    if rows.y.ndim == 2:
        return rows.y
    return np.eye(int(rows.y.max()) + 1)[rows.y]


def points_of(rows):
    """Standardised (X, y) side by side, with the gate's columns where it has its own."""
    Y = targets_of(rows)
    mean = np.average(Y, axis=0, weights=rows.weight)
    scale = np.sqrt(np.average((Y - mean) ** 2, axis=0, weights=rows.weight))
    own = [] if rows.Z is rows.X else [dense(rows.Z, rows.weight)[:, :-1]]
    return np.column_stack([dense(rows.X, rows.weight)[:, :-1], *own, (Y - mean) / np.where(scale > 0, scale, 1.0)])


def left_over(X, Y, weight):
    """Residuals (n, T) of the ridge fit of all rows."""
    gram = X.T @ (X * weight[:, None])
    return Y - X @ solve_psd(gram + RIDGE * np.eye(len(gram)), X.T @ (Y * weight[:, None]))


def divisions(X, Y, weight):
    """Scores (n,) that divide the rows of one expert: signs and sizes of what its fit leaves over.

    The residual times the direction in X along which squared residuals are largest is the one in which two linear
    experts part fastest, eq. (parting).
    """
    gram = X.T @ (X * weight[:, None])
    ridge = RIDGE * np.eye(len(gram))
    R = Y - X @ solve_psd(gram + ridge, X.T @ (Y * weight[:, None]))
    spread = np.sqrt(np.average(R**2, axis=0, weights=weight))
    R = R / np.where(spread > 0, spread, 1.0)
    axis = _signed(np.linalg.eigh(R.T @ (R * weight[:, None]))[1][:, -1])
    residual = R @ axis
    yield residual
    value, vector = np.linalg.eigh(gram + ridge)
    white = vector / np.sqrt(np.maximum(value, RIDGE))
    direction = np.linalg.eigh(white.T @ (X.T @ (X * (weight * residual**2)[:, None])) @ white)[1][:, -1]
    yield residual * (X @ _signed(white @ direction))
    yield np.abs(residual)


def _signed(vector):
    """An eigenvector, which has no sign of its own, with its first large entry positive, whatever the rounding.

    Large is not half of the largest: entries of contrasts, such as (1, 1, -2), are that.
    """
    return vector * np.sign(vector[np.argmax(np.abs(vector) > 0.45 * np.abs(vector).max())])
