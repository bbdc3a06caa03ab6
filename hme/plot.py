"""Displays: the arrays of a picture, kept apart from drawing it. matplotlib is imported when one is drawn."""

import warnings
from numbers import Integral

import numpy as np
from sklearn.utils.validation import check_is_fitted, validate_data

from .checks import check_int

__all__ = ["ExpertsDisplay", "GateDisplay"]


class ExpertsDisplay:
    """Experts, mean and gate along one feature.

    Above: the data, each expert's line as opaque as its prior, and the mean with a band of two standard deviations.
    Below: the priors of all experts, stacked.

    Parameters
    ----------
    x : ndarray of shape (n,)
        Values of the feature.
    prior : ndarray of shape (n, K)
        Prior of each expert.
    experts : ndarray of shape (n, K)
        Mean of each expert; for a classifier its probability of one class.
    mean : ndarray of shape (n,)
        Mean of the mixture.
    std : ndarray of shape (n,) or None, default=None
        Standard deviation of the mixture; no band without it.
    data_x, data_y : ndarray of shape (N,) or None, default=None
        Rows to draw as points.
    feature_name, target_name : str
        Labels of the axes.

    Attributes
    ----------
    figure_ : matplotlib Figure
    axes_ : ndarray of matplotlib Axes
    mean_ : matplotlib Line2D
    band_ : matplotlib PolyCollection or None
    experts_ : list of matplotlib LineCollection
    points_ : matplotlib PathCollection or None

    See Also
    --------
    GateDisplay : The gate over two features.

    Examples
    --------
    >>> from hme import HMERegressor
    >>> from hme.datasets import load_motorcycle
    >>> from hme.plot import ExpertsDisplay
    >>> X, y = load_motorcycle(return_X_y=True)
    >>> display = ExpertsDisplay.from_estimator(HMERegressor(depth=2).fit(X, y), X, y)
    >>> display.figure_.savefig("experts.png")  # doctest: +SKIP
    """

    def __init__(
        self, x, prior, experts, mean, std=None, *, data_x=None, data_y=None, feature_name="x", target_name="y"
    ):
        self.x = x
        self.prior = prior
        self.experts = experts
        self.mean = mean
        self.std = std
        self.data_x = data_x
        self.data_y = data_y
        self.feature_name = feature_name
        self.target_name = target_name

    @classmethod
    def from_estimator(
        cls,
        model,
        X,
        y=None,
        *,
        feature=None,
        values=None,
        output=None,
        n_points=400,
        feature_name=None,
        target_name=None,
        ax=None,
        mean_kwargs=None,
        band_kwargs=None,
        experts_kwargs=None,
        scatter_kwargs=None,
        gate_kwargs=None,
    ):
        """Compute the picture of a fitted model and draw it.

        Parameters
        ----------
        model : HMERegressor or HMEClassifier
            A fitted one.
        X : array-like of shape (N, p)
            Rows that give the range of the feature and the medians of the others.
        y : array-like of shape (N,) or (N, T) or None, default=None
            With it the rows are drawn as points.
        feature : int or str or None, default=None
            The feature along which to look; needed where X has several.
        values : array-like of shape (p,) or None, default=None
            Where to hold the other features; their medians by default.
        output : int or str or None, default=None
            A number of an output, needed where there are several; for a classifier the class whose probability to
            draw, by default the last one.
        n_points : int, default=400
            Points of the curves.
        feature_name, target_name : str or None, default=None
            Labels of the axes; by default what the model knows.
        ax, mean_kwargs, band_kwargs, experts_kwargs, scatter_kwargs, gate_kwargs
            See `plot`.

        Returns
        -------
        ExpertsDisplay
        """
        table = _table(model, X)
        j = _feature(model, feature)
        x = _range(table[:, j], n_points)
        grid = np.tile(_values(model, table, values), (n_points, 1))
        grid[:, j] = x
        columns = _columns(model, grid, output)
        target = None if y is None else _target(model, y, output)
        display = cls(
            x,
            *columns,
            data_x=None if y is None else table[:, j],
            data_y=target,
            feature_name=feature_name or _name(model, j),
            target_name=target_name or _target_name(model, output),
        )
        return display.plot(
            ax=ax,
            mean_kwargs=mean_kwargs,
            band_kwargs=band_kwargs,
            experts_kwargs=experts_kwargs,
            scatter_kwargs=scatter_kwargs,
            gate_kwargs=gate_kwargs,
        )

    def plot(
        self, ax=None, *, mean_kwargs=None, band_kwargs=None, experts_kwargs=None, scatter_kwargs=None, gate_kwargs=None
    ):
        """Draw the picture.

        Parameters
        ----------
        ax : pair of matplotlib Axes, Axes or None, default=None
            Where to draw: above and below, or one Axes for the upper part only. By default in a new figure.
        mean_kwargs, band_kwargs, experts_kwargs, scatter_kwargs, gate_kwargs : dict or None, default=None
            Passed on to the calls of matplotlib that draw the mean (``plot``), the band (``fill_between``), the
            experts (``LineCollection``), the points (``scatter``) and the priors (``stackplot``).

        Returns
        -------
        ExpertsDisplay
        """
        if ax is None:
            figure, ax = _pyplot().subplots(
                2, 1, sharex=True, layout="constrained", gridspec_kw={"height_ratios": [3, 1]}
            )
        axes = np.atleast_1d(np.asarray(ax, dtype=object))
        if axes.shape not in ((1,), (2,)):
            raise ValueError(f"ax has shape {axes.shape}; give one Axes, a pair of them (above, below) or None.")
        colors = _colors(self.prior.shape[1])
        self._plot_experts(axes[0], colors, mean_kwargs, band_kwargs, experts_kwargs, scatter_kwargs)
        if len(axes) == 2:
            axes[1].stackplot(self.x, self.prior.T, **{"colors": colors, "alpha": 0.8, "lw": 0.0} | (gate_kwargs or {}))
            axes[1].set(ylim=(0.0, 1.0), xlim=(self.x[0], self.x[-1]), ylabel="prior")
        axes[-1].set_xlabel(self.feature_name)
        self.axes_, self.figure_ = axes, axes[0].figure
        return self

    def _plot_experts(self, ax, colors, mean_kwargs, band_kwargs, experts_kwargs, scatter_kwargs):
        from matplotlib.collections import LineCollection

        self.points_ = self.band_ = None
        if self.data_y is not None:
            style = {"s": 12, "c": "0.45", "lw": 0.0, "zorder": 1} | (scatter_kwargs or {})
            self.points_ = ax.scatter(self.data_x, self.data_y, **style)
        if self.std is not None:
            style = {"color": "0.5", "alpha": 0.2, "lw": 0.0, "label": "mean +/- 2 std"} | (band_kwargs or {})
            self.band_ = ax.fill_between(self.x, self.mean - 2 * self.std, self.mean + 2 * self.std, **style)
        (self.mean_,) = ax.plot(
            self.x, self.mean, **{"color": "black", "lw": 1.5, "label": "mean", "zorder": 3} | (mean_kwargs or {})
        )
        self.experts_ = []
        for k, color in enumerate(colors):
            points = np.column_stack([self.x, self.experts[:, k]])
            # One colour a segment, so that the line fades where the expert does not answer.
            shade = np.column_stack([np.tile(color[:3], (len(self.x) - 1, 1)), self.prior[:-1, k]])
            style = {"linewidths": 3.0, "zorder": 2} | (experts_kwargs or {})
            lines = LineCollection(np.stack([points[:-1], points[1:]], axis=1), colors=shade, **style)
            # Not for the limits: a line may leave the picture where its expert has nothing to say.
            self.experts_.append(ax.add_collection(lines, autolim=False))
        ax.set(ylabel=self.target_name, xlim=(self.x[0], self.x[-1]))
        ax.legend(loc="best", frameon=False)


