"""Level sets of densities of many rows at once: where a density is above the level that leaves a given probability.

Everything here is a function of arrays and of two callables, `log_density(rows, y)` and `below(rows, y, upper)`, the
probability of less than the lower (`upper` False) or of no more than the upper end of an interval.
"""

from functools import partial
from typing import NamedTuple

import numpy as np
from scipy.special import logit

from ..distributions.roots import sign_changes

__all__ = ["Curve", "distinct", "edges_at", "level_edges", "turning_points"]

GOLDEN = 0.5 * (np.sqrt(5.0) - 1.0)
SECTIONS, FIRST_SECTIONS = 34, 14  # golden sections: all digits of a density; enough to tell on which side it is
NEAR = 3.0  # difference of logarithms within which an extremum may lie on the other side of the level than its points
STEPS, FIRST_STEPS = 60, 24  # of the search for a level
PROBABILITY, NEARLY, EDGE = (
    1e-11,
    1e-5,
    1e-10,
)  # what is small enough, what is closed by a last step, and what is small at an edge
ALIKE = 1e-8  # difference of the logarithms of the density at the edges
FARTHEST = 4.0  # step of the logarithm of a level
SLOPE = 1e-6  # of the interval, for a difference


class Curve(NamedTuple):
    """Densities of n rows at points between which they rise or fall: x and log_density, (n, P), x ascending."""

    x: np.ndarray
    log_density: np.ndarray

    def take(self, rows):
        return Curve(self.x[rows], self.log_density[rows])

    def with_points(self, rows, x, log_density):
        """With more points (m,) of some rows."""
        if not len(rows):
            return self
        order = np.argsort(rows, kind="stable")
        rows, x, log_density = rows[order], x[order], log_density[order]
        count = np.bincount(rows, minlength=len(self.x))
        place = np.arange(len(rows)) - np.repeat(np.cumsum(count) - count, count)
        both = []
        for own, more in zip(self, (x, log_density), strict=True):
            added = np.repeat(own[:, :1], count.max(), axis=1)
            added[rows, place] = more
            both.append(np.concatenate([own, added], axis=1))
        order = np.argsort(both[0], axis=1, kind="stable")
        return Curve(*(np.take_along_axis(values, order, axis=1) for values in both))


def distinct(x):
    """Points (n, P) in ascending order; those that are there twice come again at the end, as the last one."""
    x = np.sort(x, axis=1)
    again = np.diff(x, axis=1, prepend=-np.inf) <= 4.0 * np.spacing(np.abs(x))
    if not again.any():
        return x
    x = np.sort(np.where(again, np.inf, x), axis=1)
    last = np.max(x, axis=1, keepdims=True, where=np.isfinite(x), initial=-np.inf)
    return np.minimum(x, last)[:, : max(x.shape[1] - int(again.sum(axis=1).min()), 2)]


def first_level(curve, below, wanted):
    """Logarithms (n,) of levels above which there is about the share `wanted` (n,) of what the points tell."""
    x, log_density = curve
    top = np.max(log_density, axis=1, keepdims=True, where=np.isfinite(log_density), initial=-np.inf)
    poles = np.flatnonzero((log_density == np.inf).any(axis=1))
    log_density = np.minimum(log_density, top)
    height = np.exp(log_density - top)
    fall, length = np.diff(log_density, axis=1), np.diff(x, axis=1)
    with np.errstate(all="ignore"):  # between points the logarithm is taken to be linear
        mass = length * np.where(np.abs(fall) > 1e-3, np.diff(height, axis=1) / fall, height[:, 1:])
    mass = np.where(np.isfinite(mass), mass, 0.0)
    if len(poles):
        rows = np.repeat(poles, x.shape[1])
        values = below(rows, x[poles].ravel(), np.ones(len(rows), dtype=bool)).reshape(len(poles), -1)
        mass[poles] = np.maximum(np.diff(values, axis=1), 0.0)
    upper, lower = (pick(height[:, :-1], height[:, 1:]) for pick in (np.maximum, np.minimum))
    order = np.argsort(-(upper + lower), axis=1, kind="stable")
    total = np.cumsum(np.take_along_axis(mass, order, axis=1), axis=1)
    target = wanted[:, None] * total[:, -1:]
    place = (total < target).sum(axis=1, keepdims=True).clip(0, mass.shape[1] - 1)
    cell = np.take_along_axis(order, place, axis=1)
    upper, lower, own = (np.take_along_axis(values, cell, axis=1) for values in (upper, lower, mass))
    with np.errstate(all="ignore"):
        share = np.clip((target - np.take_along_axis(total, place, axis=1) + own) / own, 0.0, 1.0)
        level = np.log(upper - np.where(np.isfinite(share), share, 0.5) * (upper - lower)) + top
    at_pole = np.isin(np.arange(len(x)), poles)[:, None]
    level = np.where(at_pole, 0.5 * (np.log(upper) + np.log(lower)) + top, level)
    return np.where(np.isfinite(level), level, top - 1.0)[:, 0]


