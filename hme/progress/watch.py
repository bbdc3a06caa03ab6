"""Who looks at the sweeps of EM: the user, by lines and callbacks, and rows that are held out."""

import time

import numpy as np

__all__ = ["Watch", "asked_to_stop", "of_fitted", "tell_end", "tell_kept", "tell_size", "tell_sweep"]

EVERY = 10  # sweeps for a line with verbose=1


class Watch:
    """What looks at one run of EM.

    Parameters
    ----------
    model : Mixture
    options : Options
        Its `callback`, `task`, `verbose` and `held_out` say who looks.
    """

    def __init__(self, model, options):
        self.model, self.options = model, options
        self.best, self.sweep, self.level, self.idle = None, 0, -np.inf, 0
        self.told = (options.done - 1) // EVERY  # tens of sweeps that have had a line

    def score(self, params):
        """The score of the rows that are held out, nan where there are none."""
        held_out = self.options.held_out
        return np.nan if held_out is None else held_out.score(self.model, params)

    def ends(self, sweep, fit, gain):
        """Why the run ends after an accepted sweep; "" where it need not."""
        tens = (self.options.done + sweep) // EVERY
        if self.options.verbose > 1 or tens > self.told:
            tell_sweep(self.options, sweep, fit, gain)
            self.told = tens
        if asked_to_stop(self.options, sweep, fit, self.model):
            return "callback"
        return "early_stopping" if self._is_enough(sweep, fit) else ""

    def _is_enough(self, sweep, fit):
        """Keep what is best for the rows that are held out, and say whether it has long been no better.

        What counts is whether a number of sweeps *together* have gained more than `tol`.
        """
        if self.options.held_out is None:
            return False
        if self.best is None or fit.score > self.best.score:
            self.best, self.sweep = fit, sweep
        better = fit.score > self.level + self.options.tol
        self.level, self.idle = (fit.score, 0) if better else (self.level, self.idle + 1)
        return self.idle >= self.options.held_out.n_iter_no_change

    def kept(self, last, history, reason):
        """The fit that is kept at the end of a run, with its course, and why it has ended.

        Its parameters are the last ones, unless earlier ones are better for the rows that are held out.
        """
        near = self.options.tol if reason == "converged" else 0.0
        if self.best is None or last.score >= self.best.score - near:
            return last._replace(history=history, reason=reason)
        history.accepted[self.sweep + 1 :] = False
        return self.best._replace(history=history, reason="early_stopping" if reason == "converged" else reason)


def asked_to_stop(options, sweep, fit, mixture):
    """Tell the callbacks of an accepted sweep; whether one asks to stop."""
    number = options.done + sweep
    asked = options.callback is not None and bool(options.callback(number, fit.objective, fit.params))
    if options.task:
        asked |= options.task.step("sweep", number, **of_fitted(mixture, fit.params))
    return asked


def of_fitted(mixture, params):
    """The attributes of a fitted estimator that sweeps change."""
    return {"model_": mixture, "params_": params, "n_experts_": mixture.n_leaves(params)}


def tell_sweep(options, sweep, fit, gain):
    """Print a line for an accepted sweep."""
    if options.verbose:
        gained = f"gain {gain:.2e}" if np.isfinite(gain) else " " * 13
        print(f"{options.place}sweep {options.done + sweep:4d}  {_reached(fit)}  {gained}  {_seconds(options)}")


def tell_size(options, n_experts, score):
    """Print how likely held-out rows are by a tree that grows."""
    if options.verbose:
        print(f"growing: {n_experts:3d} experts  held-out log-density {score:.4f}  {_seconds(options)}")


def tell_end(options, fit):
    """Print why a start has ended."""
    if options.verbose:
        print(f"{options.place}ended after {fit.n_iter} sweeps: {fit.reason}  {_reached(fit)}  {_seconds(options)}")


def tell_kept(options, fit, name, start, n_experts):
    """Print which fit is kept at the end of all."""
    if options.verbose:
        experts = f"{n_experts} expert{'s' * (n_experts > 1)}"
        print(f"{name}: {start} is kept, {experts}: {fit.reason}  {_reached(fit)}  {_seconds(options)}")


def _reached(fit):
    held_out = "" if np.isnan(fit.score) else f"  held out {fit.score:.6f}"
    return f"objective {fit.objective:.6f}{held_out}"


def _seconds(options):
    return f"{time.perf_counter() - options.begin:.1f} s"
