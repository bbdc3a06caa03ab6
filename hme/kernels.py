"""The array functions that a family of one's own is made of: products, normalisation, small linear systems.

`set_kernels` chooses between NumPy's and those that Numba compiles.
"""

from .numerics.engine import kernels, set_kernels
from .numerics.kernels import linear_scores, log_normalize, moments, rounding_step, weighted_cross, weighted_gram
from .numerics.systems import clip_spectrum, solve_psd, whitener

__all__ = [
    "clip_spectrum",
    "kernels",
    "linear_scores",
    "log_normalize",
    "moments",
    "rounding_step",
    "set_kernels",
    "solve_psd",
    "weighted_cross",
    "weighted_gram",
    "whitener",
]
