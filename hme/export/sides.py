"""The columns of experts or gate, from the inputs of a model: as they are, or bent, and standardised."""

from typing import NamedTuple

import numpy as np

from ..model.rows import Rows
from .formula import NotExportable

__all__ = ["Origin", "Side", "side_of", "tried_inputs", "tried_rows"]

N_TRIED = 64  # rows at which a formula is compared with the model
BEYOND = 0.6  # of the range of a column: how far the rows that are tried go beyond its ends


class Origin(NamedTuple):
    """What a design column is made of."""

    place: int  # of the input
    pieces: object  # `Pieces`, or None of the input itself
    number: int  # among the columns that the pieces make


class Side(NamedTuple):
    """The columns of experts or gate.

    Attributes
    ----------
    places : ndarray of int of shape (r,)
        Of those inputs that it takes.
    pieces : tuple of length r
        What becomes of each input: `Pieces`, or None where it stays as it is.
    center, scale : ndarray of shape (p,)
        What standardises the columns that are made of all of them.
    """

    places: np.ndarray
    pieces: tuple
    center: np.ndarray
    scale: np.ndarray

    @property
    def origins(self):
        """What each design column is made of, a list of p `Origin`."""
        return [
            Origin(int(place), own, number)
            for place, own in zip(self.places, self.pieces, strict=True)
            for number in range(1 if own is None else len(own.start))
        ]

    def transform(self, inputs):
        """Design columns (n, p), without the intercept, of inputs (n, P)."""
        made = [
            inputs[:, [place]] if own is None else own.columns(inputs[:, place])
            for place, own in zip(self.places, self.pieces, strict=True)
        ]
        return (np.column_stack([np.empty((len(inputs), 0)), *made]) - self.center) / self.scale


def side_of(side, fitted, before):
    """A `Side` in the units of the inputs.

    Parameters
    ----------
    side : hme.model.features.Side
    fitted : HMERegressor or HMEClassifier
    before : pair of ndarray of shape (P,)
        What the inputs are shifted by and divided by before the mixture sees them.

    Raises
    ------
    NotExportable
    """
    maps, design = _maps(side), side.design
    places, (center, scale) = _places(maps, fitted), before
    pieces = [one.pieces for _, one in maps]
    widths = [1 if own is None else len(own.start) for own in pieces]
    straight = np.repeat([own is None for own in pieces], widths)
    own_center, own_scale = (np.repeat(values[places], widths) for values in before)
    return Side(
        places,
        tuple(own and own.moved(center[j], scale[j]) for own, j in zip(pieces, places, strict=True)),
        np.where(straight, own_center + own_scale * design.center, design.center),
        np.where(straight, own_scale * design.scale, design.scale),
    )


def _maps(side):
    if side.features.maps is None:
        features = side.features
        raise NotExportable(
            f"{features.label} = {features.transformer!r} makes columns of its own, which are not exported"
        )
    return side.features.maps


def _places(maps, fitted):
    """Places of the columns that are mapped among those that the mixture sees."""
    given = [str(name) for name in fitted.input_names()]
    twice = sorted({name for name in given if given.count(name) > 1})
    if twice:
        raise NotExportable(f"X has several columns that are called {twice[0]!r}")
    return np.array([given.index(str(name)) for name, _ in maps], dtype=int)


# -- rows at which formulas are compared -------------------------------------------------------------------------------


def tried_inputs(fitted, sizes):
    """Rows inside the ranges of the fit and beyond them, as the mixture sees them, (n, P)."""
    rng, inputs = np.random.default_rng(0), np.zeros((N_TRIED, fitted.n_features_in_))
    low, high = np.full((2, fitted.n_features_in_), np.nan)
    for one in sizes:
        ranges = one.range_
        limits = ranges.expert, ranges.expert if ranges.gate is None else ranges.gate
        for side, ends in zip(one.columns_[:2], limits, strict=True):
            ends = [np.ravel(end)[:-1] * side.design.scale + side.design.center for end in ends]
            maps, j = _maps(side), 0
            for place, (_, mapped) in zip(_places(maps, fitted), maps, strict=True):
                own, pieces = [end[j] for end in ends], mapped.pieces
                own = own if pieces is None else [pieces.knots[0], pieces.knots[-1]]
                low[place], high[place] = np.fmin(low[place], own[0]), np.fmax(high[place], own[1])
                j += 1 if pieces is None else len(pieces.start)
    low, high = np.nan_to_num(low), np.nan_to_num(high)
    reach = BEYOND * (high - low)
    inputs[:] = rng.uniform(low - reach, high + reach, size=inputs.shape)
    inputs[: N_TRIED // 2] = rng.uniform(low, high, size=(N_TRIED // 2, len(low)))
    return inputs


def tried_rows(fitted, one, inputs):
    """The rows of inputs as a size sees them: by the maps of its own columns, not by what is written of them."""
    made = []
    for side in one.columns_[:2]:
        maps = _maps(side)
        columns = [own.columns(inputs[:, j]) for j, (_, own) in zip(_places(maps, fitted), maps, strict=True)]
        made.append(side.design.transform(np.column_stack([np.empty((len(inputs), 0)), *columns])))
    rows = Rows(made[0], made[0] if one.columns_.gate is one.columns_.expert else made[1])
    return one.range_.held(rows) if one.hold else rows
