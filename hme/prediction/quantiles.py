"""Quantiles of mixtures; of atoms and counts the generalised inverse."""

import numpy as np

from ..distributions.roots import tail_roots
from .blocks import pdf_of

__all__ = ["ULPS", "count_quantile_of", "quantile_of"]

LEVEL = 1e-12  # relative error of a probability at which a quantile is found
ULPS = 4.0 * np.finfo(float).eps  # by which a sum of probabilities may miss the one that it is to reach


def quantile_of(components, weights, p, slack, upper):
    """Where the smaller tail, below or above, is p (m,); between the quantiles of the experts."""
    used = weights > 0
    each = p[0] if (p == p[0]).all() else p[:, None]
    own = components.isf(each) if upper else components.icdf(each)
    low = np.where(used, own, np.inf).min(axis=1)
    high = np.where(used, own, -np.inf).max(axis=1)
    room = 1e-8 * (high - low) + 1e-10 * np.maximum(np.abs(low), np.abs(high)) + 1e-300
    low, high = low - room, high + room
    x = (weights * np.where(used, own, 0.0)).sum(axis=1) / weights.sum(axis=1)
    out, rest = x.copy(), np.arange(len(x))
    if len(components.atoms):
        rest = _past_atoms(components, weights, p, slack, upper, low, high, out)
        components, weights = components.take(rest), weights[rest]
        p, low, high = p[rest], low[rest], high[rest]
        x = np.clip(x[rest], low, high)
    seen = len(rest), components, weights  # of the last step: they shrink

    def terms(active, x):
        nonlocal seen
        if len(active) != seen[0]:
            seen = len(active), components.take(active), weights[active]
        _, some, w = seen
        column = x[:, None]
        return (w * (some.sf(column) if upper else some.cdf(column))).sum(axis=1), pdf_of(some, w, column)

    out[rest] = tail_roots(terms, p, x, low, high, upper, LEVEL)
    return out


def _past_atoms(components, weights, p, slack, upper, low, high, out):
    """Rows whose quantile is at no atom, (m,) of int; narrows their brackets, and writes the others' quantiles."""
    open_ = np.ones(len(p), dtype=bool)
    for atom in components.atoms:
        at = np.full((len(p), 1), atom)
        mass = (weights * np.where(components.logpdf(at) == 0.0, 1.0, 0.0)).sum(axis=1)
        tail = (weights * (components.sf(at) if upper else components.cdf(at))).sum(axis=1)
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


def count_quantile_of(components, weights, p, slack, upper):
    """Smallest points whose tail below reaches p (m,), or above does not exceed it."""

    def reached(k):
        if upper:
            return (weights * components.sf(k[:, None])).sum(axis=1) <= p + slack
        return (weights * components.cdf(k[:, None])).sum(axis=1) >= p - slack

    best = np.full(len(p), np.inf)
    for atom in components.atoms[::-1]:
        best = np.where(reached(np.full(len(p), atom)), atom, best)
    if not components.on_lattice:
        return best
    low, high, unbounded = _first_bracket(components, weights)
    for _ in range(2000):
        short = ~reached(high)
        if not short.any():
            break
        low, high = np.where(short, high, low), np.where(short, 2.0 * high + 1.0, high)
    while unbounded and (far := reached(low)).any():
        low, high = np.where(far, 2.0 * low - 1.0, low), np.where(far, low, high)
    while True:
        middle = np.floor(low + 0.5 * (high - low))
        if not ((middle > low) & (middle < high)).any():
            break
        ok = reached(middle)
        low, high = np.where(ok, low, middle), np.where(ok, middle, high)
    return np.minimum(best, high)


def _first_bracket(components, weights):
    """Whole numbers (m,) below all counts and, at least 1, above most; whether some counts have no least value."""
    used, mean, reach = weights > 0, components.mean(), 6.0 * np.sqrt(components.variance())
    heavy = ~np.isfinite(mean + reach)  # its tail is found by doubling
    if heavy.any():
        mean, reach = np.where(heavy, 0.0, mean), np.where(heavy, 0.0, reach)
    least = components.support()[0]
    unbounded = np.isneginf(least)
    least = np.ceil(np.where(unbounded, mean - reach, least))
    low = np.minimum(np.where(used, least, 0.0).min(axis=1), 0.0) - 1.0
    high = np.where(used, mean + reach, 0.0).max(axis=1)
    return low, np.maximum(np.ceil(np.minimum(high, 1e300)), 1.0), unbounded.any()
