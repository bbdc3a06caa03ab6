"""Families of experts: one file each."""

from .base import AdditiveExpert, Expert, RefitExpert
from .binomial import BinomialExpert
from .constant import ConstantExpert
from .count import CountExpert
from .gamma import GammaExpert
from .gaussian import GaussianExpert
from .glm import GLMExpert, ScaledGLMExpert
from .inverse_gaussian import InverseGaussianExpert
from .linear import LinearExpert
from .logistic import LogisticExpert
from .mixed import MixedExpert
from .negative_binomial import NegativeBinomialExpert
from .poisson import PoissonExpert
from .tree import TreeExpert

__all__ = [
    "CountExpert",
    "GLMExpert",
    "ScaledGLMExpert",
    "PoissonExpert",
    "NegativeBinomialExpert",
    "MixedExpert",
    "InverseGaussianExpert",
    "GaussianExpert",
    "GammaExpert",
    "BinomialExpert",
    "AdditiveExpert",
    "ConstantExpert",
    "Expert",
    "LinearExpert",
    "LogisticExpert",
    "RefitExpert",
    "TreeExpert",
]
