"""Shared parts of the displays: models, tables, grids and curves; matplotlib and colours."""

import warnings
from collections.abc import Mapping
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from ..numerics.checks import check_int

__all__ = [
    "Subject",
    "as_text",
    "class_number",
    "colors_of",
    "curves",
    "expert_labels",
    "legend_of",
    "mixture_of",
    "name_of",
    "pyplot",
    "subject_of",
    "target_label",
    "target_of",
    "value_range",
]

MOST_LISTED = 12  # experts in a legend: of more, those of the largest priors
# Okabe and Ito's colours, which people with any form of colour blindness tell apart.
SAFE = "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#999999"


class Subject(NamedTuple):
    """What is drawn: a fitted model, the steps of a pipeline before it, and the table that the user gives."""

    model: Any
    steps: Any  # a pipeline without its last step, or None
    table: Any  # data frame, or array (N, p)
    names: list  # of the columns
    named: bool  # whether the user named them

    @property
    def mixture(self):
        """The model, or of a stack the mixture over its models."""
        return getattr(self.model, "final_estimator_", self.model)

    # -- columns -------------------------------------------------------------------------------------------------------

    def number(self, feature):
        """Number of a column that is given by number or name."""
        p, names = len(self.names), self.names if self.named else []
        if feature is None:
            if p == 1:
                return 0
            raise ValueError(
                f"X has {p} features; feature must say which one to draw along, {names or f'0 to {p - 1}'}."
            )
        if isinstance(feature, str) and feature in names:
            return names.index(feature)
        if isinstance(feature, Integral) and not isinstance(feature, bool) and 0 <= feature < p:
            return int(feature)
        named = f" or one of {names}" if names else ""
        raise ValueError(f"feature = {feature!r} must be a number from 0 to {p - 1}{named}.")

    def pair(self, features):
        """Numbers of the two columns of a map."""
        if features is None:
            features = range(len(self.names))
            if len(features) != 2:
                raise ValueError(f"X has {len(features)} feature(s); features must name the two of the map.")
        pair = [] if isinstance(features, str) else [self.number(feature) for feature in features]
        if len(pair) != 2 or pair[0] == pair[1]:
            raise ValueError(f"features = {features!r} must be two different features.")
        return pair

    def column(self, j):
        """A column as the user gave it."""
        return np.asarray(self.table.iloc[:, j] if self._framed else self.table[:, j])

    def is_numeric(self, j):
        """Whether a column holds numbers, and more than one."""
        try:
            values = self.column(j).astype(float)
        except (TypeError, ValueError):
            return False
        return len(np.unique(values[np.isfinite(values)])) > 1

    def names_seen(self):
        """Names of the columns that the model sees: those of the table, or of what the steps before it make of it."""
        if self.steps is None:
            return [str(name) for name in self.names]
        try:
            made = [str(name) for name in self.steps.get_feature_names_out(self.names if self.named else None)]
        except (AttributeError, ValueError):  # a step that gives none
            return None
        short = [name.rpartition("__")[2] for name in made]  # without the names of steps, where that is clear
        return short if len(set(short)) == len(short) else made

    def shares(self, y, **arguments):
        """Responsibilities of the rows (N, K); priors where row arguments of the fit are not given."""
        table = self.seen(self.table)
        if set(self.mixture.row_arguments_) <= set(arguments):
            return self.ask("responsibilities", table, y=y, **arguments)
        return self.ask("gate_proba", table)

    def levels(self, j):
        """The levels of a column of text, as text: in the order of a categorical column, else sorted."""
        categories = getattr(self.table.dtypes.iloc[j], "categories", None) if self._framed else None
        column = self.column(j)
        seen = {str(value) for value in column if value is not None and value == value}  # nan differs from itself
        ordered = sorted(seen) if categories is None else [str(value) for value in categories]
        return [level for level in ordered if level in seen]

    def numbers(self, j):
        """A column of numbers (N,)."""
        try:
            return self.column(j).astype(float)
        except (TypeError, ValueError):
            raise ValueError(
                f"feature {self.names[j]!r} does not hold numbers, and there is nothing to draw along; it can be held "
                f"at a value, values={{{self.names[j]!r}: ...}}."
            ) from None

    @property
    def _framed(self):
        return hasattr(self.table, "iloc")

    # -- the point that is held ----------------------------------------------------------------------------------------

    def typical(self):
        """Number of the row that is nearest to the middle of the table.

        It is a row, and no vector of medians: whole numbers, categories and their 0-1 columns stay what they are.
        Columns of two values and of text count by how common the row's value is.
        """
        distance = np.zeros(self.table.shape[0])
        for j in range(len(self.names)):
            try:
                column = self.column(j).astype(float)
            except (TypeError, ValueError):
                column = None
            if column is None or len(np.unique(column[~np.isnan(column)])) <= 2:
                codes = np.unique(self.column(j).astype(str), return_inverse=True)[1]
                distance += 1.0 - np.bincount(codes)[codes] / len(codes)
                continue
            low, middle, high = np.nanquantile(column, [0.25, 0.5, 0.75])
            spread = high - low or np.nanmax(column) - np.nanmin(column)
            distance += np.where(np.isnan(column), 2.0, np.abs(column - middle) / spread)
        return int(distance.argmin())

    def grid(self, values, n_points, columns):
        """Rows that the model sees: the held point `n_points` times, with `columns` {number: values} written over."""
        held = {}
        if values is not None:
            held = values if isinstance(values, Mapping) else self._checked(values)
        rows = np.full(n_points, self.typical())
        written = {**{self.number(name): value for name, value in held.items()}, **columns}
        if self._framed:
            grid = self.table.iloc[rows].reset_index(drop=True)
            for j, value in written.items():
                grid[grid.columns[j]] = value
        else:
            grid = self.table[rows]
            for j, value in written.items():
                grid[:, j] = value
        return self.seen(grid)

    def _checked(self, values):
        values = np.asarray(values, dtype=object)
        if values.shape != (len(self.names),):
            raise ValueError(
                f"values has shape {values.shape}; give one value for each feature, ({len(self.names)},), or a dict of "
                "some of them."
            )
        return dict(enumerate(values.tolist()))

    def seen(self, table):
        """A table as the model sees it, after the steps of a pipeline."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="X does not have valid feature names")
            return table if self.steps is None else self.steps.transform(table)

    def seen_by_mixture(self, table):
        """A table as the mixture sees it: of a stack what its models predict, beside the prepared columns."""
        seen = self.seen(table)
        return seen if self.mixture is self.model else self.model.level_one(seen)

    def ask(self, method, grid, **arguments):
        """A method of the model, without scikit-learn's warning that the grid has no column names."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="X does not have valid feature names")
            return getattr(self.model, method)(grid, **arguments)

    def neutral(self):
        """Row arguments of plots: an offset of zero, which is one unit of exposure, and a single trial."""
        return {name: {"offset": 0, "trials": 1}[name] for name in self.mixture.row_arguments_}

    def along(self, feature, values, n_points):
        """The number of a feature, values along it, and rows (n_points, p) where the others are held."""
        j = self.number(feature)
        x = value_range(self.numbers(j), n_points)
        return j, x, self.grid(values, n_points, {j: x})


