"""Growing: the tree, and how much each of its sizes counts, come from the data."""

from .growth import Candidate, Growth, GrowthStep, Settings, grow
from .merging import Average

__all__ = ["Average", "Candidate", "Growth", "GrowthStep", "Settings", "grow"]
