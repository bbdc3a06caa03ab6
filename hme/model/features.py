"""The columns that experts and gate see: all columns, a selection, or the output of a transformer."""

from contextlib import nullcontext
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.utils import check_array
from sklearn.utils.validation import has_fit_parameter

from ..features import Splines, Squares
from ..features.base import Columnwise, Plain
from .cells import gaps, has_dates, not_numbers, plain
from .design import Design
from .parts import UnusablePart, called, lent, renamed
from .rows import Rows

__all__ = ["Columns", "Features", "Tables", "Views"]

# Transformers that have names; a column of the same name comes first.
NAMED = {"splines": Splines, "squares": Squares}


class Features:
    """A map from the user's table to the numeric columns of one side of the model, experts or gate.

    Parameters
    ----------
    transformer : fitted transformer or None
        None keeps every column.
    names : ndarray of str
        Names of the output columns.
    label : str
        Name of the estimator's parameter, "expert_features" or "gate_features", for error messages.
    selects : bool
        Whether the columns are the user's own, not those that a transformer of the user makes.
    """

    def __init__(self, transformer, names, label, selects=True, given=()):
        self.transformer, self.names, self.label, self.selects = transformer, names, label, selects
        self.given = given  # names of the columns of the user's table

    @classmethod
    def fit(cls, spec, X, names, weight, label):
        """Fit the map that `spec` describes.

        Parameters
        ----------
        spec : None, columns, transformer or its name
            Columns are names, numbers, a slice, a mask or a callable. None means all columns.
        X : array, sparse matrix or data frame of shape (n, p)
        names : sequence of str of length p
        weight : ndarray of shape (n,)
            Passed to the transformer if its `fit` takes a `sample_weight`.
        label : str
            "expert_features" or "gate_features".
        """
        return cls.fit_transform(spec, X, names, weight, label)[0]

    @classmethod
    def fit_transform(cls, spec, X, names, weight, label):
        """The map as from `fit`, and the columns that it makes of X."""
        if spec is None:
            return cls(None, np.asarray(names, dtype=object), label, given=list(names)), X
        if _is_named(spec, names):
            spec = NAMED[spec]()
        transformer = _transformer(spec, len(names), label)
        arguments = {"sample_weight": weight} if has_fit_parameter(transformer, "sample_weight") else {}
        self = cls(transformer, None, label, not hasattr(spec, "transform"), list(names))
        try:
            with self._lent(X) as (table,), np.errstate(all="ignore"):  # what matters is what it returns
                transformer.fit(table, **arguments)
            columns = self.transform(X)
        except UnusablePart:
            raise
        except (ValueError, TypeError, KeyError, IndexError) as error:
            raise renamed(error, f"{label} = {spec!r}: {plain(str(error))}") from error
        given = None if hasattr(transformer, "feature_names_in_") else np.asarray(names, dtype=object)
        self.names = _names_of(transformer, columns.shape[1], given)
        if self.names is None and self.selects:
            raise ValueError(f"{label} = {spec!r} takes a column more than once.")
        if self.names is None:
            self.names = np.array([f"{label[0]}{j}" for j in range(columns.shape[1])], dtype=object)
        return self, columns

    def transform(self, X):
        """Columns (n, q) of floats, as a dense array or a CSR matrix."""
        if self.transformer is None:
            return X
        with self._lent(X) as (table,), np.errstate(all="ignore"):
            columns = self.transformer.transform(table)
        columns = columns if hasattr(columns, "shape") else np.asarray(columns)
        shape = columns.shape
        if len(shape) != 2 or shape[0] != X.shape[0] or (self.names is not None and shape[1] != len(self.names)):
            wanted = "a 2-D array with one row for each" if self.names is None else (X.shape[0], len(self.names))
            raise UnusablePart(
                f"{self.label} returned an array of shape {shape} for {X.shape[0]} rows; "
                f"{called(self.transformer)} must return {wanted}."
            )
        if not shape[1]:  # a side that sees the intercept only
            return np.empty((shape[0], 0))
        if has_dates(columns):
            raise UnusablePart(self._no_numbers(columns))
        try:
            return check_array(columns, accept_sparse="csr", dtype=np.float64, input_name=self.label)
        except (ValueError, TypeError) as error:
            raise UnusablePart(self._no_numbers(columns, error)) from error

    def _lent(self, X):
        """The table, or a copy where the user's own transformer might change it."""
        if self.selects:
            return nullcontext((X,))
        return lent(self.transformer, f"given as {self.label}", X=X)

    def _no_numbers(self, columns, error=""):
        """What is wrong with columns that cannot be taken for finite numbers."""
        reason, names = plain(str(error).split("\n")[0].rstrip(".")), _names_of(self.transformer, columns.shape[1])
        subject = f"{self.label} selects" if self.selects else f"{self.label}: {called(self.transformer)} returned"
        where = gaps(columns, names) if "contains" in reason else ""
        if where:
            return f"{subject} columns that are not finite: {reason}, in {where}."
        return f"{not_numbers(columns, subject, names) or f'{subject} what is no table of numbers: {reason}'}."

    def renamed(self, names):
        """Names of the output columns if the user's columns are called otherwise than in the fit."""
        if self.transformer is None:
            return np.asarray(names, dtype=object)
        if isinstance(self.transformer, Columnwise):
            return np.array([name for several in self.transformer.named(names) for name in several], dtype=object)
        translation = dict(zip(self.given, names, strict=True))
        return np.array([translation.get(name, name) for name in self.names], dtype=object)

    @property
    def maps(self):
        """What becomes of each of the user's columns that the side takes, if every one becomes columns of its own.

        Returns
        -------
        list of (str, map), or None
            The name of the column, and what has the methods of `hme.features.base.Plain`.
        """
        if isinstance(self.transformer, Columnwise):
            return list(zip(self.given, self.transformer.maps_, strict=True))
        if self.transformer is not None and not self.selects:
            return None
        return [(name, Plain()) for name in self.names]

    def owners(self, names=None):
        """The user's column that each output column is made of, as a list of q names; its own name where none is known.

        Parameters
        ----------
        names : sequence of str or None
            The user's columns may be called otherwise than in the fit.
        """
        maps = self.maps
        if maps is None:
            return [str(name) for name in self.names]
        called = dict(zip(self.given, self.given if names is None else names, strict=True))
        return [str(called[name]) for name, one in maps for _ in one.names("")]


