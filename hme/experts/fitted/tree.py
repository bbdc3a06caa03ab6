"""Decision trees as experts."""

from copy import deepcopy

import numpy as np
import scipy.sparse as sp
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, export_text

from ...numerics.checks import check_int, check_real
from .base import FittedExpert

__all__ = ["TreeExpert"]

TREES = {"regression": DecisionTreeRegressor, "classification": DecisionTreeClassifier}
MOST_SHOWN = 16  # largest number of leaves of a tree that is shown as text


class TreeExpert(FittedExpert):
    """A small decision tree for each expert, for regression or classification.

    It is an `EstimatorExpert` with two differences: the minimum weight of the leaves is given in rows, and trees are
    fitted to standardised columns, so that single precision suffices. The trees in `experts_` are in the user's units.

    Parameters
    ----------
    max_depth : int or None, default=5
        Maximum depth of the trees; None means no limit.
    min_weight_leaf : float, default=2.0
        Minimum weight in a leaf, where the weight of a row is its sample weight times the responsibility.
    variance_prior : (float, float) or None, default=(1.0, 0.1)
        Weak prior on each noise variance (or squared scale), (rows, fraction): it counts as this many additional rows,
        whose mean squared residual is this fraction of that of a pooled linear fit. None means no prior.
    variance_floor : "auto" or float, default="auto"
        Smallest noise variance (or squared scale), as a fraction of the variance of y, which for Student and Laplace
        noise is computed from quartiles. "auto" means 1e-6, or more if y is rounded; but never more than a tenth of
        that of a pooled linear fit, eq. (rounding-floor).
    noise : {"gaussian", "student", "laplace"}, default="gaussian"
        Distribution of the noise in regression, with a scale for each expert and output.
    df : "estimate" or float, default=4.0
        Degrees of freedom of Student noise.
    cv : int or None, default=5
        Number of folds of cross-fitting, eq. (cross-fit), which depend on the content of rows only. None or 1 means no
        cross-fitting.
    smoothing : float, default=1.0
        Class probabilities are mixed with the overall class frequencies, with a share estimated from cross-fitted rows,
        eq. (class-share). The prior on the share counts as this many additional rows that only the frequencies explain.
    n_jobs : int or None, default=None
        Number of fits that run in parallel, in threads; the result does not depend on it.
    max_leaf_nodes : int or None, default=None
        Maximum number of leaves of a tree; None means no limit.
    pooling : float, default=0.0
        Weight, from 0 to less than 1, with which every tree is fitted to all rows regardless of responsibilities, eq.
        (pooled-rows). With pooling, trees extrapolate better to rows near the borders of their regions, and their
        average varies less; but they spend leaves on rows of other experts.

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

    lends = False
    adjustable = FittedExpert.adjustable | {"max_depth", "min_weight_leaf", "pooling"}

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
        self.variance_prior = variance_prior
        self.variance_floor = variance_floor
        self.noise = noise
        self.df = df
        self.cv = cv
        self.smoothing = smoothing
        self.n_jobs = n_jobs
        self.max_depth = max_depth
        self.min_weight_leaf = min_weight_leaf
        self.max_leaf_nodes = max_leaf_nodes
        self.pooling = pooling

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
        # Eq. (pooled-rows) concerns the weights of the tree fits only; the noise uses the responsibilities.
        return super()._on_grid(rows, (1.0 - self.pooling) * resp + self.pooling * rows.weight[:, None])

    def _template(self, task):
        return TREES[task](max_depth=self.max_depth, max_leaf_nodes=self.max_leaf_nodes, random_state=0)

    def _columns(self, rows):
        # Convert to the single precision of scikit-learn's trees once for all fits.
        X = rows.X[:, :-1]
        return X.astype(np.float32) if sp.issparse(X) else np.ascontiguousarray(X, dtype=np.float32)

    def _new(self, weight):
        return super()._new(weight).set_params(min_weight_fraction_leaf=min(0.5, self.min_weight_leaf / weight))

    def _ask(self, estimator, X):
        if sp.issparse(X) or not isinstance(estimator, tuple(TREES.values())):
            return super()._ask(estimator, X)
        return self.answers_.method(estimator)(X, check_input=False)

    def _shown(self, estimators, design):
        """Copies of the trees with thresholds in the user's units."""
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
        if alone and 1 < report.estimator[0].get_n_leaves() <= MOST_SHOWN:  # show the whole tree
            lines += export_text(report.estimator[0], feature_names=list(feature_names), decimals=4).splitlines()
        return lines
