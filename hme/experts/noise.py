"""Gaussian noise around the mean of an expert: its density, prior, floor and update, for one or several outputs.

Variances are (K, T), one for each output, or covariance matrices (K, T, T); squares, the weighted sums of products of
residuals, come in the same shape.
"""

import numpy as np

from ..numerics.checks import check_choice, check_prior, check_real
from ..numerics.kernels import clip_spectrum, rounding_step, whitener

__all__ = ["GaussianNoise", "check_noise", "log_density", "noise_floor", "spread"]

AUTO_FLOOR = 1e-6  # of the variance of y, for variance_floor="auto"


def check_noise(prior, floor, shared=False):
    """The hyper-parameters `variance_prior`, `variance_floor` and `shared_variance`."""
    check_prior(prior, "variance_prior")
    check_choice(shared, "shared_variance", (True, False))
    if floor != "auto":
        check_real(floor, "variance_floor", positive=True)


def spread(y, weight):
    """Weighted variance (T,) of outputs (n, T); of a constant, which has no scale of its own, its value squared."""
    mean = weight @ y / weight.sum()
    variance = weight @ (y - mean) ** 2 / weight.sum()
    return np.where(variance > 1e-28 * mean**2, variance, np.where(mean != 0, mean**2, 1.0))


def noise_floor(setting, y, scale):
    """Least variance (T,) of outputs (n, T) that are spread by `scale` (T,), eq. (rounding-floor)."""
    if setting != "auto":
        return setting * scale
    step = np.array([rounding_step(column) for column in y.T])
    return np.maximum(AUTO_FLOOR * scale, step**2 / 12.0)


class GaussianNoise:
    """Gaussian noise bound to a training table.

    Parameters
    ----------
    floor : ndarray of shape (T,)
        Least variance of every output; least eigenvalues of a covariance in these units.
    global_variance : ndarray of shape (T,) or (T, T)
        Of the fit of all rows together; a matrix makes every expert's a matrix.
    prior : (float, float) or None
        Rows that it counts for, and their mean square as a fraction of the global variance.
    shared : bool
        One variance for all experts.
    """

    def __init__(self, floor, global_variance, prior=None, shared=False):
        self.floor, self.shared, self.full = floor, shared, global_variance.ndim == 2
        self.global_variance = self._clip(global_variance)
        self.prior_rows, fraction = (0.0, 1.0) if prior is None else prior
        self.prior_variance = fraction * self.diagonal(self.global_variance)
        prior_square = self.prior_rows * self.prior_variance
        self.prior_square = np.diag(prior_square) if self.full else prior_square

    def start(self, n_experts):
        """The global variance for every expert."""
        return np.repeat(self.global_variance[None], n_experts, axis=0)

    def totals(self, weight, square):
        """Rows counted and squares summed for the variances, prior included."""
        count = weight.reshape(-1, *[1] * (square.ndim - 1))
        if self.shared:
            count, square = (np.broadcast_to(a.sum(axis=0), a.shape) for a in (count, square))
        return count + self.prior_rows, square + self.prior_square

    def update(self, variance, weight, square):
        """The exact maximiser, eqs. (variance-update), (covariance-update) and (covariance-floor)."""
        return self._clip(self._mean_square(variance, weight, square))

    def _mean_square(self, variance, weight, square):
        count, square = self.totals(weight, square)
        return np.divide(square, count, out=variance.copy(), where=count > 0)

    def _clip(self, variance):
        return clip_spectrum(variance, self.floor) if self.full else np.maximum(variance, self.floor)

    def gradient(self, variance, weight, square):
        """By the logarithms of the variances where they are free to move, eqs. (gradient-linear), (gradient-full)."""
        count, total = self.totals(weight, square)
        if not self.full:
            return np.where(variance > self.floor, 0.5 * (total / variance - count), 0.0)
        root = whitener(variance)
        return 0.5 * count * (root @ (self.update(variance, weight, square) - variance) @ np.swapaxes(root, 1, 2))

    def log_prior(self, variance, ridge):
        """Penalties `ridge` in units of the noise and the prior on the variances, eq. (covariance-prior)."""
        prior = variance[:1] if self.shared else variance
        if not self.full:
            terms = self.prior_rows * (np.log(prior) + self.prior_variance / prior)
            return -0.5 * ((ridge / variance).sum() + terms.sum())
        terms = self.prior_rows * np.linalg.slogdet(prior)[1] + _traces(prior, self.prior_square)
        return -0.5 * (_traces(variance, ridge).sum() + terms.sum())

    def n_parameters(self, n_experts):
        T = len(self.floor)
        return (1 if self.shared else n_experts) * (T * (T + 1) // 2 if self.full else T)

    def diagonal(self, variance):
        """The variances of the outputs."""
        return np.diagonal(variance, axis1=-2, axis2=-1) if self.full else variance

    def at_floor(self, variance):
        """Experts whose noise has collapsed, (m,) of int."""
        size, whole = variance / self.floor, self.global_variance / self.floor
        if self.full:
            size, whole = (_relative_spectrum(a, self.floor)[..., :1] for a in (variance, self.global_variance))
        # Where even the global fit is exact, the data have no noise: nothing collapsed.
        return np.flatnonzero(((size <= 1 + 1e-9) & (whole > 1 + 1e-9)).any(axis=1))

    def collapsed(self, variance):
        """Experts (K,) whose covariance has a direction at its floor."""
        return _relative_spectrum(variance, self.floor)[:, 0] <= 1 + 1e-9

    def warnings(self, variance):
        at_floor = self.at_floor(variance).tolist()
        if not at_floor:
            return []
        return [
            f"the noise variance of expert(s) {at_floor} is at its floor: they fit rows exactly. Use a "
            "variance_prior, raise variance_floor or use fewer experts"
        ]


def log_density(residuals, variance):
    """Log-density (n, K) of residuals, one (n, K) array for each output, which are overwritten."""
    out = 0.0
    if variance.ndim == 2:
        for term, own in zip(residuals, variance.T, strict=True):
            np.square(term, out=term)
            term *= -0.5 / own
            out += term
        return out - 0.5 * np.log(2.0 * np.pi * variance).sum(axis=1)
    root, residuals = whitener(variance), list(residuals)
    for t in reversed(range(len(residuals))):  # the root is lower triangular: what comes later is not needed any more
        term = residuals[t]
        term *= root[:, t, t]
        for s in range(t):
            term += residuals[s] * root[:, t, s]
        np.square(term, out=term)
        out -= 0.5 * term
    log_root = np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1)
    return out + (log_root - 0.5 * len(residuals) * np.log(2.0 * np.pi))


def _traces(variance, square):
    """Traces (K,) of the inverse covariances times other matrices."""
    root = whitener(variance)
    return np.einsum("kst,ktu,ksu->k", root, np.broadcast_to(square, root.shape), root)


def _relative_spectrum(variance, floor):
    """Eigenvalues (..., T) of covariances in units of the floor, ascending."""
    unit = 1.0 / np.sqrt(floor)
    return np.linalg.eigvalsh(variance * unit[:, None] * unit)
