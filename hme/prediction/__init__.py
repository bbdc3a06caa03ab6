"""The predictive distribution of a mixture of experts.

Method names are those of scipy.stats' new infrastructure. Whatever goes over pairs of a row and a value does so in
blocks that stay in cache.
"""

from .average import average_of
from .classes import ClassDistribution
from .distribution import PredictiveDistribution
from .of_mixture import average_distribution, predictive_distribution
from .outputs import OutputsDistribution

__all__ = [
    "ClassDistribution",
    "OutputsDistribution",
    "PredictiveDistribution",
    "average_distribution",
    "average_of",
    "predictive_distribution",
]
