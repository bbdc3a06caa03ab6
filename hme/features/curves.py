"""Curves of experts: what the columns that are made of one column of the user's add up to, in a few numbers."""

from typing import NamedTuple

import numpy as np

from .pieces import Pieces

__all__ = ["Curve", "curves_of"]

N_TRIED, N_CROSSED = 257, 4097  # places of a column among which the nearest is found, and between which a crossing


class Curve(NamedTuple):
    """The columns of one side that are made of one column and make one curve of it.

    Attributes
    ----------
    name : str
        Of the column.
    index : ndarray of int of shape (q,)
        Places of the columns that are made of it.
    pieces : Pieces
    """

    name: str
    index: np.ndarray
    pieces: Pieces

    def slopes(self, coef):
        """Slopes (..., m + 1) of the curve at its knots, from coefficients (..., p) of the side in the user's units."""
        return coef[..., self.index] @ self.pieces.slopes

    def effect(self, coef):
        """Standard deviation (...) of the curve over rows that are as many between each two knots, eq. (curve-effect).

        Its sign is that of the way from end to end. It compares with coefficients of other columns times their standard
        deviations.
        """
        values = coef[..., self.index] @ self.pieces.columns(self.pieces.places()).T
        ends = coef[..., self.index] @ np.diff(self.pieces.columns(self.pieces.knots[[0, -1]]), axis=0)[0]
        return np.where(ends < 0, -1.0, 1.0) * values.std(axis=-1)

    def nearest(self, values):
        """The value of the column, between its knots, whose columns are nearest to values (p,) of the side."""
        x = np.linspace(*self.pieces.knots[[0, -1]], N_TRIED)
        made = self.pieces.columns(x)
        away = (made - values[self.index]) / np.maximum(made.std(axis=0), np.finfo(float).tiny)
        return float(x[np.square(away).sum(axis=1).argmin()])

    def crossing(self, j, value):
        """The value of the column at which column j of the side, which rises with it, has a value."""
        number, ends = int(np.flatnonzero(self.index == j)[0]), self.pieces.knots[[0, -1]]
        x = np.linspace(*ends, N_CROSSED)
        made = self.pieces.columns(x)[:, number]
        for end, limit, slope in zip(ends, made[[0, -1]], (self.pieces.below, self.pieces.above), strict=True):
            if slope[number] and (value - limit) * (end - x[N_CROSSED // 2]) > 0:
                return float(end + (value - limit) / slope[number])
        return float(np.interp(value, made, x))

    @property
    def knots(self):
        """The knots at which coefficients are the slopes, (q,), as of splines of degree 2; else None."""
        slopes = self.pieces.slopes
        q, m = slopes.shape
        return self.pieces.knots if q == m and np.allclose(slopes, np.eye(q)) else None

    def knots_in_words(self, digits=4):
        """All knots, with digits enough to tell them apart."""
        knots = self.pieces.knots
        more = np.log10(np.abs(knots).max() / np.diff(knots).min())
        return [f"{knot:.{min(max(digits, int(np.ceil(more)) + 2), 17)}g}" for knot in knots]

    @property
    def scale(self):
        """Standard deviation of the column over such rows."""
        return float(self.pieces.places().std())


def curves_of(features, names=None):
    """The curves among the columns of a side.

    Parameters
    ----------
    features : Features
    names : sequence of str or None
        As for `Features.owners`.

    Returns
    -------
    list of Curve
    """
    owners, found, j = features.owners(names), [], 0
    for _, own in features.maps or []:
        width = len(own.names(""))
        if own.curved:
            found.append(Curve(owners[j], np.arange(j, j + width), own.pieces))
        j += width
    return found
