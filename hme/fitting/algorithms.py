"""What a sweep makes of the joint density of leaf and y: Bayes' rule (EM), a choice (hard) or a draw (stochastic).

Each function turns log-joint densities (heads, K) into what the rows contribute to the objective, (heads,), and into
responsibilities (heads, K) in the same memory.
"""

import numpy as np

from ..numerics.kernels import log_normalize

__all__ = ["ALGORITHMS", "drawn", "hard"]


def hard(log_joint):
    """All of a row to its most probable leaf, eq. (classification): the first one among equals."""
    leaf = log_joint.argmax(axis=1)[:, None]
    best = np.take_along_axis(log_joint, leaf, axis=1)
    log_joint[:] = 0.0
    np.put_along_axis(log_joint, leaf, np.where(np.isneginf(best), 0.0, 1.0), axis=1)
    return best[:, 0], log_joint


def drawn(rng):
    """Bayes' rule, then all of a row to one leaf that is drawn from its responsibilities, eq. (draw)."""

    def posterior(log_joint):
        log_density, resp = log_normalize(log_joint)
        below = np.cumsum(resp, axis=1) < rng.random((len(resp), 1))
        leaf = np.minimum(below.sum(axis=1), resp.shape[1] - 1)[:, None]
        possible = np.take_along_axis(resp, leaf, axis=1) > 0  # rounding may point beyond the last possible leaf
        leaf = np.where(possible, leaf, resp.argmax(axis=1)[:, None])
        seen = np.isfinite(log_density)
        resp[:] = 0.0
        np.put_along_axis(resp, leaf, seen[:, None].astype(float), axis=1)
        return log_density, resp

    return posterior


# By name: what makes the function of a fit from its random generator.
ALGORITHMS = {"em": lambda rng: log_normalize, "hard": lambda rng: hard, "stochastic": drawn}
