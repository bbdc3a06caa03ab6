"""What each column adds to a change of a function along a straight line, eqs. (attribution) and (column-parts)."""

import numpy as np

__all__ = ["NODES", "along_scores", "balanced", "nodes_on_line", "of_index", "stepwise"]

PANEL = 8  # Gauss-Legendre nodes of a panel
NODES = 4, 16, 64  # panels, of which more are taken until the parts add up
SETTLED = 1e-9  # remainder of a probability at which they do
FLAT = 1e-9  # change of a linear predictor, relative to its terms, below which its slope is taken instead


def nodes_on_line(n_panels):
    """Places (m,) between 0 and 1 and weights (m,) of a composite Gauss-Legendre rule."""
    place, weight = np.polynomial.legendre.leggauss(PANEL)
    start = np.arange(n_panels)[:, None]
    return ((start + 0.5 * (place + 1.0)) / n_panels).ravel(), np.tile(0.5 * weight / n_panels, n_panels)


def balanced(parts, total):
    """Parts (..., J) that add up to a total (...) exactly: what is missing is shared in proportion to their sizes."""
    size = np.abs(parts)
    whole = size.sum(axis=-1, keepdims=True)
    share = np.divide(size, whole, out=np.zeros_like(parts), where=whole > 0)
    share[..., :1] += whole == 0  # nothing moves: what is left is rounding
    return parts + (total - parts.sum(axis=-1))[..., None] * share


def of_index(terms, change, slope):
    """Parts (n, J) of the change (n,) of a function of one linear predictor, whose terms change by `terms` (n, J).

    Along the line the predictor moves evenly, so that each column has its share of it. `slope` (n,) is the derivative
    of the function, for rows where the predictor does not change though its terms do.
    """
    total, size = terms.sum(axis=1), np.abs(terms).sum(axis=1)
    moves = np.abs(total) > FLAT * size
    factor = np.divide(change, total, out=np.where(size > 0, slope, 0.0), where=moves)
    return balanced(terms * factor[:, None], change)


def along_scores(gradient, start, end, values):
    """Parts (n, V, J) of the change of V functions from `start` to `end` (n, J), by integrated gradients.

    Parameters
    ----------
    gradient : callable
        ``gradient(points)`` with points (m, J) returns the derivatives by the columns, (m, V, J).
    start, end : ndarray of shape (n, J)
    values : pair of ndarray of shape (n, V)
        The functions at both ends.
    """
    distance, change = end - start, values[1] - values[0]
    parts, open_ = np.zeros((*change.shape, start.shape[1])), np.arange(len(start))
    for n_panels in NODES:  # more of them for rows whose parts do not add up yet
        found = 0.0
        for place, weight in zip(*nodes_on_line(n_panels), strict=True):
            found = found + weight * gradient(start[open_] + place * distance[open_])
        parts[open_] = found * distance[open_, None]
        remainder = np.abs(parts[open_].sum(axis=2) - change[open_])
        open_ = open_[(remainder > SETTLED * (1.0 + np.abs(change[open_]))).any(axis=1)]
        if not len(open_):
            break
    return balanced(parts, change)


def stepwise(evaluate, n_columns, moving, n_steps):
    """Parts (V, J) of the change of V functions of one row, which is moved in steps from a start to an end.

    In every step each column is moved alone, as the first and as the last one; what the columns do together is shared
    in proportion. For smooth functions these are integrated gradients, as steps grow short; they exist for trees too.

    Parameters
    ----------
    evaluate : callable
        Takes shares (m, J) of the way that the columns have gone, between 0 and 1, and returns values (m, V).
    n_columns : int
    moving : sequence of int
        The columns that change at all.
    n_steps : int
    """
    grid, moving = np.linspace(0.0, 1.0, n_steps + 1), np.asarray(moving, dtype=int)
    corners = np.repeat(grid[:, None], n_columns, axis=1)
    first = np.repeat(corners[:-1], len(moving), axis=0)
    last = np.repeat(corners[1:], len(moving), axis=0)
    own = np.arange(len(first)), np.tile(moving, n_steps)
    first[own], last[own] = np.repeat(grid[1:], len(moving)), np.repeat(grid[:-1], len(moving))
    values = evaluate(np.concatenate([corners, first, last]))
    V = values.shape[1]
    at, ahead, behind = np.split(values, [len(corners), len(corners) + len(first)])
    ahead = ahead.reshape(n_steps, len(moving), V) - at[:-1, None]
    behind = at[1:, None] - behind.reshape(n_steps, len(moving), V)
    parts = balanced(0.5 * (ahead + behind).transpose(0, 2, 1), np.diff(at, axis=0))
    out = np.zeros((V, n_columns))
    out[:, moving] = parts.sum(axis=0)
    return out
