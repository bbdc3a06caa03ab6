"""The pictures of Jordan & Jacobs (1994): how sharp each gate has become, and what each level of the tree is for."""

import numpy as np

from ..model.tree import Tree
from ..numerics.checks import check_choice, check_int
from ..tables import pandas_for
from .picture import as_text, colors_of, expert_labels, pyplot, subject_of
from .places import block_of, place

__all__ = ["DevianceTreeDisplay", "HistogramTreeDisplay"]

PANEL, TITLE, FOOT = (1.55, 0.72), 0.2, 0.24  # inches
LEAST = 1e-12  # of a probability in a logarithm


class HistogramTreeDisplay:
    """The histogram tree of Jordan & Jacobs (1994): how sharply every gate divides the rows that reach it.

    Each gating node has a histogram of the probability of its second branch, "yes", over the rows, each weighted by
    the probability that it reaches the node; of a node of more branches there is a line for each of them. Mass at 0 and
    1 is a sharp split, mass in the middle a blend.

    Parameters
    ----------
    tree : Tree
    heights : ndarray of shape (M, B, n_bins)
        Of each branch, shares of all rows.
    of : {"posterior", "prior"}, default="posterior"
        Whether probabilities are those after y was seen, or before.
    gate_names, expert_names : sequence of str or None, default=None

    Attributes
    ----------
    figure_ : matplotlib Figure
    ax_ : matplotlib Axes
    node_axes_ : list of matplotlib Axes
        The histogram of every gating node.

    See Also
    --------
    DevianceTreeDisplay : What each level of the tree is for.

    References
    ----------
    Jordan, M. I. and Jacobs, R. A. (1994). Hierarchical mixtures of experts and the EM algorithm. Neural Computation
    6(2), 181-214.

    Examples
    --------
    >>> from hme import HMERegressor
    >>> from hme.datasets import load_motorcycle
    >>> from hme.plot import HistogramTreeDisplay
    >>> X, y = load_motorcycle(return_X_y=True)
    >>> display = HistogramTreeDisplay.from_estimator(HMERegressor(depth=2).fit(X, y), X, y, n_bins=10)
    >>> display.heights.shape, float(display.heights[0, 1].sum().round(6))
    ((3, 2, 10), 1.0)
    """

    def __init__(self, tree, heights, *, of="posterior", gate_names=None, expert_names=None):
        self.tree = tree
        self.heights = heights
        self.of = of
        self.gate_names = gate_names
        self.expert_names = expert_names

    @classmethod
    def from_estimator(cls, model, X, y=None, *, of=None, n_bins=20, ax=None, **rows):
        """Compute the display of a fitted model and draw it.

        Parameters
        ----------
        model : HMERegressor, HMEClassifier or a stack
            A fitted one with at least two experts, or a pipeline that ends in one.
        X : data frame or array-like of shape (n, p)
        y : array-like of shape (n,) or (n, T) or None, default=None
        of : {"posterior", "prior"} or None, default=None
            None is "posterior", if `y` is given.
        n_bins : int, default=20
        ax
            See `plot`.
        **rows
            Row arguments of `responsibilities`: `offset`, `trials`, `groups`.

        Returns
        -------
        HistogramTreeDisplay
        """
        check_int(n_bins, "n_bins")
        of = check_choice(of, "of", (None, "posterior", "prior")) or ("prior" if y is None else "posterior")
        if of == "posterior" and y is None:
            raise ValueError("of = 'posterior' needs y.")
        subject = subject_of(model, X)
        tree = tree_of(subject.mixture)
        table = subject.seen(subject.table)
        if of == "posterior":
            leaf = subject.ask("responsibilities", table, y=y, **rows)
        else:
            leaf = subject.ask("gate_proba", table)
        heights = node_histograms(tree, leaf, n_bins)
        names = expert_labels(subject.mixture, tree.n_leaves)
        gates = ["gate"] if subject.mixture.model_.gate.tree is None else None
        return cls(tree, heights, of=of, gate_names=gates, expert_names=names).plot(ax=ax)

    def frame(self):
        """The histograms as a data frame.

        Returns
        -------
        pandas.DataFrame
            Of `gate`, `branch`, the ends `lower` and `upper` of a bin, and its `height`.
        """
        n_bins = self.heights.shape[2]
        rows = [
            (m, int(b), i / n_bins, (i + 1) / n_bins, height)
            for m in range(self.tree.n_nodes)
            for b in np.flatnonzero(self.tree.used[m])
            for i, height in enumerate(self.heights[m, b])
        ]
        return pandas_for("frame").DataFrame(rows, columns=["gate", "branch", "lower", "upper", "height"])

    def plot(self, ax=None):
        """Draw the picture.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw; by default in a new figure of the size that the picture needs.

        Returns
        -------
        HistogramTreeDisplay
        """
        tree, K = self.tree, self.tree.n_leaves
        names = self.expert_names or [str(k) for k in range(K)]
        leaves = [block_of([f"leaf {k}" if n == str(k) else f"leaf {k} {n}"], 9.0, 40, 1) for k, n in enumerate(names)]
        size = np.tile([PANEL[0], PANEL[1] + TITLE + FOOT], (tree.n_nodes, 1))
        places = place(tree, size, np.full(tree.n_nodes, 0.3), np.full(K, 0.3), 0.06, 0.12, np.zeros(tree.n_nodes))
        width = places.leaf_left + 0.1 + max(leaf.width for leaf in leaves) + 0.3
        if ax is None:
            figure = pyplot().figure(figsize=(width + 0.3, places.top + 0.3))
            ax = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        ax.set(xlim=(-0.3, width), ylim=(-0.2, places.top + 0.1))
        ax.set_axis_off()
        for m in range(tree.n_nodes):
            for child in tree.children[m][tree.used[m]]:
                end = (places.leaf_left, places.leaf[~child]) if child < 0 else places.node[child]
                x, y = places.node[m] + [PANEL[0], 0.0]
                ax.plot([x, places.turn[m] - 0.06, end[0]], [y, end[1], end[1]], color="0.7", lw=1.2, zorder=0)
        colors = colors_of(K)
        for k, leaf in enumerate(leaves):
            style = {"size": leaf.size, "va": "center"}
            ax.plot(places.leaf_left + 0.03, places.leaf[k], "s", color=colors[k], ms=6)
            ax.text(places.leaf_left + 0.12, places.leaf[k], as_text(leaf.text), **style)
        self.node_axes_ = [self._panel(ax, places.node[m], m) for m in range(tree.n_nodes)]
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _panel(self, ax, corner, m):
        """The histogram of a gating node."""
        low = corner[1] - 0.5 * (PANEL[1] + TITLE + FOOT) + FOOT
        panel = ax.inset_axes((corner[0], low, *PANEL), transform=ax.transData)
        used = np.flatnonzero(self.tree.used[m])
        edges = np.linspace(0.0, 1.0, self.heights.shape[2] + 1)
        name = (self.gate_names or [f"gate {i}" for i in range(self.tree.n_nodes)])[m]
        if len(used) == 2:
            panel.stairs(self.heights[m, 1], edges, fill=True, color="0.45")
            title = f"{name}: {self.of} of yes"
        else:
            colors = self._branch_colors(m)
            for b, color in zip(used, colors, strict=True):
                panel.stairs(self.heights[m, b], edges, color=color, lw=1.3)
            title = f"{name}: {self.of}s"
        panel.set_title(title, size=8, pad=2.5)
        panel.set(xlim=(0.0, 1.0), ylim=(0.0, 1.05 * self.heights[m].max() or 1.0), yticks=[])
        panel.set_xticks([0.0, 0.5, 1.0], ["0", "0.5", "1"], size=7)
        panel.tick_params(length=2, pad=1.5)
        return panel

    def _branch_colors(self, m):
        """Colours of the branches: those of leaves, and greys of others."""
        colors, children = colors_of(self.tree.n_leaves), self.tree.children[m][self.tree.used[m]]
        return [colors[~child] if child < 0 else (0.3, 0.3, 0.3, 1.0) for child in children]


