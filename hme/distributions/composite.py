"""Experts of several kinds side by side."""

import numpy as np

from .base import draw
from .several import Independent, MultivariateNormal

__all__ = ["Composite", "join"]


class Composite:
    """Laws of several kinds, each of some of the experts.

    Parameters
    ----------
    parts : list of (law, ndarray of int)
        Laws and the experts that they are of.
    atoms : sequence of float
        Points that beside densities belong to the point masses alone, eq. (atom).
    """

    def __init__(self, parts, atoms=()):
        self.parts = [(law, np.asarray(index)) for law, index in parts]
        self.atoms = np.unique(np.asarray(atoms, dtype=float))
        self.shape = self.parts[0][0].shape[0], sum(len(index) for _, index in self.parts)

    def __len__(self):
        return self.shape[0]

    def __repr__(self):
        kinds = ", ".join(type(law).__name__ for law, _ in self.parts)
        return f"Composite({kinds}) of {self.shape[0]} rows and {self.shape[1]} experts"

    def __getitem__(self, k):
        return self.columns(np.atleast_1d(np.arange(self.shape[1])[k]))

    @property
    def measure(self):
        """Density, where any of the laws has one."""
        return "density" if any(law.measure == "density" for law, _ in self.parts) else "mass"

    @property
    def discrete(self):
        return self.measure == "mass"

    @property
    def n_outputs(self):
        return getattr(self.parts[0][0], "n_outputs", 1)

    def take(self, rows):
        return Composite([(law.take(rows), index) for law, index in self.parts], self.atoms)

    def columns(self, index):
        index = np.asarray(index)
        parts = []
        for law, own in self.parts:
            there = np.flatnonzero(np.isin(index, own))
            if len(there):
                place = {k: i for i, k in enumerate(own.tolist())}
                parts.append((law.columns([place[k] for k in index[there].tolist()]), there))
        return Composite(parts, self.atoms)

    def spread(self, index, n_rows):
        return Composite([(law.spread(index, n_rows), own) for law, own in self.parts], self.atoms)

    def marginal(self, t):
        """Laws of one output."""
        return join([(law.marginal(t), index) for law, index in self.parts], self.atoms)

    def draw(self, rng, rows, experts):
        """Draws of pairs of a row and an expert."""
        out = None
        for law, own in self.parts:
            there = np.flatnonzero(np.isin(experts, own))
            place = np.zeros(self.shape[1], dtype=int)
            place[own] = np.arange(len(own))
            values = draw(law, rng, rows[there], place[experts[there]])
            if out is None:
                out = np.empty((len(rows), *values.shape[1:]))
            out[there] = values
        return out

    def _fill(self, name, *arguments):
        out = None
        for law, index in self.parts:
            values = getattr(law, name)(*(_own(a, index, self.shape[1]) for a in arguments))
            if out is None:
                out = np.empty((self.shape[1], self.shape[0], *values.shape[2:])).swapaxes(0, 1)
            out[:, index] = values
        return out

    def logpdf(self, y):
        out = self._fill("logpdf", y)
        if len(self.atoms) and self.measure == "density" and self.n_outputs == 1:
            taken = np.isin(y, self.atoms)
            for law, index in self.parts:
                if law.measure == "density":
                    out[:, index] = np.where(taken, -np.inf, out[:, index])
        return out

    def pdf(self, y):
        return np.exp(self.logpdf(y))

    def pieces(self):
        """Pieces of all kinds; kinds with fewer points repeat their last one."""
        return self._padded("pieces")

    def kinks(self):
        """Kinks of all kinds; kinds with fewer repeat one, or their mean."""
        return self._padded("kinks")

    def _padded(self, name):
        parts = [(getattr(law, name)(), law.mean()[:, :, None], index) for law, index in self.parts]
        out = np.empty((*self.shape, max(points.shape[2] for points, _, _ in parts)))
        for points, mean, index in parts:
            m = points.shape[2]
            out[:, index, :m] = points
            out[:, index, m:] = points[:, :, -1:] if m else mean
        return out

    def support(self):
        ends = [law.support() for law, _ in self.parts]
        out = np.empty((2, *self.shape))
        for (_, index), end in zip(self.parts, ends, strict=True):
            out[0][:, index], out[1][:, index] = end
        return out[0], out[1]

    def half_difference(self):
        out = np.empty(self.shape)
        for law, index in self.parts:
            value = law.half_difference()
            if value is None:
                return None
            out[:, index] = value
        return out

    def sample(self, rng):
        return self._fill("sample", _Bound(rng))


class _Bound:
    """An argument that every part gets as it is."""

    def __init__(self, value):
        self.value = value


def _own(argument, index, n_experts):
    if isinstance(argument, _Bound):
        return argument.value
    wide = np.ndim(argument) == 2 and np.shape(argument)[1] == n_experts > 1
    return argument[:, index] if wide else argument


def _filled(name):
    def method(self, *arguments):
        return self._fill(name, *arguments)

    method.__name__ = name
    return method


for _name in (
    "cdf",
    "sf",
    "logcdf",
    "logsf",
    "icdf",
    "isf",
    "mean",
    "variance",
    "mode",
    "excess",
    "shortfall",
    "covariance",
):
    setattr(Composite, _name, _filled(_name))


def join(parts, atoms=()):
    """One law of all experts from (law, experts) pairs; those of one kind are put together.

    Parameters
    ----------
    parts : list of (law, sequence of int)
        Laws of the same rows, and the numbers of the experts that they are of.
    atoms : sequence of float
        As in `Composite`.

    Returns
    -------
    Distribution, Composite, Independent or MultivariateNormal
    """
    flat = []
    for law, index in parts:
        index = np.asarray(index)
        if isinstance(law, Composite):
            flat += [(part, index[own]) for part, own in law.parts]
            atoms = np.union1d(atoms, law.atoms)
        else:
            flat.append((law, index))
    kinds = {}
    for law, index in flat:
        key = type(law), getattr(law, "n_outputs", 1), tuple(type(own) for own in getattr(law, "laws", ()))
        kinds.setdefault(key, []).append((law, index))
    joined = []
    for members in kinds.values():
        index = np.concatenate([own for _, own in members])
        joined.append((_side_by_side([law for law, _ in members]), index))
    if len(joined) == 1:
        law, index = joined[0]
        return law.columns(np.argsort(index))
    return Composite(joined, atoms)


def _side_by_side(laws):
    """Laws of one kind, the experts of one after those of the other."""
    if len(laws) == 1:
        return laws[0]
    first = laws[0]
    if isinstance(first, Independent):
        return Independent(
            [join([(law.laws[t], np.arange(a, b)) for law, a, b in _places(laws)]) for t in range(first.n_outputs)]
        )
    if isinstance(first, MultivariateNormal):
        center = np.concatenate([law.center for law in laws], axis=1)
        n = max(len(law.matrix) for law in laws)
        matrices = [np.broadcast_to(law.matrix, (n, *law.matrix.shape[1:])) for law in laws]
        return MultivariateNormal(center, np.concatenate(matrices, axis=1))
    n_rows, fields = first.shape[0], []
    for name in first.names:
        own = [getattr(law, name) for law in laws]
        if len({len(field) for field in own}) > 1:
            own = [np.broadcast_to(field, (n_rows, field.shape[1])) for field in own]
        fields.append(np.concatenate([field.T for field in own]).T)
    return type(first)(*fields, n_rows=n_rows)


def _places(laws):
    stop = 0
    for law in laws:
        start, stop = stop, stop + law.shape[1]
        yield law, start, stop
