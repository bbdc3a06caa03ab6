"""Keep, the last step of a fit: the best run becomes the fitted attributes, and what went wrong is said."""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from ..fitting import restarts
from ..model.cells import plain
from .settings import algorithms
from .starting import Earlier

__all__ = ["keep"]


def keep(model, given, bound, begun, fits):
    """Set the fitted attributes of an estimator.

    Parameters
    ----------
    model : HMERegressor or HMEClassifier
    given : Given
    bound : Bound
    begun : Start
    fits : list of Fit
        One for each start; fewer after an interrupt.
    """
    mixture = bound.mixture
    best = max(fits, key=lambda fit: fit.objective)
    if model.on_empty == "reseed" and best.reason not in ("interrupted", "callback"):
        best = restarts.feed(mixture, bound.rows, best, begun.options)
    model.boundary_ = _report_troubles(model, mixture, best)
    model.model_, model.columns_, model.tree_, model.params_ = mixture, bound.columns, bound.tree, best.params
    model.target_ = given.target
    model.row_arguments_ = tuple(sorted(name for name, values in given.arguments.items() if values is not None))
    model.n_experts_ = bound.tree.n_leaves
    model.objective_ = "joint" if mixture.gate.traits.generative else "conditional"
    if algorithms(model)[-1] == "hard":
        model.objective_ += " classification"
    model.experts_ = mixture.expert.report(best.params.experts, bound.columns.expert.design)
    model.gate_ = mixture.gate.report(best.params.gate, bound.columns.gate.design)
    model.history_, model.stages_ = best.history, list(best.stages)
    model.lower_bounds_ = best.history.objective[best.history.accepted]
    model.n_iter_, model.converged_, model.stop_reason_ = best.n_iter, best.converged, best.reason
    model.load_ = best.stats.load / best.stats.load.sum()
    model.restarts_ = [
        restarts.Restart(name, fit.objective, fit.n_iter, fit.reason)
        for name, fit in zip(begun.names, fits, strict=False)  # an interrupt leaves the later starts out
    ]
    model.restart_params_ = None if mixture.refitted else [fit.params for fit in fits]
    reached = best.objective if best.converged else -np.inf
    model._earlier = Earlier(bound.structure, begun.fitted_on, reached)


def _report_troubles(model, mixture, best):
    """Give one warning, with every cause and its next step; return what is at a boundary."""
    starving, names = restarts.starving(best).tolist(), mixture.expert.names
    starving = [names[k] for k in starving] if names else starving
    if starving and model.on_empty == "raise":
        raise ValueError(f"{restarts.STARVED.format(starving, 'n_init > 1')} (on_empty='raise').")
    boundary = mixture.warnings(best.params, best.stats)
    causes = []
    if best.reason in restarts.STOPS:
        causes.append(restarts.STOPS[best.reason].format(model.max_iter, best.gradient))
    if starving:
        advice = "n_init > 1" if model.on_empty == "reseed" else "n_init > 1 or on_empty='reseed'"
        causes.append(restarts.STARVED.format(starving, advice))
    if causes or boundary:
        message = plain(f"{type(model).__name__}: " + "; ".join(causes + boundary) + ".")
        warnings.warn(message, ConvergenceWarning, stacklevel=4)
    return boundary
