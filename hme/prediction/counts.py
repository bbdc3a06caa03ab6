"""Modes and regions of highest probability of counts."""

import numpy as np

from .blocks import cdf_of, pdf_of
from .levels import Curve, distinct, level_edges, turning_points
from .quantiles import ULPS

__all__ = ["CountRegions"]

MANY = 1024  # counts that are gone through one by one; of more the probabilities are like a density
Z = np.array([-8.0, -6.0, -5.0, *np.linspace(-4.0, 4.0, 17), 5.0, 6.0, 8.0])  # distances from the mean
OCTAVES = 2.0 ** np.arange(64)
NEXT = np.array([-2.0, -1.0, 0.0])  # counts at an end that are decided one by one
MOST = 1 << 22  # counts that are gone through where there are points between them


class CountRegions:
    """Peaks of distributions of counts, and their regions of highest probability."""

    def _count_mode(self):
        modes, used = self.components.mode(), self.weights > 0
        low, high = np.where(used, modes, np.inf).min(axis=1), np.where(used, modes, -np.inf).max(axis=1)
        best, where = np.full(len(self), -1.0), low.copy()
        candidates = [np.full(len(self), atom) for atom in self.components.atoms]
        if self.components.on_lattice:  # the mixture's is between those of the experts
            first = np.floor(low)
            near = high - first <= MANY
            longest = int((high - first)[near].max(initial=0.0))
            candidates += [np.where(near, np.minimum(first + k, high), first) for k in range(longest + 1)]
            if not near.all():
                peak = first.copy()
                peak[~near] = self[~near]._peak(first[~near], high[~near])
                candidates += [peak + k for k in range(-1, 3)]
        for value in candidates:
            mass = self._blockwise(pdf_of, None, value)
            better = (mass > best * (1 + ULPS)) | ((mass >= best * (1 - ULPS)) & (value < where))
            best, where = np.where(better, mass, best), np.where(better, value, where)
        return where

    def _peak(self, first, last):
        """About where the largest probabilities are, between first and last counts."""
        x, f = turning_points(self._count_curve(first, last), self._log_mass)
        return np.floor(x[np.arange(len(self)), f.argmax(axis=1)])

    def _count_curve(self, first, last):
        """The `Curve` of the probabilities of counts: around the experts' means and modes, and at even ratios."""
        mean, spread = self.components.mean(), np.sqrt(self.components.variance())
        used, known = self.weights > 0, np.isfinite(mean) & np.isfinite(spread)
        mode = np.where(used, self.components.mode(), first[:, None])
        around = np.where(used & known, mean, mode)[:, :, None] + np.where(used & known, spread, 0.0)[:, :, None] * Z
        points = [first[:, None], last[:, None], first[:, None] + OCTAVES, last[:, None] - OCTAVES]
        points += [around.reshape(len(self), -1), mode - 1.0, mode, mode + 1.0]
        if not known.all():
            step = np.where(used & ~known, 1.0, 0.0)[:, :, None] * OCTAVES[::2]
            points += [(mode[:, :, None] + sign * step).reshape(len(self), -1) for sign in (-1.0, 1.0)]
        atoms = self.components.atoms
        points += [np.tile(np.floor(atoms) + k, (len(self), 1)) for k in (-1.0, 0.0, 1.0)]
        x = distinct(np.clip(np.floor(np.concatenate(points, axis=1)), first[:, None], last[:, None]))
        return Curve(x, self._log_density_of_all(x))

    def _log_mass(self, rows, y):
        """Logarithm (m,) of probabilities, between counts on a line from one to the next."""
        k = np.floor(y)
        share = y - k
        here, there = (np.log(self._blockwise(pdf_of, rows, v)) for v in (k, k + 1.0))
        return np.where(share > 0, (1.0 - share) * here + share * np.where(share > 0, there, 0.0), here)

    def _mass_below(self, rows, y, upper):
        """Probability (m,) of less than the ends of runs of counts, of which the outer ones count in part."""
        y = np.where(upper, y, y - 1.0)
        k = np.floor(y)
        return self._blockwise(cdf_of, rows, k) + (y - k) * self._blockwise(pdf_of, rows, k + 1.0)

    def _count_region(self, coverage):
        """Runs of the counts with the largest probabilities, as many as it takes."""
        tail = min(1e-3 * (1.0 - coverage), 1e-6)
        first, last = self.icdf(tail), self.iccdf(tail)
        modes, heavy = self.components.mode(), self.weights > 1e-3 * tail
        first = np.minimum(first, np.where(heavy, modes, np.inf).min(axis=1))
        last = np.maximum(last, np.where(heavy, modes, -np.inf).max(axis=1))
        far = self.components.on_lattice & (last - first > MANY)
        if len(self._points_between()) and far.any():
            if (last - first > MOST).any():
                raise ValueError(
                    f"The region is one of more than {MOST} counts of {self.components!r} and of points between them. "
                    'Take a smaller coverage, or method="equal_tailed".'
                )
            far[:] = False
        regions = np.empty(len(self), dtype=object)
        for some, regions_of in ((~far, CountRegions._enumerated), (far, CountRegions._searched)):
            rows = np.flatnonzero(some)
            if len(rows):
                found = regions_of(self[rows], first[rows], last[rows], coverage)
                for i, region in zip(rows, found, strict=True):
                    regions[i] = region
        return list(regions)

    def _points_between(self):
        """Points that have probability and are no whole numbers."""
        return self.components.atoms[self.components.atoms != np.floor(self.components.atoms)]

    def _enumerated(self, first, last, coverage):
        """By the probabilities of all counts."""
        atoms, n = self.components.atoms, len(self)
        points = np.tile(atoms, (n, 1))
        if self.components.on_lattice:
            first = np.floor(first)
            counts = first[:, None] + np.arange(int((last - first).max()) + 1)
            points = np.sort(np.concatenate([counts, np.tile(self._points_between(), (n, 1))], axis=1), axis=1)
        mass = np.exp(self._log_density_of_all(points))
        order = np.argsort(-mass, axis=1, kind="stable")
        total = np.cumsum(np.take_along_axis(mass, order, axis=1), axis=1)
        n_kept = (total < coverage * (1.0 - ULPS)).sum(axis=1) + 1
        kept = np.zeros(mass.shape, dtype=bool)
        np.put_along_axis(kept, order, np.arange(mass.shape[1]) < n_kept[:, None], axis=1)
        return _runs(points, kept & (mass > 0), mass > 0)

    def _searched(self, first, last, coverage):
        """By the level that leaves the probability, and the counts around the ends one by one."""
        wanted = np.full(len(self), coverage)
        found = level_edges(self._count_curve(first, last), self._log_mass, self._mass_below, wanted, settle=True)
        ends = found.edges.place.reshape(-1, 2)
        rows = found.edges.row[::2]
        inner = np.stack([np.ceil(ends[:, 0]) + 1.0, np.floor(ends[:, 1]) - 1.0], axis=1)
        inside = inner[:, 0] <= inner[:, 1]
        mass = np.zeros(len(rows))
        low, high = inner[inside].T
        mass[inside] = self._blockwise(cdf_of, rows[inside], high) - self._blockwise(cdf_of, rows[inside], low - 1.0)
        near = np.concatenate([np.ceil(ends[:, :1]) + NEXT, np.floor(ends[:, 1:]) - NEXT], axis=1)
        own = self._blockwise(pdf_of, np.repeat(rows, near.shape[1]), near.ravel()).reshape(near.shape)
        # What is inside a neighbouring run is not one that is to be decided.
        same = np.append(rows[1:] == rows[:-1], False) & np.append(inside[1:], False)
        own[near >= np.where(same, np.append(inner[1:, 0], np.inf), np.inf)[:, None]] = 0.0
        same = np.append(False, rows[1:] == rows[:-1]) & np.append(False, inside[:-1])
        own[near <= np.where(same, np.append(-np.inf, inner[:-1, 1]), -np.inf)[:, None]] = 0.0
        # Towards the inside probabilities rise, but for rounding.
        m = len(NEXT)
        risen = np.concatenate([np.maximum.accumulate(own[:, k : k + m], axis=1) for k in (0, m)], axis=1)
        rank = np.where(own > 0, risen * (1.0 + ULPS * np.tile(np.arange(m), 2)), 0.0)
        regions = []
        for part in np.split(np.arange(len(rows)), np.searchsorted(rows, np.arange(1, len(self)))):
            runs = inner[part][inside[part]].tolist()
            values = (a[part].ravel().tolist() for a in (near, own, rank))
            undecided = {count: (key, mass) for count, mass, key in zip(*values, strict=True)}
            regions.append(_settled(runs, mass[part].sum(), undecided, coverage * (1.0 - ULPS)))
        return regions


def _runs(points, kept, there):
    """For every row the runs (m, 2) of points (n, W) that are kept, with none between that is there and is not kept."""
    regions = []
    for x, own, some in zip(points, kept, there, strict=True):
        x, own = x[some], own[some]
        change = np.diff(own.astype(np.int8), prepend=0, append=0)
        regions.append(np.stack([x[change[:-1] > 0], x[change[1:] < 0]], axis=1))
    return regions


def _settled(runs, mass, undecided, wanted):
    """Runs of one row: those that hold `mass`, and as many of the counts {count: (rank, probability)} as it takes."""
    for count, (_, own) in sorted(undecided.items(), key=lambda item: (-item[1][0], item[0])):
        if mass >= wanted or own == 0:
            break
        runs.append([count, count])
        mass += own
    runs.sort()
    merged = runs[:1]
    for low, high in runs[1:]:
        if low <= merged[-1][1] + 1.0:
            merged[-1][1] = max(high, merged[-1][1])
        else:
            merged.append([low, high])
    return np.array(merged)
