"""Keep, the last step of a fit: the best run becomes the fitted attributes, and what went wrong is said."""

import copy
import warnings
from functools import partial
from typing import NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from .. import growing
from ..fitting import dropping, ends, restarts
from ..fitting.shrinkage import settle
from ..model.cells import plain
from ..model.mixture import Mixture
from ..model.ranges import Ranges
from ..model.tiny import in_words, tiny
from ..model.tree import Tree
from ..progress import level_outside, tell_kept
from .binding import rebound
from .candidates import written
from .cautions import cautions
from .interrupts import is_one_of_many
from .legends import add_legends
from .settings import algorithms, preferred
from .starting import Earlier

__all__ = ["attributes_of_all_runs", "keep", "keep_growth", "restored"]


class Kept(NamedTuple):
    """What an estimator keeps of its starts, for `restored`."""

    mixture: Mixture
    tree: Tree
    kept: np.ndarray  # the numbers of its leaves in the tree that was asked for
    fits: list  # of Fit, without their statistics


def keep(model, given, bound, begun, outcome):
    """Set the fitted attributes of an estimator.

    Parameters
    ----------
    model : HMERegressor or HMEClassifier
    given : Given
    bound : Bound
    begun : Start
    outcome : Outcome
        The fits, one for each start; fewer after an interrupt.

    Returns
    -------
    Fitted
        The fit that is kept, with its mixture and rows.

    Raises
    ------
    KeyboardInterrupt
        After an interrupt, if the fit is one of many.
    """
    whole = dropping.Fitted(bound.mixture, bound.tree, bound.rows, None, bound.kept, (), outcome.interrupted)
    index = int(np.argmax([fit.merit for fit in outcome.fits]))
    try:
        if not whole.interrupted:
            index = ends.best_of(bound.mixture, bound.rows, outcome.fits, preferred(model), begun.options)
        fitted = _mended(model, given, bound, begun, whole._replace(fit=outcome.fits[index]))
    except KeyboardInterrupt:
        fitted = whole._replace(fit=outcome.fits[index], interrupted="after the last sweep")
    if fitted.interrupted and is_one_of_many():
        raise KeyboardInterrupt
    for attempt in range(2):
        try:
            _keep(model, given, bound, begun, outcome, fitted, index)
            return fitted
        except KeyboardInterrupt:
            fitted = fitted._replace(interrupted=fitted.interrupted or "after the last sweep")
            if attempt:
                raise


def attributes_of_all_runs(model, given, bound):
    """What a fitted estimator has besides what `of_fitted` says, whichever run it is of; None where it cannot predict.

    Callbacks ask about the rows of the fit without their arguments, such as offsets, that `predict` would need.
    """
    if any(values is not None for values in given.arguments.values()):
        return None
    found = {"columns_": bound.columns, "tree_": bound.tree, "target_": given.target, "row_arguments_": ()}
    found |= {"range_": Ranges.of(bound.rows, bound.columns), "average_": None, "uncertainty_": None}
    found |= {"growth_": [], "dropped_": []}
    earlier = bound.structure, None, -np.inf, bound.asked, bound.kept, bound.mixture.alphas
    found["_earlier"] = Earlier(*earlier, written(model))
    return found | ({"classes_": given.target.classes} if model.task == "classification" else {})


def keep_growth(model, kept, prepared, average):
    """Set the fitted attributes that growing adds.

    Parameters
    ----------
    model : HMERegressor or HMEClassifier
    kept : Fitted
    prepared : Prepared
    average : bool
        Whether the average of the sizes is kept, if it is one.
    """
    grown = prepared.grown
    model.growth_, model.average_, model.candidate_ = [], None, prepared.candidate
    model.candidates_ = [prepared.candidate] if grown is None else grown.candidates
    if grown is None:
        return
    growth = grown.growth
    model.growth_ = growth.steps
    if average and not kept.interrupted and not growth.average.is_tree(kept.tree, growth.candidate):
        seen = [(bound.rows, bound.columns, Ranges.of(bound.rows, bound.columns)) for bound in grown.bounds]
        model.average_ = growing.Average([part.among(*seen[part.candidate]) for part in growth.average.parts])


