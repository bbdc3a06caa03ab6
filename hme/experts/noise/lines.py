"""Lines with Gaussian noise below a tree of nodes with two logit branches, or below one softmax node: sums of a sweep.

The plain functions evaluate every leaf for every row; those of trees have compiled twins that leave out what carries no
mass, eq. (pruning).
"""

import numpy as np

from ...distributions.normal import gaussian_log_density
from ...numerics.engine import twinned
from ...numerics.kernels import (
    column_pairs,
    linear_scores,
    log_normalize,
    scored_cross,
    upper_triangle,
    weighted_cross,
    weighted_pairs,
)  # fmt: skip
from ...numerics.paths import pair_moments, pair_priors

__all__ = ["line_means", "line_sums", "mean_below", "slot_sums"]


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
    eta = linear_scores(X, lines)[:, :, None]
    log_density, resp = log_normalize(log_prior.T + gaussian_log_density(y[:, None, None], eta, variance[:, None]))
    resp *= weight[:, None]
    moved, spread, total = pair_moments(paths, probability, resp.T)
    pairs, cross = column_pairs(X), (X.T * residual) @ resp
    of_lines = resp.sum(axis=0), (pairs @ resp).T, cross.T, residual**2 @ resp
    return weight @ log_density, of_lines, (total, spread @ pairs.T, moved @ X)


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
    K, score = len(coef), linear_scores(X, coef)
    log_density, weights = linear_scores(X, lines)[:, :, None], np.empty((K * (K + 1) // 2, len(X)))
    log_density = gaussian_log_density(y[:, None, None], log_density, variance[:, None])
    log_density += score  # the scores of a row lack the same number to be log-priors
    log_likelihood, resp = log_normalize(log_density)
    log_scale, prior = log_normalize(score)
    resp, prior = np.multiply(resp.T, weight, out=weights[:K]), prior.T
    expected = prior * resp.sum(axis=0)
    for pair, (b, c) in enumerate(zip(*upper_triangle(K, 1), strict=True), K):
        np.multiply(expected[b], prior[c], out=weights[pair])
    gradient = weighted_cross(X, np.subtract(resp, expected, out=expected).T)
    sums, load = weighted_pairs(X, weights.T), resp.sum(axis=1)
    of_lines = load, sums[:K], scored_cross(X, resp.T, residual), resp @ residual**2
    return weight @ (log_likelihood - log_scale), of_lines, (load.sum(keepdims=True), sums[K:], gradient)


@twinned
def line_means(paths, slope, lines, X, neglect):
    """Mean (n,) of y; the compiled twin leaves out leaves whose priors, as a sum, are no more than `neglect`."""
    prior = np.exp(pair_priors(paths, linear_scores(X, slope).T)[0])
    return (prior * linear_scores(X, lines).T).sum(axis=0)


def mean_below(params, rows, paths, slope, neglect):
    """`Expert.means_below` of experts whose means are their linear predictors; None of several outputs."""
    if params.coef.shape[1] > 1:
        return None
    mean = line_means(paths, slope, params.coef[:, 0], rows.X, neglect)
    return (mean if rows.offset is None else mean + rows.offset)[:, None]
