"""How much each model of a stack counts, along one column of X."""

import numpy as np

from ..numerics.checks import check_int
from ..tables import pandas_for
from .picture import as_text, colors_of, legend_of, pyplot, subject_of

__all__ = ["EstimatorWeightsDisplay"]


class EstimatorWeightsDisplay:
    """Shares of a stack's models along one column of X, as stacked areas: which model when.

    Rows are grouped by the column: a group for each level of text and for each of a few numbers, else groups of
    neighbours of about the same size. In each group the weights of the models, eq. (model-weight), are averaged, and
    their shares of the sum are drawn. Nothing is held fixed: the rows of a group are as the table has them.

    Parameters
    ----------
    x : ndarray of shape (G,)
        Mean of the column in every group, in increasing order; or the levels of a column of text.
    weights : ndarray of shape (G, M)
        Mean weight of each model in every group.
    names : sequence of str of length M
        Names of the models.
    feature_name : str, default="x"
        Label of the horizontal axis.

    Attributes
    ----------
    figure_ : matplotlib Figure
    ax_ : matplotlib Axes
    areas_ : list of matplotlib PolyCollection or BarContainer
        One for each model.
    legend_ : matplotlib Legend
        Of the models' colours.

    See Also
    --------
    ExpertsDisplay : Experts and gate of a mixture along one feature.

    Examples
    --------
    Of a fitted stack, ``EstimatorWeightsDisplay.from_estimator(stack, X, feature="hour")``. Of arrays:

    >>> import numpy as np
    >>> from hme.plot import EstimatorWeightsDisplay
    >>> weights = np.array([[0.9, 0.1], [0.5, 0.5], [0.3, 0.9]])
    >>> display = EstimatorWeightsDisplay(np.array([0.0, 12.0, 24.0]), weights, ["line", "tree"], feature_name="hour")
    >>> display.plot().shares[2]
    array([0.25, 0.75])
    """

    def __init__(self, x, weights, names, *, feature_name="x"):
        self.x = x
        self.weights = weights
        self.names = names
        self.feature_name = feature_name

    @classmethod
    def from_estimator(cls, stack, X, *, feature=None, n_groups=40, feature_name=None, ax=None, area_kwargs=None):
        """Compute the display of a fitted stack and draw it.

        Parameters
        ----------
        stack : HMEStackingRegressor or HMEStackingClassifier
            A fitted one, or a pipeline that ends in one.
        X : data frame or array-like of shape (N, p)
            Rows, of the fit or new ones, in the columns that the stack, or the pipeline, takes.
        feature : int or str or None, default=None
            The column of the horizontal axis; needed where X has several. Rows without a value are left out.
        n_groups : int, default=40
            Most groups of a column of numbers.
        feature_name : str or None, default=None
            Label of the axis; by default the name of the column.
        ax, area_kwargs
            See `plot`.

        Returns
        -------
        EstimatorWeightsDisplay

        Raises
        ------
        ValueError
            Where the weights of the models mean nothing, see `HMEStackingRegressor.estimator_weights`.
        TypeError
            Where the model is no stack.
        """
        check_int(n_groups, "n_groups", minimum=2)
        subject = subject_of(stack, X)
        if not hasattr(subject.model, "estimator_weights"):
            raise TypeError(
                f"stack = {subject.model!r} must be an HMEStackingRegressor or HMEStackingClassifier; the experts of a "
                "mixture are drawn by ExpertsDisplay."
            )
        j = subject.number(feature)
        weights = subject.ask("estimator_weights", subject.seen(subject.table))
        x, group = _groups(subject, j, n_groups)
        seen, number = group >= 0, np.arange(len(x))[:, None] == group
        means = number[:, seen] @ weights[seen] / number.sum(axis=1, keepdims=True)
        display = cls(x, means, list(subject.model.names_), feature_name=feature_name or subject.names[j])
        return display.plot(ax=ax, area_kwargs=area_kwargs)

    @property
    def shares(self):
        """Shares of the models in every group, (G, M); of an expert that counts no model they are zero."""
        total = self.weights.sum(axis=1, keepdims=True)
        return np.divide(self.weights, total, out=np.zeros_like(self.weights), where=total > 0)

    def frame(self):
        """The shares as a data frame.

        Returns
        -------
        pandas.DataFrame
            Of `x` and the share of each model under its name, a row for each group.
        """
        columns = {"x": self.x} | dict(zip(self.names, self.shares.T, strict=True))
        return pandas_for("frame").DataFrame(columns)

    def plot(self, ax=None, *, area_kwargs=None):
        """Draw the plot.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw; by default in a new figure.
        area_kwargs : dict or None, default=None
            Passed on to the calls of matplotlib that draw the areas: ``stackplot``, or ``bar`` for a column of text.

        Returns
        -------
        EstimatorWeightsDisplay
        """
        if ax is None:
            ax = pyplot().subplots(layout="constrained")[1]
        colors, shares = colors_of(len(self.names)), self.shares
        x, style = np.asarray(self.x), area_kwargs or {}
        if x.dtype.kind == "f":
            style = {"colors": colors, "edgecolor": "white", "lw": 0.6} | style
            self.areas_ = ax.stackplot(x, shares.T, **style)
            ax.set(xlim=(x[0], x[-1]))
        else:
            style = {"width": 0.9, "edgecolor": "white", "lw": 0.6} | style
            bottom = np.cumsum(shares, axis=1) - shares
            place, labels = np.arange(len(x)), [as_text(level) for level in x]
            self.areas_ = [
                ax.bar(place, shares[:, m], bottom=bottom[:, m], **{"color": color} | style)
                for m, color in enumerate(colors)
            ]
            ax.set_xticks(place, labels)
        ax.set(xlabel=as_text(self.feature_name), ylabel="share", ylim=(0.0, 1.0))
        size = shares.mean(axis=0)
        self.legend_ = legend_of(
            ax, self.names, colors, size, "model", loc="center left", bbox_to_anchor=(1.0, 0.5), reverse=True
        )
        self.ax_, self.figure_ = ax, ax.figure
        return self


def _groups(subject, j, most):
    """What stands for each group of rows (G,), and the group (N,) of every row, -1 where the column has no value.

    Rows that are equal in the column share a group.
    """
    column = subject.column(j)
    try:
        numbers = column.astype(float)
    except (TypeError, ValueError):
        levels = subject.levels(j)
        place = {level: number for number, level in enumerate(levels)}
        return np.array(levels, dtype=object), np.array([place.get(str(value), -1) for value in column])
    known = np.isfinite(numbers)
    if not known.any():
        raise ValueError(f"feature {subject.names[j]!r} has no values.")
    values, number, count = np.unique(numbers[known], return_inverse=True, return_counts=True)
    part = np.arange(len(values))
    if len(values) > most:
        middle = (np.cumsum(count) - 0.5 * count) / count.sum()
        part = np.unique((middle * most).astype(int), return_inverse=True)[1]
    group = np.full(len(column), -1)
    group[known] = part[number]
    return np.bincount(part, values * count) / np.bincount(part, count), group
