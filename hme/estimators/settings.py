"""The hyper-parameters of an estimator, checked, and the options of EM that they stand for."""

import numpy as np
from sklearn.utils import check_random_state

from ..fitting import em, starts
from ..fitting.algorithms import ALGORITHMS
from ..numerics.checks import check_choice, check_int, check_real, check_real_or
from .candidates import check_candidates

__all__ = ["algorithms", "check_settings", "is_automatic", "options", "preferred", "tolerance"]

# With ``tol="auto"``: what may be left to gain, of few coefficients and of more than MANY. Of so many no one is asked
# about by itself, and chance adds more than what is left.
TOL, TOL_OF_MANY, MANY = 1e-5, 1e-3, 100


def check_settings(model):
    """Refuse, by name, hyper-parameters that are out of range; families and trees are checked where they are made."""
    _check_growth(model)
    check_int(model.n_init, "n_init")
    check_int(model.max_iter, "max_iter")
    check_real_or(model.tol, "tol", "auto", positive=False)
    if isinstance(model.n_finalists, str):
        check_choice(model.n_finalists, "n_finalists", ("auto",))
    elif model.n_finalists is not None:
        check_int(model.n_finalists, "n_finalists", 1, model.n_init)
    check_choice(model.prefer, "prefer", ("auto", "interior", "likelihood"))
    names = algorithms(model)
    if not names or not all(isinstance(name, str) and name in ALGORITHMS for name in names):
        raise ValueError(
            f"algorithm = {model.algorithm!r} must be one of {sorted(ALGORITHMS)}, or a tuple of several, each of "
            "which continues from where the one before ended."
        )
    check_choice(model.early_stopping, "early_stopping", (True, False))
    if isinstance(model.validation_fraction, int | np.integer):
        check_int(model.validation_fraction, "validation_fraction")
    elif not 0.0 < check_real(model.validation_fraction, "validation_fraction") < 1.0:
        raise ValueError(f"validation_fraction = {model.validation_fraction!r} must be in (0, 1), or an int >= 1.")
    check_int(model.n_iter_no_change, "n_iter_no_change")
    check_choice(model.on_empty, "on_empty", ("warn", "reseed", "drop", "raise"))
    check_choice(model.accelerate, "accelerate", (True, False))
    check_choice(model.standardize, "standardize", (True, False))
    check_choice(model.hold_range, "hold_range", (True, False))
    check_choice(model.warm_start, "warm_start", (True, False))
    if not isinstance(model.verbose, bool):
        check_int(model.verbose, "verbose", 0)
    if isinstance(model.start, str) and model.start not in ("auto", *starts.STARTS):
        raise ValueError(
            f"start = {model.start!r} must be 'auto', one of {sorted(starts.STARTS)}, labels or responsibilities."
        )
    if model.callback is not None and not callable(model.callback):
        raise TypeError(f"callback = {model.callback!r} must be None or a callable (sweep, objective, params).")


def _check_growth(model):
    """Refuse, by name, hyper-parameters of growing that are out of range."""
    if model.max_experts is not None:
        check_int(model.max_experts, "max_experts")
    least = check_real(model.min_weight_fraction_leaf, "min_weight_fraction_leaf")
    if least > 0.5:
        raise ValueError(f"min_weight_fraction_leaf must be between 0 and 0.5, got {least!r}.")
    check_candidates(model.candidates)
    check_choice(model.average, "average", (True, False))


def is_automatic(model):
    """Whether the size of the tree is left to the fit."""
    plain = model.tree is None and model.n_experts is None and isinstance(model.depth, str)
    return plain and model.depth == "auto" and np.ndim(model.branching) == 0


def algorithms(model):
    """The algorithms to run, one after the other."""
    return model.algorithm if isinstance(model.algorithm, list | tuple) else (model.algorithm,)


def preferred(model):
    """What makes one start better than another: "interior" or "likelihood"."""
    if model.prefer == "auto":  # what is going to be dropped need not be avoided
        return "likelihood" if model.on_empty == "drop" else "interior"
    return model.prefer


class _OnCopies:
    """A callback that may change the arrays it is given."""

    def __init__(self, callback):
        self.callback = callback

    def __call__(self, sweep, objective, params):
        return self.callback(sweep, objective, _copied(params))


def _copied(params):
    """Parameters in new arrays; fitted estimators in them are the same."""
    if isinstance(params, np.ndarray):
        return params.copy()
    if isinstance(params, tuple):
        parts = map(_copied, params)
        return type(params)(*parts) if hasattr(params, "_fields") else tuple(parts)
    return params


def _is_plain(model):
    """Whether nothing random is asked for: the starts that ``start="auto"`` tries of itself are the same every time."""
    auto = isinstance(model.start, str) and model.start == "auto"
    return model.random_state is None and auto and model.n_init == 1 and "stochastic" not in algorithms(model)


def tolerance(model, mixture, rows, n_leaves):
    """What may be left to gain at the end of a fit, see `TOL`."""
    if model.tol != "auto":
        return model.tol
    steady = mixture.exact and not mixture.routed and tuple(algorithms(model)) == ("em",)
    return TOL_OF_MANY if steady and rows.n_coefficients(n_leaves) > MANY else TOL


def options(model, tol, bound):
    """The `Options` of EM for what is bound; a random state that is an object draws a number."""
    try:
        seed = check_random_state(0 if _is_plain(model) else model.random_state).randint(2**31 - 1)
    except ValueError:
        raise ValueError(
            f"random_state = {model.random_state!r} must be None, an int from 0 to 2**32 - 1 or a RandomState."
        ) from None
    callback = None if model.callback is None else _OnCopies(model.callback)
    return em.Options(
        model.max_iter,
        tol,
        callback,
        model.verbose,
        algorithms(model),
        seed,
        accelerate=model.accelerate,
        held_out=bound.held_out,
        begin=bound.begin,
    )
