"""Joint distributions of several outputs."""

import numpy as np

from ..numerics.systems import whitener
from .base import Distribution
from .normal import Normal, log_density_white

__all__ = ["Independent", "MultivariateNormal", "independent"]


class Independent(Distribution):
    """Several outputs that are independent given the expert.

    Parameters
    ----------
    outputs : list of Distribution
        The distribution of every output.

    Examples
    --------
    >>> import numpy as np
    >>> from hme.distributions import Independent, Normal
    >>> dist = Independent([Normal(np.zeros((1, 1)), np.ones((1, 1))), Normal(np.ones((1, 1)), np.ones((1, 1)))])
    >>> dist.mean()
    array([[[0., 1.]]])
    """

    def __init__(self, outputs):
        self.outputs = list(outputs)
        self.shape, self.n_outputs = self.outputs[0].shape, len(self.outputs)

    def __repr__(self):
        return f"Independent({self.outputs!r})"

    @property
    def kind(self):
        return type(self), *(one.kind for one in self.outputs)

    def beside(self, others):
        several = zip(*(one.outputs for one in (self, *others)), strict=True)
        return Independent([own[0].beside(own[1:]) for own in several])

    def take(self, rows):
        return Independent([one.take(rows) for one in self.outputs])

    def columns(self, index):
        return Independent([one.columns(index) for one in self.outputs])

    def spread(self, index, n_rows):
        return Independent([one.spread(index, n_rows) for one in self.outputs])

    def marginal(self, t):
        return self.outputs[t]

    def widened(self, factor):
        return Independent([one.widened(factor) for one in self.outputs])

    def logpdf(self, y):
        return sum(one.logpdf(y[:, [t]]) for t, one in enumerate(self.outputs))

    def mean(self):
        return np.stack([one.mean() for one in self.outputs], axis=2)

    def covariance(self):
        variance = np.stack([one.variance() for one in self.outputs], axis=2)
        return np.where(np.eye(self.n_outputs, dtype=bool), variance[..., None], 0.0)

    def draw(self, rng, rows, experts):
        return np.stack([one.draw(rng, rows, experts) for one in self.outputs], axis=1)


class MultivariateNormal(Distribution):
    """Normal distributions of several outputs.

    Parameters
    ----------
    center : ndarray of shape (n, K, T)
    matrix : ndarray of shape (n, K, T, T) or (1, K, T, T)
        Covariances; one for all rows or one for each.

    Examples
    --------
    >>> import numpy as np
    >>> from hme.distributions import MultivariateNormal
    >>> dist = MultivariateNormal(np.zeros((1, 1, 2)), np.array([[[[2.0, 1.0], [1.0, 2.0]]]]))
    >>> np.exp(dist.logpdf(np.zeros((1, 2)))).round(4)
    array([[0.0919]])
    """

    def __init__(self, center, matrix):
        self.center, self.matrix = np.asarray(center, dtype=float), np.asarray(matrix, dtype=float)
        self.shape, self.n_outputs = self.center.shape[:2], self.center.shape[2]

    def __repr__(self):
        return f"MultivariateNormal of {self.n_outputs} outputs, {self.shape[0]} rows and {self.shape[1]} experts"

    @property
    def kind(self):
        return type(self), self.n_outputs

    def beside(self, others):
        several = [self, *others]
        center = np.concatenate([one.center for one in several], axis=1)
        n = max(len(one.matrix) for one in several)
        matrices = [np.broadcast_to(one.matrix, (n, *one.matrix.shape[1:])) for one in several]
        return MultivariateNormal(center, np.concatenate(matrices, axis=1))

    def take(self, rows):
        return MultivariateNormal(self.center[rows], self.matrix if len(self.matrix) == 1 else self.matrix[rows])

    def columns(self, index):
        return MultivariateNormal(self.center[:, index], self.matrix[:, index])

    def spread(self, index, n_rows):
        center = np.zeros((n_rows, *self.center.shape[1:]))
        center[index] = self.center
        return MultivariateNormal(center, self.matrix[:1])

    def marginal(self, t):
        return Normal(self.center[:, :, t], np.sqrt(self.matrix[:, :, t, t]), n_rows=self.shape[0])

    def widened(self, factor):
        return MultivariateNormal(self.center, self.matrix * np.atleast_2d(factor)[..., None, None])

    def logpdf(self, y):
        residual = np.subtract(y[:, None], self.center, out=np.empty(self.center.T.shape).T)
        return log_density_white(residual, whitener(self.matrix))

    def mean(self):
        return self.center

    def covariance(self):
        return np.broadcast_to(self.matrix, (self.shape[0], *self.matrix.shape[1:]))

    def draw(self, rng, rows, experts):
        root = np.linalg.cholesky(self.matrix)
        root = root[np.zeros_like(rows) if len(root) == 1 else rows, experts]
        noise = rng.standard_normal((len(rows), self.n_outputs))
        return self.center[rows, experts] + np.einsum("mst,mt->ms", root, noise)


def independent(kind, center, scale):
    """Distributions of one kind around centers (n, K, T), of scales (K, T); for several outputs one for each.

    Parameters
    ----------
    kind : type
        Made from centers (n, K) and scales (1, K), such as `Normal`.
    center : ndarray of shape (n, K, T)
    scale : ndarray of shape (K, T)

    Returns
    -------
    Distribution
        An `Independent` where T > 1.

    Examples
    --------
    >>> import numpy as np
    >>> from hme.distributions import Normal, independent
    >>> dist = independent(Normal, np.zeros((1, 2, 3)), np.ones((2, 3)))
    >>> dist.mean().shape
    (1, 2, 3)
    """
    outputs = [kind(center[:, :, t], scale.T[[t]]) for t in range(center.shape[2])]
    return outputs[0] if len(outputs) == 1 else Independent(outputs)
