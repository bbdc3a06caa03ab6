"""Where the starts ended, and which of them is kept: interior fits before degenerate ones, unless told otherwise."""

from typing import NamedTuple

import numpy as np

from ..model.tiny import tiny
from ..numerics.kernels import log_normalize
from ..tables import Table, as_html, as_text, pandas_for

__all__ = ["Restart", "Restarts", "best_of", "degenerate", "finished", "restart_of", "worth", "worths"]

UNFINISHED = {"outrun", "twin"}  # reasons of fits that a race has ended


class Restart(NamedTuple):
    """What the fit from one start reached.

    Attributes
    ----------
    start : str
    objective : float
    n_iter : int
    reason : str
        Why it ended, as in `stop_reason_`; of a race also "outrun", if others had reached what it could still expect,
        and "twin", if another start was on its way to the same maximum.
    load : tuple of float
        Share of the weight of each expert.
    tiny : tuple of Tiny
        Experts of one group, or of hardly more weight than they have parameters.
    at_floor : tuple of int
        Experts whose noise variance, dispersion or covariance of x is at its floor.
    boundary : tuple of str
        What else is at a boundary, in sentences, as in `boundary_`; not looked for in fits that a race has ended.
    kept : bool
        Whether it is the fit of the model.
    """

    start: str
    objective: float
    n_iter: int
    reason: str
    load: tuple = ()
    tiny: tuple = ()
    at_floor: tuple = ()
    boundary: tuple = ()
    kept: bool = False

    @property
    def smallest(self):
        """The smallest share of the weight."""
        return min(self.load)

    @property
    def degenerate(self):
        """Whether some expert is tiny, or alone at its floor: it then counts for nothing with ``prefer="interior"``."""
        return bool(_degenerate(self.tiny, self.at_floor, len(self.load)))


class Restarts(list):
    """What each start reached, a list of `Restart` that prints as a table."""

    COLUMNS = "start", "objective", "sweeps", "ended", "smallest", "tiny", "at floor", "boundary", "kept"

    def _cells(self):
        for one in self:
            small = [found.expert for found in one.tiny]
            at = one.objective, one.n_iter, one.reason, one.smallest, small, list(one.at_floor)
            yield (one.start, *at, "; ".join(one.boundary), one.kept)

    def _table(self):
        rows = [
            (number, *cells[:5], *(_listed(numbers) for numbers in cells[5:7]), "yes" if cells[-1] else "")
            for number, cells in enumerate(self._cells())
        ]
        headings = ["", *self.COLUMNS[:7], "kept"]
        formats = ["", "", ".6g", "", "", ".2f", "", "", ""]
        return Table(headings, rows, "Starts", formats=formats, align="llrrlrlll")

    def __repr__(self):
        return as_text([self._table()])

    def _repr_html_(self):
        return as_html([self._table()])

    def to_frame(self):
        """A pandas DataFrame with a row for each start."""
        return pandas_for("to_frame").DataFrame(list(self._cells()), columns=list(self.COLUMNS))


def _listed(numbers):
    return ", ".join(map(str, numbers))


def restart_of(start, mixture, rows, fit, kept=False):
    """The `Restart` of a `Fit`."""
    load, found = fit.stats.load / fit.stats.load.sum(), tiny(mixture, fit.params, fit.stats, rows)
    return Restart(
        start,
        float(fit.objective),
        fit.n_iter,
        fit.reason,
        tuple(load.tolist()),
        tuple(found),
        tuple(mixture.at_floor(fit.params).tolist()),
        tuple(mixture.warnings(fit.params, fit.stats)) if finished(fit) else (),
        kept,
    )


def finished(fit):
    """Whether a fit was not ended by a race."""
    return fit.reason not in UNFINISHED


def degenerate(mixture, rows, fit):
    """The degenerate experts of a fit, a sorted list of numbers: tiny ones, and those at a floor unless all are."""
    found = tiny(mixture, fit.params, fit.stats, rows)
    return _degenerate(found, mixture.at_floor(fit.params).tolist(), len(fit.stats.load))


def _degenerate(small, at_floor, n_leaves):
    # Where all are at their floor, the data have hardly any noise, and no expert is odd among the others.
    return sorted({found.expert for found in small} | set(at_floor if len(at_floor) < n_leaves else ()))


def worth(mixture, rows, fit, prefer):
    """What a fit counts when starts are compared: its objective, to which degenerate experts add nothing, eq. (worth).

    Parameters
    ----------
    mixture : Mixture
    rows : Rows
    fit : Fit
    prefer : {"interior", "likelihood"}
        With "likelihood" it is the objective.

    Returns
    -------
    float
    """
    gone = degenerate(mixture, rows, fit) if prefer == "interior" else []
    if not gone:
        return fit.objective
    if len(gone) == len(fit.stats.load):
        return -np.inf
    total = lost = 0.0
    for _, block in rows.blocks():
        log_joint = mixture.log_joint(fit.params, block)
        weight = block.heads().weight
        others = log_joint.copy()
        others[:, gone] = -np.inf
        with np.errstate(invalid="ignore"):
            difference = log_normalize(log_joint)[0] - log_normalize(others)[0]
        lost += weight @ np.where(np.isnan(difference), 0.0, difference)  # impossible with and without them
        total += weight.sum()
    return float(fit.objective - lost / total)


def worths(mixture, rows, fits, prefer, margin=0.0):
    """The `worth` of each of the fits, a dict from their numbers, of all that may be within a margin of the largest.

    Since no fit is worth more than its objective, the others need not be looked at.
    """
    found, best = {}, -np.inf
    for i in sorted(range(len(fits)), key=lambda i: -fits[i].objective):
        if fits[i].objective < best - margin:
            break
        found[i] = worth(mixture, rows, fits[i], prefer)
        best = max(best, found[i])
    return found


def best_of(mixture, rows, fits, prefer, tol, among_all=False):
    """Index of the fit to keep: the one that is worth most, and of those that are as good but for `tol` the first.

    Starts that end at the same maximum differ by what was left to gain; which of them comes out on top must not depend
    on rounding.
    """
    ended = [i for i, fit in enumerate(fits) if finished(fit)] or list(range(len(fits)))
    if len(ended) == 1:
        return ended[0]
    own = worths(mixture, rows, [fits[i] for i in ended], prefer, 2.0 * tol)
    level = [ended[place] for place, worth in sorted(own.items()) if worth >= max(own.values()) - 2.0 * tol]
    highest = max(fits[i].objective for i in level)
    return next(i for i in level if fits[i].objective >= highest - 2.0 * tol)
