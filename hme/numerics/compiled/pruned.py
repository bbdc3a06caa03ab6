"""Sums of a sweep, and means, over rows that visit only the branches and leaves which carry mass for them.

Rows go through the tree in groups of lanes, those of one likely leaf together, so that a group visits few nodes.
"""

import numpy as np

from .descent import LANES, SHARE, descend, descend_logs, log_lines, log_path, order_of, scores, wide
from .memory import aligned
from .scalars import exp, kernel, log, total_of

__all__ = ["line_means", "line_sums"]

PAD = 32  # numbers: loops over sums have no remainders
LEAST = -600.0  # logarithm of a prior, times a density relative to the largest, that may still count


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
def _below_density(parents, slope, lines, noise, likely, x, y, score, other, out):
    """Lower bounds of the log-densities of the lanes: the larger log-joint of the likely leaves of first and last."""
    (above_node, above_leaf), (half_precision, constant) = parents, noise
    for number in range(2):
        k = likely[number]
        if number == 1 and k == likely[0]:
            break
        own = out if number == 0 else other
        own[:] = 0.0
        log_lines(lines[k], half_precision[k], constant[k], x, y, score, own)
        log_path(above_node, above_leaf, slope, x, k, score, own)
        for lane in range(LANES):
            out[lane] = own[lane] if own[lane] > out[lane] else out[lane]


@kernel
def _in_range(base, shift, slack):
    """Whether exp(base + shift) holds its numbers for all lanes, which `slack` gets."""
    outside = 0
    for lane in range(LANES):
        value = base[lane] + shift
        outside += 0 if value >= LEAST else 1
        slack[lane] = exp(value)
    return outside == 0


@kernel
def _joint(lines, noise, leaves, n_leaves, x, y, score, base, leaf, total):
    """Priors of the leaves become joint densities, relative to exp(base)."""
    half_precision, constant = noise
    total[:] = 0.0
    for number in range(n_leaves):
        k = leaves[number]
        own, half, shift = leaf[k], half_precision[k], constant[k]
        scores(lines[k], x, score)
        for lane in range(LANES):
            residual = score[lane] - y[lane]
            own[lane] *= exp(-half * (residual * residual) - (shift + base[lane]))
            total[lane] += own[lane]


@kernel
def _joint_logs(lines, noise, leaves, n_leaves, x, y, score, base, leaf, total):
    """The same from log-priors; `base` gets the largest log-joints."""
    half_precision, constant = noise
    base[:] = -np.inf
    for number in range(n_leaves):
        k = leaves[number]
        own = leaf[k]
        log_lines(lines[k], half_precision[k], constant[k], x, y, score, own)
        for lane in range(LANES):
            base[lane] = own[lane] if own[lane] > base[lane] else base[lane]
    for lane in range(LANES):
        base[lane] = 0.0 if base[lane] == -np.inf else base[lane]
        total[lane] = 0.0
    for number in range(n_leaves):
        own = leaf[leaves[number]]
        for lane in range(LANES):
            own[lane] = exp(own[lane] - base[lane])
            total[lane] += own[lane]


@kernel
def _share(leaf, leaves, n_leaves, weight, neglect, base, total, slack):
    """Bayes' rule for the leaves that are reached: their joint densities become shares of the weight.

    The log-likelihood is returned. Shares are left out that add up to `neglect` at most.
    """
    log_likelihood = 0.0
    for lane in range(LANES):
        if weight[lane] > 0.0:
            log_likelihood += weight[lane] * (base[lane] + log(total[lane]) if total[lane] != 0.0 else -np.inf)
        slack[lane] = neglect * total[lane]
        total[lane] = weight[lane] / total[lane] if total[lane] != 0.0 else 0.0
    for number in range(n_leaves):
        own = leaf[leaves[number]]
        for lane in range(LANES):
            value = own[lane]
            cut = value <= SHARE * slack[lane]
            slack[lane] -= value if cut else 0.0
            own[lane] = 0.0 if cut else value * total[lane]
    return log_likelihood


