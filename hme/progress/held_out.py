"""Rows that are held out of a fit, whose density decides when EM stops early."""

from typing import NamedTuple

import numpy as np

from ..model.folds import fold_numbers
from ..model.rows import Rows

__all__ = ["HeldOut", "held_out"]

IMPOSSIBLE = -1e4  # log-density of a row that is impossible by the parameters, so that others can still be compared


class HeldOut(NamedTuple):
    """Rows that EM does not see.

    Attributes
    ----------
    rows : Rows
        With weights, without labels: what counts is log p(y | x).
    n_iter_no_change : int
        Sweeps without a better score after which a fit ends.
    found : ndarray of bool of shape (n,)
        Which rows of the fit they are.
    """

    rows: Rows
    n_iter_no_change: int
    found: np.ndarray

    def score(self, mixture, params):
        """Weighted mean of log p(y | x) over the rows, or groups, by the plug-in density, eq. (held-out-score)."""
        with np.errstate(all="ignore"):
            found = mixture.evidence(params, self.rows)
        weight = self.rows.heads().weight
        return float(weight @ np.maximum(np.nan_to_num(found, nan=IMPOSSIBLE), IMPOSSIBLE) / weight.sum())


def held_out(rows, fraction):
    """Which rows are held out, (n,) of bool: about so many of the different rows, or of the groups.

    Which ones depends on the content of rows alone, so that equal rows stay together, as do those of a group, and
    weights are repetitions. They are spread evenly over the classes, or over the values of y. The rows that are left
    have all classes; rows with labels are held out only where all have some.

    Parameters
    ----------
    rows : Rows
    fraction : float or int
        A share, or the number of different rows or groups.
    """
    number = fold_numbers(rows)
    if rows.log_label is not None:
        bare = np.flatnonzero(np.bincount(number, np.ptp(rows.log_label, axis=1) > 0) == 0)
        place = np.full(number.max() + 1, -1)
        place[bare] = np.arange(len(bare))
        number = place[number] if len(bare) else number
    n = int(number.max()) + 1
    m = min(max(round(fraction * n) if isinstance(fraction, float) else int(fraction), 1), n)
    found = (number >= 0) & ((number + 1) * m // n > number * m // n)
    if rows.y.ndim == 1:
        lost = np.setdiff1d(rows.y[found], rows.y[~found])
        found &= ~np.isin(number, number[np.isin(rows.y, lost)])
    return found
