"""Displays of fitted models: they hold the arrays of a plot, and draw it with matplotlib, imported only then."""

from .calibration import CalibrationDisplay, PITDisplay
from .coefficients import CoefficientsDisplay
from .convergence import ConvergenceDisplay
from .density import DensityDisplay
from .effect import EffectDisplay
from .estimator_weights import EstimatorWeightsDisplay
from .experts import ExpertsDisplay
from .gate import GateDisplay
from .graphviz import export_graphviz
from .growth import GrowthDisplay
from .node_trees import DevianceTreeDisplay, HistogramTreeDisplay
from .responsibilities import ResponsibilitiesDisplay
from .routing import RoutingDisplay
from .tree import TreeDisplay, plot_tree

__all__ = [
    "CalibrationDisplay",
    "CoefficientsDisplay",
    "ConvergenceDisplay",
    "DensityDisplay",
    "DevianceTreeDisplay",
    "EffectDisplay",
    "EstimatorWeightsDisplay",
    "ExpertsDisplay",
    "GateDisplay",
    "GrowthDisplay",
    "HistogramTreeDisplay",
    "PITDisplay",
    "ResponsibilitiesDisplay",
    "RoutingDisplay",
    "TreeDisplay",
    "export_graphviz",
    "plot_tree",
]
