"""A Gaussian process of bounded cost: its kernel is learned from some of the rows."""

import warnings

import numpy as np
from scipy.optimize import minimize
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
from sklearn.utils.validation import check_is_fitted, validate_data

__all__ = ["BoundedGaussianProcess"]


class BoundedGaussianProcess(RegressorMixin, BaseEstimator):
    """Gaussian process regression with a Matern kernel, one length for each column, learned in bounded time.

    scikit-learn's `GaussianProcessRegressor` looks for the kernel on all rows, at a cost that grows with their third
    power in every step. Here the search sees at most `n_search` rows, at equal steps of the order of y, and makes at
    most `max_iter` steps; the posterior is that of all rows.

    Parameters
    ----------
    n_search : int, default=300
        Rows that the search for the kernel sees.
    max_iter : int, default=30
        Steps of the search (L-BFGS).

    Attributes
    ----------
    process_ : GaussianProcessRegressor
    n_iter_ : int
        Steps of the search.
    n_features_in_ : int

    Examples
    --------
    >>> import numpy as np
    >>> from hme.stacking import BoundedGaussianProcess
    >>> X = np.linspace(0, 6, 50)[:, None]
    >>> y = np.sin(X[:, 0]) + 0.1 * np.random.default_rng(0).standard_normal(50)
    >>> BoundedGaussianProcess().fit(X, y).predict([[1.5]]).round()
    array([1.])
    """

    def __init__(self, n_search=300, max_iter=30):
        self.n_search = n_search
        self.max_iter = max_iter

    def fit(self, X, y):
        """Learn the kernel, then the posterior.

        Parameters
        ----------
        X : array-like of shape (n, p)
            Columns of comparable scale, such as standardised ones.
        y : array-like of shape (n,)

        Returns
        -------
        self
        """
        X, y = validate_data(self, X, y, y_numeric=True)
        lengths = np.full(X.shape[1], np.sqrt(X.shape[1]))
        kernel = ConstantKernel(1.0) * Matern(lengths, (1e-2, 1e4), nu=2.5) + WhiteKernel(0.1, (1e-6, 1e2))
        chosen = np.argsort(y, kind="stable")[np.linspace(0, len(y) - 1, min(self.n_search, len(y))).astype(int)]
        with warnings.catch_warnings():  # a length or a noise at its bound is a fine one
            warnings.simplefilter("ignore", ConvergenceWarning)
            search = GaussianProcessRegressor(kernel, optimizer=self._search, normalize_y=True)
            search.fit(X[chosen], y[chosen])
        self.process_ = GaussianProcessRegressor(search.kernel_, optimizer=None, normalize_y=True).fit(X, y)
        return self

    def _search(self, objective, initial, bounds):
        found = minimize(
            objective, initial, jac=True, bounds=bounds, method="L-BFGS-B", options={"maxiter": self.max_iter}
        )
        self.n_iter_ = max(int(found.nit), 1)
        return found.x, found.fun

    def predict(self, X):
        """Posterior mean.

        Parameters
        ----------
        X : array-like of shape (n, p)

        Returns
        -------
        ndarray of shape (n,)
        """
        check_is_fitted(self)
        return self.process_.predict(validate_data(self, X, reset=False))
