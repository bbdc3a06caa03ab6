"""Families as users write them: what is abstract, a distribution, and nothing else."""

from typing import NamedTuple

import numpy as np
from scipy import stats

from hme.distributions import FromScipy
from hme.experts import AdditiveExpert, PredictorExpert
from hme.experts.noise import CountResponse, Response, Scalar
from hme.model.traits import Traits
from hme.numerics.kernels import linear_scores, weighted_cross, weighted_gram
from hme.numerics.systems import solve_psd

__all__ = [
    "ExponentialExpert",
    "GeometricExpert",
    "LogNormalExpert",
    "LogNormalLine",
    "LogisticNoiseExpert",
]


# -- with parameters and sums of its own -------------------------------------------------------------------------------


class LineParams(NamedTuple):
    coef: np.ndarray  # (K, p), of log y, intercept last
    variance: np.ndarray  # (K,)


class LineSums(NamedTuple):
    weight: np.ndarray  # (K,)
    gram: np.ndarray  # (K, p, p)
    cross: np.ndarray  # (K, p)
    square: np.ndarray  # (K,)


class LogNormalLine(AdditiveExpert):
    """Log-normal targets: log y is linear in x."""

    traits = Traits(domain="numbers > 0", positive=True, exact=True, additive=True)

    def possible(self, rows):
        return rows.y[:, 0] > 0

    def bind(self, rows, design):
        bound = super().bind(rows, design)
        bound.n_columns_ = rows.X.shape[1]
        return bound

    def start(self, n_experts):
        return LineParams(np.zeros((n_experts, self.n_columns_)), np.ones(n_experts))

    def log_prob(self, params, rows):
        log_y = np.log(rows.y)
        z = (log_y - linear_scores(rows.X, params.coef)) / np.sqrt(params.variance)
        return -0.5 * (z**2 + np.log(2.0 * np.pi * params.variance)) - log_y

    def statistics(self, params, rows, resp, seen=None):
        log_y = np.log(rows.y)
        return LineSums(
            resp.sum(axis=0),
            weighted_gram(rows.X, resp),
            weighted_cross(rows.X, resp * log_y),
            resp.T @ log_y[:, 0] ** 2,
        )

    def update(self, params, stats, rows):
        coef = solve_psd(stats.gram, stats.cross[:, :, None])[:, :, 0]
        return LineParams(coef, (stats.square - (coef * stats.cross).sum(axis=1) + 1e-3) / (stats.weight + 1.0))

    def log_prior_density(self, params):
        return -0.5 * (np.log(params.variance) + 1e-3 / params.variance).sum()

    def predict(self, params, rows):
        return self.predict_dist(params, rows).mean()[:, :, None]

    def predict_dist(self, params, rows):
        center = linear_scores(rows.X, params.coef)
        return FromScipy(stats.lognorm, s=np.sqrt(params.variance)[None], scale=np.exp(center))

    def n_parameters(self, params):
        return params.coef.size + params.variance.size


# -- linear predictors with a response of the user's: a density and a distribution -------------------------------------


class ScaleParams(NamedTuple):
    coef: np.ndarray  # (K, T, p)
    scale: np.ndarray  # (K, T)


class ScaleReport(NamedTuple):
    coef: np.ndarray
    intercept: np.ndarray
    scale: np.ndarray


class LogisticNoise(Response):
    """Noise of a logistic distribution."""

    Params, Report = ScaleParams, ScaleReport
    scalars = (Scalar("scale", "log(scale)", least=1e-6),)

    def log_density(self, y, eta, params, rows):
        z = np.abs(y - eta) / params.scale
        return -z - 2.0 * np.log1p(np.exp(-z)) - np.log(params.scale)

    def distribution(self, eta, params, rows):
        return FromScipy(stats.logistic, loc=eta, scale=params.scale)


class LogisticNoiseExpert(PredictorExpert):
    def __init__(self, alpha=0.1):
        self.alpha = alpha

    def response(self):
        return LogisticNoise()


class LogNormal(Response):
    """Targets whose logarithm is normal around eta."""

    traits = Traits(domain="numbers > 0", positive=True, sparse_input=True, additive=True, smooth=True)
    Params, Report = ScaleParams, ScaleReport
    scalars = (Scalar("scale", "log(scale)", least=1e-3),)

    def possible(self, rows):
        return rows.y[:, 0] > 0

    def interior(self, rows):
        return np.log(rows.y)

    def log_density(self, y, eta, params, rows):
        log_y = np.log(y)
        return -0.5 * ((log_y - eta) / params.scale) ** 2 - np.log(params.scale * np.sqrt(2.0 * np.pi)) - log_y

    def distribution(self, eta, params, rows):
        return FromScipy(stats.lognorm, s=params.scale, scale=np.exp(eta))


class LogNormalExpert(PredictorExpert):
    def __init__(self, alpha=0.1, l1_ratio=0.0):
        self.alpha = alpha
        self.l1_ratio = l1_ratio

    def response(self):
        return LogNormal()


class Exponential(Response):
    """Exponential waiting times whose mean is exp(eta): no scalars."""

    traits = Traits(
        domain="numbers >= 0", positive=True, row_arguments=("offset",), sparse_input=True, additive=True, smooth=True
    )
    links, link = ("log",), "log"

    def possible(self, rows):
        return rows.y[:, 0] >= 0

    def log_density(self, y, eta, params, rows):
        return -eta - y * np.exp(-eta)

    def distribution(self, eta, params, rows):
        return FromScipy(stats.expon, scale=np.exp(eta))


class ExponentialExpert(PredictorExpert):
    def __init__(self, alpha=0.1, fixed_coef=None):
        self.alpha = alpha
        self.fixed_coef = fixed_coef

    def response(self):
        return Exponential()


class Geometric(CountResponse):
    """Counts of failures before a success, of mean exp(eta)."""

    def log_mass(self, y, eta, params):
        return y * eta - (y + 1.0) * np.log1p(self.mean_of(eta))

    def counts(self, eta, params):
        return FromScipy(stats.geom, p=1.0 / (1.0 + self.mean_of(eta)), loc=-1.0)

    def count_variance(self, mean, params):
        return mean + mean**2


class GeometricExpert(PredictorExpert):
    def __init__(self, alpha=0.1, zero_truncated=False):
        self.alpha = alpha
        self.zero_truncated = zero_truncated

    def response(self):
        return Geometric(self.zero_truncated)
