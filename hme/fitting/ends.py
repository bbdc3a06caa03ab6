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
    score : float or None
        Mean log-density of the rows that are held out for ``early_stopping=True``.
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
    score: float | None = None

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

    def _scores(self):
        """The scores of rows that are held out, none where there are none."""
        scores = [one.score for one in self]
        return [] if None in scores else scores

    def _table(self):
        rows = [
            [number, *cells[:5], *(_listed(numbers) for numbers in cells[5:7]), "yes" if cells[-1] else ""]
            for number, cells in enumerate(self._cells())
        ]
        headings = ["", *self.COLUMNS[:7], "kept"]
        formats, align = ["", "", ".6g", "", "", ".2f", "", "", ""], "llrrlrlll"
        if scores := self._scores():
            rows = [[*row[:3], score, *row[3:]] for row, score in zip(rows, scores, strict=True)]
            headings, formats = [*headings[:3], "held out", *headings[3:]], [*formats[:3], ".6g", *formats[3:]]
            align = f"{align[:3]}r{align[3:]}"
        return Table(headings, rows, "Starts", formats=formats, align=align)

    def __repr__(self):
        return as_text([self._table()])

    def _repr_html_(self):
        return as_html([self._table()])

    def to_frame(self):
        """A pandas DataFrame with a row for each start."""
        frame = pandas_for("to_frame").DataFrame(list(self._cells()), columns=list(self.COLUMNS))
        return frame.assign(**{"held out": scores}) if (scores := self._scores()) else frame


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
        None if np.isnan(fit.score) else float(fit.score),
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


def worth(mixture, rows, fit, prefer, held_out=None):
    """What a fit counts when starts are compared: its objective, to which degenerate experts add nothing, eq. (worth).

    Where rows are held out it is their score, to which degenerate experts add nothing either.

    Parameters
    ----------
    mixture : Mixture
    rows : Rows
    fit : Fit
    prefer : {"interior", "likelihood"}
        With "likelihood" it is the objective.
    held_out : HeldOut or None

    Returns
    -------
    float
    """
    gone = degenerate(mixture, rows, fit) if prefer == "interior" else []
    if not gone:
        return fit.merit
    if len(gone) == len(fit.stats.load):
        return -np.inf
    total = lost = 0.0
    for _, block in (rows if held_out is None else held_out.rows).blocks():
        log_joint = mixture.log_joint(fit.params, block)
        weight = block.heads().weight
        others = log_joint.copy()
        others[:, gone] = -np.inf
        with np.errstate(invalid="ignore"):
            difference = log_normalize(log_joint)[0] - log_normalize(others)[0]
        lost += weight @ np.where(np.isnan(difference), 0.0, difference)  # impossible with and without them
        total += weight.sum()
    return float(fit.merit - lost / total)


def worths(mixture, rows, fits, prefer, margin=0.0, held_out=None):
    """The `worth` of each of the fits, a dict from their numbers, of all that may be within a margin of the largest.

    Since no fit is worth more than its objective, or score, the others need not be looked at.
    """
    found, best = {}, -np.inf
    for i in sorted(range(len(fits)), key=lambda i: -fits[i].merit):
        if fits[i].merit < best - margin:
            break
        found[i] = worth(mixture, rows, fits[i], prefer, held_out)
        best = max(best, found[i])
    return found


def best_of(mixture, rows, fits, prefer, options, among_all=False):
    """Index of the fit to keep: the one that is worth most, and of those that are as good but for the `tol` of their
    options the first.

    Starts that end at the same maximum differ by what was left to gain; which of them comes out on top must not depend
    on rounding.
    """
    ended = [i for i, fit in enumerate(fits) if finished(fit)] or list(range(len(fits)))
    if len(ended) == 1:
        return ended[0]
    near = 2.0 * options.tol
    own = worths(mixture, rows, [fits[i] for i in ended], prefer, near, options.held_out)
    level = [ended[place] for place, worth in sorted(own.items()) if worth >= max(own.values()) - near]
    highest = max(fits[i].merit for i in level)
    return next(i for i in level if fits[i].merit >= highest - near)
