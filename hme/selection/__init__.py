"""Models that are chosen, and mixed, by cross-validated log scores."""

from .classifier import HMEClassifierCV
from .regressor import HMERegressorCV

__all__ = ["HMEClassifierCV", "HMERegressorCV"]