class DevianceTreeDisplay:
    """The deviance tree of Jordan & Jacobs (1994): how good the model is if its tree is clipped.

    A tree that is clipped at a level has, instead of each gating node there, one expert: the mean of those below the
    node, weighted by their mean priors. The deviance is the mean squared error of y, summed over outputs, and of
    classes minus twice the mean log-probability. What falls from level to level is what the level is for. Below are
    the deviances of trees that are clipped at a single node.

    Parameters
    ----------
    levels : ndarray of shape (D + 1,)
        Deviance of the tree clipped at each level; the last one is that of the whole tree.
    nodes : ndarray of shape (M,)
        Deviance of the tree clipped at each gating node.
    name : str, default="deviance"
        Of what is drawn.

    Attributes
    ----------
    figure_ : matplotlib Figure
    ax_ : matplotlib Axes
    bars_ : matplotlib BarContainer
        Of levels, then of nodes.

    See Also
    --------
    HistogramTreeDisplay : How sharp the gates are.

    Examples
    --------
    >>> from hme import HMERegressor
    >>> from hme.datasets import load_motorcycle
    >>> from hme.plot import DevianceTreeDisplay
    >>> X, y = load_motorcycle(return_X_y=True)
    >>> model = HMERegressor(depth=2).fit(X, y)
    >>> display = DevianceTreeDisplay.from_estimator(model, X, y)
    >>> bool(abs(display.levels[-1] - ((y - model.predict(X)) ** 2).mean()) < 1e-9)
    True
    """

    def __init__(self, levels, nodes, *, name="deviance"):
        self.levels = levels
        self.nodes = nodes
        self.name = name

    @classmethod
    def from_estimator(cls, model, X, y, *, sample_weight=None, ax=None, bar_kwargs=None, **rows):
        """Compute the display of a fitted model and draw it.

        Parameters
        ----------
        model : HMERegressor or HMEClassifier
            A fitted one, or a pipeline that ends in one.
        X : data frame or array-like of shape (n, p)
        y : array-like of shape (n,) or (n, T)
        sample_weight : array-like of shape (n,) or None, default=None
        ax, bar_kwargs
            See `plot`.
        **rows
            Row arguments of `predict`: `offset`, `trials`.

        Returns
        -------
        DevianceTreeDisplay
        """
        subject = subject_of(model, X)
        mixture = subject.mixture
        if mixture is not subject.model:
            raise TypeError(f"model = {subject.model!r}: the trees of stacks are not clipped.")
        table = subject.seen(subject.table)
        prior = subject.ask("gate_proba", table)
        experts = subject.ask("predict_experts", table, **rows)
        experts = experts.reshape(*prior.shape, -1)
        weight = np.ones(len(prior)) if sample_weight is None else np.asarray(sample_weight, dtype=float)
        weight = weight / weight.sum()
        if mixture.task == "classification":
            codes, name = np.searchsorted(mixture.classes_, np.asarray(y)), "-2 log-probability"
        else:
            codes, name = np.asarray(y, dtype=float).reshape(len(prior), -1), "mean squared error"
        tree = tree_of(mixture)

        def deviance(groups):
            predicted = clipped(prior, experts, weight @ prior, groups)
            if mixture.task == "classification":
                own = np.take_along_axis(predicted, codes[:, None], axis=1)[:, 0]
                return float(weight @ (-2.0 * np.log(np.maximum(own, LEAST))))
            return float(weight @ ((codes - predicted) ** 2).sum(axis=1))

        levels = [deviance(groups_at_level(tree, level)) for level in range(tree.depth + 1)]
        nodes = [deviance(_alone(tree, m)) for m in range(tree.n_nodes)]
        return cls(np.array(levels), np.array(nodes), name=name).plot(ax=ax, bar_kwargs=bar_kwargs)

    def frame(self):
        """The deviances as a data frame.

        Returns
        -------
        pandas.DataFrame
            Of `clipped`, where the tree ends, and `deviance`.
        """
        rows = list(zip(self._labels(), [*self.levels, *self.nodes], strict=True))
        return pandas_for("frame").DataFrame(rows, columns=["clipped", "deviance"])

    def _labels(self):
        levels = [f"level {d}" for d in range(len(self.levels) - 1)]
        return [*levels, "whole tree", *(f"gate {m}" for m in range(len(self.nodes)))]

    def plot(self, ax=None, *, bar_kwargs=None):
        """Draw the plot.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw; by default in a new figure.
        bar_kwargs : dict or None, default=None
            Passed on to the call of ``barh``.

        Returns
        -------
        DevianceTreeDisplay
        """
        labels = self._labels()
        if ax is None:
            ax = pyplot().subplots(layout="constrained", figsize=(6.0, 0.26 * len(labels) + 1.1))[1]
        n_levels = len(self.levels)
        place = np.arange(len(labels)) + 0.6 * (np.arange(len(labels)) >= n_levels)
        colors = ["0.35"] * (n_levels - 1) + [colors_of(1)[0]] + ["0.75"] * len(self.nodes)
        values = [*self.levels, *self.nodes]
        self.bars_ = ax.barh(place, values, **{"color": colors, "height": 0.75} | (bar_kwargs or {}))
        ax.axvline(self.levels[-1], color=colors_of(1)[0], lw=1, ls="--", zorder=0)
        ax.set_yticks(place, labels)
        ax.set(ylim=(place[-1] + 0.6, -0.6), xlabel=self.name, ylabel="clipped at")
        self.ax_, self.figure_ = ax, ax.figure
        return self


