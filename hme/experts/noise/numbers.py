"""Predictions of fitted regressors, with Gaussian, Student or Laplace noise around them."""

from typing import NamedTuple

import numpy as np
from sklearn.dummy import DummyRegressor

from ...model.parts import numbers_of
from ...numerics.coordinates import by_output
from .answers import Answers
from .arrays import own_targets, single, targets
from .sums import PredictorStatistics, weighted_sum

__all__ = ["EstimatorParams", "EstimatorReport", "Noise", "Numbers"]

FARTHEST = 10.0  # predictions are clipped at this multiple of the largest distance of a target from the mean of y
STEPS = 200  # limit on the updates of the scale of noise that is not Gaussian,
TOL = 1e-9  # and the relative change at which they end


class Noise(NamedTuple):
    variance: np.ndarray  # (K, T), or the squared scale of Student and Laplace noise
    df: np.ndarray  # (K, T), degrees of freedom of Student noise, else inf


class EstimatorParams(NamedTuple):
    """Fitted estimators and the noise around their predictions."""

    estimator: np.ndarray  # (K, cv + 1) of objects: for each fold the fit without it, and last the fit to all rows
    failed: np.ndarray  # (K,) of int, number of fits that raised an error and were replaced
    noted: np.ndarray  # (K,) of str, what the estimators warned of in these fits; "" for nothing
    variance: np.ndarray  # (K, T), see `Noise`
    df: np.ndarray  # (K, T), see `Noise`


class EstimatorReport(NamedTuple):
    """The estimators fitted to all rows (K,), and their noise: `scale` (K,) or (K, T) is a standard deviation, the
    scale of Student's t with `df` degrees of freedom, or the mean absolute error of a Laplace distribution."""

    estimator: np.ndarray
    scale: np.ndarray
    df: np.ndarray


class Numbers(Answers):
    """Noise around the predictions of estimators, bound to a training table.

    Parameters
    ----------
    response : Response
        Gaussian, Student or Laplace noise, bound to the table.
    pooled : NamedTuple
        Parameters of a pooled linear fit, whose scalars start the noise.
    rows : Rows
        The training rows.
    """

    Params, Scalars = EstimatorParams, Noise

    def __init__(self, response, pooled, rows):
        self.response, self.pooled = response, pooled
        y = own_targets(rows)
        self.constant = rows.weight @ y / rows.weight.sum()
        self.reach = FARTHEST * np.abs(y - self.constant).max(axis=0)

    # -- fits and predictions of estimators --------------------------------------------------------------------------

    def targets(self, rows):
        """The targets of the estimators, y minus the offset, (n, T)."""
        return own_targets(rows)

    def dummy(self):
        """An estimator that predicts the mean."""
        return DummyRegressor()

    def method(self, estimator):
        """The method of an estimator that makes its predictions."""
        return estimator.predict

    def usable(self, answer, n_rows, estimator):
        """Predictions (n, T) of an estimator, clipped."""
        values = numbers_of(answer, n_rows, len(self.constant), estimator, "an expert")
        if (np.abs(values - self.constant) <= self.reach).all():  # the usual case
            return values
        return np.clip(values, self.constant - self.reach, self.constant + self.reach)

    def is_alike(self, y):
        """Whether to fit a constant instead of the estimator: never for numbers."""
        return False

    # -- the noise ---------------------------------------------------------------------------------------------------

    def fit(self, rows, prediction, resp):
        """The `Noise` of predictions (n, K, T) with responsibilities (n, K)."""
        K, T = prediction.shape[1:]
        own = {name: np.repeat(getattr(self.pooled, name), K, axis=0) for name in self.response.Params._fields[1:]}
        params = self.response.Params(np.zeros((K, T, 0)), **own)
        y, eta, ridge = targets(rows), self._eta(rows, prediction), np.zeros((K, T))
        for _ in range(STEPS):
            work, last = self.response.working(y, eta, params, rows), params
            square = weighted_sum(resp, work.square)
            sums = np.stack([weighted_sum(resp, term) for term in work.terms] or [ridge], axis=2)
            stats = PredictorStatistics(resp.sum(axis=0), None, None, square, sums)
            params = self.response.update(params, stats, ridge, square)
            if self.response.parameter_free or np.abs(np.log(params.variance / last.variance)).max() <= TOL:
                break
        return Noise(params.variance, getattr(params, "df", np.full((K, T), np.inf)))

    def _eta(self, rows, prediction):
        return prediction if rows.offset is None else prediction + rows.offset[:, None, None]

    def log_prob(self, params, rows, prediction):
        return self.response.log_prob(targets(rows), self._eta(rows, prediction).copy(order="K"), params, rows)

    def mean(self, params, rows, prediction):
        return self._eta(rows, prediction)

    def variance(self, params, rows, prediction):
        return self.response.variance(self._eta(rows, prediction), params, rows)

    def predict_dist(self, params, rows, prediction):
        return self.response.joint(self._eta(rows, prediction), params, rows)

    def log_prior(self, params):
        return np.sum(self.response.log_prior(params))

    def n_parameters(self, params):
        return self.response.n_parameters(params)

    def at_floor(self, params):
        return self.response.at_floor(params)

    def warnings(self, params):
        return self.response.warnings(params)

    # -- information on the noise, with the predictions fixed --------------------------------------------------------

    @property
    def smooth(self):
        """Whether there is an information matrix for the noise."""
        return self.response.parameter_free

    def coordinates(self, params):
        T = params.variance.shape[1]
        return self.response.coordinates(params, ("",) if T == 1 else tuple(map(str, range(T))))

    def displaced(self, params, scalar):
        return self.response.displaced(params, scalar)

    def derivatives(self, params, rows, prediction):
        T = prediction.shape[2]
        derivatives = self.response.derivatives(targets(rows), self._eta(rows, prediction), params, rows)
        first, second = by_output(*derivatives)
        return first[:, :, T:], second[:, :, T:, T:]

    def prior_derivatives(self, params):
        nothing = np.zeros((*params.variance.shape, 0))
        return self.response.prior_derivatives(params, nothing, np.zeros(0), None, False)

    # -- what the user is shown --------------------------------------------------------------------------------------

    def report(self, estimator, params):
        return EstimatorReport(estimator, single(np.sqrt(params.variance)), single(params.df))

    def describe(self, scale, df):
        return self.response.describe_scale(scale, df)