def turning_points(curve, log_density, level=None):
    """The curve with its local maxima and minima, all or those that are near the levels (n,)."""
    x, f = curve
    found, sections = [], SECTIONS if level is None else FIRST_SECTIONS
    for sign in (1.0, -1.0):
        middle, apart = sign * f[:, 1:-1], x[:, 2:] > x[:, 1:-1]
        turns = (middle >= sign * f[:, :-2]) & (middle >= sign * f[:, 2:]) & apart & np.isfinite(middle)
        if level is not None:  # a maximum far above the level, or a minimum far below it, adds no edge
            short = sign * (level[:, None] - f[:, 1:-1])
            turns &= (short > -1.0) & (short < NEAR)
        row, place = np.nonzero(turns)
        a, b = x[row, place], x[row, place + 2]
        found.append((row, _golden(lambda r, y, sign=sign: sign * log_density(r, y), row, a, b, sections)))
    row, place = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return curve.with_points(row, place, log_density(row, place)) if len(row) else curve


def _golden(function, rows, a, b, sections):
    """Maxima (m,) of a function between a and b (m,), by golden sections.

    `scipy.optimize.elementwise.find_minimum` takes up to a third longer.
    """
    if not len(rows):
        return a
    c, d = b - GOLDEN * (b - a), a + GOLDEN * (b - a)
    fc, fd = function(rows, c), function(rows, d)
    for _ in range(sections):
        left = fc > fd
        a, b = np.where(left, a, c), np.where(left, d, b)
        c, d = np.where(left, b - GOLDEN * (b - a), d), np.where(left, c, a + GOLDEN * (b - a))
        value = function(rows, np.where(left, c, d))
        fc, fd = np.where(left, value, fd), np.where(left, fc, value)
    return 0.5 * (a + b)


class Edges(NamedTuple):
    """Ends of level sets: row, whether it is the upper end of an interval, and place, (m,), ascending in every row."""

    row: np.ndarray
    upper: np.ndarray
    place: np.ndarray

    def intervals(self, n_rows):
        """A list of the intervals (m, 2) of every row."""
        return [part.reshape(-1, 2) for part in np.split(self.place, np.searchsorted(self.row, np.arange(1, n_rows)))]


def edges_at(curve, log_density, level, error=EDGE):
    """The `Edges` of where densities are above levels (n,), and their slopes (m,) there; infinite at ends and jumps."""
    x, f = curve
    change = np.diff(np.pad(f >= level[:, None], ((0, 0), (1, 1))).astype(np.int8), axis=1)
    row, j = np.nonzero(change)  # at place j: between points j - 1 and j
    last = x.shape[1] - 1
    left, right = np.maximum(j - 1, 0), np.minimum(j, last)
    a, b = x[row, left], x[row, right]
    place, slope = np.where(j > last, a, b), np.full(len(row), np.inf)
    inner = np.flatnonzero((j > 0) & (j <= last) & (a < b))
    if len(inner):
        r, a, b = row[inner], a[inner], b[inner]
        fa, fb = f[r, left[inner]] - level[r], f[r, right[inner]] - level[r]
        clipped = np.clip(fa, -1e3, 1e3), np.clip(fb, -1e3, 1e3)  # zeros and poles

        def above(active, y):
            return np.clip(log_density(r[active], y) - level[r[active]], -1e3, 1e3)

        found = sign_changes(above, a, b, *clipped, error, 0.0)[2]
        step = SLOPE * np.where(found - a < b - found, np.maximum(found - a, 0.0), found - b)
        step = np.where(step == 0, np.where(found < b, 1.0, -1.0) * SLOPE * (b - a), step)
        everything = np.arange(len(inner))
        with np.errstate(all="ignore"):
            slope[inner] = (above(everything, found + step) - above(everything, found)) / step
        place[inner] = found
    return Edges(row, change[row, j] < 0, place), slope


class Found(NamedTuple):
    """What `level_edges` finds: edges of most rows; brackets of the levels (n,); rows that have no such level."""

    edges: Edges
    low: np.ndarray
    high: np.ndarray
    flat: np.ndarray
    curve: Curve