@kernel
def _moments(children, node, leaf, above, second, moved, spread):
    """Mass of a node, and what its second branch's mass exceeds its expectation by, and its variance."""
    low, high = children[0], children[1]
    left = node[low] if low > 0 else leaf[~low]
    right = node[high] if high > 0 else leaf[~high]
    for lane in range(LANES):
        after = right[lane]
        above[lane] = left[lane] + after
        expected = above[lane] * second[lane]
        moved[lane] = after - expected
        spread[lane] = expected * (1.0 - second[lane])


@kernel
def _with_mass(share, size, active):
    """How many lanes have mass; their numbers go into `active`, and three times the last one more."""
    count = 0
    for lane in range(size):
        active[count] = lane
        count += 1 if share[lane] != 0.0 else 0
    last = active[max(count - 1, 0)]
    for number in range(count, count + 3):
        active[number] = last
    return count


@kernel
def _add(sums, share, terms, active, count):
    """Add terms (LANES, q) of the lanes that have mass, times their shares, to sums (q,): four lanes at a time."""
    for first in range(0, count, 4):
        left = count - first
        a, b, c, d = active[first], active[first + 1], active[first + 2], active[first + 3]
        one, two, three, four = terms[a], terms[b], terms[c], terms[d]
        of_one, of_two = share[a], share[b] if left > 1 else 0.0
        of_three, of_four = share[c] if left > 2 else 0.0, share[d] if left > 3 else 0.0
        for j in range(sums.size):
            sums[j] += of_one * one[j] + of_two * two[j] + of_three * three[j] + of_four * four[j]


@kernel
def _line_sums(tree, slope, lines, noise, rows, order, likely, neglect, first, second, space, of_lines, of_nodes):
    """See `line_sums`; the log-likelihood."""
    children, ceilings, largest, parents = tree
    columns, y, residual, weight = rows
    node, leaf, branch, x, points, pairs, lanes = space
    (products, load), (curvature, gradient, total) = of_lines, of_nodes
    (M, _), K, n = slope.shape, len(lines), len(y)
    nodes, leaves = np.empty(M, dtype=np.int64), np.empty(K, dtype=np.int64)
    active = np.empty(LANES + 3, dtype=np.int64)
    # By numbers: rows that an array is unpacked to have no known stride, and loops over them are not vectorised.
    score, target, left_over, own_weight, base = lanes[0], lanes[1], lanes[2], lanes[3], lanes[4]
    sums, slack, moved, spread = lanes[5], lanes[6], lanes[7], lanes[8]
    log_likelihood, shift = 0.0, np.log(neglect) - largest
    for start in range(0, n, LANES):
        size = min(LANES, n - start)
        for lane in range(LANES):
            i = order[start + min(lane, size - 1)]
            for j in range(len(columns)):
                x[j, lane] = columns[j, i]
            target[lane], left_over[lane] = y[i], residual[i]
            own_weight[lane] = weight[i] if lane < size else 0.0
        ends = likely[order[start]], likely[order[start + size - 1]]
        _below_density(parents, slope, lines, noise, ends, x, target, score, sums, base)
        if _in_range(base, shift, slack):
            n_nodes, n_leaves = descend(children, slope, ceilings, x, slack, score, node, leaf, branch, nodes, leaves)
            _joint(lines, noise, leaves, n_leaves, x, target, score, base, leaf, sums)
        else:
            n_nodes, n_leaves = descend_logs(children, slope, x, score, node, leaf, branch, nodes, leaves)
            _joint_logs(lines, noise, leaves, n_leaves, x, target, score, base, leaf, sums)
        log_likelihood += _share(leaf, leaves, n_leaves, own_weight, neglect, base, sums, slack)
        _products(x[: len(columns)], left_over, first, second, points, pairs)
        for number in range(n_leaves):
            k = leaves[number]
            _add(products[k], leaf[k], pairs, active, _with_mass(leaf[k], size, active))
            load[k] += total_of(leaf[k])
        for number in range(n_nodes - 1, -1, -1):
            m = nodes[number]
            _moments(children[m], node, leaf, node[m], branch[m], moved, spread)
            count = _with_mass(node[m], size, active)
            total[m] += total_of(node[m])
            _add(curvature[m], spread, pairs, active, count)
            _add(gradient[m], moved, points, active, count)
    return log_likelihood


