"""Starts: initial responsibilities (n, K), drawn in feature space: a repeated row is the same as a double weight.

Every function takes the rows, the tree and a random generator and returns responsibilities whose rows sum to one.
"""

import numpy as np
import scipy.sparse as sp
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans

from ..numerics.kernels import log_normalize, solve_psd

__all__ = [
    "STARTS",
    "directions",
    "from_labels",
    "given",
    "groups",
    "hyperplanes",
    "kmeans",
    "model_tree",
    "perturbed_model_tree",
    "pooled",
    "reseeded",
    "sequence",
]

# Width of a softened split, in standard deviations of its column within the region.
SOFTNESS = 0.2
LEVELS = np.linspace(0.1, 0.9, 9)  # quantiles that are tried as thresholds
TIE = 1e-9  # gains closer than this, relative to the weight, are ties: lowest column, then threshold wins
MAX_COLUMNS = 32  # columns that the linear fits of a model tree use, the strongest of the global fit
MAX_CANDIDATES = 16  # columns whose thresholds are tried in a region
SPLIT_RIDGE = 0.1
LEAST_SHARE = 1e-6  # of a row that a start denies a leaf, where others of its group, or a label, may think better


def model_tree(rows, tree, rng=None):
    """Greedy model tree: axis splits that lower the sum of n log s^2 of linear fits most, softened.

    A node of B branches takes B - 1 such splits. Class codes are fitted as indicator columns.
    """
    return _grow(rows, tree, lambda shape: 1.0)


def perturbed_model_tree(rows, tree, rng):
    """A model tree whose gains are multiplied by log-normal noise, so that near-best splits get their turn."""
    return _grow(rows, tree, lambda shape: np.exp(0.5 * rng.standard_normal(shape)))


def directions(rows, tree, rng):
    """Every gating node cuts its region at weighted quantiles of a random direction in standardised (X, y)."""
    points = _points(rows)

    def cut(region, n_pieces):
        score = points @ rng.standard_normal(points.shape[1])
        inside = region.hard
        levels = np.arange(1, n_pieces) / n_pieces
        thresholds = _quantile(score[inside], levels, rows.weight[inside])
        pieces = []
        for threshold in thresholds:
            lower, region = region.cut(score, threshold, rows.weight)
            pieces.append(lower)
        return [*pieces, region]

    return _recurse(rows, tree, cut)


def hyperplanes(rows, tree, rng):
    """Every leaf gets the regression plane through p + 1 rows near a point drawn in standardised (X, y).

    Each plane has a width of its own, such that about half of a leaf's share of the rows lies within it: tight regimes
    are then not washed out by wide ones.
    """
    X, points = _dense(rows.X), _points(rows)
    Y = points[:, -_targets(rows).shape[1] :]
    log_resp = np.empty((rows.n_rows, tree.n_leaves))
    for k in range(tree.n_leaves):
        near = rng.standard_normal(points.shape[1])
        drawn = near + 0.5 * rng.standard_normal((X.shape[1], points.shape[1]))
        nearest = [int(np.argmin(((points - point) ** 2).sum(axis=1))) for point in drawn]
        coef = np.linalg.lstsq(X[nearest], Y[nearest], rcond=1e-6)[0]
        squares = ((Y - X @ coef) ** 2).sum(axis=1)
        width = _quantile(squares, [0.5 / tree.n_leaves], rows.weight)[0]
        log_resp[:, k] = -0.5 * squares / max(width, 1e-9)
    return log_normalize(log_resp)[1]


def kmeans(rows, tree, rng=None):
    """k-means on the gate's standardised columns at every gating node, from cuts along the first principal axis."""
    return _clustered(rows, tree, _dense(rows.Z)[:, :-1])


def groups(rows, tree, rng=None):
    """k-means on what the rows of each group together add to the fit of all rows, eq. (group-fit).

    The rows of a group, unlike single ones, tell of their expert's whole line. Rows without groups are groups of one.
    """
    X, Y, weight = _dense(rows.X), _targets(rows), rows.weight
    ridge = np.eye(X.shape[1])
    gram = X.T @ (X * weight[:, None])
    R = Y - X @ solve_psd(gram + SPLIT_RIDGE * ridge, X.T @ (Y * weight[:, None]))
    grams = rows.pooled(weight[:, None, None] * X[:, :, None] * X[:, None, :])
    cross = rows.pooled(weight[:, None, None] * X[:, :, None] * R[:, None, :])
    own = solve_psd(grams + ridge, cross).reshape(len(cross), -1)
    mass = rows.pooled(weight)
    spread = np.sqrt(np.average((own - np.average(own, axis=0, weights=mass)) ** 2, axis=0, weights=mass))
    return _clustered(rows, tree, rows.spread(own / np.where(spread > 0, spread, 1.0)))