class GateDisplay:
    """The gate over two features: the most probable expert, as opaque as its prior.

    Parameters
    ----------
    x0, x1 : ndarray of shape (n,)
        Values of the two features.
    prior : ndarray of shape (n, n, K)
        Prior of each expert; the first axis goes with `x1`, as in an image.
    data : ndarray of shape (N, 2) or None, default=None
        Rows to draw as points.
    data_color : ndarray of shape (N,) or None, default=None
        What colours the points.
    feature_names : pair of str
        Labels of the axes.

    Attributes
    ----------
    figure_ : matplotlib Figure
    ax_ : matplotlib Axes
    image_ : matplotlib AxesImage
    points_ : matplotlib PathCollection or None

    See Also
    --------
    ExpertsDisplay : Experts and gate along one feature.

    Examples
    --------
    >>> from hme import HMEClassifier
    >>> from hme.datasets import make_two_spirals
    >>> from hme.plot import GateDisplay
    >>> X, y, _ = make_two_spirals()
    >>> display = GateDisplay.from_estimator(HMEClassifier(depth=2).fit(X, y), X, y)
    >>> display.prior.shape
    (200, 200, 4)
    """

    def __init__(self, x0, x1, prior, *, data=None, data_color=None, feature_names=("x0", "x1")):
        self.x0 = x0
        self.x1 = x1
        self.prior = prior
        self.data = data
        self.data_color = data_color
        self.feature_names = feature_names

    @classmethod
    def from_estimator(
        cls,
        model,
        X,
        y=None,
        *,
        features=None,
        values=None,
        n_points=200,
        feature_names=None,
        ax=None,
        image_kwargs=None,
        scatter_kwargs=None,
    ):
        """Compute the picture of a fitted model and draw it.

        Parameters
        ----------
        model : HMERegressor or HMEClassifier
            A fitted one.
        X : array-like of shape (N, p)
            Rows that give the ranges of both features and the medians of the others; drawn as points.
        y : array-like of shape (N,) or None, default=None
            Colours the points: by value, or by class.
        features : pair of int or str or None, default=None
            The features of the map; needed where X does not have exactly two.
        values : array-like of shape (p,) or None, default=None
            Where to hold the other features; their medians by default.
        n_points : int, default=200
            Points along each side.
        feature_names : pair of str or None, default=None
            Labels of the axes; by default what the model knows.
        ax, image_kwargs, scatter_kwargs
            See `plot`.

        Returns
        -------
        GateDisplay
        """
        table = _table(model, X)
        pair = _pair(model, features)
        x0, x1 = (_range(table[:, j], n_points, margin=0.04) for j in pair)
        grid = np.tile(_values(model, table, values), (n_points * n_points, 1))
        grid[:, pair[0]], grid[:, pair[1]] = np.tile(x0, n_points), np.repeat(x1, n_points)
        prior = _quietly(model.gate_proba, _named(model, grid)).reshape(n_points, n_points, -1)
        names = feature_names or [_name(model, j) for j in pair]
        color = None if y is None else _codes(model, y)
        display = cls(x0, x1, prior, data=table[:, pair], data_color=color, feature_names=names)
        return display.plot(ax=ax, image_kwargs=image_kwargs, scatter_kwargs=scatter_kwargs)

    def plot(self, ax=None, *, image_kwargs=None, scatter_kwargs=None):
        """Draw the picture.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw; by default in a new figure.
        image_kwargs, scatter_kwargs : dict or None, default=None
            Passed on to the calls of matplotlib that draw the map (``imshow``) and the points (``scatter``).

        Returns
        -------
        GateDisplay
        """
        if ax is None:
            ax = _pyplot().subplots(layout="constrained")[1]
        leaf, n_experts = self.prior.argmax(axis=2), self.prior.shape[2]
        # White where the best expert is no better than any other, full colour where it is certain.
        excess = (self.prior.max(axis=2) * n_experts - 1.0) / max(n_experts - 1.0, 1.0) if n_experts > 1 else 1.0
        image = np.ones((*leaf.shape, 4))
        image[..., :3] = 1.0 - (1.0 - _colors(n_experts)[leaf, :3]) * np.broadcast_to(excess, leaf.shape)[..., None]
        extent = (self.x0[0], self.x0[-1], self.x1[0], self.x1[-1])
        self.image_ = ax.imshow(
            image, **{"origin": "lower", "extent": extent, "aspect": "auto", "alpha": 0.7} | (image_kwargs or {})
        )
        self.points_ = None
        if self.data is not None:
            color = {"c": "0.3"} if self.data_color is None else {"c": self.data_color, "cmap": "gray"}
            style = {"s": 14, "edgecolors": "black", "linewidths": 0.4} | color | (scatter_kwargs or {})
            self.points_ = ax.scatter(*self.data.T, **style)
        for k in np.unique(leaf):
            where = leaf == k
            rows, columns = np.nonzero(where & (self.prior[..., k] >= np.median(self.prior[..., k][where])))
            ax.text(self.x0[columns].mean(), self.x1[rows].mean(), str(k), weight="bold", ha="center", va="center")
        ax.set(xlabel=self.feature_names[0], ylabel=self.feature_names[1], xlim=extent[:2], ylim=extent[2:])
        self.ax_, self.figure_ = ax, ax.figure
        return self


