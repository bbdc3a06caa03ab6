"""Modes and regions of highest density."""

import numpy as np

from ..distributions import join
from ..distributions.roots import sign_changes
from .blocks import BLOCK, cdf_of, pdf_of
from .quantiles import ULPS

__all__ = ["Regions"]

GOLDEN = 0.5 * (np.sqrt(5.0) - 1.0)
LEVEL_STEP = 1e-12  # of the logarithm of a level
MANY, MOST = 1 << 16, 1 << 26  # counts that a region is chosen from


class Regions:
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
        size = max(BLOCK // (64 * self.weights.shape[1]), 1)
        with np.errstate(over="ignore", under="ignore", divide="ignore", invalid="ignore"):
            for start in range(0, len(self), size):
                part = self[start : start + size]
                out[start : start + size] = part._count_mode() if self.discrete else part._density_mode()
        return out

    def _between_modes(self):
        """Least and largest mode (n,) of the experts in use: the mixture's lie between."""
        modes, used = self.components.mode(), self.weights > 0
        return np.where(used, modes, np.inf).min(axis=1), np.where(used, modes, -np.inf).max(axis=1)

    def _density_mode(self):
        x, f = self._critical()
        return x[np.arange(len(self)), f.argmax(axis=1)]

    def _critical(self):
        """Points (n, P), ascending, their densities, and the rows and places of the local maxima among them.

        Between neighbours the density rises or falls: local maxima and minima are among the points.
        """
        n = len(self)
        modes = np.where(self.weights > 0, self.components.mode(), np.nan)
        x = np.concatenate([self._knots(), modes], axis=1)
        x = np.sort(np.where(np.isnan(x), x[:, :1], x), axis=1)
        f = self._at(x, pdf_of, 0.0, 0.0)
        found = []
        for sign in (1.0, -1.0):
            # A run of equal neighbours counts once, with the points on both of its sides.
            left, right = np.diff(x, axis=1)[:, :-1] > 0, np.diff(x, axis=1)[:, 1:] > 0
            middle = sign * f[:, 1:-1]
            turns = (middle >= sign * f[:, :-2]) & (middle >= sign * f[:, 2:]) & (left | right)
            turns &= np.isfinite(f[:, 1:-1]) & (f[:, 1:-1] > 0)
            row, place = np.nonzero(turns)
            place = place + 1
            a, b = x[row, np.maximum(place - 1, 0)], x[row, np.minimum(place + 1, x.shape[1] - 1)]
            # neighbours that differ
            a = np.where(a < x[row, place], a, x[row, np.maximum(place - 2, 0)])
            b = np.where(b > x[row, place], b, x[row, np.minimum(place + 2, x.shape[1] - 1)])
            found.append((row, self._golden(row, a, b, sign)))
        row = np.concatenate([r for r, _ in found])
        extra = np.concatenate([v for _, v in found])
        most = int(np.bincount(row, minlength=n).max()) if len(row) else 0
        if most:
            more = np.repeat(x[:, :1], most, axis=1)
            order = np.argsort(row, kind="stable")
            row, extra = row[order], extra[order]
            start = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=n))])[:-1]
            more[row, np.arange(len(row)) - start[row]] = extra
            x = np.concatenate([x, more], axis=1)
            f = np.concatenate([f, self._at(more, pdf_of, 0.0, 0.0)], axis=1)
            order = np.argsort(x, axis=1, kind="stable")
            x, f = np.take_along_axis(x, order, axis=1), np.take_along_axis(f, order, axis=1)
        return x, f

    def _golden(self, rows, a, b, sign):
        """Maxima (m,) of sign times the density between a and b (m,), by golden sections.

        `scipy.optimize.elementwise.find_minimum` takes up to a third longer.
        """
        c, d = b - GOLDEN * (b - a), a + GOLDEN * (b - a)
        fc, fd = (sign * self._blockwise(pdf_of, rows, v) for v in (c, d))
        for _ in range(42):
            left = fc > fd
            a, b = np.where(left, a, c), np.where(left, d, b)
            c, d = np.where(left, b - GOLDEN * (b - a), d), np.where(left, c, a + GOLDEN * (b - a))
            value = sign * self._blockwise(pdf_of, rows, np.where(left, c, d))
            fc, fd = np.where(left, value, fd), np.where(left, fc, value)
        return 0.5 * (a + b)

    def _count_mode(self):
        low, high = self._between_modes()
        best, where = np.full(len(self), -1.0), low.copy()
        atoms = self.components.atoms
        candidates = [np.full(len(self), atom) for atom in atoms]
        if self.components.on_lattice:
            first = np.floor(low)
            candidates = [*candidates, *(first + k for k in range(int((high - first).max()) + 1))]
        for value in candidates:
            mass = self._blockwise(pdf_of, None, value)
            better = mass > best * (1 + ULPS)
            best, where = np.where(better, mass, best), np.where(better, value, where)
        return where

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
                regions[i] = _merged(np.concatenate([regions[i], np.stack([points, points], axis=1)]))
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
        x, f = self._critical()
        positive = np.where((f > 0) & np.isfinite(f), f, np.nan)
        low = np.log(np.nanmin(positive, axis=1)) - 1e-6
        high = np.log(np.nanmax(positive, axis=1)) + 1e-12
        high[np.isinf(f).any(axis=1)] += 700.0
        low, high = self._level(x, f, low, high, wanted)
        outer, inner = self._edges(x, f, low), self._edges(x, f, high)
        start = np.where(np.isfinite(self.support()[0]), self.support()[0], x[:, 0])
        regions = []
        for i in range(len(self)):
            region, one = outer[i], self[i]
            if one._probability(region) > wanted[i] + 1e-10:
                region = one._with_flat_parts(inner[i], region, wanted[i])
            # next to nothing is below the first point
            regions.append(_merged(np.where(region == x[i, 0], start[i], region)))
        return regions

    def _level(self, x, f, low, high, wanted):
        """Logarithms (n,) of the levels, from below and above: the probability above them falls."""
        above_low, above_high = self._above(x, f, low) - wanted, self._above(x, f, high) - wanted
        seeking = np.flatnonzero(above_low > 0)

        def excess(active, level):
            rows = seeking[active]
            return self[rows]._above(x[rows], f[rows], level) - wanted[rows]

        low, high = low.copy(), high.copy()
        low[seeking], high[seeking], _ = sign_changes(
            excess, low[seeking], high[seeking], above_low[seeking], above_high[seeking], 1e-11, LEVEL_STEP
        )
        return low, high

    def _crossings(self, x, f, level):
        """Rows, directions (1 up, -1 down) and places where densities cross the levels, ascending in every row."""
        inside = f >= np.exp(level)[:, None]
        padded = np.pad(inside, ((0, 0), (1, 1))).astype(int)
        change = np.diff(padded, axis=1)  # at place j: between points j - 1 and j
        row, j = np.nonzero(change)
        direction = change[row, j]
        a, b = x[row, np.maximum(j - 1, 0)], x[row, np.minimum(j, x.shape[1] - 1)]
        at_end = (j == 0) | (j == x.shape[1]) | (a == b)
        place = np.where(j == x.shape[1], a, b)
        solve = np.flatnonzero(~at_end)
        if len(solve):
            place[solve] = self._level_roots(row[solve], a[solve], b[solve], level[row[solve]])
        return row, direction, place

    def _level_roots(self, rows, a, b, level):
        """Places (m,) between a and b where the density goes through exp(level)."""

        def above(active, y):
            return np.log(self._blockwise(pdf_of, rows[active], y)) - level[active]

        everything = np.arange(len(rows))
        return sign_changes(above, a, b, above(everything, a), above(everything, b), 1e-13, 0.0)[2]

    def _above(self, x, f, level):
        """Probability (n,) of densities above the levels."""
        row, direction, place = self._crossings(x, f, level)
        if not len(row):
            return np.zeros(len(self))
        return -np.bincount(row, direction * self._blockwise(cdf_of, row, place), len(self))

    def _edges(self, x, f, level):
        row, _, place = self._crossings(x, f, level)
        return [part.reshape(-1, 2) for part in np.split(place, np.searchsorted(row, np.arange(1, len(self))))]

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

    def _count_region(self, coverage):
        """Runs of the counts with the largest probabilities, as many as it takes."""
        first, last = self._count_range(coverage)
        atoms, regions = self.components.atoms, []
        for i in range(len(self)):
            one = self[i]
            counts = np.arange(np.floor(first[i]), last[i] + 1) if self.components.on_lattice else np.zeros(0)
            counts = np.union1d(counts, atoms)
            mass = one.pmf(counts[None])[0]
            counts, mass = counts[mass > 0], mass[mass > 0]
            order = np.lexsort((counts, -mass))
            n_kept = int(np.searchsorted(np.cumsum(mass[order]), coverage * (1.0 - ULPS))) + 1
            kept = np.sort(order[:n_kept])
            runs = np.split(kept, np.flatnonzero(np.diff(kept) > 1) + 1)
            regions.append(np.array([[counts[run[0]], counts[run[-1]]] for run in runs]))
        return regions

    def _count_range(self, coverage):
        """First and last count (n,) of regions; where a tail is so heavy that they are too many, with more beyond."""
        tail = min(1e-3 * (1.0 - coverage), 1e-6)
        first, last = self.icdf(tail), self.iccdf(tail)
        if not self.components.on_lattice:
            return first, last
        while (far := np.flatnonzero(last - first > MANY)).size and tail < 0.01 * (1.0 - coverage):
            tail *= 10.0
            first[far], last[far] = self[far].icdf(tail), self[far].iccdf(tail)
        if (last - first > MOST).any():
            raise ValueError(
                f"The region is one of more than {MOST} counts of {self.components!r}. Take a smaller coverage, or "
                'method="equal_tailed".'
            )
        return first, last


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


def _merged(region):
    """Intervals in order, those that touch put together."""
    region = region[np.argsort(region[:, 0], kind="stable")]
    out = [region[0]]
    for low, high in region[1:]:
        if low <= out[-1][1]:
            out[-1] = np.array([out[-1][0], max(out[-1][1], high)])
        else:
            out.append(np.array([low, high]))
    return np.array(out)
