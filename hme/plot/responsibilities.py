"""Rootograms of the responsibilities: are the experts well separated?"""

import numpy as np

from ..numerics.checks import check_int, check_real
from ..tables import pandas_for
from .picture import as_text, colors_of, expert_labels, pyplot, subject_of

__all__ = ["ResponsibilitiesDisplay"]


class ResponsibilitiesDisplay:
    """Rootogram of every expert's responsibilities, as flexmix draws them.

    A rootogram is a histogram whose heights are square roots of counts, so that small bins are seen beside large ones.
    Responsibilities next to zero are left out: they would dwarf all others. A peak at one and nothing else means
    that the expert is well separated from all others; mass in the middle means that it is not.

    Parameters
    ----------
    resp : ndarray of shape (n, K)
    expert_names : sequence of str of length K or None, default=None
        By default their numbers.
    mark : int or None, default=None
        An expert. Rows of which it is the most probable one are filled in all panels: who else could have them.
    n_bins : int, default=20
    least : float, default=1e-4
        Smaller responsibilities are left out.

    Attributes
    ----------
    figure_ : matplotlib Figure
    axes_ : ndarray of matplotlib Axes
        One for each expert.

    References
    ----------
    Leisch, F. (2004). FlexMix: a general framework for finite mixture models and latent class regression in R. Journal
    of Statistical Software 11(8).

    Examples
    --------
    >>> from hme import HMERegressor
    >>> from hme.datasets import load_motorcycle
    >>> from hme.plot import ResponsibilitiesDisplay
    >>> X, y = load_motorcycle(return_X_y=True)
    >>> display = ResponsibilitiesDisplay.from_estimator(HMERegressor(depth=1).fit(X, y), X, y, n_bins=5)
    >>> display.counts.shape
    (2, 5)
    """

    def __init__(self, resp, *, expert_names=None, mark=None, n_bins=20, least=1e-4):
        self.resp = resp
        self.expert_names = expert_names
        self.mark = mark
        self.n_bins = n_bins
        self.least = least

    @classmethod
    def from_estimator(cls, model, X, y, *, mark=None, n_bins=20, least=1e-4, ax=None, bar_kwargs=None, **rows):
        """Compute the display of a fitted model and draw it.

        Parameters
        ----------
        model : HMERegressor, HMEClassifier or a stack
            A fitted one, or a pipeline that ends in one.
        X : data frame or array-like of shape (n, p)
        y : array-like of shape (n,) or (n, T)
        mark, n_bins, least
            See the class.
        ax, bar_kwargs
            See `plot`.
        **rows
            Row arguments of `responsibilities`: `offset`, `trials`, `groups`.

        Returns
        -------
        ResponsibilitiesDisplay
        """
        subject = subject_of(model, X)
        resp = subject.ask("responsibilities", subject.seen(subject.table), y=y, **rows)
        names = expert_labels(subject.mixture, resp.shape[1])
        display = cls(resp, expert_names=names, mark=mark, n_bins=n_bins, least=least)
        return display.plot(ax=ax, bar_kwargs=bar_kwargs)

    @property
    def counts(self):
        """Number of rows in every bin, (K, n_bins), of those whose responsibility is not next to zero."""
        return self._counted(np.ones(len(self.resp), dtype=bool))

    def _counted(self, chosen):
        resp = self.resp[chosen]
        return np.stack([np.histogram(own[own >= self.least], bins=self.n_bins, range=(0.0, 1.0))[0] for own in resp.T])

    def frame(self):
        """How well the experts are separated, as a data frame.

        Returns
        -------
        pandas.DataFrame
            For each `expert` the number of rows of which it is the most probable one, `size`; that of rows whose
            responsibility is not next to zero, `possible`; and their `ratio`, 1 where experts are well separated.
        """
        size = np.bincount(self.resp.argmax(axis=1), minlength=self.resp.shape[1])
        possible = (self.resp >= self.least).sum(axis=0)
        names = self.expert_names or list(range(self.resp.shape[1]))
        ratio = np.divide(size, possible, out=np.full(len(size), np.nan), where=possible > 0)
        return pandas_for("frame").DataFrame(
            {"expert": list(names), "size": size, "possible": possible, "ratio": ratio}
        )

    def plot(self, ax=None, *, bar_kwargs=None):
        """Draw the plot.

        Parameters
        ----------
        ax : sequence of K matplotlib Axes or None, default=None
            Where to draw; by default in a new figure.
        bar_kwargs : dict or None, default=None
            Passed on to the calls of ``bar``.

        Returns
        -------
        ResponsibilitiesDisplay
        """
        K = self.resp.shape[1]
        check_int(self.n_bins, "n_bins")
        check_real(self.least, "least")
        if self.mark is not None and not 0 <= check_int(self.mark, "mark", 0) < K:
            raise ValueError(f"mark = {self.mark!r} must be the number of an expert, from 0 to {K - 1}.")
        axes = self._axes(ax, K)
        names = self.expert_names or [str(k) for k in range(K)]
        counts, colors = self.counts, colors_of(K)
        marked = None if self.mark is None else self._counted(self.resp.argmax(axis=1) == self.mark)
        edges = np.linspace(0.0, 1.0, self.n_bins + 1)
        style = {"width": 1.0 / self.n_bins, "align": "edge", "edgecolor": "white", "lw": 0.5} | (bar_kwargs or {})
        for k, own in enumerate(axes):
            shade = {"color": colors[k]} if marked is None else {"color": colors[k], "alpha": 0.35}
            own.bar(edges[:-1], np.sqrt(counts[k]), **shade | style)
            if marked is not None:
                own.bar(edges[:-1], np.sqrt(marked[k]), **{"color": colors[self.mark]} | style)
            own.set_title(as_text(names[k] if names[k] != str(k) else f"expert {k}"), size="medium")
            own.set_xlim(0.0, 1.0)
            own.set_xticks([0.0, 0.5, 1.0], ["0", "0.5", "1"])
            _mark_counts(own, counts.max())
        self.axes_, self.figure_ = axes, axes[0].figure
        return self

    def _axes(self, ax, K):
        if ax is not None:
            axes = np.atleast_1d(np.asarray(ax, dtype=object)).ravel()
            if len(axes) != K:
                raise ValueError(f"ax has {len(axes)} Axes; give one for each of the {K} experts, or None.")
            return axes
        wide = min(K, 4)
        high = -(-K // wide)
        size = (2.3 * wide + 0.5, 1.9 * high + 0.4)
        figure, grid = pyplot().subplots(high, wide, figsize=size, layout="constrained", squeeze=False, sharey=True)
        axes = grid.ravel()
        for unused in axes[K:]:
            unused.remove()
        figure.supxlabel("responsibility", size="medium")
        figure.supylabel("rows", size="medium")
        return axes[:K]


def _mark_counts(ax, most):
    """Marks of the vertical axis, at counts whose roots are the heights."""
    steps = np.array([0, 1, 5, 10, 25, 50, *(s * 10**e for e in range(2, 9) for s in (1, 2.5, 5))])
    shown = steps[steps <= max(most, 1)]
    while len(shown) > 6:
        shown = np.append(shown[:-1:2], shown[-1])
    ax.set_yticks(np.sqrt(shown), [f"{count:.0f}" for count in shown])
    ax.set_ylim(0.0, 1.05 * np.sqrt(max(most, 1)))
