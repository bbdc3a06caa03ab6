"""Bent columns for experts: transformers that are safe beyond the rows of the fit, for ``expert_features``."""

from .splines import Splines
from .squares import Squares

__all__ = ["Splines", "Squares"]
