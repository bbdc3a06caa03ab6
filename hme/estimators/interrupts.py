"""Ctrl-C: whether it ends one fit, which then keeps what it has reached, or all that the fit is a part of."""

import sys

__all__ = ["is_one_of_many"]

# Packages whose functions run many fits, and the modules of scikit-learn that pass on a single one.
MANY_FITS = {"hme", "sklearn", "joblib", "dask", "distributed", "optuna", "skopt", "mapie"}
ONE_FIT = ("sklearn.base", "sklearn.pipeline", "sklearn.compose", "sklearn.utils", "sklearn._config")
# The command remembers Ctrl-C by itself: it keeps what its first fit has reached, and stops.
ONE_FIT += ("hme.command", "hme.__main__")


def is_one_of_many():
    """Whether the running `fit` of an estimator is one of many, called from below it.

    A search of scikit-learn or a bootstrap would go on with its next fit if an interrupt ended only this one.
    """
    callers = list(_callers())
    while callers and _is_fit(callers[0]):
        callers.pop(0)
    return any(name.split(".")[0] in MANY_FITS and not name.startswith(ONE_FIT) for name in callers)


def _callers():
    """Names of the modules whose functions are running, from here outwards."""
    frame = sys._getframe(1)
    while frame is not None:
        spec = frame.f_globals.get("__spec__")  # `python -m hme` runs as __main__
        yield (spec.name if spec else frame.f_globals.get("__name__")) or ""
        frame = frame.f_back


def _is_fit(name):
    return name.startswith("hme.estimators.") and not name.endswith(".transformer")
