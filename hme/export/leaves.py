"""Gates over leaves as formulas: normal densities around centres, or the largest of linear scores.

As in `formula`, nothing here asks which family a gate is of: what it has learned is tried, and counts only if it gives
the gate's own priors.
"""

from typing import NamedTuple

import numpy as np

from ..gates.routing import restricted, scattered, top_k
from ..numerics.systems import whitener

__all__ = ["KINDS", "Largest", "Near", "forms_of"]

LOWEST = -1e300  # the logarithm of a proportion that is zero


class Near(NamedTuple):
    """Scores of leaves by their distances from centres, eq. (gaussian-gate); softmax makes priors of them.

    Attributes
    ----------
    mean : ndarray of shape (K, q)
    root : ndarray of shape (K, q, q)
        Half of the squared length of ``root[k] @ (z - mean[k])`` is subtracted from the constant of leaf k.
    constant : ndarray of shape (K,)
    """

    mean: np.ndarray
    root: np.ndarray
    constant: np.ndarray

    def priors(self, Z):
        """Priors (n, K), of columns Z (n, q + 1)."""
        distance = np.einsum("kij,nkj->nki", self.root, Z[:, None, :-1] - self.mean)
        score = self.constant - 0.5 * (distance**2).sum(axis=2)
        power = np.exp(score - score.max(axis=1, keepdims=True))
        return power / power.sum(axis=1, keepdims=True)

    def fits(self, n_leaves, n_columns):
        """Whether the shapes are those of a gate of so many leaves and columns."""
        K, q = n_leaves, n_columns
        return (self.mean.shape, self.root.shape, self.constant.shape) == ((K, q), (K, q, q), (K,))


class Largest(NamedTuple):
    """The softmax of the k largest of linear scores, eq. (sparse-prior).

    Attributes
    ----------
    coef : ndarray of shape (K, q + 1)
    bias : ndarray of shape (K,)
        What is added to the scores where the largest are chosen; of equal ones the first is.
    k : int
    """

    coef: np.ndarray
    bias: np.ndarray
    k: int

    def priors(self, Z):
        """Priors (n, K), of columns Z (n, q + 1)."""
        score = Z @ self.coef.T
        active = top_k(score + self.bias, self.k)
        return scattered(active, np.exp(restricted(score, active)[0]), len(self.bias))

    def fits(self, n_leaves, n_columns):
        """Whether the shapes are those of a gate of so many leaves and columns."""
        right = (self.coef.shape, self.bias.shape) == ((n_leaves, n_columns + 1), (n_leaves,))
        return right and 1 <= self.k <= n_leaves


KINDS = {"near": Near, "largest": Largest}


def forms_of(gate, params, rows):
    """The forms that the priors of a gate over leaves may have, from what it has learned."""
    fields = set(params._fields)
    if {"proportion", "mean", "covariance"} <= fields:
        covariance = params.covariance
        root = (
            whitener(covariance) if covariance.ndim == 3 else np.eye(params.mean.shape[1]) / covariance[:, None] ** 0.5
        )
        with np.errstate(divide="ignore"):
            constant = np.log(params.proportion) + np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1)
        yield Near(params.mean, root, np.maximum(constant, LOWEST))
    if {"coef", "bias"} <= fields and gate.traits.routed:
        yield Largest(params.coef, params.bias, int(gate.route(params, rows)[0].shape[1]))
