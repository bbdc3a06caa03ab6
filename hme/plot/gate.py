"""The gate over two features."""

import numpy as np

from ..tables import pandas_for
from .picture import as_text, colors_of, expert_labels, legend_of, name_of, pyplot, subject_of, value_range

__all__ = ["GateDisplay"]

MARKERS = "osD^v<>Ph*"


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
        Values, or classes, that colour the points.
    feature_names : pair of str
        Labels of the axes.
    expert_names : sequence of str of length K or None, default=None
        Names of the experts in the map and its legend, by default their numbers.
    classes : ndarray of shape (C,) or None, default=None
        The classes of `data_color`; None where it holds numbers.
    target_name : str or None, default=None
        What `data_color` is.

    Attributes
    ----------
    figure_ : matplotlib Figure
    ax_ : matplotlib Axes
    image_ : matplotlib AxesImage
    points_ : list of matplotlib PathCollection
        The points, or those of every class.
    legend_ : matplotlib Legend
        Of the experts' colours.

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

    def __init__(
        self,
        x0,
        x1,
        prior,
        *,
        data=None,
        data_color=None,
        feature_names=("x0", "x1"),
        expert_names=None,
        classes=None,
        target_name=None,
    ):
        self.x0 = x0
        self.x1 = x1
        self.prior = prior
        self.data = data
        self.data_color = data_color
        self.feature_names = feature_names
        self.expert_names = expert_names
        self.classes = classes
        self.target_name = target_name

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
        model : HMERegressor, HMEClassifier or a stack
            A fitted one, or a pipeline that ends in one.
        X : data frame or array-like of shape (N, p)
            Rows that give the ranges of both features and the point at which the others are held, in the columns that
            the model, or the pipeline, takes; drawn as points.
        y : array-like of shape (N,) or None, default=None
            Colours the points: by value, or by class.
        features : pair of int or str or None, default=None
            The features of the map; needed where X does not have exactly two.
        values : dict, array-like of shape (p,) or None, default=None
            Values at which the other features are held: of some of them by name, or of all. By default those of the
            row of X that is nearest to the middle of the table.
        n_points : int, default=200
            Points along each side.
        feature_names : pair of str or None, default=None
            Labels of the axes; by default the names of the column and of y.
        ax, image_kwargs, scatter_kwargs
            See `plot`.

        Returns
        -------
        GateDisplay
        """
        subject = subject_of(model, X)
        pair = subject.pair(features)
        data = np.stack([subject.numbers(j) for j in pair], axis=1)
        x0, x1 = (value_range(column, n_points, margin=0.04) for column in data.T)
        columns = {pair[0]: np.tile(x0, n_points), pair[1]: np.repeat(x1, n_points)}
        grid = subject.grid(values, n_points * n_points, columns)
        prior = subject.ask("gate_proba", grid).reshape(n_points, n_points, -1)
        display = cls(
            x0,
            x1,
            prior,
            data=data,
            data_color=None if y is None else np.asarray(y),
            feature_names=feature_names or [subject.names[j] for j in pair],
            expert_names=expert_labels(subject.mixture, prior.shape[2]),
            classes=None if y is None or subject.mixture.task == "regression" else subject.mixture.classes_,
            target_name=name_of(y),
        )
        return display.plot(ax=ax, image_kwargs=image_kwargs, scatter_kwargs=scatter_kwargs)

    def frame(self):
        """The map as a data frame.

        Returns
        -------
        pandas.DataFrame
            Of the two features, `x0` and `x1`, and the prior of each expert, "prior 0", a row for each point.
        """
        n, K = len(self.x0), self.prior.shape[2]
        names = self.expert_names or [str(k) for k in range(K)]
        columns = {"x0": np.tile(self.x0, n), "x1": np.repeat(self.x1, n)}
        columns |= {f"prior {name}": self.prior[..., k].ravel() for k, name in enumerate(names)}
        return pandas_for("frame").DataFrame(columns)

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
        labels = self.expert_names or [str(k) for k in range(n_experts)]
        self._plot_points(ax, scatter_kwargs)
        for k in np.unique(leaf):
            where = leaf == k
            rows, columns = np.nonzero(where & (self.prior[..., k] >= np.median(self.prior[..., k][where])))
            center = self.x0[columns].mean(), self.x1[rows].mean()
            ax.text(*center, as_text(labels[k]), weight="bold", ha="center", va="center")
        size = self.prior.mean(axis=(0, 1))
        place = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0)}
        self.legend_ = legend_of(ax, labels, colors_of(n_experts), size, "expert", **place)
        if self.classes is not None:  # below the experts
            ax.add_artist(self.legend_).set_clip_path(None)
            style = {"loc": "lower left", "bbox_to_anchor": (1.0, 0.0), "frameon": False, "fontsize": "small"}
            ax.legend(handles=self.points_, title=as_text(self.target_name or "class"), **style)
        x, y = map(as_text, self.feature_names)
        ax.set(xlabel=x, ylabel=y, xlim=extent[:2], ylim=extent[2:])
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _plot_points(self, ax, scatter_kwargs):
        """The rows: those of every class in a grey and a shape of their own, else coloured by y."""
        self.points_ = []
        if self.data is None:
            return
        style = {"s": 14, "edgecolors": "black", "linewidths": 0.4}
        if self.classes is None:
            color = {"c": "0.3"} if self.data_color is None else {"c": self.data_color, "cmap": "gray"}
            self.points_.append(ax.scatter(*self.data.T, **style | color | (scatter_kwargs or {})))
            if self.data_color is not None:
                label = as_text(self.target_name or "y")
                ax.figure.colorbar(self.points_[0], ax=ax, label=label, location="bottom", shrink=0.6)
            return
        for c, label in enumerate(self.classes.tolist()):
            own = self.data[self.data_color == label]
            grey = f"{c / max(len(self.classes) - 1, 1):.2f}"
            shape = {"c": grey, "marker": MARKERS[c % len(MARKERS)], "label": as_text(label)}
            self.points_.append(ax.scatter(*own.T, **style | shape | (scatter_kwargs or {})))
