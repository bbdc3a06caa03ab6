"""Regions of highest density where all densities are flat: no search is needed, the pieces are put in order."""

import numpy as np

__all__ = ["flat_regions", "merged"]

ALIKE = 1e-12  # relative difference of densities that are the same
ROUNDING = 1e-12  # of a probability


def flat_regions(low, high, weights, wanted):
    """Regions of highest density of mixtures of uniform distributions, eq. (highest-density).

    Where pieces are equally high, the longest come first; of one that is not needed as a whole, the side that touches
    the region is taken, else the middle.

    Parameters
    ----------
    low, high : ndarray of shape (n, K)
        Ends of the distributions.
    weights : ndarray of shape (n, K)
    wanted : ndarray of shape (n,)
        Probabilities of the regions.

    Returns
    -------
    list of n ndarrays of shape (m, 2)
    """
    used = weights > 0
    first = low[np.arange(len(low)), used.argmax(axis=1)][:, None]
    low, high = np.where(used, low, first), np.where(used, high, first)
    edges = np.sort(np.concatenate([low, high], axis=1), axis=1)
    middle, height = 0.5 * (edges[:, :-1] + edges[:, 1:]), np.zeros((len(low), edges.shape[1] - 1))
    for a, b, weight in zip(low.T[:, :, None], high.T[:, :, None], weights.T[:, :, None], strict=True):
        own = np.divide(weight, b - a, out=np.zeros_like(a), where=b > a)
        height += np.where((a < middle) & (middle < b), own, 0.0)
    mass = height * np.diff(edges, axis=1)
    order = np.argsort(-height, axis=1, kind="stable")
    total = np.cumsum(np.take_along_axis(mass, order, axis=1), axis=1)
    place = (total < wanted[:, None] * (1.0 - ROUNDING)).sum(axis=1).clip(0, mass.shape[1] - 1)
    level = np.take_along_axis(height, np.take_along_axis(order, place[:, None], axis=1), axis=1)
    above = height > level * (1.0 + ALIKE)
    left = wanted - np.where(above, mass, 0.0).sum(axis=1)
    at_level = ~above & (height >= level * (1.0 - ALIKE))
    return [
        merged(np.concatenate([inner := _runs(x, over), _some_of(_runs(x, at), inner, room)]))
        for x, over, at, room in zip(edges, above, at_level, left / level[:, 0], strict=True)
    ]


def _runs(edges, kept):
    """Intervals (m, 2) between edges (P + 1,) of which the pieces (P,) are kept, those that touch put together."""
    change = np.diff(kept.astype(np.int8), prepend=0, append=0)
    runs = np.stack([edges[change > 0], edges[change < 0]], axis=1)
    return merged(runs) if len(runs) > 1 else runs


def _some_of(flat, inner, room):
    """As much of the intervals `flat` (m, 2) beside those of `inner` as there is room for."""
    kept, length = [], flat[:, 1] - flat[:, 0]
    for i in np.argsort(-length, kind="stable"):
        low, high = flat[i]
        cut = length[i] - room
        if cut <= ROUNDING * length[i]:
            kept.append((low, high))
        elif room > 0:
            share = 1.0 if (inner[:, 1] == low).any() else 0.0 if (inner[:, 0] == high).any() else 0.5
            kept.append((low + (1.0 - share) * cut, high - share * cut))
        room -= length[i]
    return np.reshape(kept, (-1, 2))


def merged(region):
    """Intervals (m, 2) in order, those that touch put together."""
    region = region[np.argsort(region[:, 0], kind="stable")]
    out = [region[0]]
    for low, high in region[1:]:
        if low <= out[-1][1]:
            out[-1] = np.array([out[-1][0], max(out[-1][1], high)])
        else:
            out.append(np.array([low, high]))
    return np.array(out)
