"""Stored estimators carry the version that stored them, and say so where another one loads them."""

import warnings
from importlib import import_module

__all__ = ["Versioned"]

FIELD = "_hme_version"


class Versioned:
    """An estimator whose pickle holds the version of hme."""

    def __getstate__(self):
        return {**super().__getstate__(), FIELD: _version()}

    def __setstate__(self, state):
        state = dict(state)
        stored, current = state.pop(FIELD, "without a version"), _version()
        if stored != current:
            warnings.warn(
                f"{type(self).__name__} was stored by hme {stored}, and this is hme {current}: it may fail, or answer "
                "with other numbers. Fit it again, or load it with the version that stored it.",
                UserWarning,
                stacklevel=2,
            )
        super().__setstate__(state)


def _version():
    """The version of the package, which stands at its top, where all rooms are loaded already."""
    return import_module(__name__.partition(".")[0]).__version__
