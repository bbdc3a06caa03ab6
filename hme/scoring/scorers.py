"""Scores and calibration as scikit-learn's ``scoring=``."""

import copy

import numpy as np
import sklearn
from sklearn.base import is_classifier
from sklearn.compose import TransformedTargetRegressor
from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import MetadataRequest

from .calibration import calibration_error
from .proper import average, brier_score, crps, interval_score, log_score

__all__ = [
    "DistributionScorer",
    "brier_scorer",
    "calibration_scorer",
    "crps_scorer",
    "interval_scorer",
    "log_score_scorer",
]


def _last_step(estimator, X, scorer):
    """The estimator at the end of pipelines and inside searches, and X as it sees it."""
    while True:
        if isinstance(estimator, TransformedTargetRegressor):
            raise TypeError(
                f"{scorer} cannot score a TransformedTargetRegressor: its distribution is one of the transformed y, "
                "whose scores say little about y. Use a family for y itself, such as GaussianExpert('log')."
            )
        if isinstance(estimator, Pipeline):
            if len(estimator.steps) > 1:
                X = estimator[:-1].transform(X)
            estimator = estimator.steps[-1][1]
        elif not hasattr(estimator, "predict_dist") and hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        else:
            return estimator, X


class DistributionScorer:
    """A score of predictive distributions as ``scoring=`` of cross-validation and searches; larger is better.

    Works with estimators that have ``predict_dist``, with pipelines that end in one and with searches around one. With
    scikit-learn's metadata routing, `set_score_request` selects the metadata that the scorer gets.

    Parameters
    ----------
    function : callable
        ``function(dist, y, sample_weight=..., **parameters)`` returns a float.
    greater_is_better : bool
        False changes the sign.
    **parameters
        Further arguments of the function.

    Examples
    --------
    >>> from sklearn.model_selection import KFold, cross_val_score
    >>> from hme import HMERegressor
    >>> from hme.datasets import load_motorcycle
    >>> from hme.scoring import DistributionScorer, crps_scorer, interval_score
    >>> X, y = load_motorcycle(return_X_y=True)
    >>> model, folds = HMERegressor(depth=1), KFold(3, shuffle=True, random_state=0)
    >>> cross_val_score(model, X, y, cv=folds, scoring=crps_scorer).round(1)
    array([-20.3, -18.8, -23. ])
    >>> half = DistributionScorer(interval_score, greater_is_better=False, coverage=0.5)
    >>> cross_val_score(model, X, y, cv=folds, scoring=half).round()
    array([ -93.,  -86., -108.])
    """

    accepts = ("sample_weight", "offset", "trials")  # metadata of rows

    def __init__(self, function, *, greater_is_better, **parameters):
        if not callable(function):
            raise TypeError(f"function = {function!r} must be a callable (dist, y, sample_weight=...).")
        if not isinstance(greater_is_better, bool):
            raise TypeError(f"greater_is_better = {greater_is_better!r} must be True or False.")
        self.function = function
        self.greater_is_better = greater_is_better
        self.parameters = parameters
        self.requests = dict.fromkeys(self.accepts)

    def __repr__(self):
        arguments = [getattr(self.function, "__name__", repr(self.function))]
        arguments += [f"{name}={value!r}" for name, value in self.parameters.items()]
        return f"{type(self).__name__}({', '.join(arguments)}, greater_is_better={self.greater_is_better})"

    def __call__(self, estimator, X, y, **metadata):
        """The score of a fitted estimator.

        Parameters
        ----------
        estimator : estimator with ``predict_dist``, or a pipeline or search around one
        X : array-like of shape (n, p)
        y : array-like of shape (n,) or (n, T)
        **metadata
            `sample_weight`, `offset`, `trials`, where they are used; for the log score also `groups`.

        Returns
        -------
        float
        """
        metadata = {name: value for name, value in metadata.items() if value is not None}
        self._check_names(metadata)
        estimator, X = _last_step(estimator, X, self)
        value = self._evaluate(estimator, X, y, metadata.pop("sample_weight", None), metadata)
        return value if self.greater_is_better else -value

    def _evaluate(self, estimator, X, y, sample_weight, rows):
        if not hasattr(estimator, "predict_dist"):
            raise TypeError(
                f"{self} needs an estimator with predict_dist, such as those of hme, or a pipeline that ends in one; "
                f"got {type(estimator).__name__}."
            )
        dist = estimator.predict_dist(X, **rows)
        return self.function(dist, y, sample_weight=sample_weight, **self.parameters)

    # -- metadata routing ---------------------------------------------------------------------------------------------

    def _check_names(self, names):
        odd = sorted(set(names) - set(self.accepts))
        if odd:
            raise TypeError(f"{self} does not take {odd[0]!r}; it takes {', '.join(self.accepts)}.")

    def set_score_request(self, **requests):
        """Set which metadata the scorer gets: True, False, None (an error if given), or another name for it.

        Parameters
        ----------
        **requests
            Any of `sample_weight`, `offset`, `trials`; for the log score also `groups`.

        Returns
        -------
        DistributionScorer
            A new one; the scorers of this module stay as they are.
        """
        if not sklearn.get_config()["enable_metadata_routing"]:
            raise RuntimeError("set_score_request needs sklearn.set_config(enable_metadata_routing=True).")
        self._check_names(requests)
        other = copy.copy(self)
        other.requests = {**self.requests, **requests}
        other.get_metadata_routing()  # checks the requests
        return other

    def get_metadata_routing(self):
        """The scorer's `MetadataRequest`, for scikit-learn."""
        request = MetadataRequest(owner=repr(self))
        for name, alias in self.requests.items():
            request.score.add_request(param=name, alias=alias)
        return request

    def _accept_sample_weight(self):
        """Whether to pass weights, for scikit-learn without metadata routing."""
        return True


