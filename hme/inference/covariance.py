"""Which covariance is asked for, and the covariance of the free coordinates that answers it."""

from typing import NamedTuple

import numpy as np

from .delta import ParameterCovariance

__all__ = ["Kind", "Size", "covariances"]


class Kind(NamedTuple):
    """What is asked of a covariance, see `infer`."""

    cov_type: str
    weights: str
    correction: str


class Size(NamedTuple):
    """The data of an inference in numbers."""

    log_likelihood: float
    weight: float  # of the units: groups where there are groups, else rows
    row_weight: float  # of the rows
    grouped: bool


def covariances(layout, seen, kind, size, dispersed, lost=None):
    """The covariance of the free coordinates that is asked for, and what the observed information says.

    Parameters
    ----------
    layout : Layout
    seen : Information
    kind : Kind
    size : Size
    dispersed : bool
        Whether a free scale of the noise takes up the unit of precision weights.
    lost : hme.inference.divergence.Lost or None
        Directions that are left out.

    Returns
    -------
    covariance : ParameterCovariance
    observed : ParameterCovariance
        Of the inverse information, for frequency weights.
    eigenvalues : ndarray
        See `ParameterCovariance.of`.
    """
    observed, eigenvalues = ParameterCovariance.of(layout.move, -(seen.hessian + seen.penalty), lost)
    n = size.weight if kind.weights == "frequency" else seen.size
    covariance, factor = observed, _small_sample(kind, n, seen.n_clusters, _n_coefficients(layout, observed))
    if kind.cov_type != "observed":
        covariance = observed.sandwich(seen.meat)
    elif kind.weights == "precision" and dispersed:
        factor *= size.weight / seen.size  # eq. (precision-covariance)
    return covariance._replace(root=covariance.root * np.sqrt(factor)), observed, eigenvalues


def _n_coefficients(layout, covariance):
    return layout.n_coefficients - covariance.loose.shape[1]


def _small_sample(kind, n, n_clusters, d):
    """Factor on the covariance, eq. (small-sample)."""
    if kind.cov_type == "cluster" and n_clusters < 2:
        raise ValueError(f"clusters has {n_clusters} cluster(s); a covariance takes at least two.")
    if kind.correction == "none":
        return 1.0
    if kind.correction == "parameters" and not n > d:
        raise ValueError(
            f"correction='parameters' needs more than {d} units, as there are {d} coefficients; there are {n:g}."
        )
    if kind.cov_type == "cluster":
        factor = n_clusters / (n_clusters - 1.0)
        return factor * (n - 1.0) / (n - d) if kind.correction == "parameters" else factor
    if not n > 1:
        raise ValueError(f"correction='units' needs more than one unit, there is {n:g}.")
    return n / (n - d) if kind.correction == "parameters" else n / (n - 1.0)
