"""Sums of a sweep over rows that visit only the branches and leaves which carry mass for them.

Rows go through the tree in groups of lanes, those of one likely leaf together, so that a group visits few nodes.
"""

import numpy as np

from .scalars import exp, kernel, log, log1p_unit, total_of

__all__ = ["line_means", "line_sums"]

LANES = 64
PAD = 32  # numbers: loops over sums have no remainders


@kernel
def likely_leaves(children, slope, columns, leaf):
    """The leaf (n,) to which every row goes if it takes the likelier branch at every node."""
    p, n = columns.shape
    x = np.empty(p)
    for i in range(n):
        for j in range(p):
            x[j] = columns[j, i]
        m = 0
        while True:
            own, score = slope[m], 0.0
            for j in range(p):
                score += own[j] * x[j]
            m = children[m, 1 if score > 0.0 else 0]
            if m < 0:
                leaf[i] = ~m
                break


@kernel
def _scores(coef, x, out):
    """Linear scores of the lanes from coef (p,), p a multiple of four, and columns x (p, LANES)."""
    for j in range(0, coef.size, 4):
        a, b, c, d = coef[j], coef[j + 1], coef[j + 2], coef[j + 3]
        one, two, three, four = x[j], x[j + 1], x[j + 2], x[j + 3]
        if j == 0:
            for lane in range(LANES):
                out[lane] = a * one[lane] + b * two[lane] + c * three[lane] + d * four[lane]
        else:
            for lane in range(LANES):
                out[lane] += a * one[lane] + b * two[lane] + c * three[lane] + d * four[lane]


@kernel
def _reached(value, ceiling, least):
    """Whether some lane may have mass: its largest possible log-joint density is above the least that counts."""
    without = 0
    for lane in range(LANES):
        without += 1 if value[lane] + ceiling <= least[lane] else 0  # nan is followed
    return without < LANES


@kernel
def _descend(children, slope, ceilings, x, least, node, leaf, branch, nodes, leaves):
    """Go down from the root; counts of nodes and leaves that are reached, whose numbers go into `nodes` and `leaves`.

    `node` and `leaf` get the log-priors of what is reached, `branch` the probabilities of second branches.
    """
    score = np.empty(LANES)
    n_nodes, n_leaves, number = 1, 0, 0
    nodes[0] = 0
    node[0] = 0.0
    while number < n_nodes:
        m = nodes[number]
        number += 1
        _scores(slope[m], x, score)
        low, high, above, second = children[m, 0], children[m, 1], node[m], branch[m]
        left = node[low] if low > 0 else leaf[~low]
        right = node[high] if high > 0 else leaf[~high]
        for lane in range(LANES):
            s = score[lane]
            e = exp(-abs(s))
            before = above[lane] - log1p_unit(e)
            larger = 1.0 / (1.0 + e)
            second[lane] = larger if s > 0.0 else e * larger
            left[lane] = before - s if s > 0.0 else before
            right[lane] = before if s > 0.0 else before + s
        for b in range(2):
            child = children[m, b]
            below = left if b == 0 else right
            if not _reached(below, ceilings[m, b], least):
                below[:] = -np.inf
            elif child > 0:
                nodes[n_nodes] = child
                n_nodes += 1
            else:
                leaves[n_leaves] = ~child
                n_leaves += 1
    return n_nodes, n_leaves


@kernel
def _log_path(above_node, above_leaf, slope, x, k, score, out):
    """Add the log-prior of leaf k to `out`."""
    m, b = above_leaf[k]
    while m >= 0:
        _scores(slope[m], x, score)
        for lane in range(LANES):
            s = score[lane] if b == 1 else -score[lane]
            out[lane] += (0.0 if s > 0.0 else s) - log1p_unit(exp(-abs(s)))
        m, b = above_node[m]


@kernel
def _log_lines(line, half_precision, constant, x, y, score, out):
    """Add the log-density of a line with Gaussian noise to `out`."""
    _scores(line, x, score)
    for lane in range(LANES):
        residual = score[lane] - y[lane]
        out[lane] -= half_precision * (residual * residual) + constant


@kernel
def _products(x, residual, first, second, points, pairs):
    """Columns and residual of every lane, one after the other, and products of the pairs `first` and `second`."""
    p = len(x)
    for j in range(p):
        for lane in range(LANES):
            points[lane, j] = x[j, lane]
    for place in range(first.size):
        one = residual if first[place] == p else x[first[place]]
        other = residual if second[place] == p else x[second[place]]
        for lane in range(LANES):
            pairs[lane, place] = one[lane] * other[lane]


