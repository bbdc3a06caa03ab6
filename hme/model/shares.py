"""What each expert, or gate, of several side by side contributes to numbers that are otherwise those of all."""

from typing import NamedTuple

import numpy as np

__all__ = ["Shares", "largest"]


class Shares(NamedTuple):
    """One number for each expert or gate."""

    log_prior: np.ndarray  # log-density of penalties and priors
    gradient: np.ndarray  # largest absolute entry of the scaled gradient
    rounding: np.ndarray = np.zeros(0)  # error of the log-likelihood; the squares of several add up


def largest(*arrays):
    """Largest absolute entry of arrays (K, ...), for each k; zero where there is none."""
    return np.max([np.abs(a).max(axis=tuple(range(1, a.ndim)), initial=0.0) for a in arrays], axis=0)
