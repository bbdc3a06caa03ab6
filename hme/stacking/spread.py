"""How far each model is from one combination of all, which the shrinkage of experts towards one stack goes by."""

import numpy as np
import scipy.sparse as sp
from scipy.optimize import nnls

from ..numerics.kernels import ROUND_OFF

__all__ = ["spreads"]

NORMAL = 0.6745  # median distance from the middle of a normal distribution, in standard deviations
LEAST = 1e-3  # of the variance around the stack, where the model agrees with it in most rows


def spreads(predicted, y, weight, positive):
    """Squared distance of each model from the stack in a typical row, relative to its variance, eq. (stack-spread).

    Parameters
    ----------
    predicted : ndarray or sparse matrix of shape (n, M)
    y, weight : ndarray of shape (n,)
    positive : bool
        Whether the stack has weights that are not negative.

    Returns
    -------
    ndarray of shape (M,)
        Of a constant model 1.
    """
    predicted = predicted.toarray() if sp.issparse(predicted) else predicted
    share = weight / weight.sum()
    columns, target = predicted - share @ predicted, y - share @ y
    orthogonal, triangle = np.linalg.qr(np.sqrt(share)[:, None] * columns)
    projected = orthogonal.T @ (np.sqrt(share) * target)
    stacked = nnls(triangle, projected)[0] if positive else np.linalg.lstsq(triangle, projected, rcond=None)[0]
    off = columns - (columns @ stacked)[:, None]
    own, around = (share @ np.square(a) for a in (columns, off))
    typical = np.square(_median(np.abs(off - _median(off, weight)), weight) / NORMAL)
    varies = own > ROUND_OFF**2 * (share @ np.square(predicted))
    return np.divide(np.clip(typical, LEAST * around, around), own, out=np.ones_like(own), where=varies)


def _median(values, weight):
    """Weighted medians of columns; a weight of 2 is the same as the row twice."""
    return np.quantile(values, 0.5, axis=0, weights=weight, method="inverted_cdf")
