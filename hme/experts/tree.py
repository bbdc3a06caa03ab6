"""Decision trees as experts."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import scipy.sparse as sp
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, export_text

from ..numerics.checks import check_int, check_real
from .estimator import EstimatorExpert

__all__ = ["TreeExpert"]

TREES = {"regression": DecisionTreeRegressor, "classification": DecisionTreeClassifier}
MOST_SHOWN = 16  # leaves of a tree that text shows


class TreeExpert(EstimatorExpert):
    """A small decision tree for each expert, for numbers or for classes.

    It is an `EstimatorExpert` whose trees know the weight of their leaves in rows, and see standardised columns, so
    that no unit is out of range. The trees in `experts_` are in the user's units.

    Parameters
    ----------
    max_depth : int or None, default=5
        As in scikit-learn's `DecisionTreeRegressor`.
    min_weight_leaf : float, default=2.0
        Least weight in a leaf: row weights times responsibilities, in units of rows.
    max_leaf_nodes : int or None, default=None
        As in scikit-learn's `DecisionTreeRegressor`.
    pooling : float, default=0.0
        From 0 to less than 1: the share of every row that every tree is fitted to, whoever answers for it, eq.
        (pooled-rows). Trees that know something of each other's rows do less harm where the gate is in doubt, and
        their average varies less; they spend leaves on those rows.
    noise, df, cv, variance_prior, variance_floor, smoothing, n_jobs
        As in `EstimatorExpert`.

    References
    ----------
    Breiman, L., Friedman, J., Olshen, R. and Stone, C. (1984). Classification and Regression Trees. Wadsworth.

    Examples
    --------
    >>> import numpy as np
    >>> from hme import HMERegressor
    >>> X = np.linspace(0, 6, 100)[:, None]
    >>> model = HMERegressor(n_experts=2, expert="tree").fit(X, np.sin(X[:, 0]))
    >>> model.experts_.estimator[0].get_depth() <= 5
    True
    """

    adjustable = EstimatorExpert.adjustable | {"max_depth", "min_weight_leaf", "pooling"}
    frozen = False

    def __init__(
        self,
        max_depth=5,
        min_weight_leaf=2.0,
        variance_prior=(1.0, 0.1),
        variance_floor="auto",
        noise="gaussian",
        df=4.0,
        cv=5,
        smoothing=1.0,
        n_jobs=None,
        max_leaf_nodes=None,
        pooling=0.0,
    ):
        super().__init__(None, noise, df, cv, variance_prior, variance_floor, smoothing, n_jobs)
        self.max_depth = max_depth
        self.min_weight_leaf = min_weight_leaf
        self.max_leaf_nodes = max_leaf_nodes
        self.pooling = pooling

    @property
    def traits(self):
        return replace(super().traits, domain="any finite number, or classes", sees_table=False)

    def _check(self, task):
        check_real(self.min_weight_leaf, "min_weight_leaf", positive=True)
        if self.max_depth is not None:
            check_int(self.max_depth, "max_depth")
        if self.max_leaf_nodes is not None:
            check_int(self.max_leaf_nodes, "max_leaf_nodes", 2)
        if check_real(self.pooling, "pooling") >= 1:
            raise ValueError(f"pooling must be a number >= 0 and less than 1, got {self.pooling!r}.")
        super()._check(task)

    def _on_grid(self, rows, resp):
        # What the trees are fitted to, eq. (pooled-rows); the noise is that of the rows each answers for.
        return super()._on_grid(rows, (1.0 - self.pooling) * resp + self.pooling * rows.weight[:, None])

    def _template(self, task):
        return TREES[task](max_depth=self.max_depth, max_leaf_nodes=self.max_leaf_nodes, random_state=0)

    def _columns(self, rows):
        # Single precision, as trees want it, once for all of them.
        X = rows.X[:, :-1]
        return X.astype(np.float32) if sp.issparse(X) else np.ascontiguousarray(X, dtype=np.float32)

    def _new(self, weight):
        return super()._new(weight).set_params(min_weight_fraction_leaf=min(0.5, self.min_weight_leaf / weight))

    def _ask(self, estimator, X):
        if sp.issparse(X) or not isinstance(estimator, tuple(TREES.values())):
            return super()._ask(estimator, X)
        return self.answers_.method(estimator)(X, check_input=False)

    def _shown(self, estimators, design):
        """The trees with their thresholds in the user's units."""
        shown = np.empty_like(estimators)
        for k, estimator in enumerate(estimators):
            shown[k] = deepcopy(estimator)
            if isinstance(estimator, tuple(TREES.values())):
                inner, tree = np.flatnonzero(estimator.tree_.feature >= 0), shown[k].tree_
                feature = tree.feature[inner]
                tree.threshold[inner] = tree.threshold[inner] * design.scale[feature] + design.center[feature]
        return shown

    def equations(self, report, feature_names, target):
        lines = super().equations(report, feature_names, target)
        alone = len(lines) == 1 and isinstance(report.estimator[0], tuple(TREES.values()))
        if alone and 1 < report.estimator[0].get_n_leaves() <= MOST_SHOWN:  # room for the whole tree
            lines += export_text(report.estimator[0], feature_names=list(feature_names), decimals=4).splitlines()
        return lines
