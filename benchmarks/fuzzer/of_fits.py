"""What must hold of the fit itself: a function a promise, which raises `Failure` where it is broken."""

import numpy as np

from .fitted import SUMS, holds, no_nan
from .limits import Excused

__all__ = ["attributes", "exact_steps", "leaves", "objective", "public_objective"]

SLACK = 1e-9  # share of the objective's size that is the rounding of its sums
FAR = 10.0  # squared distance, in variances of a column, from which a row is no typical one
ROUNDED = 8.0  # errors of densities, in standard deviations of their sum, that mean nothing; as in the guard of EM


def attributes(fitted):
    """No nan in fitted attributes; the loads are shares."""
    model = fitted.model
    for name in ("params_", "experts_", "gate_", "lower_bounds_", "load_", "n_iter_", "restarts_"):
        no_nan(getattr(model, name), name)
    holds(np.isfinite(model.lower_bounds_).all(), "lower_bounds_ is not finite")
    holds(abs(model.load_.sum() - 1.0) < SUMS and (model.load_ >= 0).all(), "load_ are no shares")


def leaves(fitted):
    """The number of experts is the one that was asked for, but for those that are named as dropped.

    A tree that grows has no number that was asked for: tiny experts are dropped where `on_empty` is at its default.
    """
    configuration, model = fitted.configuration, fitted.model
    depth, branching = configuration["depth"], configuration["branching"] or 2
    wanted = configuration["n_experts"] or (3 if configuration["tree"] else None)
    if wanted is None and isinstance(depth, int):
        wanted = branching**depth
    K, dropped = model.n_experts_, len(model.dropped_)
    grown = bool(model.growth_) and configuration["on_empty"] is None
    holds(not dropped or grown or configuration["on_empty"] == "drop", "experts are dropped unasked")
    holds(wanted is None or wanted == K + dropped, f"{wanted} experts were asked for, there are {K}")
    widths = {len(model.load_), model.tree_.n_leaves, model.gate_proba(fitted.X).shape[1]}
    holds(widths == {K}, "K differs between attributes")


def objective(fitted):
    """The objective never falls, where steps are not meant to wander.

    A fall within the rounding of the sums, 1e-9 of the objective's size, is none.
    """
    bounds = fitted.model.lower_bounds_
    expert, gate = fitted.traits
    drawn = "stochastic" in fitted.configuration.settings.get("algorithm", "")
    if not (gate.routed or drawn or expert.refitted or gate.refitted):
        holds((np.diff(bounds) >= -SLACK * (1.0 + np.abs(bounds[1:]))).all(), "lower_bounds_ falls")


def exact_steps(fitted):
    """Families that are exact never need the guard: no plain step of theirs lowers the objective.

    Leaps may, so the fit is another one, without them. A fall is none that is within the rounding of the sums, or of
    the densities themselves: next to no noise makes much of the last digits of y. Newton's steps are damped by the
    typical change of the scores, and may go too far for a row that lies far outside: excused is a fall in a table that
    has such a row, if a shorter step the same way leads up, as it does not after a wrong step.
    """
    expert, gate = fitted.traits
    if not (expert.exact and gate.exact) or gate.routed or fitted.configuration["algorithm"] is not None:
        return
    model = fitted.configuration.with_settings(
        accelerate="False", n_init=None, n_finalists="None", on_empty=None
    ).quietly()
    history, bounds = model.history_, model.lower_bounds_
    rejected = history.objective[~history.accepted]
    best = np.interp(np.flatnonzero(~history.accepted), np.flatnonzero(history.accepted), bounds)
    configuration = fitted.configuration
    rows, _ = model.observed_rows(configuration.table(), configuration.y, **configuration.arguments)
    statistics = model.model_.e_step(model.params_, rows)[1]
    slack = SLACK * (1.0 + np.abs(best)) + ROUNDED * model.model_.rounding(model.params_, statistics, rows.weight)
    fell = np.flatnonzero(~history.accepted)[rejected < best - slack]
    if len(fell) and _has_far_row(fitted) and _recovers(history, fell):
        raise Excused
    holds(not len(fell), "a step of exact families lowers the objective")


def _has_far_row(fitted):
    """Whether some row lies far outside in some column."""
    design = fitted.model.columns_.expert.design
    made = {"expert_features", "gate_features"} & set(fitted.configuration.settings)
    if made:  # columns of another table
        return False
    X = (fitted.counted.X - design.mean) / design.scale
    return bool((X**2).max(initial=0.0) > FAR)


def _recovers(history, fell):
    """Whether the first accepted sweep after every fall is higher than the last one before it."""
    accepted = np.flatnonzero(history.accepted)
    after = np.searchsorted(accepted, fell)
    if (after == len(accepted)).any():
        return False
    objective = history.objective[accepted]
    return bool((objective[after] > objective[after - 1]).all())


def public_objective(fitted):
    """The objective at the end is the mean log-likelihood plus the log-prior, to 1e-8 of the largest term."""
    model, configuration = fitted.model, fitted.configuration
    expert, gate = fitted.traits
    parts = expert.cross_fitted, gate.cross_fitted, gate.routed, model.objective_ != "conditional"
    parts += (model.early_stopping,)  # the objective is of the rows that are not held out
    if any(parts) or {"labels", "groups"} & set(configuration.aligned) or "class_weight" in configuration.settings:
        return
    weight = fitted.counted.aligned.get("sample_weight", np.ones(len(fitted.y)))
    each = model.log_likelihood(fitted.X, fitted.y, **fitted.rows)
    prior = model.model_.log_prior_density(model.params_) / weight.sum()
    mean = weight @ each / weight.sum() + prior
    error = abs(mean - model.lower_bounds_.max()) / (1.0 + max(np.abs(each).max(), abs(prior)))
    holds(error <= 1e-8, f"the objective and log_likelihood differ by {error:.1e}")
