"""Piecewise regimes drawn from a random hierarchical mixture of experts."""

import numpy as np
from scipy.special import expit, softmax
from sklearn.utils import Bunch, check_random_state

from ..numerics.checks import check_array, check_int, check_real

__all__ = ["make_regimes"]


def _random_tree_gate(reference, n_experts, sharpness, rng):
    """Draw the splits of a balanced binary tree, in heap order (node i has children 2i+1 and 2i+2)."""
    n_features = reference.shape[1]
    coef = np.empty((n_experts - 1, n_features))
    intercept = np.empty(n_experts - 1)
    reach = [np.ones(len(reference))]  # for each node, the probability that a reference point reaches it
    for node in range(n_experts - 1):
        direction = rng.standard_normal(n_features)
        direction /= np.linalg.norm(direction)
        position = reference @ direction
        # A cut at the weighted median halves the mass of the node, so that no expert is left with few rows.
        order = np.argsort(position)
        mass = np.cumsum(reach[node][order])
        cut = position[order[np.searchsorted(mass, 0.5 * mass[-1])]]
        coef[node], intercept[node] = sharpness * direction, -sharpness * cut
        right = expit(reference @ coef[node] + intercept[node])
        reach += [reach[node] * (1 - right), reach[node] * right]
    return coef, intercept


def _tree_proba(X, coef, intercept):
    right = expit(X @ coef.T + intercept)
    proba = np.ones((len(X), 1))
    for depth in range((len(intercept) + 1).bit_length() - 1):
        split = right[:, 2**depth - 1 : 2 ** (depth + 1) - 1]
        proba = np.stack([proba * (1 - split), proba * split], axis=2).reshape(len(X), -1)
    return proba


def _random_flat_gate(reference, n_experts, sharpness, rng):
    """Draw softmax logits sharpness * (c_k.x - |c_k|^2 / 2): soft Voronoi cells of well-separated centres."""
    centers = reference[:1]
    for _ in range(n_experts - 1):  # farthest-point rule keeps the centres apart
        gap = ((reference[:, None] - centers) ** 2).sum(axis=2).min(axis=1)
        centers = np.vstack([centers, reference[gap.argmax()]])
    return sharpness * centers, -0.5 * sharpness * (centers**2).sum(axis=1)


def make_regimes(
    n_samples=1000, n_features=2, n_experts=4, *, structure="auto", sharpness=10.0, noise=0.1, random_state=None
):
    """Draw a regression problem from a random hierarchical mixture of linear experts.

    Inputs are uniform on ``[-1, 1]^n_features``. A gate gives each row a probability for each expert, one
    expert is drawn, and the response is that expert's linear function plus Gaussian noise.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of rows.
    n_features : int, default=2
        Number of inputs.
    n_experts : int, default=4
        Number of experts (regimes).
    structure : {'auto', 'tree', 'flat'}, default='auto'
        'tree' is a balanced binary tree of logistic gates and needs `n_experts` to be a power of two;
        'flat' is one softmax over all experts; 'auto' uses the tree whenever possible.
    sharpness : float, default=10.0
        Steepness of the gates, > 0. For the tree it is the Euclidean norm of each split's coefficients. Large
        values give regimes with sharp boundaries.
    noise : float or array-like of shape (n_experts,), default=0.1
        Standard deviation of the noise of each expert, >= 0.
    random_state : int, RandomState instance or None, default=None
        Seed. The gates and the experts depend on the seed and not on `n_samples`.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features)
        Inputs.
    y : ndarray of shape (n_samples,)
        Responses.
    truth : :class:`~sklearn.utils.Bunch`
        - ``gate_proba`` (n_samples, n_experts): probability of each expert given the row.
        - ``label`` (n_samples,): index of the expert that generated the row.
        - ``expert_mean`` (n_samples, n_experts): mean of each expert at the row.
        - ``mean`` (n_samples,): regression function, the sum of the expert means weighted by ``gate_proba``.
        - ``coef`` (n_experts, n_features), ``intercept`` (n_experts,): the linear experts.
        - ``noise_std`` (n_experts,): noise standard deviations.
        - ``structure``: 'tree' or 'flat'.
        - ``gate_coef``, ``gate_intercept``: gate parameters. For 'tree', ``n_experts - 1`` rows in heap
          order (node ``i`` has the children ``2i + 1`` and ``2i + 2``); the logistic function of a node's linear
          predictor is the probability of its second child, and the experts are the leaves from left to right.
          For 'flat', ``n_experts`` rows of softmax logits.

    Raises
    ------
    ValueError
        If a parameter is outside its range, or if `structure` is 'tree' and `n_experts` is not a power of two.

    References
    ----------
    M. I. Jordan and R. A. Jacobs (1994). Hierarchical mixtures of experts and the EM algorithm. Neural
    Computation 6(2), 181-214.

    Examples
    --------
    >>> from hme.datasets import make_regimes
    >>> X, y, truth = make_regimes(500, n_experts=4, random_state=0)
    >>> X.shape, y.shape, truth.gate_proba.shape, truth.structure
    ((500, 2), (500,), (500, 4), 'tree')
    """
    n_samples = check_int(n_samples, "n_samples")
    n_features = check_int(n_features, "n_features")
    n_experts = check_int(n_experts, "n_experts")
    sharpness = check_real(sharpness, "sharpness", positive=True)
    noise_std = check_array(noise, "noise", (n_experts,), nonnegative=True)
    if structure not in ("auto", "tree", "flat"):
        raise ValueError(f"structure must be 'auto', 'tree' or 'flat', got {structure!r}.")
    power_of_two = n_experts & (n_experts - 1) == 0
    if structure == "auto":
        structure = "tree" if power_of_two else "flat"
    elif structure == "tree" and not power_of_two:
        raise ValueError(f"n_experts must be a power of two when structure='tree', got {n_experts}.")

    rng = check_random_state(random_state)
    # The model is drawn first, with a reference sample of fixed size, so that it does not depend on n_samples.
    reference = rng.uniform(-1, 1, (2000, n_features))
    random_gate = _random_tree_gate if structure == "tree" else _random_flat_gate
    gate_coef, gate_intercept = random_gate(reference, n_experts, sharpness, rng)
    coef = rng.standard_normal((n_experts, n_features))
    intercept = rng.standard_normal(n_experts)

    X = rng.uniform(-1, 1, (n_samples, n_features))
    if structure == "tree":
        gate_proba = _tree_proba(X, gate_coef, gate_intercept)
    else:
        gate_proba = softmax(X @ gate_coef.T + gate_intercept, axis=1)
    # Inverse transform sampling; the minimum guards against a cumulative sum that ends just below one.
    label = (rng.uniform(size=(n_samples, 1)) > gate_proba.cumsum(axis=1)).sum(axis=1)
    label = np.minimum(label, n_experts - 1)
    expert_mean = X @ coef.T + intercept
    y = expert_mean[np.arange(n_samples), label] + noise_std[label] * rng.standard_normal(n_samples)
    truth = Bunch(
        gate_proba=gate_proba,
        label=label,
        expert_mean=expert_mean,
        mean=(gate_proba * expert_mean).sum(axis=1),
        coef=coef,
        intercept=intercept,
        noise_std=noise_std,
        structure=structure,
        gate_coef=gate_coef,
        gate_intercept=gate_intercept,
    )
    return X, y, truth
