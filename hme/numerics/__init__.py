"""Mathematics as functions of arrays: kernels, penalties, constraints, links, derivatives. Imports nothing of hme."""

from . import (
    checks,
    constraints,
    coordinates,
    divergence,
    kernels,
    links,
    multinomial,
    penalties,
    quantiles,
    statistics,
)

__all__ = [
    "checks",
    "constraints",
    "coordinates",
    "divergence",
    "kernels",
    "links",
    "multinomial",
    "penalties",
    "quantiles",
    "statistics",
]
