"""Starts: initial responsibilities (n, K), drawn in feature space: a repeated row is the same as a double weight.

Every function takes the rows, the tree and a random generator and returns responsibilities whose rows sum to one.
"""

import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans

from ..model.rows import BLOCK_ROWS
from ..numerics.engine import one_thread
from ..numerics.kernels import log_normalize
from ..numerics.quantiles import quantiles
from ..numerics.systems import solve_psd
from .model_tree import model_tree, perturbed_model_tree
from .regions import Ground, divided, from_labels

__all__ = [
    "STARTS",
    "directions",
    "given",
    "groups",
    "hyperplanes",
    "kmeans",
    "labels",
    "model_tree",
    "n_tried",
    "perturbed_model_tree",
    "pooled",
    "reseeded",
    "residuals",
    "sequence",
]

SOFT_LABELS = 0.1  # share of a row that a random label leaves to all leaves
LEAST_SHARE = 1e-6  # of a row that a start denies a leaf, where others of its group, or a label, may think better


def directions(rows, tree, rng):
    """Every gating node cuts its region at weighted quantiles of a random direction in standardised (X, y)."""
    points = Ground.of(rows).points
    return _cut_by(rows, tree, lambda: points @ rng.standard_normal(points.shape[1]))


def hyperplanes(rows, tree, rng):
    """Every leaf gets the regression plane through p + 1 rows near a point drawn in standardised (X, y).

    Each plane has a width of its own, such that about half of a leaf's share of the rows lies within it: tight regimes
    are then not washed out by wide ones.
    """
    ground = Ground.of(rows)
    X, points = ground.columns, ground.points
    Y = points[:, -ground.targets.shape[1] :]
    log_resp = np.empty((rows.n_rows, tree.n_leaves))
    for k in range(tree.n_leaves):
        near = rng.standard_normal(points.shape[1])
        drawn = near + 0.5 * rng.standard_normal((X.shape[1], points.shape[1]))
        nearest = [int(np.argmin(((points - point) ** 2).sum(axis=1))) for point in drawn]
        coef = np.linalg.lstsq(X[nearest], Y[nearest], rcond=1e-6)[0]
        squares = ((Y - X @ coef) ** 2).sum(axis=1)
        width = quantiles(squares, [0.5 / tree.n_leaves], rows.weight)[0]
        log_resp[:, k] = -0.5 * squares / max(width, 1e-9)
    return log_normalize(log_resp)[1]


def residuals(rows, tree, rng):
    """Every gating node cuts its region at weighted quantiles of what the fit of all rows leaves over.

    As they are, tilted along a direction in X, or multiplied by one, whichever is drawn: experts may differ in level,
    or in slope where nothing in X tells them apart.
    """
    ground = Ground.of(rows)
    X, left = ground.columns, ground.residual
    scale = np.sqrt(np.average(left**2, axis=0, weights=rows.weight))
    left = left / np.where(scale > 0, scale, 1.0)

    def score():
        residual = left @ rng.standard_normal(left.shape[1])
        direction = X[:, :-1] @ rng.standard_normal(X.shape[1] - 1) / np.sqrt(max(X.shape[1] - 1, 1))
        return [residual, residual + direction, residual * direction][rng.integers(3)]

    return _cut_by(rows, tree, score)


def labels(rows, tree, rng):
    """A leaf for every distinct row, drawn at random; most of the row goes there, the rest to all leaves.

    What the leaves have in common is all that such a start knows; it finds what no cut of feature space does. Rows are
    numbered by their content, so that equal ones have the same leaf, and so do those of a group.
    """
    number = Ground.of(rows).numbers
    return from_labels(rng.integers(tree.n_leaves, size=number.max() + 1)[number], tree.n_leaves, SOFT_LABELS)


