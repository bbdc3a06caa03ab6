"""Coefficients of the experts side by side, with their intervals."""

import numpy as np

from ..inference import infer
from ..numerics.checks import check_int
from ..tables import pandas_for
from .picture import as_text, colors_of, expert_labels, legend_of, pyplot, subject_of

__all__ = ["CoefficientsDisplay"]


class CoefficientsDisplay:
    """Slopes of the experts side by side, with confidence intervals.

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
        terms, estimate, interval = _slopes(inference, names, intercept, standardize)
        terms = _renamed(terms, mixture, feature_names or subject.names_seen())
        size = mixture.load_ @ np.nan_to_num(np.abs(estimate) * (1.0 if standardize else _scales(mixture, terms)))
        shown = np.sort(np.argsort(-size, kind="stable")[:max_terms])
        display = cls(
            [": ".join(part for part in terms[i][:2] if part) for i in shown],
            estimate[:, shown],
            interval[:, shown],
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


def _slopes(inference, names, intercept, standardize):
    """Pairs (part, term) with the column's standard deviation, estimates (K, T) and intervals (K, T, 2)."""
    design = inference.model.columns_.expert.design
    columns = [f"x{j}" for j in range(len(design.scale))] if design.names is None else list(map(str, design.names))
    scale = dict(zip(columns, design.scale, strict=True)) | ({"(intercept)": 1.0} if intercept else {})
    places = {str(name): k for k, name in enumerate(names)}
    terms = {}
    for label in inference.labels:
        if label.side == "expert" and label.term in scale:
            terms.setdefault((str(label.part), str(label.term)), len(terms))
    estimate, interval = np.full((len(names), len(terms)), np.nan), np.full((len(names), len(terms), 2), np.nan)
    for i, label in enumerate(inference.labels):
        t = terms.get((str(label.part), str(label.term))) if label.side == "expert" else None
        if t is None:
            continue
        k, factor = places[str(label.index)], scale[label.term] if standardize else 1.0
        estimate[k, t] = factor * inference.estimate[i]
        if np.isfinite(inference.standard_error[i]):
            interval[k, t] = factor * inference.interval[i]
    return list(terms), estimate, interval


def _renamed(terms, model, names):
    """Terms under the names of the user's table."""
    if names is None:
        return terms
    features = model.columns_.expert.features
    called = features.renamed(names)
    translation = dict(zip(map(str, features.names), map(str, called), strict=True))
    return [(part, translation.get(term, term)) for part, term in terms]


def _scales(model, terms):
    """Standard deviations of the columns of terms, 1 of others."""
    scale = dict(zip(map(str, model.columns_.expert.features.names), model.columns_.expert.design.scale, strict=True))
    return np.array([scale.get(term, 1.0) for _, term in terms])
