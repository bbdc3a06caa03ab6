"""Families of experts, one file for each."""

from ..model.traits import Traits
from .background import BackgroundExpert
from .base import AdditiveExpert, Expert, RefitExpert
from .binomial import BinomialExpert
from .constant import ConstantExpert
from .fitted import EstimatorExpert, TreeExpert
from .gamma import GammaExpert
from .gaussian import GaussianExpert
from .inverse_gaussian import InverseGaussianExpert
from .laplace import LaplaceExpert
from .linear import LinearExpert
from .logistic import LogisticExpert
from .mixed import MixedExpert
from .negative_binomial import NegativeBinomialExpert
from .noise import CountResponse, Response, Scalar, Working
from .point_mass import PointMassExpert
from .poisson import PoissonExpert
from .pool import PoolExpert
from .predictor import PredictorExpert
from .student import StudentExpert

__all__ = [
    "AdditiveExpert",
    "BackgroundExpert",
    "BinomialExpert",
    "ConstantExpert",
    "CountResponse",
    "EstimatorExpert",
    "Expert",
    "GammaExpert",
    "GaussianExpert",
    "InverseGaussianExpert",
    "LaplaceExpert",
    "LinearExpert",
    "LogisticExpert",
    "MixedExpert",
    "NegativeBinomialExpert",
    "PointMassExpert",
    "PoissonExpert",
    "PoolExpert",
    "PredictorExpert",
    "RefitExpert",
    "Response",
    "Scalar",
    "StudentExpert",
    "Traits",
    "TreeExpert",
    "Working",
]
