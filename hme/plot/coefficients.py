"""Coefficients of the experts side by side, with their intervals."""

from typing import Any, NamedTuple

import numpy as np

from ..features.curves import curves_of
from ..inference import infer
from ..model.frames import INTERCEPT
from ..numerics.checks import check_int
from ..tables import pandas_for
from .picture import as_text, colors_of, expert_labels, legend_of, pyplot, subject_of

__all__ = ["CoefficientsDisplay"]


class CoefficientsDisplay:
    """Slopes of the experts side by side, with confidence intervals.

    Of experts that bend by splines these are the slopes at the knots, such as "age at 40".

    Parameters
    ----------
    terms : list of str of length T
        Names of the columns; with several classes or outputs, those come first, as in "setosa: petal width".
    estimate : ndarray of shape (K, T)
        NaN of a term that an expert does not have.
    interval : ndarray of shape (K, T, 2)
        NaN where there is none.
    level : float, default=0.95
        Confidence of the intervals.
    expert_names : sequence of str of length K or None, default=None
    load : ndarray of shape (K,) or None, default=None
        With more than twelve experts those of the largest load are in the legend.
    xlabel : str

    Attributes
    ----------
    figure_ : matplotlib Figure
    ax_ : matplotlib Axes
    bars_ : list of matplotlib ErrorbarContainer
        One for each expert.
    legend_ : matplotlib Legend

    See Also
    --------
    hme.inference.infer : Standard errors, tests and intervals.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from hme import HMERegressor
    >>> from hme.plot import CoefficientsDisplay
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> display = CoefficientsDisplay.from_estimator(HMERegressor(depth=1).fit(X, y), X, y, max_terms=3)
    >>> display.frame()[["expert", "term"]].head(2)
      expert term
    0      0   s1
    1      1   s1
    """

    def __init__(
        self, terms, estimate, interval, *, level=0.95, expert_names=None, load=None, xlabel="slope x std of the column"
    ):
        self.terms = terms
        self.estimate = estimate
        self.interval = interval
        self.level = level
        self.expert_names = expert_names
        self.load = load
        self.xlabel = xlabel

    @classmethod
    def from_estimator(
        cls,
        model,
        X,
        y,
        *,
        standardize=True,
        intercept=False,
        max_terms=12,
        feature_names=None,
        ax=None,
        bar_kwargs=None,
        **options,
    ):
        """Compute the display of a fitted model and draw it.

        Parameters
        ----------
        model : HMERegressor or HMEClassifier
            A fitted one, or a pipeline that ends in one.
        X, y
            The rows that the model was fitted to.
        standardize : bool, default=True
            Whether slopes are multiplied by the standard deviations of their columns, so that they compare; False
            shows them in the units of the table.
        intercept : bool, default=False
            Whether intercepts are shown.
        max_terms : int or None, default=12
            Most terms, those of the largest slopes by the experts' loads; None shows all.
        feature_names : sequence of str or None, default=None
            Names of the columns that the model sees; by default those of the table, or of what the pipeline makes of
            it.
        ax, bar_kwargs
            See `plot`.
        **options
            Of `hme.inference.infer`: ``level``, ``cov_type``, ``sample_weight``, row arguments, ...

        Returns
        -------
        CoefficientsDisplay
        """
        if max_terms is not None:
            check_int(max_terms, "max_terms")
        subject = subject_of(model, X)
        mixture = subject.mixture
        if mixture is not subject.model:
            raise TypeError(
                f"model = {subject.model!r}: the experts of a stack combine what its models predict; their weights are "
                "drawn by EstimatorWeightsDisplay."
            )
        inference = infer(mixture, subject.seen(subject.table), y, **options)
        names = expert_labels(mixture, mixture.n_experts_)
        terms, estimate, interval = _slopes(inference, names, intercept)
        places = _places(mixture, feature_names or subject.names_seen() or mixture.input_names())
        scale = np.array([places[term].scale for _, term in terms])
        shown = _strongest(terms, np.nan_to_num(estimate), places, mixture.load_, max_terms)
        unit = scale if standardize else np.ones(len(scale))
        display = cls(
            [": ".join(word for word in (part, places[term].name) if word) for part, term in (terms[i] for i in shown)],
            (estimate * unit)[:, shown],
            (interval * unit[:, None])[:, shown],
            level=inference.level,
            expert_names=names,
            load=mixture.load_,
            xlabel="slope x std of the column" if standardize else "slope",
        )
        return display.plot(ax=ax, bar_kwargs=bar_kwargs)

    def frame(self):
        """The slopes as a data frame.

        Returns
        -------
        pandas.DataFrame
            Of `expert`, `term`, `estimate`, `lower` and `upper`.
        """
        names = self.expert_names or [str(k) for k in range(len(self.estimate))]
        rows = [
            (name, term, self.estimate[k, t], *self.interval[k, t])
            for t, term in enumerate(self.terms)
            for k, name in enumerate(names)
        ]
        return pandas_for("frame").DataFrame(rows, columns=["expert", "term", "estimate", "lower", "upper"])

    def plot(self, ax=None, *, bar_kwargs=None):
        """Draw the plot.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw; by default in a new figure.
        bar_kwargs : dict or None, default=None
            Passed on to the calls of ``errorbar``.

        Returns
        -------
        CoefficientsDisplay
        """
        K, T = self.estimate.shape
        if ax is None:
            size = (7.0, max(2.5, T * min(0.16 + 0.12 * K, 1.2) + 0.9))
            ax = pyplot().subplots(layout="constrained", figsize=size)[1]
        colors, self.bars_ = colors_of(K), []
        offset = (np.arange(K) - 0.5 * (K - 1)) * 0.75 / max(K, 2)
        for k, color in enumerate(colors):
            lower, upper = np.moveaxis(self.interval[k], 1, 0)
            reach = np.stack([self.estimate[k] - lower, upper - self.estimate[k]])
            reach = np.where(np.isfinite(reach), reach, 0.0)
            style = {"fmt": "o", "ms": 4, "color": color, "lw": 1.6} | (bar_kwargs or {})
            self.bars_.append(ax.errorbar(self.estimate[k], np.arange(T) + offset[k], xerr=reach, **style))
        ax.axvline(0.0, color="0.4", lw=0.8, zorder=0)
        for t in range(1, T):
            ax.axhline(t - 0.5, color="0.92", lw=0.8, zorder=0)
        ax.set_yticks(np.arange(T), [as_text(term) for term in self.terms])
        ax.set(ylim=(T - 0.5, -0.5), xlabel=f"{self.xlabel}, {100 * self.level:g} % intervals")
        names = self.expert_names or [str(k) for k in range(K)]
        size = np.ones(K) if self.load is None else self.load
        place = {"loc": "center left", "bbox_to_anchor": (1.0, 0.5)}
        self.legend_ = legend_of(ax, names, colors, size, "expert", **place)
        self.ax_, self.figure_ = ax, ax.figure
        return self


