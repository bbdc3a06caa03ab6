"""Noise variances and dispersions of experts, with prior, floor and closed-form update.

Variances are (K, T), one for each output, or covariance matrices (K, T, T). Squares, which are weighted sums of squares
and products of residuals, have the same shape.
"""

import numpy as np

from ...numerics.checks import check_choice, check_prior, check_real
from ...numerics.systems import clip_spectrum, whitener
from .arrays import common, numbers

__all__ = ["Scale", "check_scale"]

# Squared residuals are computed from those of the pooled fit: the digits of much smaller ones are lost.
CANCELLED = 1e-9
NOTHING = 1e-12  # squared residuals below this fraction of those of the pooled fit count as none


def check_scale(prior, floor, shared=False, name="variance"):
    """Check the hyper-parameters `variance_prior`, `variance_floor` and `shared_variance`, or those of a dispersion."""
    check_prior(prior, f"{name}_prior")
    check_choice(shared, f"shared_{name}", (True, False))
    if floor != "auto":
        check_real(floor, f"{name}_floor", positive=True)


class Scale:
    """A variance or dispersion of every expert, bound to a training table.

    Parameters
    ----------
    limits : Floor
        Says the smallest variance of every output. In units of this floor, the eigenvalues of a covariance matrix are
        at least 1.
    pooled : ndarray of shape (T,) or (T, T)
        Variance of the pooled fit; if it is a matrix, so are the covariances of the experts.
    prior : (float, float) or None
        The number of rows that the prior counts as, and their mean square as a fraction of the pooled variance.
    shared : bool
        Whether all experts share one variance.
    alone : ndarray of shape (T,) or (T, T), or None
        Variance of one expert that is shrunk to the pooled fit, if that may be much smaller.
    """

    def __init__(self, limits, pooled, prior=None, shared=False, alone=None):
        self.shared, self.full = shared, pooled.ndim == 2
        self.given = limits, pooled, prior, shared
        self.floor, self.exact, self.noiseless = limits.below(pooled), limits.exact, limits.is_exact(pooled)
        if alone is not None:
            self.floor = np.minimum(self.floor, np.maximum(limits.below(alone), CANCELLED * self.diagonal(pooled)))
        self.pooled = self._clip(pooled)
        self.prior_rows, fraction = (0.0, 1.0) if prior is None else prior
        self.prior_variance = fraction * self.diagonal(self.pooled)
        prior_square = self.prior_rows * self.prior_variance
        self.prior_square = np.diag(prior_square) if self.full else prior_square

    @property
    def near_floor(self):
        """Whether the floor depends on the variance `alone`."""
        limits, pooled, *_ = self.given
        return limits.is_near(pooled)

    def opened(self):
        """The same without a floor."""
        limits, *rest = self.given
        return Scale(limits.open(), *rest)

    def beside(self, alone):
        """The same with a floor below the variance of one expert."""
        return Scale(*self.given, alone)

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
        """Log-density of the prior of each expert, (K,), or of the one they share, (1,), eq. (covariance-prior)."""
        prior = variance[:1] if self.shared else variance
        if not self.full:
            return -0.5 * (self.prior_rows * (np.log(prior) + self.prior_variance / prior)).sum(axis=1)
        return -0.5 * (self.prior_rows * np.linalg.slogdet(prior)[1] + traces(prior, self.prior_square))

    def diagonal(self, variance):
        """The variances of the outputs."""
        return np.diagonal(variance, axis1=-2, axis2=-1) if self.full else variance

    def at_floor(self, variance):
        """Indices of the experts whose variance is held at the floor, although the data are not free of noise."""
        size = variance / self.floor
        if self.full:
            size = relative_spectrum(variance, self.floor)[..., :1]
        # If one expert fits all rows exactly the data have no noise, and a variance at the floor is as it should be.
        return np.flatnonzero(((size <= 1 + 1e-9) & ~self.noiseless).any(axis=1))

    def warnings(self, variance, weight=None, square=None, what="noise variance", name="variance"):
        """Warnings about experts at the floor, a list of sentences.

        `weight` (K,) and `square`, sums of squares, tell how small the residuals of the experts are; None if unknown.
        """
        held = self.at_floor(variance)
        if not len(held):
            return []
        if square is None:
            exact, known = np.zeros(len(held), dtype=bool), ""
        else:
            left = (self.diagonal(square) / np.maximum(weight, np.finfo(float).tiny)[:, None])[held]
            exact = (left <= np.maximum(self.exact, NOTHING * self.diagonal(self.pooled))).any(axis=1)
            known = f"; their residuals alone give {numbers(left[~exact].ravel())}" if not self.full else ""
        found = []
        if exact.any():
            found.append(
                f"the {what} of expert(s) {held[exact].tolist()} is at its floor: they fit their rows exactly. Use a "
                f"{name}_prior, raise {name}_floor or use fewer experts"
            )
        if not exact.all():
            found.append(
                f"the {what} of expert(s) {held[~exact].tolist()} is held at its floor, {numbers(self.floor)}{known}. "
                f"Lower {name}_floor if their noise is really smaller; otherwise use a {name}_prior or fewer experts"
            )
        return found


# -- arrays ----------------------------------------------------------------------------------------------------------


def traces(variance, square):
    """Traces (K,) of the products of the inverse covariances with the matrices `square`."""
    root = whitener(variance)
    return np.einsum("kst,ktu,ksu->k", root, np.broadcast_to(square, root.shape), root)


def relative_spectrum(variance, floor):
    """Eigenvalues (..., T) of covariances in units of the floor, in ascending order."""
    unit = 1.0 / np.sqrt(floor)
    return np.linalg.eigvalsh(variance * unit[:, None] * unit)
