"""Training of a gate that chooses which leaves a row may use: EM climbs while the choice is frozen, stage by stage."""

from typing import NamedTuple

import numpy as np

from ..model.mixture import starving

__all__ = ["Stage", "train"]

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


def train(mixture, params, rows, run):
    """Fit a mixture under a routed gate from `params`; see `Gate.train`.

    Stage 0 fits the dense gate; after a warm start there is none. Every further stage freezes each row's leaves in
    ``rows.active``, runs EM on the mixture that is restricted to them, whose objective then does not fall,
    eq. (commitment), and lets the gate choose anew. The parameters with the best objective for the leaves of their own
    choice are kept, eq. (chosen-objective).

    Returns
    -------
    Fit
        With `stages`; its history is that of all stages, one after the other. ``options.max_iter`` bounds the sweeps of
        each stage.
    """
    gate, options = mixture.gate, run.options
    n_leaves = gate.n_leaves(params.gate)
    if n_leaves == 1:
        return run(params)
    if options.algorithm == "stochastic":
        raise ValueError(f"algorithm='stochastic' does not go with {type(gate).__name__}; use 'em' or 'hard'.")
    everywhere = gate.k == n_leaves  # there is nothing to choose: the dense stage is all
    active = np.broadcast_to(np.arange(n_leaves), (rows.n_rows, n_leaves))
    progress, reason = _Progress(options), "max_stages"
    try:
        if run.warm and not everywhere:
            params, active, progress.best = _choose(mixture, params, rows, run)
            if abs(progress.best.objective - run.reached) <= options.tol:
                return progress.best._replace(reason="converged")
        for number in range(0 if progress.best is None else 1, gate.max_stages + 1):
            if number:
                limits = _limits(options, gate.stage_sweeps, progress.n_iter)
                fit = run(params, rows=rows._replace(active=active), reached=-np.inf, **limits)
            else:
                limits = _limits(options, options.max_iter if everywhere else gate.dense_sweeps)
                fit = _fit_dense(mixture, params, run, **limits)
            progress.history.append(fit.history)
            params = fit.params if everywhere else _revived(mixture, fit.params, fit.stats.load)
            params, chosen, best = _choose(mixture, params, rows, run)
            progress.add(Stage(number, fit.n_iter, fit.objective, best.objective, _changed(active, chosen)), best)
            active = chosen
            reason = fit.reason if everywhere else progress.end(fit.reason)
            if reason != "max_stages":
                break
    except KeyboardInterrupt:
        if progress.best is None:
            raise
        reason = "interrupted"
    return progress.fit(reason)


class _Progress:
    """The best choice of all stages so far, and whether more is to be expected."""

    def __init__(self, options):
        self.options, self.best = options, None
        self.stages, self.history, self.idle = [], [], 0

    @property
    def n_iter(self):
        """Sweeps of all stages."""
        return sum(stage.n_iter for stage in self.stages)

    def add(self, stage, chosen):
        """Note what a stage reached; `chosen` is the fit with the leaves that the gate chooses after it."""
        self.stages.append(stage)
        if self.options.verbose:
            print("  ".join(f"{name} {value:.6g}" for name, value in stage._asdict().items()))
        gained = self.best is None or chosen.merit > self.best.merit + self.options.tol
        self.idle = 0 if gained else self.idle + 1
        if self.best is None or chosen.merit > self.best.merit:
            self.best = chosen

    def end(self, reason):
        """Why the last stage, which EM ended for a reason, is the last one; "max_stages" where it need not be."""
        stage = self.stages[-1]
        settled = stage.number and stage.changed <= SETTLED and reason != "max_iter"
        if reason in ("callback", "interrupted") or settled:
            return reason
        return "converged" if self.idle >= PATIENCE else "max_stages"

    def fit(self, reason):
        """The best fit with the history of all stages."""
        history = self.best.history
        if self.history:
            history = history.joined(self.history)
        return self.best._replace(history=history, reason=reason, stages=tuple(self.stages))


def _limits(options, n_sweeps, done=0):
    """Options of one stage, which counts the sweeps of those before it."""
    return {"max_iter": min(n_sweeps, options.max_iter), "done": options.done + done}


def _fit_dense(mixture, params, run, max_iter, done):
    """The stage of the dense gate; parameters are the routed gate's, to the callback too."""
    gate, callback = mixture.gate, run.options.callback

    def routed(params):
        return params._replace(gate=gate.from_dense(params.gate))

    def dense_callback(sweep, objective, params):
        return callback(sweep, objective, routed(params))

    fit = run(
        params._replace(gate=gate.to_dense(params.gate)),
        mixture=mixture.under(gate.dense(gate.n_leaves(params.gate))),
        reached=run.reached if run.warm else -np.inf,
        max_iter=max_iter,
        done=done,
        callback=None if callback is None else dense_callback,
    )
    return fit._replace(params=routed(fit.params))


def _revived(mixture, params, load):
    """Parameters in which, where loads are balanced, each starving leaf is a twin of the heaviest one.

    Rows alone do not revive it: starving leaves have lost their slopes, so that no bias tells them apart.
    """
    load, hungry = load.copy(), starving(load)
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


def _choose(mixture, params, rows, run):
    """Parameters with their bias, the leaves that they choose, and the fit of no step at these."""
    gate, active = mixture.gate.freeze(params.gate, rows.heads())
    params = params._replace(gate=gate)
    quiet = run.options.quiet()._replace(max_iter=1)
    return params, rows.spread(active), run(params, reached=-np.inf, **quiet._asdict())


def _changed(before, after):
    """Share of the entries of `after` (n, k) that are not in the same row of `before`."""
    was = np.zeros((len(after), max(before.max(), after.max()) + 1), dtype=bool)
    np.put_along_axis(was, before, True, axis=1)
    return float(1.0 - np.take_along_axis(was, after, axis=1).mean())
