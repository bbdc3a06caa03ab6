"""Decision trees as experts: the smallest family that is fitted anew each sweep instead of updated."""

from typing import NamedTuple

import numpy as np
from sklearn.tree import DecisionTreeRegressor

from ..checks import check_int, check_real
from .base import RefitExpert
from .linear import global_fit, own_targets
from .noise import GaussianNoise, check_noise, log_density, noise_floor, spread

__all__ = ["TreeExpert"]


class TreeParams(NamedTuple):
    estimator: np.ndarray  # (K,) of fitted trees
    variance: np.ndarray  # (K, T)


class TreeExpert(RefitExpert):
    """Regression trees with Gaussian noise, one tree for each expert.

    The responsibilities are computed in sample, so keep the trees small: large ones fit their own rows and report too
    little noise.

    Parameters
    ----------
    max_depth : int or None, default=3
        As in scikit-learn's `DecisionTreeRegressor`.
    min_weight_leaf : float, default=10.0
        Least weight in a leaf: row weights times responsibilities, in units of rows.
    variance_prior, variance_floor
        As in `LinearExpert`.

    Examples
    --------
    >>> import numpy as np
    >>> from hme import HMERegressor
    >>> X = np.linspace(0, 6, 100)[:, None]
    >>> model = HMERegressor(n_experts=2, expert="tree").fit(X, np.sin(X[:, 0]))
    >>> model.experts_.estimator[0].get_depth() <= 3
    True
    """

    tasks = ("regression",)
    supports_sparse = supports_multioutput = True
    row_arguments = ("offset",)

    def __init__(self, max_depth=3, min_weight_leaf=10.0, variance_prior=(1.0, 0.1), variance_floor="auto"):
        self.max_depth = max_depth
        self.min_weight_leaf = min_weight_leaf
        self.variance_prior = variance_prior
        self.variance_floor = variance_floor

    def resolve(self, rows, design):
        check_real(self.min_weight_leaf, "min_weight_leaf", positive=True)
        if self.max_depth is not None:
            check_int(self.max_depth, "max_depth")
        check_noise(self.variance_prior, self.variance_floor)
        bound = super().resolve(rows, design)
        # The noise is the linear family's: same prior, same floor, and the scale of the linear fit of all rows.
        _, global_variance = global_fit(rows, design.penalty_scale)
        floor = noise_floor(self.variance_floor, rows.y, spread(own_targets(rows), rows.weight))
        bound.noise_ = GaussianNoise(floor, global_variance, self.variance_prior)
        return bound

    def start_target(self, rows):
        return own_targets(rows)

    def fit(self, rows, resp):
        y = own_targets(rows)
        estimators = np.empty(resp.shape[1], dtype=object)
        variance = np.empty((resp.shape[1], rows.y.shape[1]))
        for k, weight in enumerate(resp.T):
            # An expert without weight keeps the fit of all rows until some rows come back to it.
            fitted = weight if weight.sum() > 0 else rows.weight
            tree = DecisionTreeRegressor(
                max_depth=self.max_depth,
                min_weight_fraction_leaf=min(0.5, self.min_weight_leaf / fitted.sum()),
                random_state=0,
            )
            estimators[k] = tree.fit(rows.X[:, :-1], y, sample_weight=fitted)
            residual = y - tree.predict(rows.X[:, :-1]).reshape(y.shape)
            start = self.noise_.start(1)
            variance[k] = self.noise_.update(start, fitted.sum(keepdims=True), (fitted @ residual**2)[None])[0]
        return TreeParams(estimators, variance)

    def predict(self, params, rows):
        T = params.variance.shape[1]
        mean = np.stack([tree.predict(rows.X[:, :-1]).reshape(-1, T) for tree in params.estimator], axis=1)
        return mean if rows.offset is None else mean + rows.offset[:, None, None]

    def log_prob(self, params, rows):
        residuals = rows.y[:, None] - self.predict(params, rows)
        return log_density(np.moveaxis(residuals, 2, 0), params.variance)

    def variance(self, params, rows):
        return np.broadcast_to(params.variance, (rows.n_rows, *params.variance.shape))

    def log_prior_density(self, params):
        return self.noise_.log_prior(params.variance, np.zeros_like(params.variance))

    def n_parameters(self, params):
        return sum(tree.get_n_leaves() for tree in params.estimator) * params.variance.shape[1] + params.variance.size

    def warnings(self, params, stats):
        return self.noise_.warnings(params.variance)

    def equations(self, report, feature_names, target):
        return [
            f"{target} = tree of {tree.get_n_leaves()} leaves,  noise {np.sqrt(variance).round(3).tolist()}"
            for tree, variance in zip(*report, strict=True)
        ]
