"""Which model when: mixtures of experts over the predictions of several models."""

from .classifier import HMEStackingClassifier
from .gaussian_process import BoundedGaussianProcess
from .regressor import HMEStackingRegressor

__all__ = ["BoundedGaussianProcess", "HMEStackingClassifier", "HMEStackingRegressor"]
