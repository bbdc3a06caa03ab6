"""Observed information: scores, and the exact Hessian of the log-likelihood of a mixture."""

from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from ..model.rows import BLOCK_ROWS
from ..numerics.kernels import weighted_cross, weighted_gram
from .layout import INTERCEPT, Label, Layout

__all__ = ["INTERCEPT", "Information", "Label", "Layout", "combined", "observe"]

BLOCK_NUMBERS = 1 << 22  # numbers that a block's arrays may hold


class Information(NamedTuple):
    """The information in the data about the F free coordinates, at the parameters of a layout."""

    hessian: np.ndarray  # (F, F) of the log-likelihood, eq. (louis)
    penalty: np.ndarray  # (F, F), Hessian of the log-density of priors and penalties
    meat: np.ndarray  # (F, F), sum of outer products of the scores of rows, or of clusters, eq. (meat)
    gradient: np.ndarray  # (F,) of the penalised log-likelihood
    score: np.ndarray  # (F,) of the log-likelihood
    weight: float  # of the rows, or of their groups
    size: float  # number of rows or groups, however they are weighted
    n_clusters: Any = None  # None without clusters


# -- information -----------------------------------------------------------------------------------------------------


def observe(mixture, params, rows, layout, clusters=None, repeats=None):
    """Scores and the exact Hessian of the log-likelihood of rows, by Louis' identity, eq. (louis).

    Parameters
    ----------
    mixture : Mixture
    params : Params
    rows : Rows
        With y; a weight of two is the row twice.
    layout : Layout
        Of the same mixture and parameters.
    clusters : array-like of shape (n,) or None, default=None
        Rows of one cluster may be dependent: their scores are summed before products are taken. Rows of a group are
        one unit in any case.
    repeats : ndarray of shape (n,) or None, default=None
        How many independent units each row stands for, eq. (weighted-meat); None stands for its weight.

    Returns
    -------
    Information
        Its log-likelihood part adds over tables, see `combined`. Rows whose y no leaf can have produced do not count.

    Raises
    ------
    ValueError
        For the layout of other parameters, and for clusters that cut a group or are not one for each row.

    References
    ----------
    Louis, T. A. (1982). Finding the observed information matrix when using the EM algorithm. Journal of the Royal
    Statistical Society B 44(2), 226-233, eq. 3.2.

    Jordan, M. I. and Xu, L. (1995). Convergence results for the EM approach to mixtures of experts architectures.
    Neural Networks 8(9), 1409-1431, section 2, for the parts of the complete log-likelihood.

    Examples
    --------
    >>> import numpy as np
    >>> from hme import HMERegressor
    >>> from hme.model.features import Tables
    >>> from hme.inference.information import Layout, observe
    >>> X = np.linspace(-1, 1, 100)[:, None]
    >>> y = np.abs(X[:, 0]) + 0.1 * np.cos(50 * X[:, 0])
    >>> model = HMERegressor(n_experts=2).fit(X, y)
    >>> rows = model.columns_.rows(Tables(X, X), y=y[:, None], weight=np.ones(100))
    >>> mixture, params = model.model_, model.params_
    >>> layout = Layout.of(mixture, params, model.columns_, mixture.e_step(params, rows)[1])
    >>> information = observe(mixture, params, rows, layout)
    >>> information.hessian.shape, information.weight
    ((8, 8), 100.0)
    >>> bool((np.linalg.eigvalsh(information.hessian + information.penalty) < 0).all())
    True
    """
    if params is not layout.params:
        raise ValueError("params must be those of the layout.")
    if rows.weight is None:
        rows = rows._replace(weight=np.ones(rows.n_rows))
    codes, n_clusters = _cluster_codes(clusters, rows)
    size = sum(int(side.widths().sum()) for side in layout.sides)
    hessian, outer, score, total = np.zeros((size, size)), np.zeros((size, size)), np.zeros(size), np.zeros(2)
    meat = outer if repeats is None else np.zeros((size, size))
    to_free = (layout._computed @ layout._free).tocsr()
    sums = None if codes is None else np.zeros((n_clusters, layout.n_free))
    for index, block in rows.blocks(_block_rows(layout)):
        heads = block.heads()
        log_density, resp = mixture.posterior(params, block)
        seen = np.isfinite(log_density)
        weight, resp = np.where(seen, heads.weight, 0.0), np.where(seen[:, None], resp, 0.0)
        own = _block_scores(layout, block, heads, resp, weight, hessian)
        root = own * np.sqrt(weight)[:, None]
        outer += root.T @ root  # a product of a matrix with itself takes half the time
        if repeats is not None:
            own_repeats = repeats[index] if block.group is None else repeats[index][block.firsts()]
            whole = own * (weight / np.sqrt(own_repeats))[:, None]
            meat += whole.T @ whole
        score += weight @ own
        total += heads.weight.sum(), heads.n_rows
        if codes is not None:
            inside = codes[index] if block.group is None else codes[index][block.firsts()]
            first, inverse = np.unique(inside, return_inverse=True)
            member = sp.csr_matrix((np.ones(len(inverse)), (inverse, np.arange(len(inverse)))))
            sums[first] += (member @ (own * weight[:, None])) @ to_free
    hessian = _project(hessian - outer, to_free) + layout.bent(score)
    gradient, penalty = layout.prior()
    score = to_free.T @ score
    meat = _project(meat, to_free) if codes is None else sums.T @ sums
    return Information(hessian, penalty, meat, score + gradient, score, *map(float, total), n_clusters)