# -- what a model is asked ---------------------------------------------------------------------------------------------


def _table(model, X):
    """X as the dense array that the model sees."""
    if not hasattr(model, "gate_proba"):
        raise TypeError(
            f"model = {model!r} must be an HMERegressor or HMEClassifier; of a pipeline give the last step and the "
            "columns that it sees."
        )
    check_is_fitted(model)
    return np.array(validate_data(model, X, dtype=np.float64, reset=False))


def _feature(model, feature):
    """Number of a feature that is given by number or name."""
    p, names = model.n_features_in_, list(getattr(model, "feature_names_in_", ()))
    if feature is None:
        if p == 1:
            return 0
        raise ValueError(f"X has {p} features; feature must say which one to look along, {names or f'0 to {p - 1}'}.")
    if isinstance(feature, str) and feature in names:
        return names.index(feature)
    if isinstance(feature, Integral) and 0 <= feature < p:
        return int(feature)
    known = f" or one of {names}" if names else ""
    raise ValueError(f"feature = {feature!r} must be a number from 0 to {p - 1}{known}.")


def _pair(model, features):
    if features is None:
        features = range(model.n_features_in_)
        if len(features) != 2:
            raise ValueError(f"X has {len(features)} feature(s); features must name the two of the map.")
    pair = [] if isinstance(features, str) else [_feature(model, feature) for feature in features]
    if len(pair) != 2 or pair[0] == pair[1]:
        raise ValueError(f"features = {features!r} must be two different features.")
    return pair


