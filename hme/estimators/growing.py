"""Grow, between binding and starting: the tree of ``depth="auto"`` comes from the data."""

from functools import partial
from typing import Any, NamedTuple

import numpy as np

from .. import growing
from .binding import bound_to
from .settings import options

__all__ = ["Grown", "grow", "keep_growth"]

# Distinct rows, or groups, from which on there is something to hold out.
LEAST_ROWS = 30
MAX_EXPERTS = 64  # where ``max_experts=None``


class Grown(NamedTuple):
    """What growing adds to a fit."""

    growth: Any  # `Growth`
    resp: np.ndarray  # (heads, K), from which EM goes on with the tree


def grow(model, given, bound):
    """Grow the tree of a fit, if it grows.

    Parameters
    ----------
    model : HMERegressor or HMEClassifier
    given : Given
    bound : Bound
        Of a tree of one leaf.

    Returns
    -------
    bound : Bound
        Of the tree that has grown.
    grown : Grown or None
    """
    if not bound.grows:
        return bound, None
    rows = bound.rows
    if not rows.n_different(LEAST_ROWS) >= LEAST_ROWS:
        return bound, None
    most = MAX_EXPERTS if model.max_experts is None else model.max_experts
    settings = growing.Settings(most, float(model.min_weight_fraction_leaf), options(model, 0.0))
    growth = growing.grow(partial(bound_to, given=given, columns=bound.columns), rows, settings)
    size = growth.chosen
    resp = size.mixture.posterior(size.params, rows)[1]
    kept = np.arange(size.tree.n_leaves)
    grown = bound._replace(mixture=size.mixture, tree=size.tree, asked=size.tree, kept=kept)
    return grown, Grown(growth, resp)


def keep_growth(model, kept, grown):
    """Set the fitted attributes that growing adds.

    Parameters
    ----------
    model : HMERegressor or HMEClassifier
    kept : Fitted
    grown : Grown or None
    """
    model.growth_, model.average_ = [], None
    if grown is None:
        return
    model.growth_, average = grown.growth.steps, grown.growth.average
    if model.average and not average.is_tree(kept.tree) and not kept.interrupted:
        model.average_ = average.informed(kept.rows)
