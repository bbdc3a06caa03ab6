"""Twins, compiled by Numba, of functions of the rooms above: the same names and results, to 1e-12.

`hme.numerics.engine` chooses between the two and alone imports this room, where Numba is installed. A twin returns
NotImplemented for arrays of another layout than a sweep has; the plain function is then called.
"""

from .logit import log_sigmoids, log_softmax, softmax_moments
from .pairs import column_pairs, scored_cross, weighted_pairs
from .paths import branch_sums, leaf_sums, pair_moments, pair_priors
from .pruned import line_means, line_sums
from .rows import gaussian_log_density, log_normalize
from .slots import slot_sums

__all__ = [
    "branch_sums",
    "column_pairs",
    "gaussian_log_density",
    "leaf_sums",
    "line_means",
    "line_sums",
    "log_normalize",
    "log_sigmoids",
    "log_softmax",
    "pair_moments",
    "pair_priors",
    "scored_cross",
    "slot_sums",
    "softmax_moments",
    "weighted_pairs",
]
