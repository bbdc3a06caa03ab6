"""Array functions that all families use: weighted Gram matrices, scores, normalisation, moments.

Shapes: n rows, p design columns, q systems or experts. Arrays of shape (n, K) made here are stored column by column
(Fortran order): K is small and n is large, so reductions over experts then run along contiguous memory.
"""

import threading
from contextlib import contextmanager
from functools import cache

import numpy as np
import scipy.sparse as sp

from .engine import in_use, twinned

__all__ = [
    "column_pairs",
    "extremes",
    "linear_scores",
    "log_normalize",
    "moments",
    "pairs_shared",
    "rounding_step",
    "scored_cross",
    "symmetric",
    "upper_triangle",
    "weighted_cross",
    "weighted_gram",
    "weighted_pairs",
]

# Values that differ by less than this fraction of their size are equal but for round-off.
ROUND_OFF = 1e-12
# Up to one weight for so many columns, Gram matrices are formed one by one.
COLUMNS_A_WEIGHT = 3
# Most numbers among the products of pairs of columns that are held at a time.
MOST_PAIRS = 1 << 19
# Multiplications of a matrix product up to which, and columns up to which OpenBLAS has kernels for small matrices.
SMALL_PRODUCT, FEW_COLUMNS = 10**6, 16


@cache
def upper_triangle(size, k=0):
    """Indices of the upper triangle, as `np.triu_indices` makes them, for the many small matrices of a sweep."""
    return np.triu_indices(size, k)


@cache
def _places(p):
    """Where each entry of a symmetric matrix (p, p) stands in its upper triangle, 1-D."""
    place, upper = np.empty((p, p), dtype=np.intp), upper_triangle(p)
    place[upper] = place[upper[::-1]] = np.arange(len(upper[0]))
    return place.ravel()


def linear_scores(X, coef):
    """Linear predictors (n, q) of all systems, from X (n, p) and coef (q, p), by one matrix product.

    Parameters
    ----------
    X : ndarray or sparse matrix of shape (n, p)
    coef : ndarray of shape (q, p)

    Returns
    -------
    ndarray of shape (n, q)
        In Fortran's order: the predictors of a system stand together.

    Examples
    --------
    >>> import numpy as np
    >>> from hme.kernels import linear_scores
    >>> linear_scores(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[1.0, -1.0], [0.5, 0.0], [0.0, 1.0]]))
    array([[-1. ,  0.5,  2. ],
           [-1. ,  1.5,  4. ]])
    """
    if sp.issparse(X):
        return np.asfortranarray(X @ coef.T)
    n, size = X.shape[0], SMALL_PRODUCT // max(coef.size, 1)
    if not 256 <= size < n:
        return (coef @ X.T).T
    scores = np.empty((len(coef), n))
    for start in range(0, n, size):
        np.matmul(coef, X.T[:, start : start + size], out=scores[:, start : start + size])
    return scores.T


@twinned
def log_normalize(log_joint):
    """Bayes' rule on the log scale, in place: log p(y) and responsibilities from log p(k, y).

    Parameters
    ----------
    log_joint : ndarray of shape (n, K)
        Overwritten. Entries may be -inf; a row of nothing else has density zero, and all its responsibilities are zero.

    Returns
    -------
    log_density : ndarray of shape (n,)
        Logarithm of the sum over k of exp(log_joint), eq. (evidence).
    resp : ndarray of shape (n, K)
        In the memory of `log_joint`; every other row sums to one, eq. (responsibility).

    Examples
    --------
    >>> import numpy as np
    >>> from hme.kernels import log_normalize
    >>> log_density, resp = log_normalize(np.log([[0.1, 0.3], [0.2, 0.2]]))
    >>> np.exp(log_density).round(3)
    array([0.4, 0.4])
    >>> resp.round(3)
    array([[0.25, 0.75],
           [0.5 , 0.5 ]])
    """
    top = log_joint.max(axis=1)
    impossible = np.isneginf(top)
    if impossible.any():
        top[impossible] = 0.0
    log_joint -= top[:, None]
    np.exp(log_joint, out=log_joint)
    total = log_joint.sum(axis=1)
    log_joint /= np.where(impossible, 1.0, total)[:, None]
    with np.errstate(divide="ignore"):
        return np.log(total) + top, log_joint


