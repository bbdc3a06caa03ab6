"""Responses for counts, with or without truncation at zero."""

from abc import abstractmethod

import numpy as np

from ...distributions import NegativeBinomial, ZeroTruncated
from ...distributions.counts import log_positive_mass, truncated
from ...model.traits import Traits
from ...numerics.checks import check_choice
from ...numerics.coordinates import differenced
from ...numerics.wide import diagonal_of
from .base import Response
from .dispersed import GLMParams, GLMReport
from .sums import Working

__all__ = ["FEW", "CountResponse", "RateResponse"]

# With zero truncation the information is a difference, which is rounding where p0 is one; it is kept above this
# fraction of the untruncated information.
LEAST_INFORMATION = 1e-3
LARGEST_ETA = 350.0  # linear predictors are clipped to this size, so that squares of the mean are finite
LEAST_SPREAD, MOST_SPREAD = 1e-9, 4.0  # of the dispersion by uncertain means
FEW = 0.01  # the intercept of an expert diverges if its rows have fewer events in total


class CountResponse(Response):
    """Counts with a log link. With p0 the probability of zero, truncation divides the mass by 1 - p0, eq. (truncated).

    Families define the untruncated distribution; this class handles truncation for all of them.
    """

    links, link = ("log",), "log"
    elementwise = True
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

    def beyond_one(self, eta, params):
        """E max(Y - 1, 0), the mean less the probability of more than zero; a difference, where the mean is small."""
        return self.mean_of(eta) + np.expm1(self.log_mass(0.0, eta, params))

    def log_positive_mass(self, y, eta, params):
        """log p(y | y > 0), eq. (truncated)."""
        return truncated(self.log_mass(y, eta, params), self.log_mass(0.0, eta, params))

    # -- the response ------------------------------------------------------------------------------------------------

    def check(self):
        check_choice(self.zero_truncated, "zero_truncated", (True, False))

    def possible(self, rows):
        return rows.y[:, 0] > 0 if self.zero_truncated else rows.y[:, 0] >= 0

    def interior(self, rows):
        return np.maximum(rows.y, 0.1)

    def start_scalars(self, rows):
        return {"dispersion": np.ones((1, rows.y.shape[1]))}

    def mean_of(self, eta):
        return np.exp(np.clip(eta, -LARGEST_ETA, LARGEST_ETA))

    def log_density(self, y, eta, params, rows):
        return self.log_positive_mass(y, eta, params) if self.zero_truncated else self.log_mass(y, eta, params)

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
        return self.joint(eta, params, rows).about(counts) if self.zero_truncated else counts

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
        mean, terms = self.mean_of(eta), self.scalar_terms(y, eta, params)
        ratio = mean / self.count_variance(mean, params)
        if not self.zero_truncated:
            information = mean * ratio * self.excess_information(y, mean, params)
            return Working((y - mean) * ratio, information, None, terms)
        # Eq. (truncated), by what the truncated mean is beyond one: the terms of the score cancel where it is small.
        log_zero = self.log_mass(0.0, eta, params)
        positive = -np.expm1(log_zero)
        beyond, zero = self.beyond_one(eta, params) / positive, np.exp(log_zero) * ratio
        left = -np.expm1(log_zero + np.log(ratio)) - zero * beyond
        information = mean * ratio / positive * np.maximum(left, LEAST_INFORMATION * positive)
        return Working(((y - 1.0) - beyond) * ratio, information, None, terms)

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
        # For small means, gradient plus information of the intercept is the number of events, beyond one if truncated.
        events = stats.cross[:, 0, -1] + diagonal_of(stats.gram)[:, 0, -1]
        return (events < FEW) & (stats.weight > 1.0)


class RateResponse(CountResponse):
    """Counts whose distribution is one of `hme.distributions`, given by its mean and the scalars."""

    Distribution = None  # a class of `RateCounts`

    def _rest(self, params):
        return [getattr(params, scalar.name) for scalar in self.scalars]

    def log_mass(self, y, eta, params):
        return self.Distribution.log_mass(y, self.mean_of(eta), eta, *self._rest(params))

    def log_positive_mass(self, y, eta, params):
        return log_positive_mass(self.Distribution, y, self.mean_of(eta), eta, *self._rest(params))

    def beyond_one(self, eta, params):
        return self.Distribution.beyond_one(self.mean_of(eta), *self._rest(params))

    def counts(self, eta, params):
        return self.Distribution(self.mean_of(eta), *self._rest(params))
