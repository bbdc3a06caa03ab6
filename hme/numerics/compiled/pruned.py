"""Sums of a sweep, and means, over rows that visit only the branches and leaves which carry mass for them.

Rows go through the tree in groups of lanes, those of one likely leaf together, so that a group visits few nodes. Of
each node and leaf that it visits, only the lanes that have mass there are added.
"""

import numpy as np

from . import vectors
from .descent import LANES, SHARE, STRIP, STRIPS, descend, descend_logs, log_lines, places, strip_scores, wide
from .memory import aligned, in_one_piece
from .scalars import exp, inline, kernel, log
from .survey import Block, blocks, padded
from .vectors import EIGHT, add_terms, at_most, lanes_at_most, lanes_not_zero, load, splat, store, sum_of

__all__ = ["line_means", "line_sums"]

LEAST = -600.0  # logarithm of a prior, times a density relative to the largest, that may still count
SMALLEST = 1e-250  # density of a row, relative to what it is measured by
FEW = 64  # leaves up to which it costs less to visit all than to find out which to visit, and in which order


@kernel
def _gather(block, start, p, x, y, residual, weight, base, points):
    """Columns of a group of rows, which `points` get row by row, their y, residuals and weights, and floors.

    Lanes beyond the last row have the last row, with no weight.
    """
    numbers, order, floor = block
    n = len(order)
    for lane in range(LANES):
        i = order[min(start + lane, n - 1)]
        for j in range(p):
            x[j, lane] = points[lane, j] = numbers[i, j]
        residual[lane], y[lane], base[lane] = numbers[i, p], numbers[i, p + 1], floor[i]
        weight[lane] = numbers[i, p + 2] if start + lane < n else 0.0


@kernel
def _next(table, start, p, x, y, residual, weight, points):
    """The same of rows as they come in the table, without floors."""
    (columns, step), residuals, targets, weights = table
    n = len(targets)
    size = min(LANES, n - start)
    for j in range(p):
        own, out = columns[j * step + start : j * step + start + size], x[j]
        for lane in range(size):
            out[lane] = points[lane, j] = own[lane]
        out[size:] = own[size - 1]
    for lane in range(LANES):
        i = start + min(lane, size - 1)
        residual[lane], y[lane], weight[lane] = residuals[i], targets[i], weights[i] if lane < size else 0.0


@kernel
def _products(x, residual, first, second, pairs):
    """Products of the pairs `first` and `second` of columns and residual, lane by lane."""
    p = len(x)
    for place in range(first.size):
        one = residual if first[place] == p else x[first[place]]
        other = residual if second[place] == p else x[second[place]]
        for lane in range(LANES):
            pairs[lane, place] = one[lane] * other[lane]


@kernel
def _in_range(base, shift, slack):
    """Whether exp(base + shift) holds its numbers for all lanes, which `slack` gets."""
    outside = 0
    for lane in range(LANES):
        value = base[lane] + shift
        outside += 0 if value >= LEAST else 1
        slack[lane] = SHARE * exp(value)
    return outside == 0


@kernel
def _all_at_least(values, least):
    below = 0
    for lane in range(LANES):
        below += 0 if values[lane] >= least else 1
    return below == 0


@inline
def _density(score, target, half, shift):
    residual = score - target
    return vectors.exp(splat(0.0) - (half * residual * residual + shift))


@kernel
def _joint(lines, noise, visits, x, y, base, joint, total):
    """Priors of the leaves become joint densities, relative to exp(base)."""
    half_precision, constant = noise
    M = len(joint) - len(lines)
    total[:] = 0.0
    for visit in visits:
        k, at, place = visit // STRIPS - M, visit % STRIPS * STRIP, visit * STRIP
        half, shift, to = half_precision[k], constant[k], at + EIGHT
        a, b = strip_scores(lines, k, x, at)
        a = load(joint, place) * _density(a, load(y, at), half, load(base, at) + shift)
        b = load(joint, place + EIGHT) * _density(b, load(y, to), half, load(base, to) + shift)
        store(joint, place, a)
        store(joint, place + EIGHT, b)
        store(total, at, load(total, at) + a)
        store(total, to, load(total, to) + b)


