"""Fits in stages, for gates that choose which experts a row may use: the choice is frozen while EM climbs."""

from typing import NamedTuple

import numpy as np

from ..model.mixture import Mixture
from . import em

__all__ = ["STARVING", "Stage", "fit"]

# A leaf with less than this share of an equal share of the weight is starving.
STARVING = 1e-3

# Stages in a row that may pass without a gain before no more is expected,
PATIENCE = 3
# and the share of a choice's entries that may still change when it counts as settled.
SETTLED = 1e-4


class Stage(NamedTuple):
    """What one stage reached. Number 0 is the dense one, which a warm start does not have."""

    number: int
    n_iter: int  # sweeps
    objective: float  # with the leaves that were frozen; it does not fall within a stage
    chosen_objective: float  # with the leaves that the gate then chooses, as in prediction
    changed: float  # share of these that were not active before


def fit(mixture, rows, params, options=em.Options(), reached=-np.inf, warm=False):
    """Run the algorithms of the options, one after the other, from `params`, in stages where the gate is sparse.

    `options.algorithm` is one name or a tuple of names; the parameters and the history are those of the last one.
    """
    algorithms = (options.algorithm,) if isinstance(options.algorithm, str) else options.algorithm
    for number, algorithm in enumerate(algorithms):
        run = _fit(mixture, rows, params, options._replace(algorithm=algorithm), reached, warm or number > 0)
        if run.reason in ("interrupted", "callback"):
            break
        params, reached = run.params, -np.inf
    return run


def _fit(mixture, rows, params, options, reached, warm):
    """Run one algorithm from `params`: `em.fit`, in stages where the gate is sparse.

    Stage 0 fits the dense gate. Every further one freezes each row's leaves in ``rows.active``, runs EM on the mixture
    that is sparse in this way, whose objective then does not fall, eq. (commitment), and lets the gate choose anew. The
    parameters whose objective is best for the leaves of their own choice are kept, eq. (chosen-objective).

    Parameters
    ----------
    mixture, rows, params, options, reached
        As for `em.fit`; ``options.max_iter`` bounds the sweeps of each stage.
    warm : bool
        Start with the first sparse stage: the parameters come from an earlier fit.

    Returns
    -------
    Fit
        With `stages`; its history is that of all stages, one after the other.
    """
    gate = mixture.gate
    if not gate.traits.routed or len(params.gate.coef) == 1:
        return em.fit(mixture, rows, params, options, reached)
    if options.algorithm == "stochastic":
        raise ValueError(f"algorithm='stochastic' does not go with {type(gate).__name__}; use 'em' or 'hard'.")
    n_leaves = len(params.gate.coef)
    everywhere = gate.k == n_leaves  # nothing to choose: the dense stage is all
    best, history, stages, reason, idle = None, [], [], "max_stages", 0
    try:
        active = np.broadcast_to(np.arange(n_leaves), (rows.n_rows, n_leaves))
        if warm and not everywhere:
            params, active, best = _choose(mixture, rows, params, options.algorithm)
            if abs(best.objective - reached) <= options.tol:
                return best._replace(reason="converged")
        for number in range(0 if best is None else 1, gate.max_stages + 1):
            most = gate.stage_sweeps if number else options.max_iter if everywhere else gate.dense_sweeps
            done = sum(stage.n_iter for stage in stages)
            stage_options = _continued(options, min(most, options.max_iter), done)
            if number == 0:
                run = _fit_dense(mixture, rows, params, stage_options, reached if warm else -np.inf)
            else:
                run = em.fit(mixture, rows._replace(active=active), params, stage_options)
            history.append(run.history)
            before = active
            revived = _revive(mixture, run.params, run.stats.load)
            params, active, chosen = _choose(mixture, rows, revived, options.algorithm)
            changed = _changed(before, active, n_leaves)
            stages.append(Stage(number, run.n_iter, run.objective, chosen.objective, changed))
            if options.verbose:
                print("  ".join(f"{name} {value:.6g}" for name, value in stages[-1]._asdict().items()))
            idle = 0 if best is None or chosen.objective > best.objective + options.tol else idle + 1
            if best is None or chosen.objective > best.objective:
                best = chosen
            if run.reason in ("callback", "interrupted") or everywhere:
                reason = run.reason
                break
            if number and changed <= SETTLED and run.reason != "max_iter":
                reason = run.reason
                break
            if idle >= PATIENCE:
                reason = "converged"
                break
    except KeyboardInterrupt:
        if best is None:
            raise
        reason = "interrupted"
    history = em.History(*map(np.concatenate, zip(*history, strict=True))) if history else best.history
    return best._replace(history=history, reason=reason, stages=tuple(stages))


def _fit_dense(mixture, rows, params, options, reached):
    """The stage of the dense gate; parameters are the sparse gate's, to the callback too."""
    gate = mixture.gate

    def to_sparse(params):
        return params._replace(gate=gate.from_dense(params.gate))

    if options.callback is not None:
        call = options.callback
        options = options._replace(callback=lambda sweep, objective, params: call(sweep, objective, to_sparse(params)))
    dense = Mixture(gate.dense(len(params.gate.coef)), mixture.expert)
    run = em.fit(dense, rows, params._replace(gate=gate.to_dense(params.gate)), options, reached)
    return run._replace(params=to_sparse(run.params))


def _revive(mixture, params, load):
    """Where loads are balanced, make each starving leaf a twin of the heaviest one: rows alone do not wake it.

    Starving leaves have lost their slopes, so that no bias tells them apart.
    """
    load, hungry = load.copy(), np.flatnonzero(load < STARVING * load.mean())
    if mixture.gate.balance is None or not len(hungry):
        return params
    origin, gate = np.arange(len(load)), params.gate
    for i, leaf in enumerate(hungry):
        donor = int(load.argmax())
        load[[leaf, donor]] = 0.5 * load[donor]
        gate = mixture.gate.twin(gate, leaf, donor, i)
        if mixture.expert.family(leaf) is mixture.expert.family(donor):
            origin[leaf] = origin[donor]
    return params._replace(gate=gate, experts=mixture.expert.take(params.experts, origin))


def _choose(mixture, rows, params, algorithm):
    """Parameters with their bias, the leaves that they choose, and the fit of no step at these."""
    gate, active = mixture.gate.freeze(params.gate, rows.heads())
    params, options = params._replace(gate=gate), em.Options(max_iter=1, algorithm=algorithm)
    return params, rows.spread(active), em.fit(mixture, rows, params, options)


def _changed(before, after, n_leaves):
    """Share of the entries of `after` that are not in the same row of `before`."""
    was = np.zeros((len(after), n_leaves), dtype=bool)
    np.put_along_axis(was, before, True, axis=1)
    return float(1.0 - np.take_along_axis(was, after, axis=1).mean())


def _continued(options, n_sweeps, done):
    """Options of one stage; the callback counts the sweeps of all stages."""
    options = options._replace(max_iter=n_sweeps)
    if options.callback is None or not done:
        return options
    call = options.callback
    return options._replace(callback=lambda sweep, objective, params: call(done + sweep, objective, params))
