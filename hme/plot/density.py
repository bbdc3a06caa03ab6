"""The predictive density along one feature, which shows several branches where there are some."""

from numbers import Integral

import numpy as np

from ..numerics.checks import check_int
from ..tables import pandas_for
from .picture import as_text, name_of, pyplot, subject_of, target_label

__all__ = ["DensityDisplay"]

REACH = 0.001  # level of the quantiles that bound the range of y where no rows are drawn
MARGIN = 0.05  # of the range of y, beyond the rows
MOST_COUNTS = 2000  # values of a count that are drawn one by one
SPREAD = 0.35  # of the points of a class


class DensityDisplay:
    """The predictive density of y along one feature, as a heat map; for counts and classes the probabilities.

    Parameters
    ----------
    x : ndarray of shape (n,)
        Values of the feature.
    y : ndarray of shape (m,)
        Values of the target.
    density : ndarray of shape (m, n)
        Density, or probability, of y given x; the first axis goes with `y`, as in an image.
    quantiles : ndarray of shape (n, q)
        Quantiles of y given x.
    levels : sequence of float of length q
        Their levels.
    data_x, data_y : ndarray of shape (N,) or None, default=None
        Rows to draw as points.
    feature_name, target_name : str
        Labels of the axes.
    classes : ndarray of shape (m,) or None, default=None
        Where y is one of these, `y` and `data_y` hold their places.

    Attributes
    ----------
    figure_ : matplotlib Figure
    ax_ : matplotlib Axes
    map_ : matplotlib QuadMesh
    quantiles_ : list of matplotlib Line2D
    points_ : matplotlib PathCollection or None

    See Also
    --------
    ExpertsDisplay : Experts, mean and gate along one feature.

    Examples
    --------
    >>> from hme import HMERegressor
    >>> from hme.datasets import make_inverse_problem
    >>> from hme.plot import DensityDisplay
    >>> X, y = make_inverse_problem(1000, random_state=0)[:2]
    >>> display = DensityDisplay.from_estimator(HMERegressor(n_experts=5).fit(X, y), X, y)
    >>> display.density.shape
    (200, 200)
    """

    def __init__(
        self,
        x,
        y,
        density,
        quantiles,
        levels,
        *,
        data_x=None,
        data_y=None,
        feature_name="x",
        target_name="y",
        classes=None,
    ):
        self.x = x
        self.y = y
        self.density = density
        self.quantiles = quantiles
        self.levels = levels
        self.data_x = data_x
        self.data_y = data_y
        self.feature_name = feature_name
        self.target_name = target_name
        self.classes = classes

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
        levels=(0.05, 0.5, 0.95),
        n_points=200,
        feature_name=None,
        target_name=None,
        ax=None,
        map_kwargs=None,
        line_kwargs=None,
        scatter_kwargs=None,
    ):
        """Compute the display of a fitted model and draw it.

        Parameters
        ----------
        model : HMERegressor, HMEClassifier or a stack
            A fitted one, or a pipeline that ends in one.
        X : data frame or array-like of shape (N, p)
            Rows that give the range of the feature and the point at which the others are held, in the columns that the
            model, or the pipeline, takes.
        y : array-like of shape (N,) or (N, T) or None, default=None
            With it the rows are drawn as points, and give the range of the target.
        feature : int or str or None, default=None
            The feature of the horizontal axis; needed where X has several.
        values : dict, array-like of shape (p,) or None, default=None
            Values at which the other features are held: of some of them by name, or of all. By default those of the
            row of X that is nearest to the middle of the table.
        output : int or None, default=None
            Number of an output, needed where there are several.
        levels : sequence of float, default=(0.05, 0.5, 0.95)
            Quantiles to draw as lines; of classes there are none.
        n_points : int, default=200
            Points along each side; counts have one for every value where these are not too many.
        feature_name, target_name : str or None, default=None
            Labels of the axes; by default the names of the column and of y.
        ax, map_kwargs, line_kwargs, scatter_kwargs
            See `plot`.

        Returns
        -------
        DensityDisplay
        """
        check_int(n_points, "n_points", minimum=2)
        subject = subject_of(model, X)
        j, x, grid = subject.along(feature, values, n_points)
        dist = subject.ask("predict_dist", grid, **subject.neutral())
        of = _of_classes if subject.mixture.task == "classification" else _of_numbers
        points, density, quantiles, target, classes = of(dist, y, output, levels, n_points)
        name = name_of(y) if classes is not None else target_label(subject.mixture, y, output)
        display = cls(
            x,
            points,
            density,
            quantiles,
            tuple(levels) if quantiles.shape[1] else (),
            data_x=None if target is None else subject.numbers(j),
            data_y=target,
            feature_name=feature_name or subject.names[j],
            target_name=target_name or name or "class",
            classes=classes,
        )
        return display.plot(ax=ax, map_kwargs=map_kwargs, line_kwargs=line_kwargs, scatter_kwargs=scatter_kwargs)

    def frame(self):
        """The map as a data frame.

        Returns
        -------
        pandas.DataFrame
            Of `x`, `y`, a number or a class, and the `density`, or probability, a row for each point.
        """
        n, m = len(self.x), len(self.y)
        y = self.y if self.classes is None else np.asarray(self.classes)
        columns = {"x": np.tile(self.x, m), "y": np.repeat(y, n), "density": self.density.ravel()}
        return pandas_for("frame").DataFrame(columns)

    def plot(self, ax=None, *, map_kwargs=None, line_kwargs=None, scatter_kwargs=None):
        """Draw the plot; colours show the square root of the density, so that thin branches are visible too.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw; by default in a new figure.
        map_kwargs, line_kwargs, scatter_kwargs : dict or None, default=None
            Passed on to the calls of matplotlib that draw the map (``pcolormesh``), the quantiles (``plot``) and the
            points (``scatter``).

        Returns
        -------
        DensityDisplay
        """
        from matplotlib.colors import PowerNorm

        if ax is None:
            ax = pyplot().subplots(layout="constrained")[1]
        # A density may peak without bound where an expert is nearly certain; the rest must stay visible.
        top = (np.quantile(self.density, 0.995) or 1.0) if self.classes is None else 1.0
        style = {"cmap": "Blues", "norm": PowerNorm(0.5, 0.0, top), "shading": "nearest"} | (map_kwargs or {})
        self.map_ = ax.pcolormesh(self.x, self.y, self.density, **style)
        self.points_, self.quantiles_ = None, []
        if self.data_y is not None:
            style = {"s": 6, "c": "black", "lw": 0.0, "alpha": 0.35} | (scatter_kwargs or {})
            self.points_ = ax.scatter(self.data_x, self._places(), **style)
        for level, line in zip(self.levels, self.quantiles.T, strict=True):
            style = {"color": "#D55E00", "lw": 1.0, "ls": "-" if level == 0.5 else "--"} | (line_kwargs or {})
            self.quantiles_ += ax.plot(self.x, line, label=f"{level:g}", **style)
        ends = (self.y[0], self.y[-1]) if self.classes is None else (-0.5, len(self.y) - 0.5)
        labels = {"xlabel": as_text(self.feature_name), "ylabel": as_text(self.target_name)}
        ax.set(**labels, xlim=(self.x[0], self.x[-1]), ylim=ends)
        if self.classes is not None:
            ax.set_yticks(self.y, [as_text(c) for c in self.classes])
            ax.figure.colorbar(self.map_, ax=ax, label="probability")
        if self.quantiles_:
            ax.legend(title="quantile", loc="best", frameon=False)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _places(self):
        """Heights of the points; those of a class are spread over most of its row."""
        if self.classes is None:
            return self.data_y
        return self.data_y + SPREAD * np.random.default_rng(0).uniform(-1.0, 1.0, len(self.data_y))


