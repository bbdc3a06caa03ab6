"""A fitted tree as a picture: questions, how many rows go which way, and every expert."""

import numpy as np

from ..numerics.checks import check_int
from ..tables import pandas_for
from ..text.tree import told
from .miniatures import bars_of, lines_of, targets_of
from .painting import Painting
from .picture import expert_labels, mixture_of, name_of, pyplot, subject_of, value_range
from .sizes import sizes_of

__all__ = ["TreeDisplay", "plot_tree"]


class TreeDisplay:
    """A fitted tree as a picture, from the root at the left to the leaves at the right.

    Every gating node shows its question, and what leads from it is as wide as the load: the share of the weight that
    goes there. Every leaf shows its expert, in words and in a miniature. That is its line, where there is one column,
    with the rows as strong as the expert is responsible for them; else bars of the coefficients, times the columns'
    standard deviations, pale ones for curves, eq. (curve-effect); and for experts without coefficients a histogram of
    the targets of their rows.

    Parameters
    ----------
    tree : Tree
    load : ndarray of shape (K,)
        Share of the weight of every leaf.
    questions : list of Question
        One for each gating node: ``text``, ``answers`` and ``details``.
    equations : list of list of str
        Lines of text of every leaf.
    lines : Lines or None, default=None
        Of models of one column.
    bars : Bars or None, default=None
        Of models of several columns.
    targets : Targets or None, default=None
        For leaves without either.
    gate_names : sequence of str of length M or None, default=None
        By default "gate 0", "gate 1", ...
    expert_names : sequence of str of length K or None, default=None
        By default the numbers of the leaves.
    target_name : str, default="y"
    remark : str, default=""
        A sentence below the picture.

    Attributes
    ----------
    figure_ : matplotlib Figure
    ax_ : matplotlib Axes
    leaf_axes_ : list of matplotlib Axes or None
        The miniature of every leaf.

    See Also
    --------
    hme.export_text : The same in text.
    export_graphviz : The same for Graphviz.

    Examples
    --------
    >>> from hme import HMERegressor
    >>> from hme.datasets import load_motorcycle
    >>> from hme.plot import TreeDisplay
    >>> X, y = load_motorcycle(return_X_y=True)
    >>> display = TreeDisplay.from_estimator(HMERegressor(depth=1).fit(X, y), X, y)
    >>> display.frame()[["place", "parent", "answer", "load"]]
        place  parent answer      load
    0  gate 0                 1.0...
    1  leaf 0  gate 0     no  0...
    2  leaf 1  gate 0    yes  0...
    """

    def __init__(
        self,
        tree,
        load,
        questions,
        equations,
        *,
        lines=None,
        bars=None,
        targets=None,
        gate_names=None,
        expert_names=None,
        target_name="y",
        remark="",
    ):
        self.tree = tree
        self.load = load
        self.questions = questions
        self.equations = equations
        self.lines = lines
        self.bars = bars
        self.targets = targets
        self.gate_names = gate_names or [f"gate {m}" for m in range(tree.n_nodes)]
        self.expert_names = expert_names
        self.target_name = target_name
        self.remark = remark

    @classmethod
    def from_estimator(
        cls,
        model,
        X=None,
        y=None,
        *,
        feature_names=None,
        target_name=None,
        max_terms=3,
        max_bars=6,
        digits=4,
        n_points=100,
        ax=None,
        fontsize=9.0,
        **rows,
    ):
        """Compute the display of a fitted model and draw it.

        Parameters
        ----------
        model : HMERegressor, HMEClassifier or a stack
            A fitted one, or a pipeline that ends in one. Of a stack the mixture over its models is drawn.
        X : data frame or array-like of shape (N, p) or None, default=None
            Rows, in the columns that the model, or the pipeline, takes. Without them there are no lines.
        y : array-like of shape (N,) or (N, T) or None, default=None
            With it the rows are drawn.
        feature_names : sequence of str or None, default=None
            Names of the columns that the model sees; by default those of the table, or of what the pipeline makes of
            it.
        target_name : str or None, default=None
            By default the name of y.
        max_terms : int
            As for `hme.export_text`.
        max_bars : int, default=6
            Most columns with bars: those of the largest coefficients over all experts, by their loads.
        digits : int
            As for `hme.export_text`.
        n_points : int, default=100
            Points of lines.
        ax, fontsize
            See `plot`.
        **rows
            Row arguments of `responsibilities`: `offset`, `trials`, `groups`.

        Returns
        -------
        TreeDisplay
        """
        check_int(max_bars, "max_bars")
        mixture, subject = mixture_of(model), None if X is None else subject_of(model, X)
        if feature_names is None and subject is not None and subject.model is mixture:
            feature_names = subject.names_seen()
        target_name = target_name or name_of(y) or "y"
        words = told(mixture, feature_names, target_name, max_terms, digits)
        found = _miniatures(subject, mixture, y, feature_names, max_bars, n_points, rows)
        display = cls(
            words.tree,
            mixture.load_,
            words.questions,
            words.equations,
            **found,
            gate_names=words.gates,
            expert_names=expert_labels(mixture, mixture.n_experts_),
            target_name=target_name,
            remark=_remark(mixture),
        )
        return display.plot(ax=ax, fontsize=fontsize)

    @property
    def node_load(self):
        """Share of the weight that passes every gating node, (M,)."""
        return self.tree.paths.sum(axis=1) @ self.load

    def frame(self):
        """What the picture shows as a data frame: a row for each gating node and each leaf.

        Returns
        -------
        pandas.DataFrame
            Of `place`, the `parent` and its `answer`, the `load`, and the `text`: a question or an equation.
        """
        answers = {
            child: (self.gate_names[m], question.answers[b])
            for m, question in enumerate(self.questions)
            for b, child in enumerate(self.tree.children[m][self.tree.used[m]].tolist())
        }
        rows = [
            (self.gate_names[m], *answers.get(m, ("", "")), load, question.text)
            for m, (question, load) in enumerate(zip(self.questions, self.node_load, strict=True))
        ]
        rows += [
            (f"leaf {k}", *answers.get(~k, ("", "")), load, "\n".join(lines))
            for k, (lines, load) in enumerate(zip(self.equations, self.load, strict=True))
        ]
        return pandas_for("frame").DataFrame(rows, columns=["place", "parent", "answer", "load", "text"])

    def plot(self, ax=None, *, fontsize=9.0):
        """Draw the picture.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw: the picture is scaled to its size, texts too. By default in a new figure of the size that
            the picture needs.
        fontsize : float, default=9.0
            Of questions, in points; in an Axes of the caller this is before scaling.

        Returns
        -------
        TreeDisplay
        """
        painting = Painting(self, fontsize)
        if ax is None:
            figure = pyplot().figure(figsize=painting.size)
            ax = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        self.leaf_axes_ = painting.draw(ax)
        self.ax_, self.figure_ = ax, ax.figure
        return self


