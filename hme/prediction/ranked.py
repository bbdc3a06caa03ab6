"""The continuous ranked probability score."""

import numpy as np

from .blocks import BLOCK, both_tails_of, cdf_of, distance_of, excess_of, sf_of, shortfall_of
from .sums import long_sums

__all__ = ["RankedScore"]

GAUSS, GAUSS_WEIGHTS = np.polynomial.legendre.leggauss(8)
TAIL = 1e-17  # probability at which sums over counts end
MANY = 512  # counts that are gone through one by one


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
        size = max(BLOCK // (4 * self.weights.shape[1]), 1)
        for start in range(0, len(self), size):
            part = slice(start, start + size)
            out[part] = self[np.arange(len(self))[part]]._count_crps_block(grid[part])
        return out.reshape(y.shape)

    def _count_crps_block(self, y):
        with np.errstate(invalid="ignore"):
            low, high = self.icdf(TAIL), self.iccdf(TAIL)
        if not (np.isfinite(low) & np.isfinite(high)).all():
            raise ValueError(f"crps: the tails of {self.components!r} are beyond the range of numbers.")
        points, out = np.stack([low, np.maximum(high, low)], axis=1), np.zeros(y.shape)
        far = self.components.on_lattice & (high - low > MANY)
        for rows, score in (
            (np.flatnonzero(~far), RankedScore._stepwise_crps),
            (np.flatnonzero(far), RankedScore._long_crps),
        ):
            if len(rows):
                out[rows] = score(self[rows], points[rows], y[rows])
        out += np.maximum(points[:, :1] - y, 0.0)  # nothing is below
        return out + np.maximum(y - points[:, 1:], 0.0)

    def _stepwise_crps(self, points, y):
        """What is between the first and last points, step by step."""
        out = np.zeros(y.shape)
        for start, end, F in self._steps(points):
            for j in range(y.shape[1]):
                at = y[:, [j]]
                below = np.clip(at, start, end) - start  # where the step lies below y
                out[:, j] += (F**2 * below + (1.0 - F) ** 2 * (end - start - below)).sum(axis=1)
        return out

    def _long_crps(self, points, y):
        """The same for many counts, without going through them."""
        low, high = np.floor(points[:, 0]), np.ceil(points[:, 1])
        atoms = self.components.atoms
        cells = np.unique(np.floor(atoms[atoms != np.floor(atoms)]))  # with a step inside
        out = np.zeros(y.shape)
        for j in range(y.shape[1]):
            at = np.floor(np.clip(y[:, j], low, high))
            out[:, j] = long_sums(self._square_below, low, at) + long_sums(self._square_above, at + 1.0, high)
            out[:, j] += np.where(at < high, self._cell(at, y[:, j]), 0.0)
            for cell in cells:
                inside = (cell >= low) & (cell < high) & (at != cell)
                plain = np.where(
                    cell < at, self._square_below(None, 0 * at + cell), self._square_above(None, 0 * at + cell)
                )
                out[:, j] += np.where(inside, self._cell(0 * at + cell, y[:, j]) - plain, 0.0)
        if np.isnan(out).any():
            raise ValueError(
                f"crps: the distribution functions of {self.components!r} are out of the range of numbers."
            )
        return out

    def _square_below(self, rows, k):
        return self._blockwise(cdf_of, rows, k) ** 2

    def _square_above(self, rows, k):
        return self._blockwise(sf_of, rows, k) ** 2

    def _cell(self, k, y):
        """The score's integral (n,) from counts k to the next ones."""
        atoms = np.tile(self.components.atoms, (len(self), 1))
        edges = np.concatenate([k[:, None], y[:, None], atoms, k[:, None] + 1.0], axis=1)
        edges = np.sort(np.clip(edges, k[:, None], k[:, None] + 1.0), axis=1)
        below, above = (self._at(edges[:, :-1], of, 0.0, 0.0) for of in (cdf_of, sf_of))
        return (np.where(edges[:, :-1] < y[:, None], below, above) ** 2 * np.diff(edges, axis=1)).sum(axis=1)

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
