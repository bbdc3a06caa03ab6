"""Arrays of a routed gate: the leaves of every row, their log-priors, and what belongs to them."""

import numpy as np
import scipy.sparse as sp

__all__ = ["curvature_bound", "restricted", "row_scores", "scattered", "top_k"]

# Up to so many leaves a row, picking them one after the other is faster than sorting all scores.
MAX_PICKS = 8


def restricted(score, active):
    """Log-priors (n, k) of the active leaves, and the logarithm (n, 1) of the sum of their exponentials."""
    log_prior = np.take_along_axis(score, active, axis=1)
    top = log_prior.max(axis=1, keepdims=True)
    log_mass = top + np.log(np.exp(log_prior - top).sum(axis=1, keepdims=True))
    return log_prior - log_mass, log_mass


def curvature_bound(prior):
    """Diagonal bound of diag(g) - g g' for priors (n, k), eq. (logit-majoriser)."""
    top = prior.max(axis=1, keepdims=True)
    return prior * np.where(top > 0.5, 2.0 * np.where(prior == top, 1.0 - prior, top), 1.0)


def scattered(active, values, n_leaves, fill=0.0):
    """Values (n, k) of the active leaves in an array (n, K), stored leaf by leaf."""
    out = np.full((n_leaves, len(active)), fill).T
    np.put_along_axis(out, active, values, axis=1)
    return out


def row_scores(Z, coef):
    """Linear scores (n, K) with each row's together, as the choice among them wants it."""
    return Z @ coef.T if sp.issparse(Z) else np.ascontiguousarray(np.dot(Z, coef.T))


def top_k(score, k, overwrite=False):
    """The k leaves (n, k) with the largest scores (n, K), in ascending order; of equal ones the lowest."""
    n, K = score.shape
    if k == K:
        return np.tile(np.arange(K), (n, 1))
    if k > MAX_PICKS:
        return np.sort(np.argsort(-score, axis=1, kind="stable")[:, :k], axis=1)
    score = np.array(score, order="C", copy=not overwrite or None)  # each row's scores together
    active, row = np.empty((n, k), dtype=np.intp), np.arange(n)
    for j in range(k):
        active[:, j] = score.argmax(axis=1)  # the first of equal ones
        score[row, active[:, j]] = -np.inf
    return np.sort(active, axis=1)
