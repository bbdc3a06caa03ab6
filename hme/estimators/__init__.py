"""The scikit-learn estimators: a fit is bind, start, run and keep; a fitted model answers from rows and parameters."""

from .classifier import HMEClassifier
from .regressor import HMERegressor
from .transformer import HMETransformer

__all__ = ["HMEClassifier", "HMERegressor", "HMETransformer"]
