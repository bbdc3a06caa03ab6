"""Distributions of y given x and the expert: what p_k(y | x) is, for n rows and K experts at once.

A density is written once, as a function of arrays (`log_density` or `log_mass` in the file of its distribution), which
the distribution objects and the experts share. Parameters are arrays (n, K), or (1, K) where all rows share them; y is
(n, 1), answers are (n, K). Counts have a mass in the place of a density, under the same names. Arrays are stored column
by column, as those of `numerics.kernels`.
"""

from .base import Distribution
from .binomial import Binomial, BinomialNormal
from .categorical import Categorical
from .composite import Composite, join
from .gamma import Gamma
from .hyperbolic import Hyperbolic
from .inverse_gaussian import InverseGaussian
from .negative_binomial import NegativeBinomial
from .normal import Normal
from .point_mass import PointMass
from .poisson import Poisson
from .scipy import FromScipy
from .several import Independent, MultivariateNormal, independent
from .student import Student
from .uniform import Uniform
from .univariate import Univariate
from .zero_truncated import ZeroTruncated

__all__ = [
    "Binomial",
    "BinomialNormal",
    "Categorical",
    "Composite",
    "Distribution",
    "FromScipy",
    "Gamma",
    "Hyperbolic",
    "Independent",
    "InverseGaussian",
    "MultivariateNormal",
    "NegativeBinomial",
    "Normal",
    "PointMass",
    "Poisson",
    "Student",
    "Uniform",
    "Univariate",
    "ZeroTruncated",
    "independent",
    "join",
]
