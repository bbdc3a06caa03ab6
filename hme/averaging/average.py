"""average: fitted models whose densities are mixed."""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, is_classifier, is_regressor
from sklearn.utils.validation import check_is_fitted

from ..estimators.storing import Versioned
from ..estimators.target import Outputs, plain
from ..model.parts import called
from ..model.refits import tag_of
from .classification import TogetherClassifiers
from .regression import TogetherRegressors

__all__ = ["AveragedClassifier", "AveragedRegressor", "average"]

ONE_OUTPUT = Outputs(1, True)


def average(models, weights=None):
    """The mixture of the predictive densities of several fitted models, eq. (size-average).

    The models may have other families, sizes and columns of experts and gate; they answer for the same columns of X. A
    mixture of densities is not less likely, in the mean over rows, than its members are on average, and the mean over
    models has a smaller squared error than models have on average.

    Parameters
    ----------
    models : list of fitted estimators
        Regressors or classifiers that have `predict_dist`: `HMERegressor`, `HMEClassifier`, stacks, models chosen by
        cross-validation, averages.
    weights : array-like of shape (number of models,) or None, default=None
        Not negative; they are divided by their sum. None is equal weights.

    Returns
    -------
    AveragedRegressor or AveragedClassifier

    Raises
    ------
    TypeError, ValueError
        Naming the model that does not go with the first one, and why.

    Examples
    --------
    >>> import hme
    >>> from hme.datasets import load_motorcycle
    >>> X, y = load_motorcycle(return_X_y=True)
    >>> models = [hme.HMERegressor(depth=d).fit(X, y) for d in (1, 2)]
    >>> both = hme.average(models)
    >>> both
    AveragedRegressor of 2 models
    >>> bool(both.predict_dist(X).logpdf(y).mean() > min(m.predict_dist(X).logpdf(y).mean() for m in models))
    True
    """
    kinds = (is_regressor, AveragedRegressor), (is_classifier, AveragedClassifier)
    models = list(models)
    averaged = next((kind for asks, kind in kinds if models and hasattr(models[0], "fit") and asks(models[0])), None)
    if averaged is None:
        raise TypeError(f"models = {models!r} must be a list of one or more fitted regressors, or classifiers.")
    return averaged(models, weights).fit()


class Averaged(Versioned, BaseEstimator):
    """What averages of regressors and of classifiers share.

    As with scikit-learn's FrozenEstimator, nothing is fitted any more: `fit` only checks the models, and clones are the
    estimator itself.
    """

    def __init__(self, models, weights=None):
        self.models = models
        self.weights = weights

    def fit(self, X=None, y=None):
        """Check the models; nothing is fitted, whatever X and y are.

        Parameters
        ----------
        X, y : ignored

        Returns
        -------
        self
        """
        first = self.models[0]
        for number, model in enumerate(self.models):
            self._check(model, first, f"models[{number}]")
        weights = np.ones(len(self.models)) if self.weights is None else np.asarray(self.weights, dtype=float)
        if weights.shape != (len(self.models),) or not (np.isfinite(weights).all() and (weights >= 0).all()):
            raise ValueError(f"weights = {self.weights!r} must hold a finite number >= 0 for each of the models.")
        if not weights.any():
            raise ValueError(f"weights = {self.weights!r} must not all be zero.")
        self.weights_ = weights / weights.sum()
        self.members_ = [(float(w), model) for w, model in zip(self.weights_, self.models, strict=True) if w > 0]
        self.n_features_in_ = first.n_features_in_
        named = [model for model in self.models if hasattr(model, "feature_names_in_")]
        if named:
            self.feature_names_in_ = named[0].feature_names_in_
        self._adopt(first)
        return self

    def _check(self, model, first, name):
        """Refuse a model that does not go with the first one."""
        if not hasattr(model, "predict_dist"):
            raise TypeError(f"{name} = {called(model)} has no predict_dist; there is no density to be mixed.")
        check_is_fitted(model, msg=f"{name} = {called(model)} is not fitted; an average is of fitted models.")
        if is_classifier(model) != is_classifier(first):
            kinds = ("classifier" if is_classifier(one) else "regressor" for one in (model, first))
            raise ValueError("{} is a {}, models[0] a {}; they have no mixture.".format(name, *kinds))
        if model.n_features_in_ != first.n_features_in_:
            raise ValueError(
                f"{name} was fitted to {model.n_features_in_} columns, models[0] to {first.n_features_in_}; all must "
                "answer for the same X."
            )
        names = [getattr(one, "feature_names_in_", None) for one in (model, first)]
        if all(own is not None for own in names) and not np.array_equal(*names):
            own, others = (list(map(str, one)) for one in names)
            raise ValueError(f"{name} was fitted to the columns {own}, models[0] to {others}.")
        self._check_target(model, first, name)

    def __sklearn_clone__(self):
        return self

    def __sklearn_is_fitted__(self):
        return hasattr(self, "weights_")

    def __repr__(self, N_CHAR_MAX=700):
        return f"{type(self).__name__} of {len(self.models)} models"

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = all(tag_of(model, lambda t: t.input_tags.sparse) for model in self.models)
        return tags


