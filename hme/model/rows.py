"""Rows: the aligned arrays of a table, and how they are cut into blocks that fit the cache."""

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

    `group` holds codes in ascending order, so that the rows of a group, which come from one expert, are adjacent.
    Arrays that belong to groups (priors, responsibilities) have one row for each of `heads`.
    """

    X: Any
    Z: Any
    y: Any = None
    weight: Any = None
    offset: Any = None
    trials: Any = None
    group: Any = None
    log_label: Any = None  # (n, K), log-factors on the prior from labels, eq. (labels)
    fold: Any = None  # (n,), see `folds`; with cv folds, a row is predicted without the rows of its ``fold % cv``
    active: Any = None  # (n, k), the leaves that a routed gate lets each row use
    table: Any = None  # the user's table, for experts that see it
    gate_table: Any = None  # the same for gates

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
        """The first row of each group; without groups, all rows."""
        return self if self.group is None else self[self.firsts()]._replace(group=None)

    def pooled(self, values):
        """Sums (heads, ...) over the rows of each group."""
        return values if self.group is None else np.add.reduceat(values, self.firsts(), axis=0)

    def spread(self, values):
        """Values of groups, repeated for each of their rows."""
        if self.group is None:
            return values
        return values[np.cumsum(np.diff(self.group, prepend=self.group[0]) != 0)]
