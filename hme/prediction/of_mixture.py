"""From a mixture of experts and rows to the distribution of y."""

import numpy as np

from ..distributions import Independent, join
from .average import side_by_side
from .distribution import PredictiveDistribution
from .outputs import OutputsDistribution

__all__ = ["average_distribution", "predictive_distribution"]


def predictive_distribution(mixture, params, rows, flat=True, index=None, uncertainty=None):
    """The predictive distribution of a mixture of experts.

    Parameters
    ----------
    mixture : Mixture
    params : Params
    rows : Rows
        Their y is ignored.
    flat : bool, default=True
        Whether a single output is a number, or a row of one output.
    index : sequence or None
        Names of the rows, for `to_frame`.
    uncertainty : Uncertainty or None
        Of the parameters, for the predictive density, eq. (predictive); None is the plug-in density, eq. (mixture).

    Returns
    -------
    PredictiveDistribution
        For several outputs, or one that is not flat, an `OutputsDistribution`.

    Examples
    --------
    >>> import numpy as np
    >>> from hme import HMERegressor
    >>> from hme.prediction import predictive_distribution
    >>> X = np.linspace(-1, 1, 200)[:, None]
    >>> model = HMERegressor(depth=1).fit(X, np.abs(X[:, 0]))
    >>> dist = predictive_distribution(model.model_, model.params_, model.rows([[-0.5], [0.5]]))
    >>> dist.median().round(2)
    array([0.5, 0.5])
    """
    return _shaped(*_weighted(mixture, params, rows, uncertainty), flat, index)


def average_distribution(parts, flat=True, index=None):
    """The predictive distribution of several mixtures of experts with fixed shares, eq. (size-average).

    Parameters
    ----------
    parts : list of (share, mixture, params, rows, uncertainty)
        As for `predictive_distribution`; the rows of all parts are the same, as each of them sees them.
    flat, index
        As for `predictive_distribution`.

    Returns
    -------
    PredictiveDistribution or OutputsDistribution
        Its components are the experts of all parts.

    Examples
    --------
    >>> import numpy as np
    >>> from hme import HMERegressor
    >>> from hme.prediction import average_distribution
    >>> X = np.linspace(-1, 1, 100)[:, None]
    >>> models = [HMERegressor(depth=depth).fit(X, np.abs(X[:, 0])) for depth in (0, 1)]
    >>> parts = [(0.5, m.model_, m.params_, m.rows([[-0.5], [0.5]]), None) for m in models]
    >>> average_distribution(parts).mean().round(1)
    array([0.5, 0.5])
    """
    return _shaped(*side_by_side([(share, *_weighted(*part)) for share, *part in parts]), flat, index)


def _weighted(mixture, params, rows, uncertainty):
    """Weights (n, K) and the distributions of the experts."""
    rows = rows._replace(y=None)
    if mixture.routed:
        return _routed(mixture, params, rows, uncertainty)
    log_prior = [mixture.log_prior(params, block) for _, block in rows.blocks()]
    weights = np.exp(np.concatenate([part.T for part in log_prior], axis=1)).T
    return weights, _of_experts(mixture.expert, params.experts, rows, uncertainty)


def _shaped(weights, components, flat, index):
    if components.n_outputs > 1:
        return OutputsDistribution(weights, components, index)
    if not flat:
        return OutputsDistribution(weights, Independent([components]), index)
    return PredictiveDistribution(weights, components, index)


def _of_experts(family, params, rows, uncertainty):
    if uncertainty is None:
        return family.predict_dist(params, rows)
    dist = family.predictive(params, rows, uncertainty.experts)
    return dist.lightened(uncertainty.least_df).widened(uncertainty.inflation)


def _routed(mixture, params, rows, uncertainty):
    """Weights and components under a routed gate: every expert is evaluated for the rows routed to it only."""
    active, log_prior = [], []
    for _, block in rows.blocks():
        parts = mixture.gate.route(params.gate, block)
        active.append(parts[0])
        log_prior.append(parts[1])
    active, prior = np.concatenate(active), np.exp(np.concatenate(log_prior))
    weights = np.zeros((mixture.n_leaves(params), rows.n_rows)).T
    np.put_along_axis(weights, active, prior, axis=1)
    parts = []
    for leaf, slots, experts, routed in mixture.visits(params, rows, active):
        own = uncertainty
        if own is not None:
            own = own._replace(experts=mixture.expert.take(own.experts, [leaf]), inflation=own.inflation[[leaf]])
        components = _of_experts(mixture.expert, experts, routed, own)
        parts.append((components.spread(slots // active.shape[1], rows.n_rows), [leaf]))
    return weights, join(parts)
