"""Rows: the aligned arrays of a table, and how they are cut into cache-sized blocks."""

from typing import Any, NamedTuple

__all__ = ["BLOCK_ROWS", "Rows"]

# Rows in a block: large enough for efficient matrix products, small enough that a block's arrays stay in cache.
BLOCK_ROWS = 2048


class Rows(NamedTuple):
    """Aligned arrays of a table, None where unused; ``rows[i:j]`` is a block of them.

    X and Z are the design columns of experts and gate (the same object where they coincide), the intercept's ones
    last. Dense designs are kept column by column. `active` (n, k) names the leaves that a sparse gate has frozen for
    each row.
    """

    X: Any
    Z: Any
    y: Any = None
    weight: Any = None
    offset: Any = None
    trials: Any = None
    group: Any = None
    label_prior: Any = None
    fold: Any = None
    active: Any = None

    @property
    def n_rows(self):
        return self.X.shape[0]

    def __getitem__(self, index):
        if not isinstance(index, slice) and not hasattr(index, "__array__"):
            return tuple.__getitem__(self, index)
        X = self.X[index]
        Z = X if self.Z is self.X else self.Z[index]
        return Rows(X, Z, *(None if a is None else a[index] for a in tuple(self)[2:]))

    def blocks(self, size=None):
        """Iterate over (slice, block) in order."""
        size = BLOCK_ROWS if size is None else size
        for start in range(0, self.n_rows, size):
            index = slice(start, min(start + size, self.n_rows))
            yield index, self[index]
