"""Arrays of several experts and outputs: targets, sums, scalars, and how they are shown."""

import numpy as np

__all__ = [
    "common",
    "free_slope",
    "numbers",
    "own_targets",
    "padded",
    "single",
    "stacked_outputs",
    "targets",
    "together",
]


def targets(rows):
    """Targets (n, 1, T), each output stored contiguously, as linear predictors are."""
    return (rows.y if rows.y.shape[1] == 1 else np.asfortranarray(rows.y))[:, None]


def own_targets(rows):
    """Targets (n, T) minus the offset."""
    return rows.y if rows.offset is None else rows.y - rows.offset[:, None]


def stacked_outputs(arrays):
    """Stack arrays (n, K), one for each output, to (n, K, T)."""
    arrays = list(arrays)
    return arrays[0][:, :, None] if len(arrays) == 1 else np.stack(arrays, axis=2)


def together(log_density):
    """Joint log-densities (n, K) of independent outputs, from those of each, (n, K, T)."""
    return log_density[:, :, 0] if log_density.shape[2] == 1 else log_density.sum(axis=2)


def common(sums, shared):
    """Sums (K, ...); if `shared`, the total over experts for each of them."""
    return np.broadcast_to(sums.sum(axis=0), sums.shape) if shared else sums


def free_slope(value, slope, scalar):
    """Slopes (K, T) with respect to the logarithm of a scalar, set to zero where a bound is active."""
    low = (value <= scalar.least * (1 + 1e-9)) & (slope < 0)
    high = (value >= scalar.most * (1 - 1e-9)) & (slope > 0)
    return np.where(low | high, 0.0, slope)


def numbers(values):
    """A number or several numbers as text with three significant digits."""
    shown = [f"{value:.3g}" for value in np.atleast_1d(values)]
    return shown[0] if len(shown) == 1 else f"[{', '.join(shown)}]"


def single(array):
    """An array (K, T) without the output axis if there is one output."""
    return array[:, 0] if array.shape[1] == 1 else array


def padded(gradient, hessian, n):
    """Gradients (K, d) and Hessians (K, d, d) padded with zeros for n more coordinates."""
    return np.pad(gradient, ((0, 0), (0, n))), np.pad(hessian, ((0, 0), (0, n), (0, n)))
