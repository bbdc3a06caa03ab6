"""Average marginal effects of columns on the mean of y, through the gate and within the experts."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from scipy.stats import norm
from sklearn.utils.validation import _check_sample_weight

from ..numerics.checks import check_choice
from . import summary
from .products import made_of_others

__all__ = ["MarginalEffects", "average_effects", "contrasts", "split_effects"]

SLOPE = 1e-4  # step of a column in its standard deviations, for derivatives
STRIDE = 0.25  # the same for experts or gates that are estimators
ROUNDING = 1e-7  # standard errors below this fraction of a column's largest effect are rounding errors of zeros


class MarginalEffects(NamedTuple):
    """Average effects of J columns on T outputs.

    Attributes
    ----------
    columns, changes : tuple of str of length J
        The column that changes, and the change in words.
    outputs : tuple of length T
        Classes, or numbers of the outputs.
    estimate, standard_error : ndarray of shape (J, 3, T)
        The total effect, the part through the gate and the part within experts.
    level : float
    remarks : list of str
        Columns that cannot change on their own, because others are made of them.
    """

    columns: tuple
    changes: tuple
    outputs: tuple
    estimate: np.ndarray
    standard_error: np.ndarray
    level: float
    remarks: list

    @property
    def z(self):
        """Effects divided by their standard errors, nan where there is none."""
        error = self.standard_error
        return np.divide(self.estimate, error, out=np.full_like(error, np.nan), where=np.isfinite(error) & (error > 0))

    @property
    def p_value(self):
        """Of the hypothesis that there is no effect, nan where `z` is."""
        return 2.0 * norm.sf(np.abs(self.z))

    @property
    def interval(self):
        """(J, 3, T, 2)."""
        reach = norm.isf(0.5 * (1.0 - self.level)) * self.standard_error
        return np.stack([self.estimate - reach, self.estimate + reach], axis=-1)

    def to_frame(self):
        """A pandas data frame, indexed by column, change, output and part ("total", "gate", "expert").

        What has no number is missing.
        """
        return summary.effect_frame(self)

    def __repr__(self):
        return summary.effect_table(self).text()

    def _repr_html_(self):
        return summary.effect_table(self).html()


def average_effects(covariance, model, X, columns, kind, sample_weight, level, **arguments):
    """The `MarginalEffects` of columns of a user's table, eq. (marginal-effect).

    Parameters
    ----------
    covariance : hme.inference.ParameterCovariance
    model : HMERegressor or HMEClassifier
    X, columns, kind, sample_weight, level, **arguments
        As for `Inference.marginal_effects`.
    """
    n_rows = model.rows(X, **arguments).n_rows  # checks the table
    empty = np.empty((n_rows, 1))
    weight = _check_sample_weight(sample_weight, empty, dtype=np.float64, ensure_non_negative=True)
    found, values, errors = [], [], []
    # Trees and the like are flat nearly everywhere: take the mean slope over a finite distance.
    sides = model.model_.expert, model.model_.gate
    steps = any(side.traits.sees_table or side.traits.refitted for side in sides)
    for contrast in contrasts(X, model.input_names(), columns, kind, STRIDE if steps else SLOPE):
        after, before = (model.rows(table, hold=False, **arguments) for table in (contrast.after, contrast.before))

        def change(params, after=after, before=before, distance=contrast.distance):
            parts = split_effects(model.model_, params, after, before, weight) / distance
            return np.concatenate([parts.sum(axis=0, keepdims=True), parts])

        value, error = covariance.errors(change)
        error = np.where(error > ROUNDING * np.abs(value).max(), error, 0.0)
        found.append((contrast.column, contrast.change))
        values.append(value)
        errors.append(error)
    if not found:
        none = "X has no column of more than one value" if columns is None else f"columns = {columns!r} names no column"
        raise ValueError(f"{none}: there is no effect to take.")
    columns, changes = zip(*found, strict=True)
    remarks = [made.sentence() for made in made_of_others(X, model.input_names()) if made.concerns(columns)]
    found = columns, changes, model.target_.labels, np.stack(values), np.stack(errors)
    return MarginalEffects(*found, level, remarks)


def split_effects(mixture, params, after, before, weight):
    """Mean change of the mean of y from one table to another, (2, T): through the gate, and within experts.

    With averages of both ends a product changes by ``dg mu + g dmu`` exactly, eq. (effect-split).
    """
    change = 0.0
    for (index, block), (_, earlier) in zip(after.blocks(), before.blocks(), strict=True):
        prior, mean = zip(*(_prior_and_mean(mixture, params, rows) for rows in (block, earlier)), strict=True)
        gate = np.einsum("nk,nkt->nt", prior[0] - prior[1], 0.5 * (mean[0] + mean[1]))
        within = np.einsum("nk,nkt->nt", 0.5 * (prior[0] + prior[1]), mean[0] - mean[1])
        change = change + np.stack([weight[index] @ gate, weight[index] @ within])
    return change / weight.sum()


def _prior_and_mean(mixture, params, rows):
    return np.exp(mixture.log_prior(params, rows)), mixture.expert.predict(params.experts, rows)


class Contrast(NamedTuple):
    """Two tables that differ in one column."""

    column: str
    change: str  # in words
    after: object
    before: object
    distance: float  # by which the change of the mean is divided


def contrasts(X, names, columns, kind, slope=SLOPE):
    """Yield the contrasts of columns of a user's table: a small step both ways, or every level against the lowest."""
    if sp.issparse(X):
        raise TypeError("marginal_effects needs a dense X; give X.toarray() of some rows.")
    check_choice(kind, "kind", ("auto", "continuous", "discrete"))
    if not hasattr(X, "iloc"):
        X = np.asarray(X)
    for j in _column_numbers(columns, names):
        values = np.asarray(X.iloc[:, j] if hasattr(X, "iloc") else X[:, j])
        numbers = _as_numbers(values)
        levels = _levels(values)
        name = str(names[j])
        if len(levels) < 2 and columns is None:
            continue  # a constant column has no effect
        if len(levels) < 2 and kind != "continuous":
            raise ValueError(f"column {name!r} has one value only, {levels[0]!r}: leave it out of columns.")
        if kind == "discrete" or (kind == "auto" and (numbers is None or len(levels) == 2)):
            for level in levels[1:]:
                yield Contrast(name, f"{levels[0]} to {level}", _with(X, j, level), _with(X, j, levels[0]), 1.0)
            continue
        if numbers is None:
            raise ValueError(f"column {name!r} holds no numbers: it has no derivative; use kind='discrete'.")
        step = slope * (numbers.std() or np.abs(numbers).max() or 1.0)
        after, before = numbers + step, numbers - step
        yield Contrast(name, "per unit", _with(X, j, after), _with(X, j, before), float(np.mean(after - before)))


def _column_numbers(columns, names):
    if columns is None:
        return range(len(names))
    names, numbers = [str(name) for name in names], []
    for column in [columns] if isinstance(columns, str | int | np.integer) else columns:
        if isinstance(column, str) and column in names:
            numbers.append(names.index(column))
        elif isinstance(column, int | np.integer) and not isinstance(column, bool) and 0 <= column < len(names):
            numbers.append(int(column))
        else:
            wrong = column.item() if isinstance(column, np.generic) else column
            raise ValueError(f"columns names {wrong!r}; X has {names}, numbers 0 to {len(names) - 1}.")
    return numbers


def _as_numbers(values):
    try:
        return np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        return None


def _levels(values):
    try:
        return np.unique(values).tolist()
    except TypeError:
        return sorted(set(values.tolist()), key=str)


def _with(X, j, values):
    """The table with other values in a column."""
    if hasattr(X, "iloc"):
        X = X.copy()
        if np.ndim(values) == 0 and hasattr(X.dtypes.iloc[j], "categories"):  # a level of a categorical stays one
            X.iloc[:, j] = values
        else:
            X.isetitem(j, values)
        return X
    X = X.copy() if X.dtype.kind in "Of" else X.astype(float)
    X[:, j] = values
    return X