def _of_classes(dist, y, output, levels, n_points):
    """Places of the classes, probabilities (C, n), no quantiles, codes of the rows and the classes."""
    if output is not None:
        raise ValueError(f"output = {output!r}, but the display shows all classes.")
    codes = None if y is None else dist.encode(np.asarray(y))
    return np.arange(len(dist.classes)), dist.probabilities().T, np.empty((len(dist), 0)), codes, dist.classes


def _of_numbers(dist, y, output, levels, n_points):
    """Values of y, density (m, n), quantiles (n, q), the rows' targets, and None."""
    target = None if y is None else np.asarray(y)
    if dist.n_outputs > 1:
        if not isinstance(output, Integral) or not 0 <= output < dist.n_outputs:
            raise ValueError(f"output = {output!r} must be a number from 0 to {dist.n_outputs - 1}.")
        dist, target = dist.marginal(output), None if target is None else target[:, output]
    elif output not in (None, 0):
        raise ValueError(f"output = {output!r}, but y has one output.")
    quantiles = dist.icdf(np.asarray(levels, dtype=float))
    ends = dist.icdf([REACH, 1.0 - REACH]) if target is None else target
    low, high = ends.min(), ends.max()
    if dist.discrete:
        low, high = np.floor(low), np.ceil(high)
        every = high - low <= MOST_COUNTS
        points = np.arange(low, high + 1.0) if every else np.unique(np.rint(np.linspace(low, high, n_points)))
    else:
        room = MARGIN * (high - low)
        first, last = (end.min() if k == 0 else end.max() for k, end in enumerate(dist.support()))
        points = np.linspace(max(low - room, min(first, low)), min(high + room, max(last, high)), n_points)
    density = (dist.pmf if dist.discrete else dist.pdf)(points[None]).T
    return points, density, quantiles, target, None