@kernel
def _joint_logs(lines, noise, x, y, score, base, joint, total):
    """The same of all leaves, from log-priors; `base` gets the largest log-joints."""
    half_precision, constant = noise
    K, M = len(lines), len(joint) - len(lines)
    base[:] = -np.inf
    for k in range(K):
        own = joint[M + k]
        log_lines(lines[k], half_precision[k], constant[k], x, y, score, own)
        for lane in range(LANES):
            base[lane] = own[lane] if own[lane] > base[lane] else base[lane]
    for lane in range(LANES):
        base[lane] = 0.0 if base[lane] == -np.inf else base[lane]
        total[lane] = 0.0
    for k in range(K):
        own = joint[M + k]
        for lane in range(LANES):
            own[lane] = exp(own[lane] - base[lane])
            total[lane] += own[lane]


@kernel
def _evidence(weight, neglect, base, total, slack, limit):
    """The log-likelihood; `total` becomes the weight that a unit of joint density stands for.

    `slack` gets how much of the joint densities may be left out of the shares, `limit` how much of the sums of a node.
    """
    log_likelihood = 0.0
    for lane in range(LANES):
        if weight[lane] > 0.0:
            log_likelihood += weight[lane] * (base[lane] + log(total[lane]) if total[lane] != 0.0 else -np.inf)
        slack[lane], limit[lane] = SHARE * neglect * total[lane], SHARE * neglect * weight[lane]
        total[lane] = weight[lane] / total[lane] if total[lane] != 0.0 else 0.0
    return log_likelihood


@inline
def _cut(joint, place, total, slack, at):
    """Store the shares of the weight of eight joint densities; those that may be left out are zero."""
    value, limit, none = load(joint, place), load(slack, at), splat(0.0)
    store(slack, at, limit - SHARE * at_most(value, limit, value, none))
    share = at_most(value, limit, none, value * load(total, at))
    store(joint, place, share)
    return share


@kernel
def _shares(load_of, visits, total, slack, joint, lanes):
    """Bayes' rule for the leaves; `lanes` (M + K,) get the lanes that have a share, as bits."""
    M = len(joint) - len(load_of)
    for visit in visits:
        k, at, place = visit // STRIPS - M, visit % STRIPS * STRIP, visit * STRIP
        a, b = _cut(joint, place, total, slack, at), _cut(joint, place + EIGHT, total, slack, at + EIGHT)
        load_of[k] += sum_of(a + b)
        lanes[M + k] |= (lanes_not_zero(a) | lanes_not_zero(b) << EIGHT) << at


@inline
def _eight_moments(mass, left, right, place, moved, spread, limit, at):
    """Eight masses of a node, what the second branch's exceed their expectation by, and variances.

    Also the lanes whose variance or excess is more than the limit, as bits.
    """
    before, after, second = load(mass, left), load(mass, right), load(mass, place)
    both = before + after
    expected = both * second
    excess, variance, most = after - expected, expected * (1.0 - second), load(limit, at)
    store(mass, place, both)
    store(moved, place, excess)
    store(spread, place, variance)
    negligible = lanes_at_most(variance, most) & lanes_at_most(excess, most) & lanes_at_most(0.0 - most, excess)
    return both, ~negligible & (1 << EIGHT) - 1


@kernel
def _moments(total, children, visits, limit, moved, spread, mass, lanes):
    """Masses of the nodes that are visited, from the last to the root, and their moments.

    `mass` has the masses of leaves, and for nodes the probabilities of second branches, which give way to masses.
    """
    for number in range(len(visits) - 1, -1, -1):
        visit = visits[number]
        m, at, place = visit // STRIPS, visit % STRIPS * STRIP, visit * STRIP
        low, high, to = children[m, 0] * LANES, children[m, 1] * LANES, at + EIGHT
        a, of_a = _eight_moments(mass, low + at, high + at, place, moved, spread, limit, at)
        b, of_b = _eight_moments(mass, low + to, high + to, place + EIGHT, moved, spread, limit, to)
        total[m] += sum_of(a + b)
        lanes[m] |= (of_a | of_b << EIGHT) << at