def _cut_by(rows, tree, score):
    """Every gating node cuts its region at weighted quantiles of a score (n,) that is made for it."""

    def cut(region, n_pieces):
        values, pieces = score(), []
        levels = np.arange(1, n_pieces) / n_pieces
        for threshold in quantiles(values[region.hard], levels, rows.weight[region.hard]):
            lower, region = region.cut(values, threshold, rows.weight)
            pieces.append(lower)
        return [*pieces, region]

    return divided(rows, tree, cut)


def kmeans(rows, tree, rng=None):
    """k-means on the gate's standardised columns at every gating node, from cuts along the first principal axis."""
    return _clustered(rows, tree, Ground.of(rows).gate_columns[:, :-1])


def groups(rows, tree, rng=None):
    """k-means on what the rows of each group together add to the fit of all rows, eq. (group-fit).

    The rows of a group, unlike single ones, show the whole line of their expert. Rows without groups are groups of one.
    """
    ground = Ground.of(rows)
    X, R, weight, ridge = ground.columns, ground.residual, rows.weight, np.eye(ground.X.shape[1])
    # Its weight, which is one for all its rows, says how often a group counts, not how much is known of its line.
    grams = rows.pooled(X[:, :, None] * X[:, None, :])
    cross = rows.pooled(X[:, :, None] * R[:, None, :])
    own = solve_psd(grams + ridge, cross).reshape(len(cross), -1)
    mass = rows.pooled(weight)
    spread = np.sqrt(np.average((own - np.average(own, axis=0, weights=mass)) ** 2, axis=0, weights=mass))
    return _clustered(rows, tree, rows.spread(own / np.where(spread > 0, spread, 1.0)))


def _clustered(rows, tree, columns):
    """k-means on columns (n, q) at every gating node."""
    targets = Ground.of(rows).targets

    def cut(region, n_pieces):
        inside = region.hard
        X, weight = columns[inside], rows.weight[inside]
        if not X.shape[1]:  # the gate sees no column: the outputs are used instead
            X = targets[inside]
        distinct, labels = np.unique(X, axis=0, return_inverse=True)
        if len(distinct) < n_pieces:  # the outputs must separate what X does not, or the pieces would stay equal
            labels = np.unique(np.column_stack([X, targets[inside]]), axis=0, return_inverse=True)[1]
        if len(distinct) <= n_pieces:
            return region.divide(labels.ravel() % n_pieces, n_pieces)
        centered = X - np.average(X, axis=0, weights=weight)
        axis = np.linalg.eigh(centered.T @ (centered * weight[:, None]))[1][:, -1]
        # An eigenvector has no sign of its own: its first large entry is made positive.
        score = centered @ axis * np.sign(axis[np.argmax(np.abs(axis) > 0.5 * np.abs(axis).max())])
        levels = (np.arange(n_pieces) + 0.5) / n_pieces
        distance = np.abs(score[:, None] - quantiles(score, levels, weight)) / np.abs(score).max()
        first = distance.round(9).argmin(axis=1)  # ties go to the lower piece, whatever the rounding
        mass = np.bincount(first, weight, n_pieces)
        sums = np.stack([np.bincount(first, weight * x, n_pieces) for x in X.T], axis=1)
        centers = sums / np.maximum(mass, np.finfo(float).tiny)[:, None]
        with one_thread("openmp"):
            labels = KMeans(n_pieces, init=centers, n_init=1).fit(X, sample_weight=weight).labels_
        return region.divide(labels, n_pieces)

    return divided(rows, tree, cut)


def given(start, kept, n_leaves):
    """A start that the user gives: one leaf number a row or responsibilities; `kept` marks the rows in use."""
    start = np.asarray(start)
    wanted = (
        f"start has shape {start.shape} and dtype {start.dtype}; give the name of a start, one int leaf number per row "
        f"({len(kept)},) or responsibilities ({len(kept)}, {n_leaves}) whose rows sum to one."
    )
    if start.dtype.kind not in "iufb":
        raise TypeError(wanted)
    if start.shape == (len(kept),) and start.dtype.kind in "iub":
        if start.min() < 0 or start.max() >= n_leaves:
            raise ValueError(f"start holds leaf numbers up to {start.max()}; the tree has leaves 0 to {n_leaves - 1}.")
        return from_labels(start[kept], n_leaves)
    if start.shape == (len(kept), n_leaves) and (start >= 0).all() and np.allclose(start.sum(axis=1), 1.0):
        return start[kept].astype(float)
    raise ValueError(wanted)


