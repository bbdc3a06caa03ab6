"""The way of a group of rows down a tree: only branches that carry mass for some row are followed, eq. (pruning).

Priors are products of branch probabilities, relative to which everything is measured; where the density of a row is so
small that such products might not hold its numbers, a group goes down with logarithms instead.
"""

import numpy as np

from .scalars import exp, kernel, log1p_unit

__all__ = ["LANES", "descend", "descend_logs", "log_lines", "log_path", "order_of", "scores", "wide"]

LANES = 64
LARGEST = 700.0  # exponent
SHARE = 0.25  # of what may still be left out of a row, that one branch or leaf may take


def wide(coef):
    """Coefficients with columns of zeros, so that their number is a multiple of four."""
    return np.pad(coef, ((0, 0), (0, -coef.shape[1] % 4)))


def order_of(paths, slope, columns):
    """Rows of a likely leaf together, and these leaves."""
    likely = np.empty(columns.shape[1], dtype=np.int32)
    _likely_leaves(paths.children, slope, columns, likely)
    return np.argsort(likely.astype(np.min_scalar_type(paths.n_leaves)), kind="stable"), likely


@kernel
def _likely_leaves(children, slope, columns, leaf):
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
def scores(coef, x, out):
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
def log_lines(line, half_precision, constant, x, y, score, out):
    """Add the log-density of a line with Gaussian noise to `out`."""
    scores(line, x, score)
    for lane in range(LANES):
        residual = score[lane] - y[lane]
        out[lane] -= half_precision * (residual * residual) + constant


@kernel
def log_path(above_node, above_leaf, slope, x, k, score, out):
    """Add the log-prior of leaf k to `out`."""
    m, b = above_leaf[k]
    while m >= 0:
        scores(slope[m], x, score)
        for lane in range(LANES):
            s = score[lane] if b == 1 else -score[lane]
            out[lane] += (0.0 if s > 0.0 else s) - log1p_unit(exp(-abs(s)))
        m, b = above_node[m]


@kernel
def _split(score, above, second, left, right):
    """Priors below a node, and the probability of its second branch."""
    for lane in range(LANES):
        turned = -score[lane]
        odds = exp(LARGEST if turned > LARGEST else turned)
        probability = 1.0 / (1.0 + odds)
        second[lane] = probability
        right[lane] = above[lane] * probability
        left[lane] = odds * right[lane]


@kernel
def _left_out(below, ceiling, slack):
    """Whether a branch is left out for all lanes: it has little of what may still be, which is then less."""
    followed = 0
    for lane in range(LANES):
        followed += 0 if below[lane] * ceiling <= SHARE * slack[lane] else 1  # nan is followed
    if followed > 0:
        return False
    for lane in range(LANES):
        slack[lane] -= below[lane] * ceiling
        below[lane] = 0.0
    return True


@kernel
def descend(children, slope, ceilings, x, slack, score, node, leaf, branch, nodes, leaves):
    """Go down from the root; counts of nodes and leaves that are reached, whose numbers go into `nodes` and `leaves`.

    `node` and `leaf` get the priors of what is reached, `branch` the probabilities of second branches. `ceilings`
    (M, 2) bound the densities below the branches, and `slack` is how much prior times ceiling may be left out.
    """
    n_nodes, n_leaves, number = 1, 0, 0
    nodes[0] = 0
    node[0] = 1.0
    while number < n_nodes:
        m = nodes[number]
        number += 1
        scores(slope[m], x, score)
        low, high = children[m, 0], children[m, 1]
        left = node[low] if low > 0 else leaf[~low]
        right = node[high] if high > 0 else leaf[~high]
        _split(score, node[m], branch[m], left, right)
        for b in range(2):
            child = children[m, b]
            if _left_out(left if b == 0 else right, ceilings[m, b], slack):
                continue
            if child > 0:
                nodes[n_nodes] = child
                n_nodes += 1
            else:
                leaves[n_leaves] = ~child
                n_leaves += 1
    return n_nodes, n_leaves


@kernel
def _split_logs(score, above, second, left, right):
    for lane in range(LANES):
        s = score[lane]
        e = exp(-abs(s))
        before = above[lane] - log1p_unit(e)
        larger = 1.0 / (1.0 + e)
        second[lane] = larger if s > 0.0 else e * larger
        left[lane] = before - s if s > 0.0 else before
        right[lane] = before if s > 0.0 else before + s


@kernel
def descend_logs(children, slope, x, score, node, leaf, branch, nodes, leaves):
    """As `descend`, with logarithms of priors; no branch is left out."""
    for m in range(len(nodes)):
        nodes[m] = m
        if m == 0:
            node[0] = 0.0
        scores(slope[m], x, score)
        low, high = children[m, 0], children[m, 1]
        left = node[low] if low > 0 else leaf[~low]
        right = node[high] if high > 0 else leaf[~high]
        _split_logs(score, node[m], branch[m], left, right)
    for k in range(len(leaves)):
        leaves[k] = k
    return len(nodes), len(leaves)
