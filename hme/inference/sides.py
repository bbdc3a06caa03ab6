"""The families of a mixture that have coordinates, and the places of these among all coordinates."""

from typing import Any, NamedTuple

import numpy as np

from ..model.wording import strengths_in_words

__all__ = ["Side", "fixed_parts", "sides_of"]


class Side(NamedTuple):
    """One family's coordinates and their places; the kind "leaf" is for scalars that a gate has of each leaf."""

    kind: str  # "expert", "gate" or "leaf"
    number: Any  # of the component of the experts
    family: Any
    leaves: np.ndarray  # leaves, or nodes
    params: Any
    coordinates: Any
    raw: int  # where its raw coordinates start, D for each leaf or node,
    computed: int  # and its computed ones: those that derivatives are by
    slots: list  # for contrasts: the slots that exist of each node

    @property
    def shape(self):
        return self.coordinates.coef.shape

    @property
    def n_scalars(self):
        return self.coordinates.scalars.value.shape[1]

    @property
    def width(self):
        """Number of raw coordinates of a leaf or node."""
        _, S, p = self.shape
        return S * p + self.n_scalars

    def widths(self):
        """Numbers (Q,) of computed coordinates of the leaves or nodes."""
        Q, S, p = self.shape
        if not self.coordinates.contrast:
            return np.full(Q, self.width)
        return np.array([(len(slots) - 1) * p + self.n_scalars for slots in self.slots], dtype=int)

    def statistics(self, stats):
        """The family's part of the statistics of a sweep."""
        own = stats.experts if self.kind == "expert" else stats.gate
        return own if self.number is None else own[self.number]


def sides_of(mixture, params, columns):
    """All families that have coordinates, one after the other."""
    found, raw, computed = [], 0, 0
    gate, experts = mixture.gate, mixture.expert
    parts = [
        ("expert", number, family, leaves, part, family.coordinates(part, columns.expert.design))
        for number, family, leaves, part in experts.components(params.experts)
        if family.traits.smooth
    ]
    if gate.traits.smooth:
        own = gate.coordinates(params.gate, columns.gate.design)
        parts.append(("gate", None, gate, np.arange(own.coef.shape[0]), params.gate, own))
        own = gate.leaf_coordinates(params.gate, columns.gate.design)
        if own is not None:
            parts.append(("leaf", None, gate, np.arange(own.coef.shape[0]), params.gate, own))
    for *part, own in parts:
        Q, S, _ = own.coef.shape
        used = np.ones((Q, S), dtype=bool) if own.used is None else own.used
        side = Side(*part, own, raw, computed, [np.flatnonzero(row) for row in used])
        found.append(side)
        raw += Q * side.width
        computed += int(side.widths().sum())
    return found


def fixed_parts(mixture, params):
    """Sentences about what is taken as fixed."""
    if mixture.alphas:
        yield f"{strengths_in_words(mixture.alphas)}; all errors and criteria take them as fixed"
    parts = [(family, part) for _, family, _, part in mixture.expert.components(params.experts)]
    parts = [(type(family).__name__, family, part) for family, part in parts]
    for name, family, part in [*parts, (mixture.gate.name, mixture.gate, params.gate)]:
        if family.traits.fixed or family.traits.smooth:
            yield family.traits.fixed
        elif family.n_parameters(part):
            yield f"{name} has no derivatives: its parameters are taken as fixed"
