"""Inference for fitted models: standard errors, tests, intervals, bands and marginal effects."""

from .delta import Band, ParameterCovariance
from .effects import MarginalEffects
from .hypotheses import WaldTest
from .infer import infer
from .result import Inference
from .summary import Summary

__all__ = [
    "Band",
    "Inference",
    "MarginalEffects",
    "ParameterCovariance",
    "Summary",
    "WaldTest",
    "infer",
]
