"""A way up from where EM has stopped: a saddle of the objective is not a maximum, though every step there is zero.

At a fixed point of EM the Jacobian of its map has an eigenvalue above one exactly where the Hessian of the objective
has a direction of ascent, so that EM itself leaves a saddle once it is pushed off it, eq. (saddle). A push is a label
prior of the rows: twin experts, which stand in the same place, get the rows on either side of what their common fit
leaves over, and all experts get some more of the rows on one side of a direction in (X, y).
"""

import numpy as np

from ..numerics.quantiles import quantiles
from ..progress import asked_to_stop, tell_sweep
from . import em, side_by_side
from .guard import limit
from .regions import dense, divisions, points_of, targets_of
from .screening import narrowed

__all__ = ["complete"]

# Experts are twins where their log-densities differ by less than this, as a root mean square over their rows.
TWIN = 0.05
# Log-densities this far below the best expert's are as good as impossible; twins are looked for among pairs whose mean
# square, in which large numbers cancel, is up to so many times too large.
FAR, ABOUT = 1e3, 4.0
# Log-odds of a push: for twins, whose rows are divided, and for experts that differ already.
DIVIDED, NUDGED = 4.0, 0.3
# Sweeps from a push before its course is judged, at most, and how often a fit is pushed.
SWEEPS, MOST_SWEEPS, MOST_CLIMBS = 10, 50, 5
EQUAL = 1e-9  # share of the range of scores by which equal ones may differ
CERTAIN = 1e-9  # gain along a direction of ascent that is none of rounding
FINER = 0.1  # of `tol`, once there was such a direction
CHEAP, SHARE = 16384, 0.25  # rows times leaves up to which sweeps are cheap, and what pushes may add where they are not
MOST_STEPS, MOST_ENDS = 10, 3  # of Newton at the end of a fit, and how often EM goes on from where they have led
EXACT = 1e-6  # scaled gradient beyond which Newton's steps have not ended at a maximum
STUCK = 0.8  # of the gradient that a Newton step leaves, where the maximum is out of reach, as where a gate is sharp


def complete(mixture, rows, fit, options):
    """Lead a fit that has converged to a maximum: off a saddle where it stands at one, then by Newton's steps.

    A step from where the objective is flat may lead far, to where it bends upwards: EM then goes on from there.

    Parameters
    ----------
    mixture : Mixture
    rows : Rows
    fit : Fit
        Of plain EM; one that has not converged is returned as it is.
    options : Options
        Those of the fit; what is left of ``max_iter`` is used.

    Returns
    -------
    Fit
        Its reason is "saddle" where a way up is known and no sweeps are left to go it.
    """
    for _ in range(MOST_ENDS):
        if options.climbs and mixture.exact:
            fit = climb(mixture, rows, fit, options)
        if options.newton is None or not fit.converged:
            return fit
        before, (fit, stuck) = fit, finish(mixture, rows, fit, options)
        far = fit.objective > before.objective + options.tol or (fit.gradient > EXACT and not stuck)
        if fit.n_iter == before.n_iter or not far or not fit.converged or fit.n_iter >= options.max_iter:
            return fit
        fit = _onward(mixture, rows, fit, fit.params, options)
    return fit


def _onward(mixture, rows, fit, params, options):
    """EM goes on from other parameters than a fit has ended at; without gain if rows that are held out say so."""
    go_on = em.fit(mixture, rows, params, options.after(fit.n_iter, options.max_iter - fit.n_iter))
    worse = options.held_out is not None and go_on.score < fit.score
    further = go_on.history._replace(accepted=go_on.history.accepted & ~np.bool_(worse))
    history = em.History.joined([fit.history, further])
    return fit._replace(history=history, reason="early_stopping") if worse else go_on._replace(history=history)


