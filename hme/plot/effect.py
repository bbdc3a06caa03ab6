"""The effect of a column on the mean of y, split: it moves rows to other experts, and acts inside the experts."""

from numbers import Integral

import numpy as np

from ..numerics.checks import check_int, check_real
from ..tables import pandas_for
from .picture import as_text, class_number, pyplot, subject_of, target_label
from .sizes import sizes_of

__all__ = ["EffectDisplay"]

GATE, EXPERT = "#0072B2", "#E69F00"
MARGIN = 0.05


class EffectDisplay:
    """Effect of a column on the mean of y, or on the probability of a class, over the rows of a table.

    The column takes the values of a grid in every row, all else is as the table has it. Drawn is the mean change of
    the prediction from that at the middle of the grid, or at the first level of text, with a band that holds most rows'
    own changes; and its two parts, eq. (effect-split), added up from step to step: the gate moves rows to other
    experts, and the experts themselves change.

    Parameters
    ----------
    x : ndarray of shape (n,)
        Values of the column: numbers, or levels of text.
    gate, expert : ndarray of shape (n, N)
        Parts of the change of each row.
    start : int
        Number of the value from which changes are taken.
    coverage : float, default=0.8
        Share of the rows inside the band.
    feature_name, target_name : str
        Labels of the axes.

    Attributes
    ----------
    figure_ : matplotlib Figure
    ax_ : matplotlib Axes
    lines_ : list of matplotlib Line2D
        Of the whole effect, and of its parts through the gate and within experts.
    band_ : matplotlib PolyCollection, or LineCollection for levels

    See Also
    --------
    ExpertsDisplay : Experts and gate along one column at one row.
    hme.explain : What columns add to the prediction of a row.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from hme import HMERegressor
    >>> from hme.plot import EffectDisplay
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> display = EffectDisplay.from_estimator(HMERegressor(depth=1).fit(X, y), X, feature="bmi", max_rows=50)
    >>> display.frame().columns.tolist()
    ['x', 'total', 'gate', 'expert', 'lower', 'upper']
    """

    def __init__(self, x, gate, expert, start, *, coverage=0.8, feature_name="x", target_name="y"):
        self.x = x
        self.gate = gate
        self.expert = expert
        self.start = start
        self.coverage = coverage
        self.feature_name = feature_name
        self.target_name = target_name

    @classmethod
    def from_estimator(
        cls,
        model,
        X,
        *,
        feature=None,
        output=None,
        n_points=40,
        max_rows=200,
        coverage=0.8,
        feature_name=None,
        target_name=None,
        ax=None,
        line_kwargs=None,
        band_kwargs=None,
    ):
        """Compute the display of a fitted model and draw it.

        Parameters
        ----------
        model : HMERegressor, HMEClassifier or a stack
            A fitted one, or a pipeline that ends in one.
        X : data frame or array-like of shape (N, p)
            Rows, in the columns that the model, or the pipeline, takes.
        feature : int or str or None, default=None
            The column; needed where X has several. It may hold text.
        output : int or str or None, default=None
            A number of an output, needed where there are several; for a classifier the class, by default the last one.
        n_points : int, default=40
            Values of a column of numbers, from its 0.02 to its 0.98 quantile.
        max_rows : int, default=200
            Of longer tables so many rows are taken, evenly.
        coverage : float, default=0.8
            See the class.
        feature_name, target_name : str or None, default=None
            Labels of the axes.
        ax, line_kwargs, band_kwargs
            See `plot`.

        Returns
        -------
        EffectDisplay
        """
        check_int(n_points, "n_points", 2)
        subject = subject_of(model, X)
        j, n = subject.number(feature), subject.table.shape[0]
        some = np.unique(np.linspace(0, n - 1, min(n, check_int(max_rows, "max_rows"))).astype(int))
        x = _values(subject, j, n_points)
        in_order = x.dtype.kind == "f"
        start = len(x) // 2 if in_order else 0
        parts = [
            share * np.stack(_parts(prior, means, start, in_order))
            for share, prior, means in _along(subject, j, x, some, output)
        ]
        display = cls(
            x,
            *sum(parts),
            start,
            coverage=coverage,
            feature_name=feature_name or subject.names[j],
            target_name=target_name or target_label(subject.mixture, None, output),
        )
        return display.plot(ax=ax, line_kwargs=line_kwargs, band_kwargs=band_kwargs)

    @property
    def total(self):
        """Change of each row's prediction, (n, N)."""
        return self.gate + self.expert

    @property
    def band(self):
        """Lower and upper ends of the band, (2, n)."""
        tail = 0.5 * (1.0 - self.coverage)
        return np.quantile(self.total, [tail, 1.0 - tail], axis=1)

    def frame(self):
        """The curves as a data frame.

        Returns
        -------
        pandas.DataFrame
            Of `x`, the mean changes `total`, `gate` and `expert`, and the ends of the band, `lower` and `upper`.
        """
        lower, upper = self.band
        columns = {"x": self.x, "total": self.total.mean(axis=1), "gate": self.gate.mean(axis=1)}
        columns |= {"expert": self.expert.mean(axis=1), "lower": lower, "upper": upper}
        return pandas_for("frame").DataFrame(columns)

    def plot(self, ax=None, *, line_kwargs=None, band_kwargs=None):
        """Draw the plot.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw; by default in a new figure.
        line_kwargs, band_kwargs : dict or None, default=None
            Passed on to the calls of matplotlib that draw the curves (``plot``) and the band (``fill_between``).

        Returns
        -------
        EffectDisplay
        """
        if not 0 < check_real(self.coverage, "coverage") < 1:
            raise ValueError(f"coverage must be between 0 and 1, got {self.coverage!r}.")
        if ax is None:
            ax = pyplot().subplots(layout="constrained")[1]
        numbers = np.asarray(self.x).dtype.kind == "f"
        place = self.x if numbers else np.arange(len(self.x))
        style = {"color": "0.85", "lw": 0.0, "label": f"{100 * self.coverage:g} % of the rows"}
        if numbers:
            self.band_ = ax.fill_between(place, *self.band, **style | (band_kwargs or {}))
        else:
            self.band_ = ax.vlines(place, *self.band, **style | {"lw": 14.0} | (band_kwargs or {}))
        curves = (("together", self.total, "black", 2.2), ("through the gate", self.gate, GATE, 1.6))
        self.lines_ = []
        for name, values, color, width in (*curves, ("within experts", self.expert, EXPERT, 1.6)):
            points = {} if numbers else {"marker": "o", "ms": 3.0 * width, "ls": ""}
            style = {"color": color, "lw": width, "label": name} | points
            self.lines_ += ax.plot(place, values.mean(axis=1), **style | (line_kwargs or {}))
        ax.axhline(0.0, color="0.6", lw=0.8, zorder=0)
        if not numbers:
            ax.set_xticks(place, [as_text(level) for level in self.x])
            ax.set_xlim(-0.5, len(place) - 0.5)
        at = f"{self.x[self.start]:.4g}" if numbers else self.x[self.start]
        ax.set_xlabel(as_text(self.feature_name))
        ax.set_ylabel(as_text(f"change of {self.target_name} from {self.feature_name} = {at}"))
        ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4, frameon=False, fontsize="small")
        self.ax_, self.figure_ = ax, ax.figure
        return self