def line_sums(paths, slope, lines, variance, X, y, residual, weight, neglect):
    columns = X.T
    if not columns.flags.c_contiguous or columns.dtype != np.float64:
        return NotImplemented
    p, K, M = len(columns), paths.n_leaves, paths.n_nodes
    first, second = _pairs(p)
    order, likely = order_of(paths, slope, columns)
    noise = 0.5 / variance, 0.5 * np.log(2.0 * np.pi * variance)
    products, curvature = (aligned(q, _padded(len(first))) for q in (K, M))
    gradient, load, total = aligned(M, _padded(p + 1)), np.zeros(K), np.zeros(M)
    space = (
        *_space(M, K, slope),
        aligned(LANES, gradient.shape[1]),
        aligned(LANES, products.shape[1]),
        aligned(9, LANES),
    )
    log_likelihood = _line_sums(
        (*_tree(paths, -noise[1]), paths.parents), wide(slope), wide(lines), noise,
        (columns, y, residual, weight), order, likely, neglect, first, second, space,
        (products, load), (curvature, gradient, total),
    )  # fmt: skip
    n_pairs = len(first) - p - 1
    gram, cross, square = np.split(products[:, : len(first)], [n_pairs, n_pairs + p], axis=1)
    return log_likelihood, (load, gram, cross, square[:, 0]), (total, curvature[:, :n_pairs], gradient[:, :p])


def _pairs(p):
    """Pairs of columns as `upper_triangle` has them, then every column and the residual, whose number is p."""
    first, second = np.triu_indices(p)
    return np.append(first, np.arange(p + 1)), np.append(second, np.full(p + 1, p))


def _padded(size):
    return -(-size // PAD) * PAD


def _tree(paths, log_density):
    """Children, ceilings of the densities below branches relative to the largest, and its logarithm."""
    largest = log_density.max()
    return paths.children, np.exp(paths.ceilings(log_density) - largest), largest


def _space(M, K, slope):
    """Room for a group of lanes: priors of nodes and leaves, probabilities of second branches, and columns."""
    return aligned(M, LANES), aligned(K, LANES), aligned(M, LANES), aligned(wide(slope).shape[1], LANES)


def line_means(paths, slope, lines, X, neglect):
    columns = X.T
    if not columns.flags.c_contiguous or columns.dtype != np.float64:
        return NotImplemented
    order, _ = order_of(paths, slope, columns)
    mean, (children, ceilings, _) = np.empty(columns.shape[1]), _tree(paths, np.zeros(paths.n_leaves))
    space = *_space(paths.n_nodes, paths.n_leaves, slope), aligned(4, LANES)
    _line_means(children, ceilings, wide(slope), wide(lines), columns, order, neglect, space, mean)
    return mean


@kernel
def _line_means(children, ceilings, slope, lines, columns, order, neglect, space, mean):
    node, leaf, branch, x, lanes = space
    M, K, n = len(slope), len(lines), len(mean)
    nodes, leaves = np.empty(M, dtype=np.int64), np.empty(K, dtype=np.int64)
    score, slack, total, found = lanes[0], lanes[1], lanes[2], lanes[3]
    for start in range(0, n, LANES):
        size = min(LANES, n - start)
        for lane in range(LANES):
            i = order[start + min(lane, size - 1)]
            for j in range(len(columns)):
                x[j, lane] = columns[j, i]
            total[lane] = found[lane] = 0.0
            slack[lane] = neglect
        _, n_leaves = descend(children, slope, ceilings, x, slack, score, node, leaf, branch, nodes, leaves)
        for number in range(n_leaves):
            k = leaves[number]
            scores(lines[k], x, score)
            prior = leaf[k]
            for lane in range(LANES):
                total[lane] += prior[lane]
                found[lane] += prior[lane] * score[lane]
        for lane in range(size):
            mean[order[start + lane]] = found[lane] / total[lane]
