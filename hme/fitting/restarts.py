"""Several starts: fit from each, race them, and give rows to leaves that hold none."""

from typing import NamedTuple

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs
from threadpoolctl import threadpool_limits  # scikit-learn brings it

from ..model import mixture as mixtures
from . import em, starts, training

__all__ = ["Restart", "continue_fit", "feed", "run", "starving"]

RACE_SWEEPS = 25  # sweeps of every start before the finalists are chosen
MAX_RESEEDS = 3
# What ended a fit before it converged, and what to do about it; {0} is max_iter, {1} the gradient.
STOPS = {
    "max_iter": "EM stopped after max_iter={0} sweeps before it converged. Raise max_iter or tol",
    "stalled": "EM stopped because no part of its last step raised the objective; the gradient is {1:.1g}. Raise alpha "
    "or look for columns of very different scale",
    "saddle": "EM stands at a saddle of the objective and max_iter={0} leaves no sweeps to leave it. Raise max_iter",
    "max_stages": "the leaves that the gate chooses still changed after its last stage. Raise gate max_stages",
    "interrupted": "EM was interrupted; the best parameters so far are kept. Set warm_start=True and fit again to go "
    "on",
}
STARVED = "expert(s) {0} hold next to no weight. Use fewer experts, {1}"


class Restart(NamedTuple):
    """What the fit from one start reached."""

    start: str
    objective: float
    n_iter: int
    reason: str


def run(mixture, rows, tree, names, options, given=None, n_finalists=None, n_jobs=None):
    """Fit from every start.

    Parameters
    ----------
    mixture : Mixture
    rows : Rows
    tree : Tree
    names : list of str
        Names of the starts, see `starts.STARTS`; "given" stands for the responsibilities `given`.
    options : Options
        Start number i draws from ``default_rng((options.seed, i))`` alone, so that every backend and `n_jobs` gives the
        same fits.
    given : ndarray of shape (n, K) or None
    n_finalists : int or None
        With a number, every start runs for a few sweeps, and only so many of the best are fitted to the end.
    n_jobs : int or None
        Fits that run at the same time.

    Returns
    -------
    list of Fit
    """
    racing = n_finalists is not None and n_finalists < len(names)
    first = options._replace(max_iter=min(RACE_SWEEPS, options.max_iter)) if racing else options
    parallel = Parallel(n_jobs=n_jobs)
    jobs = [
        (mixture, rows, tree, given if name == "given" else name, first._replace(seed=(options.seed, i)))
        for i, name in enumerate(names)
    ]
    if effective_n_jobs(n_jobs) == 1:  # an interrupt ends the fit, not one start of it
        fits = []
        for job in jobs:
            fits.append(_run_start(*job))
            if fits[-1].reason == "interrupted":
                return fits
    else:
        fits = parallel(delayed(_run_start)(*job) for job in jobs)
    if racing:
        finalists = sorted(range(len(fits)), key=lambda i: -fits[i].objective)[:n_finalists]
        finals = parallel(delayed(continue_fit)(mixture, rows, fits[i].params, options, warm=False) for i in finalists)
        for i, final in zip(finalists, finals, strict=True):
            fits[i] = final._replace(history=em.History.joined([fits[i].history, final.history]))
    return fits


def _run_start(mixture, rows, tree, start, options):
    with threadpool_limits(1, user_api="blas"), np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        resp = start
        if isinstance(start, str):
            scaled = rows._replace(y=mixture.expert.start_target(rows))
            resp = starts.STARTS[start](scaled, tree, np.random.default_rng(options.seed))
            resp = mixture.expert.start_responsibilities(rows, resp)
        return training.train(mixture, rows, mixture.init(rows, starts.pooled(rows, resp)), options)


def continue_fit(mixture, rows, params, options, reached=-np.inf, warm=True):
    """Fit from parameters, those of an earlier fit if `warm`; see `em.fit` for `reached`."""
    with threadpool_limits(1, user_api="blas"):
        return training.train(mixture, rows, params, options, reached, warm)


def starving(fit):
    """Numbers of the leaves that hold next to no weight at the end of a fit."""
    return mixtures.starving(fit.stats.load)


def feed(mixture, rows, fit, options):
    """Give starving leaves the rows that the heaviest leaf fits worst, and fit again, as long as that helps."""
    for _ in range(MAX_RESEEDS):
        hungry = starving(fit)
        if not len(hungry):
            break
        params = mixture.init(rows, starts.reseeded(mixture, fit.params, rows, hungry))
        again = continue_fit(mixture, rows, params, options, warm=False)
        if again.objective <= fit.objective:
            break
        fit = again
    return fit
