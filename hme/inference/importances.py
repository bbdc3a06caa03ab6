"""How much each column of X matters to predictions, from what a fit keeps of its rows, eq. (column-importance)."""

from typing import NamedTuple

import numpy as np
from scipy.special import betaincinv, betaln

from ..model.rows import Rows
from ..tables import Table

__all__ = ["Importances", "Seen", "importances"]

MOST_COLUMNS = 1000
N_ROWS = 64, 256  # that are made, the fewer the more columns there are
WORK = 1 << 22  # entries of all rows together, beyond which fewer are made
BLOCK = 1 << 19  # entries of the rows that are made at once
GOLDEN = 0.5 * (np.sqrt(5.0) - 1.0)
ROUND_OFF = 1e-14  # of the largest mean of an expert, up to which a prediction has not changed
TWO_VALUES = 1e-9  # spread of a beta distribution below which all of it is at the ends


class Seen(NamedTuple):
    """A mixture, its share in the predictions, and the columns that it sees."""

    share: float
    mixture: object
    params: object
    columns: object  # `Columns`
    ranges: object  # `Ranges`


class Importances(NamedTuple):
    """Importances of P columns, through the gate and within experts; all of them sum to one.

    Attributes
    ----------
    columns : list of str
    gate, expert : ndarray of shape (P,)
    """

    columns: list
    gate: np.ndarray
    expert: np.ndarray

    @property
    def total(self):
        """Of both together, (P,)."""
        return self.gate + self.expert

    def table(self):
        """As a `Table`, the most important column first."""
        order = np.argsort(-self.total, kind="stable")
        rows = [[str(self.columns[j]), *(float(a[j]) for a in (self.gate, self.expert, self.total))] for j in order]
        return Table(["column", "gate", "expert", "total"], rows, formats=["", ".3f", ".3f", ".3f"], align="lrrr")


def importances(several, names, classes):
    """The `Importances` of the columns of a table, eq. (column-importance).

    Rows are made in which every column has the mean, the standard deviation and the range that it had in the fit, and
    columns are independent. One column after the other then goes from one of its values to another.

    Parameters
    ----------
    several : list of Seen
        The mixtures whose average predicts.
    names : list of str
        Of the columns of the table.
    classes : bool
        Whether the outputs are class probabilities, whose changes count together; else each output counts the same.

    Raises
    ------
    AttributeError
        If experts, gate or transformers see more than columns of numbers.
    """
    for one in several:
        _check(one, names)
    places = {name: place for place, name in enumerate(names)}
    law = _marginals(several)
    moving = [name for name in law if law[name] is not None]
    if len(moving) > MOST_COLUMNS:
        raise AttributeError(
            f"feature_importances_ is of at most {MOST_COLUMNS} columns, and this model sees {len(moving)}. Use "
            "sklearn.inspection.permutation_importance with some of them."
        )
    gate, expert = np.zeros((2, len(names)))
    if moving:
        found = _sizes(several, law, moving)  # (columns, 3, T): of both together, gate and experts
        total, *parts = found.sum(axis=2, keepdims=True).swapaxes(0, 1) if classes else found.swapaxes(0, 1)
        whole = total.sum(axis=0)
        total = np.divide(total, whole, out=np.zeros_like(total), where=whole > 0)[:, whole > 0]
        both = sum(parts)[:, whole > 0]
        shares = [np.divide(p[:, whole > 0], both, out=np.zeros_like(both), where=both > 0) for p in parts]
        index = [places[name] for name in moving]
        if whole.any():
            gate[index], expert[index] = ((total * share).mean(axis=1) for share in shares)
    return Importances(list(names), gate, expert)


def _check(one, names):
    """Refuse what sees more than columns of numbers."""
    asks = "Use sklearn.inspection.permutation_importance, which needs rows."
    for family in (one.mixture.gate, one.mixture.expert):
        if family.traits.sees_table or family.traits.refitted:
            raise AttributeError(f"feature_importances_ is not of models with a {type(family).__name__}. {asks}")
    for side in one.columns[:2]:
        if side.features.maps is None:
            features = side.features
            raise AttributeError(
                f"feature_importances_ is of columns that are chosen or bent one by one; {features.label} = "
                f"{features.transformer!r} makes others. {asks}"
            )
    if len(set(names)) < len(names):
        raise AttributeError(f"feature_importances_ needs columns of different names. {asks}")


