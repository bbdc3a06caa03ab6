"""HMEClassifierCV: classifiers chosen, and mixed, by cross-validated log scores."""

import numpy as np
from sklearn.base import ClassifierMixin

from ..averaging.classification import TogetherClassifiers
from ..estimators import HMEClassifier
from .base import BaseCV

__all__ = ["HMEClassifierCV"]


class HMEClassifierCV(TogetherClassifiers, ClassifierMixin, BaseCV):
    """Mixtures of experts for classes compared by cross-validation; the fold models answer together.

    Every candidate is fitted without each fold, and scored by the logarithm of the probability of the classes of its
    rows. The models that these fits leave are kept: with models of all rows they answer together, and every candidate
    has the share with which held-out classes are most likely, eq. (cross-validated). `best_estimator_` is the best
    candidate fitted to all rows: one tree that can be read.

    Parameters
    ----------
    estimator : HMEClassifier or None, default=None
        What the candidates are variations of. None is ``HMEClassifier()``.
    candidates : list of dict or None, default=None
        Hyper-parameters of the candidates, such as ``[{"depth": 2}, {"expert__alpha": 1.0}]``. None is the estimator
        itself, {}, and where it leaves the experts' columns open and there are rows enough, experts that bend,
        ``{"expert_features": "squares"}`` and, unless its own tree tries them, ``{"expert_features": "splines"}``.
    cv : int, splitter, iterable or None, default=None
        Folds. Those of an int depend on the content of the rows, so that equal rows share one, and keep groups whole.
        None is five folds; of more than 5,000 different rows only three of them are left out in turn.
    predict_from : {"all", "folds", "refit"}, default="all"
        Whose answers are given: with "folds" those of the fold models, as one mixture; with "all" half of the mixture
        are the candidates fitted to all rows, each with its share; with "refit" those of `best_estimator_` alone.
    budget : float or None, default=None
        Seconds for all fits. Candidates that are behind the best one by more than three standard errors after the first
        fold are left out anyway; to keep to the budget the worst of the others are too, and at last folds. The result
        then depends on the speed of the machine.
    random_state : int, RandomState or None, default=None
        Of the models, where `estimator` has none.
    n_jobs : int or None, default=None
        Number of fits that run at the same time (joblib). Without a budget the result does not depend on it.
    verbose : int, default=0
        1 prints which candidates are left out.

    Attributes
    ----------
    best_estimator_ : HMEClassifier
        The best candidate, fitted to all rows. Text, plots, inference and export are of this model.
    best_params_ : dict
    best_index_ : int
    best_score_ : float
        Its mean log score over held-out rows, in nats.
    weights_ : ndarray of shape (number of candidates,)
        Shares of the candidates in the mixture.
    folds_score_ : float
        Mean log score of the mixture over held-out rows, whose shares come from the other folds. A held-out row is
        unknown to one model of each candidate only, so that the average over folds is not in it: new rows are expected
        to fare better.
    refit_score_ : float
        Mean log score of the candidate that is best on the other folds. The model of all rows knows more of them.
    candidates_ : list of dict
    cv_results_ : dict of arrays
        As of GridSearchCV: scores of candidates and folds, ranks, times. Scores are means over rows, but those of
        classes that no other fold holds; of candidates that were `dropped`, over the folds that they have seen.
    fold_estimators_ : list of list of HMEClassifier
        Of every candidate that has a share, the model of every fold.
    refit_estimators_ : list
        Of every candidate, the model of all rows; None where it does not answer.
    members_ : list of (float, HMEClassifier)
        The models that answer, with their shares.
    n_splits_ : int
        Number of folds.
    refit_time_ : float
        Seconds.
    classes_ : ndarray of shape (C,)
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Only where X has string column names.

    See Also
    --------
    hme.average : The mixture of models that are fitted already.

    References
    ----------
    Smyth, P. and Wolpert, D. (1999). Linearly combining density estimators via stacking. Machine Learning 36, 59-83.

    Examples
    --------
    >>> from hme import HMEClassifier, HMEClassifierCV
    >>> X = [[-2.0], [-1.8], [-1.5], [-0.5], [0.1], [0.5], [1.5], [1.7], [2.0]] * 5
    >>> y = ["out", "out", "out", "in", "in", "in", "out", "out", "out"] * 5
    >>> model = HMEClassifierCV(HMEClassifier(), [{"depth": 0}, {"depth": 1}], cv=3).fit(X, y)
    >>> model.best_params_
    {'depth': 1}
    >>> model.predict([[-1.8], [0.0], [1.8]])
    array(['out', 'in', 'out'], dtype='<U3')
    """

    mixtures = HMEClassifier

    def fit(self, X, y, sample_weight=None, *, groups=None):
        """Fit all candidates without each fold, and the best one to all rows.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, p)
        y : array-like of shape (n,)
        sample_weight : array-like of shape (n,) or None
            Not negative; a weight of 2 is the same as the row twice.
        groups : array-like of shape (n,) or None
            As in `HMEClassifier.fit`. Scores are then of groups.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            Naming the parameter, its value and what is allowed.
        """
        return self._fit(X, y, sample_weight, groups)

    @staticmethod
    def _log_scores(model, table, y, arguments, values):
        codes = np.searchsorted(model.classes_, y)
        return model.predict_log_proba(table)[np.arange(len(y)), codes]

    def _adopt(self, target):
        self.classes_ = target.classes
