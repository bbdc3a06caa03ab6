"""What must hold of the fit itself: a function a promise, which raises `Failure` where it is broken."""

import numpy as np

from .fitted import SUMS, holds, no_nan

__all__ = ["attributes", "leaves", "objective", "public_objective"]


def attributes(fitted):
    """No nan in fitted attributes; the loads are shares."""
    model = fitted.model
    for name in ("params_", "experts_", "gate_", "lower_bounds_", "load_", "n_iter_", "restarts_"):
        no_nan(getattr(model, name), name)
    holds(np.isfinite(model.lower_bounds_).all(), "lower_bounds_ is not finite")
    holds(abs(model.load_.sum() - 1.0) < SUMS and (model.load_ >= 0).all(), "load_ are no shares")


def leaves(fitted):
    """The number of experts is the one that was asked for."""
    configuration, model = fitted.configuration, fitted.model
    depth, branching = configuration["depth"], configuration["branching"] or 2
    wanted = configuration["n_experts"] or (3 if configuration["tree"] else None)
    if wanted is None and isinstance(depth, int):
        wanted = branching**depth
    K = model.n_experts_
    holds(wanted is None or wanted == K, f"{wanted} experts were asked for, there are {K}")
    widths = {len(model.load_), model.tree_.n_leaves, model.gate_proba(fitted.X).shape[1]}
    holds(widths == {K}, "K differs between attributes")


def objective(fitted):
    """The objective never falls; families that are exact never need the guard.

    A fall within the rounding of the sums, 1e-9 of the objective's size, is none.
    """
    bounds, history = fitted.model.lower_bounds_, fitted.model.history_
    expert, gate = fitted.traits
    drawn = "stochastic" in fitted.configuration.settings.get("algorithm", "")
    if gate.routed or drawn or expert.refitted or gate.refitted:
        return
    slack = 1e-9 * (1.0 + np.abs(bounds))
    if "n_finalists" not in fitted.configuration.settings:
        holds((np.diff(bounds) >= -slack[1:]).all(), "lower_bounds_ falls")
    if expert.exact and gate.exact and "hard" not in fitted.configuration.settings.get("algorithm", ""):
        rejected = history.objective[~history.accepted]
        best = np.interp(np.flatnonzero(~history.accepted), np.flatnonzero(history.accepted), bounds)
        holds((rejected >= best - 1e-9 * (1.0 + np.abs(best))).all(), "a step of exact families lowers the objective")


def public_objective(fitted):
    """The objective at the end is the mean log-likelihood plus the log-prior, to 1e-8 of the largest term."""
    model, configuration = fitted.model, fitted.configuration
    expert, gate = fitted.traits
    parts = expert.cross_fitted, gate.cross_fitted, gate.routed, model.objective_ != "conditional"
    if any(parts) or {"labels", "groups"} & set(configuration.aligned) or "class_weight" in configuration.settings:
        return
    weight = fitted.counted.aligned.get("sample_weight", np.ones(len(fitted.y)))
    each = model.log_likelihood(fitted.X, fitted.y, **fitted.rows)
    prior = model.model_.log_prior_density(model.params_) / weight.sum()
    mean = weight @ each / weight.sum() + prior
    error = abs(mean - model.lower_bounds_.max()) / (1.0 + max(np.abs(each).max(), abs(prior)))
    holds(error <= 1e-8, f"the objective and log_likelihood differ by {error:.1e}")
