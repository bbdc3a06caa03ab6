"""Noise variances and dispersions of experts, with prior, floor and closed-form update.

Variances are (K, T), one for each output, or covariance matrices (K, T, T). Squares, which are weighted sums of squares
and products of residuals, have the same shape.
"""

import numpy as np

from ...numerics.checks import check_choice, check_prior, check_real
from ...numerics.kernels import clip_spectrum, rounding_step, whitener
from .base import common

__all__ = ["AUTO_FLOOR", "Scale", "check_scale", "noise_floor"]

AUTO_FLOOR = 1e-6  # variance_floor="auto", as a fraction of the variance of y


def check_scale(prior, floor, shared=False, name="variance"):
    """Check the hyper-parameters `variance_prior`, `variance_floor` and `shared_variance`, or those of a dispersion."""
    check_prior(prior, f"{name}_prior")
    check_choice(shared, f"shared_{name}", (True, False))
    if floor != "auto":
        check_real(floor, f"{name}_floor", positive=True)


def noise_floor(setting, y, scale, unit=1.0):
    """Smallest noise variance or dispersion (T,), eq. (rounding-floor).

    Parameters
    ----------
    setting : "auto" or float
        The hyper-parameter.
    y : ndarray of shape (n, T)
    scale : ndarray of shape (T,)
        Variance or dispersion of y, of which the floor is a fraction.
    unit : float or ndarray of shape (T,)
        Variance of y for a dispersion of one.
    """
    if setting != "auto":
        return setting * scale
    step = np.array([rounding_step(column) for column in y.T])
    return np.maximum(AUTO_FLOOR * scale, step**2 / 12.0 / unit)


class Scale:
    """A variance or dispersion of every expert, bound to a training table.

    Parameters
    ----------
    floor : ndarray of shape (T,)
        Smallest variance of every output. In units of the floor, the eigenvalues of a covariance matrix are at least 1.
    pooled : ndarray of shape (T,) or (T, T)
        Variance of the pooled fit; if it is a matrix, so are the covariances of the experts.
    prior : (float, float) or None
        The number of rows that the prior counts as, and their mean square as a fraction of the pooled variance.
    shared : bool
        Whether all experts share one variance.
    """

    def __init__(self, floor, pooled, prior=None, shared=False):
        self.floor, self.shared, self.full = floor, shared, pooled.ndim == 2
        self.pooled = self._clip(pooled)
        self.prior_rows, fraction = (0.0, 1.0) if prior is None else prior
        self.prior_variance = fraction * self.diagonal(self.pooled)
        prior_square = self.prior_rows * self.prior_variance
        self.prior_square = np.diag(prior_square) if self.full else prior_square

    def start(self, n_experts):
        """The pooled variance, repeated for every expert."""
        return np.repeat(self.pooled[None], n_experts, axis=0)

    def totals(self, weight, square):
        """Counts of rows and sums of squares for the variances, including the prior."""
        count = weight.reshape(-1, *[1] * (square.ndim - 1))
        return common(count, self.shared) + self.prior_rows, common(square, self.shared) + self.prior_square

    def prior_counts(self, n_experts):
        """Number of rows (K, 1) that the prior counts as in each expert; for a shared variance it counts only once."""
        count = np.full((n_experts, 1), self.prior_rows)
        count[1:] *= not self.shared
        return count

    def update(self, variance, weight, square):
        """The variances that maximise Q, eqs. (variance-update), (covariance-update) and (covariance-floor)."""
        count, square = self.totals(weight, square)
        return self._clip(np.divide(square, count, out=variance.copy(), where=count > 0))

    def _clip(self, variance):
        return clip_spectrum(variance, self.floor) if self.full else np.maximum(variance, self.floor)

    def gradient(self, variance, weight, square):
        """Gradient of Q by the log-variances, zero at the floor, eqs. (gradient-linear), (gradient-full)."""
        count, total = self.totals(weight, square)
        if not self.full:
            return np.where(variance > self.floor, 0.5 * (total / variance - count), 0.0)
        root = whitener(variance)
        return 0.5 * count * (root @ (self.update(variance, weight, square) - variance) @ np.swapaxes(root, 1, 2))

    def log_prior(self, variance):
        """Log-density of the prior, eq. (covariance-prior)."""
        prior = variance[:1] if self.shared else variance
        if not self.full:
            return -0.5 * (self.prior_rows * (np.log(prior) + self.prior_variance / prior)).sum()
        return -0.5 * (self.prior_rows * np.linalg.slogdet(prior)[1] + traces(prior, self.prior_square)).sum()

    def diagonal(self, variance):
        """The variances of the outputs."""
        return np.diagonal(variance, axis1=-2, axis2=-1) if self.full else variance

    def at_floor(self, variance):
        """Indices of the experts whose variance has collapsed to the floor."""
        size, whole = variance / self.floor, self.pooled / self.floor
        if self.full:
            size, whole = (relative_spectrum(a, self.floor)[..., :1] for a in (variance, self.pooled))
        # An expert counts only if the pooled fit is above the floor. Otherwise one expert fits all rows exactly: the
        # data have no noise, and a variance at the floor is not a sign of overfitting.
        return np.flatnonzero(((size <= 1 + 1e-9) & (whole > 1 + 1e-9)).any(axis=1))

    def warnings(self, variance, what="noise variance", name="variance"):
        """Warnings about experts at the floor, a list of sentences."""
        at_floor = self.at_floor(variance).tolist()
        if not at_floor:
            return []
        return [
            f"the {what} of expert(s) {at_floor} is at its floor: they fit their rows exactly. Use a {name}_prior, "
            f"raise {name}_floor or use fewer experts"
        ]


# -- arrays ----------------------------------------------------------------------------------------------------------


def traces(variance, square):
    """Traces (K,) of the products of the inverse covariances with the matrices `square`."""
    root = whitener(variance)
    return np.einsum("kst,ktu,ksu->k", root, np.broadcast_to(square, root.shape), root)


def relative_spectrum(variance, floor):
    """Eigenvalues (..., T) of covariances in units of the floor, in ascending order."""
    unit = 1.0 / np.sqrt(floor)
    return np.linalg.eigvalsh(variance * unit[:, None] * unit)
