"""Shared parts of the displays: features, grids and curves of a model; matplotlib and colours."""

import warnings
from numbers import Integral

import numpy as np
from sklearn.utils.validation import check_is_fitted, validate_data

from ..numerics.checks import check_int

__all__ = [
    "along",
    "as_seen",
    "as_text",
    "class_number",
    "codes_of",
    "colors_of",
    "curves",
    "dense_table",
    "feature_label",
    "feature_number",
    "feature_pair",
    "held_values",
    "neutral_arguments",
    "pyplot",
    "quietly",
    "target_label",
    "target_of",
    "value_range",
]


def dense_table(model, X):
    """X as the dense array that the model sees."""
    if not hasattr(model, "gate_proba"):
        raise TypeError(
            f"model = {model!r} must be an HMERegressor or HMEClassifier; of a pipeline give the last step and the "
            "columns that it sees."
        )
    check_is_fitted(model)
    return np.array(validate_data(model, X, dtype=np.float64, reset=False))


def feature_number(model, feature):
    """Number of a feature that is given by number or name."""
    p, names = model.n_features_in_, list(getattr(model, "feature_names_in_", ()))
    if feature is None:
        if p == 1:
            return 0
        raise ValueError(f"X has {p} features; feature must say which one to draw along, {names or f'0 to {p - 1}'}.")
    if isinstance(feature, str) and feature in names:
        return names.index(feature)
    if isinstance(feature, Integral) and 0 <= feature < p:
        return int(feature)
    named = f" or one of {names}" if names else ""
    raise ValueError(f"feature = {feature!r} must be a number from 0 to {p - 1}{named}.")


def feature_pair(model, features):
    """Numbers of the two features of a map."""
    if features is None:
        features = range(model.n_features_in_)
        if len(features) != 2:
            raise ValueError(f"X has {len(features)} feature(s); features must name the two of the map.")
    pair = [] if isinstance(features, str) else [feature_number(model, feature) for feature in features]
    if len(pair) != 2 or pair[0] == pair[1]:
        raise ValueError(f"features = {features!r} must be two different features.")
    return pair


def held_values(model, table, values):
    """Values (p,) of the features; a plot varies some of them."""
    if values is None:
        return np.median(table, axis=0)
    values = np.asarray(values, dtype=np.float64)
    if values.shape != (model.n_features_in_,):
        raise ValueError(
            f"values has shape {values.shape}; give one number for each feature, ({model.n_features_in_},)."
        )
    return values


def value_range(column, n_points, margin=0.0):
    """Equally spaced values over the range of a column."""
    check_int(n_points, "n_points", minimum=2)
    low, high = column.min(), column.max()
    if low == high:
        raise ValueError("a feature of the plot has one value only.")
    return np.linspace(low - margin * (high - low), high + margin * (high - low), n_points)


def curves(model, grid, output):
    """Priors, the experts' means, the mean and its standard deviation, of one output or class.

    The standard deviation is None for classes and for families without a variance.
    """
    neutral, grid = neutral_arguments(model), as_seen(model, grid)
    prior = quietly(model.gate_proba, grid)
    experts = quietly(lambda rows: model.predict_experts(rows, **neutral), grid)
    if hasattr(model, "classes_"):
        c = class_number(model, output)
        return prior, experts[..., c], quietly(model.predict_proba, grid)[:, c], None
    try:
        mean, std = quietly(lambda rows: model.predict(rows, return_std=True, **neutral), grid)
    except NotImplementedError:
        mean, std = quietly(lambda rows: model.predict(rows, **neutral), grid), None
    if mean.ndim == 1:
        if output not in (None, 0):
            raise ValueError(f"output = {output!r}, but y has one output.")
        return prior, experts, mean, std
    if not isinstance(output, Integral) or not 0 <= output < mean.shape[1]:
        raise ValueError(f"output = {output!r} must be a number from 0 to {mean.shape[1] - 1}: y has several outputs.")
    return prior, experts[..., output], mean[:, output], None if std is None else std[:, output]


def neutral_arguments(model):
    """Row arguments of plots: an offset of zero, which is one unit of exposure, and a single trial."""
    return {name: {"offset": 0, "trials": 1}[name] for name in model.row_arguments_}


def along(model, X, feature, values, n_points):
    """The table, the number of a feature, values along it, and rows (n_points, p) where the others are held."""
    table = dense_table(model, X)
    j = feature_number(model, feature)
    x = value_range(table[:, j], n_points)
    grid = np.tile(held_values(model, table, values), (n_points, 1))
    grid[:, j] = x
    return table, j, x, grid


def as_seen(model, grid):
    """The grid as a data frame for a model that picks columns by their names."""
    picks = any(getattr(model, side, None) is not None for side in ("expert_features", "gate_features"))
    if not (picks and hasattr(model, "feature_names_in_")):
        return grid
    import pandas as pd  # the model has seen a data frame

    return pd.DataFrame(grid, columns=model.feature_names_in_)


def quietly(method, grid):
    """Call a method without scikit-learn's warning that the grid has no column names."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="X does not have valid feature names")
        return method(grid)


def class_number(model, output):
    """Number of the class whose probability is drawn."""
    classes = list(model.classes_)
    if output is not None and output not in classes:
        raise ValueError(f"output = {output!r} must be one of the classes {classes}.")
    return len(classes) - 1 if output is None else classes.index(output)


def target_of(model, y, output):
    """y of the output that is drawn; for a class one where it is seen and zero elsewhere."""
    y = np.asarray(y)
    if hasattr(model, "classes_"):
        return (y == model.classes_[class_number(model, output)]).astype(float)
    return y if y.ndim == 1 else y[:, output or 0]


def codes_of(model, y):
    """Values that colour the rows: codes of classes, or y itself."""
    return np.searchsorted(model.classes_, np.asarray(y)) if hasattr(model, "classes_") else np.asarray(y)


def feature_label(model, j):
    """Name of a feature."""
    return str(model.feature_names_in_[j]) if hasattr(model, "feature_names_in_") else f"x{j}"


def as_text(name):
    """A name in the form that matplotlib shows as it is, where it would take what is between dollar signs for TeX."""
    return str(name).replace("$", r"\$")


def target_label(model, output):
    """Label of the vertical axis."""
    if hasattr(model, "classes_"):
        return f"P({model.classes_[class_number(model, output)]})"
    return "y" if output is None else f"y[{output}]"


# -- matplotlib --------------------------------------------------------------------------------------------------------


def pyplot():
    """matplotlib.pyplot, or an error that names the package to install."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError("Displays need matplotlib: python -m pip install matplotlib") from error
    return plt


def colors_of(n):
    """RGBA colours (n, 4), with distinct neighbours."""
    from matplotlib import colormaps

    if n <= 20:
        return np.array([colormaps["tab10" if n <= 10 else "tab20"](k) for k in range(n)])
    return colormaps["hsv"]((np.arange(n) * 0.618034) % 1.0)
