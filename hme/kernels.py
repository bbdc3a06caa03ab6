"""The array functions that a family of one's own is made of: products, normalisation, small linear systems."""

from .numerics.kernels import (
    clip_spectrum,
    linear_scores,
    log_normalize,
    moments,
    rounding_step,
    solve_psd,
    weighted_cross,
    weighted_gram,
    whitener,
)

__all__ = [
    "clip_spectrum",
    "linear_scores",
    "log_normalize",
    "moments",
    "rounding_step",
    "solve_psd",
    "weighted_cross",
    "weighted_gram",
    "whitener",
]