def _names_of(transformer, n_columns, given=None):
    """The names that a transformer gives its columns, made of those of `given` names; None if it gives none."""
    try:
        names = transformer.get_feature_names_out(*(() if given is None else (given,)))
    except (AttributeError, ValueError, TypeError):
        return None if given is None else _names_of(transformer, n_columns)
    names = np.asarray(names, dtype=object)
    return names if len(names) == n_columns else None


def _transformer(spec, n_columns, label):
    """The unfitted transformer that a value of `expert_features` or `gate_features` specifies."""
    if hasattr(spec, "transform") and not isinstance(spec, type):
        return clone(spec)
    if spec is False or isinstance(spec, int | float | dict) or isinstance(spec, type):
        raise TypeError(
            f"{label} = {spec!r} must be None, a list of column names or numbers, a callable, or a transformer."
        )
    columns = [spec] if isinstance(spec, str) else spec
    if isinstance(spec, slice) and not any(isinstance(end, str) for end in (spec.start, spec.stop)):
        columns = list(range(n_columns)[spec])
    return ColumnTransformer([("columns", "passthrough", columns)], verbose_feature_names_out=False)


class Side(NamedTuple):
    """The columns of one side, experts or gate: feature map and design."""

    features: Features
    design: Design

    @classmethod
    def fit_transform(cls, spec, X, names, weight, standardize, label):
        """The side, and its columns before they are standardised."""
        features, columns = Features.fit_transform(spec, X, names, weight, label)
        return cls(features, Design.fit(columns, weight, standardize, features.names)), columns

    def transform(self, X):
        """Design matrix of a table."""
        return self.design.transform(self.features.transform(X))


def _picks(spec, names):
    """Whether features are picked from the user's table: transformers that have names take its numbers."""
    return spec is not None and not _is_named(spec, names)


def _is_named(spec, names):
    return isinstance(spec, str) and spec in NAMED and spec not in names