# -- rows that are made ------------------------------------------------------------------------------------------------


def _marginals(several):
    """For each column that some mixture sees what gives its quantiles; None of one that is constant."""
    law = {}
    for one in several:
        limits = one.ranges.expert, one.ranges.expert if one.ranges.gate is None else one.ranges.gate
        for side, limit in zip(one.columns[:2], limits, strict=True):
            design, j = side.design, 0
            low, high = (np.ravel(end)[:-1] * design.scale + design.center for end in limit)
            for name, own in side.features.maps:
                if own.names("")[0] == "":  # the column itself is among what is made of it
                    ends = float(low[j]), float(high[j])
                    constant = design.constant[j] or not ends[1] > ends[0]
                    law[name] = None if constant else _Beta(float(design.mean[j]), float(design.scale[j]), *ends)
                else:
                    law.setdefault(name, _Knots(own.pieces.knots))
                j += len(own.names(""))
    return law


class _Beta(NamedTuple):
    """A beta distribution with the moments and the range of a column; of two values, if it had no more."""

    mean: float
    std: float
    low: float
    high: float

    @property
    def variance(self):
        return self.std**2

    @property
    def shape(self):
        """Mean between 0 and 1, and the sum of the two parameters; zero of two values."""
        width = self.high - self.low
        mean = min(max((self.mean - self.low) / width, 0.0), 1.0)
        return mean, max(mean * (1.0 - mean) / (self.std / width) ** 2 - 1.0, 0.0)

    def quantiles(self, levels):
        mean, size = self.shape
        if size < TWO_VALUES:
            return np.where(levels < 1.0 - mean, self.low, self.high)
        return self.low + (self.high - self.low) * betaincinv(size * mean, size * (1.0 - mean), levels)

    def points(self, levels):
        """Values, half of them quantiles and half evenly spaced, so that rare ones are among them; and weights."""
        mean, size = self.shape
        if size < TWO_VALUES:
            low = np.arange(len(levels)) % 2 == 0
            return np.where(low, self.low, self.high), np.where(low, 1.0 - mean, mean)
        even = np.arange(len(levels)) % 2 == 0
        share = np.where(even, levels, betaincinv(size * mean, size * (1.0 - mean), levels))
        with np.errstate(divide="ignore", over="ignore"):
            rise, fall = (size * mean - 1.0) * np.log(share), (size * (1.0 - mean) - 1.0) * np.log1p(-share)
            density = np.exp(rise + fall - betaln(size * mean, size * (1.0 - mean)))
            return self.low + (self.high - self.low) * share, 1.0 / (1.0 + 1.0 / density)


class _Knots(NamedTuple):
    """A distribution whose quantiles, at levels as far from each other, are the knots of a spline."""

    knots: np.ndarray

    @property
    def variance(self):
        width, middle = np.diff(self.knots), 0.5 * (self.knots[1:] + self.knots[:-1])
        return middle.var() + (width**2).mean() / 12.0

    def quantiles(self, levels):
        return np.interp(levels, np.linspace(0.0, 1.0, len(self.knots)), self.knots)

    def points(self, levels):
        return self.quantiles(levels), np.ones(len(levels))


class _Pairs(NamedTuple):
    """Values that a column changes from and to, and weights (n,) of the squared changes that they bring about.

    The weights are scaled such that the sum over squared changes of the column is its variance.
    """

    ends: tuple
    weight: np.ndarray

    @classmethod
    def of(cls, law, levels, order):
        values, weight = law.points(levels)
        # Levels and those that they are paired with fill the unit square evenly.
        partner = np.argsort(np.argsort(np.arange(len(levels)) * GOLDEN % 1.0))
        ends, weight = (values[order], values[partner[order]]), weight[order] * weight[partner[order]]
        total = weight @ (ends[1] - ends[0]) ** 2
        return cls(ends, weight * (law.variance / total if total > 0 else 0.0))