def unwrapped(model):
    """The model in a pipeline, or a search around either, and the steps before it, or None."""
    steps = None
    while not hasattr(model, "gate_proba"):
        if hasattr(model, "best_estimator_"):
            model = model.best_estimator_
        elif isinstance(model, Pipeline):
            before = model[:-1] if len(model.steps) > 1 else None
            steps = before if steps is None else Pipeline([*steps.steps, *before.steps]) if before else steps
            model = model.steps[-1][1]
        else:
            raise TypeError(
                f"model = {model!r} must be an HMERegressor or HMEClassifier, or a pipeline that ends in one."
            )
    check_is_fitted(model)
    return model, steps


def mixture_of(model):
    """The mixture in a model, a pipeline, a search or a stack."""
    model = unwrapped(model)[0]
    return getattr(model, "final_estimator_", model)


def subject_of(model, X):
    """The `Subject` of a model, of a pipeline that ends in one, or of a search around either."""
    model, steps = unwrapped(model)
    table = X.toarray() if sp.issparse(X) else X if hasattr(X, "iloc") else np.asarray(X)
    if len(table.shape) != 2:
        raise ValueError(f"Expected 2D array, got X of shape {table.shape} instead.")
    if not hasattr(table, "iloc") and table.dtype.kind not in "fO":
        table = table.astype(float)
    p = model.n_features_in_
    if steps is None and table.shape[1] != p:
        raise ValueError(
            f"X has {table.shape[1]} features, but {type(model).__name__} is expecting {p} features as input."
        )
    framed = hasattr(table, "iloc")
    own = list(getattr(model, "feature_names_in_", [])) if steps is None else []
    names = [str(name) for name in table.columns] if framed else own or [f"x{j}" for j in range(table.shape[1])]
    if own and not framed:  # as the model knows them, so that it finds its columns
        import pandas as pd  # the model has seen a data frame

        table = pd.DataFrame(table, columns=own)
    return Subject(model, steps, table, names, framed or bool(own))


def value_range(column, n_points, margin=0.0):
    """Equally spaced values over the range of a column."""
    check_int(n_points, "n_points", minimum=2)
    low, high = np.nanmin(column), np.nanmax(column)
    if not low < high:
        raise ValueError("a feature of the plot has one value only.")
    return np.linspace(low - margin * (high - low), high + margin * (high - low), n_points)