def _settled(given, bound, begun, fitted):
    """The fit after strengths of penalties have been estimated, where any are."""
    if fitted.interrupted or fitted.fit.reason == "callback" or not fitted.mixture.alphas:
        return fitted
    rebind = partial(rebound, given, bound, kept=fitted.kept, tree=fitted.tree)
    mixture, fit, course = settle(fitted.mixture, fitted.rows, fitted.fit, begun.options, rebind)
    stopped = f"after {fit.n_iter} sweep(s)" if fit.reason == "interrupted" else ""
    return fitted._replace(mixture=mixture, fit=fit, course=(*fitted.course, *course), interrupted=stopped)


def _drops(model, bound):
    """Whether tiny experts are dropped: where the user says so, and of a tree whose size is the fit's to choose."""
    return model.on_empty == "drop" or (bound.grows and model.on_empty == "warn")


def _mended(model, given, bound, begun, fitted):
    """The best fit after strengths have been estimated, and starving leaves fed or tiny experts dropped."""
    fitted = _settled(given, bound, begun, fitted)
    mended = _fed_or_dropped(model, given, bound, begun, fitted)
    return mended if mended.fit is fitted.fit else _settled(given, bound, begun, mended)


def _fed_or_dropped(model, given, bound, begun, fitted):
    if fitted.interrupted or fitted.fit.reason == "callback":
        return fitted
    if _drops(model, bound):
        return dropping.drop(fitted, begun.options, partial(rebound, given, bound))
    if model.on_empty == "reseed":
        try:
            fed = restarts.feed(fitted.mixture, fitted.rows, fitted.fit, begun.options)
        except KeyboardInterrupt:
            return fitted._replace(interrupted="while experts without weight were given rows")
        stopped = "while experts without weight were given rows" if fed.reason == "interrupted" else ""
        return fitted._replace(fit=fed, interrupted=stopped)
    return fitted


def _keep(model, given, bound, begun, outcome, fitted, index):
    mixture, best = fitted.mixture, fitted.fit
    model.tiny_ = tiny(mixture, best.params, best.stats, fitted.rows)
    model.boundary_ = _report_troubles(model, bound, fitted)
    _set_fit(model, mixture, fitted.tree, bound.columns, best)
    model.load_ = best.stats.load / best.stats.load.sum()
    before = model.dropped_ if len(bound.kept) < bound.asked.n_leaves else []  # by the fit that this one continues
    model.dropped_ = list({one.expert: one for one in (*before, *fitted.dropped)}.values())
    model.target_ = given.target
    model.row_arguments_ = tuple(sorted(name for name, values in given.arguments.items() if values is not None))
    model.range_ = Ranges.of(bound.rows, bound.columns)
    model.objective_ = "joint" if mixture.gate.traits.generative else "conditional"
    if algorithms(model)[-1] == "hard":
        model.objective_ += " classification"
    if fitted.interrupted:
        model.stop_reason_ = "interrupted"
    which = f"start {outcome.numbers[index] + 1} of {len(begun.names)} ({begun.names[outcome.numbers[index]]})"
    tell_kept(begun.options, best._replace(reason=model.stop_reason_), type(model).__name__, which, model.n_experts_)
    model.restarts_ = ends.Restarts(
        ends.restart_of(begun.names[number], bound.mixture, bound.rows, fit, i == index)
        for i, (number, fit) in enumerate(zip(outcome.numbers, outcome.fits, strict=True))
    )
    model.restart_params_ = [fit.params for fit in outcome.fits]
    fits = [fit._replace(stats=None) for fit in outcome.fits]
    model._restarted = Kept(bound.mixture, bound.tree, bound.kept, fits)
    earlier = bound.structure, begun.fitted_on, _reached(best), bound.asked, fitted.kept, mixture.alphas
    model._earlier = Earlier(*earlier, written(model))
    model.shrinkage_ = list(fitted.course)
    add_legends(model)


