"""The continuous ranked probability score."""

import numpy as np

from .blocks import BLOCK, both_tails_of, cdf_of, distance_of, excess_of, shortfall_of

__all__ = ["RankedScore"]

GAUSS, GAUSS_WEIGHTS = np.polynomial.legendre.leggauss(8)
TAIL = 1e-17  # probability at which sums over counts end
MOST, HEAVIEST = 1 << 15, 1e-4  # length of a sum that ends earlier, in a tail like a power; probability beyond, at most
LONGEST = 1e10  # sum over counts


class RankedScore:
    """The continuous ranked probability score of a predictive distribution."""

    def crps(self, y):
        """Continuous ranked probability score, smaller is better, eqs. (crps), (crps-general) and (crps-counts).

        Parameters
        ----------
        y : float or array-like of shape (n,), (n, m) or (1, m)

        Returns
        -------
        ndarray of shape (n,) or (n, m)

        Raises
        ------
        ValueError
            Where the distribution of an expert has no mean, or y is not finite.
        """
        y = self._grid(y)
        if not np.isfinite(y).all():
            raise ValueError("y must be finite: the score of an infinite y is infinite.")
        with np.errstate(over="ignore", under="ignore"):
            self._has_means()
            if self.discrete:
                return self._count_crps(y)
            half = self._half_difference()
            score = self._at(y, distance_of, 0.0, 0.0) - (half if y.ndim == 1 else half[:, None])
        return np.maximum(score, 0.0)

    def _has_means(self):
        if (~self.components.has_mean() & (self.weights > 0)).any():
            raise ValueError(
                "crps is infinite or undefined where the distribution of an expert has no mean. Compare logarithmic "
                "scores; where it is Student noise with df <= 1, fix a larger df."
            )

    def _half_difference(self):
        """E|Y - Y'| / 2 of two independent draws of every row, (n,), eq. (mean-difference)."""
        out, size = np.empty(len(self)), max(BLOCK // self.weights.shape[1], 1)
        for start in range(0, len(self), size):
            part = slice(start, start + size)
            closed = self.components.take(part).half_difference_of_mixture(self.weights[part])
            if closed is None:
                return self._integrated_half_difference()
            out[part] = closed
        return out

    def _integrated_half_difference(self):
        """By an integral where a row has several experts."""
        components, weights, out = self.components, self.weights, np.empty(len(self))
        alone = weights.max(axis=1) >= 1.0
        own = components.half_difference()
        if own is None:
            alone[:] = False
        else:
            out[alone] = (weights * np.where(weights > 0, own, 0.0)).sum(axis=1)[alone]
        rest = np.flatnonzero(~alone)
        size = max(BLOCK // (64 * weights.shape[1]), 1)
        for start in range(0, len(rest), size):
            index = rest[start : start + size]
            out[index] = self[index]._mean_difference_integral()
        return out

    def _knots(self):
        """Points (n, P), ascending, between which the distribution functions of all experts are smooth."""
        components, weights = self.components, self.weights
        points = components.pieces()
        used = weights > 0
        first = points[np.arange(len(self)), used.argmax(axis=1), :1]
        points = np.where(used[:, :, None], points, first[:, :, None]).reshape(len(self), -1)
        return np.sort(points, axis=1)

    def _panels(self):
        """Fewer knots (n, P) for integrals: no panel is longer than the shortest piece of an expert around it."""
        points, knots = self.components.pieces(), self._knots()
        middle, step = 0.5 * (knots[:, :-1] + knots[:, 1:]), np.full((len(self), knots.shape[1] - 1), np.inf)
        length = np.pad(np.diff(points, axis=2), ((0, 0), (0, 0), (1, 1)), constant_values=np.inf)
        for i in range(len(self)):
            for k in np.flatnonzero(self.weights[i] > 0):
                own = length[i, k][np.searchsorted(points[i, k], middle[i])]
                np.minimum(step[i], own, out=step[i])
        gaps = np.diff(knots, axis=1)
        pace = np.cumsum(np.where(np.isinf(step), gaps > 0, gaps / step), axis=1)
        pace = np.concatenate([np.zeros((len(self), 1)), pace], axis=1)
        most = int(np.ceil(pace[:, -1].max(initial=0.0))) + 1
        even = np.linspace(0.0, 1.0, max(most, 2))
        panels = np.stack([np.interp(even * p[-1], p, row) for p, row in zip(pace, knots, strict=True)])
        # Where a distribution begins and ends, so that what lies between two of them is a panel.
        fixed = np.concatenate([points[:, :, :1], points[:, :, -1:], self.components.kinks()], axis=2)
        fixed = np.where((self.weights > 0)[:, :, None], fixed, panels[:, :1, None])
        return np.sort(np.concatenate([panels, fixed.reshape(len(self), -1)], axis=1), axis=1)

    def _mean_difference_integral(self):
        """Integral of F (1 - F), by Gauss rules between knots and closed forms beyond them, eq. (mean-difference)."""
        knots = self._panels()
        low, high = knots[:, 0], knots[:, -1]
        out = self._blockwise(shortfall_of, None, low) + self._blockwise(excess_of, None, high)
        length = np.diff(knots, axis=1)
        row, panel = np.nonzero(length > 0)
        half = 0.5 * length[row, panel]
        y = (knots[row, panel] + half)[:, None] + half[:, None] * GAUSS
        values = self._blockwise(both_tails_of, np.repeat(row, len(GAUSS)), y.ravel()).reshape(y.shape)
        return out + np.bincount(row, half * (values @ GAUSS_WEIGHTS), len(self))

    def _count_crps(self, y):
        """Sums over counts, eq. (crps-counts)."""
        grid = y.reshape(len(self), -1)
        out = np.empty(grid.shape)
        size = max(BLOCK // (64 * self.weights.shape[1]), 1)
        for start in range(0, len(self), size):
            part = slice(start, start + size)
            out[part] = self[np.arange(len(self))[part]]._count_crps_block(grid[part])
        return out.reshape(y.shape)

    def _count_crps_block(self, y):
        points, heavy = self._points()
        low, out = points[:, :1], np.zeros(y.shape)
        out += np.maximum(low - y, 0.0)  # nothing is below
        for start, end, F in self._steps(points, 4096 if len(heavy) else 64):
            for j in range(y.shape[1]):
                at = y[:, [j]]
                below = np.clip(at, start, end) - start  # where the step lies below y
                out[:, j] += (F**2 * below + (1.0 - F) ** 2 * (end - start - below)).sum(axis=1)
        out += np.maximum(y - points[:, -1:], 0.0)
        if len(heavy):
            out[heavy] += self[heavy]._power_tail(points[heavy], y[heavy])
        return out

    def _points(self):
        """First and last point (n, 2) of sums, and the rows where there is more beyond than next to nothing."""
        with np.errstate(invalid="ignore"):
            low, high = self.icdf(TAIL), self.iccdf(TAIL)
        heavy = np.zeros(len(self), dtype=bool)
        far = np.flatnonzero(high - low > MOST) if self.components.on_lattice else []
        if len(far):
            earlier = self[far].iccdf(HEAVIEST)
            heavy[far] = (earlier - low[far] <= MOST) & (high[far] - earlier > 100.0 * (earlier - low[far]))
            high[heavy] = np.floor(low[heavy]) + MOST
        if (high - low > LONGEST).any():
            raise ValueError(f"crps of counts is a sum over more than {LONGEST:g} counts of {self.components!r}.")
        return np.stack([low, np.maximum(high, low)], axis=1), np.flatnonzero(heavy)

    def _power_tail(self, points, y):
        """What is left of the score beyond the last point, where the probability of more is like a power."""
        low, last = points[:, :1], points[:, 1:]
        length = last - low
        tail, further = self.ccdf(last), self.ccdf(last + length)
        power = np.log2(tail / further)
        beyond = np.maximum((y - low) / length, 1.0)  # of y
        below = tail * length * (1.0 - beyond ** (1.0 - power)) / (power - 1.0)  # integral of the tail up to y
        return tail**2 * length / (2.0 * power - 1.0) - 2.0 * below

    def _steps(self, points, chunk=64):
        """Blocks (start, end, cdf), each (n, c), of the steps of the distribution functions."""
        n, components, atoms = len(self), self.components, self.components.atoms
        odd = atoms[atoms != np.floor(atoms)]
        offsets = np.unique(odd - np.floor(odd))
        lattice = components.on_lattice
        low, high = np.floor(points[:, 0]), points[:, 1]
        if not lattice:
            edges = np.broadcast_to(atoms, (n, len(atoms)))
            yield from self._step_block(edges, points)
            return
        inner = np.concatenate([[0.0], offsets])
        k = 0.0
        while True:
            left = low[:, None] + k
            if not (left <= high[:, None]).any():
                return
            edges = (left + np.arange(chunk)[None, :])[:, :, None] + inner
            edges = np.concatenate([edges.reshape(n, -1), left + chunk], axis=1)
            yield from self._step_block(edges, points)
            k += chunk

    def _step_block(self, edges, points):
        edges = np.clip(edges, points[:, :1], points[:, 1:])
        start, end = edges[:, :-1], edges[:, 1:]
        if not start.shape[1]:
            return
        rows = np.repeat(np.arange(len(self)), start.shape[1])
        F = self._blockwise(cdf_of, rows, start.ravel()).reshape(start.shape)
        yield start, end, F
