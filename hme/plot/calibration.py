"""Are predictive distributions as wide, and probabilities as large, as they should be?"""

import numpy as np
from scipy.stats import binom

from ..numerics.checks import check_int, check_real
from ..scoring import coverage as covered
from ..scoring import pit
from ..tables import pandas_for
from .picture import as_text, pyplot, subject_of

__all__ = ["CalibrationDisplay", "PITDisplay"]

LEVELS = np.linspace(0.05, 0.95, 19)  # of intervals


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
        style = {"width": width, "align": "edge", "color": "#0072B2", "edgecolor": "white", "zorder": 1}
        self.bars_ = ax.bar(edges[:-1], count / (n * width), **style | (bar_kwargs or {}))
        ax.axhline(1.0, color="black", lw=0.8, zorder=2)
        ax.set(xlabel="probability integral transform", ylabel="density", xlim=(0.0, 1.0))
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def frame(self):
        """The histogram as a data frame.

        Returns
        -------
        pandas.DataFrame
            Of the ends of each bin, `lower` and `upper`, and its `density`, which is 1 on average.
        """
        count, edges = np.histogram(self.values, bins=self.n_bins, range=(0.0, 1.0))
        columns = {"lower": edges[:-1], "upper": edges[1:], "density": count * self.n_bins / len(self.values)}
        return pandas_for("frame").DataFrame(columns)


class CalibrationDisplay:
    """What was promised against what came true, which is the diagonal if the model is right.

    Of numbers: the coverage of central predictive intervals against the share of the rows inside them. Above the
    diagonal intervals are too wide, below it too narrow. Of classes: the probability of a class, or of the most
    probable one, in bins, against the share of the rows that had it.

    Parameters
    ----------
    promised, observed : ndarray of shape (m,)
        Of numbers for each coverage; of classes for each bin that holds rows.
    count : ndarray of int of shape (m,)
        Rows: all of them, or those of a bin.
    xlabel, ylabel : str
    confidence : float, default=0.95
        Of the bars, which hold the share that would be observed if the model is right.

    Attributes
    ----------
    figure_ : matplotlib Figure
    ax_ : matplotlib Axes
    line_ : matplotlib Line2D
    bars_ : matplotlib LineCollection
        Around the diagonal: where the points are if the model is right.

    See Also
    --------
    PITDisplay : A histogram that shows how distributions are wrong.

    Examples
    --------
    >>> from hme import HMERegressor
    >>> from hme.datasets import load_motorcycle
    >>> from hme.plot import CalibrationDisplay
    >>> X, y = load_motorcycle(return_X_y=True)
    >>> display = CalibrationDisplay.from_estimator(HMERegressor(depth=2).fit(X, y), X, y)
    >>> display.frame().columns.tolist()
    ['promised', 'observed', 'rows']
    """

    def __init__(self, promised, observed, count, *, xlabel, ylabel, confidence=0.95):
        self.promised = promised
        self.observed = observed
        self.count = count
        self.xlabel = xlabel
        self.ylabel = ylabel
        self.confidence = confidence

    @classmethod
    def from_estimator(cls, model, X, y, *, label=None, n_bins=10, confidence=0.95, ax=None, line_kwargs=None, **rows):
        """Compute the display of a fitted model and draw it.

        Parameters
        ----------
        model : HMERegressor, HMEClassifier or a stack
            A fitted one, or a pipeline that ends in one.
        X : array-like of shape (n, p)
            Rows, preferably ones that the model has not seen.
        y : array-like of shape (n,) or (n, T)
            Numbers or classes; several outputs are averaged.
        label : object or None, default=None
            A class whose probability is looked at; None is the most probable class of each row.
        n_bins : int, default=10
            Of probabilities of classes, of about as many rows each.
        confidence : float, default=0.95
            See the class.
        ax, line_kwargs
            See `plot`.
        **rows
            Row arguments of `predict_dist`: `offset`, `trials`.

        Returns
        -------
        CalibrationDisplay
        """
        subject = subject_of(model, X)
        dist = subject.ask("predict_dist", subject.seen(X), **rows)
        if subject.mixture.task == "classification":
            made = _of_classes(dist, np.asarray(y), label, check_int(n_bins, "n_bins"))
        elif label is not None:
            raise ValueError(f"label = {label!r} is for classes.")
        else:
            observed = np.array([covered(dist, y, level) for level in LEVELS])
            names = {"xlabel": "coverage of the interval", "ylabel": "share of the rows inside"}
            made = (LEVELS, observed, np.full(len(LEVELS), len(y))), names
        return cls(*made[0], **made[1], confidence=confidence).plot(ax=ax, line_kwargs=line_kwargs)

    def frame(self):
        """The points as a data frame.

        Returns
        -------
        pandas.DataFrame
            Of `promised`, `observed` and `rows`.
        """
        columns = {"promised": self.promised, "observed": self.observed, "rows": self.count}
        return pandas_for("frame").DataFrame(columns)

    def plot(self, ax=None, *, line_kwargs=None):
        """Draw the plot.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw; by default in a new figure.
        line_kwargs : dict or None, default=None
            Passed on to the call of ``plot`` that draws the points.

        Returns
        -------
        CalibrationDisplay
        """
        if not check_real(self.confidence, "confidence", positive=True) < 1:
            raise ValueError(f"confidence must be between 0 and 1, got {self.confidence!r}.")
        if ax is None:
            ax = pyplot().subplots(layout="constrained", figsize=(5.0, 4.6))[1]
        tail = 0.5 * (1.0 - self.confidence)
        low, high = (binom.ppf(q, self.count, self.promised) / self.count for q in (tail, 1.0 - tail))
        ax.plot([0.0, 1.0], [0.0, 1.0], color="0.5", lw=1.0, zorder=1)
        right = f"{100 * self.confidence:g} % if the model is right"
        self.bars_ = ax.vlines(self.promised, low, high, color="0.8", lw=5.0, zorder=0, label=right)
        style = {"color": "#0072B2", "marker": "o", "ms": 4.5, "lw": 1.2, "zorder": 2, "clip_on": False} | (
            line_kwargs or {}
        )
        (self.line_,) = ax.plot(self.promised, self.observed, **style)
        ax.set(xlim=(0.0, 1.0), ylim=(0.0, 1.0), xlabel=as_text(self.xlabel), ylabel=as_text(self.ylabel))
        ax.set_aspect("equal")
        ax.legend(loc="upper left", frameon=False, fontsize="small")
        self.ax_, self.figure_ = ax, ax.figure
        return self


def _of_classes(dist, y, label, n_bins):
    """Probabilities and shares of bins with their rows, and the labels of the axes."""
    proba, codes = dist.probabilities(), dist.encode(y)
    if label is None:
        own, right = proba.max(axis=1), proba.argmax(axis=1) == codes
        names = {"xlabel": "probability of the most probable class", "ylabel": "share of the rows that had it"}
    else:
        if label not in dist.classes.tolist():
            raise ValueError(f"label = {label!r} must be one of the classes {dist.classes.tolist()}.")
        c = dist.classes.tolist().index(label)
        own, right = proba[:, c], codes == c
        names = {"xlabel": f"probability of {label}", "ylabel": f"share of the rows that were {label}"}
    edges = np.unique(np.quantile(own, np.linspace(0.0, 1.0, n_bins + 1)))
    place = np.searchsorted(edges[1:-1], own, side="left") if len(edges) > 1 else np.zeros(len(own), dtype=int)
    count = np.bincount(place)
    kept = count > 0
    sums = (np.bincount(place, values)[kept] / count[kept] for values in (own, right.astype(float)))
    return (*sums, count[kept]), names