class _Pairs(threading.local):
    """The block whose products of columns are shared in this thread, and the products once they are formed."""

    X, products = None, None


_pairs = _Pairs()


@contextmanager
def pairs_shared(X):
    """Within this context `weighted_gram` of the same array X forms the products of its columns only once.

    Gate and experts that see the same columns each ask for Gram matrices of every block. X must not change meanwhile.
    """
    before, _pairs.X, _pairs.products = (_pairs.X, _pairs.products), X, None
    try:
        yield
    finally:
        _pairs.X, _pairs.products = before


@twinned
def column_pairs(X):
    """Products of all pairs of columns, (p (p + 1) / 2, n), in the order of `upper_triangle`."""
    p, columns, stop = X.shape[1], X.T, 0
    products = np.empty((p * (p + 1) // 2, X.shape[0]))
    for j in range(p):
        start, stop = stop, stop + p - j
        np.multiply(columns[j:], columns[j], out=products[start:stop])
    return products


def _pairs_of(X):
    """`column_pairs`, which are kept if they are shared."""
    if _pairs.X is not X:
        return column_pairs(X)
    if _pairs.products is None:
        _pairs.products = column_pairs(X)
    return _pairs.products


def weighted_gram(X, W):
    """Weighted Gram matrices ``X.T @ diag(W[:, k]) @ X`` for all columns k of W at once.

    Parameters
    ----------
    X : ndarray or sparse matrix of shape (n, p)
    W : ndarray of shape (n, q)

    Returns
    -------
    ndarray of shape (q, p, p)

    Examples
    --------
    >>> import numpy as np
    >>> from hme.kernels import weighted_gram
    >>> X = np.array([[1.0, 1.0], [2.0, 1.0], [3.0, 1.0]])
    >>> weighted_gram(X, np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 2.0]]))[1]
    array([[18.,  6.],
           [ 6.,  2.]])
    """
    p, q = X.shape[1], W.shape[1]
    if sp.issparse(X):
        gram = np.empty((q, p, p))
        X = X.tocsr()
        transposed, row = X.T.tocsr(), np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
        for k in range(q):
            scaled = sp.csr_matrix((X.data * W[row, k], X.indices, X.indptr), shape=X.shape)
            gram[k] = (transposed @ scaled).toarray()
        return gram
    if COLUMNS_A_WEIGHT * q <= p:
        gram, scaled = np.empty((q, p, p)), np.empty((p, X.shape[0]))
        for k in range(q):
            np.multiply(X.T, W[:, k], out=scaled)
            np.matmul(scaled, X, out=gram[k])
        return gram
    return symmetric(weighted_pairs(X, W))


@twinned
def weighted_pairs(X, W):
    """Upper triangles (q, p (p + 1) / 2) of the Gram matrices of dense X (n, p) with weights W (n, q)."""
    # The products of columns are formed once, and all weights applied in one product.
    n_pairs, q = X.shape[1] * (X.shape[1] + 1) // 2, W.shape[1]
    flat, most = np.zeros((n_pairs, q)), max(MOST_PAIRS // max(n_pairs, 1), 256)
    if in_use():  # compiled products cost next to nothing if they stay in cache until they are used
        most = max(min(most, SMALL_PRODUCT // max(n_pairs * min(q, FEW_COLUMNS), 1)), 256)
    for start in range(0, X.shape[0], most):
        index = slice(start, start + most)
        flat += _small_products(_pairs_of(X[index] if X.shape[0] > most else X), W[index])
    return flat.T


def symmetric(pairs):
    """Matrices (q, p, p) from their upper triangles (q, p (p + 1) / 2)."""
    p = int(np.sqrt(2 * pairs.shape[1]))
    return np.take(pairs, _places(p), axis=1).reshape(len(pairs), p, p)


def _small_products(A, W):
    """``A @ W`` for A (m, n) and W (n, q) of many rows n, in pieces that BLAS has faster kernels for."""
    (m, n), q = A.shape, W.shape[1]
    size = SMALL_PRODUCT // max(m * min(q, FEW_COLUMNS), 1)
    if size < 256:
        return A @ W
    out = np.zeros((m, q))
    for first in range(0, q, FEW_COLUMNS):
        columns = slice(first, first + FEW_COLUMNS)
        for start in range(0, n, size):
            out[:, columns] += A[:, start : start + size] @ W[start : start + size, columns]
    return out


def weighted_cross(X, R):
    """``(X.T @ R).T``, (q, p), from X (n, p) and R (n, q).

    Parameters
    ----------
    X : ndarray or sparse matrix of shape (n, p)
    R : ndarray of shape (n, q)

    Returns
    -------
    ndarray of shape (q, p)

    Examples
    --------
    >>> import numpy as np
    >>> from hme.kernels import weighted_cross
    >>> weighted_cross(np.array([[1.0, 1.0], [2.0, 1.0]]), np.array([[10.0], [20.0]]))
    array([[50., 30.]])
    """
    return np.ascontiguousarray((X.T @ R).T)


@twinned
def scored_cross(X, W, score):
    """``weighted_cross`` (q, p) with W (n, q) times the scores (n,), which are the same for all columns of W."""
    return W.T @ (X.T * score).T


def moments(X, weight):
    """Weighted mean and standard deviation of the columns of X, dense or sparse, (p,) each.

    This is the test of whether a column is constant: its standard deviation is then exactly zero. It is constant if its
    values differ by no more than round-off, or only in rows of next to no weight.

    Parameters
    ----------
    X : ndarray or sparse matrix of shape (n, p)
    weight : ndarray of shape (n,)

    Returns
    -------
    mean, std : ndarray of shape (p,)

    Examples
    --------
    >>> import numpy as np
    >>> from hme.kernels import moments
    >>> moments(np.array([[1.0, 3.3], [3.0, 3.3]]), np.ones(2))
    (array([2. , 3.3]), array([1., 0.]))
    """
    total = weight.sum()
    low, high = extremes(X)
    if sp.issparse(X):
        mean, std = _sparse_moments(X, weight)
    else:
        mean, std = np.array([column @ weight for column in X.T]) / total, np.empty(X.shape[1])
        for j in range(X.shape[1]):  # column by column, to avoid a copy of X
            distance = X[:, j] - mean[j]
            shift = weight @ distance / total  # what rounding has left of the mean
            mean[j] += shift
            std[j] = np.sqrt(max(weight @ distance**2 / total - shift**2, 0.0))
    reach = high - low
    constant = (reach <= ROUND_OFF * np.maximum(np.abs(low), np.abs(high))) | (std <= ROUND_OFF * reach)
    return np.clip(mean, low, high), np.where(constant, 0.0, std)


def extremes(X):
    """Smallest and largest value of each column of X, dense or sparse, (p,) each."""
    if not sp.issparse(X):
        return X.min(axis=0).astype(float), X.max(axis=0).astype(float)
    return tuple(end(axis=0).toarray().ravel().astype(float) for end in (X.min, X.max))


def _sparse_moments(X, weight):
    """Weighted mean and standard deviation (p,), by distances from the mean as for dense columns."""
    X = X.tocsc(copy=True)
    X.sum_duplicates()
    stored, total = np.diff(X.indptr), weight.sum()
    own = weight[X.indices]
    column = np.repeat(np.arange(X.shape[1]), stored)
    # The weight of the zeros is exactly zero in a column that has none: a difference would leave round-off.
    zeros = np.where(stored < X.shape[0], total - np.bincount(column, own, X.shape[1]), 0.0)
    mean = np.bincount(column, own * X.data, X.shape[1]) / total
    squares = np.bincount(column, own * (X.data - mean[column]) ** 2, X.shape[1]) + np.maximum(zeros, 0.0) * mean**2
    return mean, np.sqrt(squares / total)


def rounding_step(y):
    """Step to which the values of y are rounded; a negligible number if they are not rounded.

    It is a low quantile of the gaps between neighbouring distinct values. If y is rounded to a grid, that is the step
    of the grid; otherwise it is a small fraction of range / n, whose square is far below any variance floor.

    Parameters
    ----------
    y : ndarray of shape (n,)

    Returns
    -------
    float

    Examples
    --------
    >>> import numpy as np
    >>> from hme.kernels import rounding_step
    >>> rounding_step(np.array([1.5, 2.0, 3.5, 2.0]))
    0.5
    """
    gaps = np.diff(np.unique(y))
    return float(np.quantile(gaps, 0.05, method="inverted_cdf")) if len(gaps) else 0.0