class LogScorer(DistributionScorer):
    """Regressors: log p(y | x); with groups log p(all y of a group), eq. (group). Classifiers: log probability."""

    accepts = ("sample_weight", "offset", "trials", "groups")

    def __init__(self):
        super().__init__(log_score, greater_is_better=True)

    def _evaluate(self, estimator, X, y, sample_weight, rows):
        if is_classifier(estimator) and hasattr(estimator, "predict_log_proba") and not rows:
            codes = _class_codes(estimator, y)
            if (codes < 0).any():
                odd = np.asarray(y)[codes < 0].tolist()[0]
                known = estimator.classes_.tolist()
                raise ValueError(f"y holds {odd!r}, which is not among the fitted classes {known}.")
            return average(estimator.predict_log_proba(X)[np.arange(len(codes)), codes], sample_weight)
        if "groups" not in rows:
            return super()._evaluate(estimator, X, y, sample_weight, rows)
        if not hasattr(estimator, "log_likelihood"):
            raise TypeError(f"{self} with groups needs an estimator with log_likelihood, such as HMERegressor.")
        # A group counts once, with the weight of its rows.
        first = np.unique(rows["groups"], return_index=True)[1]
        weight = None if sample_weight is None else np.asarray(sample_weight)[first]
        return average(estimator.log_likelihood(X, y, **rows), weight)


class BrierScorer(DistributionScorer):
    """Classifiers: the Brier score of their probabilities."""

    accepts = ("sample_weight",)

    def __init__(self):
        super().__init__(brier_score, greater_is_better=False)

    def _evaluate(self, estimator, X, y, sample_weight, rows):
        if not hasattr(estimator, "predict_proba"):
            raise TypeError(f"{self} needs a classifier with predict_proba, got {type(estimator).__name__}.")
        return self.function(estimator.predict_proba(X), _class_codes(estimator, y), sample_weight=sample_weight)


def _class_codes(classifier, y):
    """Number (n,) of every row's class among the classifier's, -1 for other classes."""
    y, classes = np.asarray(y), classifier.classes_
    codes = np.searchsorted(classes, y).clip(0, len(classes) - 1)
    return np.where(classes[codes] == y, codes, -1)


log_score_scorer = LogScorer()
crps_scorer = DistributionScorer(crps, greater_is_better=False)
interval_scorer = DistributionScorer(interval_score, greater_is_better=False, coverage=0.9)
calibration_scorer = DistributionScorer(calibration_error, greater_is_better=False)
brier_scorer = BrierScorer()
