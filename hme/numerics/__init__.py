"""Mathematics as functions of arrays: kernels, penalties, constraints, links, derivatives. Nothing of hme above it."""

from . import (
    checks,
    constraints,
    coordinates,
    divergence,
    kernels,
    links,
    multinomial,
    penalties,
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
    "statistics",
]
