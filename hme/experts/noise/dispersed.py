"""Generalised linear models with a dispersion parameter: Gaussian, gamma and inverse Gaussian responses."""

from abc import abstractmethod
from copy import copy
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from ...model.traits import Traits
from ...numerics.coordinates import ridge_derivatives, stacked
from ...numerics.links import LINKS
from .arrays import free_slope
from .base import Response, Scalar
from .floor import Floor
from .scale import Scale, check_scale
from .sums import Working

__all__ = ["DispersedResponse", "GLMParams", "GLMReport", "PositiveResponse"]

NEWTON_STEPS = 8  # of a dispersion that has no closed form
MOST_SPREAD = 4.0  # of the dispersion by uncertain means, far from all rows of the fit
# For each link, the power of the mean in the variance function for which it is the canonical link.
CANONICAL = {"identity": 0, "log": 1, "inverse": 2}


class GLMParams(NamedTuple):
    coef: np.ndarray  # (K, T, p), of the design columns, intercept last
    dispersion: np.ndarray  # (K, T); ones if the family has none


class GLMReport(NamedTuple):
    """GLM experts in the user's units: `coef` (K, p), `intercept` (K,) of the linear predictor, `dispersion` (K,)."""

    coef: np.ndarray
    intercept: np.ndarray
    dispersion: np.ndarray


