"""Classical mixtures of experts: soft trees of gates over any experts, trained by EM, as scikit-learn estimators."""

from . import experts, gates
from .estimators import HMEClassifier, HMERegressor, HMETransformer
from .text import export_text
from .tree import Tree

__all__ = ["HMEClassifier", "HMERegressor", "HMETransformer", "Tree", "experts", "export_text", "gates"]
__version__ = "0.1.0"
