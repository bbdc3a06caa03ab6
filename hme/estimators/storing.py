"""Stored estimators carry the version that stored them, and say so where another one loads them."""

import warnings

from ..model.version import __version__

__all__ = ["Versioned"]

FIELD = "_hme_version"


class Versioned:
    """An estimator whose pickle holds the version of hme."""

    def __getstate__(self):
        return {**super().__getstate__(), FIELD: __version__}

    def __setstate__(self, state):
        state = dict(state)
        stored = state.pop(FIELD, "without a version")
        if stored != __version__:
            warnings.warn(
                f"{type(self).__name__} was stored by hme {stored}, and this is hme {__version__}: it may fail, or "
                "answer with other numbers. Fit it again, or load it with the version that stored it.",
                UserWarning,
                stacklevel=2,
            )
        super().__setstate__(state)
