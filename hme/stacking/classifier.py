"""HMEStackingClassifier: which model when, for classes."""

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from ..estimators import HMEClassifier
from ..estimators.reading import row_names
from ..experts import LogisticExpert, PoolExpert
from ..prediction import ClassDistribution
from .base import BaseStacking

__all__ = ["HMEStackingClassifier"]

SMALLEST = 1e-4  # probabilities are clipped to at least this before their logarithms are combined
ALPHA = 30.0, 30.0, 3.0  # shrinkage of the experts towards one pool, by their freedom


class HMEStackingClassifier(ClassifierMixin, BaseStacking):
    """docs
    """

    method = "predict_proba"
    measure = "log loss"
    mixtures = HMEClassifier

    # -- the target, the second level ----------------------------------------------------------------------------------

    def read_target(self, y):
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        return y

    def read_classes(self, y):
        self.classes_ = np.unique(y)
        if len(self.classes_) < 2:
            raise ValueError(f"y has one class only, {self.classes_.tolist()[0]!r}; at least two are needed.")

    def _columns_of(self, predictions):
        columns = np.log(np.maximum(predictions, SMALLEST))
        return columns.reshape(len(columns), -1)

    def _column_names(self, names):
        return [f"{name}: {label}" for name in names for label in self.classes_]

    def _experts(self, candidate):
        alpha = ALPHA[candidate.freedom]
        if self.level_one_.passthrough:
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
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

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
        return self.final_estimator_.predict_proba(self.level_one(X))

    def predict_log_proba(self, X):
        """Logarithm of the probability of every class.

        Parameters
        ----------
        X : array-like, data frame or sparse matrix of shape (n, p)

        Returns
        -------
        ndarray of shape (n, C)
        """
        return self.final_estimator_.predict_log_proba(self.level_one(X))

    def predict_dist(self, X):
        """Distribution of the class given x, for all rows at once.

        Parameters
        ----------
        X : array-like, data frame or sparse matrix of shape (n, p)

        Returns
        -------
        ClassDistribution
        """
        dist = self.final_estimator_.predict_dist(self.level_one(X))
        dist.index = row_names(X)
        return dist
