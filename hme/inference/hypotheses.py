"""Hypotheses: from names of columns, or of combinations of coefficients, to matrices over the reported coordinates."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from ..features.curves import curves_of
from ..numerics.checks import check_choice
from ..tables import Table

__all__ = ["WaldTest", "combinations", "curved", "equalities"]


class WaldTest(NamedTuple):
    """Result of a Wald test of combinations of coefficients."""

    statistic: float  # chi-squared
    df: int  # degrees of freedom, the number of linearly independent combinations
    p_value: float
    names: tuple  # of what was tested

    def table(self):
        """The test as a `hme.tables.Table`."""
        notes = [f"of {name}" for name in self.names]
        return Table(["chi-squared", "df", "p"], [[self.statistic, self.df, self.p_value]], "Wald test", notes)

    def __str__(self):
        return self.table().text()

    def _repr_html_(self):
        return self.table().html()


def curved(columns):
    """The column that terms are slopes along, as a dict of pairs (side, term), of the `Columns` of a model."""
    found = {}
    for side in ("expert", "gate"):
        features = getattr(columns, side).features
        for curve in curves_of(features):
            found |= {(side, str(features.names[j])): curve.name for j in curve.index}
    return found


def find(labels, fixed, curves, terms, side=None, experts=None):
    """Numbers of the coordinates of some columns, without fixed ones; `curves` is what `curved` returns."""
    if side is not None:
        check_choice(side, "side", ("expert", "gate"))
    if experts is not None:
        experts = {str(k) for k in ([experts] if isinstance(experts, str | int | np.integer) else experts)}
        unknown = experts - {str(label.index) for label in labels if label.side == "expert"}
        if unknown or side == "gate":
            raise ValueError(f"experts = {sorted(experts)} and side = {side!r}: there is no such expert there.")
    found = []
    for term in [terms] if isinstance(terms, str) else terms:
        matching = [
            i
            for i, label in enumerate(labels)
            if term in (label.term, curves.get((label.side, label.term)))
            and side in (None, label.side)
            and (experts is None or (label.side == "expert" and str(label.index) in experts))
        ]
        if not matching:
            allowed = list(dict.fromkeys(label.term for label in labels if side in (None, label.side)))
            raise ValueError(f"terms names {str(term)!r}; the model has {allowed}.")
        found += matching
    if not found:
        raise ValueError("terms is empty; name at least one column.")
    free = [i for i in dict.fromkeys(found) if not fixed[i]]
    if not free:
        raise ValueError(f"terms = {terms!r} are fixed: there is nothing to test.")
    return free


def combinations(labels, names, fixed, curves, terms, side=None, experts=None):
    """Factors (q, P) on the reported coordinates, and names of the combinations."""
    P = len(labels)
    if isinstance(terms, str) or (isinstance(terms, list | tuple) and all(isinstance(t, str) for t in terms)):
        found = find(labels, fixed, curves, terms, side, experts)
        return np.eye(P)[found], [names[i] for i in found]
    if side is not None or experts is not None:
        raise ValueError("side and experts go with terms that are columns; combinations name their coordinates.")
    terms = [terms] if isinstance(terms, Mapping) else terms
    if isinstance(terms, list | tuple) and all(isinstance(term, Mapping) for term in terms):
        matrix = np.zeros((len(terms), P))
        for row, term in zip(matrix, terms, strict=True):
            for name, factor in term.items():
                if name not in names:
                    raise ValueError(f"terms names {name!r}, which is none of the names {names}.")
                row[names.index(name)] = factor
    else:
        try:
            matrix = np.atleast_2d(np.asarray(terms, dtype=float))
        except (TypeError, ValueError):
            matrix = np.zeros((0, 0))
    if matrix.ndim != 2 or matrix.shape[1] != P or not np.isfinite(matrix).all():
        raise ValueError(f"terms = {terms!r} must be columns, mappings of names to numbers or a matrix (q, {P}).")
    sums = [[f"{factor:+g} ({names[i]})" for i, factor in enumerate(row) if factor] for row in matrix]
    return matrix, [" ".join(terms) for terms in sums]


def equalities(labels, names, fixed, curves, term):
    """Factors (q, P) that compare a column's coefficients in all experts, and names of the differences."""
    parts = {}
    for i in find(labels, fixed, curves, term, "expert"):
        parts.setdefault((labels[i].part, labels[i].term), []).append(i)
    pairs = [(same[0], i) for same in parts.values() for i in same[1:]]
    if not pairs:
        raise ValueError(f"{term!r} is a term of one expert only: there is nothing to compare.")
    matrix = np.zeros((len(pairs), len(labels)))
    for row, (first, other) in zip(matrix, pairs, strict=True):
        row[first], row[other] = -1.0, 1.0
    return matrix, [f"{names[other]} - {names[first]}" for first, other in pairs]
