"""How a mixture is fitted: EM, the starts that it begins from, restarts, and paths of fits."""

from .em import Fit, History, Options

__all__ = ["Fit", "History", "Options"]
