"""The ranges of columns in the rows of a fit, and rows beyond them."""

from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

__all__ = ["Ranges"]


# Columns are held this share of their range beyond its ends. Lines go on a little way: some rows of any new table are
# just outside the old one, and to hold them there would cost more than it saves.
MARGIN = 0.25
LONG = 256  # entries that are compared at once


def _wider(limits, margin):
    """Limits moved outwards by a share of the range."""
    reach = margin * (limits.high - limits.low)
    return limits._replace(low=limits.low - reach, high=limits.high + reach)


class Limits(NamedTuple):
    """Least and largest value of each column, (p,) each."""

    low: np.ndarray
    high: np.ndarray

    @classmethod
    def of(cls, columns):
        """The limits of an array or a sparse matrix (n, p); missing values do not count."""
        if sp.issparse(columns):
            return cls(*(np.ravel(getattr(columns, end)(axis=0).toarray()) for end in ("min", "max")))
        with np.errstate(invalid="ignore"):
            return cls(np.fmin.reduce(columns, axis=0), np.fmax.reduce(columns, axis=0))

    @property
    def held_at(self):
        """The ends at which columns of new rows are held, a little beyond the limits."""
        return _wider(self, MARGIN)

    def outside(self, columns):
        """Which entries are beyond the limits: bools (n, p), sparse ones of a sparse matrix."""
        if sp.issparse(columns):
            return sp.csr_matrix(self.beyond(columns) != 0)
        return (columns < self.low) | (columns > self.high)

    def beyond(self, columns):
        """How far entries are beyond the limits, (n, p); zero inside."""
        if not sp.issparse(columns):
            return columns - np.clip(columns, self.low, self.high)
        found = sp.csr_matrix(columns, copy=True)
        found.data = found.data - np.clip(found.data, self.low[found.indices], self.high[found.indices])
        # Entries that are not stored are zeros, which some columns never were.
        never = np.flatnonzero((self.low > 0) | (self.high < 0))
        if len(never):
            part = columns[:, never].toarray()
            part = part - np.clip(part, self.low[never], self.high[never])
            keep = np.ones(columns.shape[1])
            keep[never] = 0.0
            place = sp.csr_matrix((np.ones(len(never)), (np.arange(len(never)), never)), (len(never), len(keep)))
            found = found @ sp.diags(keep) + sp.csr_matrix(part) @ place
        found = sp.csr_matrix(found)
        found.eliminate_zeros()
        return found

    def held(self, columns):
        """The columns, their entries moved to the nearest value inside the limits."""
        if sp.issparse(columns):
            beyond = self.beyond(columns)
            return columns if not beyond.nnz else sp.csr_matrix(columns - beyond)
        # Copies only where there is something to hold; a design's memory order stays.
        return np.clip(columns, self.low, self.high) if self.any_outside(columns) else columns

    def any_outside(self, columns):
        """Whether any entry of an array is beyond the limits."""
        if columns.flags.c_contiguous and 0 < columns.shape[1] < LONG:  # several rows at once: few columns are slow
            times = -(-LONG // columns.shape[1])
            whole = len(columns) - len(columns) % times
            limits = Limits(np.tile(self.low, times), np.tile(self.high, times))
            if limits.outside(columns[:whole].reshape(-1, times * columns.shape[1])).any():
                return True
            columns = columns[whole:]
        return bool(self.outside(columns).any())


class FrameLimits(NamedTuple):
    """Least and largest value of each column of numbers in a pandas data frame."""

    columns: np.ndarray  # (q,) of int, their places
    low: np.ndarray  # (q,)
    high: np.ndarray

    @classmethod
    def of(cls, frame):
        columns = np.array([j for j, kind in enumerate(frame.dtypes) if getattr(kind, "kind", "O") in "fiu"], dtype=int)
        ends = [(frame.iloc[:, j].min(), frame.iloc[:, j].max()) for j in columns]
        return cls(columns, *np.array(ends, dtype=float).reshape(-1, 2).T)

    def held(self, frame):
        """The frame, numbers moved to the nearest value inside the limits."""
        changed = None
        for j, low, high in zip(self.columns, self.low, self.high, strict=True):
            column = frame.iloc[:, j]
            if ((column < low) | (column > high)).any():
                changed = frame.copy() if changed is None else changed
                changed.isetitem(j, column.astype(float).clip(low, high))
        return frame if changed is None else changed


class Ranges(NamedTuple):
    """The ranges of the design columns of both sides, and of the numbers of tables that estimators see."""

    expert: Limits
    gate: Any  # None where the gate has the experts' columns
    table: Any = None  # None where no expert sees a table, or one that is neither an array nor a data frame of pandas
    gate_table: Any = None
    names: tuple = ()  # of the columns, as `outside` has them

    @classmethod
    def of(cls, rows, columns):
        """The ranges of the rows of a fit, whose design columns are those of `columns`."""
        sides = columns.expert, columns.gate
        names = list(sides[0].features.names)
        if rows.Z is not rows.X:
            names += [name for name in sides[1].features.names if name not in names]
        limits = [Limits.of(rows.X), None if rows.Z is rows.X else Limits.of(rows.Z)]
        tables = [_limits(table) for table in (rows.table, rows.gate_table)]
        return cls(*limits, *tables, tuple(names))

    def held(self, rows):
        """Rows whose columns are held at their ranges; `beyond` says by how much those of the experts were outside."""
        X = _wider(self.expert, MARGIN).held(rows.X)
        Z = X if self.gate is None else _wider(self.gate, MARGIN).held(rows.Z)
        tables = [
            _wider(limits, MARGIN).held(table) if limits is not None and _kind(table) is type(limits) else table
            for limits, table in ((self.table, rows.table), (self.gate_table, rows.gate_table))
        ]
        beyond = None if X is rows.X else rows.X - X
        return rows._replace(X=X, Z=Z, beyond=beyond, table=tables[0], gate_table=tables[1])

    def outside(self, rows, columns):
        """Which columns of which rows are beyond the ranges, (n, q) of bool, in the order of `names`."""
        found = self.expert.outside(rows.X)[:, :-1]  # the last one is the intercept
        if self.gate is None:
            return found
        gate = self.gate.outside(rows.Z)[:, :-1]
        own, others = list(columns.expert.features.names), list(columns.gate.features.names)
        new = [j for j, name in enumerate(others) if name not in own]
        if sp.issparse(found) or sp.issparse(gate):
            return sp.csr_matrix(sp.hstack([found, gate[:, new]]))
        return np.hstack([found, gate[:, new]])


def _limits(table):
    """The limits of a table, where it has a kind."""
    kind = _kind(table)
    return None if kind is None else kind.of(table)


def _kind(table):
    """How limits of a table are kept: of an array of numbers, a sparse matrix or a data frame of pandas; else None."""
    if hasattr(table, "isetitem"):
        return FrameLimits
    if sp.issparse(table) or (isinstance(table, np.ndarray) and table.dtype.kind in "fiub"):
        return Limits
    return None