def climb(mixture, rows, fit, options):
    """Push a fit off the point where EM has converged, and go on from where that leads up, as often as it does."""
    looked = False
    for _ in range(MOST_CLIMBS):
        if not fit.converged or mixture.n_leaves(fit.params) == 1:
            return fit
        if options.at_maximum is not None and options.at_maximum(mixture, rows, fit):
            return fit
        higher = _pushed(mixture, rows, fit, options)
        if higher is None:
            higher, looked = _seen(mixture, rows, fit, options), True
        if higher is None:
            return fit
        if fit.n_iter >= options.max_iter:
            return fit._replace(reason="saddle")
        if looked:  # a slow way, along which less was left to gain than there is
            options = options._replace(tol=FINER * options.tol)
        fit = _onward(mixture, rows, fit, higher, options)
    if fit.converged and looked and _seen(mixture, rows, fit, options) is not None:
        return fit._replace(reason="saddle")
    return fit


def finish(mixture, rows, fit, options):
    """Go on from where EM has converged by Newton's steps, eq. (newton), as long as they lead up.

    EM stops where little is left to gain, which may be a good part of a standard error along a flat direction. Every
    step counts as a sweep.

    Returns
    -------
    fit : Fit
    stuck : bool
        Whether a step has gained next to nothing and left most of the gradient.
    """
    stuck = False
    for sweep in range(fit.n_iter, min(fit.n_iter + MOST_STEPS, options.max_iter)):
        params = options.newton(mixture, rows, fit) if fit.converged and not stuck else None
        if params is None:
            break
        with np.errstate(all="ignore"):
            objective, stats = mixture.e_step(params, rows)
        if not objective > fit.objective:
            break
        gradient = mixture.gradient(params, stats)
        step, gain = em.History.of([(objective, True, gradient, stats.load, np.nan)]), objective - fit.objective
        stuck = gain <= options.tol and gradient > max(STUCK * fit.gradient, EXACT)
        fit = fit._replace(params=params, objective=objective, stats=stats, gradient=gradient)
        fit = fit._replace(history=em.History.joined([fit.history, step]))
        if options.verbose > 1:
            tell_sweep(options, sweep, fit, gain)
        if asked_to_stop(options, sweep, fit, mixture):
            fit = fit._replace(reason="callback")
    return fit, stuck


def _seen(mixture, rows, fit, options):
    """Parameters of a higher objective along a direction of ascent at the end of a fit, or None."""
    return None if options.look is None else options.look(mixture, rows, fit, least=fit.objective + CERTAIN)


def _pushed(mixture, rows, fit, options):
    """Parameters of a higher objective than a fit has, to which a push and a few sweeps lead, or None."""
    least = fit.objective + max(options.tol, 1e-9)
    quiet, left = em.Options(SWEEPS, 0.0), _sweeps(mixture, rows, fit)
    if side_by_side.together(mixture, rows, mixture.n_leaves(fit.params), quiet):
        return _pushed_together(mixture, rows, fit.params, least)
    for log_label in pushes(mixture, rows, fit.params):
        pushed = log_label if rows.log_label is None else rows.log_label + log_label
        with np.errstate(all="ignore"):
            _, stats = mixture.e_step(fit.params, rows._replace(log_label=pushed))
            params, reached = mixture.m_step(fit.params, stats, rows), []
        while len(reached) < MOST_SWEEPS:
            try:
                run = em.fit(mixture, rows, params, quiet)
            except (ValueError, np.linalg.LinAlgError):  # the push has led out of range
                break
            if run.reason == "interrupted":
                raise KeyboardInterrupt
            if run.objective > least:
                return run.params
            reached.extend(run.history.objective[run.history.accepted])
            left -= run.n_iter
            if left <= 0:
                return None
            if limit(reached) <= least or run.reason != "max_iter":
                break
            params = run.params
    return None


