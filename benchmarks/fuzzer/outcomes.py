"""The outcome of a configuration: each promise kept, excused or broken, or the fit refused in words."""

import re

import numpy as np

from .checks import CHECKS
from .fitted import Fitted
from .limits import Failure, watched
from .refusals import check_refusal

__all__ = ["drawn_checks", "failed", "kind_of", "outcomes_of"]


def failed(outcome):
    """Whether an outcome is what is broken, rather than None, "refused" or "excused"."""
    return outcome not in (None, "refused", "excused")


def drawn_checks(seed, number):
    """The checks of a configuration: those that cost much are of some only."""
    rng = np.random.default_rng((seed, number, 1))
    return [check for check in CHECKS if rng.random() < check.share]


def outcomes_of(configuration, checks):
    """Outcomes of the fit and of those of the checks that apply, by their names."""
    try:
        fitted = _fitted(configuration)
    except Failure as failure:
        return {"fit": str(failure)}
    if fitted is None:
        return {"fit": "refused"}
    return {"fit": None, **{check.name: check.outcome(fitted) for check in checks if check.applies(fitted)}}


def _fitted(configuration):
    """A `Fitted`, or None for a configuration that is refused in words."""
    try:
        with watched((ValueError, TypeError)) as given:
            model = configuration.fit()
    except (ValueError, TypeError) as error:
        return check_refusal(error)
    if len(given) > 1:
        raise Failure(f"gives {len(given)} warnings, the second: {given[1].message}")
    return Fitted(configuration, model)


def kind_of(check, message):
    """The kind of a failure: numbers, names and arrays in its message are of no account."""
    return f"{check}: " + re.sub(r"'[^']*'|\[[^\]]*\]|[-+]?\d[\d.]*(e[-+]?\d+)?", "_", message)[:160]
