"""Which columns of a wide table a model tree looks at: score tests of all splits at once, interactions included."""

import numpy as np

from ..numerics.kernels import linear_scores
from ..numerics.systems import whitener
from ..numerics.wide import grams, is_wide
from .regions import dense, targets_of

__all__ = ["LEVELS", "narrowed", "promising_splits", "useful_columns"]

LEVELS = np.linspace(0.1, 0.9, 9)  # quantiles that are tried as thresholds
BLOCK = 64  # columns whose thresholds are computed at a time
LARGEST_SQUARE = 9.0  # of a standardised residual, so that a single row does not decide about the variances
DIGITS = 9  # of a score; the others are round-off, which must not choose between equal columns
# Columns of a wide sparse table that starts see: those of the largest coefficients in a fit of all rows, and as many of
# others that change what is left over, or the effects of the first so many of these.
SEEN, LEADING = 32, 12
BELOW_ONE = 1.0 - 1e-12  # factor on levels, so that round-off does not decide where a cumulative weight equals one


def promising_splits(X, Z, R, weight, ridge, n_columns):
    """The columns with the most promising splits of a region, in ascending order, eq. (split-score).

    The score of a split is that of the test whether the coefficients or the variance of the region's linear fit change
    across it, without a fit on either side. It is zero if and only if neither does.

    Parameters
    ----------
    X : ndarray of shape (n, q)
        Columns that may be split.
    Z : ndarray of shape (n, p)
        Columns of the fit, intercept last.
    R : ndarray of shape (n, T)
        Residuals of the fit.
    weight : ndarray of shape (n,)
    ridge : ndarray of shape (p, p)
        Penalty of the fit.
    n_columns : int
        How many columns to return.
    """
    if X.shape[1] <= n_columns:
        return np.arange(X.shape[1])
    total = weight.sum()
    white = Z @ whitener(Z.T @ (Z * weight[:, None]) + ridge).T
    standard = R / _root_mean_square(R, weight)
    squares = np.minimum(standard**2, LARGEST_SQUARE)
    squares = (squares - weight @ squares / total) / np.sqrt(2.0 * total)
    effects = np.concatenate([white * column[:, None] for column in standard.T] + [squares], axis=1)
    effects, score = effects * weight[:, None], np.zeros(X.shape[1])
    for columns, below in _splits(X, weight, LEVELS):
        score[columns] = np.maximum(score[columns], ((below @ effects) ** 2).sum(axis=1))
    return _largest(score, n_columns)


def useful_columns(X, Z, R, coef, weight, n_columns):
    """The columns of a fit that are worth keeping in those on both sides of a split, in ascending order.

    These are the columns with large coefficients in the fit of all rows, and those whose coefficients change most
    across some split of some column, eq. (split-score) for one coefficient alone; the latter may be zero in the fit of
    all rows.

    Parameters
    ----------
    X : ndarray of shape (n, q)
        Columns that may be split.
    Z : ndarray of shape (n, p)
        Columns of the fit, standardised, without the intercept.
    R : ndarray of shape (n, T)
        Residuals of the fit.
    coef : ndarray of shape (p, T)
    weight : ndarray of shape (n,)
    n_columns : int
        How many columns to return.
    """
    total, spread = weight.sum(), _root_mean_square(R, weight)
    score = total * ((coef / spread) ** 2).sum(axis=1)
    effects = [Z * (weight * column)[:, None] / np.sqrt(total) for column in (R / spread).T]
    for _, below in _splits(X, weight, LEVELS[1::3]):
        score = np.maximum(score, sum((below @ effect) ** 2 for effect in effects).max(axis=0, initial=0.0))
    return _largest(score, n_columns)