def _slopes(inference, names, intercept):
    """Pairs (part, term), estimates (K, T) and intervals (K, T, 2)."""
    columns = {*map(str, inference.model.columns_.expert.features.names)} | ({INTERCEPT} if intercept else set())
    places = {str(name): k for k, name in enumerate(names)}
    terms = {}
    for label in inference.labels:
        if label.side == "expert" and label.term in columns:
            terms.setdefault((str(label.part), str(label.term)), len(terms))
    estimate, interval = np.full((len(names), len(terms)), np.nan), np.full((len(names), len(terms), 2), np.nan)
    for i, label in enumerate(inference.labels):
        t = terms.get((str(label.part), str(label.term))) if label.side == "expert" else None
        if t is None:
            continue
        k = places[str(label.index)]
        estimate[k, t] = inference.estimate[i]
        if np.isfinite(inference.standard_error[i]):
            interval[k, t] = inference.interval[i]
    return list(terms), estimate, interval


class _Place(NamedTuple):
    """What a term is called, and beside what it stands."""

    name: str
    scale: float  # standard deviation of its column
    number: int  # of the design column
    curve: Any = None  # `Curve`, of which it is a slope


def _places(model, names):
    """The `_Place` of every term, where columns are called `names`: terms of curves are slopes at their knots."""
    side = model.columns_.expert
    scale, called = side.design.scale, side.features.renamed(names)
    own = list(map(str, side.features.names))
    found = {term: _Place(str(called[j]), float(scale[j]), j) for j, term in enumerate(own)}
    for curve in curves_of(side.features, names):
        if curve.knots is not None:
            for j, name in zip(curve.index, curve.knots_in_words(), strict=True):
                found[own[j]] = _Place(f"{curve.name} at {name}", curve.scale, int(j), curve)
    return found | {INTERCEPT: _Place(INTERCEPT, 1.0, len(own))}


def _strongest(terms, estimate, places, load, most):
    """Numbers of at most so many terms, the strongest by the experts' loads: of a curve all or none; one at least."""
    units = {}
    for t, (part, term) in enumerate(terms):
        curve = places[term].curve
        units.setdefault((part, term if curve is None else curve.index[0]), []).append(t)
    size, p = {}, len(places)
    for key, own in units.items():
        place, coef = places[terms[own[0]][1]], np.zeros((len(estimate), p))
        coef[:, [places[terms[t][1]].number for t in own]] = estimate[:, own]
        effect = coef[:, place.number] * place.scale if place.curve is None else place.curve.effect(coef)
        size[key] = load @ np.abs(effect)
    shown = []
    for key in sorted(size, key=size.get, reverse=True):
        if most is None or not shown or len(shown) + len(units[key]) <= most:
            shown += units[key]
    return sorted(shown)
