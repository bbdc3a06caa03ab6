"""Averages of fitted models: the mixture of their densities, for new rows."""

from .average import AveragedClassifier, AveragedRegressor, average

__all__ = ["AveragedClassifier", "AveragedRegressor", "average"]
