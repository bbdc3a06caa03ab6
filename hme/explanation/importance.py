"""How much each column matters over many rows, split into gate and experts."""

import numpy as np

from ..numerics.checks import check_int
from ..plot.picture import as_text, pyplot
from ..tables import pandas_for
from .explain import explain

__all__ = ["ImportanceDisplay"]


class ImportanceDisplay:
    """How much each column matters: the mean size of what it adds to predictions, see `hme.explain`.

    Bars are split in two, through the gate and within the experts. A column may matter through both in opposite
    directions; the mark is the mean size of what it adds in all.

    Parameters
    ----------
    columns : list of str of length J
    gate, expert, total : ndarray of shape (J,)
        Mean absolute parts, in the units of y, or of probabilities; over several outputs or classes their mean.

    Attributes
    ----------
    figure_ : matplotlib Figure
    ax_ : matplotlib Axes

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from hme import HMERegressor
    >>> from hme.explanation import ImportanceDisplay
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> display = ImportanceDisplay.from_estimator(HMERegressor(depth=1).fit(X, y), X, max_rows=20)
    >>> display.frame().columns.tolist()
    ['column', 'gate', 'expert', 'total']
    """

    def __init__(self, columns, gate, expert, total):
        self.columns = columns
        self.gate = gate
        self.expert = expert
        self.total = total

    @classmethod
    def from_estimator(
        cls, model, X, *, background=None, merge=True, max_rows=500, max_columns=15, ax=None, bar_kwargs=None, **rows
    ):
        """Compute the display of a fitted model and draw it.

        Parameters
        ----------
        model : HMERegressor, HMEClassifier or a stack
            A fitted one, or a pipeline that ends in one.
        X : data frame or array-like of shape (n, p)
        background, merge
            As for `hme.explain`.
        max_rows : int, default=500
            Of longer tables so many rows are taken, evenly.
        max_columns, ax, bar_kwargs
            See `plot`.
        **rows
            Row arguments of `predict`: a number for all rows.

        Returns
        -------
        ImportanceDisplay
        """
        n = X.shape[0] if hasattr(X, "shape") else len(X)
        some = np.unique(np.linspace(0, n - 1, min(n, check_int(max_rows, "max_rows"))).astype(int))
        table = X.iloc[some] if hasattr(X, "iloc") else (X if hasattr(X, "shape") else np.asarray(X))[some]
        found = explain(model, table, background=background, merge=merge, **rows)
        return cls(found.columns, *found.strength.T).plot(ax=ax, max_columns=max_columns, bar_kwargs=bar_kwargs)

    def frame(self):
        """The importances as a data frame, the largest first.

        Returns
        -------
        pandas.DataFrame
            Of `column`, `gate`, `expert` and `total`.
        """
        columns = {"column": self.columns, "gate": self.gate, "expert": self.expert, "total": self.total}
        found = pandas_for("frame").DataFrame(columns)
        return found.sort_values("total", ascending=False, kind="stable", ignore_index=True)

    def plot(self, ax=None, *, max_columns=15, bar_kwargs=None):
        """Draw the plot.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw; by default in a new figure.
        max_columns : int, default=15
            Columns that are shown, those that matter most.
        bar_kwargs : dict or None, default=None
            Passed on to the calls of ``barh``.

        Returns
        -------
        ImportanceDisplay
        """
        shown = np.argsort(-self.total, kind="stable")[: check_int(max_columns, "max_columns")]
        if ax is None:
            ax = pyplot().subplots(layout="constrained", figsize=(6.5, 0.28 * len(shown) + 1.2))[1]
        place, style = np.arange(len(shown)), {"height": 0.7} | (bar_kwargs or {})
        ax.barh(place, self.gate[shown], color="0.25", label="through the gate", **style)
        ax.barh(place, self.expert[shown], left=self.gate[shown], color="0.7", label="within experts", **style)
        ax.plot(self.total[shown], place, "|", color="black", ms=12, mew=2, label="together")
        ax.set_yticks(place, [as_text(self.columns[j]) for j in shown])
        ax.set(ylim=(len(shown) - 0.4, -0.6), xlabel="mean size of what a column adds", xlim=(0.0, None))
        ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, frameon=False, fontsize="small")
        self.ax_, self.figure_ = ax, ax.figure
        return self
