"""Responses: distributions of y around a prediction, by linear predictors or by fitted estimators."""

from .base import CoefParams, Response, Scalar
from .counts import CountResponse
from .dispersed import DispersedResponse, GLMParams, GLMReport, PositiveResponse
from .gaussian import GaussianNoise
from .laplace import LaplaceNoise
from .reweighted import ReweightedNoise
from .student import StudentNoise
from .sums import Working

__all__ = [
    "CoefParams",
    "CountResponse",
    "DispersedResponse",
    "GLMParams",
    "GLMReport",
    "GaussianNoise",
    "LaplaceNoise",
    "PositiveResponse",
    "Response",
    "ReweightedNoise",
    "Scalar",
    "StudentNoise",
    "Working",
]
