"""Tiny experts: those of a single group, or of hardly more weight than they have parameters."""

from typing import NamedTuple

import numpy as np

__all__ = ["Tiny", "in_words", "tiny"]

# An expert is tiny if its weight exceeds its parameters by less than so many rows, or by less than this share of them,
# or if it holds less than so many groups.
MORE_ROWS, MORE_SHARE, GROUPS = 1.5, 0.25, 2.0
MOST_NAMED = 3  # one by one, in a message


class Tiny(NamedTuple):
    """An expert on which there are hardly any data."""

    expert: int
    name: str | None  # in a list of experts
    weight: float  # of the rows that it is responsible for
    n_parameters: float  # that it estimates from these rows; shrunk ones count in part
    n_groups: float | None  # weight of the groups that it is responsible for, where the rows come in groups

    def __str__(self):
        called = f"expert {self.expert if self.name is None else repr(self.name)}"
        if self.n_groups is not None and self.n_groups < GROUPS:
            return f"{called} holds hardly more than one group (the weight of {self.n_groups:.3g} groups)"
        return f"{called} holds the weight of {self.weight:.3g} rows for {self.n_parameters:.3g} parameters"


def in_words(found):
    """A list of `Tiny` as text; of many only the range is given."""
    if len(found) <= MOST_NAMED:
        return ", ".join(map(str, found))
    called = ", ".join(str(one.expert if one.name is None else repr(one.name)) for one in found)
    weights, counts = zip(*((one.weight, one.n_parameters) for one in found), strict=True)
    return (
        f"expert(s) [{called}] hold weights of {min(weights):.2g} to {max(weights):.2g} rows for {min(counts):.2g} to "
        f"{max(counts):.2g} parameters each"
    )


def tiny(mixture, params, stats, rows):
    """The tiny experts of a fitted mixture; a mixture of one expert has none.

    Parameters
    ----------
    mixture : Mixture
    params : Params
    stats : Statistics
        Of an E-step at `params`.
    rows : Rows

    Returns
    -------
    list of Tiny
    """
    if len(stats.load) == 1:
        return []
    weight, n_groups = stats.load, None
    if rows.group is not None:
        weight, n_groups = _row_weight(mixture, params, rows), stats.load
    own, names = mixture.expert.effective_df(params.experts, stats.experts), mixture.expert.names
    small = (own > 0) & (weight < own + np.maximum(MORE_ROWS, MORE_SHARE * own))  # eq. (tiny)
    if n_groups is not None:
        small |= (n_groups < GROUPS) & (own > 0)
    return [
        Tiny(
            int(k),
            names[k] if names else None,
            float(weight[k]),
            float(own[k]),
            None if n_groups is None else float(n_groups[k]),
        )
        for k in np.flatnonzero(small)
    ]


def _row_weight(mixture, params, rows):
    """Weight (K,) of the rows, not of the groups, that each expert is responsible for."""
    parts = (block.spread(mixture.posterior(params, block)[1]).T @ block.weight for _, block in rows.blocks())
    return sum(parts)
