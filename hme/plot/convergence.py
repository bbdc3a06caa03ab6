"""How the starts of a fit went: their objectives sweep by sweep, and where they ended."""

import numpy as np

from ..numerics.checks import check_choice, check_real
from ..tables import pandas_for
from .picture import colors_of, mixture_of, pyplot

__all__ = ["ConvergenceDisplay"]

PALE = "0.75"
BEHIND = {"outrun", "twin"}  # reasons of starts that a race has ended
MOST_BASINS = 6  # with a colour and a line of the legend


class ConvergenceDisplay:
    """Objective of every start, sweep by sweep; starts that end at the same objective share a colour.

    Such a set of starts is called a basin here. `hme.diagnosis.restart_report` fits all starts to their end, and tells
    basins of the same objective apart by their experts.

    Parameters
    ----------
    objectives : list of ndarray
        The objective of each start after every accepted sweep.
    names : sequence of str
        The kinds of the starts.
    reasons : sequence of str
        Why each start ended. Those that a race has left behind, "outrun" or "twin", had not reached their end: they are
        dotted, and belong to no basin.
    kept : int
        The start that the model is from.
    tolerance : float, default=1e-3
        Starts share a basin if their last objectives differ by no more.

    Attributes
    ----------
    figure_ : matplotlib Figure
    ax_ : matplotlib Axes
    lines_ : list of matplotlib Line2D
        One for each start.
    legend_ : matplotlib Legend

    Examples
    --------
    >>> from hme import HMERegressor
    >>> from hme.datasets import load_motorcycle
    >>> from hme.plot import ConvergenceDisplay
    >>> model = HMERegressor(depth=2, n_init=4, start="kmeans", random_state=0).fit(*load_motorcycle(return_X_y=True))
    >>> display = ConvergenceDisplay.from_estimator(model)
    >>> len(display.objectives)
    4
    """

    def __init__(self, objectives, names, reasons, kept, *, tolerance=1e-3):
        self.objectives = objectives
        self.names = names
        self.reasons = reasons
        self.kept = kept
        self.tolerance = tolerance

    @classmethod
    def from_estimator(cls, model, *, tolerance=1e-3, scale="objective", ax=None, line_kwargs=None):
        """Compute the display of a fitted model and draw it.

        Parameters
        ----------
        model : HMERegressor, HMEClassifier or a stack
            A fitted one, or a pipeline that ends in one.
        tolerance : float, default=1e-3
            See the class.
        scale, ax, line_kwargs
            See `plot`.

        Returns
        -------
        ConvergenceDisplay
        """
        check_real(tolerance, "tolerance")
        model = mixture_of(model)
        objectives = []
        for number in range(len(model.restarts_)):
            history = model.from_restart(number).history_
            objectives.append(history.objective[history.accepted])
        kept = next(number for number, start in enumerate(model.restarts_) if start.kept)
        starts = [(start.start, start.reason) for start in model.restarts_]
        display = cls(objectives, *map(list, zip(*starts, strict=True)), kept, tolerance=tolerance)
        return display.plot(ax=ax, scale=scale, line_kwargs=line_kwargs)

    @property
    def final(self):
        """Last objective of each start."""
        return np.array([own[-1] if len(own) else -np.inf for own in self.objectives])

    @property
    def finished(self):
        """Whether each start was not left behind in a race, (S,) of bool."""
        found = np.array([reason not in BEHIND for reason in self.reasons])
        return found if found.any() else ~found

    @property
    def basins(self):
        """Number of each start's basin, from the highest objective down; -1 where a race has left it behind."""
        final, found = self.final, np.full(len(self.names), -1)
        number, top = -1, np.inf
        for i in np.argsort(-final, kind="stable"):
            if not self.finished[i]:
                continue
            if number < 0 or top - final[i] > self.tolerance:
                number, top = number + 1, final[i]
            found[i] = number
        return found

    def frame(self):
        """Starts as a data frame.

        Returns
        -------
        pandas.DataFrame
            Of `start`, `objective`, `gap` to the best one, `sweeps`, `ended`, `basin` and `kept`, a row for each start.
        """
        final = self.final
        columns = {
            "start": list(self.names),
            "objective": final,
            "gap": final.max() - final,
            "sweeps": [len(own) for own in self.objectives],
            "ended": list(self.reasons),
            "basin": self.basins,
            "kept": np.arange(len(final)) == self.kept,
        }
        return pandas_for("frame").DataFrame(columns)

    def plot(self, ax=None, *, scale="objective", line_kwargs=None):
        """Draw the plot.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw; by default in a new figure.
        scale : {"objective", "gap"}, default="objective"
            "gap" draws by how much each sweep is below the best objective of all, on a logarithmic axis, where a
            constant rate of convergence is a straight line.
        line_kwargs : dict or None, default=None
            Passed on to the calls of ``plot`` that draw the starts.

        Returns
        -------
        ConvergenceDisplay
        """
        check_choice(scale, "scale", ("objective", "gap"))
        if ax is None:
            ax = pyplot().subplots(layout="constrained")[1]
        basins, best = self.basins, self.final.max()
        n_colors = min(basins.max() + 1, MOST_BASINS)
        colors = colors_of(n_colors)
        self.lines_ = []
        for i, own in enumerate(self.objectives):
            color = colors[basins[i]] if 0 <= basins[i] < n_colors else PALE
            style = {"color": color, "lw": 2.5 if i == self.kept else 1.2, "ls": "-" if self.finished[i] else ":"}
            values = own if scale == "objective" else np.where(best - own > 0, best - own, np.nan)
            sweeps, last = np.arange(1, len(own) + 1), (len(own), values[-1])
            style["zorder"] = 4 if i == self.kept else 3 if self.finished[i] else 2
            self.lines_ += ax.plot(sweeps, values, **style | (line_kwargs or {}))
            if self.finished[i]:
                ax.plot(*last, "o", color=color, ms=4, zorder=style["zorder"])
        if scale == "gap":
            ax.set(yscale="log", ylabel="below the best objective")
        else:
            every = np.concatenate(self.objectives)
            low = max(every.min(), best - 1.5 * (best - np.quantile(every, 0.1)))
            room = 0.05 * (best - low) or 1.0
            ax.set(ylabel="objective", ylim=(low - room, best + room))
        ax.set_xlabel("sweep")
        self._legend(ax, basins, colors)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _legend(self, ax, basins, colors):
        from matplotlib.lines import Line2D

        handles = []
        for basin, color in enumerate(colors):
            own = np.flatnonzero(basins == basin)
            starts = f"{len(own)} start" + "s" * (len(own) > 1)
            label = f"{self.final[own].max():.4f}, {starts}{', kept' if self.kept in own else ''}"
            handles.append(Line2D([], [], color=color, label=label))
        if basins.max() >= len(colors):
            handles.append(Line2D([], [], color=PALE, label=f"{int((basins >= len(colors)).sum())} lower ones"))
        if not self.finished.all():
            label = f"{int((~self.finished).sum())} left behind in a race"
            handles.append(Line2D([], [], color=PALE, ls=":", label=label))
        style = {"loc": "center left", "bbox_to_anchor": (1.0, 0.5), "frameon": False, "fontsize": "small"}
        self.legend_ = ax.legend(handles=handles, title="ends at", **style)