class _Places(NamedTuple):
    """Which design columns are made of which column."""

    design: object  # `Design`
    maps: dict  # from the name of a column to the design columns that are made of it, a slice, and to what makes them

    @classmethod
    def of(cls, side):
        found, j = {}, 0
        for name, own in side.features.maps:
            width = len(own.names(""))
            found[name] = slice(j, j + width), own
            j += width
        return cls(side.design, found)

    def replaced(self, columns, name, values):
        """Set the design columns that are made of a column to those of its values."""
        if name in self.maps:
            some, own = self.maps[name]
            columns[:, some] = (own.columns(values) - self.design.center[some]) / self.design.scale[some]


def _sizes(several, law, moving):
    """Sums of squared changes (J, 3, T) of the predictions: in all, through the gate, and within experts."""
    widths = max(sum(len(side.design.scale) + 1 for side in one.columns[:2]) for one in several)
    n = int(np.clip(WORK // (len(moving) * widths), *N_ROWS))
    rng, levels = np.random.default_rng(0), (np.arange(n) + 0.5) / n
    values = {name: law[name].quantiles(levels)[rng.permutation(n)] for name in moving}
    pairs = {name: _Pairs.of(law[name], levels, rng.permutation(n)) for name in moving}
    changes = sum(one.share * _changes(one, values, pairs, max(BLOCK // (n * widths), 1)) for one in several)
    changes = np.concatenate([changes.sum(axis=1, keepdims=True), changes], axis=1)
    return np.einsum("jsnt,jn->jst", changes**2, np.stack([pairs[name].weight for name in moving]))


def _changes(one, values, pairs, n_columns):
    """Changes (J, 2, n, T) of the predictions, where each column in turn goes from one value to another."""
    sides = list(one.columns[:2])
    sides = [_Places.of(side) for side in (sides[:1] if sides[0] is sides[1] else sides)]
    made = [_made(side, values) for side in sides]
    names, found = list(pairs), []
    for start in range(0, len(names), n_columns):
        some = names[start : start + n_columns]
        (prior, means), (new_prior, new_means) = (_moved(one, sides, made, some, pairs, end) for end in (0, 1))
        gate = np.einsum("jnk,jnkt->jnt", new_prior - prior, 0.5 * (new_means + means))
        expert = np.einsum("jnk,jnkt->jnt", 0.5 * (new_prior + prior), new_means - means)
        both = np.stack([gate, expert], axis=1)
        found.append(np.where(np.abs(both) > ROUND_OFF * np.abs(means).max(axis=(0, 1, 2)), both, 0.0))
    return np.concatenate(found)


def _moved(one, sides, made, names, pairs, end):
    """Priors (J, n, K) and means (J, n, K, T) where each column in turn has the values of one end of its pairs."""
    moved = [np.repeat(columns[None], len(names), axis=0) for columns in made]
    for side, columns in zip(sides, moved, strict=True):
        for name, own in zip(names, columns, strict=True):
            side.replaced(own, name, pairs[name].ends[end])
    answers = _answers(one, [columns.reshape(-1, columns.shape[2]) for columns in moved])
    return [answer.reshape(len(names), -1, *answer.shape[1:]) for answer in answers]


def _made(side, values):
    """Design columns (n, p + 1) of a side; those of constant columns are zero."""
    n = len(next(iter(values.values())))
    columns = np.column_stack([np.zeros((n, len(side.design.scale))), np.ones(n)])
    for name in values:
        side.replaced(columns, name, values[name])
    return columns


def _answers(one, columns):
    """Priors (n, K) and means (n, K, T) of the experts, or their class probabilities."""
    n, arguments = len(columns[0]), one.mixture.expert.traits.row_arguments
    rows = Rows(columns[0], columns[-1])._replace(
        offset=np.zeros(n) if "offset" in arguments else None, trials=np.ones(n) if "trials" in arguments else None
    )
    prior = rows.blockwise(lambda block: np.exp(one.mixture.gate.log_prior(one.params.gate, block)))
    return prior, rows.blockwise(lambda block: one.mixture.expert.predict(one.params.experts, block))
