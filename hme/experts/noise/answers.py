"""What turns the predictions of fitted estimators into a distribution of y."""

from abc import ABC, abstractmethod
from typing import NamedTuple

import numpy as np

__all__ = ["Answers"]


class Answers(ABC):
    """The distribution of y given predictions of estimators, bound to a training table.

    Predictions are those of all experts, (n, K, T) numbers or (n, K, C) class probabilities.

    Attributes
    ----------
    Params : type
        NamedTuple with the fields ``estimator``, ``failed`` and those of `Scalars`.
    Scalars : type
        NamedTuple of what is estimated besides the estimators, with the expert as first axis.
    constant : ndarray of shape (T,) or (C,)
        The prediction without an estimator: the means of y, or its class frequencies.
    smooth : bool
        Whether there is an information matrix for the scalars; if so, `coordinates` and its companions exist.
    """

    Params: type[NamedTuple]
    Scalars: type[NamedTuple]
    smooth = False

    # -- fits and predictions of estimators --------------------------------------------------------------------------

    @abstractmethod
    def targets(self, rows):
        """The targets of the estimators."""

    @abstractmethod
    def dummy(self):
        """An unfitted estimator that predicts `constant`."""

    @abstractmethod
    def method(self, estimator):
        """The method of an estimator that makes its predictions."""

    @abstractmethod
    def usable(self, answer, n_rows, estimator):
        """What one estimator answered as finite numbers (n, T) or probabilities (n, C); refused if it is neither."""

    @abstractmethod
    def is_alike(self, y):
        """Whether to fit a constant instead of the estimator, because the targets `y` do not differ."""

    # -- the distribution of y ---------------------------------------------------------------------------------------

    @abstractmethod
    def fit(self, rows, prediction, resp):
        """The `Scalars` of predictions with responsibilities (n, K)."""

    @abstractmethod
    def log_prob(self, params, rows, prediction):
        """log p_k(y | x), (n, K)."""

    @abstractmethod
    def mean(self, params, rows, prediction):
        """Means of y, or class probabilities, in the shape of the predictions."""

    def variance(self, params, rows, prediction):
        """Variances of y, (n, K, T)."""
        raise NotImplementedError(f"{type(self).__name__} have no variance.")

    def predict_dist(self, params, rows, prediction):
        """p_k(y | x) as an object of `hme.distributions`."""
        raise NotImplementedError(f"{type(self).__name__} have no distribution of numbers.")

    @abstractmethod
    def log_prior(self, params):
        """Log-density of the priors of the scalars."""

    @abstractmethod
    def n_parameters(self, params):
        """Number of free scalars."""

    def at_floor(self, params):
        """Indices of the experts whose scale is at its floor."""
        return np.zeros(0, dtype=int)

    def warnings(self, params):
        """Sentences about scalars at a boundary."""
        return []

    # -- what the user is shown --------------------------------------------------------------------------------------

    @abstractmethod
    def report(self, estimator, params):
        """A NamedTuple of the estimators (K,) and the scalars in the user's units."""

    @abstractmethod
    def describe(self, *scalars):
        """The scalars of one expert in words."""
