"""What `class_weight` says about the weights of rows."""

import numpy as np
from sklearn.utils.class_weight import compute_sample_weight

__all__ = ["class_factors"]


def class_factors(class_weight, y, weight):
    """Factors on the weights of rows, by their classes.

    Parameters
    ----------
    class_weight : dict, "balanced" or None
    y : array-like of shape (n,)
        Class labels.
    weight : ndarray of shape (n,)
        Weights of the rows: a weight of 2 counts as the row twice, and a row of weight zero not at all.

    Returns
    -------
    ndarray of shape (n,)
    """
    if class_weight is None:
        return np.ones(len(y))
    if isinstance(class_weight, str) and class_weight == "balanced":
        return _balancing(y, weight)
    factors = compute_sample_weight(class_weight, y)
    if not (np.isfinite(factors).all() and (factors >= 0).all()):
        raise ValueError(f"class_weight = {class_weight!r} must hold finite numbers >= 0.")
    return factors


def _balancing(y, weight):
    """Factors that give every class of positive weight the same total weight, and leave the sum of all as it is."""
    classes, codes = np.unique(y, return_inverse=True)
    mass = np.bincount(codes.ravel(), weight, len(classes))
    share = mass.sum() / np.count_nonzero(mass)
    return np.divide(share, mass, out=np.ones(len(mass)), where=mass > 0)[codes.ravel()]
