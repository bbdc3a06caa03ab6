"""Responses for counts, with or without truncation at zero."""

from abc import abstractmethod

import numpy as np

from ...distributions import NegativeBinomial, ZeroTruncated, zero_truncated
from ...model.traits import Traits
from ...numerics.checks import check_choice
from ...numerics.coordinates import differenced
from .base import Response
from .dispersed import GLMParams, GLMReport
from .sums import Working

__all__ = ["FEW", "CountResponse"]

# With zero truncation the information is a difference that suffers from cancellation where p0 is near one; it is kept
# above this fraction of the untruncated information.
LEAST_INFORMATION = 1e-3
LEAST_SPREAD, MOST_SPREAD = 1e-9, 4.0  # of the dispersion by uncertain means
FEW = 0.01  # the intercept of an expert diverges if its rows have fewer events in total


class CountResponse(Response):
    """Counts with a log link. With p0 the probability of zero, truncation divides the mass by 1 - p0, eq. (truncated).

    Families define the untruncated distribution; this class handles truncation for all of them.
    """

    links, link = ("log",), "log"
    Params, Report = GLMParams, GLMReport

    def __init__(self, zero_truncated=False):
        self.zero_truncated = zero_truncated

    @property
    def traits(self):
        return Traits(
            measure="mass",
            domain="counts > 0" if self.zero_truncated else "counts >= 0",
            positive=True,
            row_arguments=("offset",),
            sparse_input=True,
            exact=True,
            additive=True,
            smooth=True,
        )

    # -- what a family defines: the distribution before truncation ---------------------------------------------------

    @abstractmethod
    def log_mass(self, y, eta, params):
        """log p(y)."""

    @abstractmethod
    def counts(self, eta, params):
        """The distribution, an object of `hme.distributions`, of arrays (n, K) and scalars (1, K)."""

    @abstractmethod
    def count_variance(self, mean, params):
        """Variance of y as a function of its mean."""

    def excess_information(self, y, mean, params):
        """The ratio of observed to expected information about eta, eq. (observed-curvature)."""
        return 1.0

    def mass_derivatives(self, y, eta, params):
        """Derivatives of `log_mass` with respect to eta and the logarithms of the scalars, as from `stacked`."""

        def displaced(shift, *logs):
            moved = {s.name: getattr(params, s.name) * np.exp(log) for s, log in zip(self.scalars, logs, strict=True)}
            return self.log_mass(y, eta + shift, params._replace(**moved))

        return differenced(displaced, 1 + len(self.scalars))

    # -- the response ------------------------------------------------------------------------------------------------

    def check(self):
        check_choice(self.zero_truncated, "zero_truncated", (True, False))

    def possible(self, rows):
        return rows.y[:, 0] > 0 if self.zero_truncated else rows.y[:, 0] >= 0

    def interior(self, rows):
        return np.maximum(rows.y, 0.1)

    def start_scalars(self, rows):
        return {"dispersion": np.ones((1, rows.y.shape[1]))}

    def log_density(self, y, eta, params, rows):
        log_mass = self.log_mass(y, eta, params)
        if self.zero_truncated:
            log_mass = zero_truncated.log_mass(log_mass, self.log_mass(0.0, eta, params))
        return log_mass

    def distribution(self, eta, params, rows):
        counts = self.counts(eta, params)
        return ZeroTruncated(counts) if self.zero_truncated else counts

    def predictive(self, eta, leverage, factor, params, rows):
        """Of counts whose variance is that of a negative binomial one; else `distribution`."""
        excess = self.overdispersion(params)
        if excess is None:
            return self.joint(eta, params, rows)
        # A mean with a gamma distribution makes Poisson counts negative binomial; its variance is that of eta.
        spread = np.minimum(self.scale(params) * leverage, MOST_SPREAD)
        dispersion = np.maximum(excess * factor + spread, LEAST_SPREAD)[:, :, 0]
        counts = NegativeBinomial(self.mean_of(eta[:, :, 0]), dispersion)
        return ZeroTruncated(counts) if self.zero_truncated else counts

    def overdispersion(self, params):
        """The dispersions (K, T) with which the variance is mean + dispersion mean^2; None if it is not."""
        return None

    def mean(self, eta, params, rows):
        return super().mean(eta, params, rows) if self.zero_truncated else self.mean_of(eta)

    def zero_odds(self, eta, params):
        """p0 / (1 - p0) and 1 - p0, where p0 is the probability of zero."""
        log_zero = self.log_mass(0.0, eta, params)
        positive = -np.expm1(log_zero)
        return np.exp(log_zero) / positive, positive

    def working(self, y, eta, params, rows):
        mean = self.mean_of(eta)
        ratio = mean / self.count_variance(mean, params)
        score, information, terms = (y - mean) * ratio, mean * ratio, self.scalar_terms(y, eta, params)
        if not self.zero_truncated:
            return Working(score, information * self.excess_information(y, mean, params), None, terms)
        odds, positive = self.zero_odds(eta, params)
        at_zero = -mean * ratio  # the score of a zero
        shift = odds * at_zero
        left = information / positive - odds * at_zero**2 - shift**2
        return Working(score + shift, np.maximum(left, LEAST_INFORMATION * information), None, terms)

    def scalar_terms(self, y, eta, params):
        """Slope, curvature and squared slope with respect to the logarithm of the scalar; see `Response.update`."""
        if not self.scalars:
            return ()
        first, second = self.scalar_derivatives(y, eta, params)
        if self.zero_truncated:
            odds, _ = self.zero_odds(eta, params)
            zero, bend = self.scalar_derivatives(0.0, eta, params)
            second = second + odds * (zero**2 + bend) + (odds * zero) ** 2
            first = first + odds * zero
        return first, second, first**2

    def scalar_derivatives(self, y, eta, params):
        """First two derivatives of `log_mass` with respect to the logarithm of the scalar, if the family has one."""
        first, second = self.mass_derivatives(y, eta, params)
        return first[..., 1], second[..., 1, 1]

    def derivatives(self, y, eta, params, rows):
        first, second = self.mass_derivatives(y, eta, params)
        if not self.zero_truncated:
            return first, second
        # Add the derivatives of -log(1 - p0), eq. (truncated-derivatives).
        zero, bend = self.mass_derivatives(np.zeros_like(y), eta, params)
        odds = self.zero_odds(eta, params)[0][..., None]
        square, odds_ = zero[..., None] * zero[..., None, :], odds[..., None]
        return first + odds * zero, second + odds_ * bend + odds_ * (1.0 + odds_) * square

    def one_sided(self, stats):
        # For small means, gradient plus information of the intercept is the number of events.
        events = stats.cross[:, 0, -1] + stats.gram[:, 0, -1, -1]
        return (events < FEW) & (stats.weight > 1.0) & (not self.zero_truncated)
