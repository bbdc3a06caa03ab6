"""The scikit-learn suit: validate, build rows, choose a start, run EM, keep the attributes."""

from .classifier import HMEClassifier
from .regressor import HMERegressor
from .transformer import HMETransformer

__all__ = ["HMEClassifier", "HMERegressor", "HMETransformer"]
