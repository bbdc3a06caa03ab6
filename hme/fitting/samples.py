"""Nested samples of a large table, on which a fit runs its many early sweeps, so that few are left for all rows.

A sample is a set of fold numbers, which depend on the content of rows alone: repeated rows and those of a group are in
it together or not at all, and neither the order of the rows nor the units of their columns matter.
"""

from typing import NamedTuple

import numpy as np

from ..model.folds import fold_numbers
from . import training

__all__ = ["Sample", "climbed", "least_rows", "nested"]

# A sample has this many distinct rows for each coefficient, or one half of all together, and not fewer than LEAST.
ROWS_PER_COEFFICIENT, LEAST = 16, 8192
# Each sample has at most so many times the rows of the one before.
GROWTH = 8
# Distinct rows of the rarest class in a sample.
LEAST_OF_CLASS = 20
# Sweeps on a sample at most.
SWEEPS = 100
# A sample's maximum is off the one for all rows by chance, eq. (chance): what is left to gain on it is not worth more.
SHARE_OF_CHANCE = 0.05


class Sample(NamedTuple):
    """The course of a fit on a sample of the rows."""

    n_rows: int
    n_iter: int  # sweeps
    objective: float  # that of the rows of the sample
    reason: str  # why the fit to it ended, as in `stop_reason_`


def nested(mixture, rows, n_leaves, algorithm):
    """Numbers of the rows of each sample, the smallest first; none where the rows are few or must be seen all.

    Parameters
    ----------
    mixture : Mixture
    rows : Rows
    n_leaves : int
    algorithm : str or sequence of str
        Samples are for EM alone.

    Returns
    -------
    list of ndarray of int
    """
    needed = least_rows(rows, n_leaves)
    if rows.n_rows < 2 * needed or n_leaves == 1 or not _may_be_sampled(mixture, rows, algorithm):
        return []
    number = fold_numbers(rows)
    most = (int(number.max()) + 1) // needed
    if rows.y.ndim == 1:
        distinct = np.unique(number, return_index=True)[1]
        counts = np.bincount(rows.y[distinct])
        most = min(most, int(counts[counts > 0].min()) // LEAST_OF_CLASS)
    steps = [] if most < 2 else [1 << int(np.log2(most))]
    while steps and steps[-1] > GROWTH:
        steps.append(steps[-1] // GROWTH)
    return [np.flatnonzero(number % step == 0) for step in steps]


def least_rows(rows, n_leaves):
    """Distinct rows that a sample has at least."""
    return max(LEAST, ROWS_PER_COEFFICIENT * rows.n_coefficients(n_leaves))


def _may_be_sampled(mixture, rows, algorithm):
    """Whether sweeps on a part of the rows prepare for those on all.

    Nothing may depend on rows that are few: labels, or experts of different kinds, such as one of a few outliers.
    """
    sides = mixture.gate.traits, mixture.expert.traits
    plain = tuple(np.atleast_1d(algorithm)) == ("em",) and mixture.exact and not mixture.routed
    whole = any(traits.refitted or traits.frozen or traits.sees_table or traits.cross_fitted for traits in sides)
    return plain and not whole and rows.log_label is None and len(mixture.expert.members) == 1


def climbed(mixture, rows, samples, start, options):
    """Parameters from which EM goes on with all rows, after runs of EM on the samples.

    Parameters
    ----------
    mixture : Mixture
    rows : Rows
    samples : sequence of ndarray of int
        As from `nested`.
    start : callable
        ``start(rows)`` is the parameters from which EM starts on the smallest sample.
    options : Options
        Of EM on all rows.

    Returns
    -------
    params : Params
    course : tuple of Sample

    Raises
    ------
    KeyboardInterrupt
    """
    params, course = None, []
    for index in samples:
        part = rows[index]
        params = start(part) if params is None else params
        fit = training.train(mixture, part, params, _for_sample(part, len(course), mixture.n_leaves(params), options))
        if fit.reason == "interrupted":
            raise KeyboardInterrupt
        params = fit.params
        course.append(Sample(part.n_rows, fit.n_iter, fit.objective, fit.reason))
    return params, tuple(course)


def _for_sample(rows, number, n_leaves, options):
    """Options of EM on sample number `number`. Where the fit might stand at a saddle is asked on the first one."""
    chance = 0.5 * rows.n_coefficients(n_leaves) / rows.weight.sum()
    return options.quiet()._replace(
        max_iter=min(options.max_iter, SWEEPS),
        tol=max(options.tol, SHARE_OF_CHANCE * chance),
        newton=None,
        held_out=None,
        climbs=options.climbs and number == 0,
        settled=number > 0,
    )