def _values(subject, j, n_points):
    """The grid of a column: numbers between two quantiles, or levels."""
    if subject.is_numeric(j):
        numbers = subject.numbers(j)
        different = np.unique(numbers[np.isfinite(numbers)])
        if len(different) <= n_points:
            return different
        return np.linspace(*np.nanquantile(numbers, [0.02, 0.98]), n_points)
    levels = np.array(subject.levels(j), dtype=object)
    if len(levels) < 2:
        raise ValueError("a feature of the plot has one value only.")
    return levels


def _along(subject, j, x, some, output):
    """For each size its share, priors (n, N, K) and means (n, N, K) of the rows at every value of the column."""
    mixture, neutral = subject.mixture, subject.neutral()
    sizes, t = sizes_of(mixture), _number_of(mixture, output)
    found = [([], []) for _ in sizes]
    for value in x:
        seen = subject.seen_by_mixture(_with_value(subject, j, value, some))
        for one, (priors, means) in zip(sizes, found, strict=True):
            prior, answers = one.answers(one.rows(mixture, seen, **neutral))
            priors.append(prior)
            means.append(answers[:, :, t])
    return [(one.share, *map(np.stack, arrays)) for one, arrays in zip(sizes, found, strict=True)]


def _with_value(subject, j, value, some):
    """Some rows of the table, with a value written over a column."""
    if not hasattr(subject.table, "iloc"):
        table = subject.table[some].copy()
        table[:, j] = value
        return table
    table = subject.table.iloc[some].reset_index(drop=True)
    name, kind = table.columns[j], table.dtypes.iloc[j]
    number = isinstance(value, float)
    table[name] = np.full(len(some), value, dtype=None if number else object)
    return table if number else table.astype({name: kind})


def _number_of(mixture, output):
    """Number of the output, or of the class among those with weight."""
    if mixture.task == "classification":
        name = mixture.classes_[class_number(mixture, output)]
        labels = np.asarray(mixture.target_.labels).tolist()
        if name not in labels:
            raise ValueError(f"output = {output!r} is a class whose rows all had weight zero in the fit.")
        return labels.index(name)
    T = mixture.target_.n_outputs
    if T == 1:
        if output not in (None, 0):
            raise ValueError(f"output = {output!r}, but y has one output.")
        return 0
    if not (isinstance(output, Integral) and 0 <= output < T):
        raise ValueError(f"output = {output!r} must be a number from 0 to {T - 1}: y has several outputs.")
    return int(output)


def _parts(prior, means, start, in_order):
    """Changes (n, N) from a value on, through the gate and within experts: step by step, or of levels at once."""
    before = (prior[:-1], means[:-1]) if in_order else (prior[start], means[start])
    after = (prior[1:], means[1:]) if in_order else (prior, means)
    gate = ((after[0] - before[0]) * 0.5 * (after[1] + before[1])).sum(axis=2)
    expert = (0.5 * (after[0] + before[0]) * (after[1] - before[1])).sum(axis=2)
    return (_from(gate, start), _from(expert, start)) if in_order else (gate, expert)


def _from(steps, start):
    """Sums (n, N) of steps (n - 1, N) from a value on, to both sides."""
    summed = np.concatenate([np.zeros((1, steps.shape[1])), np.cumsum(steps, axis=0)])
    return summed - summed[start]
