"""What a mixture of experts is: a tree, rows, the columns that each side sees, and Bayes' rule."""

from .mixture import Mixture, Params, Statistics
from .rows import Rows
from .tree import Tree

__all__ = ["Mixture", "Params", "Rows", "Statistics", "Tree"]
