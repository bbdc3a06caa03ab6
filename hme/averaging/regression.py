"""Joint predictions of several regressors: the mixture of their densities."""

import numpy as np
from sklearn.metrics import r2_score
from sklearn.utils.validation import check_is_fitted

from ..estimators.predictive import Predictive
from ..prediction import average_of
from .importances import SharedImportances

__all__ = ["TogetherRegressors"]


class TogetherRegressors(SharedImportances, Predictive):
    """The predict side of several fitted regressors whose densities are mixed with fixed shares, eq. (size-average).

    Attributes
    ----------
    members_ : list of (float, estimator)
        Pairs of a positive share and a fitted model; the shares sum to one.
    """

    def predict(self, X, return_std=False, *, density="predictive", offset=None, trials=None):
        """Mean of y given x.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, p)
        return_std : bool, default=False
            Also return the standard deviation: the variance within models and between them.
        density : {"predictive", "plug-in"}, default="predictive"
            As for `HMERegressor.predict`.
        offset, trials : array-like of shape (n,), float or None
            As in the fit of the models.

        Returns
        -------
        ndarray of shape (n,) or (n, T), or a pair of them
        """
        check_is_fitted(self)
        arguments = _given(density=None if density == "predictive" else density, offset=offset, trials=trials)
        if return_std:
            dist = self.predict_dist(X, density=density, offset=offset, trials=trials)
            return dist.mean(), dist.standard_deviation()
        return sum(share * np.asarray(model.predict(X, **arguments)) for share, model in self.members_)

    def predict_dist(self, X, *, density="predictive", offset=None, trials=None):
        """Distribution of y given x, for all rows at once: the mixture of those of the models.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, p)
        density : {"predictive", "plug-in"}, default="predictive"
            As for `HMERegressor.predict_dist`.
        offset, trials : array-like of shape (n,), float or None
            As in the fit of the models.

        Returns
        -------
        PredictiveDistribution
            Its components are the experts of all models.
        """
        check_is_fitted(self)
        arguments = _given(offset=offset, trials=trials)
        shares, models = zip(*self.members_, strict=True)
        return average_of([model.predict_dist(X, density=density, **arguments) for model in models], shares)

    def score(self, X, y, sample_weight=None, *, offset=None, trials=None):
        """R^2 of the predicted means, as of any scikit-learn regressor.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, p)
        y : array-like of shape (n,) or (n, T)
        sample_weight : array-like of shape (n,) or None
        offset, trials : array-like of shape (n,), float or None
            As in the fit of the models.

        Returns
        -------
        float
        """
        return r2_score(y, self.predict(X, offset=offset, trials=trials), sample_weight=sample_weight)


def _given(**arguments):
    """Those of the arguments that are given: models take only what their fits have had."""
    return {name: value for name, value in arguments.items() if value is not None}