def _pushed_together(mixture, rows, params, least):
    """`_pushed`, all ways at once: the first one that leads up, though others may do so in fewer sweeps."""
    starts = []
    for log_label in pushes(mixture, rows, params):
        pushed = log_label if rows.log_label is None else rows.log_label + log_label
        with np.errstate(all="ignore"):
            _, stats = mixture.e_step(params, rows._replace(log_label=pushed))
            starts.append(mixture.m_step(params, stats, rows))
    places, reached, ended = list(range(len(starts))), [[] for _ in starts], {}
    quiet, wrong = em.Options(SWEEPS, 0.0), (ValueError, np.linalg.LinAlgError)
    while places:
        options, now = [quiet] * len(places), [starts[i] for i in places]
        for place, run in side_by_side.fit_together(mixture, rows, now, options, wrong):
            i = places[place]
            if isinstance(run, wrong):  # the push has led out of range
                ended[i] = None
                continue
            reached[i].extend(run.history.objective[run.history.accepted])
            starts[i] = run.params
            if run.objective > least:
                ended[i] = run.params
            elif limit(reached[i]) <= least or run.reason != "max_iter" or len(reached[i]) >= MOST_SWEEPS:
                ended[i] = None
        for i in range(len(starts)):
            if i not in ended:
                break
            if ended[i] is not None:
                return ended[i]
        places = [i for i in range(len(starts)) if i not in ended]
    return None


def _sweeps(mixture, rows, fit):
    """Sweeps that may be spent on pushes: where one is costly, no more than a share of those of the fit."""
    return np.inf if _cheap(mixture, rows, fit.params) else max(SHARE * fit.n_iter, SWEEPS)


def _cheap(mixture, rows, params):
    return rows.are_few(CHEAP / mixture.n_leaves(params))


def pushes(mixture, rows, params):
    """Label priors (n, K) of rows, each a push away from `params`, made when they are asked for."""
    resp = rows.spread(mixture.posterior(params, rows)[1])
    log_prob = mixture.expert.log_prob(params.experts, rows)
    few = narrowed(rows._replace(y=mixture.expert.start_target(rows)))
    Y, X = targets_of(few), dense(few.X, rows.weight)
    for k, other in _twins(log_prob, resp * rows.weight[:, None]):
        weight = (resp[:, k] + resp[:, other]) * rows.weight
        for score in divisions(X, Y, weight):
            above = score - quantiles(score, [0.5], weight)[0] > EQUAL * np.ptp(score)
            yield _towards(rows, np.where(above, DIVIDED, -DIVIDED), k, other, resp.shape[1])
    if not _cheap(mixture, rows, params):  # many experts that all differ are at no saddle of symmetry
        return
    rng = np.random.default_rng(0)
    points = points_of(few)
    score = np.tanh(points @ rng.standard_normal(points.shape[1]))
    nudge, heaviest = np.empty(resp.shape[1]), np.argsort(-(rows.weight @ resp), kind="stable")
    nudge[heaviest] = NUDGED * rng.standard_normal(len(nudge))  # the numbers of the leaves mean nothing
    yield rows.spread(rows.pooled(np.outer(score, nudge)))


def _towards(rows, log_odds, k, other, n_leaves):
    """The label prior that divides rows between two leaves."""
    log_label = np.zeros((rows.n_rows, n_leaves))
    log_odds = rows.spread(np.clip(rows.pooled(log_odds), -DIVIDED, DIVIDED))
    log_label[:, k], log_label[:, other] = 0.5 * log_odds, -0.5 * log_odds
    return log_label


def _twins(log_prob, weight):
    """Pairs of leaves whose experts are all but the same, one for each leaf that has a twin before it."""
    pairs, alike = [], _alike(log_prob, weight)
    for k in range(1, log_prob.shape[1]):
        for other in np.flatnonzero(alike[k, :k]):
            both = weight[:, k] + weight[:, other]
            with np.errstate(invalid="ignore"):
                difference = log_prob[:, k] - log_prob[:, other]
            square = np.where(both > 0, difference, 0.0) ** 2
            if both.sum() > 0 and both @ square < TWIN**2 * both.sum():
                pairs.append((k, int(other)))
                break
    return pairs


def _alike(log_prob, weight):
    """Which pairs of leaves (K, K) may be twins: by matrix products, in which the difference of squares cancels."""
    top = log_prob.max(axis=1, keepdims=True)
    below = np.maximum(log_prob - np.where(np.isfinite(top), top, 0.0), -FAR)  # too far is alike, until looked at
    load = weight.sum(axis=0)
    own = (weight * below**2).sum(axis=0)[:, None] - 2.0 * (weight * below).T @ below + weight.T @ below**2
    return own + own.T < ABOUT * TWIN**2 * np.add.outer(load, load)
