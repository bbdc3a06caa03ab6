"""Start, the first steps of a fit: rows are read and bound, a tree that is to grow grows, and EM has where to begin."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import joblib
import numpy as np

from .. import growing
from ..fitting import restarts, starts
from ..fitting.shrinkage import while_unsettled
from ..inference.uphill import Uphill
from ..model.parts import renamed
from ..progress import NOBODY, of_fitted, tell_end
from .binding import Bound, bind, bound_to, continues, hold_out
from .candidates import automatic, heats, still_in_force, variant
from .inputs import Given
from .settings import options, preferred, tolerance

__all__ = ["Earlier", "Grown", "Prepared", "Start", "prepare", "start"]

# Distinct rows, or groups, from which on there is something to hold out.
LEAST_ROWS = 30
# With ``max_experts=None``: at most so many, and each with so many rows for a coefficient, on average.
MAX_EXPERTS, ROWS_A_COEFFICIENT = 96, 2


class Earlier(NamedTuple):
    """What an estimator remembers of its fit for a warm start, beside the fitted attributes."""

    structure: tuple
    fitted_on: Any  # see `_fingerprint`
    reached: float  # the objective where the fit has converged, else -inf
    asked: Any  # the tree of the hyper-parameters
    kept: Any  # (K,), the numbers that the leaves of `tree_` have in it
    alphas: Any  # the strengths of penalties that were estimated, see `Mixture.alphas`
    settings: dict  # the hyper-parameters that candidates may change, see `candidates.written`


class Grown(NamedTuple):
    """What growing adds to a fit."""

    growth: Any  # `Growth`
    params: Any  # from which EM goes on with the tree
    candidates: list  # of dict, the changes that were tried
    bounds: list  # of Bound, to which all parts of the average are


class Prepared(NamedTuple):
    """What a fit is given and works on."""

    given: Given
    bound: Bound
    grown: Any  # `Grown`, or None
    candidate: dict  # changes of the hyper-parameters that growing has chosen, now or in an earlier fit


class Start(NamedTuple):
    """The starts of a fit."""

    names: list  # of str
    run: Callable  # without arguments; runs EM from each start and returns an `Outcome`
    options: Any  # of EM, with which the fit that is kept ends
    fitted_on: Any

    def under(self, task):
        """With further sweeps that are parts of a task."""
        return self._replace(options=self.options._replace(task=task, place="finish  "))


def prepare(model, read_as, task=NOBODY):
    """Read and bind what the fit of an estimator is given, and grow its tree, if it grows.

    Parameters
    ----------
    model : HMERegressor or HMEClassifier
    read_as : callable
        ``read_as(model)`` is what `inputs.read` makes of the arguments of the fit.
    task : Task

    Returns
    -------
    Prepared
    """
    given, candidate = read_as(model), {}
    if continues(model) and still_in_force(model):
        candidate = still_in_force(model)
        model = variant(model, candidate)
        given = read_as(model)
    bound = hold_out(model, given, bind(model, given))
    growing_task = task.part("grow", None if bound.grows else 0)
    prepared = _grow(model, read_as, given, bound, growing_task)
    growing_task.end()
    return prepared._replace(candidate=prepared.candidate or candidate)


def _grow(model, read_as, given, bound, task):
    rows = bound.rows
    if not bound.grows or not rows.n_different(LEAST_ROWS) >= LEAST_ROWS:
        return Prepared(given, bound, None, {})
    tried = [{}] if model.candidates is None else model.candidates
    by_itself = isinstance(tried, str)
    tried = automatic(model, bound) if by_itself else list(tried)
    out = None if bound.held_out is None else bound.held_out.found
    pairs = [
        _changed(model, read_as, i, changes, out) if changes else (given, bound) for i, changes in enumerate(tried)
    ]
    _check_measures(tried, pairs)
    who_grow = [
        growing.Candidate(
            partial(bound_to, given=own, columns=its.columns, rate=its.rate),
            its.rows,
            _most(model, its.rows, rows),
            its.held_out,
            heat,
        )
        for (own, its), heat in zip(pairs, heats(tried) if by_itself else [None] * len(tried), strict=True)
    ]
    em_options = options(model, 0.0, bound)._replace(task=task)
    growth = growing.grow(who_grow, growing.Settings(float(model.min_weight_fraction_leaf), em_options))
    given, bound = pairs[growth.candidate]
    size = growth.chosen
    kept = np.arange(size.tree.n_leaves)
    bound = bound._replace(mixture=size.mixture, tree=size.tree, asked=size.tree, kept=kept)
    grown = Grown(growth, size.params, tried, [its for _, its in pairs])
    return Prepared(given, bound, grown, tried[growth.candidate])


def _check_measures(tried, pairs):
    """Refuse densities beside probabilities of counts: their scores cannot be compared."""
    measures = [given.expert.traits.measure for given, _ in pairs]
    for number, (changes, measure) in enumerate(zip(tried, measures, strict=True)):
        if measure != measures[0]:
            raise ValueError(
                f"candidates[{number}] = {changes!r} has a {measure} of y, candidates[0] a {measures[0]}: their scores "
                "cannot be compared. Compare counts with counts."
            )


def _most(model, rows, plain):
    """How many experts a tree may have; those with more columns than the `plain` ones are fewer, as they do more."""
    if model.max_experts is not None:
        return model.max_experts
    own, all_own, first = (
        rows.n_coefficients(1),
        *(one.n_coefficients(2) - one.n_coefficients(1) for one in (rows, plain)),
    )
    return max(min(MAX_EXPERTS * first // max(all_own, first), int(rows.weight.sum() / (ROWS_A_COEFFICIENT * own))), 2)


def _changed(model, read_as, number, changes, out):
    """What the fit of an estimator with other hyper-parameters is given and bound to."""
    try:
        other = variant(model, {**changes, "candidates": "auto", "max_experts": None})
        given = read_as(other)
        bound = hold_out(other, given, bind(other, given), out)
    except (TypeError, ValueError) as error:
        raise renamed(error, f"candidates[{number}] = {changes!r}: {error}") from error
    if not bound.grows:
        raise ValueError(
            f"candidates[{number}] = {changes!r} has no tree that grows: its experts or its gate are fitted anew, "
            "routed, given or a list."
        )
    return given, bound


def start(model, given, bound, grown=None, nested=None, **changes):
    """The points that EM runs from: the parameters of an earlier fit, or responsibilities that are given or made.

    Parameters
    ----------
    model : HMERegressor or HMEClassifier
    given : Given
    bound : Bound
    grown : Grown or None
    nested : ndarray of shape (n, K) or None
        Responsibilities of one more start, those of a smaller model with some of its experts divided.
    **changes
        Of the options of EM that the hyper-parameters stand for.

    Returns
    -------
    Start
    """
    mixture, rows, tree = bound.mixture, bound.rows, bound.tree
    tol = tolerance(model, mixture, rows, tree.n_leaves)
    uphill = Uphill(bound.columns)
    ends = {"look": uphill.way_up, "at_maximum": uphill.at_maximum}
    if bound.held_out is None:  # else the exact maximum is not what is looked for
        ends["newton"] = uphill.newton
    em_options = options(model, tol, bound)._replace(**{**ends, **changes})
    if grown is not None and grown.growth.interrupted:
        em_options = em_options._replace(max_iter=1, climbs=False, newton=None)  # what it has reached is looked at
        one = restarts.run, mixture, rows, tree, ["grown"], em_options, {"grown": grown.params}
        return Start(["grown"], partial(_as_interrupted, *one), em_options, None)
    early, fitted_on = while_unsettled(mixture, em_options), _fingerprint(model, given, bound)
    if continues(model):
        params = _continued(model, bound, fitted_on)
        again = partial(_run_again, mixture, rows, params, early, model._earlier.reached)
        return Start(["warm"], again, em_options, fitted_on)
    if given.groups is None and isinstance(model.start, str) and model.start == "groups":
        raise ValueError("start = 'groups' needs groups in fit.")
    first, known = model.start, {}
    if not isinstance(first, str):
        first, known = "given", {"given": _in_order(model.start, given, bound)}
    if grown is not None and first == "auto":
        first, known = "grown", {"grown": grown.params}
    grouped = rows.group is not None and len(rows.firsts()) < rows.n_rows
    n_starts, n_finalists = model.n_init, model.n_finalists
    if first in ("auto", "grown") and n_finalists is not None:
        n_starts = starts.n_tried(mixture, rows, tree, model.n_init, em_options.algorithm)
    brief = n_starts > model.n_init
    if brief and n_finalists == "auto":
        n_finalists = model.n_init
    names = starts.sequence(first, n_starts, model.task == "classification", grouped)
    if nested is not None:
        names, known = [*names, "nested"], known | {"nested": _in_order(nested, given, bound)}
    jobs = mixture, rows, tree, names, early, known, n_finalists, model.n_jobs, preferred(model), brief
    return Start(names, partial(restarts.run, *jobs), em_options, fitted_on)


def _in_order(resp, given, bound):
    """The responsibilities that the user gives, one a row, in the order of the rows."""
    resp = starts.given(resp, given.kept, bound.tree.n_leaves)
    return resp if bound.order is None else resp[bound.order]


def _as_interrupted(run, *arguments):
    return run(*arguments)._replace(interrupted="while the tree grew")


def _run_again(mixture, rows, params, options, reached):
    again = options.task.part("start", options.max_iter)
    fit = restarts.continue_fit(mixture, rows, params, options._replace(task=again, place="warm start  "), reached)
    tell_end(options._replace(place="warm start  "), fit)
    again.end(**of_fitted(mixture, fit.params))
    stopped = f"after {fit.n_iter} sweep(s)" if fit.reason == "interrupted" else ""
    return restarts.Outcome([fit], [0], stopped)


def _fingerprint(model, given, bound):
    """The rows and families of a fit as text, for families that are fitted anew; None where no one will ask."""
    if not (bound.mixture.refitted and model.warm_start):
        return None
    return joblib.hash((bound.rows.X, bound.rows.y, bound.rows.weight)), repr(given.expert), repr(given.gate)


def _continued(model, bound, fitted_on):
    """The parameters of an earlier fit, as a start on these rows.

    Estimators that were fitted to other rows have seen some of these, and an estimator that the user gives may be
    another one now. Of such a fit only the responsibilities are used.
    """
    mixture = bound.mixture
    sides = mixture.expert.traits, mixture.gate.traits
    by_rows = mixture.refitted or any(traits.sees_table for traits in sides)
    if not by_rows or (fitted_on is not None and fitted_on == model._earlier.fitted_on):
        return model.params_
    unseen = bound.rows._replace(fold=None)
    return mixture.init(bound.rows, model.model_.posterior(model.params_, unseen)[1])