class AveragedRegressor(TogetherRegressors, RegressorMixin, Averaged):
    """Several fitted regressors whose predictive densities are mixed; see `hme.average`.

    Parameters
    ----------
    models : list of fitted regressors
    weights : array-like of shape (number of models,) or None, default=None

    Attributes
    ----------
    weights_ : ndarray of shape (number of models,)
        Shares of the models, which sum to one.
    members_ : list of (float, estimator)
        The models that have a share, and it.
    target_ : Outputs
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Only where some model has them.

    Examples
    --------
    >>> from hme import HMERegressor
    >>> from hme.averaging import AveragedRegressor
    >>> X, y = [[0.0], [1.0], [2.0], [3.0]], [0.0, 1.0, 4.0, 9.0]
    >>> models = [HMERegressor(depth=0, expert=kind).fit(X, y) for kind in ("linear", "constant")]
    >>> AveragedRegressor(models, weights=[3, 1]).fit().weights_
    array([0.75, 0.25])
    """

    def _check_target(self, model, first, name):
        own, other = (getattr(one, "target_", ONE_OUTPUT) for one in (model, first))
        if own != other:
            shapes = tuple("(n,)" if one.flat else f"(n, {one.n_outputs})" for one in (own, other))
            raise ValueError("{} was fitted to y of shape {}, models[0] to {}.".format(name, *shapes))

    def _adopt(self, first):
        self.target_ = getattr(first, "target_", ONE_OUTPUT)


class AveragedClassifier(TogetherClassifiers, ClassifierMixin, Averaged):
    """Several fitted classifiers whose probabilities are mixed; see `hme.average`.

    Parameters
    ----------
    models : list of fitted classifiers
    weights : array-like of shape (number of models,) or None, default=None

    Attributes
    ----------
    weights_ : ndarray of shape (number of models,)
        Shares of the models, which sum to one.
    members_ : list of (float, estimator)
        The models that have a share, and it.
    classes_ : ndarray of shape (C,)
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Only where some model has them.

    Examples
    --------
    >>> from hme import HMEClassifier
    >>> from hme.averaging import AveragedClassifier
    >>> X, y = [[0.0], [1.0], [2.0], [3.0]], ["low", "low", "high", "high"]
    >>> models = [HMEClassifier(depth=0, expert=kind).fit(X, y) for kind in ("logistic", "constant")]
    >>> AveragedClassifier(models).fit().predict([[0.0], [3.0]])
    array(['low', 'high'], dtype='<U4')
    """

    def _check_target(self, model, first, name):
        if not np.array_equal(model.classes_, first.classes_):
            raise ValueError(
                f"{name} knows the classes {plain(model.classes_)}, models[0] {plain(first.classes_)}; they must be "
                "the same."
            )

    def _adopt(self, first):
        self.classes_ = first.classes_
