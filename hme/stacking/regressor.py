"""HMEStackingRegressor: which model when, for numbers."""

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils import check_array, check_random_state, column_or_1d

from .. import scoring
from ..estimators import HMERegressor
from ..estimators.reading import row_names
from ..experts import LinearExpert, StudentExpert
from ..model.design import LARGEST
from ..numerics.checks import check_int
from ..prediction import PredictiveDistribution
from ..scoring.cells import cells_of, log_scores
from .base import BaseStacking
from .spread import spreads

__all__ = ["HMEStackingRegressor"]

LEAST_DF = 2.5  # of Student noise in the predictive density
FASTEST = 0.5  # power of the number of rows with which errors of models fall, at most

ALPHA = 30.0, 300.0, 30.0  # shrinkage of the experts towards one stack, by their freedom
THROUGH = 10.0  # times as much with columns of X beside the predictions


class HMEStackingRegressor(RegressorMixin, BaseStacking):
    """A mixture of experts over several regressors: which model when.

    The models are cross-fitted: each predicts the rows of a fold from a fit to the other folds. On these predictions, a
    mixture of experts is fitted whose experts are weighted sums of the models, eq. (stack), and whose gate sees X and
    the predictions. If the data do not support several experts it is a single stack, as in scikit-learn's
    `StackingRegressor`, but with a predictive distribution. New rows are predicted by the models fitted to all rows.

    Parameters
    ----------
    estimators : list of (str, estimator) or None, default=None
        The models, or "drop" instead of a model. They are cloned, unless ``cv="prefit"``. None is gradient boosting
        with learning rate, tree size and number of trees chosen on the folds, extra trees, ridge, an `HMERegressor`,
        and below 1500 rows a Gaussian process; text and missing values in X are handled.
    final_estimator : HMERegressor or None, default=None
        The mixture over the models; if it leaves experts or the columns of either side at None, the stack sets them.
        With None, depth and kind of mixture are chosen by log score and error on the folds of `cv`, on rows that
        neither level was fitted to; see `choice_`.
    cv : None, int, splitter, iterable or "prefit", default=None
        Folds. None is 5; an int assigns folds by the content of the rows, so that identical rows share a fold, and
        keeps groups together. A splitter such as ``TimeSeriesSplit(gap=...)`` may leave rows without a test fold; the
        mixture is then fitted to the others. "prefit" uses models already fitted to other rows.
    passthrough : bool, default=False
        Whether the experts see the columns of X in addition to the predictions.
    positive : bool, default=True
        Whether the weights of the models are constrained to be non-negative.
    gate_features : None, columns or transformer, default=None
        Columns of X that the gate sees in addition to the predictions: all of them, a selection (``[]`` for none), or
        the output of a transformer.
    n_jobs : int or None, default=None
        Number of fits that run in parallel (joblib). The result does not depend on it.
    random_state : int, RandomState or None, default=None
        Of the default models and of the mixture; 0 with None.

    Attributes
    ----------
    final_estimator_ : HMERegressor
        The mixture over the models.
    choice_ : Choice or None
        The candidate mixtures with their log scores and errors; prints as a table.
    estimators_ : list of estimators
        The models, fitted to all rows.
    named_estimators_ : Bunch
        The models by their names.
    cross_fitted_predictions_ : ndarray of shape (n, M)
        Out-of-fold predictions of the training rows by each model; nan in rows without weight and in those that no fold
        leaves out. Use these for anything that is computed on training rows (calibration, importances).
    scale_ : float
        Factor on the noise of `final_estimator_`, at most 1, eq. (more-rows): the models that predict new rows were
        fitted to all rows, those that the mixture was fitted to only to a part of them.
    values_ : ndarray or None
        The distinct values of y if they are fewer than 100; log scores in `choice_` are then probabilities of rounding
        cells.
    names_ : list of str
        Names of the models that are not dropped.
    folds_ : list of (train, test)
    level_one_ : LevelOne
        How the table of `final_estimator_` is made.
    seconds_ : dict of float
        CPU seconds of each model's fits; of the default boosting with the search for its settings.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Only where X has string column names.

    See Also
    --------
    sklearn.ensemble.StackingRegressor : One combination of the models for all rows.

    References
    ----------
    Wolpert, D. H. (1992). Stacked generalization. Neural Networks 5(2), 241-259.

    Breiman, L. (1996). Stacked regressions. Machine Learning 24(1), 49-64: weights that are not negative.

    Jacobs, R. A., Jordan, M. I., Nowlan, S. J. and Hinton, G. E. (1991). Adaptive mixtures of local experts. Neural
    Computation 3(1), 79-87.

    Examples
    --------
    Two models, each of them good on one side:

    >>> import numpy as np
    >>> from sklearn.linear_model import LinearRegression
    >>> from sklearn.tree import DecisionTreeRegressor
    >>> from hme import HMEStackingRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(-1, 1, (40, 1))
    >>> y = np.where(X[:, 0] < 0, 2 * X[:, 0], np.floor(4 * X[:, 0])) + 0.1 * rng.standard_normal(40)
    >>> models = [("line", LinearRegression()), ("tree", DecisionTreeRegressor(max_leaf_nodes=6, random_state=0))]
    >>> stack = HMEStackingRegressor(models, cv=3).fit(X, y)
    >>> stack.predict([[-0.5], [0.6]]).round()
    array([-1.,  2.])
    """

    method = "predict"
    measure = "RMSE"
    mixtures = HMERegressor
    corrects = True

    # -- the target, the second level ----------------------------------------------------------------------------------

    def _read_target(self, y):
        y = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")
        if y.ndim == 2 and y.shape[1] > 1:
            raise ValueError(f"y has shape {y.shape}; a stack has one output. MultiOutputRegressor fits one for each.")
        y = column_or_1d(y, warn=True)
        if len(y) and np.abs(y).max() > LARGEST:
            raise ValueError(f"y has values of size {np.abs(y).max():g}, whose squares are out of range.")
        return y

    def _learn_values(self, y):
        self.values_ = cells_of(y)

    def _columns_of(self, predictions):
        return predictions

    def _column_names(self, names):
        return names

    def _experts(self, candidate, level, table, y, weight):
        alpha, models = ALPHA[candidate.freedom] * (THROUGH if level.passthrough else 1.0), len(level.predicted)
        if candidate.freedom:
            spread = spreads(table[:, :models], y, weight, self.positive)
            alpha = alpha * np.append(spread, np.ones(len(level.names) * level.passthrough))
        seen = [*level.predicted, *(level.names if level.passthrough else [])]
        return (StudentExpert if candidate.heavy else LinearExpert)(
            alpha=alpha,
            shrink_to="global",
            nonnegative=level.predicted if self.positive else False,
            shared_coef=[*seen, "intercept"] if candidate.depth and candidate.freedom == 0 else None,
        )

    def _scores(self, fitted, table, y):
        dist = fitted.predict_dist(table)
        return log_scores(dist, y, self.values_), (y - dist.mean()) ** 2

    def _correct(self, columns, first, y):
        """How much smaller errors are with models of all rows, by a power law of their number, eq. (more-rows)."""
        self.scale_ = 1.0
        if first.fewer is None:
            return
        rows, level, final = first.fewer.rows, self.level_one_, self.final_estimator_
        seen = np.isfinite(first.predictions[rows]).all(axis=1)
        rows, tables = rows[seen], (first.fewer.predictions[seen], first.predictions[rows[seen]])
        few, more = (np.abs(y[rows] - final.predict(level.join(table, columns[rows]))).mean() for table in tables)
        steps = np.log(first.fewer.share_of_folds / first.fewer.share)
        rate = np.clip(np.log(few / more) / steps, 0.0, FASTEST) if few > 0 and more > 0 else 0.0
        self.scale_ = float(first.fewer.share_of_folds**rate)

    # -- the predict side ----------------------------------------------------------------------------------------------

    def predict(self, X, return_std=False):
        """Mean of y given x, eq. (mean).

        Parameters
        ----------
        X : array-like, data frame or sparse matrix of shape (n, p)
        return_std : bool, default=False
            Also return the standard deviation of the predictive density, eq. (variance).

        Returns
        -------
        ndarray of shape (n,), or a pair of them
        """
        if not return_std:
            table = self.level_one(X)
            return self.final_estimator_.predict(table)
        dist = self.predict_dist(X)
        return dist.mean(), dist.standard_deviation()

    def predict_dist(self, X, *, density="predictive"):
        """Distribution of y given x, for all rows at once.

        Parameters
        ----------
        X : array-like, data frame or sparse matrix of shape (n, p)
        density : {"predictive", "plug-in"}, default="predictive"
            As for `HMERegressor.predict_dist`. In the predictive density Student noise has at least `LEAST_DF` degrees
            of freedom, so that there is a variance.

        Returns
        -------
        PredictiveDistribution
        """
        table = self.level_one(X)
        dist = self.final_estimator_.predict_dist(table, density=density)
        scale = np.full(dist.weights.shape[1], self.scale_**2)
        components = dist.components.widened(scale)
        if density == "predictive":  # new rows are promised a mean and a variance
            components = components.lightened(LEAST_DF)
        return PredictiveDistribution(dist.weights, components, row_names(X))

    def predict_quantiles(self, X, quantiles=(0.05, 0.5, 0.95), *, density="predictive"):
        """Quantiles of y given x, eq. (quantile).

        Parameters
        ----------
        X : array-like, data frame or sparse matrix of shape (n, p)
        quantiles : float or array-like of shape (m,), default=(0.05, 0.5, 0.95)
            Levels from 0 to 1.
        density : {"predictive", "plug-in"}, default="predictive"

        Returns
        -------
        ndarray of shape (n, m); (n,) for one level
        """
        return self.predict_dist(X, density=density).icdf(quantiles)

    def predict_interval(self, X, coverage=0.9, method="equal_tailed", *, density="predictive"):
        """Intervals that contain y with a given probability.

        Parameters
        ----------
        X : array-like, data frame or sparse matrix of shape (n, p)
        coverage : float, default=0.9
        method : {"equal_tailed", "highest_density"}, default="equal_tailed"
        density : {"predictive", "plug-in"}, default="predictive"

        Returns
        -------
        ndarray of shape (n, 2), or list of n arrays of shape (intervals, 2)
        """
        return self.predict_dist(X, density=density).interval(coverage, method)

    def sample_y(self, X, n_samples=1, random_state=None, *, density="predictive"):
        """Draws of y given x.

        Parameters
        ----------
        X : array-like, data frame or sparse matrix of shape (n, p)
        n_samples : int, default=1
        random_state : int, RandomState instance or None, default=None
        density : {"predictive", "plug-in"}, default="predictive"

        Returns
        -------
        ndarray of shape (n, n_samples)
        """
        check_int(n_samples, "n_samples")
        seed = check_random_state(random_state).randint(2**31 - 1)
        return self.predict_dist(X, density=density).sample(n_samples, np.random.default_rng(seed))

    def crps_score(self, X, y, sample_weight=None, *, density="predictive"):
        """Mean continuous ranked probability score, eq. (crps), in the units of y; less is better.

        Parameters
        ----------
        X : array-like, data frame or sparse matrix of shape (n, p)
        y : array-like of shape (n,)
        sample_weight : array-like of shape (n,) or None
        density : {"predictive", "plug-in"}, default="predictive"

        Returns
        -------
        float
        """
        return scoring.crps(self.predict_dist(X, density=density), y, sample_weight=sample_weight)
