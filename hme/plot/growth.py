"""How a tree grew: the held-out score of every size, which size the tree has, and which sizes predict together."""

import numpy as np

from ..tables import pandas_for
from .picture import colors_of, mixture_of, pyplot
from .sizes import changes_in_words

__all__ = ["GrowthDisplay"]

WIDTH = 0.12  # of the bars of shares, as a share of the number of experts: the axis is logarithmic
COLUMNS = "candidate", "n_experts", "score", "error", "share", "chosen"
LOWEST = 0.4  # share of the sizes whose low scores are out of the picture
LONG = 30  # letters of a candidate, from which on the legend has one column


class GrowthDisplay:
    """Score of every size of a tree on rows that were held out, and the shares of the sizes that predict together.

    Parameters
    ----------
    candidate : ndarray of int of shape (S,)
        Number of the candidate that has the size.
    n_experts : ndarray of int of shape (S,)
    score : ndarray of shape (S,)
        Mean log-density, in nats.
    error : ndarray of shape (S,)
        Standard error of the difference to the best score.
    share : ndarray of shape (S,)
        Share of each size in the average.
    chosen : ndarray of bool of shape (S,)
        Which one is the tree.
    names : list of str
        Of the candidates.

    Attributes
    ----------
    figure_ : matplotlib Figure
    ax_ : matplotlib Axes
        Of the scores.
    share_ax_ : matplotlib Axes
        Of the shares.

    Examples
    --------
    >>> from hme import HMERegressor
    >>> from hme.datasets import load_motorcycle
    >>> from hme.plot import GrowthDisplay
    >>> model = HMERegressor(max_experts=3).fit(*load_motorcycle(return_X_y=True))
    >>> display = GrowthDisplay.from_estimator(model)
    >>> display.n_experts[:3]
    array([1, 2, 3])
    """

    def __init__(self, candidate, n_experts, score, error, share, chosen, names):
        self.candidate = candidate
        self.n_experts = n_experts
        self.score = score
        self.error = error
        self.share = share
        self.chosen = chosen
        self.names = names

    @classmethod
    def from_estimator(cls, model, *, ax=None, line_kwargs=None):
        """Compute the display of a fitted model whose tree has grown, and draw it.

        Parameters
        ----------
        model : HMERegressor or HMEClassifier
            A fitted one, or a pipeline that ends in one.
        ax, line_kwargs
            See `plot`.

        Returns
        -------
        GrowthDisplay

        Raises
        ------
        ValueError
            If the tree has not grown.
        """
        model = mixture_of(model)
        if not model.growth_:
            raise ValueError(
                "The tree of the model has not grown: its size was given, or its families have no growth. "
                "Fit with depth='auto'."
            )
        columns = [np.array([getattr(step, name) for step in model.growth_]) for name in COLUMNS]
        names = [changes_in_words(changes) or "as given" for changes in model.candidates_]
        return cls(*columns, names).plot(ax=ax, line_kwargs=line_kwargs)

    def frame(self):
        """Sizes as a data frame.

        Returns
        -------
        pandas.DataFrame
            Of `candidate`, `n_experts`, `score`, `error`, `share` and `chosen`, a row for each size, in the order
            of the paths.
        """
        return pandas_for("frame").DataFrame({name: getattr(self, name) for name in COLUMNS})

    def plot(self, ax=None, *, line_kwargs=None):
        """Draw the plot.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw; by default in a new figure.
        line_kwargs : dict or None, default=None
            Passed on to the calls of ``errorbar`` that draw the scores.

        Returns
        -------
        GrowthDisplay
        """
        if ax is None:
            ax = pyplot().subplots(layout="constrained")[1]
        colors = colors_of(len(self.names))
        for number, color in enumerate(colors):
            for part, line, what in zip(self._ways(number), ("-", "--"), ("", ", pruned"), strict=True):
                if len(part):
                    label = f"{self.names[number]}{what}"
                    style = {"color": color, "marker": "o", "ms": 4, "capsize": 2, "ls": line, "label": label}
                    style |= line_kwargs or {}
                    ax.errorbar(self.n_experts[part], self.score[part], yerr=self.error[part], **style)
        ax.plot(
            self.n_experts[self.chosen], self.score[self.chosen], "o", ms=12, mfc="none", color="0.2", label="the tree"
        )
        best = self.score.max()
        low = best - 1.3 * (best - np.quantile(self.score, LOWEST)) - 3 * self.error.max()
        ax.set(xscale="log", xlabel="experts", ylabel="held-out log-density", ylim=(low, best + 0.15 * (best - low)))
        sizes = sorted({1, 2, 4, 8, 16, 32, 64} & set(range(1, 2 * int(self.n_experts.max()))))
        ax.set_xticks(sizes, map(str, sizes), minor=False)
        ax.minorticks_off()
        self.share_ax_ = ax.twinx()
        used = np.flatnonzero(self.share)
        self.share_ax_.bar(
            self.n_experts[used],
            self.share[used],
            width=WIDTH * self.n_experts[used],
            color=[colors[number] for number in self.candidate[used]],
            alpha=0.3,
            zorder=0,
        )
        self.share_ax_.set(ylabel="share in the average", ylim=(0.0, 1.0))
        ax.set_zorder(self.share_ax_.get_zorder() + 1)
        ax.patch.set_visible(False)
        n_abreast = 1 if max(map(len, self.names)) > LONG else 2
        ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=n_abreast, frameon=False, fontsize="small")
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _ways(self, number):
        """The sizes of a candidate on the way up, and on the way down."""
        own = np.flatnonzero(self.candidate == number)
        fall = np.flatnonzero(np.diff(self.n_experts[own]) < 0)
        turn = fall[0] + 1 if len(fall) else len(own)
        return own[:turn], own[turn:]
