"""Experts, mean and gate along one feature."""

import numpy as np

from ..tables import pandas_for
from .picture import (
    as_text,
    colors_of,
    curves,
    expert_labels,
    legend_of,
    pyplot,
    subject_of,
    target_label,
    target_of,
)

__all__ = ["ExpertsDisplay"]


class ExpertsDisplay:
    """Experts, mean and gate along one feature.

    Upper part: the data, each expert's line with its prior as opacity, and the mean with a band of two standard
    deviations, as far as y can be there. Lower part: the priors of all experts, stacked.

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
    band : pair of ndarray of shape (n,) or None, default=None
        Lower and upper end of the band around the mean; without it there is none.
    data_x, data_y : ndarray of shape (N,) or None, default=None
        Rows to draw as points.
    feature_name, target_name : str
        Labels of the axes.
    expert_names : sequence of str of length K or None, default=None
        Names of the experts in the legend, by default their numbers.

    Attributes
    ----------
    figure_ : matplotlib Figure
    axes_ : ndarray of matplotlib Axes
    mean_ : matplotlib Line2D
    band_ : matplotlib PolyCollection or None
    experts_ : list of matplotlib LineCollection
    points_ : matplotlib PathCollection or None
    legend_ : matplotlib Legend
        Of the experts' colours.

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
        self,
        x,
        prior,
        experts,
        mean,
        band=None,
        *,
        data_x=None,
        data_y=None,
        feature_name="x",
        target_name="y",
        expert_names=None,
    ):
        self.x = x
        self.prior = prior
        self.experts = experts
        self.mean = mean
        self.band = band
        self.data_x = data_x
        self.data_y = data_y
        self.feature_name = feature_name
        self.target_name = target_name
        self.expert_names = expert_names

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
        """Compute the display of a fitted model and draw it.

        Parameters
        ----------
        model : HMERegressor or HMEClassifier
            A fitted one, or a pipeline that ends in one.
        X : data frame or array-like of shape (N, p)
            Rows that give the range of the feature and the point at which the others are held, in the columns that the
            model, or the pipeline, takes.
        y : array-like of shape (N,) or (N, T) or None, default=None
            With it the rows are drawn as points.
        feature : int or str or None, default=None
            The feature of the horizontal axis; needed where X has several.
        values : dict, array-like of shape (p,) or None, default=None
            Values at which the other features are held: of some of them by name, or of all. By default those of the
            row of X that is nearest to the middle of the table.
        output : int or str or None, default=None
            A number of an output, needed where there are several; for a classifier the class whose probability to
            draw, by default the last one.
        n_points : int, default=400
            Points of the curves.
        feature_name, target_name : str or None, default=None
            Labels of the axes; by default the names of the column and of y.
        ax, mean_kwargs, band_kwargs, experts_kwargs, scatter_kwargs, gate_kwargs
            See `plot`.

        Returns
        -------
        ExpertsDisplay
        """
        subject = subject_of(model, X)
        j, x, grid = subject.along(feature, values, n_points)
        columns = curves(subject, grid, output)
        target = None if y is None else target_of(subject.model, y, output)
        display = cls(
            x,
            *columns,
            data_x=None if y is None else subject.numbers(j),
            data_y=target,
            feature_name=feature_name or subject.names[j],
            target_name=target_name or target_label(subject.model, y, output),
            expert_names=expert_labels(subject.model, columns[0].shape[1]),
        )
        return display.plot(
            ax=ax,
            mean_kwargs=mean_kwargs,
            band_kwargs=band_kwargs,
            experts_kwargs=experts_kwargs,
            scatter_kwargs=scatter_kwargs,
            gate_kwargs=gate_kwargs,
        )

    def frame(self):
        """The curves as a data frame.

        Returns
        -------
        pandas.DataFrame
            Of `x`, the `mean`, the ends of the band, `lower` and `upper`, if there is one, and of each expert its mean
            and its prior, "expert 0" and "prior 0".
        """
        names = self.expert_names or [str(k) for k in range(self.prior.shape[1])]
        columns = {"x": self.x, "mean": self.mean}
        if self.band is not None:
            columns |= {"lower": self.band[0], "upper": self.band[1]}
        for k, name in enumerate(names):
            columns |= {f"expert {name}": self.experts[:, k], f"prior {name}": self.prior[:, k]}
        return pandas_for("frame").DataFrame(columns)

    def plot(
        self, ax=None, *, mean_kwargs=None, band_kwargs=None, experts_kwargs=None, scatter_kwargs=None, gate_kwargs=None
    ):
        """Draw the plot.

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
            figure, ax = pyplot().subplots(
                2, 1, sharex=True, layout="constrained", gridspec_kw={"height_ratios": [3, 1]}
            )
        axes = np.atleast_1d(np.asarray(ax, dtype=object))
        if axes.shape not in ((1,), (2,)):
            raise ValueError(f"ax has shape {axes.shape}; give one Axes, a pair of them (above, below) or None.")
        colors = colors_of(self.prior.shape[1])
        self._plot_experts(axes[0], colors, mean_kwargs, band_kwargs, experts_kwargs, scatter_kwargs)
        if len(axes) == 2:
            axes[1].stackplot(self.x, self.prior.T, **{"colors": colors, "alpha": 0.8, "lw": 0.0} | (gate_kwargs or {}))
            axes[1].set(ylim=(0.0, 1.0), xlim=(self.x[0], self.x[-1]), ylabel="prior")
        labels = self.expert_names or [str(k) for k in range(len(colors))]
        self.legend_ = legend_of(
            axes[-1], labels, colors, self.prior.mean(axis=0), "expert", loc="center left", bbox_to_anchor=(1.0, 0.5)
        )
        axes[-1].set_xlabel(as_text(self.feature_name))
        self.axes_, self.figure_ = axes, axes[0].figure
        return self

    def _plot_experts(self, ax, colors, mean_kwargs, band_kwargs, experts_kwargs, scatter_kwargs):
        from matplotlib.collections import LineCollection

        self.points_ = self.band_ = None
        if self.data_y is not None:
            style = {"s": 12, "c": "0.45", "lw": 0.0, "zorder": 1} | (scatter_kwargs or {})
            self.points_ = ax.scatter(self.data_x, self.data_y, **style)
        if self.band is not None:
            style = {"color": "0.5", "alpha": 0.2, "lw": 0.0, "label": "mean +/- 2 std"} | (band_kwargs or {})
            self.band_ = ax.fill_between(self.x, *self.band, **style)
        (self.mean_,) = ax.plot(
            self.x, self.mean, **{"color": "black", "lw": 1.5, "label": "mean", "zorder": 3} | (mean_kwargs or {})
        )
        self.experts_ = []
        for k, color in enumerate(colors):
            points = np.column_stack([self.x, self.experts[:, k]])
            # One colour for each segment, so that the line fades where the expert's prior is small.
            shade = np.column_stack([np.tile(color[:3], (len(self.x) - 1, 1)), self.prior[:-1, k]])
            style = {"linewidths": 3.0, "zorder": 2} | (experts_kwargs or {})
            lines = LineCollection(np.stack([points[:-1], points[1:]], axis=1), colors=shade, **style)
            # Limits ignore the lines, which may leave the plot where their expert's prior is small.
            self.experts_.append(ax.add_collection(lines, autolim=False))
        ax.set(ylabel=as_text(self.target_name), xlim=(self.x[0], self.x[-1]))
        # With one Axes it holds both legends.
        ax.add_artist(ax.legend(loc="best", frameon=False))
