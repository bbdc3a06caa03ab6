"""Logarithmic opinion pools of K experts: softmax of weighted log-probabilities of M models plus intercepts.

`opinions` (M, C, n) are the log-probabilities of the models, rows last, so that sums over models are one matrix
product. Coefficients (K, M + C) are the weights of the models, then the intercepts of the classes, eq. (log-pool).
"""

from typing import NamedTuple

import numpy as np

__all__ = [
    "PoolStatistics",
    "derivatives",
    "joined",
    "moment",
    "parted",
    "probabilities",
    "statistics",
    "tied",
]


class PoolStatistics(NamedTuple):
    """Additive statistics of K pools, sufficient for one Newton step."""

    weight: np.ndarray  # (K,), total weight of the rows
    gradient: np.ndarray  # (K, M + C), of the log-likelihood, eq. (log-pool-gradient)
    information: np.ndarray  # (K, M + C, M + C), minus its Hessian, eq. (log-pool-hessian)


def probabilities(coef, opinions):
    """Log-probabilities and probabilities (K, C, n) of the classes, eq. (log-pool)."""
    M, C, n = opinions.shape
    scores = (coef[:, :M] @ opinions.reshape(M, C * n)).reshape(-1, C, n)
    scores += coef[:, M:, None]
    scores -= scores.max(axis=1, keepdims=True)
    probability = np.exp(scores)
    total = probability.sum(axis=1, keepdims=True)
    probability /= total
    scores -= np.log(total)
    return scores, probability


def _centred(probability, opinions):
    """Log-probabilities (M, C, n) less their means under the probabilities (C, n) of an expert."""
    return opinions - np.einsum("cn,mcn->mn", probability, opinions)[:, None]


def statistics(probabilities, opinions, y, resp):
    """Statistics of rows with classes y (n,) and responsibilities (n, K), from the probabilities (K, C, n)."""
    (M, C, n), K = opinions.shape, len(probabilities)
    gradient, information = np.empty((K, M + C)), np.empty((K, M + C, M + C))
    place = np.arange(n)
    for k, (share, probability) in enumerate(zip(resp.T, probabilities, strict=True)):
        centred, expected = _centred(probability, opinions), share * probability
        gradient[k, :M] = centred[:, y, place] @ share
        gradient[k, M:] = np.bincount(y, share, C) - expected.sum(axis=1)
        weighted = centred * expected
        information[k, :M, :M] = weighted.reshape(M, C * n) @ centred.reshape(M, C * n).T
        information[k, :M, M:] = weighted.sum(axis=2)
        information[k, M:, :M] = information[k, :M, M:].T
        information[k, M:, M:] = np.diag(expected.sum(axis=1)) - expected @ probability.T
    return PoolStatistics(resp.sum(axis=0), gradient, information)


def derivatives(probabilities, opinions, y):
    """First (n, K, M + C) and second (n, K, M + C, M + C) derivatives of log p(y), eq. (log-pool-derivatives)."""
    (M, C, n), K = opinions.shape, len(probabilities)
    first, second = np.empty((n, K, M + C)), np.empty((n, K, M + C, M + C))
    for k, probability in enumerate(probabilities):
        centred = _centred(probability, opinions)
        first[:, k, :M] = centred[:, y, np.arange(n)].T
        first[:, k, M:] = np.eye(C)[y] - probability.T
        weighted = centred * probability
        second[:, k, :M, :M] = -np.einsum("mcn,lcn->nml", weighted, centred)
        second[:, k, :M, M:] = -weighted.transpose(2, 0, 1)
        second[:, k, M:, :M] = -weighted.transpose(2, 1, 0)
        second[:, k, M:, M:] = (probability[:, None] * probability - np.eye(C)[..., None] * probability).T
    return first, second


def moment(opinions, weight):
    """Second moments (M + C, M + C) of what coefficients multiply in the scores, less its mean over the classes.

    They are sums over rows with weights (n,) and over classes.
    """
    M, C, n = opinions.shape
    centred = opinions - opinions.mean(axis=1, keepdims=True)
    out = np.empty((M + C, M + C))
    weighted = centred * weight
    out[:M, :M] = weighted.reshape(M, C * n) @ centred.reshape(M, C * n).T
    out[:M, M:] = weighted.sum(axis=2)
    out[M:, :M] = out[:M, M:].T
    out[M:, M:] = weight.sum() * (np.eye(C) - 1.0 / C)
    return out


# -- weights that all experts share: the first `n_tied` coefficients, or none ------------------------------------------


def joined(force, n_tied):
    """Gradients (K, p) by the free numbers, (1, n_tied + K (p - n_tied)); as they are if none are."""
    if not n_tied:
        return force.copy()
    return np.concatenate([force[:, :n_tied].sum(axis=0), force[:, n_tied:].ravel()])[None]


def parted(free, n_tied, K):
    """Coefficients (K, p) from the free numbers of `joined`."""
    if not n_tied:
        return free
    return np.concatenate([np.repeat(free[:, :n_tied], K, axis=0), free[0, n_tied:].reshape(K, -1)], axis=1)


def tied(systems, n_tied):
    """Systems (K, p, p) as one of the free numbers of `joined`, or as they are."""
    if not n_tied:
        return systems
    K, p, _ = systems.shape
    own = p - n_tied
    out = np.zeros((1, n_tied + K * own, n_tied + K * own))
    out[0, :n_tied, :n_tied] = systems[:, :n_tied, :n_tied].sum(axis=0)
    for k, system in enumerate(systems):
        place = slice(n_tied + k * own, n_tied + (k + 1) * own)
        out[0, place, place] = system[n_tied:, n_tied:]
        out[0, :n_tied, place] = system[:n_tied, n_tied:]
        out[0, place, :n_tied] = system[n_tied:, :n_tied]
    return out