def _set_fit(model, mixture, tree, columns, fit):
    """The attributes that a fit alone determines."""
    model.model_, model.columns_, model.tree_, model.params_ = mixture, columns, tree, fit.params
    model.n_experts_ = tree.n_leaves
    model.alpha_ = {side: own[""] if list(own) == [""] else own for side, own in mixture.alphas.items()}
    model.experts_ = mixture.expert.report(fit.params.experts, columns.expert.design)
    model.gate_ = mixture.gate.report(fit.params.gate, columns.gate.design)
    model.log_hyperprior_ = mixture.log_hyperprior / fit.history.load[-1].sum()
    model.history_, model.stages_ = fit.history, list(fit.stages)
    model.samples_ = list(fit.samples)
    model.lower_bounds_ = fit.history.objective[fit.history.accepted]
    model.n_iter_, model.converged_, model.stop_reason_ = fit.n_iter, fit.converged, fit.reason
    watched = not np.isnan(fit.score)
    model.validation_scores_ = fit.history.score[~np.isnan(fit.history.score)] if watched else None
    model.best_validation_score_ = float(fit.score) if watched else None


def _reached(fit):
    return fit.objective if fit.converged else -np.inf


def restored(model, number):
    """A copy of a fitted estimator whose fit is that of another start."""
    mixture, tree, started, fits = model._restarted
    if isinstance(number, bool) or not isinstance(number, int | np.integer) or not 0 <= number < len(fits):
        raise ValueError(f"number = {number!r} must be the number of a start in restarts_, from 0 to {len(fits) - 1}.")
    other, restart = copy.copy(model), model.restarts_[number]
    if restart.kept and model.shrinkage_ and model.on_empty in ("warn", "raise"):  # whose strengths were estimated
        return other
    _set_fit(other, mixture, tree, model.columns_, fits[number])
    other.load_, other.tiny_, other.dropped_ = np.array(restart.load), list(restart.tiny), []
    other.shrinkage_ = []
    other.boundary_ = list(restart.boundary)
    marked = (one._replace(kept=i == number) for i, one in enumerate(model.restarts_))
    other.restarts_ = ends.Restarts(marked)
    other._earlier = model._earlier._replace(reached=_reached(fits[number]), kept=started, alphas=mixture.alphas)
    other.growth_, other.average_ = model.growth_, model.average_ if restart.kept else None
    if hasattr(model, "uncertainty_") and not restart.kept:
        other.uncertainty_ = None  # the rows that tell it are not kept
    add_legends(other)
    return other


def _report_troubles(model, bound, fitted):
    """Give one warning, with every cause and its next step; return what is at a boundary."""
    mixture, best = fitted.mixture, fitted.fit
    starving, names = restarts.starving(best).tolist(), mixture.expert.names
    called = [names[k] for k in starving] if names else starving
    if starving and model.on_empty == "raise":
        raise ValueError(f"{restarts.STARVED.format(called, 'n_init > 1')} (on_empty='raise').")
    boundary = mixture.warnings(best.params, best.stats)
    causes = []
    if fitted.interrupted:
        causes.append(restarts.INTERRUPTED.format(fitted.interrupted))
    elif best.reason in restarts.STOPS:
        causes.append(restarts.STOPS[best.reason].format(model.max_iter, best.gradient))
    if fitted.dropped and model.on_empty == "drop":
        causes.append(_said_of_dropped(fitted, bound.asked.n_leaves))
    if starving:
        advice = "n_init > 1" if model.on_empty == "reseed" else "n_init > 1 or on_empty='reseed'"
        causes.append(restarts.STARVED.format(called, advice))
    small = [one for one in model.tiny_ if one.expert not in starving]
    if small and not (bound.grows and model.on_empty == "warn"):  # its size is no one's choice; `tiny_` names them
        advice = "" if model.on_empty == "drop" else " or on_empty='drop'"  # else a label keeps them
        causes.append(f"{in_words(small)}. Use fewer experts{advice}")
    about_input = cautions(model, mixture, best.params, fitted.rows, bound.grows)
    if causes or boundary or about_input:
        message = plain(f"{type(model).__name__}: " + "; ".join(causes + boundary + about_input) + ".")
        warnings.warn(message, ConvergenceWarning if causes or boundary else UserWarning, stacklevel=level_outside())
    return boundary


def _said_of_dropped(fitted, n_asked):
    left = f"on_empty='drop' has left {fitted.tree.n_leaves} of {n_asked} experts"
    return f"{left}: {in_words(fitted.dropped)}"
