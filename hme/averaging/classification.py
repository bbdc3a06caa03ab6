"""Joint predictions of several classifiers: the mean of their probabilities."""

import numpy as np
from scipy.special import logsumexp
from sklearn.utils.validation import check_is_fitted

from ..prediction import average_of
from .importances import SharedImportances

__all__ = ["TogetherClassifiers"]


class TogetherClassifiers(SharedImportances):
    """The predict side of several fitted classifiers whose probabilities are mixed, eq. (size-average).

    Attributes
    ----------
    members_ : list of (float, estimator)
        Pairs of a positive share and a fitted model; the shares sum to one.
    classes_ : ndarray of shape (C,)
        Of all of them.
    """

    def predict(self, X):
        """Most probable class of every row.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, p)

        Returns
        -------
        ndarray of shape (n,)
        """
        codes = self.predict_proba(X).argmax(axis=1)
        return self.classes_[codes]

    def predict_proba(self, X):
        """Probability of every class: the mean of those of the models.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, p)

        Returns
        -------
        ndarray of shape (n, C)
            Columns in the order of `classes_`.
        """
        check_is_fitted(self)
        return sum(share * model.predict_proba(X) for share, model in self.members_)

    def predict_log_proba(self, X):
        """Logarithm of the probability of every class.

        It is computed from logarithms, so that small probabilities do not underflow.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, p)

        Returns
        -------
        ndarray of shape (n, C)
        """
        check_is_fitted(self)
        logs = [np.log(share) + model.predict_log_proba(X) for share, model in self.members_]
        return logsumexp(logs, axis=0)

    def predict_dist(self, X):
        """Distribution of the class given x, for all rows at once: the mixture of those of the models.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, p)

        Returns
        -------
        ClassDistribution
            Its components are the experts of all models.
        """
        check_is_fitted(self)
        shares, models = zip(*self.members_, strict=True)
        return average_of([model.predict_dist(X) for model in models], shares)
