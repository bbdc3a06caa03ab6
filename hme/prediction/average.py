"""Several distributions of the same rows as one: their mixture, with fixed shares."""

import numpy as np

from ..distributions import join
from .classes import ClassDistribution

__all__ = ["average_of", "side_by_side"]


def side_by_side(parts):
    """Weights and components of a mixture of mixtures, eq. (size-average).

    Parameters
    ----------
    parts : list of (share, weights (n, K_i), Distribution of K_i experts)

    Returns
    -------
    weights : ndarray of shape (n, K)
    components : Distribution
        The experts of all parts, in their order.
    """
    weights, members, n_experts = [], [], 0
    for share, own, components in parts:
        weights.append(share * own)
        members.append((components, range(n_experts, n_experts + own.shape[1])))
        n_experts += own.shape[1]
    if len(members) == 1:
        return weights[0], members[0][0]
    return np.asfortranarray(np.concatenate(weights, axis=1)), join(members)


def average_of(distributions, shares):
    """The mixture of several predictive distributions of the same rows.

    Parameters
    ----------
    distributions : list of PredictiveDistribution, OutputsDistribution or ClassDistribution
    shares : sequence of float
        Their weights, the same for all rows, which sum to one.

    Returns
    -------
    PredictiveDistribution, OutputsDistribution or ClassDistribution
        Its components are the experts of all of them.

    Raises
    ------
    ValueError
        Where some are of counts, which have probabilities, and others have densities.

    Examples
    --------
    >>> import numpy as np
    >>> from hme.distributions import Normal
    >>> from hme.prediction import PredictiveDistribution, average_of
    >>> low, high = (PredictiveDistribution(np.ones((1, 1)), Normal([[m]], [[1.0]])) for m in (-2.0, 2.0))
    >>> average_of([low, high], [0.25, 0.75]).mean()
    array([1.])
    """
    first = distributions[0]
    if len({dist.discrete for dist in distributions}) > 1:
        odd = next(i for i, dist in enumerate(distributions) if dist.discrete != first.discrete)
        kinds = "a density", "probabilities of counts"
        raise ValueError(
            f"y has {kinds[first.discrete]} by the first model and {kinds[not first.discrete]} by that of number "
            f"{odd}; they have no mixture."
        )
    parts = [(share, dist.weights, dist.components) for share, dist in zip(shares, distributions, strict=True)]
    weights, components = side_by_side(parts)
    if isinstance(first, ClassDistribution):
        return ClassDistribution(weights, components, first.classes, first.index)
    return type(first)(weights, components, first.index)
