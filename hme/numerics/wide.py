"""Weighted Gram matrices of wide sparse designs, which are never formed: what is asked of them needs products only.

A matrix of p columns has p^2 entries and takes p^3 operations to invert, for each expert and gating node. Its product
with a vector takes two passes over the entries of the design that are not zero, for all of them at once, and conjugate
gradients solve a system by some tens of these.
"""

import numpy as np
import scipy.sparse as sp

from .kernels import weighted_gram
from .penalties import lasso_minimum

__all__ = ["WideGram", "column_information", "diagonal_of", "grams", "is_wide", "times"]

WIDE = 500  # columns beyond which the matrices of a sparse design are not formed
# Conjugate gradients end when the residual of a system is this share of its right-hand side, or after so many rounds;
# the next sweep goes on from there.
PRECISION, MOST_ROUNDS, PRECISE_ROUNDS = 1e-5, 60, 400
PROBES, ROUGH = 8, 1e-2  # random vectors by which a trace is estimated, and the precision of their solutions
# Of a lasso: columns that join the active ones in a round, at least, and most rounds.
JOINING, MOST_JOINS = 32, 50
SLACK = 1e-9  # share of the slope of the penalty by which a subgradient may exceed it


def is_wide(X):
    """Whether the Gram matrices of a design are not formed."""
    return sp.issparse(X) and X.shape[1] > WIDE


def grams(X, W, lead, formed=False):
    """``X.T @ diag(w) @ X`` for all columns w of W: an array (*lead, p, p), or a `WideGram` if not `formed`."""
    if is_wide(X) and not formed:
        return WideGram([(X, W)], lead)
    return weighted_gram(X, W).reshape(*lead, X.shape[1], X.shape[1])


