"""Explanations of predictions: the path of a row, the prediction of each expert, and what each column adds."""

from .explain import explain
from .importance import ImportanceDisplay
from .result import Explanation

__all__ = ["Explanation", "ImportanceDisplay", "explain"]
