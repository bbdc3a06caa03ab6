"""Modes and regions of highest density."""

import numpy as np

from ..distributions import join
from .blocks import BLOCK, cdf_of, pdf_of
from .counts import CountRegions
from .flat import flat_regions, merged
from .levels import Curve, distinct, edges_at, level_edges, turning_points
from .quantiles import ULPS

__all__ = ["Regions"]

FEW = 4  # experts up to which all pieces of their distributions are looked at
THIN = 3  # of more experts every third piece
MANY_ROWS = 32  # from which on points are gone through one by one
LEVEL_STEP = 1e-12  # of the logarithm of a level


class Regions(CountRegions):
    """Peaks of a predictive distribution, and its regions of highest density."""

    def mode(self):
        """Where density or probability is largest, (n,).

        Raises
        ------
        TypeError
            Where some points have probability beside densities: the two cannot be compared.
        """
        if not self.discrete and len(self.components.atoms):
            raise TypeError("mode makes no sense here: densities and probabilities of points cannot be compared.")
        out = np.empty(len(self))
        size = max(BLOCK // (4 * self.weights.shape[1]), 1)
        with np.errstate(over="ignore", under="ignore", divide="ignore", invalid="ignore"):
            for start in range(0, len(self), size):
                part = self[start : start + size]
                out[start : start + size] = part._count_mode() if self.discrete else part._density_mode()
        return out

    def _density_mode(self):
        x, f = turning_points(self._curve(), self._log_density)
        return x[np.arange(len(self)), f.argmax(axis=1)]

    def _curve(self):
        """The `Curve` of the density at pieces and modes of the experts."""
        pieces, used = self.components.pieces(), self.weights > 0
        if pieces.shape[1] > FEW and pieces.shape[2] > 2 * THIN:
            pieces = pieces[:, :, pieces.shape[2] // 2 % THIN :: THIN]
        points = np.concatenate([pieces, self.components.kinks(), self.components.mode()[:, :, None]], axis=2)
        first = points[np.arange(len(self)), used.argmax(axis=1), :1]
        x = distinct(np.where(used[:, :, None], points, first[:, :, None]).reshape(len(self), -1))
        return Curve(x, self._log_density_of_all(x))

    def _log_density_of_all(self, x):
        """Logarithms (n, P) of the density, or of the probability, at points (n, P)."""
        if len(self) < MANY_ROWS:
            return np.log(self._at(x, pdf_of, 0.0, 0.0))
        columns = [pdf_of(self.components, self.weights, x[:, [j]]) for j in range(x.shape[1])]
        return np.log(np.stack(columns, axis=1))

    def _log_density(self, rows, y):
        """Logarithm (m,) of the density at pairs of a row and a value."""
        return np.log(self._blockwise(pdf_of, rows, y))

    def _below(self, rows, y, upper):
        """Probability (m,) of less than the ends of intervals."""
        return self._blockwise(cdf_of, rows, y)

    def _density_region(self, coverage):
        """Regions that leave `coverage`; points with a probability of their own take no room, and come first."""
        atoms = self.components.atoms
        if not len(atoms):
            return self._level_region(np.full(len(self), coverage))
        masses = self._at(np.tile(atoms, (len(self), 1)), pdf_of, 0.0, 0.0)
        smooth, share = self._without_atoms()
        seeking = coverage > masses.sum(axis=1)
        wanted = np.where(seeking, coverage - masses.sum(axis=1), 0.5 * share) / share
        regions = smooth._level_region(np.minimum(wanted, 1.0))
        for i in range(len(self)):
            if seeking[i]:
                points = atoms[masses[i] > 0]
                regions[i] = merged(np.concatenate([regions[i], np.stack([points, points], axis=1)]))
            else:
                regions[i] = _points_region(atoms, masses[i], coverage)
        return regions

    def _without_atoms(self):
        """The distribution given that y is at no atom, and the probability of that (n,)."""
        kept = [(part, index) for part, index in self.components.parts if part.measure == "density"]
        index = np.concatenate([own for _, own in kept])
        ends = np.cumsum([len(own) for _, own in kept])
        components = join([(part, np.arange(end - len(own), end)) for (part, own), end in zip(kept, ends, strict=True)])
        weights = np.array(self.weights[:, index])
        weights[weights.sum(axis=1) == 0, 0] = 1.0  # of rows that have atoms only any will do
        share = weights.sum(axis=1)
        return type(self)(weights / share[:, None], components), share

    def _level_region(self, wanted):
        """Intervals of each row where the density is above the level that leaves `wanted` (n,), eq. (highest-density).

        Where the density is flat at the level there are many of them, and as much of the flat parts is taken as needed.
        """
        if self.components.flat:
            return flat_regions(*self.components.support(), self.weights, wanted)
        found = level_edges(self._curve(), self._log_density, self._below, wanted)
        regions = found.edges.intervals(len(self))
        if len(found.flat):
            flat = self[found.flat]
            for i, region in zip(found.flat, flat._flat_region(wanted[found.flat]), strict=True):
                regions[i] = region
        low, first = self.support()[0], found.curve.x[:, 0]  # next to nothing is below the first point
        if np.isfinite(low).any():
            for i in np.flatnonzero(np.isfinite(low)):
                if regions[i][0, 0] == first[i]:
                    regions[i][0, 0] = low[i]
        return regions

    def _flat_region(self, wanted):
        """Regions of rows whose densities are flat at the level."""
        found = level_edges(self._curve(), self._log_density, self._below, wanted, thorough=True)
        regions = found.edges.intervals(len(self))
        rows = found.flat
        some, curve = self[rows], found.curve.take(rows)
        outer, inner = (
            edges_at(curve, some._log_density, level[rows])[0].intervals(len(rows))
            for level in (found.low - LEVEL_STEP, found.high + LEVEL_STEP)
        )
        for i, row in enumerate(rows):
            regions[row] = merged(some[i]._with_flat_parts(inner[i], outer[i], wanted[row]))
        return regions

    def _with_flat_parts(self, inner, outer, wanted):
        """Of one row, the region `inner` and as much of `outer`, whose density is the same there, as is wanted."""
        flat = _difference(outer, inner)
        left = wanted - self._probability(inner)
        kept = [inner]
        for low, high in flat[np.argsort(-np.diff(flat, axis=1)[:, 0], kind="stable")]:
            F = self.cdf([[low, high]])[0]
            if F[1] - F[0] <= left:
                kept.append([[low, high]])
            elif left > 0:  # what touches the region keeps its side, else its middle
                share = 1.0 if (inner[:, 1] == low).any() else 0.0 if (inner[:, 0] == high).any() else 0.5
                cut = F[1] - F[0] - left
                kept.append([self.icdf([F[0] + (1.0 - share) * cut, F[1] - share * cut])[0]])
            left -= F[1] - F[0]
        return np.concatenate(kept)

    def _probability(self, region):
        """Of one row, the probability of intervals (m, 2)."""
        return np.diff(self.cdf(region.reshape(1, -1)).reshape(-1, 2), axis=1).sum()


def _points_region(atoms, masses, coverage):
    order = np.argsort(-masses, kind="stable")
    n_kept = int(np.searchsorted(np.cumsum(masses[order]), coverage * (1.0 - ULPS))) + 1
    kept = np.sort(atoms[order[:n_kept]])
    return np.stack([kept, kept], axis=1)


def _difference(outer, inner):
    """Intervals (m, 2) of what is in `outer` and not in `inner`."""
    out = []
    for low, high in outer:
        for a, b in inner[(inner[:, 0] < high) & (inner[:, 1] > low)]:
            out.append((low, a))
            low = b
        out.append((low, high))
    out = np.reshape(out, (-1, 2))
    return out[out[:, 1] > out[:, 0]]
