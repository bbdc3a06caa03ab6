"""Class probabilities of fitted classifiers, mixed with a share of the overall class frequencies."""

from typing import NamedTuple

import numpy as np
from sklearn.dummy import DummyClassifier

from ...distributions import Categorical
from ...model.parts import codes_of, probabilities_of
from .answers import Answers

__all__ = ["Classes", "ClassifierParams", "ClassifierReport", "Share"]

HALVINGS = 50  # bisection steps for a share


class Share(NamedTuple):
    share: np.ndarray  # (K,), weight of the overall class frequencies


class ClassifierParams(NamedTuple):
    estimator: np.ndarray  # (K, cv + 1), see `EstimatorParams`
    failed: np.ndarray
    noted: np.ndarray
    share: np.ndarray  # (K,), see `Share`


class ClassifierReport(NamedTuple):
    """The classifiers fitted to all rows (K,), and the `share` (K,) of the overall class frequencies in the mixture."""

    estimator: np.ndarray
    share: np.ndarray


class Classes(Answers):
    """Class probabilities (1 - s_k) p_k(x) + s_k pi, where pi are the overall class frequencies, eq. (class-share).

    The prior on the share s_k counts as `smoothing` additional rows that only pi explains, so that no class has
    probability zero.
    """

    Params, Scalars = ClassifierParams, Share

    def __init__(self, smoothing, rows):
        self.smoothing = smoothing
        self.constant = np.bincount(rows.y, rows.weight) / rows.weight.sum()

    # -- fits and predictions of estimators --------------------------------------------------------------------------

    def targets(self, rows):
        """The targets of the estimators, class codes (n,)."""
        return rows.y

    def dummy(self):
        """An estimator that predicts the class frequencies."""
        return DummyClassifier()

    def method(self, estimator):
        """The method of an estimator that makes its predictions."""
        return estimator.predict_proba

    def usable(self, answer, n_rows, estimator):
        """Probabilities (n, C) of all classes from the answer of an estimator."""
        codes = codes_of(estimator, len(self.constant), "an expert")
        return probabilities_of(answer, n_rows, len(self.constant), estimator, "an expert", codes)

    def is_alike(self, y):
        """Whether all targets are of one class, which many classifiers refuse."""
        return bool((y == y[0]).all())

    # -- the share ---------------------------------------------------------------------------------------------------

    def fit(self, rows, prediction, resp):
        """The `Share` of predictions (n, K, C) with responsibilities (n, K)."""
        own, overall = self._own(rows, prediction), self.constant[rows.y][:, None]
        weight = resp.sum(axis=0)
        # Bisection. The slope decreases from the share of a perfect prediction to one, where it may still be positive.
        low, high = self.smoothing / (weight + self.smoothing), np.ones(resp.shape[1])
        for _ in range(HALVINGS):
            share = 0.5 * (low + high)
            slope = np.einsum("nk,nk->k", resp, (overall - own) / (own + share * (overall - own)))
            rises = slope + self.smoothing / share > 0
            low, high = np.where(rises, share, low), np.where(rises, high, share)
        return Share(high)

    def _own(self, rows, prediction):
        """Probabilities (n, K) of each row's own class."""
        return np.take_along_axis(prediction, rows.y[:, None, None], axis=2)[:, :, 0]

    def log_prob(self, params, rows, prediction):
        own, overall, share = self._own(rows, prediction), self.constant[rows.y][:, None], params.share
        return np.log((1.0 - share) * own + share * overall)

    def mean(self, params, rows, prediction):
        return (1.0 - params.share[:, None]) * prediction + params.share[:, None] * self.constant

    def predict_dist(self, params, rows, prediction):
        return Categorical.of(self.mean(params, rows, prediction))

    def log_prior(self, params):
        return self.smoothing * np.log(params.share).sum()

    def n_parameters(self, params):
        return len(params.share)

    # -- what the user is shown --------------------------------------------------------------------------------------

    def report(self, estimator, params):
        return ClassifierReport(estimator, params.share)

    def describe(self, share):
        return f"{float(share):.3g} of the class frequencies mixed in"
