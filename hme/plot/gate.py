"""The gate over two features."""

import numpy as np

from .picture import (
    as_seen,
    as_text,
    codes_of,
    colors_of,
    dense_table,
    feature_label,
    feature_pair,
    held_values,
    pyplot,
    quietly,
    value_range,
)

__all__ = ["GateDisplay"]


class GateDisplay:
    """The gate over two features: the most probable expert, with its prior as opacity.

    Parameters
    ----------
    x0, x1 : ndarray of shape (n,)
        Values of the two features.
    prior : ndarray of shape (n, n, K)
        Prior of each expert; the first axis goes with `x1`, as in an image.
    data : ndarray of shape (N, 2) or None, default=None
        Rows to draw as points.
    data_color : ndarray of shape (N,) or None, default=None
        Values that colour the points.
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
        """Compute the display of a fitted model and draw it.

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
            Values of the other features; their medians by default.
        n_points : int, default=200
            Points along each side.
        feature_names : pair of str or None, default=None
            Labels of the axes; by default the names from the fit.
        ax, image_kwargs, scatter_kwargs
            See `plot`.

        Returns
        -------
        GateDisplay
        """
        table = dense_table(model, X)
        pair = feature_pair(model, features)
        x0, x1 = (value_range(table[:, j], n_points, margin=0.04) for j in pair)
        grid = np.tile(held_values(model, table, values), (n_points * n_points, 1))
        grid[:, pair[0]], grid[:, pair[1]] = np.tile(x0, n_points), np.repeat(x1, n_points)
        prior = quietly(model.gate_proba, as_seen(model, grid)).reshape(n_points, n_points, -1)
        names = feature_names or [feature_label(model, j) for j in pair]
        color = None if y is None else codes_of(model, y)
        display = cls(x0, x1, prior, data=table[:, pair], data_color=color, feature_names=names)
        return display.plot(ax=ax, image_kwargs=image_kwargs, scatter_kwargs=scatter_kwargs)

    def plot(self, ax=None, *, image_kwargs=None, scatter_kwargs=None):
        """Draw the plot.

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
            ax = pyplot().subplots(layout="constrained")[1]
        leaf, n_experts = self.prior.argmax(axis=2), self.prior.shape[2]
        # White where the best expert is no better than any other, full colour where it is certain.
        excess = (self.prior.max(axis=2) * n_experts - 1.0) / max(n_experts - 1.0, 1.0) if n_experts > 1 else 1.0
        image = np.ones((*leaf.shape, 4))
        image[..., :3] = 1.0 - (1.0 - colors_of(n_experts)[leaf, :3]) * np.broadcast_to(excess, leaf.shape)[..., None]
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
        ax.set(
            xlabel=as_text(self.feature_names[0]),
            ylabel=as_text(self.feature_names[1]),
            xlim=extent[:2],
            ylim=extent[2:],
        )
        self.ax_, self.figure_ = ax, ax.figure
        return self
