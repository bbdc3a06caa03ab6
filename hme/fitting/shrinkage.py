"""Strengths of penalties that are estimated: EM and the evidence approximation in turn, eq. (evidence-alpha)."""

from typing import Any, NamedTuple

import numpy as np

from . import em
from .restarts import continue_fit

__all__ = ["Shrinkage", "settle", "while_unsettled"]

# Strengths have settled where none moves by more than this factor; rounds at most, and sweeps between two estimates.
CLOSE, MOST_ROUNDS, SWEEPS = 1.05, 15, 10
FARTHER = 1.5  # power of the factor by which a strength is to move: estimates come nearer to their end from one side
MOST_ENDS = 2  # times that strengths may move again after EM has run to its end
TOL = 1e-3  # gain per sweep below which an estimate need not wait for more sweeps
SHARE = 0.5  # of the sweeps that are left: for those at the first strengths, for rounds, and then for the end


class Shrinkage(NamedTuple):
    """A round of a fit: sweeps at given strengths of penalties.

    Attributes
    ----------
    alphas : dict
        From "expert" and "gate" to dicts from the names of leaves, or "" for all, to the strengths in force.
    n_iter : int
        Sweeps of the fit up to the end of the round.
    objective : float
        At its end.
    """

    alphas: Any
    n_iter: int
    objective: float


def while_unsettled(mixture, options):
    """Options of EM at the first strengths, where any are estimated: a fit that is not the end need not be exact."""
    if not mixture.alphas:
        return options
    most = max(int(SHARE * options.max_iter), 1)
    return options._replace(newton=None, tol=max(options.tol, TOL), max_iter=most)


def settle(mixture, rows, fit, options, rebind):
    """Estimate strengths from a fit and go on with EM, in turn, until they have settled; then EM runs to its end.

    A round is a few sweeps of EM at given strengths, so that its objective never falls; between rounds it is another
    one.

    Parameters
    ----------
    mixture : Mixture
    rows : Rows
    fit : Fit
        Of `mixture`.
    options : Options
        Those of the whole fit; what is left of ``max_iter`` is used.
    rebind : callable
        ``rebind(alphas)`` is the mixture with other strengths.

    Returns
    -------
    mixture : Mixture
    fit : Fit
        Its history marks the sweeps that are the first ones at new strengths.
    course : list of Shrinkage
    """
    course = [_round(mixture, fit)]
    # Starts have been pushed off saddles; where strengths draw experts together, what leads up leads nowhere.
    options = options._replace(algorithm=str(np.atleast_1d(options.algorithm)[-1]), climbs=False)
    last = fit.n_iter + int(SHARE * (options.max_iter - fit.n_iter))
    quick = while_unsettled(mixture, options)
    while len(course) <= MOST_ROUNDS and (alphas := _moved(mixture, fit, last)):
        mixture = rebind(alphas)
        fit = _onward(mixture, rows, fit, quick, min(SWEEPS, last - fit.n_iter), moved=True)
        course.append(_round(mixture, fit))
    if _may_go_on(fit, options.max_iter):
        fit = _onward(mixture, rows, fit, options, options.max_iter - fit.n_iter, moved=False)
        course[-1] = _round(mixture, fit)
    for _ in range(MOST_ENDS):
        if not (alphas := _moved(mixture, fit, options.max_iter)):
            break
        mixture = rebind(alphas)
        fit = _onward(mixture, rows, fit, options, options.max_iter - fit.n_iter, moved=True)
        course.append(_round(mixture, fit))
    return mixture, fit, course


def _round(mixture, fit):
    return Shrinkage(mixture.alphas, fit.n_iter, float(fit.objective))


def _may_go_on(fit, most):
    return fit.reason not in ("interrupted", "callback") and fit.n_iter < most


def _moved(mixture, fit, most):
    """The strengths anew, if some has moved and sweeps are left for them; else None."""
    if not _may_go_on(fit, most):
        return None
    new, old = mixture.estimated_alphas(fit.params, fit.stats), mixture.alphas
    ratios = {side: {name: alpha / old[side][name] for name, alpha in found.items()} for side, found in new.items()}
    if all(_close(ratio) for found in ratios.values() for ratio in found.values()):
        return None
    return {
        side: {name: old[side][name] * _farther(ratio) for name, ratio in found.items()}
        for side, found in ratios.items()
    }


def _close(ratio):
    return bool(np.all((1.0 / CLOSE <= ratio) & (ratio <= CLOSE)))


def _farther(ratio):
    """By how much a strength moves; those of columns that say nothing have an end that they would overshoot."""
    return ratio ** (FARTHER if np.ndim(ratio) == 0 else 1.0)


def _onward(mixture, rows, fit, options, sweeps, moved):
    """EM goes on from a fit for so many sweeps, at other strengths if they have `moved`."""
    further = options.after(fit.n_iter, sweeps)._replace(seed=(options.seed, fit.n_iter))
    new = continue_fit(mixture, rows, fit.params, further)
    mark = new.history.moved.copy()
    mark[0] = moved
    history = em.History.joined([fit.history, new.history._replace(moved=mark)])
    return new._replace(history=history, samples=fit.samples, stages=new.stages or fit.stages)