def curves(subject, grid, output):
    """Priors, the experts' means, the mean, and the ends of a band around it, of one output or class.

    The band is two standard deviations wide to both sides, inside the support of y. It is None for classes and for
    families without a variance.
    """
    if subject.mixture is not subject.model:
        raise TypeError(
            f"model = {subject.model!r}: the experts of a stack combine what its models predict, and have no line "
            "along a column of X. EstimatorWeightsDisplay, GateDisplay and DensityDisplay take stacks."
        )
    model, neutral = subject.model, subject.neutral()
    prior = subject.ask("gate_proba", grid)
    experts = subject.ask("predict_experts", grid, **neutral)
    if model.task == "classification":
        c = class_number(model, output)
        return prior, experts[..., c], subject.ask("predict_proba", grid)[:, c], None
    try:
        mean, std = subject.ask("predict", grid, return_std=True, **neutral)
    except NotImplementedError:
        mean, std = subject.ask("predict", grid, **neutral), None
    if mean.ndim == 1 and output not in (None, 0):
        raise ValueError(f"output = {output!r}, but y has one output.")
    if mean.ndim > 1 and not (isinstance(output, Integral) and 0 <= output < mean.shape[1]):
        raise ValueError(f"output = {output!r} must be a number from 0 to {mean.shape[1] - 1}: y has several outputs.")
    band = None
    if std is not None:
        band = [mean - 2.0 * std, mean + 2.0 * std]
        try:
            low, high = (end.reshape(mean.shape) for end in subject.ask("predict_dist", grid, **neutral).support())
            band = [np.clip(end, low, high) for end in band]
        except NotImplementedError:
            pass
    parts = [experts, mean, *(band or [])]
    experts, mean, *band = parts if mean.ndim == 1 else [part[..., output] for part in parts]
    return prior, experts, mean, tuple(band) or None


def class_number(model, output):
    """Number of the class whose probability is drawn."""
    classes = model.classes_.tolist()
    if output is not None and output not in classes:
        raise ValueError(f"output = {output!r} must be one of the classes {classes}.")
    return len(classes) - 1 if output is None else classes.index(output)


def target_of(model, y, output):
    """y of the output that is drawn; for a class one where it is seen and zero elsewhere."""
    y = np.asarray(y)
    if model.task == "classification":
        return (y == model.classes_[class_number(model, output)]).astype(float)
    return y if y.ndim == 1 else y[:, output or 0]


def as_text(name):
    """A name in the form that matplotlib shows as it is, where it would take what is between dollar signs for TeX."""
    return str(name).replace("$", r"\$")


def target_label(model, y, output):
    """Label of the vertical axis: the name of y where it has one."""
    name = name_of(y) or "y"
    if model.task == "classification":
        return f"P({model.classes_[class_number(model, output)]})"
    if np.ndim(y) == 2 and hasattr(y, "iloc"):
        return str(y.columns[output or 0])
    return name if output is None or np.ndim(y) == 1 else f"{name}[{output}]"


def name_of(y):
    """The name of a series; None where it has none, or y is no series."""
    return str(y.name) if np.ndim(y) == 1 and hasattr(y, "iloc") and y.name is not None else None


def expert_labels(model, n_experts):
    """Names of the experts, or their numbers."""
    names = model.model_.expert.names
    return [str(name) for name in names] if names else [str(k) for k in range(n_experts)]


# -- matplotlib --------------------------------------------------------------------------------------------------------


def pyplot():
    """matplotlib.pyplot, or an error that names the package to install."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError("Displays need matplotlib: python -m pip install matplotlib") from error
    return plt


def colors_of(n):
    """RGBA colours (n, 4) that people with colour blindness tell apart, as far as there are enough of them.

    Beyond eight the same follow darker, then lighter; beyond 24 hues.
    """
    from matplotlib import colormaps
    from matplotlib.colors import to_rgba_array

    safe = to_rgba_array(SAFE)
    if n > 3 * len(safe):
        return colormaps["hsv"]((np.arange(n) * 0.618034) % 1.0)
    return np.concatenate([safe, safe * [0.55, 0.55, 0.55, 1.0], 0.5 + 0.5 * safe])[:n]


def legend_of(ax, labels, colors, size, title, **place):
    """A legend of colours; of many those of the largest size, in their order."""
    from matplotlib.patches import Patch

    shown = np.sort(np.argsort(-np.asarray(size), kind="stable")[:MOST_LISTED])
    handles = [Patch(color=colors[k], label=as_text(labels[k])) for k in shown]
    if len(shown) < len(labels):
        title = f"{title} ({len(shown)} of {len(labels)})"
    return ax.legend(handles=handles, title=title, frameon=False, fontsize="small", **place)
