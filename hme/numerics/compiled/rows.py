"""Row by row: Bayes' rule and log-densities, over pieces of the rows that stay in the first cache."""

import numpy as np

from .scalars import exp, kernel, log

__all__ = ["gaussian_log_density", "log_normalize"]

PIECE = 256  # rows


def log_normalize(log_joint):
    columns = log_joint.T
    if not columns.flags.c_contiguous or columns.dtype != np.float64 or not columns.size:
        return NotImplemented
    log_density = np.empty(columns.shape[1])
    _log_normalize(columns, log_density)
    return log_density, log_joint


@kernel
def _log_normalize(columns, log_density):
    K, n = columns.shape
    total = np.empty(PIECE)
    for start in range(0, n, PIECE):
        size = min(PIECE, n - start)
        top, share = log_density[start : start + size], total[:size]
        top[:] = columns[0, start : start + size]
        for k in range(1, K):
            own = columns[k, start : start + size]
            for i in range(size):
                top[i] = own[i] if own[i] > top[i] else top[i]
        for i in range(size):
            share[i] = 0.0
            top[i] = 0.0 if top[i] == -np.inf else top[i]
        for k in range(K):
            own = columns[k, start : start + size]
            for i in range(size):
                own[i] = exp(own[i] - top[i])
                share[i] += own[i]
        for i in range(size):
            impossible = share[i] == 0.0
            top[i] = -np.inf if impossible else top[i] + log(share[i])
            share[i] = 1.0 if impossible else 1.0 / share[i]
        for k in range(K):
            own = columns[k, start : start + size]
            for i in range(size):
                own[i] *= share[i]


def gaussian_log_density(y, eta, variance):
    n, K, n_outputs = eta.shape
    eta = eta.transpose(2, 1, 0)
    if n_outputs != 1 or not eta.flags.c_contiguous or variance.ndim != 2 or y.shape != (n, 1, 1):
        return NotImplemented
    precision, constant = 0.5 / variance[:, 0], 0.5 * np.log(2.0 * np.pi * variance[:, 0])
    _gaussian_log_density(np.ascontiguousarray(y[:, 0, 0]), eta[0], precision, constant)
    return eta[0].T


@kernel
def _gaussian_log_density(y, eta, half_precision, constant):
    K, n = eta.shape
    for k in range(K):
        own, factor, shift = eta[k], half_precision[k], constant[k]
        for i in range(n):
            residual = own[i] - y[i]
            own[i] = -factor * (residual * residual) - shift