@kernel
def _with_lanes(lanes, chosen):
    """Numbers of the rows that have lanes, of which `chosen` (one more than there are) gets as many as it returns."""
    count = 0
    for k in range(len(lanes)):
        chosen[count] = k
        count += 1 if lanes[k] != 0 else 0
    return count


@kernel
def _line_sums(tree, slope, lines, noise, block, table, neglect, first, second, space, lines_sums, nodes_sums):
    """See `line_sums`; the log-likelihood. Where the block is empty, the rows of the table visit all leaves."""
    children, ceilings, largest = tree
    prior, x, moved, spread, points, pairs, lanes = space
    (products, load_of), (curvature, gradient, total) = lines_sums, nodes_sums
    M, K, p, n = len(slope), len(lines), first[-1], max(len(block[1]), len(table[1]))
    of_nodes, of_leaves = np.empty(M * STRIPS + 1, dtype=np.int64), np.empty(K * STRIPS + 1, dtype=np.int64)
    active, chosen = np.empty(M + K, dtype=np.int64), np.empty(max(M, K) + 1, dtype=np.int64)
    # By numbers: rows that an array is unpacked to have no known stride, and loops over them are not vectorised.
    score, y, residual, weight, base = lanes[0], lanes[1], lanes[2], lanes[3], lanes[4]
    sums, slack, limit = lanes[5], lanes[6], lanes[7]
    log_likelihood, shift = 0.0, np.log(neglect) - largest
    for start in range(0, n, LANES):
        if len(block[1]):
            _gather(block, start, p, x, y, residual, weight, base, points)
            held = _in_range(base, shift, slack)
        else:
            _next(table, start, p, x, y, residual, weight, points)
            base[:], slack[:], held = largest, 0.0, True
        if held:
            n_nodes, n_leaves = descend(children, slope, ceilings, x, slack, prior, of_nodes, of_leaves)
            _joint(lines, noise, of_leaves[:n_leaves], x, y, base, prior, sums)
        if not held or not _all_at_least(sums, SMALLEST):
            n_nodes, n_leaves = descend_logs(children, slope, x, score, prior, of_nodes[:-1], of_leaves[:-1])
            _joint_logs(lines, noise, x, y, score, base, prior, sums)
        log_likelihood += _evidence(weight, neglect, base, sums, slack, limit)
        _products(x[:p], residual, first, second, pairs)
        active[:] = 0
        _shares(load_of, of_leaves[:n_leaves], sums, slack, prior, active)
        _moments(total, children, of_nodes[:n_nodes], limit, moved, spread, prior, active)
        count = _with_lanes(active[M:], chosen)
        add_terms(products, chosen[:count], pairs, prior, M, active)
        count = _with_lanes(active[:M], chosen)
        add_terms(curvature, chosen[:count], pairs, spread, 0, active)
        add_terms(gradient, chosen[:count], points, moved, 0, active)
    return log_likelihood


