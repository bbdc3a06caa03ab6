"""Noise that is not Gaussian: the Gaussian fit again, every row weighted by how well it fits."""

from abc import abstractmethod

import numpy as np

from ...model.traits import Traits
from ...numerics.coordinates import ridge_derivatives
from .base import Response, Scalar, Working, free_slope, own_targets, padded
from .gaussian import GaussianNoise, LinearParams
from .pooled import pooled_fit
from .scale import Scale, check_scale, noise_floor, spread

__all__ = ["ReweightedNoise"]

POOLED_STEPS = 200  # of the fit of all rows together
POOLED_TOL = 1e-10  # and the relative change of its squared scale at which it stops
NORMAL_QUARTILES = 1.3489795  # distance between the quartiles of a normal distribution, in standard deviations


class ReweightedNoise(Response):
    """Noise whose log-density lies above a parabola that touches it at the present residual.

    The parabola is a Gaussian log-density with weight u, eq. (row-weight), so the update of the coefficients is that of
    the linear expert with row weights resp * u. `params.variance` (K, T) is the squared scale of the noise.

    What is relative to the data is so to the fit of one such expert to all rows and to quartiles, of its residuals or
    of y: rows far out must not set a scale.
    """

    traits = Traits(row_arguments=("offset",), sparse_input=True, exact=True, additive=True, smooth=True)
    quadratic = True
    own_scalars = ()  # beside the variance

    def __init__(self, prior=(1.0, 0.1), floor="auto", shared=False):
        self.prior, self.floor, self.shared = prior, floor, shared

    # -- what a family says ------------------------------------------------------------------------------------------

    def bind_spread(self, variance):
        """Bind what is relative to the noise of all rows, whose variance (T,) without those far out is `variance`."""

    @abstractmethod
    def wrap(self, coef, variance):
        """Parameters from coefficients (K, T, p) and the mean squared residuals (K, T) of a Gaussian fit."""

    @abstractmethod
    def weigh(self, square, params):
        """The weights u of squared residuals, and further terms whose sums the scalars need, (n, K, T) each."""

    # -- binding to a table ------------------------------------------------------------------------------------------

    def check(self):
        check_scale(self.prior, self.floor, self.shared)

    def _with_scale(self, pooled, prior, shared):
        self.scale_ = Scale(self.floor_, pooled, prior, shared)
        self.scalars = (Scalar("variance", "log(scale)", self.floor_, shared=shared, power=0.5), *self.own_scalars)

    def bind(self, rows):
        bound = super().bind(rows)
        scale = robust_spread(own_targets(rows), rows.weight)
        bound.floor_ = noise_floor(self.floor, rows.y, scale)
        bound.bind_spread(scale)
        return bound

    def pooled(self, expert, rows):
        coef, square = pooled_fit(rows, expert.penalty_, expert.lasso_, expert.scale_penalty)
        self._with_scale(square, None, False)
        params = self.wrap(coef, np.maximum(square, self.floor_)[None])
        for _ in range(POOLED_STEPS):
            last = params.variance
            params = expert.update(params, expert.gather(params, rows, rows.weight[:, None]), rows)
            if np.abs(params.variance - last).max() <= POOLED_TOL * last.max():
                break
        return params

    def bind_pooled(self, pooled, residual):
        bound = super().bind_pooled(pooled, residual)
        scale = robust_spread(*residual())
        bound.bind_spread(scale)
        bound._with_scale(np.minimum(pooled.variance[0], scale), self.prior, self.shared)
        return bound

    def begin(self, expert, rows, resp):
        # From the Gaussian fit: the weights of the pooled fit would hide what the start has told apart.
        noise = GaussianNoise(self.prior, self.floor, self.shared).with_scale(self.floor_, self.scale_.pooled)
        gaussian = expert.with_response(noise, LinearParams(expert.pooled_.coef, noise.scale_.start(1)))
        return self.wrap(*gaussian.steps(gaussian.start(resp.shape[1]), rows, resp))

    def start_target(self, rows):
        return own_targets(rows)

    # -- density and working quantities ------------------------------------------------------------------------------

    def working(self, y, eta, params, rows):
        residual = y - eta
        square = residual**2
        weight, *terms = self.weigh(square, params)
        square *= weight
        residual *= weight
        return Working(residual, weight, square, tuple(terms))

    def mean(self, eta, params, rows):
        return eta

    def scale(self, params):
        return params.variance

    def unitless(self, force, params, common):
        size = np.sqrt(self.scale_.pooled) / params.variance if common else 1.0 / np.sqrt(params.variance)
        return force * size[..., None]

    def log_prior(self, params):
        return self.scale_.log_prior(params.variance)

    def gradient(self, params, stats, ridge, square=None):
        parts = [self.scale_.gradient(params.variance, stats.weight, square + ridge)]
        for scalar, slope in zip(self.scalars[1:], self.own_slopes(params, stats), strict=True):
            parts.append(free_slope(getattr(params, scalar.name), slope, scalar))
        return np.concatenate([part.ravel() for part in parts])

    def own_slopes(self, params, stats):
        """Derivatives of Q by the logarithms of the scalars beside the variance, a list of arrays (K, T)."""
        return []

    def warnings(self, params):
        return self.scale_.warnings(params.variance) + super().warnings(params)

    def report(self, coef, intercept, params):
        return super().report(coef, intercept, params._replace(variance=np.sqrt(params.variance)))

    def describe(self, *scalars):
        return self.describe_scale(*scalars)

    def prior_derivatives(self, params, distance, ridge, lasso, scaled):
        count = self.scale_.prior_counts(len(distance))
        own = ridge_derivatives(distance, ridge, lasso, params.variance, scaled, count, self.scale_.prior_variance)
        return padded(*own, (len(self.scalars) - 1) * distance.shape[1])


def robust_spread(y, weight):
    """Variances (T,) that the quartiles of y (n, T) stand for if it is normal; the variance itself where it is less."""
    low, high = np.quantile(y, [0.25, 0.75], weights=weight, method="inverted_cdf", axis=0)
    variance = spread(y, weight)
    return np.where(high > low, np.minimum(variance, ((high - low) / NORMAL_QUARTILES) ** 2), variance)
