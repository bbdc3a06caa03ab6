"""Joint laws of several outputs."""

import numpy as np

from ..numerics.kernels import whitener
from .base import LOG_SQRT_2PI, draw
from .normal import Normal

__all__ = ["Independent", "MultivariateNormal", "independent"]


class Independent:
    """Several outputs that are independent given the expert: a law for each."""

    measure, atoms = "density", np.zeros(0)

    def __init__(self, laws):
        self.laws = list(laws)
        self.shape, self.n_outputs = self.laws[0].shape, len(self.laws)

    def __len__(self):
        return self.shape[0]

    def __repr__(self):
        return f"Independent({self.laws!r})"

    def __getitem__(self, k):
        return self.columns(np.atleast_1d(np.arange(self.shape[1])[k]))

    def take(self, rows):
        return Independent([law.take(rows) for law in self.laws])

    def columns(self, index):
        return Independent([law.columns(index) for law in self.laws])

    def spread(self, index, n_rows):
        return Independent([law.spread(index, n_rows) for law in self.laws])

    def marginal(self, t):
        """Laws of one output."""
        return self.laws[t]

    def logpdf(self, y):
        return sum(law.logpdf(y[:, [t]]) for t, law in enumerate(self.laws))

    def mean(self):
        return np.stack([law.mean() for law in self.laws], axis=2)

    def covariance(self):
        variance = np.stack([law.variance() for law in self.laws], axis=2)
        return np.where(np.eye(self.n_outputs, dtype=bool), variance[..., None], 0.0)

    def draw(self, rng, rows, experts):
        return np.stack([draw(law, rng, rows, experts) for law in self.laws], axis=1)


class MultivariateNormal:
    """Normal laws of several outputs: centers (n, K, T) and covariances (n, K, T, T), or (1, K, T, T) for all rows."""

    measure, atoms = "density", np.zeros(0)

    def __init__(self, center, matrix):
        self.center, self.matrix = np.asarray(center, dtype=float), np.asarray(matrix, dtype=float)
        self.shape, self.n_outputs = self.center.shape[:2], self.center.shape[2]

    def __len__(self):
        return self.shape[0]

    def __repr__(self):
        return f"MultivariateNormal of {self.n_outputs} outputs, {self.shape[0]} rows and {self.shape[1]} experts"

    def __getitem__(self, k):
        return self.columns(np.atleast_1d(np.arange(self.shape[1])[k]))

    def take(self, rows):
        matrix = self.matrix if len(self.matrix) == 1 and self.shape[0] != 1 else self.matrix[rows]
        if len(self.matrix) == 1:
            matrix = self.matrix
        return MultivariateNormal(self.center[rows], matrix)

    def columns(self, index):
        return MultivariateNormal(self.center[:, index], self.matrix[:, index])

    def spread(self, index, n_rows):
        center = np.zeros((n_rows, *self.center.shape[1:]))
        center[index] = self.center
        return MultivariateNormal(center, self.matrix[:1] if len(self.matrix) else self.matrix)

    def marginal(self, t):
        """Laws of one output."""
        return Normal(self.center[:, :, t], np.sqrt(self.matrix[:, :, t, t]), n_rows=self.shape[0])

    def logpdf(self, y):
        root = whitener(self.matrix)
        white = np.einsum(
            "nkst,nkt->nks", np.broadcast_to(root, (self.shape[0], *root.shape[1:])), y[:, None] - self.center
        )
        log_root = np.log(np.diagonal(root, axis1=2, axis2=3)).sum(axis=2)
        return log_root - 0.5 * (white**2).sum(axis=2) - self.n_outputs * LOG_SQRT_2PI

    def mean(self):
        return self.center

    def covariance(self):
        return np.broadcast_to(self.matrix, (self.shape[0], *self.matrix.shape[1:]))

    def draw(self, rng, rows, experts):
        root = np.linalg.cholesky(self.matrix)
        root = root[np.zeros_like(rows) if len(root) == 1 else rows, experts]
        return self.center[rows, experts] + np.einsum(
            "mst,mt->ms", root, rng.standard_normal((len(rows), self.n_outputs))
        )


def independent(kind, center, scale):
    """Laws of one kind around centers (n, K, T), of scales (K, T): one law, or for several outputs one for each."""
    laws = [kind(center[:, :, t], scale.T[[t]]) for t in range(center.shape[2])]
    return laws[0] if len(laws) == 1 else Independent(laws)
