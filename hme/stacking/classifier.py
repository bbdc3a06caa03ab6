"""HMEStackingClassifier: which model when, for classes."""

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils import assert_all_finite, column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from ..estimators import HMEClassifier
from ..estimators.reading import row_names
from ..experts import LogisticExpert, PoolExpert
from .base import BaseStacking

__all__ = ["HMEStackingClassifier"]

SMALLEST = 1e-4  # probabilities are clipped to at least this before their logarithms are combined
ALPHA = 30.0, 30.0, 3.0  # shrinkage of the experts towards one pool, by their freedom


class HMEStackingClassifier(ClassifierMixin, BaseStacking):
    """A mixture of experts over several classifiers: which model when.

    The models are cross-fitted: each predicts probabilities for the rows of a fold from a fit to the other folds. On
    their logarithms, a mixture of experts is fitted whose experts are logarithmic opinion pools of the models,
    eq. (log-pool), and whose gate sees X and the predictions. If the data do not support several experts it is a single
    pool. New rows are predicted by the models fitted to all rows.

    Parameters
    ----------
    estimators : list of (str, classifier) or None, default=None
        The models, with `predict_proba`, or "drop" instead of a model. They are cloned, unless ``cv="prefit"``. None is
        gradient boosting with learning rate, tree size and number of trees chosen on the folds, extra trees, logistic
        regression and an `HMEClassifier`; text and missing values in X are handled.
    final_estimator : HMEClassifier or None, default=None
        The mixture over the models; if it leaves experts or the columns of either side at None, the stack sets them.
        With None, depth and kind of mixture are chosen by log score on the folds of `cv`, on rows that neither level
        was fitted to; see `choice_`.
    cv : None, int, splitter, iterable or "prefit", default=None
        Folds. None is 5; an int assigns folds by the content of the rows, so that identical rows share a fold,
        stratified by class, and keeps groups together. "prefit" uses models already fitted to other rows.
    passthrough : bool, default=False
        Whether the experts see the columns of X in addition to the predictions; they are then logistic regressions with
        unconstrained coefficients, which needs ``positive=False``.
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
    classes_ : ndarray of shape (C,)
        The classes of rows with positive weight.
    final_estimator_ : HMEClassifier
        The mixture over the models.
    choice_ : Choice or None
        The candidate mixtures with their log scores; prints as a table.
    estimators_ : list of estimators
        The models, fitted to all rows.
    named_estimators_ : Bunch
        The models by their names.
    cross_fitted_predictions_ : ndarray of shape (n, M, C)
        Out-of-fold probabilities of the training rows by each model; nan in rows without weight and in those that no
        fold leaves out.
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
    sklearn.ensemble.StackingClassifier : One logistic regression on the probabilities of the models.

    References
    ----------
    Wolpert, D. H. (1992). Stacked generalization. Neural Networks 5(2), 241-259.

    Genest, C. and Zidek, J. V. (1986). Combining probability distributions: a critique and an annotated bibliography.
    Statistical Science 1(1), 114-135.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from hme import HMEStackingClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> models = [("logistic", LogisticRegression(max_iter=1000)), ("tree", DecisionTreeClassifier(max_depth=3))]
    >>> HMEStackingClassifier(models, cv=3).fit(X[::3], y[::3]).predict(X[::50])
    array([0, 1, 2])
    """

    method = "predict_proba"
    measure = "log loss"
    mixtures = HMEClassifier

    # -- the target, the second level ----------------------------------------------------------------------------------

    def _read_target(self, y):
        y = column_or_1d(y, warn=True)
        assert_all_finite(y, input_name="y")
        check_classification_targets(y)
        return y

    def _learn_values(self, y):
        self.classes_ = np.unique(y)
        if len(self.classes_) < 2:
            raise ValueError(f"y has one class only, {self.classes_.tolist()[0]!r}; at least two are needed.")

    def _columns_of(self, predictions):
        columns = np.log(np.maximum(predictions, SMALLEST))
        return columns.reshape(len(columns), -1)

    def _column_names(self, names):
        return [f"{name}: {label}" for name in names for label in self.classes_]

    def _experts(self, candidate, level, table, y, weight):
        alpha = ALPHA[candidate.freedom]
        if level.passthrough and self.positive:
            raise ValueError(
                "passthrough = True needs positive=False for classes: experts on X have free coefficients."
            )
        if level.passthrough:
            return LogisticExpert(alpha=alpha, shrink_to="global")
        same = candidate.freedom == 0 and candidate.depth > 0
        return PoolExpert(alpha=alpha, nonnegative=self.positive, shared_weights=same)

    def _scores(self, fitted, table, y):
        own = fitted.predict_proba(table)[np.arange(len(y)), np.searchsorted(fitted.classes_, y)]
        log_score = np.log(np.maximum(own, np.finfo(float).tiny))
        return log_score, -log_score

    # -- the predict side ----------------------------------------------------------------------------------------------

    def predict(self, X):
        """Most probable class of every row.

        Parameters
        ----------
        X : array-like, data frame or sparse matrix of shape (n, p)

        Returns
        -------
        ndarray of shape (n,)
        """
        codes = self.predict_proba(X).argmax(axis=1)
        return self.classes_[codes]

    def predict_proba(self, X):
        """Probability of every class, eq. (mean).

        Parameters
        ----------
        X : array-like, data frame or sparse matrix of shape (n, p)

        Returns
        -------
        ndarray of shape (n, C)
            Columns in the order of `classes_`.
        """
        table = self.level_one(X)
        return self.final_estimator_.predict_proba(table)

    def predict_log_proba(self, X):
        """Logarithm of the probability of every class.

        Parameters
        ----------
        X : array-like, data frame or sparse matrix of shape (n, p)

        Returns
        -------
        ndarray of shape (n, C)
        """
        table = self.level_one(X)
        return self.final_estimator_.predict_log_proba(table)

    def predict_dist(self, X):
        """Distribution of the class given x, for all rows at once.

        Parameters
        ----------
        X : array-like, data frame or sparse matrix of shape (n, p)

        Returns
        -------
        ClassDistribution
        """
        table = self.level_one(X)
        dist = self.final_estimator_.predict_dist(table)
        dist.index = row_names(X)
        return dist
