"""How a gate divides the rows: loads of the experts, and how many of them share a row."""

import numpy as np

from ..numerics.checks import check_int
from ..tables import pandas_for
from .picture import as_text, colors_of, expert_labels, pyplot, subject_of

__all__ = ["RoutingDisplay"]


class RoutingDisplay:
    """How a gate divides the rows among the experts.

    At the left the load of every expert: its mean prior, and as a mark the share of the rows of which it is the most
    probable expert; the dashed line is an equal share. At the right a histogram of how many experts share a row, the
    exponential of the entropy of its priors: 1 where one expert has it alone, K where all have the same prior.

    Parameters
    ----------
    prior : ndarray of shape (n, K)
    weight : ndarray of shape (n,) or None, default=None
        Weights of the rows.
    expert_names : sequence of str of length K or None, default=None
        By default their numbers.
    n_bins : int, default=20
        Of the histogram.

    Attributes
    ----------
    figure_ : matplotlib Figure
    axes_ : ndarray of matplotlib Axes
    bars_ : matplotlib BarContainer
        Of the loads.

    Examples
    --------
    >>> from hme import HMERegressor
    >>> from hme.datasets import load_motorcycle
    >>> from hme.plot import RoutingDisplay
    >>> X, y = load_motorcycle(return_X_y=True)
    >>> display = RoutingDisplay.from_estimator(HMERegressor(depth=1).fit(X, y), X)
    >>> display.frame().columns.tolist()
    ['expert', 'load', 'most_probable']
    >>> 1.0 < display.effective_experts < 2.0
    True
    """

    def __init__(self, prior, weight=None, *, expert_names=None, n_bins=20):
        self.prior = prior
        self.weight = weight
        self.expert_names = expert_names
        self.n_bins = n_bins

    @classmethod
    def from_estimator(cls, model, X, *, sample_weight=None, n_bins=20, ax=None, bar_kwargs=None):
        """Compute the display of a fitted model and draw it.

        Parameters
        ----------
        model : HMERegressor, HMEClassifier or a stack
            A fitted one, or a pipeline that ends in one.
        X : data frame or array-like of shape (n, p)
        sample_weight : array-like of shape (n,) or None, default=None
        n_bins : int, default=20
            See the class.
        ax, bar_kwargs
            See `plot`.

        Returns
        -------
        RoutingDisplay
        """
        subject = subject_of(model, X)
        prior = subject.ask("gate_proba", subject.seen(subject.table))
        weight = None if sample_weight is None else np.asarray(sample_weight, dtype=float)
        names = expert_labels(subject.mixture, prior.shape[1])
        return cls(prior, weight, expert_names=names, n_bins=n_bins).plot(ax=ax, bar_kwargs=bar_kwargs)

    @property
    def _weight(self):
        weight = np.ones(len(self.prior)) if self.weight is None else self.weight
        return weight / weight.sum()

    @property
    def load(self):
        """Mean prior of every expert, (K,)."""
        return self._weight @ self.prior

    @property
    def most_probable(self):
        """Share of the rows of which each expert is the most probable one, (K,)."""
        return np.bincount(self.prior.argmax(axis=1), self._weight, self.prior.shape[1])

    @property
    def experts_per_row(self):
        """How many experts share each row, (n,): the exponential of the entropy of its priors."""
        return _perplexity(self.prior)

    @property
    def effective_experts(self):
        """How many experts of equal load would be as evenly used: the exponential of the entropy of the loads."""
        return float(_perplexity(self.load[None])[0])

    def frame(self):
        """The loads as a data frame.

        Returns
        -------
        pandas.DataFrame
            Of `expert`, `load` and `most_probable`.
        """
        names = self.expert_names or list(range(self.prior.shape[1]))
        columns = {"expert": list(names), "load": self.load, "most_probable": self.most_probable}
        return pandas_for("frame").DataFrame(columns)

    def plot(self, ax=None, *, bar_kwargs=None):
        """Draw the plot.

        Parameters
        ----------
        ax : pair of matplotlib Axes, Axes or None, default=None
            Where to draw: left and right, or one Axes for the loads only. By default in a new figure.
        bar_kwargs : dict or None, default=None
            Passed on to the calls of ``barh`` and ``hist``.

        Returns
        -------
        RoutingDisplay
        """
        check_int(self.n_bins, "n_bins")
        K = self.prior.shape[1]
        if ax is None:
            size = (8.0, max(2.6, 0.28 * K + 1.0))
            ax = pyplot().subplots(1, 2, layout="constrained", figsize=size)[1]
        axes = np.atleast_1d(np.asarray(ax, dtype=object))
        if axes.shape not in ((1,), (2,)):
            raise ValueError(f"ax has shape {axes.shape}; give one Axes, a pair of them (left, right) or None.")
        names = [as_text(name) for name in self.expert_names or range(K)]
        place = np.arange(K)
        self.bars_ = axes[0].barh(place, self.load, **{"color": colors_of(K), "height": 0.7} | (bar_kwargs or {}))
        axes[0].plot(self.most_probable, place, "|", color="black", ms=12, mew=2, label="most probable")
        axes[0].axvline(1.0 / K, color="0.4", ls="--", lw=1, label="equal share")
        axes[0].set(ylim=(K - 0.4, -0.6), xlabel="load", ylabel="expert", xlim=(0.0, None))
        axes[0].set_yticks(place, names)
        top = {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0), "frameon": False, "fontsize": "small"}
        axes[0].legend(ncols=2, **top)
        if len(axes) == 2:
            bins = np.linspace(1.0, max(K, 1.0 + 1e-9), self.n_bins + 1)
            style = {"weights": self._weight, "color": "0.55", "edgecolor": "white"} | (bar_kwargs or {})
            axes[1].hist(np.clip(self.experts_per_row, 1.0, K), bins, **style)
            axes[1].set(xlabel="experts that share a row", ylabel="share of the rows", xlim=(bins[0], bins[-1]))
        self.axes_, self.figure_ = axes, axes[0].figure
        return self


def _perplexity(prior):
    """Exponential of the entropy of each row."""
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(prior > 0, prior * np.log(prior), 0.0)
    return np.exp(-terms.sum(axis=1))