@kernel
def _normalise(leaf, leaves, n_leaves, weight, cut, top, total):
    """Bayes' rule for the leaves that are reached: their log-joints become shares of the weight. The log-likelihood."""
    for lane in range(LANES):
        top[lane] = -np.inf
        total[lane] = 0.0
    for number in range(n_leaves):
        own = leaf[leaves[number]]
        for lane in range(LANES):
            top[lane] = own[lane] if own[lane] > top[lane] else top[lane]
    for lane in range(LANES):
        top[lane] = 0.0 if top[lane] == -np.inf else top[lane]
    for number in range(n_leaves):
        own = leaf[leaves[number]]
        for lane in range(LANES):
            own[lane] = exp(own[lane] - top[lane])
            total[lane] += own[lane]
    log_likelihood = 0.0
    for lane in range(LANES):
        if weight[lane] > 0.0:
            log_likelihood += weight[lane] * (top[lane] + log(total[lane]) if total[lane] != 0.0 else -np.inf)
        top[lane] = weight[lane] / total[lane] if total[lane] != 0.0 else 0.0
        total[lane] = cut * weight[lane]
    for number in range(n_leaves):
        own = leaf[leaves[number]]
        for lane in range(LANES):
            share = own[lane] * top[lane]
            own[lane] = 0.0 if share < total[lane] else share
    return log_likelihood


@kernel
def _add(sums, share, terms, size, active):
    """Add terms (LANES, q) of the lanes, times their shares, to sums (q,): four lanes at a time that have any."""
    count = 0
    for lane in range(size):
        if share[lane] != 0.0:
            active[count] = lane
            count += 1
    for first in range(0, count, 4):
        left = count - first
        a = active[first]
        b, c, d = active[first + min(1, left - 1)], active[first + min(2, left - 1)], active[first + min(3, left - 1)]
        one, two, three, four = terms[a], terms[b], terms[c], terms[d]
        of_one, of_two = share[a], share[b] if left > 1 else 0.0
        of_three, of_four = share[c] if left > 2 else 0.0, share[d] if left > 3 else 0.0
        for j in range(sums.size):
            sums[j] += of_one * one[j] + of_two * two[j] + of_three * three[j] + of_four * four[j]


