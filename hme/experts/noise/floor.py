"""The least noise variance of a table, by default no more than the data say."""

from copy import copy

import numpy as np
import scipy.sparse as sp
from sklearn.tree import DecisionTreeRegressor

from ...numerics.kernels import rounding_step
from ...numerics.penalties import MOST_FITTED

__all__ = ["Floor"]

FRACTION = 1e-6  # of the variance of y: the automatic floor, where neither rounding nor a close fit says otherwise
SHARE = 0.1  # of the noise that the data show, which the automatic floor never exceeds
CLOSER = 1e-3  # share of its residual variance that the pooled fit may owe to its penalty
ROUNDING = 1e-12  # residuals smaller than this fraction of the largest target are rounding errors
LEAST = 1e-100  # where all targets are zero; its inverse, squared and times weights, is a number
SINGULAR = 1e-9  # outputs are functions of each other if the correlation of their residuals has a smaller eigenvalue
# Of the trees that estimate the noise of rounded targets: number of leaves, their least share of the weight, and rows.
LEAVES, LEAST_SHARE, MOST_ROWS = 32, 0.02, 20_000
MOST_VALUES = 1000  # of more values than this, no such tree follows the steps


class Floor:
    """The smallest noise variance or dispersion of each output, eqs. (variance-floor), (rounding-floor).

    Parameters
    ----------
    setting : "auto" or float
        The hyper-parameter, a fraction of `scale`.
    rows : Rows
    y : ndarray of shape (n, T)
        The targets, less the offset if it is in their units.
    scale : ndarray of shape (T,)
        Variance or dispersion of y.
    unit : float or ndarray of shape (T,)
        Variance of y for a dispersion of one.

    Attributes
    ----------
    exact : ndarray of shape (T,)
        Variance below which residuals are rounding errors.
    tells : bool
        Whether there are so many rows that residuals of the pooled fit say how large the noise is.
    """

    def __init__(self, setting, rows, y, scale, unit=1.0):
        self.setting = setting
        self.tells = rows.X.shape[1] <= MOST_FITTED * rows.weight.sum()
        largest = np.abs(rows.y).max(axis=0)
        self.exact = np.maximum((ROUNDING * largest) ** 2 / unit, np.where(largest > 0, np.finfo(float).tiny, LEAST))
        if setting != "auto":
            self.wanted = setting * scale
            return
        self.wanted = np.array(np.broadcast_to(FRACTION * scale, self.exact.shape))
        rounded = np.array([rounding_step(column) for column in rows.y.T]) ** 2 / 12.0 / unit
        for t in np.flatnonzero(rounded > self.wanted):
            if len(np.unique(rows.y[:, t])) > MOST_VALUES:
                self.wanted[t] = rounded[t]
                continue
            local = local_variance(y[:, t], rows) / np.broadcast_to(unit, rounded.shape)[t]
            self.wanted[t] = max(self.wanted[t], min(rounded[t], SHARE * local))

    def open(self):
        """The same without a floor beyond rounding errors."""
        free = copy(self)
        free.setting, free.wanted = "open", self.exact
        return free

    def below(self, noise):
        """The floor (T,) of a table with this noise variance, (T,) or (T, T)."""
        if self.setting != "auto" or not self.tells:
            return np.maximum(self.wanted, self.exact)
        if noise.ndim == 2:  # in the direction in which outputs vary least
            noise = np.diagonal(noise) * max(least_correlated(noise), SINGULAR)
        return np.maximum(np.minimum(self.wanted, SHARE * noise), self.exact)

    def is_near(self, noise):
        """Whether a fit that is closer than one with this noise variance would lower the floor."""
        noise = np.diagonal(noise) if noise.ndim == 2 else noise
        return self.setting == "auto" and self.tells and bool((self.wanted > CLOSER * SHARE * noise).any())

    def is_exact(self, pooled):
        """Whether the data have no noise but rounding errors: (T,), or one answer for covariances."""
        if not self.tells:
            return np.zeros(1, dtype=bool)
        if pooled.ndim == 2:
            return bool((np.diagonal(pooled) <= self.exact).any() or least_correlated(pooled) <= SINGULAR)
        return pooled <= self.exact


# -- arrays ----------------------------------------------------------------------------------------------------------


def least_correlated(covariance):
    """Smallest eigenvalue of the correlation matrix of a covariance."""
    scale = np.sqrt(np.maximum(np.diagonal(covariance), np.finfo(float).tiny))
    return float(np.linalg.eigvalsh(covariance / scale / scale[:, None])[0])


def local_variance(y, rows):
    """Variance of y (n,) within the leaves of a regression tree: an estimate of its noise given x.

    If y is a step function of x there is none, however coarse its steps. The tree is small, and the same for a row of
    weight two as for two equal rows, and for rows in any order.
    """
    tables = [rows.X] if rows.Z is rows.X else [rows.X, rows.Z]
    key = sum(_mark(table) for table in tables)
    order = np.lexsort((y, key))
    first = np.append(True, (np.diff(key[order]) != 0) | (np.diff(y[order]) != 0))
    weight, first = np.add.reduceat(rows.weight[order], np.flatnonzero(first)), order[first]
    step = -(-len(first) // MOST_ROWS)
    first, weight = first[::step], weight[::step]
    tables, y = [table[first] for table in tables], y[first]
    table = sp.hstack(tables, format="csr") if any(map(sp.issparse, tables)) else np.hstack(tables)
    tree = DecisionTreeRegressor(max_leaf_nodes=LEAVES, min_weight_fraction_leaf=LEAST_SHARE, random_state=0)
    center = weight @ y / weight.sum()
    residual = y - center - tree.fit(table, y - center, sample_weight=weight).predict(table)
    return float(weight @ residual**2 / weight.sum())


def _mark(table):
    """Numbers (n,) that are the same for equal rows of a table: sums over columns, in their order."""
    if sp.issparse(table):
        return table @ np.cos(np.arange(1.0, table.shape[1] + 1.0))
    mark = np.zeros(len(table))
    for j in range(table.shape[1]):  # a matrix product may round equal rows differently
        mark += np.cos(j + 1.0) * table[:, j]
    return mark
