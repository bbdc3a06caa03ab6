"""Columns of a table that are products or powers of others, which cannot change on their own."""

from itertools import combinations
from typing import NamedTuple

import numpy as np

__all__ = ["Made", "made_of_others"]

SAMPLE = 64  # rows that are looked at first
MOST_COLUMNS = 60  # pairs of more columns are not looked at
ROUNDING = 1e-9  # share of a column's variance that may be left
POWERS = (3.0, 4.0, 0.5, 1.0 / 3.0, -1.0, -2.0, -0.5)


class Made(NamedTuple):
    """A column that is made of others."""

    column: str
    how: str  # "the product", "the power 2", "the logarithm", ...
    of: tuple  # of the names of the columns that it is made of

    def sentence(self):
        """What that means for marginal effects."""
        both = [*self.of, self.column]
        names = f"{', '.join(both[:-1])} and {both[-1]}"
        return (
            f"column {self.column} is {self.how} of {' and '.join(self.of)}: the effects of {names} are those of a "
            "change of one of them with the others as they are, which no row can make. Let expert_features and "
            "gate_features make such columns, and effects take them together"
        )

    def concerns(self, columns):
        """Whether an effect of one of these columns is not what it seems."""
        return not {self.column, *self.of}.isdisjoint(columns)


def made_of_others(X, names):
    """The columns of a table that are, up to their units, a product of two others or a power of another.

    Parameters
    ----------
    X : array-like or data frame of shape (n, p)
        Columns that are no numbers are passed over.
    names : sequence of length p

    Returns
    -------
    list of Made
        At most one for each column.
    """
    numbers, labels = _numeric_columns(X, names)
    few = numbers[:: max(len(numbers) // SAMPLE, 1)]
    found = {}
    for j in range(len(labels)):
        for how, basis in _powers(numbers[:, j]):
            for k in _explained(few, numbers, basis, {j, *found}):
                if not (j in found and labels[k] in found[j].of):  # x is the root of its own square
                    found[k] = Made(labels[k], how, (labels[j],))
    for i, j in combinations(range(len(labels) if len(labels) <= MOST_COLUMNS else 0), 2):
        basis = [numbers[:, i], numbers[:, j], numbers[:, i] * numbers[:, j]]
        origins = {name for m in (i, j) if m in found for name in found[m].of}
        for k in _explained(few, numbers, basis, {i, j, *found}):
            if labels[k] not in origins:
                found[k] = Made(labels[k], "the product", (labels[i], labels[j]))
    return [found[k] for k in sorted(found)]


def _numeric_columns(X, names):
    """Columns of numbers that vary, (n, q), divided by their largest values, and their names."""
    columns, labels = [], []
    for j, name in enumerate(names):
        values = X.iloc[:, j] if hasattr(X, "iloc") else np.asarray(X)[:, j]
        try:
            values = np.asarray(values, dtype=float)
        except (TypeError, ValueError):
            continue
        if np.isfinite(values).all() and np.ptp(values) > 0:
            columns.append(values / np.abs(values).max())  # powers and products keep being such
            labels.append(str(name))
    return np.column_stack(columns) if columns else np.empty((len(X), 0)), labels


def _powers(x):
    """Iterate over (how, basis): functions of a column that others may be."""
    if len(np.unique(x)) < 4:  # any function of few values is a polynomial
        return
    positive = (x > 0).all()
    yield "the power 2", [x, x**2]
    for power in POWERS if positive else (3.0,):
        yield f"the power {power:.3g}", [x**power]
    if positive:
        yield "the logarithm", [np.log(x)]


def _explained(few, numbers, basis, without):
    """Columns that are linear functions of a basis, and of its last member for certain."""
    step = max(len(numbers) // SAMPLE, 1)
    if _remains(basis[-1][::step, None], [b[::step] for b in basis[:-1]])[0] <= ROUNDING:
        step, few = 1, numbers  # the rows that were picked do not tell
        if _remains(basis[-1][:, None], basis[:-1])[0] <= ROUNDING:
            return
    close = np.flatnonzero(_remains(few, [b[::step] for b in basis]) <= ROUNDING)
    for k in close:
        if k in without:
            continue
        column = numbers[:, k, None]
        if _remains(column, basis)[0] <= ROUNDING < _remains(column, basis[:-1])[0]:
            yield int(k)


def _remains(columns, basis):
    """Share of the variance of columns (n, q) that a basis and a constant leave."""
    centred = columns - columns.mean(axis=0)
    total = np.maximum((centred**2).sum(axis=0), np.finfo(float).tiny)
    if not basis:
        return np.ones(columns.shape[1])
    basis = np.column_stack(basis)
    basis = basis - basis.mean(axis=0)
    size = np.sqrt((basis**2).sum(axis=0))
    vectors, values, _ = np.linalg.svd(basis[:, size > 0] / size[size > 0], full_matrices=False)
    vectors = vectors[:, values > 1e-7 * values.max(initial=0.0)]
    return ((centred - vectors @ (vectors.T @ centred)) ** 2).sum(axis=0) / total