def _clustered(rows, tree, columns):
    """k-means on columns (n, q) at every gating node."""
    targets = _targets(rows)

    def cut(region, n_pieces):
        inside = region.hard
        X, weight = columns[inside], rows.weight[inside]
        if not X.shape[1]:  # the gate sees no column: the outputs must do
            X = targets[inside]
        distinct, labels = np.unique(X, axis=0, return_inverse=True)
        if len(distinct) < n_pieces:  # the outputs must tell apart what X does not, or pieces stay equal for ever
            labels = np.unique(np.column_stack([X, targets[inside]]), axis=0, return_inverse=True)[1]
        if len(distinct) <= n_pieces:
            return region.divide(labels.ravel() % n_pieces, n_pieces)
        centered = X - np.average(X, axis=0, weights=weight)
        axis = np.linalg.eigh(centered.T @ (centered * weight[:, None]))[1][:, -1]
        # An eigenvector has no sign of its own: its first large entry is made positive.
        score = centered @ axis * np.sign(axis[np.argmax(np.abs(axis) > 0.5 * np.abs(axis).max())])
        levels = (np.arange(n_pieces) + 0.5) / n_pieces
        distance = np.abs(score[:, None] - _quantile(score, levels, weight)) / np.abs(score).max()
        first = distance.round(9).argmin(axis=1)  # ties go to the lower piece, whatever the rounding
        mass = np.bincount(first, weight, n_pieces)
        sums = np.stack([np.bincount(first, weight * x, n_pieces) for x in X.T], axis=1)
        centers = sums / np.maximum(mass, np.finfo(float).tiny)[:, None]
        labels = KMeans(n_pieces, init=centers, n_init=1).fit(X, sample_weight=weight).labels_
        return region.divide(labels, n_pieces)

    return _recurse(rows, tree, cut)


def from_labels(labels, n_leaves, softness=0.0):
    """Responsibilities from leaf numbers; a share `softness` is spread over all leaves."""
    resp = np.full((len(labels), n_leaves), softness / n_leaves)
    resp[np.arange(len(labels)), labels] += 1.0 - softness
    return resp


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
    """Responsibilities (heads, K) that a start's (n, K) amount to, where rows come in groups or with labels.

    What a start says of the rows of a group is taken together as the evidence of each is, eq. (group). The leaves are
    numbered so that labels agree with the start as well as can be.
    """
    if rows.group is None and rows.log_label is None:
        return resp
    if rows.log_label is not None:
        known = np.exp(rows.log_label)
        known -= known.mean(axis=1, keepdims=True)  # rows that nothing is known of have no say
        resp = resp[:, linear_sum_assignment(-(known * rows.weight[:, None]).T @ resp)[1]]
    log_resp = rows.pooled(np.log(np.maximum(resp, LEAST_SHARE)))
    heads = rows.heads()
    return log_normalize(log_resp if heads.log_label is None else log_resp + heads.log_label)[1]


def reseeded(mixture, params, rows, starving):
    """Responsibilities in which each starving leaf takes the worse-fitted half of the heaviest leaf's rows."""
    resp = mixture.e_step(params, rows)[1]
    log_prob, weight = rows.pooled(mixture.expert.log_prob(params.experts, rows)), rows.heads().weight
    for k in starving:
        donor = int((weight @ resp).argmax())
        median = _quantile(log_prob[:, donor], [0.5], resp[:, donor] * weight)[0]
        moved = np.where(log_prob[:, donor] < median, resp[:, donor], 0.0)
        resp[:, donor] -= moved
        resp[:, k] += moved
    return resp


STARTS = {
    "model_tree": model_tree,
    "perturbed_model_tree": perturbed_model_tree,
    "directions": directions,
    "hyperplanes": hyperplanes,
    "kmeans": kmeans,
    "groups": groups,
}


def sequence(first, n_init, classification, grouped=False):
    """Names of the starts number 0 .. n_init - 1: `first`, then the drawn ones in turn."""
    if first == "auto":
        first = "groups" if grouped else "kmeans" if classification else "model_tree"
    drawn = ["directions", "perturbed_model_tree"]
    if not classification:
        drawn.insert(1, "hyperplanes")
    return [first, *(drawn[i % len(drawn)] for i in range(n_init - 1))]


# -- regions ---------------------------------------------------------------------------------------------------------


