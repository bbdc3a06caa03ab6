"""Rows: the aligned arrays of a table, and how they are cut into cache-sized blocks."""

from typing import Any, NamedTuple

import numpy as np
from sklearn.utils import _safe_indexing

__all__ = ["BLOCK_ROWS", "Rows"]

# Rows in a block: large enough for efficient matrix products, small enough that a block's arrays stay in cache.
BLOCK_ROWS = 2048


class Rows(NamedTuple):
    """Aligned arrays of a table, None where unused; ``rows[i:j]`` is a block of them.

    X and Z are the design columns of experts and gate (the same object where they coincide), the intercept's ones
    last. Dense designs are kept column by column.

    `group` holds codes in ascending order: the rows of a group stand together and come from one expert. Arrays that
    belong to groups (priors, responsibilities) have one row for each of `heads`.
    """

    X: Any
    Z: Any
    y: Any = None
    weight: Any = None
    offset: Any = None
    trials: Any = None
    group: Any = None
    log_label: Any = None  # (n, K), what is known of the expert that a row comes from, eq. (labels)
    fold: Any = None  # (n,), see `folds`; a family with cv folds leaves out those of the same ``fold % cv``
    active: Any = None  # (n, k), the leaves that a sparse gate has frozen for each row
    table: Any = None  # the table itself, for experts that see it, and
    gate_table: Any = None  # for such gates

    @property
    def n_rows(self):
        return self.X.shape[0]

    def __getitem__(self, index):
        if not isinstance(index, slice) and not hasattr(index, "__array__"):
            return tuple.__getitem__(self, index)
        X = self.X[index]
        Z = X if self.Z is self.X else self.Z[index]
        *arrays, table, gate_table = tuple(self)[2:]
        tables = [None if a is None else _safe_indexing(a, index) for a in (table, gate_table)]
        return Rows(X, Z, *(None if a is None else a[index] for a in arrays), *tables)

    def blocks(self, size=None):
        """Iterate over (slice, block) in order; no block cuts a group."""
        size, start = BLOCK_ROWS if size is None else size, 0
        while start < self.n_rows:
            stop = min(start + size, self.n_rows)
            if self.group is not None:
                stop = int(np.searchsorted(self.group, self.group[stop - 1], side="right"))
            index = slice(start, stop)
            yield index, self[index]
            start = stop

    def blockwise(self, function):
        """What a function of rows answers to the blocks, joined along the first axis."""
        return np.concatenate([function(block) for _, block in self.blocks()])

    # -- groups ------------------------------------------------------------------------------------------------------

    def firsts(self):
        """Numbers of the first rows of the groups, (heads,)."""
        return np.flatnonzero(np.diff(self.group, prepend=self.group[0] - 1))

    def heads(self):
        """One row for each group, the first; the rows themselves where there are no groups."""
        return self if self.group is None else self[self.firsts()]._replace(group=None)

    def pooled(self, values):
        """Sums (heads, ...) over the rows of each group."""
        return values if self.group is None else np.add.reduceat(values, self.firsts(), axis=0)

    def spread(self, values):
        """What belongs to heads, for every row."""
        if self.group is None:
            return values
        return values[np.cumsum(np.diff(self.group, prepend=self.group[0]) != 0)]
