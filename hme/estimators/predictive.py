"""The distribution of y given x that a regressor predicts, and what follows from it: quantiles, intervals, draws."""

import numpy as np
from sklearn.utils import check_random_state

from .. import scoring
from ..numerics.checks import check_choice, check_int
from ..prediction import predictive_distribution

__all__ = ["DENSITIES", "Predictive"]

DENSITIES = "predictive", "plug-in"


class Predictive:
    """What a fitted regressor predicts beyond the mean of y."""

    def predict_dist(self, X, *, density="predictive", offset=None, trials=None):
        """Distribution of y given x, for all rows at once.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, p)
        density : {"predictive", "plug-in"}, default="predictive"
            "predictive" is for new rows: it counts how uncertain the parameters are, eq. (predictive), and the size of
            a tree that has grown, eq. (size-average). "plug-in" takes the estimates for the truth, eq. (mixture); its
            log-density is `log_likelihood`.
        offset, trials : array-like of shape (n,), float or None
            As in `fit`.

        Returns
        -------
        PredictiveDistribution
            With the methods of scipy.stats' distributions: ``mean, variance, pdf, cdf, icdf, sample``, ...

        Examples
        --------
        >>> from hme import HMERegressor
        >>> from hme.datasets import load_motorcycle
        >>> X, y = load_motorcycle(return_X_y=True)
        >>> dist = HMERegressor(depth=2).fit(X, y).predict_dist([[10.0], [20.0]])
        >>> dist.cdf(dist.median()).round(6)
        array([0.5, 0.5])
        """
        check_choice(density, "density", DENSITIES)
        index = getattr(X, "index", None)  # names of the rows of a data frame; of a list it is a method
        index = None if callable(index) else index
        if density == "predictive" and self._is_averaged():
            seen = self.averaged_rows(X, offset=offset, trials=trials)
            return self.average_.distribution(seen, self.target_.flat, index)
        rows = self.rows(X, offset=offset, trials=trials)
        uncertainty = self.uncertainty_ if density == "predictive" else None
        return predictive_distribution(self.model_, self.params_, rows, self.target_.flat, index, uncertainty)

    def _standard_deviation(self, rows):
        """Of the predictive density of rows, (n,) or (n, T)."""
        dist = predictive_distribution(
            self.model_, self.params_, rows, self.target_.flat, uncertainty=self.uncertainty_
        )
        return dist.standard_deviation()

    def predict_quantiles(self, X, quantiles=(0.05, 0.5, 0.95), *, density="predictive", offset=None, trials=None):
        """Quantiles of y given x, eq. (quantile).

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, p)
        quantiles : float or array-like of shape (m,), default=(0.05, 0.5, 0.95)
            Levels from 0 to 1.
        density : {"predictive", "plug-in"}, default="predictive"
            As for `predict_dist`.
        offset, trials : array-like of shape (n,), float or None
            As in `fit`.

        Returns
        -------
        ndarray of shape (n, m), (n, T, m) for several outputs; without the last axis for one level
        """
        return self.predict_dist(X, density=density, offset=offset, trials=trials).icdf(quantiles)

    def predict_interval(
        self, X, coverage=0.9, method="equal_tailed", *, density="predictive", offset=None, trials=None
    ):
        """Intervals that contain y with a given probability.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, p)
        coverage : float, default=0.9
        method : {"equal_tailed", "highest_density"}, default="equal_tailed"
            The same probability below and above; or the shortest set, which is several intervals where the density
            has several peaks, eq. (highest-density).
        density : {"predictive", "plug-in"}, default="predictive"
            As for `predict_dist`.
        offset, trials : array-like of shape (n,), float or None
            As in `fit`.

        Returns
        -------
        ndarray of shape (n, 2), (n, T, 2) for several outputs; or a list of n arrays of shape (intervals, 2)
        """
        return self.predict_dist(X, density=density, offset=offset, trials=trials).interval(coverage, method)

    def sample_y(self, X, n_samples=1, random_state=None, *, density="predictive", offset=None, trials=None):
        """Draws of y given x: a leaf from the prior, then y from its expert.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, p)
        n_samples : int, default=1
        random_state : int, RandomState instance or None, default=None
        density : {"predictive", "plug-in"}, default="predictive"
            As for `predict_dist`.
        offset, trials : array-like of shape (n,), float or None
            As in `fit`.

        Returns
        -------
        ndarray of shape (n, n_samples), or (n, T, n_samples)
        """
        check_int(n_samples, "n_samples")
        seed = check_random_state(random_state).randint(2**31 - 1)
        dist = self.predict_dist(X, density=density, offset=offset, trials=trials)
        return dist.sample(n_samples, np.random.default_rng(seed))

    def crps_score(self, X, y, sample_weight=None, *, density="predictive", offset=None, trials=None):
        """Mean continuous ranked probability score, eq. (crps), in the units of y; less is better.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, p)
        y : array-like of shape (n,) or (n, T)
            With several outputs, the score is their average.
        sample_weight : array-like of shape (n,) or None
        density : {"predictive", "plug-in"}, default="predictive"
            As for `predict_dist`.
        offset, trials : array-like of shape (n,), float or None
            As in `fit`.

        Returns
        -------
        float
        """
        dist = self.predict_dist(X, density=density, offset=offset, trials=trials)
        return scoring.crps(dist, self.target_.encode(y).reshape(np.shape(y)), sample_weight=sample_weight)
