"""Validation of arguments; every error names the parameter, the value it was given and the values allowed."""

from numbers import Integral, Real

import numpy as np

__all__ = ["check_array", "check_choice", "check_int", "check_prior", "check_real", "check_real_or"]


def check_int(value, name, minimum=1, maximum=np.inf):
    """Return `value` as an int; it must be an integer between `minimum` and `maximum`."""
    bound = f">= {minimum}" if maximum == np.inf else f"between {minimum} and {maximum}"
    if isinstance(value, bool | np.bool_) or not isinstance(value, Integral):
        raise TypeError(f"{name} must be an integer {bound}, got {value!r}.")
    if not minimum <= value <= maximum:
        raise ValueError(f"{name} must be an integer {bound}, got {value!r}.")
    return int(value)


def check_real(value, name, *, positive=False):
    """Return `value` as a float; it must be finite and nonnegative, or positive if `positive` is True."""
    bound = "> 0" if positive else ">= 0"
    if isinstance(value, bool | np.bool_) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a finite number {bound}, got {value!r}.")
    if not np.isfinite(value) or value < 0 or (positive and value == 0):
        raise ValueError(f"{name} must be a finite number {bound}, got {value!r}.")
    return float(value)


def check_real_or(value, name, word, *, positive=True):
    """Return `value` if it is the string `word`, else as a float that must be finite, and positive or nonnegative."""
    if isinstance(value, str) and value == word:
        return value
    try:
        return check_real(value, name, positive=positive)
    except TypeError:
        bound = "> 0" if positive else ">= 0"
        raise TypeError(f"{name} must be {word!r} or a finite number {bound}, got {value!r}.") from None


def check_choice(value, name, choices):
    """Return `value`, which must be one of `choices` (strings or other constants)."""
    if not any(type(value) is type(choice) and value == choice for choice in choices):
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}.")
    return value


def check_prior(value, name):
    """Return the pair (rows >= 0, fraction > 0) of a prior that counts as that many additional rows, or None."""
    if value is None:
        return None
    try:
        rows, fraction = map(float, value)
    except (TypeError, ValueError):
        rows = fraction = -1.0
    if not (0 <= rows < np.inf and 0 < fraction < np.inf):
        raise ValueError(f"{name} = {value!r} must be None or a pair (rows >= 0, fraction > 0).")
    return rows, fraction


def check_array(value, name, shape, *, nonnegative=False):
    """Return `value` broadcast to `shape` as finite floats; `nonnegative` also refuses negative entries."""
    try:
        if np.iscomplexobj(value):
            raise TypeError
        array = np.array(np.broadcast_to(np.asarray(value, dtype=float), shape))
    except (TypeError, ValueError):
        shown = f"shape {np.shape(value)}" if np.ndim(value) else repr(value)
        raise ValueError(f"{name} must be numeric and broadcast to shape {shape}, got {shown}.") from None
    if not np.isfinite(array).all() or (nonnegative and (array < 0).any()):
        allowed = "finite and >= 0" if nonnegative else "finite"
        odd = array[~np.isfinite(array) | (array < 0)] if nonnegative else array[~np.isfinite(array)]
        raise ValueError(f"{name} must be {allowed}, got {float(odd.flat[0])!r}.")
    return array