def combined(parts):
    """The information of several tables of independent rows together.

    Parameters
    ----------
    parts : sequence of Information
        Of the same layout. No cluster may have rows in two of them.

    Returns
    -------
    Information

    Examples
    --------
    >>> import numpy as np
    >>> from hme import HMERegressor
    >>> from hme.model.features import Tables
    >>> from hme.inference.information import Layout, combined, observe
    >>> X = np.linspace(-1, 1, 100)[:, None]
    >>> y = np.abs(X[:, 0]) + 0.1 * np.cos(50 * X[:, 0])
    >>> model = HMERegressor(n_experts=2).fit(X, y)
    >>> rows = model.columns_.rows(Tables(X, X), y=y[:, None], weight=np.ones(100))
    >>> mixture, params = model.model_, model.params_
    >>> layout = Layout.of(mixture, params, model.columns_, mixture.e_step(params, rows)[1])
    >>> halves = [observe(mixture, params, part, layout) for part in (rows[:40], rows[40:])]
    >>> bool(np.allclose(combined(halves).hessian, observe(mixture, params, rows, layout).hessian))
    True
    """
    first = parts[0]
    score = sum(part.score for part in parts)
    clusters = None if first.n_clusters is None else sum(part.n_clusters for part in parts)
    return first._replace(
        hessian=sum(part.hessian for part in parts),
        meat=sum(part.meat for part in parts),
        gradient=first.gradient - first.score + score,
        score=score,
        weight=sum(part.weight for part in parts),
        size=sum(part.size for part in parts),
        n_clusters=clusters,
    )


def _cluster_codes(clusters, rows):
    """Numbers (n,) of the clusters and how many there are."""
    if clusters is None:
        return None, None
    clusters = np.asarray(clusters)
    if clusters.shape != (rows.n_rows,):
        raise ValueError(f"clusters has shape {clusters.shape}; it must be (rows,) = ({rows.n_rows},).")
    names, codes = np.unique(clusters, return_inverse=True)
    if rows.group is not None and (rows.spread(codes[rows.firsts()]) != codes).any():
        raise ValueError("clusters differ within a group; a group must belong to one cluster.")
    return codes, len(names)


