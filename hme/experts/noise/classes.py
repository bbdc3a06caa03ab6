"""What fitted classifiers answer: class probabilities, with a share of the classes' frequencies mixed in."""

from typing import NamedTuple

import numpy as np
from sklearn.dummy import DummyClassifier

__all__ = ["Classes", "ClassifierParams", "ClassifierReport", "Share"]

HALVINGS = 50  # of the interval that holds a share


class Share(NamedTuple):
    share: np.ndarray  # (K,), of the frequencies of the classes


class ClassifierParams(NamedTuple):
    estimator: np.ndarray  # (K, cv + 1), see `EstimatorParams`
    failed: np.ndarray
    share: np.ndarray  # (K,), see `Share`


class ClassifierReport(NamedTuple):
    """The classifiers that have seen all rows (K,), and the `share` (K,) of the overall frequencies mixed into them."""

    estimator: np.ndarray
    share: np.ndarray


class Classes:
    """Class probabilities (1 - s_k) p_k(x) + s_k pi, with pi the frequencies of all rows, eq. (class-share).

    No class is impossible: the share s_k has a prior that reads as `smoothing` more rows that only pi explains.
    """

    Params, Scalars = ClassifierParams, Share
    smooth = False

    def __init__(self, smoothing, rows):
        self.smoothing = smoothing
        self.constant = np.bincount(rows.y, rows.weight) / rows.weight.sum()

    # -- what is asked of an estimator -------------------------------------------------------------------------------

    def targets(self, rows):
        """What estimators are fitted to, codes of classes (n,)."""
        return rows.y

    def dummy(self):
        """An estimator that knows the frequencies only."""
        return DummyClassifier()

    def method(self, estimator):
        """The method that gives its answers."""
        return estimator.predict_proba

    def usable(self, values, estimator):
        """Probabilities (n, C) of all classes."""
        if values.shape[1] < len(self.constant):  # classes that the fit has not seen
            values, seen = np.zeros((len(values), len(self.constant))), values
            values[:, np.asarray(estimator.classes_, dtype=int)] = seen
        values = np.where(np.isfinite(values), np.maximum(values, 0.0), 0.0)
        total = values.sum(axis=1, keepdims=True)
        return np.where(total > 0, values / np.where(total > 0, total, 1.0), self.constant)

    def is_alike(self, y):
        """Whether targets are of one class, which many classifiers refuse."""
        return bool((y == y[0]).all())

    # -- the share ---------------------------------------------------------------------------------------------------

    def fit(self, rows, prediction, resp):
        """The `Share` of predictions (n, K, C) with responsibilities (n, K)."""
        own, overall = self._own(rows, prediction), self.constant[rows.y][:, None]
        weight = resp.sum(axis=0)
        # The slope falls from the share that a perfect prediction would get to one, where it may still be positive.
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

    def variance(self, params, rows, prediction):
        raise NotImplementedError("Classes have no variance.")

    def predict_dist(self, params, rows, prediction):
        raise NotImplementedError("Classes have no distribution of numbers.")

    def log_prior(self, params):
        return self.smoothing * np.log(params.share).sum()

    def n_parameters(self, params):
        return len(params.share)

    def warnings(self, params):
        return []

    # -- what the user is shown --------------------------------------------------------------------------------------

    def report(self, estimator, params):
        return ClassifierReport(estimator, params.share)

    def describe(self, share):
        return f"{float(share):.3g} of the frequencies mixed in"