def level_edges(curve, log_density, below, wanted, thorough=False, settle=False):
    """The sets where densities are above the levels that leave `wanted` (n,).

    Newton's steps on the logarithm of the level, whose derivative follows from the slopes at the edges, and halvings
    where these fail. Where the density is flat at the level no level leaves just as much as is wanted.

    Parameters
    ----------
    curve : Curve
    log_density, below : callable
    wanted : ndarray of shape (n,)
    thorough : bool
        Whether to look for all local maxima and minima, not only for those that are near a first guess of the level.
    settle : bool
        Whether to take, where no level leaves just as much, the set that leaves more.
    """
    level = first_level(curve, below, wanted)
    curve = turning_points(curve, log_density, None if thorough else level)
    low, high = np.full(len(wanted), -np.inf), np.full(len(wanted), np.inf)
    active, parts, gaps = np.arange(len(wanted)), [], np.ones(1)
    for step in range(STEPS if thorough or settle else FIRST_STEPS):
        error = max(EDGE, min(1e-4, 1e-4 * np.abs(gaps).min()))
        some, at = curve.take(active), level[active]
        edges, slope = edges_at(some, partial(_of_rows, log_density, active), at, error)
        terms = below(active[edges.row], edges.place, edges.upper)
        mass, change = _mass_of(edges, slope, at, terms)
        gaps = mass - wanted[active]
        closing = np.where(error <= ALIKE, gaps, np.inf)
        edges, exact = _closed(edges, slope, closing, change, terms, partial(_of_rows, below, active))
        sure = ~(np.abs(gaps) <= 4.0 * error * np.abs(change))  # in spite of the errors of the edges
        low[active] = np.where(sure & (gaps >= 0), np.maximum(low[active], at), low[active])
        high[active] = np.where(sure & (gaps <= 0), np.minimum(high[active], at), high[active])
        kept = exact[edges.row]
        parts.append(Edges(active[edges.row[kept]], edges.upper[kept], edges.place[kept]))
        done = exact | (high[active] - low[active] <= 1e-14 * np.maximum(1.0, np.abs(at)))
        level[active] = _next_level(at, mass, wanted[active], change, low[active], high[active], step)
        active, gaps = active[~done], gaps[~done]
        if not len(active):
            break
    edges = Edges(*(np.concatenate(values) for values in zip(*parts, strict=True)))
    flat = np.setdiff1d(np.arange(len(wanted)), edges.row)
    if settle and len(flat):
        more = edges_at(curve.take(flat), partial(_of_rows, log_density, flat), low[flat])[0]
        parts = [edges, more._replace(row=flat[more.row])]
        edges, flat = Edges(*(np.concatenate(values) for values in zip(*parts, strict=True))), flat[:0]
    order = np.argsort(edges.row, kind="stable")
    return Found(Edges(*(values[order] for values in edges)), low, high, flat, curve)


def _of_rows(function, rows, index, *arguments):
    """A function of some of the rows, by their numbers among these."""
    return function(rows[index], *arguments)


def _mass_of(edges, slope, level, terms):
    """Probabilities (n,) between edges, from those below them, and the derivatives by the logarithms of the levels."""
    signs = np.where(edges.upper, 1.0, -1.0)
    mass = np.bincount(edges.row, signs * terms, len(level))
    with np.errstate(all="ignore"):
        rates = signs * np.exp(level[edges.row]) / slope
    return mass, np.bincount(edges.row, np.where(slope == 0, 0.0, rates), len(level))


def _closed(edges, slope, gap, change, terms, below):
    """Edges moved along their slopes to where the gap is closed, and the rows (n,) of bool where it then is."""
    exact = np.abs(gap) <= PROBABILITY
    near = np.flatnonzero(~exact & (np.abs(gap) <= NEARLY))
    own = np.isin(edges.row, near)
    if not own.any():
        return edges, exact
    row, upper, place = (values[own] for values in edges)
    with np.errstate(all="ignore"):
        step = -(gap / change)[row] / slope[own]
    moved = np.where(np.isfinite(step), place + step, place)
    ascending = np.bincount(row, np.append((np.diff(moved) < 0) & (np.diff(row) == 0), False), len(gap)) == 0
    more = np.bincount(row, np.where(upper, 1.0, -1.0) * (below(row, moved, upper) - terms[own]), len(gap))
    closed = np.zeros(len(gap), dtype=bool)
    closed[near] = (np.abs(gap + more) <= PROBABILITY)[near] & ascending[near]
    out = edges.place.copy()
    out[own] = np.where(closed[row], moved, place)
    return edges._replace(place=out), exact | closed


def _next_level(level, mass, wanted, change, low, high, step):
    """By Newton's rule for the logit of the probability above."""
    with np.errstate(all="ignore"):
        new = level - (logit(mass) - logit(wanted)) * mass * (1.0 - mass) / change
        new = np.clip(new, level - FARTHEST, level + FARTHEST)
        half = np.where(np.isinf(high), level + 1.0, np.where(np.isinf(low), level - 1.0, 0.5 * low + 0.5 * high))
    return np.where((new > low) & (new < high) & (step % 6 < 5), new, half)
