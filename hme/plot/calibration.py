"""Histogram of the probability integral transform: are predictive distributions as wide as they should be?"""

import numpy as np
from scipy.stats import binom

from ..numerics.checks import check_int, check_real
from ..scoring import pit
from .picture import pyplot, subject_of

__all__ = ["PITDisplay"]


class PITDisplay:
    """Histogram of the probability integral transform, eq. (pit), which is flat if the model is right.

    A hump means that the distributions are too wide, a bowl that they are too narrow, and a slope that they are too low
    or too high.

    Parameters
    ----------
    values : ndarray of shape (n,)
        The probability integral transform of n rows.
    n_bins : int, default=20
    coverage : float, default=0.95
        Probability of the band for the height of a bin if the model is right.

    Attributes
    ----------
    figure_ : matplotlib Figure
    ax_ : matplotlib Axes
    bars_ : matplotlib BarContainer
    band_ : matplotlib Polygon

    Examples
    --------
    >>> from hme import HMERegressor
    >>> from hme.datasets import load_motorcycle
    >>> from hme.plot import PITDisplay
    >>> X, y = load_motorcycle(return_X_y=True)
    >>> display = PITDisplay.from_estimator(HMERegressor(depth=2).fit(X, y), X, y)
    >>> display.values.shape
    (133,)
    """

    def __init__(self, values, *, n_bins=20, coverage=0.95):
        self.values = values
        self.n_bins = n_bins
        self.coverage = coverage

    @classmethod
    def from_estimator(
        cls,
        model,
        X,
        y,
        *,
        n_bins=20,
        coverage=0.95,
        random_state=0,
        ax=None,
        bar_kwargs=None,
        band_kwargs=None,
        **rows,
    ):
        """Compute the display of a fitted model and draw it.

        Parameters
        ----------
        model : HMERegressor, HMEClassifier or a stack
            A fitted one, or a pipeline that ends in one.
        X : array-like of shape (n, p)
            Rows, preferably ones that the model has not seen.
        y : array-like of shape (n,) or (n, T)
            Numbers or classes; several outputs are pooled.
        n_bins, coverage
            See the class.
        random_state : int, RandomState instance or None, default=0
            For the random transform of counts and classes.
        ax, bar_kwargs, band_kwargs
            See `plot`.
        **rows
            Row arguments of `predict_dist`: `offset`, `trials`.

        Returns
        -------
        PITDisplay
        """
        subject = subject_of(model, X)
        values = pit(subject.ask("predict_dist", subject.seen(X), **rows), y, random_state).ravel()
        return cls(values, n_bins=n_bins, coverage=coverage).plot(ax=ax, bar_kwargs=bar_kwargs, band_kwargs=band_kwargs)

    def plot(self, ax=None, *, bar_kwargs=None, band_kwargs=None):
        """Draw the plot.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw; by default in a new figure.
        bar_kwargs, band_kwargs : dict or None, default=None
            Passed on to the calls of matplotlib that draw the histogram (``bar``) and the band (``axhspan``).

        Returns
        -------
        PITDisplay
        """
        check_int(self.n_bins, "n_bins")
        if not check_real(self.coverage, "coverage", positive=True) < 1:
            raise ValueError(f"coverage must be between 0 and 1, got {self.coverage!r}.")
        if ax is None:
            ax = pyplot().subplots(layout="constrained")[1]
        n, width = len(self.values), 1.0 / self.n_bins
        count, edges = np.histogram(self.values, bins=self.n_bins, range=(0.0, 1.0))
        tail = 0.5 * (1.0 - self.coverage)
        low, high = (binom.ppf(q, n, width) / (n * width) for q in (tail, 1.0 - tail))
        self.band_ = ax.axhspan(low, high, **{"color": "0.85", "zorder": 0} | (band_kwargs or {}))
        style = {"width": width, "align": "edge", "color": "C0", "edgecolor": "white", "zorder": 1}
        self.bars_ = ax.bar(edges[:-1], count / (n * width), **style | (bar_kwargs or {}))
        ax.axhline(1.0, color="black", lw=0.8, zorder=2)
        ax.set(xlabel="probability integral transform", ylabel="density", xlim=(0.0, 1.0))
        self.ax_, self.figure_ = ax, ax.figure
        return self