class Views(NamedTuple):
    """Which form of the user's table experts and gate take.

    Attributes
    ----------
    experts_pick, gate_picks : bool
        Whether the side selects its columns from the user's table as passed, which may hold text, rather than from the
        numeric array that it was converted to.
    experts_see_table, gate_sees_table : bool
        Whether the family also receives the table itself, in addition to its design columns.
    experts_follow : bool
        Whether the experts use the table only. The design columns that starts and scales need are then the gate's.
    gate_is_blind : bool
        Whether the gate's prior does not depend on x, so that it needs no columns of its own.
    """

    experts_pick: bool = False
    gate_picks: bool = False
    experts_see_table: bool = False
    gate_sees_table: bool = False
    experts_follow: bool = False
    gate_is_blind: bool = False

    @classmethod
    def of(cls, expert, gate, expert_features, gate_features, names=()):
        """The views for a family of experts, a gate, and an estimator's `expert_features` and `gate_features`.

        `names` are those of the columns of a data frame.
        """
        follow = all(member.traits.sees_table for member in expert.members)
        blind = not gate.traits.sees_columns
        pick, gate_picks = (_picks(spec, names) for spec in (expert_features, gate_features))
        return cls(
            pick or follow,
            gate_picks or (pick and gate_features is None and blind),
            expert.traits.sees_table,
            gate.traits.sees_table,
            follow,
            blind,
        )

    @property
    def dtypes(self):
        """The types of numbers that are taken as they are; where nothing but the design sees them, also single ones."""
        sees = self.any_picks or self.experts_see_table or self.gate_sees_table
        return np.float64 if sees else [np.float64, np.float32]

    @property
    def any_picks(self):
        """Whether some side selects its columns from the user's table."""
        return self.experts_pick or self.gate_picks

    @property
    def all_pick(self):
        """Whether no side needs the numeric array."""
        return self.experts_pick and self.gate_picks


NUMBERS = Views()  # both sides take the numeric array


class Tables(NamedTuple):
    """The table that each side selects its columns from, and the whole one for families that see the table itself."""

    expert: Any
    gate: Any
    whole: Any = None

    @classmethod
    def of(cls, table, numbers, views):
        """The tables from the user's table and the numeric array made of it, which is None if no side needs it."""
        whole = table if numbers is None or hasattr(table, "columns") else numbers  # data frames keep their columns
        return cls(table if views.experts_pick else numbers, table if views.gate_picks else numbers, whole)


class Columns(NamedTuple):
    """The columns of both sides; a gate without columns of its own shares those of the experts."""

    expert: Side
    gate: Side
    views: Views = NUMBERS

    @classmethod
    def fit(cls, expert_features, gate_features, tables, names, weight, standardize, views=NUMBERS):
        """Fit both sides."""
        return cls.fit_transform(expert_features, gate_features, tables, names, weight, standardize, views)[0]

    @classmethod
    def fit_transform(cls, expert_features, gate_features, tables, names, weight, standardize, views=NUMBERS):
        """Fit both sides; also the columns of each before they are standardised, for `rows` of the same tables."""
        if gate_features is None and views.experts_follow and views.all_pick:
            gate_features = []  # neither side uses design columns
        if expert_features is None and views.experts_follow:
            gate, raw = Side.fit_transform(gate_features, tables.gate, names, weight, standardize, "gate_features")
            return cls(gate, gate, views), (raw, raw)
        of_expert = expert_features, tables.expert, names, weight, standardize, "expert_features"
        expert, raw = Side.fit_transform(*of_expert)
        if gate_features is None and (views.gate_is_blind or expert_features is None):
            return cls(expert, expert, views), (raw, raw)
        gate, own = Side.fit_transform(gate_features, tables.gate, names, weight, standardize, "gate_features")
        return cls(expert, gate, views), (raw, own)

    def rows(self, tables, raw=None, **arrays):
        """`Rows` from a table and the arrays aligned with it, such as `y` and `weight`.

        `raw` are the columns of both sides before they are standardised, where they are known.
        """
        views = self.views
        gates_alone = views.experts_follow and self.expert is self.gate  # the design columns are the gate's
        raw, gate_raw = self._raw(tables, gates_alone) if raw is None else raw
        X = Z = self.expert.design.transform(raw)
        if self.gate is not self.expert:
            Z = self.gate.design.transform(gate_raw)
        if views.experts_see_table:
            picked = self.expert.features.transformer is not None and not gates_alone
            arrays["table"] = raw if picked else tables.whole
        if views.gate_sees_table:
            arrays["gate_table"] = gate_raw if self.gate.features.transformer is not None else tables.whole
        return Rows(X, Z, **arrays)

    def _raw(self, tables, gates_alone):
        """The columns of both sides before they are standardised."""
        raw = self.expert.features.transform(tables.gate if gates_alone else tables.expert)
        return raw, raw if self.gate is self.expert else self.gate.features.transform(tables.gate)