@kernel
def _line_sums(
    tree,
    slope,
    lines,
    noise,
    rows,
    order,
    likely,
    log_least,
    cut,
    first,
    second,
    of_leaves,
    of_nodes,
    gradient,
    load,
    total,
):  # noqa: E501
    """See `line_sums`; the log-likelihood."""
    children, ceilings, above_node, above_leaf = tree
    half_precision, constant = noise
    columns, y, residual, weight = rows
    (M, p), K, n = slope.shape, len(lines), len(y)
    node, leaf, branch = np.empty((M, LANES)), np.empty((K, LANES)), np.empty((M, LANES))
    nodes, leaves, active = np.empty(M, dtype=np.int64), np.empty(K, dtype=np.int64), np.empty(LANES, dtype=np.int64)
    x, lanes = np.zeros((p, LANES)), np.empty((8, LANES))
    points, pairs = np.zeros((LANES, gradient.shape[1])), np.zeros((LANES, of_leaves.shape[1]))
    score, target, left_over, share, least, top, moved, spread = lanes
    log_likelihood = 0.0
    for start in range(0, n, LANES):
        size = min(LANES, n - start)
        for lane in range(LANES):
            i = order[start + min(lane, size - 1)]
            for j in range(len(columns)):
                x[j, lane] = columns[j, i]
            target[lane], left_over[lane] = y[i], residual[i]
            share[lane] = weight[i] if lane < size else 0.0
            least[lane] = log_least
        k = likely[order[start + size // 2]]
        _log_lines(lines[k], half_precision[k], constant[k], x, target, score, least)
        _log_path(above_node, above_leaf, slope, x, k, score, least)
        n_nodes, n_leaves = _descend(children, slope, ceilings, x, least, node, leaf, branch, nodes, leaves)
        for number in range(n_leaves):
            k = leaves[number]
            _log_lines(lines[k], half_precision[k], constant[k], x, target, score, leaf[k])
        log_likelihood += _normalise(leaf, leaves, n_leaves, share, cut, top, score)
        _products(x[: len(columns)], left_over, first, second, points, pairs)
        for number in range(n_leaves):
            k = leaves[number]
            _add(of_leaves[k], leaf[k], pairs, size, active)
            load[k] += total_of(leaf[k])
        for number in range(n_nodes - 1, -1, -1):
            m = nodes[number]
            _moments(children[m], node, leaf, node[m], branch[m], moved, spread)
            total[m] += total_of(node[m])
            _add(of_nodes[m], spread, pairs, size, active)
            _add(gradient[m], moved, points, size, active)
    return log_likelihood


@kernel
def _moments(children, node, leaf, above, second, moved, spread):
    """Mass of a node, and what its second branch's mass exceeds its expectation by, and its variance."""
    low, high = children[0], children[1]
    left = node[low] if low > 0 else leaf[~low]
    right = node[high] if high > 0 else leaf[~high]
    for lane in range(LANES):
        before = 0.0 if left[lane] == -np.inf else left[lane]  # not reached
        after = 0.0 if right[lane] == -np.inf else right[lane]
        above[lane] = before + after
        expected = above[lane] * second[lane]
        moved[lane] = after - expected
        spread[lane] = expected * (1.0 - second[lane])


def line_sums(paths, slope, lines, variance, X, y, residual, weight, neglect):
    columns = X.T
    if not columns.flags.c_contiguous or columns.dtype != np.float64:
        return NotImplemented
    p, K, M = len(columns), paths.n_leaves, paths.n_nodes
    first, second = _pairs(p)
    order, likely = _order(paths, slope, columns)
    noise = 0.5 / variance, 0.5 * np.log(2.0 * np.pi * variance)
    of_leaves, of_nodes = (np.zeros((q, _padded(len(first)))) for q in (K, M))
    gradient, load, total = np.zeros((M, _padded(p + 1))), np.zeros(K), np.zeros(M)
    log_likelihood = _line_sums(
        (paths.children, paths.ceilings(-noise[1]), *paths.parents), _wide(slope), _wide(lines), noise,
        (columns, y, residual, weight), order, likely, np.log(neglect / K), neglect / K, first, second,
        of_leaves, of_nodes, gradient, load, total,
    )  # fmt: skip
    n_pairs = len(first) - p - 1
    gram, cross, square = np.split(of_leaves[:, : len(first)], [n_pairs, n_pairs + p], axis=1)
    return log_likelihood, (load, gram, cross, square[:, 0]), (total, of_nodes[:, :n_pairs], gradient[:, :p])


def _pairs(p):
    """Pairs of columns as `upper_triangle` has them, then every column and the residual, whose number is p."""
    first, second = np.triu_indices(p)
    return np.append(first, np.arange(p + 1)), np.append(second, np.full(p + 1, p))


def _wide(coef):
    """Coefficients with columns of zeros, so that their number is a multiple of four."""
    return np.pad(coef, ((0, 0), (0, -coef.shape[1] % 4)))


def _order(paths, slope, columns):
    """Rows of a likely leaf together, and these leaves."""
    likely = np.empty(columns.shape[1], dtype=np.int32)
    likely_leaves(paths.children, slope, columns, likely)
    return np.argsort(likely.astype(np.min_scalar_type(paths.n_leaves)), kind="stable"), likely


def _padded(size):
    return -(-size // PAD) * PAD


def line_means(paths, slope, lines, X, neglect):
    columns = X.T
    if not columns.flags.c_contiguous or columns.dtype != np.float64:
        return NotImplemented
    order, _ = _order(paths, slope, columns)
    mean, ceilings = np.empty(columns.shape[1]), paths.ceilings(np.zeros(paths.n_leaves))
    _line_means(
        paths.children, ceilings, _wide(slope), _wide(lines), columns, order, np.log(neglect / paths.n_leaves), mean
    )
    return mean


@kernel
def _line_means(children, ceilings, slope, lines, columns, order, log_least, mean):
    (M, p), K, n = slope.shape, len(lines), len(mean)
    node, leaf, branch = np.empty((M, LANES)), np.empty((K, LANES)), np.empty((M, LANES))
    nodes, leaves = np.empty(M, dtype=np.int64), np.empty(K, dtype=np.int64)
    x, lanes = np.zeros((p, LANES)), np.empty((4, LANES))
    score, least, total, found = lanes
    least[:] = log_least
    for start in range(0, n, LANES):
        size = min(LANES, n - start)
        for lane in range(LANES):
            i = order[start + min(lane, size - 1)]
            for j in range(len(columns)):
                x[j, lane] = columns[j, i]
            total[lane] = found[lane] = 0.0
        _, n_leaves = _descend(children, slope, ceilings, x, least, node, leaf, branch, nodes, leaves)
        for number in range(n_leaves):
            k = leaves[number]
            _scores(lines[k], x, score)
            own = leaf[k]
            for lane in range(LANES):
                prior = exp(own[lane])
                total[lane] += prior
                found[lane] += prior * score[lane]
        for lane in range(size):
            mean[order[start + lane]] = found[lane] / total[lane]
