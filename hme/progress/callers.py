"""Whose line of code a warning is about."""

import sys

__all__ = ["level_outside"]

INSIDE = "hme.", "sklearn.callback"


def level_outside():
    """The `stacklevel` with which the caller warns of the line that has called into the package."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(INSIDE):
        frame, level = frame.f_back, level + 1
    return level
