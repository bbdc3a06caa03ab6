"""Points where a tail has a given probability, and where functions change their sign."""

import numpy as np
from scipy.special import ndtri

from .univariate import LOG_SQRT_2PI

__all__ = ["bit_middle", "first_counts", "sign_changes", "tail_roots"]

CHORDS = 25  # steps after which intervals are halved: a jump, or a pole, is not found by chords
ARITHMETIC = 50  # steps after which intervals are halved by the bits of their ends, which ends for certain
MOST = 200


def tail_roots(terms, p, x, low, high, upper, level):
    """Points (m,) where tails are p: Newton's steps on the probits of the tails, halvings where these fail.

    `scipy.optimize.elementwise.find_root` finds the same points in 1.6 to 4 times the time: it has no use for slopes.

    Parameters
    ----------
    terms : callable
        ``terms(active, x)`` gives the tails and the densities of the problems of numbers `active` at points x of them.
    p : ndarray of shape (m,)
        Probabilities.
    x, low, high : ndarray of shape (m,)
        First guesses, and brackets of the points.
    upper : bool
        Whether tails are probabilities of more than x, which fall.
    level : float
        Error relative to p that is small enough.
    """
    sign, out, active = (-1.0 if upper else 1.0), x.copy(), np.arange(len(x))
    target, last = ndtri(p), np.full(len(p), np.inf)
    for step in range(MOST):
        if not len(active):
            break
        value, density = terms(active, x)
        score = ndtri(np.minimum(value, 1.0))
        error = score - target
        over = (error > 0) != upper
        high, low = np.where(over, x, high), np.where(over, low, x)
        with np.errstate(all="ignore"):
            new = x - sign * error * np.exp(-0.5 * score**2 - LOG_SQRT_2PI) / density
        size = np.abs(error)
        inside = (new > low) & (new < high) & (size <= 0.5 * last)
        new = np.where(inside, new, 0.5 * low + 0.5 * high if step < ARITHMETIC else bit_middle(low, high))
        found = np.abs(value - p) <= level * p
        done = found | (new == x) | (np.nextafter(low, high) >= high)
        out[active] = np.where(found, x, new)
        x, last = new, np.where(inside, size, np.inf)
        if done.any():
            kept = np.flatnonzero(~done)
            active, p, low, high, x, target, last = (a[kept] for a in (active, p, low, high, x, target, last))
    return out


def sign_changes(function, a, b, fa, fb, f_level, x_level):
    """Brackets and places (m,) where functions change their sign: by Illinois' rule, and halvings.

    Of regions of highest density `scipy.optimize.elementwise.find_root` would take up to 1.7 times as long.

    Parameters
    ----------
    function : callable
        ``function(active, x)`` of the problems of numbers `active` at points x of them.
    a, b, fa, fb : ndarray of shape (m,)
        Brackets, a < b, and the values there.
    f_level : float
        A value that is small enough; both ends of the bracket are then this place.
    x_level : float
        Length of a bracket, relative to 1 + its place, that is small enough; in any case it is that of rounding.
    """
    low, high, out, active, last = a.copy(), b.copy(), a.copy(), np.arange(len(a)), np.zeros(len(a))
    for step in range(MOST):
        if not len(active):
            break
        with np.errstate(all="ignore"):
            x = b - fb * (b - a) / (fb - fa)
        chord = (x > a) & (x < b) & (step % 5 < 4 and step < CHORDS)
        x = np.where(chord, x, 0.5 * a + 0.5 * b if step < ARITHMETIC else bit_middle(a, b))
        f = function(active, x)
        right = np.sign(f) == np.sign(fb)
        keep = np.where(last == np.where(right, 1.0, -1.0), 0.5, 1.0)
        fa, fb = np.where(right, keep * fa, f), np.where(right, f, keep * fb)
        last = np.where(right, 1.0, -1.0)
        a, b = np.where(right, a, x), np.where(right, x, b)
        exact = np.abs(f) <= f_level
        out[active], low[active], high[active] = x, np.where(exact, x, a), np.where(exact, x, b)
        least = np.maximum(4.0 * np.spacing(np.abs(a) + np.abs(b)), x_level * (1.0 + np.abs(x)))
        kept = np.flatnonzero(~exact & (b - a > least))
        active, a, b, fa, fb, last = (v[kept] for v in (active, a, b, fa, fb, last))
    return low, high, out


def bit_middle(low, high):
    """Doubles in the middle of others as they are ordered in memory: no interval takes more than 64 halvings."""
    a, b = (np.where((i := v.view(np.int64)) < 0, np.iinfo(np.int64).min - i, i) for v in (low.copy(), high.copy()))
    middle = (a >> 1) + (b >> 1) + (a & b & 1)
    return np.where(middle < 0, np.iinfo(np.int64).min - middle, middle).view(np.float64)


def first_counts(reached, low, high):
    """Smallest whole numbers from low on, up to high, at which `reached` (...) is true: false, and from there on true.

    Parameters
    ----------
    reached : callable
        Takes an array of the shape of low.
    low, high : ndarray
        Finite, and finite or infinite.
    """
    below, above = low - 1.0, np.minimum(low + 1.0, high)
    while (short := ~reached(above) & (above < high)).any():
        below = np.where(short, above, below)
        above = np.where(short, np.minimum(above + 2.0 * (above - low + 1.0), high), above)
    while True:
        middle = np.floor(below + 0.5 * (above - below))
        if not ((middle > below) & (middle < above)).any():
            return above
        ok = reached(middle)
        below, above = np.where(ok, below, middle), np.where(ok, middle, above)
