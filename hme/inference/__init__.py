"""How sure the parameters are: standard errors, tests, intervals, bands and marginal effects of a fitted model."""

from .delta import Band, Spread
from .effects import MarginalEffects
from .hypotheses import WaldTest
from .infer import Inference, infer
from .summary import Summary

__all__ = ["Band", "Inference", "MarginalEffects", "Spread", "Summary", "WaldTest", "infer"]
