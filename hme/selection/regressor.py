"""HMERegressorCV: regressors chosen, and mixed, by cross-validated log scores."""

from sklearn.base import RegressorMixin

from ..averaging.regression import TogetherRegressors
from ..estimators import HMERegressor
from ..scoring.cells import log_scores
from .base import BaseCV

__all__ = ["HMERegressorCV"]


class HMERegressorCV(TogetherRegressors, RegressorMixin, BaseCV):
    """Mixtures of experts compared by cross-validation, as in LassoCV; the fold models predict together.

    Each candidate is fitted without each fold, and scored by the log-density of the rows of that fold. These models are
    kept: together with models fitted to all rows they predict as one mixture of densities, in which the weights of the
    candidates maximise the likelihood of held-out rows, eq. (cross-validated). `best_estimator_` is the best candidate
    fitted to all rows: a single tree that can be read.

    Parameters
    ----------
    estimator : HMERegressor or None, default=None
        The estimator whose hyper-parameters the candidates change. None is ``HMERegressor()``.
    candidates : list of dict or None, default=None
        Hyper-parameters of the candidates, such as ``[{"depth": 2}, {"expert": "student"}]``. None is the estimator
        itself, {}, and, if its `expert_features` are None and there are enough rows,
        ``{"expert_features": "squares"}`` and, unless its own tree tries them, ``{"expert_features": "splines"}``.
    cv : int, splitter, iterable or None, default=None
        Folds. An int assigns folds by the content of the rows, so that identical rows share a fold, and keeps groups
        together. None is five folds, of which only three are used for more than 5,000 distinct rows.
    predict_from : {"all", "folds", "refit"}, default="all"
        Models that predict: with "folds" the fold models, as one mixture; with "all" half of the mixture
        are the candidates fitted to all rows, with their weights; with "refit" `best_estimator_` alone.
    budget : float or None, default=None
        Seconds for all fits. Candidates more than three standard errors behind the best one after the first fold are
        always dropped; to keep to the budget, the worst of the others are dropped too, and finally folds. The result
        then depends on the speed of the machine.
    random_state : int, RandomState or None, default=None
        Passed to the models if `estimator` has none.
    n_jobs : int or None, default=None
        Number of fits that run in parallel (joblib), and of the threads of the last ones, to all rows. Without a budget
        the result does not depend on it.
    verbose : int, default=0
        1 prints which candidates are dropped.

    Attributes
    ----------
    best_estimator_ : HMERegressor
        The best candidate, fitted to all rows. Text, plots, inference and export are of this model.
    best_params_ : dict
    best_index_ : int
    best_score_ : float
        Its mean log score over held-out rows, in nats.
    weights_ : ndarray of shape (number of candidates,)
        Weights of the candidates in the mixture.
    folds_score_ : float
        Mean log score of the mixture over held-out rows, with weights from the other folds. For a held-out row only one
        model of each candidate can be used, so that the gain of averaging over folds is not included: the score on new
        rows is expected to be better.
    refit_score_ : float
        Mean log score of the candidate that is best on the other folds. The model fitted to all rows has more data.
    candidates_ : list of dict
    cv_results_ : dict of arrays
        As in GridSearchCV: scores of candidates and folds, ranks, times. Scores are means over rows; for candidates
        that were `dropped`, over the rows of the folds that were fitted.
    fold_estimators_ : list of list of HMERegressor
        For each candidate with a positive weight, the models of all folds.
    refit_estimators_ : list
        For each candidate, the model fitted to all rows; None if it is not used.
    members_ : list of (float, HMERegressor)
        The models that predict, with their weights.
    n_splits_ : int
        Number of folds.
    refit_time_ : float
        Seconds.
    target_ : Outputs
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Only where X has string column names.

    See Also
    --------
    hme.average : The mixture of models that are already fitted.

    References
    ----------
    Smyth, P. and Wolpert, D. (1999). Linearly combining density estimators via stacking. Machine Learning 36, 59-83.

    Examples
    --------
    >>> from hme import HMERegressor, HMERegressorCV
    >>> from hme.datasets import load_motorcycle
    >>> X, y = load_motorcycle(return_X_y=True)
    >>> model = HMERegressorCV(HMERegressor(tol=1e-2), [{"depth": 0}, {"depth": 2}], cv=3).fit(X, y)
    >>> model.best_params_
    {'depth': 2}
    >>> len(model.members_)
    4
    >>> model.predict([[10.0]]).round(-1)
    array([-0.])
    """

    mixtures = HMERegressor

    def fit(self, X, y, sample_weight=None, *, offset=None, trials=None, groups=None):
        """Fit all candidates without each fold, and the best one to all rows.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, p)
        y : array-like of shape (n,) or (n, T)
        sample_weight : array-like of shape (n,) or None
            Not negative; a weight of 2 is the same as the row twice.
        offset, trials, groups : array-like of shape (n,) or None
            As in `HMERegressor.fit`. Scores are then of groups, by plug-in densities.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            Naming the parameter, its value and what is allowed.
        """
        return self._fit(X, y, sample_weight, groups, offset=offset, trials=trials)

    @staticmethod
    def _log_scores(model, table, y, arguments, values):
        try:
            dist, y = model.predict_dist(table, **arguments), model.target_.encode(y).reshape(y.shape)
            if values is None or dist.discrete:
                return dist.log_likelihood(y)
            return log_scores(dist.marginal(0), y.ravel(), values)
        except NotImplementedError:  # a family without distributions
            return model.log_likelihood(table, y, **arguments)

    def _adopt(self, target):
        self.target_ = target
