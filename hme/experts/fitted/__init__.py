"""Experts that are fitted estimators: any of scikit-learn's, and trees."""

from .estimator import EstimatorExpert
from .tree import TreeExpert

__all__ = ["EstimatorExpert", "TreeExpert"]
