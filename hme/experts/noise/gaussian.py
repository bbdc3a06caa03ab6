"""Gaussian noise, with a variance for every expert and output or a covariance matrix for every expert."""

from typing import NamedTuple

import numpy as np

from ...distributions import MultivariateNormal, Normal
from ...distributions.normal import gaussian_log_density
from ...model.traits import Traits
from ...numerics.checks import check_choice
from ...numerics.coordinates import (
    covariance_of,
    covariance_scalars,
    gaussian_derivatives,
    gaussian_prior_derivatives,
    ridge_derivatives,
    stacked,
    symmetric_basis,
)
from ...numerics.systems import whitener
from .arrays import numbers, own_targets
from .base import Response, Scalar
from .floor import Floor
from .pooled import pooled_fit
from .scale import Scale, check_scale, relative_spectrum, traces
from .sums import Working
from .variance import total_variance

__all__ = ["CovarianceReport", "GaussianNoise", "LinearParams", "LinearReport"]


class LinearParams(NamedTuple):
    coef: np.ndarray  # (K, T, p), of the design columns, intercept last
    variance: np.ndarray  # (K, T), or covariances (K, T, T)


class LinearReport(NamedTuple):
    """Linear experts in the user's units: `coef` (K, p) and `intercept`, `variance` (K,); (K, T, ...) for T outputs."""

    coef: np.ndarray
    intercept: np.ndarray
    variance: np.ndarray


class CovarianceReport(NamedTuple):
    """Linear experts of T outputs with full covariances: `coef` (K, T, p), `intercept` and `variance` (K, T)."""

    coef: np.ndarray
    intercept: np.ndarray
    variance: np.ndarray
    covariance: np.ndarray  # (K, T, T)