def pooled(rows, resp):
    """Responsibilities (heads, K) from those of a start (n, K), where rows come in groups or with labels.

    The responsibilities of the rows of a group are combined as their evidence is, eq. (group). The leaves are numbered
    so that the start agrees with the labels as well as possible.
    """
    if rows.group is None and rows.log_label is None:
        return resp
    if rows.log_label is not None:
        known = np.exp(rows.log_label)
        known -= known.mean(axis=1, keepdims=True)  # rows without a label do not count
        resp = resp[:, linear_sum_assignment(-(known * rows.weight[:, None]).T @ resp)[1]]
    log_resp = rows.pooled(np.log(np.maximum(resp, LEAST_SHARE)))
    heads = rows.heads()
    return log_normalize(log_resp if heads.log_label is None else log_resp + heads.log_label)[1]


def reseeded(mixture, params, rows, starving):
    """Responsibilities in which each starving leaf takes the worse-fitted half of the heaviest leaf's rows."""
    resp = mixture.posterior(params, rows)[1]
    log_prob, weight = rows.pooled(mixture.expert.log_prob(params.experts, rows)), rows.heads().weight
    for k in starving:
        donor = int((weight @ resp).argmax())
        median = quantiles(log_prob[:, donor], [0.5], resp[:, donor] * weight)[0]
        moved = np.where(log_prob[:, donor] < median, resp[:, donor], 0.0)
        resp[:, donor] -= moved
        resp[:, k] += moved
    return resp


STARTS = {
    "model_tree": model_tree,
    "perturbed_model_tree": perturbed_model_tree,
    "directions": directions,
    "hyperplanes": hyperplanes,
    "residuals": residuals,
    "labels": labels,
    "kmeans": kmeans,
    "groups": groups,
}
# Kinds that draw, in turn, and those that do not, with which start="auto" begins. Class codes have no planes.
DRAWN = "labels", "directions", "hyperplanes", "residuals", "labels", "perturbed_model_tree", "hyperplanes"
FIXED = "model_tree", "kmeans"
# Where a sweep is cheap, in rows times leaves, and there are few leaves, start="auto" tries so many starts, or chooses
# every one of several from so many.
CHEAP, FEW_LEAVES, TRIED, CHOSEN_FROM = 8 * BLOCK_ROWS, 6, 12, 4


def sequence(first, n_init, classification, grouped=False):
    """Names of the starts number 0 .. n_init - 1: `first`, then others in turn, those that draw nothing only once.

    A tree that has grown, "grown", comes before all starts of "auto".
    """
    fixed = ["groups"] if grouped else list(FIXED[:: -1 if classification else 1])
    drawn = [kind for kind in DRAWN if not (classification and kind == "hyperplanes")]
    if first == "auto":
        first, *fixed = fixed
    elif first != "grown":
        fixed = []
    names = [first, *fixed]
    return [*names, *(drawn[i % len(drawn)] for i in range(n_init - len(names)))][:n_init]


def n_tried(mixture, rows, tree, n_init, algorithms):
    """How many starts ``start="auto"`` draws of which `n_init` run to their end: more of them where that is cheap.

    What can tell the experts apart is seen only in the course of a fit: x where the gate depends on it, else y alone.
    """
    cheap = rows.n_rows * tree.n_leaves <= CHEAP and tree.n_leaves <= FEW_LEAVES
    steady = mixture.exact and not mixture.routed and "stochastic" not in algorithms
    if tree.n_leaves == 1 or not (cheap and steady):
        return n_init
    return max(TRIED, CHOSEN_FROM * n_init) if n_init > 1 else TRIED
