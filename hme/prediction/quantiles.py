"""Quantiles of mixtures, by Newton's method between brackets; of atoms and counts the generalised inverse."""

import numpy as np
from scipy.special import ndtri

from ..distributions import Composite, PointMass
from ..distributions.base import LOG_SQRT_2PI
from .blocks import pdf_of

__all__ = ["ARITHMETIC", "MOST", "ULPS", "bit_middle", "count_quantile_of", "on_lattice", "quantile_of"]

LEVEL = 1e-12  # relative error of a probability at which a quantile is found
ARITHMETIC = 50  # steps after which intervals are halved by the bits of their ends, which ends for certain
MOST = 200
ULPS = 4.0 * np.finfo(float).eps  # by which a sum of probabilities may miss the one that it is to reach


def quantile_of(law, weights, p, slack, upper):
    """Where the smaller tail, below or above, is p (m,): Newton's steps on its logarithm between brackets."""
    used = weights > 0
    each = p[0] if (p == p[0]).all() else p[:, None]
    own = law.isf(each) if upper else law.icdf(each)
    low = np.where(used, own, np.inf).min(axis=1)
    high = np.where(used, own, -np.inf).max(axis=1)
    room = 1e-8 * (high - low) + 1e-10 * np.maximum(np.abs(low), np.abs(high)) + 1e-300
    low, high = low - room, high + room
    x = (weights * np.where(used, own, 0.0)).sum(axis=1) / weights.sum(axis=1)
    out, active = x.copy(), np.arange(len(x))
    if len(law.atoms):
        active = _past_atoms(law, weights, p, slack, upper, low, high, out)
        law, weights, p, low, high, x = _some(active, law, weights, p, low, high, x)
        x = np.clip(x, low, high)
    sign = -1.0 if upper else 1.0
    target, last = ndtri(p), np.full(len(p), np.inf)
    for step in range(MOST):
        if not len(active):
            break
        column = x[:, None]
        tail = (weights * (law.sf(column) if upper else law.cdf(column))).sum(axis=1)
        score = ndtri(np.minimum(tail, 1.0))
        error = score - target
        over = (error > 0) != upper
        high, low = np.where(over, x, high), np.where(over, low, x)
        new = x - sign * error * np.exp(-0.5 * score**2 - LOG_SQRT_2PI) / pdf_of(law, weights, column)
        size = np.abs(error)
        inside = (new > low) & (new < high) & (size <= 0.5 * last)
        new = np.where(inside, new, 0.5 * low + 0.5 * high if step < ARITHMETIC else bit_middle(low, high))
        found = np.abs(tail - p) <= LEVEL * p
        done = found | (new == x) | (np.nextafter(low, high) >= high)
        out[active] = np.where(found, x, new)
        x, last = new, np.where(inside, size, np.inf)
        if done.any():
            kept = np.flatnonzero(~done)
            active = active[kept]
            law, weights, p, low, high, x, target, last = _some(kept, law, weights, p, low, high, x, target, last)
    return out


def _some(index, law, *arrays):
    return law.take(index), *(a[index] for a in arrays)


def bit_middle(low, high):
    """Doubles in the middle of others as they are ordered in memory: no interval takes more than 64 halvings."""
    a, b = (np.where((i := v.view(np.int64)) < 0, np.iinfo(np.int64).min - i, i) for v in (low.copy(), high.copy()))
    middle = (a >> 1) + (b >> 1) + (a & b & 1)
    return np.where(middle < 0, np.iinfo(np.int64).min - middle, middle).view(np.float64)


def _past_atoms(law, weights, p, slack, upper, low, high, out):
    """Rows whose quantile is at no atom, (m,) of int; narrows their brackets, and writes the others' quantiles."""
    open_ = np.ones(len(p), dtype=bool)
    for atom in law.atoms:
        at = np.full((len(p), 1), atom)
        mass = (weights * np.where(law.logpdf(at) == 0.0, 1.0, 0.0)).sum(axis=1)
        tail = (weights * (law.sf(at) if upper else law.cdf(at))).sum(axis=1)
        if upper:
            reached, before = tail <= p + slack, tail + mass <= p + slack
        else:
            reached, before = tail >= p - slack, tail - mass >= p - slack
        here = open_ & reached & ~before & (mass > 0)
        out[here] = atom
        open_ &= ~here
        np.maximum(low, atom, out=low, where=~reached)
        np.minimum(high, atom, out=high, where=before)
    return np.flatnonzero(open_)


def count_quantile_of(law, weights, p, slack, upper):
    """Smallest points whose tail below reaches p (m,), or above does not exceed it."""

    def reached(k):
        if upper:
            return (weights * law.sf(k[:, None])).sum(axis=1) <= p + slack
        return (weights * law.cdf(k[:, None])).sum(axis=1) >= p - slack

    best = np.full(len(p), np.inf)
    for atom in law.atoms[::-1]:
        best = np.where(reached(np.full(len(p), atom)), atom, best)
    if not on_lattice(law):
        return best
    low = np.full(len(p), -1.0)
    used = weights > 0
    high = np.where(used, law.mean() + 6.0 * np.sqrt(law.variance()), 0.0).max(axis=1)
    high = np.maximum(np.ceil(np.minimum(high, 1e300)), 1.0)
    for _ in range(2000):
        short = ~reached(high)
        if not short.any():
            break
        low, high = np.where(short, high, low), np.where(short, 2.0 * high + 1.0, high)
    while True:
        middle = np.floor(low + 0.5 * (high - low))
        if not ((middle > low) & (middle < high)).any():
            break
        ok = reached(middle)
        low, high = np.where(ok, low, middle), np.where(ok, middle, high)
    return np.minimum(best, high)


def on_lattice(law):
    """Whether counts are among the points."""
    parts = law.parts if isinstance(law, Composite) else [(law, None)]
    return any(part.discrete and not isinstance(part, PointMass) for part, _ in parts)