def line_sums(paths, slope, lines, variance, X, y, residual, weight, neglect):
    columns = in_one_piece(X)
    if columns is None:
        return NotImplemented
    p, K, M = X.shape[1], paths.n_leaves, paths.n_nodes
    first, second = _pairs(p)
    noise = 0.5 / variance, 0.5 * np.log(2.0 * np.pi * variance)
    products, curvature = (aligned(q, padded(len(first))) for q in (K, M))
    gradient, load_of, total, log_likelihood = aligned(M, padded(p)), np.zeros(K), np.zeros(M), 0.0
    space = (
        *_space(M, K, slope),
        aligned(M, LANES),
        aligned(M, LANES),
        aligned(LANES, gradient.shape[1]),
        aligned(LANES, products.shape[1]),
        aligned(8, LANES),
    )
    tree, wide_slope, wide_lines = _tree(paths, -noise[1]), wide(slope), wide(lines)
    if K <= FEW:
        tables = [((residual, y, weight), Block(np.empty((0, 0)), np.empty(0, dtype=np.intp), np.empty(0)))]
    else:
        surveyed = blocks(paths, slope, X, neglect, (residual, y, weight), (lines, *noise))
        tables = (((np.empty(0), np.empty(0), np.empty(0)), block) for _, block in surveyed)
    for others, block in tables:
        log_likelihood += _line_sums(
            tree, wide_slope, wide_lines, noise, block, (columns, *others), neglect, first, second, space,
            (products, load_of), (curvature, gradient, total),
        )  # fmt: skip
    n_pairs = len(first) - p - 1
    gram, cross, square = np.split(products[:, : len(first)], [n_pairs, n_pairs + p], axis=1)
    return log_likelihood, (load_of, gram, cross, square[:, 0]), (total, curvature[:, :n_pairs], gradient[:, :p])


def _pairs(p):
    """Pairs of columns as `upper_triangle` has them, then every column and the residual, whose number is p."""
    first, second = np.triu_indices(p)
    return np.append(first, np.arange(p + 1)), np.append(second, np.full(p + 1, p))


def _tree(paths, log_density):
    """Children, ceilings of the densities below branches relative to the largest, and its logarithm."""
    largest = log_density.max()
    return places(paths), np.exp(paths.ceilings(log_density) - largest), largest


def _space(M, K, slope):
    """Room for a group of lanes: of nodes and leaves, and for columns."""
    return aligned(M + K, LANES), aligned(wide(slope).shape[1], LANES)


def line_means(paths, slope, lines, X, neglect):
    if in_one_piece(X) is None:
        return NotImplemented
    mean, (children, ceilings, _) = np.empty(len(X)), _tree(paths, np.zeros(paths.n_leaves))
    space = *_space(paths.n_nodes, paths.n_leaves, slope), aligned(3, LANES)
    tree, p = (children, ceilings, wide(slope), wide(lines)), X.shape[1]
    for start, block in blocks(paths, slope, X, neglect):
        _line_means(tree, block, p, neglect, space, mean[start : start + len(block.order)])
    return mean


@kernel
def _line_means(tree, block, p, neglect, space, mean):
    children, ceilings, slope, lines = tree
    numbers, order, _ = block
    prior, x, lanes = space
    M, K, n = len(slope), len(lines), len(order)
    of_nodes, of_leaves = np.empty(M * STRIPS + 1, dtype=np.int64), np.empty(K * STRIPS + 1, dtype=np.int64)
    slack, total, found = lanes[0], lanes[1], lanes[2]
    for start in range(0, n, LANES):
        for lane in range(LANES):
            i = order[min(start + lane, n - 1)]
            for j in range(p):
                x[j, lane] = numbers[i, j]
            total[lane] = found[lane] = 0.0
            slack[lane] = SHARE * neglect
        _, n_leaves = descend(children, slope, ceilings, x, slack, prior, of_nodes, of_leaves)
        for visit in of_leaves[:n_leaves]:
            _add_means(lines, visit // STRIPS - M, x, visit % STRIPS * STRIP, prior, visit * STRIP, total, found)
        for lane in range(min(LANES, n - start)):
            mean[order[start + lane]] = found[lane] / total[lane]


@inline
def _add_means(lines, k, x, at, prior, place, total, found):
    a, b = strip_scores(lines, k, x, at)
    first, second, next_to = load(prior, place), load(prior, place + EIGHT), at + EIGHT
    store(total, at, load(total, at) + first)
    store(total, next_to, load(total, next_to) + second)
    store(found, at, load(found, at) + first * a)
    store(found, next_to, load(found, next_to) + second * b)
