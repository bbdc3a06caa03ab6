"""How far each model is from one combination of all, which the shrinkage of experts towards one stack goes by."""

import numpy as np
import scipy.sparse as sp
from scipy.optimize import nnls

__all__ = ["spreads"]


def spreads(predicted, y, weight, positive):
    """Variance of each model around the stack of all, relative to its own variance, eq. (spread).

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
    own, around = (share @ np.square(a) for a in (columns, columns - (columns @ stacked)[:, None]))
    return np.divide(around, own, out=np.ones_like(own), where=own > 0)
