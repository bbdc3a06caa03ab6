"""Bent columns as polynomials between knots: a form that other languages can write, eq. (pieces)."""

from typing import NamedTuple

import numpy as np

__all__ = ["Pieces"]

N_BETWEEN = 8  # places between two knots


class Pieces(NamedTuple):
    """Columns that are polynomials between the knots of a column and straight lines beyond them, eq. (pieces).

    Attributes
    ----------
    knots : ndarray of shape (m + 1,)
        Ascending.
    start : ndarray of shape (q,)
        Values at the first knot.
    powers : ndarray of shape (q, m, d)
        Coefficients of the powers, from the first one up, of the share of the way from each knot to the next.
    below, above : ndarray of shape (q,)
        Slopes below the first and above the last knot.
    """

    knots: np.ndarray
    start: np.ndarray
    powers: np.ndarray
    below: np.ndarray
    above: np.ndarray

    @property
    def slopes(self):
        """Slopes of the columns at the knots, (q, m + 1): to the right of each, and of the last one to its left."""
        width = np.diff(self.knots)
        degree = np.arange(1, self.powers.shape[2] + 1)
        last = (self.powers[:, -1] @ degree) / width[-1]
        return np.column_stack([self.powers[:, :, 0] / width, last])

    def places(self):
        """Values of the column, as many between each two knots, (r,): as rows are, where knots are quantiles."""
        share = (np.arange(N_BETWEEN) + 0.5) / N_BETWEEN
        return (self.knots[:-1, None] + share * np.diff(self.knots)[:, None]).ravel()

    def columns(self, x):
        """Columns (n, q) of a column (n,)."""
        low, high = self.knots[0], self.knots[-1]
        out = (
            self.start
            + np.minimum(x - low, 0.0)[:, None] * self.below
            + np.maximum(x - high, 0.0)[:, None] * self.above
        )
        for i, (knot, width) in enumerate(zip(self.knots, np.diff(self.knots), strict=False)):
            share, power = np.clip((x - knot) / width, 0.0, 1.0)[:, None], 0.0
            for coef in self.powers[:, i].T[::-1]:
                power = (power + coef) * share
            out += power
        return out

    def standardised(self, center, scale):
        """The pieces of the columns less `center` (q,), divided by `scale` (q,)."""
        powers = self.powers / scale[:, None, None]
        return Pieces(self.knots, (self.start - center) / scale, powers, self.below / scale, self.above / scale)

    def moved(self, center, scale):
        """The pieces for the column in other units, in which it is ``center + scale * x``."""
        return self._replace(knots=center + scale * self.knots, below=self.below / scale, above=self.above / scale)
