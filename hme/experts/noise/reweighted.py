"""Robust noise distributions, fitted by iteratively reweighted least squares."""

from abc import abstractmethod
from copy import copy

import numpy as np

from ...model.traits import Traits
from ...numerics.coordinates import ridge_derivatives
from .arrays import free_slope, own_targets, padded
from .base import Response, Scalar
from .floor import Floor
from .gaussian import GaussianNoise, LinearParams
from .pooled import pooled_fit
from .scale import Scale, check_scale
from .sums import Working
from .tails import raised
from .variance import robust_variance

__all__ = ["ReweightedNoise"]

POOLED_STEPS = 200  # limit on the iterations of the pooled fit
POOLED_TOL = 1e-10  # relative change of its squared scale at which they end


class ReweightedNoise(Response):
    """Noise whose log-density is bounded below by a parabola that touches it at the current residual.

    The parabola is a Gaussian log-density with weight u, eq. (row-weight), so that the coefficients are updated as
    those of the linear expert with row weights resp * u. `params.variance` (K, T) is the squared scale of the noise.

    Settings relative to the data use the pooled fit of such an expert, and the quartiles of y or of the residuals of
    that fit, so that outliers do not affect them.
    """

    traits = Traits(
        row_arguments=("offset",), sparse_input=True, exact=True, additive=True, smooth=True, dispersion=True
    )
    quadratic = elementwise = True
    own_scalars = ()  # scalars besides the variance

    def __init__(self, prior=(1.0, 0.1), floor="auto", shared=False):
        self.prior, self.floor, self.shared = prior, floor, shared

    # -- what a family defines ---------------------------------------------------------------------------------------

    def bind_variance(self, variance):
        """Bind settings relative to the noise variance (T,) of all rows, which is estimated from quartiles."""

    @abstractmethod
    def wrap(self, coef, variance):
        """Parameters from coefficients (K, T, p) and the mean squared residuals (K, T) of a Gaussian fit."""

    @abstractmethod
    def weigh(self, square, params):
        """The weights u of the rows from squared residuals, and the terms that the scalars need, (n, K, T) each."""

    # -- binding to a table ------------------------------------------------------------------------------------------

    def check(self):
        check_scale(self.prior, self.floor, self.shared)

    def with_scale(self, scale):
        bound = copy(self)
        bound.scale_, bound.floor_ = scale, scale.floor
        learned = Scalar("variance", "log(scale)", scale.floor, shared=scale.shared, power=0.5)
        bound.scalars = (learned, *self.own_scalars)
        return bound

    def bind(self, rows):
        bound = super().bind(rows)
        y = own_targets(rows)
        scale = robust_variance(y, rows.weight)
        bound.limits_ = Floor(self.floor, rows, y, scale)
        bound.bind_variance(scale)
        return bound

    def guarded(self, expert, rows):
        """With bounds on the heaviness of the tails, where there is a prior on the scale, eq. (df-bound)."""
        bound = copy(self)
        if self.prior is not None:
            bound.own_scalars = tuple(raised(scalar, expert, rows) for scalar in self.own_scalars)
        return bound

    def pooled(self, expert, rows):
        settings = dict(scaled=expert.scale_penalty, constraints=expert.constraints_)
        coef, square = pooled_fit(rows, expert.penalty_, expert.lasso_, **settings)
        noise = self.guarded(expert, rows).with_scale(Scale(self.limits_.open(), square))
        expert, params = expert.with_response(noise), noise.wrap(coef, noise.scale_.start(1))
        for _ in range(POOLED_STEPS):
            last = params.variance
            params = expert.update(params, expert.gather(params, rows, rows.weight[:, None]), rows)
            if np.abs(params.variance - last).max() <= POOLED_TOL * last.max():
                break
        return params

    def bind_pooled(self, pooled, residual):
        bound = super().bind_pooled(pooled, residual)
        left, weight = residual()
        # Residuals that are rounding errors, or all zero, have no spread that says how large the noise is.
        none = weight @ left**2 <= self.limits_.exact * weight.sum()
        scale = np.where(none, self.limits_.exact, robust_variance(left, weight))
        bound.bind_variance(scale)
        return bound.with_scale(Scale(self.limits_, np.minimum(pooled.variance[0], scale), self.prior, self.shared))

    def begin(self, expert, rows, resp):
        # Start from a Gaussian fit: with weights from the pooled fit, the rows that the start has separated would count
        # as outliers.
        noise = GaussianNoise(self.prior, self.floor, self.shared).with_scale(self.scale_)
        gaussian = expert.with_response(noise, LinearParams(expert.pooled_.coef, noise.scale_.start(1)))
        return self.wrap(*gaussian.steps(gaussian.start(resp.shape[1]), rows, resp))

    def start_target(self, rows):
        return own_targets(rows)

    def squares(self, stats, square):
        """What the squared scales are multiples of, sums over rows (K, T): the squared residuals by their weights."""
        return square

    # -- density and working quantities ------------------------------------------------------------------------------

    def predictive(self, eta, leverage, factor, params, rows):
        widening = factor * (1.0 + self.share_of_spread(params) * leverage)
        return self.joint(eta, params._replace(variance=params.variance * widening), rows)

    @abstractmethod
    def share_of_spread(self, params):
        """The share (K, T) of a variance of the location that the squared scale grows by.

        With it, central 90 % intervals of noise around an uncertain location are right.
        """

    def working(self, y, eta, params, rows):
        residual = y - eta
        square = residual**2
        weight, *terms = self.weigh(square, params)
        square *= weight
        residual *= weight
        return Working(residual, weight, square, tuple(terms))

    def log_ceiling(self, params, rows):
        middle = np.zeros((1, 1, params.coef.shape[1]))
        return 0.0, self.log_prob(middle, middle, params, rows)[0]

    def mean(self, eta, params, rows):
        return eta

    def scale(self, params):
        return params.variance

    def unitless(self, force, params, common):
        size = np.sqrt(self.scale_.pooled) / params.variance if common else 1.0 / np.sqrt(params.variance)
        return force * size[..., None]

    def log_prior(self, params):
        return self.scale_.log_prior(params.variance)

    def update(self, params, stats, ridge, square=None):
        new = params._replace(variance=self.scale_.update(params.variance, stats.weight, square + ridge))
        return self.update_own(new, params.variance, stats) if self.own_scalars else new

    def update_own(self, params, variance, stats):
        """Parameters with new scalars besides the variance; `variance` is that at which the sums `stats` were made."""
        return params

    def gradient(self, params, stats, ridge, square=None):
        parts = [self.scale_.gradient(params.variance, stats.weight, square + ridge)]
        for scalar, slope in zip(self.scalars[1:], self.own_slopes(params, stats), strict=True):
            parts.append(free_slope(getattr(params, scalar.name), slope, scalar))
        return np.concatenate([part.ravel() for part in parts])

    def own_slopes(self, params, stats):
        """Derivatives of Q by the logarithms of the scalars besides the variance, a list of arrays (K, T)."""
        return []

    def at_floor(self, params):
        return self.scale_.at_floor(params.variance)

    def warnings(self, params, stats=None, square=None):
        known = (None, None) if stats is None else (stats.weight, self.squares(stats, square))
        return self.scale_.warnings(params.variance, *known) + super().warnings(params)

    def report(self, coef, intercept, params):
        return super().report(coef, intercept, params._replace(variance=np.sqrt(params.variance)))

    def describe(self, *scalars):
        return self.describe_scale(*scalars)

    def prior_derivatives(self, params, distance, ridge, lasso, scaled):
        count = self.scale_.prior_counts(len(distance))
        own = ridge_derivatives(distance, ridge, lasso, params.variance, scaled, count, self.scale_.prior_variance)
        return padded(*own, (len(self.scalars) - 1) * distance.shape[1])