# -- functions of arrays -----------------------------------------------------------------------------------------------


def tree_of(mixture):
    """The tree of a fitted mixture: a flat one where the gate acts on leaves."""
    gate = mixture.model_.gate
    return Tree.flat(mixture.n_experts_) if gate.tree is None else gate.tree


def node_histograms(tree, leaf, n_bins):
    """Histograms (M, B, n_bins) of branch probabilities, from leaf probabilities (n, K), as shares of all rows."""
    heights = np.zeros((*tree.children.shape, n_bins))
    for m in range(tree.n_nodes):
        below = leaf @ tree.paths[m].T  # (n, B)
        reach = below.sum(axis=1)
        share = np.divide(below, reach[:, None], out=np.zeros_like(below), where=reach[:, None] > 0)
        for b in np.flatnonzero(tree.used[m]):
            own = np.histogram(np.clip(share[:, b], 0.0, 1.0), bins=n_bins, range=(0.0, 1.0), weights=reach)[0]
            heights[m, b] = own / len(leaf)
    return heights


def groups_at_level(tree, level):
    """Number (K,) of what each leaf belongs to where a tree is clipped at a level; a leaf above is alone."""
    groups = np.arange(tree.n_leaves)
    depth = np.zeros(tree.n_nodes, dtype=int)
    for m in range(tree.n_nodes):
        depth[m] = 0 if m == 0 else depth[tree.parent[m]] + 1
        if depth[m] == level:
            groups[tree.leaves_below(m)] = tree.leaves_below(m)[0]
    return groups


def _alone(tree, m):
    groups = np.arange(tree.n_leaves)
    groups[tree.leaves_below(m)] = tree.leaves_below(m)[0]
    return groups


def clipped(prior, experts, load, groups):
    """Predictions (n, T) of a tree whose leaves (K,) of a group have one expert, the mean of theirs by the loads."""
    total = 0.0
    for group in np.unique(groups):
        own = groups == group
        share = load[own] / load[own].sum() if load[own].sum() > 0 else np.full(own.sum(), 1.0 / own.sum())
        total = total + prior[:, own].sum(axis=1)[:, None] * np.einsum("k,nkt->nt", share, experts[:, own])
    return total