def plot_tree(model, X=None, y=None, **options):
    """Draw a fitted tree: questions, how many rows go which way, and every expert.

    Parameters
    ----------
    model, X, y, **options
        As for `TreeDisplay.from_estimator`.

    Returns
    -------
    TreeDisplay

    Examples
    --------
    >>> from hme import HMERegressor
    >>> from hme.datasets import load_motorcycle
    >>> from hme.plot import plot_tree
    >>> X, y = load_motorcycle(return_X_y=True)
    >>> display = plot_tree(HMERegressor(depth=2).fit(X, y), X, y, feature_names=["time"], target_name="acceleration")
    >>> len(display.leaf_axes_)
    4
    """
    return TreeDisplay.from_estimator(model, X, y, **options)


def _remark(mixture):
    """That predictions are an average over sizes, of which this is the tree."""
    sizes = sizes_of(mixture)
    several = f"{len(sizes)} {'mixtures' if any(one.variant for one in sizes) else 'sizes'}"
    return f"Predictions are the average over {several}, this is the tree." if len(sizes) > 1 else ""


def _miniatures(subject, mixture, y, names, max_bars, n_points, rows):
    """Keyword arguments of `TreeDisplay`: what is drawn beside the leaves."""
    share, slots = None, tuple(map(str, y.columns)) if np.ndim(y) == 2 and hasattr(y, "columns") else None
    if subject is not None and y is not None:
        share = subject.shares(y, **rows)
    if subject is not None and subject.model is mixture and len(subject.names) == 1 and subject.is_numeric(0):
        column = subject.numbers(0)
        x = value_range(column, n_points)
        data = None if share is None else (column, y, share)
        name = names[0] if names and subject.steps is None else subject.names[0]
        lines = lines_of(subject, subject.grid(None, n_points, {0: x}), x, name, data)
        return {"lines": lines._replace(slots=slots or lines.slots)}
    bars = bars_of(mixture, names or mixture.input_names(), max_bars)
    bars = bars if bars is None or slots is None else bars._replace(slots=slots)
    some = bars is None or np.isnan(bars.effects).any()
    return {"bars": bars, "targets": targets_of(mixture, y, share) if some and share is not None else None}