def _values(model, table, values):
    if values is None:
        return np.median(table, axis=0)
    values = np.asarray(values, dtype=np.float64)
    if values.shape != (model.n_features_in_,):
        raise ValueError(f"values has shape {values.shape}; give one number a feature, ({model.n_features_in_},).")
    return values


def _range(column, n_points, margin=0.0):
    check_int(n_points, "n_points", minimum=2)
    low, high = column.min(), column.max()
    if low == high:
        raise ValueError("a feature of the picture has one value only.")
    return np.linspace(low - margin * (high - low), high + margin * (high - low), n_points)


def _columns(model, grid, output):
    """Priors, the experts' means, the mean and its standard deviation, of one output or class."""
    # A model with an offset is drawn per unit of exposure, one with trials for a single one.
    neutral = {name: {"offset": 0, "trials": 1}[name] for name in getattr(model, "_row_arguments", ())}
    grid = _named(model, grid)
    prior = _quietly(model.gate_proba, grid)
    experts = _quietly(lambda rows: model.predict_experts(rows, **neutral), grid)
    if hasattr(model, "classes_"):
        c = _class(model, output)
        return prior, experts[..., c], _quietly(model.predict_proba, grid)[:, c], None
    mean, std = _quietly(lambda rows: model.predict(rows, return_std=True, **neutral), grid)
    if mean.ndim == 1:
        if output not in (None, 0):
            raise ValueError(f"output = {output!r}, but y has one output.")
        return prior, experts, mean, std
    if not isinstance(output, Integral) or not 0 <= output < mean.shape[1]:
        raise ValueError(f"output = {output!r} must be a number from 0 to {mean.shape[1] - 1}: y has several outputs.")
    return prior, experts[..., output], mean[:, output], std[:, output]


def _named(model, grid):
    """The grid as a data frame for a model that picks columns by their names."""
    picks = any(getattr(model, side, None) is not None for side in ("expert_features", "gate_features"))
    if not (picks and hasattr(model, "feature_names_in_")):
        return grid
    import pandas as pd  # the model has seen a data frame

    return pd.DataFrame(grid, columns=model.feature_names_in_)


def _quietly(method, grid):
    """The grid has the columns of the model in their order, but no names, of which scikit-learn would warn."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="X does not have valid feature names")
        return method(grid)


def _class(model, output):
    classes = list(model.classes_)
    if output is not None and output not in classes:
        raise ValueError(f"output = {output!r} must be one of the classes {classes}.")
    return len(classes) - 1 if output is None else classes.index(output)


def _target(model, y, output):
    """y of the output that is drawn; for a class one where it is seen and zero elsewhere."""
    y = np.asarray(y)
    if hasattr(model, "classes_"):
        return (y == model.classes_[_class(model, output)]).astype(float)
    return y if y.ndim == 1 else y[:, output or 0]


def _codes(model, y):
    return np.searchsorted(model.classes_, np.asarray(y)) if hasattr(model, "classes_") else np.asarray(y)


def _name(model, j):
    return str(model.feature_names_in_[j]) if hasattr(model, "feature_names_in_") else f"x{j}"


def _target_name(model, output):
    if hasattr(model, "classes_"):
        return f"P({model.classes_[_class(model, output)]})"
    return "y" if output is None else f"y[{output}]"


# -- matplotlib --------------------------------------------------------------------------------------------------------


def _pyplot():
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError("Pictures need matplotlib: python -m pip install matplotlib") from error
    return plt


def _colors(n):
    """RGBA colours (n, 4), neighbours far apart."""
    from matplotlib import colormaps

    if n <= 20:
        return np.array([colormaps["tab10" if n <= 10 else "tab20"](k) for k in range(n)])
    return colormaps["hsv"]((np.arange(n) * 0.618034) % 1.0)
