"""Displays: the arrays of a picture, kept apart from drawing it. matplotlib is imported when one is drawn."""

from .calibration import PITDisplay
from .density import DensityDisplay
from .experts import ExpertsDisplay
from .gate import GateDisplay

__all__ = ["DensityDisplay", "ExpertsDisplay", "GateDisplay", "PITDisplay"]
