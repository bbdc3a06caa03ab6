"""The mixture of experts as a model: tree, rows, design columns of experts and gate, and Bayes' rule."""

from .mixture import Mixture, Params, Statistics
from .rows import Rows
from .tree import Tree

__all__ = ["Mixture", "Params", "Rows", "Statistics", "Tree"]
