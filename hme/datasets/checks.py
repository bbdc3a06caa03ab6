"""Arguments of the generators: checked, with an error that names the parameter, the value and what is allowed."""

from numbers import Integral, Real

import numpy as np

__all__ = ["check_array", "check_int", "check_real"]


def check_int(value, name, minimum=1):
    """An int that is at least `minimum`."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Integral) or value < minimum:
        raise ValueError(f"{name} must be an integer >= {minimum}, got {value!r}.")
    return int(value)


def check_real(value, name, *, positive=False):
    """A finite float that is not negative, or positive."""
    bound = "> 0" if positive else ">= 0"
    if (
        isinstance(value, (bool, np.bool_))
        or not isinstance(value, Real)
        or not np.isfinite(value)
        or value < 0
        or (positive and value == 0)
    ):
        raise ValueError(f"{name} must be a finite number {bound}, got {value!r}.")
    return float(value)


def check_array(value, name, shape, *, nonnegative=False):
    """Broadcast `value` to `shape` as finite floats."""
    try:
        array = np.array(np.broadcast_to(np.asarray(value, dtype=float), shape))
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be numeric and broadcast to shape {shape}, got {value!r}.") from None
    if not np.isfinite(array).all() or (nonnegative and (array < 0).any()):
        allowed = "finite and >= 0" if nonnegative else "finite"
        raise ValueError(f"{name} must be {allowed}, got {value!r}.")
    return array
