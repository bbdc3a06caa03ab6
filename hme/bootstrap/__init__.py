"""The bootstrap of fitted models, and a bootstrap test for the number of experts."""

from .draws import draw_targets
from .intervals import Bootstrap, bootstrap
from .likelihood_ratio import LikelihoodRatio, lr_test_bootstrap
from .reports import Coefficient

__all__ = [
    "Bootstrap",
    "Coefficient",
    "LikelihoodRatio",
    "bootstrap",
    "draw_targets",
    "lr_test_bootstrap",
]
