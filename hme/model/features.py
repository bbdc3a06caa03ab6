"""Which columns experts or gate see: all of them, some of them, or what a transformer makes of them."""

from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.utils import check_array
from sklearn.utils.validation import has_fit_parameter

from .design import Design
from .rows import Rows

__all__ = ["Columns", "Features", "Tables"]


class Features:
    """A map from the user's table to the numeric columns of one side of the model.

    Parameters
    ----------
    transformer : fitted transformer or None
        None keeps every column.
    names : ndarray of str
        Names of the columns that come out.
    label : str
        The parameter that it stands for, for error messages.
    """

    def __init__(self, transformer, names, label):
        self.transformer, self.names, self.label = transformer, names, label

    @classmethod
    def fit(cls, spec, X, names, weight, label):
        """Fit `spec`: None, columns (names, numbers, a slice, a mask or a callable), or a transformer.

        Parameters
        ----------
        spec : None, columns or transformer
        X : array, sparse matrix or data frame of shape (n, p)
        names : sequence of str of length p
        weight : ndarray of shape (n,)
            Handed to the transformer where its `fit` takes a sample_weight.
        label : str
            "expert_features" or "gate_features".
        """
        if spec is None:
            return cls(None, np.asarray(names, dtype=object), label)
        if hasattr(spec, "transform") and not isinstance(spec, type):
            transformer = clone(spec)
        elif spec is False or isinstance(spec, int | float | dict) or isinstance(spec, type):
            raise TypeError(
                f"{label} = {spec!r} must be None, a list of column names or numbers, a callable, or a transformer."
            )
        else:
            columns = [spec] if isinstance(spec, str) else spec
            if isinstance(spec, slice) and not any(isinstance(end, str) for end in (spec.start, spec.stop)):
                columns = list(range(len(names))[spec])
            transformer = ColumnTransformer([("columns", "passthrough", columns)], verbose_feature_names_out=False)
        arguments = {"sample_weight": weight} if has_fit_parameter(transformer, "sample_weight") else {}
        try:
            transformer.fit(X, **arguments)
            self = cls(transformer, None, label)
            n_columns = self.transform(X).shape[1]
        except (ValueError, TypeError, KeyError, IndexError) as error:
            raise type(error)(f"{label} = {spec!r}: {error}") from error
        try:
            self.names = np.asarray(transformer.get_feature_names_out(), dtype=object)
        except (AttributeError, ValueError, TypeError):
            self.names = None
        if self.names is None or len(self.names) != n_columns:
            self.names = np.array([f"{label[0]}{j}" for j in range(n_columns)], dtype=object)
        return self

    def transform(self, X):
        """Columns (n, q) as floats, dense or sparse rows."""
        if self.transformer is None:
            return X
        columns = self.transformer.transform(X)
        shape = columns.shape if hasattr(columns, "shape") else np.shape(columns)
        if len(shape) != 2 or shape[0] != X.shape[0]:
            raise ValueError(f"{self.label} makes an array of shape {shape} of {X.shape[0]} rows, not a table of them.")
        if not shape[1]:  # a side that sees nothing but the intercept
            return np.empty((shape[0], 0))
        return check_array(columns, accept_sparse="csr", dtype=np.float64, input_name=self.label)

    def renamed(self, given, names):
        """Names of the columns that come out where the user's columns are called `names` instead of `given`."""
        if self.transformer is None:
            return np.asarray(names, dtype=object)
        translation = dict(zip(given, names, strict=True))
        return np.array([translation.get(name, name) for name in self.names], dtype=object)


class Side(NamedTuple):
    """What experts or gate see of a table."""

    features: Features
    design: Design

    @classmethod
    def fit(cls, spec, X, names, weight, standardize, label):
        features = Features.fit(spec, X, names, weight, label)
        return cls(features, Design.fit(features.transform(X), weight, standardize, features.names))

    def transform(self, X):
        """Design columns of a table."""
        return self.design.transform(self.features.transform(X))


class Tables(NamedTuple):
    """A table as each side takes its columns from it, and as it came, for families that see the table itself."""

    expert: Any
    gate: Any
    whole: Any = None


class Columns(NamedTuple):
    """Both sides; where the gate has no columns of its own it sees the experts', and they are kept once.

    With `follows` it is the other way round: the experts see the table itself, and what design columns there are, for
    starts and scales, are the gate's.
    """

    expert: Side
    gate: Side
    follows: bool = False

    @classmethod
    def fit(cls, expert_features, gate_features, tables, names, weight, standardize, alike=False, follows=False):
        """Fit both sides.

        With `alike` the gate has no use for columns of its own, unless it is given some.
        """
        if follows and expert_features is None:
            gate = Side.fit(gate_features, tables.gate, names, weight, standardize, "gate_features")
            return cls(gate, gate, True)
        expert = Side.fit(expert_features, tables.expert, names, weight, standardize, "expert_features")
        if gate_features is None and (alike or expert_features is None):
            return cls(expert, expert)
        return cls(expert, Side.fit(gate_features, tables.gate, names, weight, standardize, "gate_features"))

    def rows(self, tables, expert_sees=False, gate_sees=False, **arrays):
        """Rows of a table, with whatever else belongs to them."""
        raw = self.expert.features.transform(tables.gate if self.follows else tables.expert)
        X = Z = self.expert.design.transform(raw)
        gate_raw = raw
        if self.gate is not self.expert:
            gate_raw = self.gate.features.transform(tables.gate)
            Z = self.gate.design.transform(gate_raw)
        if expert_sees:
            picked = self.expert.features.transformer is not None and not self.follows
            arrays["table"] = raw if picked else tables.whole
        if gate_sees:
            arrays["gate_table"] = gate_raw if self.gate.features.transformer is not None else tables.whole
        return Rows(X, Z, **arrays)
