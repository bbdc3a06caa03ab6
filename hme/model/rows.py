"""Rows: the aligned arrays of a table, and their division into blocks that fit the cache."""

from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.utils import _safe_indexing

__all__ = ["BLOCK_ROWS", "PRUNED_ROWS", "Rows", "block_rows", "small_rows"]

# Rows in a block: large enough for efficient matrix products, small enough for its arrays to stay in cache.
BLOCK_ROWS = 2048
# Of a sweep: numbers in an array of a block's rows and leaves, and most rows; beyond them NumPy's calls cost little.
# Compiled functions work on pieces of a block that stay in cache, so that it may be larger.
SWEEP_NUMBERS, SWEEP_ROWS, COMPILED_ROWS = 1 << 16, 7168, 1 << 14
# Of a compiled sweep in which rows visit few leaves, those of a leaf one after the other: threads share such blocks.
PRUNED_ROWS = 1 << 17


def block_rows(n_leaves, compiled=False):
    """Rows in a block of a sweep: more where there are few leaves."""
    return min(max(SWEEP_NUMBERS // n_leaves, BLOCK_ROWS // 8), COMPILED_ROWS if compiled else SWEEP_ROWS)


def small_rows(n_leaves):
    """Rows in a block of other passes over all leaves: fewer where there are many."""
    return min(BLOCK_ROWS, block_rows(n_leaves))


class Rows(NamedTuple):
    """Aligned arrays of a table, None where unused; ``rows[i:j]`` is a block of rows.

    X and Z are the design columns of experts and gate (the same object if they coincide), with the intercept's ones
    last. Dense designs are in Fortran order.

    `group` holds codes in ascending order, so that the rows of a group, which share one expert, are adjacent. Arrays
    that belong to groups, such as priors and responsibilities, have one row for each of the `heads`, the first rows of
    the groups. Without groups every row is a head.
    """

    X: Any
    Z: Any
    y: Any = None
    weight: Any = None
    offset: Any = None
    trials: Any = None
    group: Any = None
    log_label: Any = None  # (n, K), logarithms of the factors that labels put on the prior, eq. (labels)
    fold: Any = None  # (n,), see `folds`; a training row is predicted by the fit without the rows of its ``fold % cv``
    beyond: Any = None  # (n, p), what X is beyond the columns' ranges in the fit, at which it is held
    active: Any = None  # (n, k), the leaves that a routed gate assigns to each row
    table: Any = None  # the user's table, for experts that use it
    gate_table: Any = None  # the same for gates

    @property
    def n_rows(self):
        return self.X.shape[0]

    def __getitem__(self, index):
        if not isinstance(index, slice) and not hasattr(index, "__array__"):
            return tuple.__getitem__(self, index)
        X = _some(self.X, index)
        Z = X if self.Z is self.X else _some(self.Z, index)
        *arrays, table, gate_table = tuple(self)[2:]
        tables = [None if a is None else _safe_indexing(a, index) for a in (table, gate_table)]
        return Rows(X, Z, *(None if a is None else a[index] for a in arrays), *tables)

    def blocks(self, size=None):
        """Iterate over (slice, block) in order; the rows of a group are never divided between blocks."""
        size, start = BLOCK_ROWS if size is None else size, 0
        while start < self.n_rows:
            stop = min(start + size, self.n_rows)
            if self.group is not None:
                stop = int(np.searchsorted(self.group, self.group[stop - 1], side="right"))
            index = slice(start, stop)
            yield index, self[index]
            start = stop

    def blockwise(self, function):
        """Apply a function to each block of rows and concatenate the results along the first axis."""
        return np.concatenate([function(block) for _, block in self.blocks()])

    def n_different(self, enough):
        """Number of rows whose content differs, or of groups where these are fewer; counted up to `enough` or more."""
        found, size = 0, 0
        while found < enough and size < self.n_rows:
            size = int(min(max(2 * enough, 8 * size), self.n_rows))
            found = _n_different(self[:size])
        return found if self.group is None else min(found, len(self.firsts()))

    def are_few(self, most):
        """Whether at most `most` rows differ: what is decided by it is the same for repeated rows and for weights."""
        return self.n_rows <= most or self.n_different(int(most) + 1) <= most

    def n_coefficients(self, n_leaves):
        """About the number of coefficients of gate and experts with so many leaves."""
        n_outputs = self.y.shape[1] if self.y.ndim == 2 else 1
        return n_leaves * self.X.shape[1] * n_outputs + (n_leaves - 1) * self.Z.shape[1]

    # -- groups ------------------------------------------------------------------------------------------------------

    def firsts(self):
        """Indices of the first rows of the groups, (heads,)."""
        return np.flatnonzero(np.diff(self.group, prepend=self.group[0] - 1))

    def heads(self):
        """The first row of each group, or all rows if there are no groups."""
        return self if self.group is None else self[self.firsts()]._replace(group=None)

    def pooled(self, values):
        """Sums (heads, ...) over the rows of each group."""
        return values if self.group is None else np.add.reduceat(values, self.firsts(), axis=0)

    def spread(self, values):
        """Values (heads, ...) of groups, repeated for each of their rows, (n, ...)."""
        if self.group is None:
            return values
        return values[np.cumsum(np.diff(self.group, prepend=self.group[0]) != 0)]


def _n_different(rows):
    """Number of rows whose content differs, whichever side sees it."""
    columns = [rows.X] if rows.Z is rows.X else [rows.X, rows.Z]
    # Of sparse columns two projections, which are the same for equal rows and, next to certainly, for no others.
    rng = np.random.default_rng(0)
    keys = [c @ rng.standard_normal((c.shape[1], 2)) if sp.issparse(c) else c for c in columns]
    keys += [a.reshape(rows.n_rows, -1) for a in (rows.y, rows.offset, rows.trials) if a is not None]
    codes = np.unique(np.concatenate(keys, axis=1), axis=0, return_inverse=True)[1].ravel()
    tables = [
        np.asarray(t, dtype=object) for t in (rows.table, rows.gate_table) if t is not None and not sp.issparse(t)
    ]
    if not tables:
        return int(codes.max()) + 1
    return len({tuple(row) for row in np.concatenate([codes[:, None], *tables], axis=1).tolist()})


def _some(X, index):
    """Rows of a design, dense ones in Fortran order still: NumPy's own indexing by arrays turns it."""
    if isinstance(index, slice) or sp.issparse(X) or not X.flags.f_contiguous:
        return X[index]
    return np.take(X.T, np.flatnonzero(index) if index.dtype == bool else index, axis=1).T