class DispersedResponse(Response):
    """A generalised linear model whose variance is the dispersion phi times a function of the mean.

    A family defines its `deviance`: log p = -deviance / (2 phi) + terms without the mean. These are -log(phi) / 2 plus
    what depends on y alone if the saddle-point approximation is exact; otherwise the family also defines the
    derivatives of the remainder, eq. (dispersion-remainder). A step of the coefficients that lowers the deviance
    therefore increases Q for every phi, and phi is maximised for the deviance before the step, so that the joint update
    never decreases Q, eq. (dispersion-update).

    `prior`, `floor` and `shared` are the hyper-parameters of the dispersion.
    """

    traits = Traits(
        row_arguments=("offset",), sparse_input=True, exact=True, additive=True, smooth=True, dispersion=True
    )
    links, elementwise = ("log", "inverse"), True
    Params, Report = GLMParams, GLMReport
    ceiling = np.inf  # largest dispersion

    def __init__(self, link="log", prior=(1.0, 0.1), floor="auto", shared=False):
        self.link, self.prior, self.floor, self.shared = link, prior, floor, shared
        self.scalars = (Scalar("dispersion", "log(dispersion)", 0.0, self.ceiling, shared),)

    # -- what a family defines ---------------------------------------------------------------------------------------

    power = 0  # the variance is proportional to this power of the mean
    Distribution = density = None  # class of `hme.distributions` and its log-density, given mean and dispersion
    remainder_derivatives = None  # first and second ones of the remainder, a function of the shape; None if it is zero

    def unit_variance(self, mean):
        """Variance of y for a dispersion of one."""
        return mean**self.power if self.power else np.ones_like(mean)

    def unit_variance_slope(self, mean):
        """Derivative of `unit_variance` with respect to the mean."""
        return self.power * mean ** (self.power - 1) if self.power else np.zeros_like(mean)

    @abstractmethod
    def deviance(self, y, mean):
        """Deviance of each row."""

    def excess_information(self, y, mean):
        """The ratio of observed to expected information about eta, eq. (observed-curvature).

        Fisher scoring overshoots, and need not converge, where it is larger than two. With a log link, for which the
        observed information can be close to zero, the ratio is raised to at least one.
        """
        if self.power == CANONICAL[self.link]:
            return 1.0
        multiple = 1.0 + (self.power - CANONICAL[self.link]) * (y / mean - 1.0)
        return np.maximum(multiple, 1.0) if self.link == "log" else multiple

    def log_density(self, y, eta, params, rows):
        return self.density(y, self.mean_of(eta), params.dispersion)

    def log_ceiling(self, params, rows):
        """The density is highest where the mean is y, and falls with y as its standard deviation grows."""
        one = np.ones((1, 1, params.coef.shape[1]))
        highest = self.log_prob(one, LINKS[self.link].eta(one), params, rows)[0]
        return -0.5 * self.power * np.log(rows.y).sum(axis=1) if self.power else 0.0, highest

    def distribution(self, eta, params, rows):
        return self.Distribution(self.mean_of(eta), params.dispersion)

    def predictive(self, eta, leverage, factor, params, rows):
        mean, dispersion = self.mean_of(eta), params.dispersion * factor
        slope = LINKS[self.link].slope(mean, eta, self.largest_)
        # The variance of the mean, to first order, in units of the variance for a dispersion of one.
        with np.errstate(over="ignore"):  # far beyond the most that counts
            spread = dispersion * leverage * slope**2 / self.unit_variance(mean)
        return self.joint(eta, params._replace(dispersion=dispersion + np.minimum(spread, MOST_SPREAD)), rows)

    def dispersion_derivatives(self, deviance, dispersion):
        """First and second derivatives of the log-density with respect to the log-dispersion."""
        half, shape = 0.5 * deviance / dispersion, 1.0 / dispersion
        if self.remainder_derivatives is None:
            return half - 0.5, -half
        slope, bend = self.remainder_derivatives(shape)
        return half - 0.5 + shape * slope, -half - shape * slope - shape**2 * bend

    # -- binding to a table ------------------------------------------------------------------------------------------

    def check(self):
        super().check()
        check_scale(self.prior, self.floor, self.shared, "dispersion")

    def bind(self, rows):
        bound = super().bind(rows)
        center = rows.weight @ self.interior_of(rows.y, bound.largest_) / rows.weight.sum()
        unit = self.unit_variance(center)
        dispersion = rows.weight @ (rows.y - center) ** 2 / rows.weight.sum() / unit
        # A constant target has no dispersion: use the size of its values instead.
        size = center**2 / unit
        dispersion = np.where(dispersion > 1e-28 * size, dispersion, np.where(size > 0, size, 1.0))
        bound.limits_ = Floor(self.floor, rows, rows.y, dispersion, unit)
        bound.start_ = dispersion
        # A typical size of the linear predictor, which makes its gradient unit-free.
        bound.unit_ = {"identity": np.sqrt(dispersion), "inverse": 1.0 / center}.get(self.link, 1.0)
        # Until the pooled fit has said how large the noise is, its own variance is free.
        return bound.with_scale(Scale(bound.limits_.open(), dispersion))

    def with_scale(self, scale):
        bound = copy(self)
        bound.scale_, bound.floor_ = scale, scale.floor
        bound.scalars = (Scalar("dispersion", "log(dispersion)", scale.floor, self.ceiling, scale.shared),)
        return bound

    def bind_pooled(self, pooled, residual):
        return self.with_scale(Scale(self.limits_, pooled.dispersion[0], self.prior, self.shared))

    def start_scalars(self, rows):
        return {"dispersion": self.start_[None]}

    def interior(self, rows):
        return self.interior_of(rows.y, self.largest_)

    def interior_of(self, y, largest):
        """Targets moved into the interior of the link's domain; `largest` is the size of the largest target."""
        return y

    # -- working quantities and the dispersion -----------------------------------------------------------------------

    def working(self, y, eta, params, rows):
        mean = self.mean_of(eta)
        slope = LINKS[self.link].slope(mean, eta, self.largest_)
        ratio = slope / self.unit_variance(mean)
        information = slope * ratio * self.excess_information(y, mean)
        return Working((y - mean) * ratio, information, None, (self.deviance(y, mean),))

    def mean(self, eta, params, rows):
        return self.mean_of(eta)

    def scale(self, params):
        return params.dispersion

    def _by_shape(self, shape, stats, ridge):
        """First and second derivatives of Q with respect to the shape; the remainder has no part in the prior."""
        count, total = self.scale_.totals(stats.weight, stats.sums[..., 0] + ridge)
        slope, bend = self.remainder_derivatives(shape)
        weight, half = count - self.scale_.prior_rows, 0.5 * count / shape
        return half - weight * slope - 0.5 * total, -half / shape - weight * bend

    def update(self, params, stats, ridge, square=None):
        dispersion = inverse = params.dispersion
        if self.remainder_derivatives is None:
            closed = self.scale_.update(dispersion, stats.weight, stats.sums[..., 0] + ridge)
            return params._replace(dispersion=closed)
        with np.errstate(all="ignore"):
            for _ in range(NEWTON_STEPS):  # in 1 / shape, in which the equation is nearly linear
                slope, bend = self._by_shape(1.0 / inverse, stats, ridge)
                inverse = np.clip(inverse + slope * inverse**2 / bend, self.floor_, self.ceiling)
        return params._replace(dispersion=np.where(np.isfinite(inverse), inverse, dispersion))

    def gradient(self, params, stats, ridge, square=None):
        dispersion = params.dispersion
        if self.remainder_derivatives is None:
            return self.scale_.gradient(dispersion, stats.weight, stats.sums[..., 0] + ridge).ravel()
        slope = -self._by_shape(1.0 / dispersion, stats, ridge)[0] / dispersion
        return free_slope(dispersion, slope, self.scalars[0]).ravel()

    def log_prior(self, params):
        return self.scale_.log_prior(params.dispersion)

    def at_floor(self, params):
        return self.scale_.at_floor(params.dispersion)

    def warnings(self, params, stats=None, square=None):
        known = (None, None) if stats is None else (stats.weight, stats.sums[..., 0])
        return self.scale_.warnings(params.dispersion, *known, "dispersion", "dispersion")

    # -- information and report --------------------------------------------------------------------------------------

    def derivatives(self, y, eta, params, rows):
        """With respect to eta and the log-dispersion, eq. (glm-derivatives)."""
        mean, dispersion = self.mean_of(eta), params.dispersion
        slope, bend = (f(mean, eta, self.largest_) for f in (LINKS[self.link].slope, LINKS[self.link].bend))
        unit = self.unit_variance(mean)
        force = (y - mean) / (dispersion * unit)
        curvature = force * (bend - slope**2 * self.unit_variance_slope(mean) / unit) - slope**2 / (dispersion * unit)
        score = force * slope
        first, second = self.dispersion_derivatives(self.deviance(y, mean), dispersion)
        return stacked([score, first], [[curvature, -score], [second]])

    def prior_derivatives(self, params, distance, ridge, lasso, scaled):
        count = self.scale_.prior_counts(len(distance))
        return ridge_derivatives(distance, ridge, lasso, params.dispersion, scaled, count, self.scale_.prior_variance)


class PositiveResponse(DispersedResponse):
    """Positive targets, with a log or an inverse link."""

    traits = replace(DispersedResponse.traits, positive=True, domain="numbers > 0")

    def possible(self, rows):
        return rows.y[:, 0] > 0
