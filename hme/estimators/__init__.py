"""The scikit-learn suit: validate, build rows, choose a start, run EM, keep the attributes."""

from .classifier import HMEClassifier
from .regressor import HMERegressor

__all__ = ["HMEClassifier", "HMERegressor"]
