"""Mathematics as functions of arrays: kernels, penalties, constraints, links, derivatives. Imports nothing of hme."""

from . import (
    checks,
    constraints,
    coordinates,
    divergence,
    engine,
    kernels,
    links,
    multinomial,
    paths,
    penalties,
    quantiles,
    statistics,
)

__all__ = [
    "checks",
    "constraints",
    "coordinates",
    "divergence",
    "engine",
    "kernels",
    "links",
    "multinomial",
    "paths",
    "penalties",
    "quantiles",
    "statistics",
]
