"""Experts of several kinds side by side."""

import numpy as np

from .base import Distribution

__all__ = ["Composite", "join"]


class Composite(Distribution):
    """Distributions of several kinds, each of some of the experts.

    Parameters
    ----------
    parts : list of (Distribution, ndarray of int)
        Distributions and the experts that they are of.
    atoms : sequence of float
        Points that beside densities belong to the point masses alone, eq. (atom).

    Examples
    --------
    >>> import numpy as np
    >>> from hme.distributions import Composite, Normal, Poisson
    >>> normal, poisson = Normal(np.zeros((1, 1)), np.ones((1, 1))), Poisson(np.full((1, 1), 4.0))
    >>> Composite([(poisson, [1]), (normal, [0])]).mean()
    array([[0., 4.]])
    """

    parts = None  # an attribute here

    def __init__(self, parts, atoms=()):
        self.parts = [(part, np.asarray(index)) for part, index in parts]
        self.atoms = np.unique(np.asarray(atoms, dtype=float))
        self.shape = self.parts[0][0].shape[0], sum(len(index) for _, index in self.parts)

    def __repr__(self):
        kinds = ", ".join(type(part).__name__ for part, _ in self.parts)
        return f"Composite({kinds}) of {self.shape[0]} rows and {self.shape[1]} experts"

    @property
    def measure(self):
        """Density, where any of the parts has one."""
        return "density" if any(part.measure == "density" for part, _ in self.parts) else "mass"

    @property
    def on_lattice(self):
        return any(part.on_lattice for part, _ in self.parts)

    @property
    def flat(self):
        return all(part.flat for part, _ in self.parts)

    @property
    def n_outputs(self):
        return self.parts[0][0].n_outputs

    def take(self, rows):
        return Composite([(part.take(rows), index) for part, index in self.parts], self.atoms)

    def columns(self, index):
        index, parts = np.asarray(index), []
        for part, own in self.parts:
            there = np.flatnonzero(np.isin(index, own))
            if len(there):
                place = {k: i for i, k in enumerate(own.tolist())}
                parts.append((part.columns([place[k] for k in index[there].tolist()]), there))
        return Composite(parts, self.atoms)

    def spread(self, index, n_rows):
        return Composite([(part.spread(index, n_rows), own) for part, own in self.parts], self.atoms)

    def marginal(self, t):
        return join([(part.marginal(t), index) for part, index in self.parts], self.atoms)

    def widened(self, factor):
        return join([(part.widened(factor[..., index]), index) for part, index in self.parts], self.atoms)

    def lightened(self, least_df):
        return join([(part.lightened(least_df), index) for part, index in self.parts], self.atoms)

    def draw(self, rng, rows, experts):
        out = None
        for part, own in self.parts:
            there = np.flatnonzero(np.isin(experts, own))
            place = np.zeros(self.shape[1], dtype=int)
            place[own] = np.arange(len(own))
            values = part.draw(rng, rows[there], place[experts[there]])
            if out is None:
                out = np.empty((len(rows), *values.shape[1:]))
            out[there] = values
        return out

    def _fill(self, name, *arguments):
        """What the parts answer, side by side; arguments (n, K) are cut to the experts of a part."""
        out = None
        for part, index in self.parts:
            values = getattr(part, name)(*(self._own(a, index) for a in arguments))
            if out is None:
                out = np.empty((self.shape[1], self.shape[0], *values.shape[2:]), dtype=values.dtype).swapaxes(0, 1)
            out[:, index] = values
        return out

    def _own(self, argument, index):
        wide = np.ndim(argument) == 2 and np.shape(argument)[1] == self.shape[1] > 1
        return argument[:, index] if wide else argument

    def logpdf(self, y):
        out = self._fill("logpdf", y)
        if len(self.atoms) and self.measure == "density" and self.n_outputs == 1:
            taken = np.isin(y, self.atoms)
            for part, index in self.parts:
                if part.measure == "density":
                    out[:, index] = np.where(taken, -np.inf, out[:, index])
        return out

    def cdf(self, y):
        return self._fill("cdf", y)

    def sf(self, y):
        return self._fill("sf", y)

    def logcdf(self, y):
        return self._fill("logcdf", y)

    def logsf(self, y):
        return self._fill("logsf", y)

    def icdf(self, q):
        return self._fill("icdf", q)

    def isf(self, q):
        return self._fill("isf", q)

    def mean(self):
        return self._fill("mean")

    def has_mean(self):
        return self._fill("has_mean")

    def variance(self):
        return self._fill("variance")

    def covariance(self):
        return self._fill("covariance")

    def mode(self):
        return self._fill("mode")

    def sample(self, rng):
        return self._fill("sample", rng)

    def excess(self, y):
        return self._fill("excess", y)

    def shortfall(self, y):
        return self._fill("shortfall", y)

    def support(self):
        out = np.empty((2, *self.shape))
        for part, index in self.parts:
            out[0][:, index], out[1][:, index] = part.support()
        return out[0], out[1]

    def half_difference(self):
        if any(part.half_difference() is None for part, _ in self.parts):
            return None
        return self._fill("half_difference")

    def pieces(self):
        """Pieces of all kinds; kinds with fewer points repeat their last one."""
        return self._padded("pieces")

    def kinks(self):
        """Kinks of all kinds; kinds with fewer repeat one, or their mean."""
        return self._padded("kinks")

    def _padded(self, name):
        parts = [(getattr(part, name)(), part.mean()[:, :, None], index) for part, index in self.parts]
        out = np.empty((*self.shape, max(points.shape[2] for points, _, _ in parts)))
        for points, mean, index in parts:
            m = points.shape[2]
            out[:, index, :m] = points
            out[:, index, m:] = points[:, :, -1:] if m else mean
        return out


def join(parts, atoms=()):
    """One distribution of all experts from (distribution, experts) pairs; those of one kind are put together.

    Parameters
    ----------
    parts : list of (Distribution, sequence of int)
        Distributions of the same rows, and the numbers of the experts that they are of.
    atoms : sequence of float
        As in `Composite`.

    Returns
    -------
    Distribution
        A `Composite` where there are several kinds.

    Examples
    --------
    >>> import numpy as np
    >>> from hme.distributions import Normal, Poisson, join
    >>> normal, poisson = Normal(np.zeros((1, 1)), np.ones((1, 1))), Poisson(np.full((1, 2), 4.0))
    >>> join([(poisson, [0, 2]), (normal, [1])]).mean()
    array([[4., 0., 4.]])
    """
    kinds = {}
    for whole, index in parts:
        if isinstance(whole, Composite):
            atoms = np.union1d(atoms, whole.atoms)
        for part, own in whole.parts:
            kinds.setdefault(part.kind, []).append((part, np.asarray(index)[own]))
    joined = []
    for members in kinds.values():
        (first, _), *others = members
        index = np.concatenate([own for _, own in members])
        joined.append((first.beside([part for part, _ in others]) if others else first, index))
    if len(joined) == 1:
        only, index = joined[0]
        return only.columns(np.argsort(index))
    return Composite(joined, atoms)