def _block_rows(layout):
    """Rows of a block whose arrays stay within bounds."""
    each = 1
    for side in layout.sides:
        Q, S, p = side.shape
        widths = side.widths()
        if side.kind == "gate":
            J = int(widths.sum()) // max(p, 1)
            each += layout.n_leaves * J + J * J + int(widths.sum())
        else:
            d = (S - 1 if side.coordinates.contrast else S) + side.n_scalars
            each += Q * d * (d if side.kind == "expert" else 1) + int(widths.sum())
    return int(np.clip(BLOCK_NUMBERS // each, 64, BLOCK_ROWS))


def _project(matrix, to_free):
    """``A' matrix A`` of a symmetric matrix, symmetric to the last digit."""
    out = to_free.T @ (to_free.T @ matrix).T
    return 0.5 * (out + out.T)


def _block_scores(layout, block, heads, resp, weight, hessian):
    """Scores (heads, P) of a block; the second derivatives of its log-joint densities are added to the Hessian."""
    size = len(hessian)
    scores = np.zeros((heads.n_rows, size))
    K = resp.shape[1]
    weighted = resp * weight[:, None]
    own = [[] for _ in range(K)]  # of every leaf: the numbers of its coordinates and their scores
    for side in layout.sides:
        if side.kind == "gate":
            continue
        starts = side.computed + np.append(0, np.cumsum(side.widths()))
        part = _expert_part if side.kind == "expert" else _leaf_part
        for i, values in enumerate(part(layout, side, block, heads, resp, weight, hessian, starts)):
            own[side.leaves[i]].append((slice(starts[i], starts[i + 1]), values))
    gate = next((side for side in layout.sides if side.kind == "gate"), None)
    if gate is not None:
        first_gate, place, Z = _gate_part(gate, heads, resp, weight, scores, hessian)
    for leaf in range(K):
        for where, values in own[leaf]:
            scores[:, where] += resp[:, leaf, None] * values
            pulled = weighted[:, leaf, None] * values
            for other, others in own[leaf]:
                hessian[where, other] += pulled.T @ others
            if gate is not None and len(place):
                path = np.flatnonzero(first_gate[:, leaf].any(axis=0))
                crossed = (first_gate[:, leaf][:, path, None] * Z[:, None]).reshape(len(Z), len(path) * Z.shape[1])
                block_ = pulled.T @ crossed
                columns = place[path].ravel()
                hessian[where, columns] += block_
                hessian[columns, where] += block_.T
    return scores


def _expert_part(layout, side, block, heads, resp, weight, hessian, starts):
    """Scores (heads, D) of each expert of a side, whose second derivatives are added to the Hessian."""
    share = block.spread(resp[:, side.leaves])
    with np.errstate(all="ignore"):  # derivatives are left out where an expert has no responsibility
        first, second = side.family.derivatives(side.params, layout.mixture.expert.rows_of(side.number, block))
    unused = share <= 0
    if unused.any():
        first = np.where(unused[:, :, None], 0.0, first)
        second = np.where(unused[:, :, None, None], 0.0, second)
    p = side.shape[2]
    L, X = first.shape[2] - side.n_scalars, _dense(block.X[:, -p:]) if p else None
    _add_curvature(hessian, starts, X, share * block.spread(weight)[:, None], second, L, p)
    for i in range(len(side.leaves)):
        parts = [first[:, i, L:]]
        if p:
            parts.insert(0, (first[:, i, :L, None] * X[:, None]).reshape(len(X), L * p))
        yield block.pooled(np.concatenate(parts, axis=1))


def _leaf_part(layout, side, block, heads, resp, weight, hessian, starts):
    """The same as `_expert_part` for the scalars that a gate has of each leaf."""
    first, second = side.family.leaf_derivatives(side.params, heads, resp * weight[:, None])
    for i in range(len(side.leaves)):
        own = slice(starts[i], starts[i + 1])
        hessian[own, own] += second[i]
        yield first[:, i]


def _gate_part(side, heads, resp, weight, scores, hessian):
    """Scores of the gate and its own part of the Hessian; its first derivatives (heads, K, J) and their places."""
    p = side.shape[2]
    first, second = side.family.derivatives(side.params, heads, resp)
    J = first.shape[2]
    place = side.computed + np.arange(J * p).reshape(J, p)
    Z = _dense(heads.Z[:, -p:])
    if not J:
        return first, place, Z
    score = np.einsum("nk,nkj->nj", resp, first)
    scores[:, place.ravel()] = (score[:, :, None] * Z[:, None]).reshape(len(Z), J * p)
    second = second + np.swapaxes(first * resp[:, :, None], 1, 2) @ first
    upper = np.triu_indices(J)
    pairs = second[:, upper[0], upper[1]] * weight[:, None]
    there = np.flatnonzero(pairs.any(axis=0))
    for number, gram in zip(there, _grams(Z, np.asfortranarray(pairs[:, there])), strict=True):
        a, b = place[upper[0][number]], place[upper[1][number]]
        hessian[a[0] : a[-1] + 1, b[0] : b[-1] + 1] += gram
        if a[0] != b[0]:
            hessian[b[0] : b[-1] + 1, a[0] : a[-1] + 1] += gram
    return first, place, Z


def _add_curvature(hessian, starts, X, share, second, L, p):
    """Add the sums over rows of second derivatives (n, Q, d, d), by linear predictors L first, then by scalars."""
    n, Q, d, _ = second.shape
    weighted = second * share[:, :, None, None]
    for a in range(d):
        for b in range(a, d):
            values = np.asfortranarray(weighted[:, :, a, b])
            if not values.any():
                continue
            if b < L:
                sums = _grams(X, values)
            elif a < L:
                sums = weighted_cross(X, values)[:, :, None]
            else:
                sums = values.sum(axis=0)[:, None, None]
            for q in range(Q):
                row = starts[q] + (a * p if a < L else L * p + a - L)
                column = starts[q] + (b * p if b < L else L * p + b - L)
                rows, columns = slice(row, row + sums.shape[1]), slice(column, column + sums.shape[2])
                hessian[rows, columns] += sums[q]
                if a != b:
                    hessian[columns, rows] += sums[q].T


def _grams(X, W):
    """`weighted_gram` that never builds more products of columns than there are weights."""
    step = X.shape[1] if X.shape[1] > 64 else W.shape[1]
    parts = [weighted_gram(X, W[:, start : start + step]) for start in range(0, W.shape[1], max(step, 1))]
    return np.concatenate(parts) if parts else np.zeros((0, X.shape[1], X.shape[1]))


def _dense(X):
    return X.toarray() if sp.issparse(X) else X
