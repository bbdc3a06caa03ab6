"""Lines with Gaussian noise below a tree of nodes with two logit branches, or below one softmax node: sums of a sweep.

The plain functions evaluate every leaf for every row; those of trees have compiled twins that leave out what carries no
mass, eq. (pruning).
"""

import numpy as np

from ...distributions.normal import gaussian_log_density
from ...numerics.engine import twinned
from ...numerics.kernels import column_pairs, linear_scores, log_normalize
from ...numerics.multinomial import log_softmax, softmax_moments
from ...numerics.paths import pair_moments, pair_priors

__all__ = ["line_means", "line_sums", "slot_sums"]


@twinned
def line_sums(paths, slope, lines, variance, X, y, residual, weight, neglect):
    """Log-likelihood, and sums over rows for lines and nodes.

    Parameters
    ----------
    paths : Paths
    slope, lines : ndarray of shape (M, p), (K, p)
        Coefficients of the second branch's relative score at every node, and of the lines.
    variance : ndarray of shape (K,)
    X : ndarray of shape (n, p)
    y, residual, weight : ndarray of shape (n,)
        Targets, what they differ from the predictions by at which the sums of the lines are computed, and weights.
    neglect : float
        Most that the compiled twin leaves out of the density of a row, and of its weight, as a share of them.

    Returns
    -------
    log_likelihood : float
    of_lines : tuple
        Weight (K,), products of pairs of columns (K, p (p + 1) / 2), of columns and residual (K, p), square (K,).
    of_nodes : tuple
        Weight (M,), products of pairs of columns weighted by variances (M, p (p + 1) / 2), gradients (M, p).
    """
    log_prior, probability = pair_priors(paths, linear_scores(X, slope).T)
    log_likelihood, resp = _responsibilities(log_prior, lines, variance, X, y, weight)
    pairs = column_pairs(X)
    moved, spread, total = pair_moments(paths, probability, resp.T)
    return log_likelihood, _of_lines(pairs, X, residual, resp), (total, spread @ pairs.T, moved @ X)


@twinned
def slot_sums(coef, lines, variance, X, y, residual, weight):
    """`line_sums` of lines below one softmax node, from the coefficients (K, p) of its slots; nothing is left out.

    Returns
    -------
    log_likelihood : float
    of_lines : tuple
    of_slots : tuple
        Weight (1,), products of pairs of columns for each pair of slots (K (K - 1) / 2, p (p + 1) / 2), weighted by
        covariances times -1, and gradients (K, p).
    """
    log_prior = log_softmax(linear_scores(X, coef).T[:, None])
    log_likelihood, resp = _responsibilities(log_prior[:, 0], lines, variance, X, y, weight)
    pairs = column_pairs(X)
    moved, spread, total = softmax_moments(log_prior, resp.T[:, None])
    return log_likelihood, _of_lines(pairs, X, residual, resp), (total, spread[:, 0] @ pairs.T, moved[:, 0] @ X)


def _responsibilities(log_prior, lines, variance, X, y, weight):
    """The log-likelihood, and responsibilities (n, K) times weights, from log-priors (K, n)."""
    eta = linear_scores(X, lines)[:, :, None]
    log_density, resp = log_normalize(log_prior.T + gaussian_log_density(y[:, None, None], eta, variance[:, None]))
    resp *= weight[:, None]
    return weight @ log_density, resp


def _of_lines(pairs, X, residual, resp):
    return resp.sum(axis=0), (pairs @ resp).T, ((X.T * residual) @ resp).T, residual**2 @ resp


@twinned
def line_means(paths, slope, lines, X, neglect):
    """Mean (n,) of y; the compiled twin leaves out leaves whose priors, as a sum, are no more than `neglect`."""
    prior = np.exp(pair_priors(paths, linear_scores(X, slope).T)[0])
    return (prior * linear_scores(X, lines).T).sum(axis=0)
