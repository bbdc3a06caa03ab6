"""Displays of fitted models: they hold the arrays of a plot, and draw it with matplotlib, imported only then."""

from .calibration import PITDisplay
from .density import DensityDisplay
from .estimator_weights import EstimatorWeightsDisplay
from .experts import ExpertsDisplay
from .gate import GateDisplay
from .graphviz import export_graphviz
from .tree import TreeDisplay, plot_tree

__all__ = [
    "DensityDisplay",
    "EstimatorWeightsDisplay",
    "ExpertsDisplay",
    "GateDisplay",
    "PITDisplay",
    "TreeDisplay",
    "export_graphviz",
    "plot_tree",
]