def narrowed(rows):
    """The rows with the most useful columns of a wide sparse table alone; any other rows as they are.

    Starts cut along columns and fit lines to them, for which a wide table would have to be an array. A column is useful
    if its coefficient is large in the ridge fit of all rows, or if the squared residuals of that fit, or their products
    with one of its leading columns, have a large covariance with it: such a column separates lines, eq. (wide-screen).
    """
    if not (is_wide(rows.X) or is_wide(rows.Z)):
        return rows
    X, Z = rows.X, rows.Z
    leading, own = _ranked(X, rows)
    scores = _interactions(X, rows, leading, own)
    fitted = _kept(X, np.union1d(leading, _largest(scores, SEEN)))
    if Z is X:
        return rows._replace(X=fitted, Z=fitted)
    return rows._replace(X=fitted, Z=_kept(Z, _largest(_interactions(Z, rows, leading, own), 2 * SEEN)))


def _ranked(X, rows):
    """Numbers of the columns with the largest coefficients in a ridge fit of all rows, and its residuals (n, T)."""
    Y, weight = targets_of(rows), rows.weight
    Y = Y - np.average(Y, axis=0, weights=weight)
    Y = Y / _root_mean_square(Y, weight)
    if not is_wide(X):
        return np.arange(min(X.shape[1] - 1, LEADING)), Y
    gram, ridge = grams(X, weight[:, None], (1,)), np.full(X.shape[1], float(X.shape[1]))
    ridge[-1] = 0.0
    right = np.ascontiguousarray((X.T @ (Y * weight[:, None])).T)
    coef = gram.solve(ridge, right)
    return _largest(np.abs(coef[:, :-1]).max(axis=0), SEEN), Y - linear_scores(X, coef)


def _interactions(X, rows, leading, left):
    """How much each column of X goes with squared residuals, or with their products with leading columns, (p,)."""
    weight = rows.weight
    columns = dense(_kept(rows.X, leading[:LEADING]), weight)[:, :-1]
    squares = np.minimum((left / _root_mean_square(left, weight)) ** 2, LARGEST_SQUARE)
    effects = np.concatenate([squares, *(left[:, [t]] * columns for t in range(left.shape[1]))], axis=1)
    effects = effects - np.average(effects, axis=0, weights=weight)
    effects = effects / _root_mean_square(effects, weight)
    return np.abs(X.T @ (effects * weight[:, None]))[:-1].max(axis=1)


def _kept(X, columns):
    """Some columns of a design, and its intercept."""
    return X[:, np.append(columns, X.shape[1] - 1)]


def _splits(X, weight, levels):
    """For blocks of columns and each level, which rows are below the threshold, centred and scaled (columns, n).

    Of their products with numbers that do not change across a split, all have the same size.
    """
    for start in range(0, X.shape[1], BLOCK):
        columns = slice(start, start + BLOCK)
        block = np.ascontiguousarray(X[:, columns].T)  # sorted along contiguous memory
        order = np.argsort(block, axis=1, kind="stable")
        mass = np.cumsum(weight[order], axis=1)
        for level in levels:
            place = (mass < level * BELOW_ONE * mass[:, -1:]).sum(axis=1)[:, None]
            threshold = np.take_along_axis(block, np.take_along_axis(order, place, axis=1), axis=1)
            below = (block <= threshold).astype(float)
            share = below @ weight[:, None] / weight.sum()
            spread = np.sqrt(np.maximum(share * (1.0 - share), 0.0))
            below -= share
            below *= np.divide(1.0, spread, out=np.zeros_like(spread), where=share < BELOW_ONE)
            yield columns, below


def _root_mean_square(R, weight):
    """Root mean square (T,) of the residuals; one where they are all zero."""
    size = np.sqrt(weight @ R**2 / weight.sum())
    return np.where(size > 0, size, 1.0)


def _largest(score, n_columns):
    """Numbers of the `n_columns` largest scores, in ascending order; of equal scores the first."""
    step = 10.0**-DIGITS * max(score.max(initial=0.0), np.finfo(float).tiny)
    return np.sort(np.argsort(-np.rint(score / step), kind="stable")[:n_columns])