class GaussianNoise(Response):
    """Gaussian noise around a prediction.

    `prior`, `floor` and `shared` are the hyper-parameters of the variance; `covariance` is "diagonal" or "full".
    """

    traits = Traits(
        row_arguments=("offset",),
        sparse_input=True,
        multioutput=True,
        exact=True,
        additive=True,
        smooth=True,
        dispersion=True,
    )
    Params, Report = LinearParams, LinearReport
    quadratic = parameter_free = True
    init_steps = 1

    def __init__(self, prior=(1.0, 0.1), floor="auto", shared=False, covariance="diagonal"):
        self.prior, self.floor, self.shared, self.covariance = prior, floor, shared, covariance

    @property
    def full(self):
        """Whether each expert has a covariance matrix."""
        return self.covariance == "full"

    @property
    def scales(self):
        return () if self.full else super().scales

    # -- binding to a table ------------------------------------------------------------------------------------------

    def check(self):
        check_choice(self.covariance, "covariance", ("diagonal", "full"))
        check_scale(self.prior, self.floor, self.shared)

    def bind(self, rows):
        bound = super().bind(rows)
        y = own_targets(rows)
        bound.limits_ = Floor(self.floor, rows, y, total_variance(y, rows.weight))
        return bound

    def pooled(self, expert, rows):
        coef, square = pooled_fit(
            rows, expert.penalty_, expert.lasso_, expert.scale_penalty, self.full, expert.constraints_
        )
        return LinearParams(coef, square[None])

    def bind_pooled(self, pooled, residual):
        return self.with_scale(Scale(self.limits_, pooled.variance[0], self.prior, self.shared))

    def with_scale(self, scale):
        """The noise bound to the `Scale` of a pooled fit."""
        bound = GaussianNoise(self.prior, self.floor, self.shared, self.covariance)
        bound.floor_, bound.scale_ = scale.floor, scale
        bound.scalars = (Scalar("variance", "log(variance)", scale.floor, shared=self.shared),)
        return bound

    def held(self, params):
        return params._replace(variance=self.scale_.start(len(params.variance)))

    def start_target(self, rows):
        return own_targets(rows)

    # -- density and moments -----------------------------------------------------------------------------------------

    def log_density(self, y, eta, params, rows):
        square = (y - eta) ** 2
        return -0.5 * (square / params.variance + np.log(2.0 * np.pi * params.variance))

    def log_prob(self, y, eta, params, rows):
        return gaussian_log_density(y, eta, params.variance)  # eta is not needed again

    def log_ceiling(self, params, rows):
        middle = np.zeros((1, *params.coef.shape[:2]))
        return 0.0, self.log_prob(middle[:, :1], middle, params, rows)[0]

    def distribution(self, eta, params, rows):
        return Normal(eta, np.sqrt(params.variance))

    def joint(self, eta, params, rows):
        if self.full and eta.shape[2] > 1:
            return MultivariateNormal(eta, params.variance[None])
        return super().joint(eta, params._replace(variance=self.scale(params)), rows)

    def predictive(self, eta, leverage, factor, params, rows):
        widening = factor * (1.0 + leverage)
        if self.full and eta.shape[2] > 1:
            return MultivariateNormal(eta, params.variance * widening[..., None])
        return super().joint(eta, params._replace(variance=self.scale(params) * widening), rows)

    def mean(self, eta, params, rows):
        return eta

    def variance(self, eta, params, rows):
        variance = self.scale(params)
        return np.broadcast_to(variance, (len(eta), *variance.shape))

    def working(self, y, eta, params, rows):
        residual = y - eta
        square = residual[..., None] * residual[:, :, None] if self.full else residual**2
        return Working(residual, square=square)

    def scale(self, params):
        return self.scale_.diagonal(params.variance)

    def unitless(self, force, params, common):
        if self.full:
            return whitener(params.variance) @ force
        size = np.sqrt(self.scale_.pooled) / params.variance if common else 1.0 / np.sqrt(params.variance)
        return force * size[..., None]

    def standard(self, distance, params):
        return whitener(params.variance) @ distance if self.full else super().standard(distance, params)

    # -- the variance ------------------------------------------------------------------------------------------------

    def update(self, params, stats, ridge, square=None):
        return params._replace(variance=self.scale_.update(params.variance, stats.weight, square + ridge))

    def gradient(self, params, stats, ridge, square=None):
        return self.scale_.gradient(params.variance, stats.weight, square + ridge).ravel()

    def log_prior(self, params):
        return self.scale_.log_prior(params.variance)

    def measured(self, ridge, params):
        return traces(params.variance, ridge) if self.full else ridge / params.variance

    def n_parameters(self, params):
        K, T = params.variance.shape[:2]
        return (1 if self.shared else K) * (T * (T + 1) // 2 if self.full else T)

    def at_floor(self, params):
        return self.scale_.at_floor(params.variance)

    def warnings(self, params, stats=None, square=None):
        return self.scale_.warnings(params.variance, None if stats is None else stats.weight, square)

    # -- information -------------------------------------------------------------------------------------------------

    def derivatives(self, y, eta, params, rows):
        residual = y - eta
        if self.full:
            return gaussian_derivatives(residual, params.variance)
        scaled = residual / params.variance
        half = 0.5 * residual * scaled
        return stacked([scaled, half - 0.5], [[-1.0 / params.variance, -scaled], [-half]])

    def coordinates(self, params, parts):
        if not self.full:
            return super().coordinates(params, parts)
        pairs, _ = symmetric_basis(params.variance.shape[1])
        terms = [(parts[i], "log(variance)") if i == j else ("", f"covariance({i}, {j})") for i, j in pairs]
        collapsed = relative_spectrum(params.variance, self.floor_)[:, 0] <= 1 + 1e-9
        held = np.where(collapsed[:, None], "at its floor", np.full(len(pairs), ""))
        return covariance_scalars(params.variance, terms, shared=self.shared, held=held)

    def displaced(self, params, scalar):
        if not self.full:
            return super().displaced(params, scalar)
        return params._replace(variance=covariance_of(scalar, params.variance.shape[1]))

    def prior_derivatives(self, params, distance, ridge, lasso, scaled):
        count = self.scale_.prior_counts(len(distance))
        if self.full:
            square = (count > 0)[:, :, None] * self.scale_.prior_square
            return gaussian_prior_derivatives(params.variance, count, square, distance, ridge)
        return ridge_derivatives(distance, ridge, lasso, params.variance, scaled, count, self.scale_.prior_variance)

    # -- what the user is shown --------------------------------------------------------------------------------------

    def report(self, coef, intercept, params):
        if self.full and coef.ndim == 3:
            return CovarianceReport(coef, intercept, self.scale(params).copy(), params.variance)
        return super().report(coef, intercept, params._replace(variance=self.scale(params)))

    def describe(self, variance, *_):
        return self.describe_scale(np.sqrt(variance))

    def describe_scale(self, scale, df=np.inf):
        return f"noise {numbers(scale)}"