class _Region:
    """A part of feature space: its rows, and the log-probability of every row to be in its softened form."""

    def __init__(self, hard, log_soft):
        self.hard, self.log_soft = hard, log_soft

    def cut(self, score, threshold, weight):
        """The parts with score <= threshold and beyond."""
        if not len(self.hard):
            return self.halve()
        inside = score[self.hard]
        mean = np.average(inside, weights=weight[self.hard])
        width = SOFTNESS * np.sqrt(np.average((inside - mean) ** 2, weights=weight[self.hard]))
        distance = (score - threshold) / (width if width > 0 else 1.0)
        below = self.hard[inside <= threshold]
        above = self.hard[inside > threshold]
        return (
            _Region(below, self.log_soft - np.logaddexp(0.0, distance)),
            _Region(above, self.log_soft - np.logaddexp(0.0, -distance)),
        )

    def divide(self, labels, n_pieces, softness=0.1):
        """The parts by label of the inside rows; a share `softness` of each row is spread over all parts."""
        log_share = np.full((len(self.log_soft), n_pieces), -np.log(n_pieces))  # rows outside belong to all alike
        log_share[self.hard] = np.log(from_labels(labels, n_pieces, softness))
        return [_Region(self.hard[labels == b], self.log_soft + log_share[:, b]) for b in range(n_pieces)]

    def halve(self):
        """Two copies with half the probability each, where nothing tells the rows apart."""
        return _Region(self.hard, self.log_soft - np.log(2.0)), _Region(self.hard, self.log_soft - np.log(2.0))


def _recurse(rows, tree, cut):
    """Cut the whole space down the tree; `cut(region, n_pieces)` returns the pieces from left to right."""
    log_soft = np.empty((rows.n_rows, tree.n_leaves))

    def descend(child, region):
        if child < 0:
            log_soft[:, ~child] = region.log_soft
            return
        children = [c for c in tree.children[child] if c != 0]
        if len(region.hard):
            pieces = cut(region, len(children))
        else:
            pieces = region.divide(np.zeros(0, dtype=int), len(children))
        for c, piece in zip(children, pieces, strict=True):
            descend(c, piece)

    whole = _Region(np.arange(rows.n_rows), np.zeros(rows.n_rows))
    descend(0 if tree.n_nodes else ~0, whole)
    return log_normalize(log_soft)[1]


# -- the model tree --------------------------------------------------------------------------------------------------


def _grow(rows, tree, noise):
    # Splits are the gate's business, fits are the experts'.
    X, fitted, Y, weight = _dense(rows.Z), _dense(rows.X), _targets(rows), rows.weight
    if fitted.shape[1] - 1 > MAX_COLUMNS:
        gram = fitted.T @ (fitted * weight[:, None])
        coef = solve_psd(gram + SPLIT_RIDGE * np.eye(len(gram)), fitted.T @ (Y * weight[:, None]))
        strongest = np.sort(np.argsort(-(coef[:-1] ** 2).sum(axis=1), kind="stable")[:MAX_COLUMNS])
        fitted = fitted[:, np.append(strongest, fitted.shape[1] - 1)]
    spread = np.average((Y - np.average(Y, axis=0, weights=weight)) ** 2, axis=0, weights=weight)
    floor = np.maximum(1e-6 * spread, np.finfo(float).tiny)

    def cut(region, n_pieces):
        # Best first: the piece whose best split gains most is cut next; pieces stay in order.
        pieces = [(region, *_best_split(X, fitted, Y, weight, region.hard, floor, noise))]
        while len(pieces) < n_pieces:
            best = max(range(len(pieces)), key=lambda i: (pieces[i][1], -i))
            piece, gain, column, threshold = pieces[best]
            if column is not None:
                parts = piece.cut(X[:, column], threshold, weight)
            else:  # nothing in X tells the rows apart; the outputs may, or the pieces would stay equal for ever
                parts = _cut_outputs(piece, Y, weight)
            pieces[best : best + 1] = [
                (part, *_best_split(X, fitted, Y, weight, part.hard, floor, noise)) for part in parts
            ]
        return [piece for piece, *_ in pieces]

    return _recurse(rows, tree, cut)


def _cut_outputs(piece, Y, weight):
    """The parts of a region below and above the weighted median of its most varied output."""
    if not len(piece.hard):
        return piece.halve()
    inside = Y[piece.hard]
    output = Y[:, int(np.ptp(inside, axis=0).argmax())]
    return piece.cut(output, _quantile(output[piece.hard], [0.5], weight[piece.hard])[0], weight)


