"""Families of experts: one file each."""

from .base import AdditiveExpert, Expert, RefitExpert
from .constant import ConstantExpert
from .linear import LinearExpert
from .logistic import LogisticExpert
from .tree import TreeExpert

__all__ = [
    "AdditiveExpert",
    "ConstantExpert",
    "Expert",
    "LinearExpert",
    "LogisticExpert",
    "RefitExpert",
    "TreeExpert",
]