class WideGram:
    """Gram matrices (*lead, p, p) of the columns of weights (n, q), kept as the design and the weights.

    Parameters
    ----------
    parts : list of (csr_matrix, ndarray)
        Blocks of rows: the design (n, p) and the weights (n, q).
    lead : tuple of int
        Leading axes, whose sizes multiply to q.
    """

    def __init__(self, parts, lead):
        self.parts, self.lead = parts, lead

    def __add__(self, other):
        return WideGram([*self.parts, *other.parts], self.lead)

    def __getstate__(self):
        """Without the rows: of a fitted model no one asks for them any more."""
        X, W = self.parts[0]
        return {"parts": [(X[:0], W[:0])], "lead": self.lead}

    @property
    def n_columns(self):
        return self.parts[0][0].shape[1]

    def _joined(self):
        """The design and the weights (n, *lead) of all rows."""
        if len(self.parts) > 1:
            designs, weights = zip(*self.parts, strict=True)
            self.parts = [(sp.vstack(designs, format="csr"), np.concatenate(weights))]
        X, W = self.parts[0]
        return X, W.reshape(len(W), *self.lead)

    def times(self, v):
        """Products (..., p) with vectors (..., p), whose leading axes broadcast with those of the matrices."""
        X, W = self._joined()
        scores = (X @ v.reshape(-1, v.shape[-1]).T).reshape(len(W), *v.shape[:-1])
        scores = scores * W.reshape(len(W), *[1] * (scores.ndim - W.ndim), *self.lead)
        return np.ascontiguousarray((X.T @ scores.reshape(len(W), -1)).T).reshape(*scores.shape[1:], self.n_columns)

    def diagonal(self):
        """Diagonals (*lead, p)."""
        X, W = self._joined()
        return (X.multiply(X).T @ W.reshape(len(W), -1)).T.reshape(*self.lead, self.n_columns)

    def within(self, index, columns):
        """The matrix (m, m) of some columns, of one of the matrices."""
        X, W = self._joined()
        few = X[:, columns]
        return (few.T @ sp.csr_matrix(few.multiply(W[(slice(None), *index)][:, None]))).toarray()

    def solve(self, ridge, right, factor=1.0, held=None, precision=None):
        """Solutions x (..., p) of ``(factor G + diag(ridge)) x = right``, by preconditioned conjugate gradients.

        From zero every round lowers the quadratic that the solution minimises, so that a step of few rounds is an
        uphill step all the same. Entries in `held`, and those without information, stay zero.
        """
        precision, rounds = (PRECISION, MOST_ROUNDS) if precision is None else (precision, PRECISE_ROUNDS)
        size = factor * self.diagonal() + ridge
        inverse = np.divide(1.0, size, out=np.zeros_like(size), where=size > 0)
        inverse = np.broadcast_to(inverse, right.shape) if held is None else np.where(held, 0.0, inverse)
        residual = np.where(inverse > 0, right, 0.0)
        x, scaled = np.zeros_like(residual), inverse * residual
        toward, energy = scaled, (residual * scaled).sum(axis=-1, keepdims=True)
        enough = precision**2 * energy
        for _ in range(rounds):
            going = energy > enough
            if not going.any():
                break
            bent = np.where(inverse > 0, factor * self.times(toward) + ridge * toward, 0.0)
            curved = (toward * bent).sum(axis=-1, keepdims=True)
            length = np.divide(energy, curved, out=np.zeros_like(energy), where=going & (curved > 0))
            x = x + length * toward
            residual = residual - length * bent
            scaled = inverse * residual
            before, energy = energy, (residual * scaled).sum(axis=-1, keepdims=True)
            toward = scaled + np.divide(energy, before, out=np.zeros_like(energy), where=before > 0) * toward
        return x

    def trace(self, ridge, factor=1.0):
        """Traces (*lead) of ``(factor G + diag(ridge))^-1 factor G``, estimated from a few random vectors."""
        shape = PROBES, *self.lead, self.n_columns
        probes = np.random.default_rng(0).choice([-1.0, 1.0], (PROBES, self.n_columns))
        probes = np.broadcast_to(probes.reshape(PROBES, *[1] * len(self.lead), -1), shape)
        shrunk = self.solve(ridge, factor * self.times(probes), factor, precision=ROUGH)
        return (probes * shrunk).sum(axis=-1).mean(axis=0)

    def degrees(self, ridge, factor=1.0):
        """The same column by column, (*lead, p): shares of the trace by the diagonals alone; 1 without a penalty."""
        size = factor * self.diagonal()
        own = np.divide(size, size + ridge, out=np.zeros_like(size), where=size > 0)
        free = np.broadcast_to(ridge, own.shape) == 0
        of_free, of_others = (np.where(some, own, 0.0).sum(axis=-1) for some in (free, ~free))
        left = np.maximum(self.trace(ridge, factor) - of_free, 0.0)
        share = np.divide(left, of_others, out=np.ones_like(left), where=of_others > 0)
        return np.where(free, own, own * share[..., None])

    def lasso(self, ridge, force, z, lasso, factor=1.0):
        """Minimisers of quadratics plus a lasso, as from `penalties.lasso_minimum`, by working sets of columns.

        Minimises ``d'(factor G + diag(ridge)) d / 2 - force'd + lasso |z + d|`` and returns z + d.
        """
        new = z.copy()
        ridge, lasso = np.broadcast_to(ridge, z.shape), np.broadcast_to(lasso, z.shape)
        active = (z != 0) | (lasso == 0)
        for _ in range(MOST_JOINS):
            for index in np.ndindex(*z.shape[:-1]):
                arrays = (a[index] for a in (ridge, force, z, lasso))
                new[index] = self._within_lasso(index, active[index], *arrays, factor)
            slope = force - (factor * self.times(new - z) + ridge * (new - z))
            beyond = np.where(active, 0.0, np.abs(slope) - lasso * (1.0 + SLACK))
            if not (beyond > 0).any():
                break
            active |= (beyond > 0) & (beyond >= self._admitted(beyond))
        return new

    def _within_lasso(self, index, active, ridge, force, z, lasso, factor):
        """The minimiser of one system, whose entries outside of the active ones are zero."""
        columns, out = np.flatnonzero(active), np.zeros_like(z)
        own = tuple(min(i, n - 1) for i, n in zip(index[len(index) - len(self.lead) :], self.lead, strict=True))
        system = factor * self.within(own, columns) + np.diag(ridge[columns])
        out[columns] = lasso_minimum(system[None], force[None, columns], z[None, columns], lasso[None, columns])[0]
        return out

    @staticmethod
    def _admitted(beyond):
        """How far beyond the slope of its penalty a column must be to join, in each system."""
        n = min(JOINING, beyond.shape[-1])
        return np.partition(beyond, -n, axis=-1)[..., -n, None]


# -- of matrices that are formed, (..., p, p), and of those that are not -----------------------------------------------


def times(gram, v):
    """Products (..., p) of matrices and vectors."""
    return gram.times(v) if isinstance(gram, WideGram) else np.matmul(gram, v[..., None])[..., 0]


def diagonal_of(gram):
    """Diagonals (..., p)."""
    return gram.diagonal() if isinstance(gram, WideGram) else np.diagonal(gram, axis1=-2, axis2=-1)


def column_information(gram):
    """Information (p,) of the rows on the coefficient of each column, over all matrices."""
    diagonal = diagonal_of(gram)
    return diagonal.reshape(-1, diagonal.shape[-1]).sum(axis=0)