def _best_split(X, fitted, Y, weight, inside, floor, noise):
    """Gain, column and threshold of a region's best split; (-inf, None, None) where it has none."""
    for design in (fitted, fitted[:, -1:]):  # too few rows for linear fits on both sides: constants
        split = _search(X, design, Y, weight, inside, floor, noise)
        if split[1] is not None:
            return split
    return split


def _search(X, design, Y, weight, inside, floor, noise):
    w, Z, p = weight[inside], design[inside], design.shape[1]
    total = w.sum()
    if not total >= 2 * (p + 1):
        return -np.inf, None, None
    # Fits on the sides start from the region's own fit: residuals keep the sums of squares accurate.
    gram = Z.T @ (Z * w[:, None])
    ridge = SPLIT_RIDGE * np.eye(p)
    ridge[-1, -1] = 1e-12 * total
    R = Y[inside] - Z @ solve_psd(gram + ridge, Z.T @ (Y[inside] * w[:, None]))
    A = np.column_stack([Z, R])
    before = _cost(np.array([total]), (A.T @ (A * w[:, None]))[None], p, ridge, floor)[0]
    columns = _candidates(X[inside, :-1], R / np.sqrt(floor), w)
    jitter = noise((X.shape[1] - 1, len(LEVELS)))
    best = (-np.inf, None, None)
    for j in columns:
        x = X[inside, j]
        thresholds = np.unique(_quantile(x, LEVELS, w))
        order = np.argsort(np.searchsorted(thresholds, x), kind="stable")
        stops = np.cumsum(np.bincount(np.searchsorted(thresholds, x), minlength=len(thresholds) + 1))
        grams, masses, start = [], [], 0
        for stop in stops:
            index = order[start:stop]
            grams.append(A[index].T @ (A[index] * w[index, None]))
            masses.append(w[index].sum())
            start = stop
        below, mass = np.cumsum(grams, axis=0), np.cumsum(masses)
        left, right = mass[:-1], total - mass[:-1]
        allowed = np.minimum(left, right) >= p + 1
        if not allowed.any():
            continue
        after = _cost(left, below[:-1], p, ridge, floor) + _cost(right, below[-1] - below[:-1], p, ridge, floor)
        gain = (before - after) * np.broadcast_to(jitter, (X.shape[1] - 1, len(LEVELS)))[j, : len(thresholds)]
        gain[~allowed] = -np.inf
        for value, threshold in zip(gain, thresholds, strict=True):
            if value > best[0] + TIE * total:
                best = (value, j, threshold)
    return best


def _cost(mass, grams, p, ridge, floor):
    """n log s^2 of the ridge fits, summed over outputs, from Gram matrices of (design, targets)."""
    cross = grams[:, :p, p:]
    coef = solve_psd(grams[:, :p, :p] + ridge, cross)
    square = np.diagonal(grams[:, p:, p:], axis1=1, axis2=2) - np.einsum("mpt,mpt->mt", coef, cross)
    # Degrees of freedom: a side with hardly more rows than columns fits them by chance.
    free = np.maximum(mass - p, 0.5)
    return (mass[:, None] * np.log(np.maximum(square / free[:, None], floor))).sum(axis=1)


def _candidates(X, R, w):
    """Columns worth trying: those across whose median the residuals' slopes change most."""
    if X.shape[1] <= MAX_CANDIDATES:
        return range(X.shape[1])
    medians = np.array([_quantile(x, [0.5], w)[0] for x in X.T])
    side = np.where(X <= medians, -1.0, 1.0)
    score = sum((((X * (w * r)[:, None]).T @ side) ** 2).sum(axis=0) + ((w * r) @ side) ** 2 for r in R.T)
    return np.sort(np.argsort(-score, kind="stable")[:MAX_CANDIDATES])


# -- arrays ----------------------------------------------------------------------------------------------------------


def _dense(X):
    return X.toarray() if sp.issparse(X) else X


def _targets(rows):
    """Outputs (n, T); indicator columns for class codes."""
    if rows.y.ndim == 2:
        return rows.y
    return np.eye(int(rows.y.max()) + 1)[rows.y]


def _points(rows):
    """Standardised (X, y) side by side, with the gate's columns where it has its own."""
    Y = _targets(rows)
    mean = np.average(Y, axis=0, weights=rows.weight)
    scale = np.sqrt(np.average((Y - mean) ** 2, axis=0, weights=rows.weight))
    own = [] if rows.Z is rows.X else [_dense(rows.Z)[:, :-1]]
    return np.column_stack([_dense(rows.X)[:, :-1], *own, (Y - mean) / np.where(scale > 0, scale, 1.0)])


def _quantile(x, levels, weight):
    return np.quantile(x, levels, weights=weight, method="inverted_cdf")
