"""What distributions of counts share."""

from abc import ABC, abstractmethod

import numpy as np
from scipy.special import betainc, betaincc

from .univariate import Univariate

__all__ = ["MANY", "Counts", "RateCounts", "beta_below", "log_positive_mass", "poisson_draws", "truncated", "with_many"]

MANY = 30.0  # of larger counts log-probabilities are differences of large numbers, which eq. (saddle-point) avoids


class Counts(Univariate, ABC):
    """Distributions of whole numbers from zero on."""

    measure, on_lattice = "mass", True

    @abstractmethod
    def _log_mass(self, y):
        """Log-probability of whole numbers y >= 0."""

    @abstractmethod
    def _cdf(self, k):
        """Probability of k or less, for whole numbers k >= 0."""

    @abstractmethod
    def _sf(self, k):
        """Probability of more than k, for whole numbers k >= 0."""

    # What `ZeroTruncated` asks for, of which differences may be left where the mean is small.

    def _log_positive_mass(self, y):
        """Log-probability of whole numbers y > 0 given that they are not zero."""
        return truncated(self._log_mass(y), self._log_mass(np.zeros((1, 1))))

    def _beyond_one(self):
        """E max(Y - 1, 0): the mean less the probability of more than zero."""
        return self.mean() + np.expm1(self._log_mass(np.zeros((1, 1))))

    def _mean_of_pairs(self):
        """E Y (Y - 1)."""
        with np.errstate(invalid="ignore"):
            return self.variance() + self.mean() * (self.mean() - 1.0)

    def _of_excess(self, excess):
        """The same with a mean, given that counts are not zero, of one plus `excess` (n, K), where there is a way."""
        return self

    def support(self):
        return self._full(0.0), self._full(np.inf)

    def logpdf(self, y):
        possible = (y >= 0) & (y == np.floor(y))
        return np.where(possible, self._log_mass(np.where(possible, y, 0.0)), -np.inf)

    def cdf(self, y):
        k = np.floor(y)
        return np.where(k >= 0, self._cdf(np.maximum(k, 0.0)), 0.0)

    def sf(self, y):
        k = np.floor(y)
        return np.where(k >= 0, self._sf(np.maximum(k, 0.0)), 1.0)


ROUNDS, LONGEST_STEP, STILL = 50, 3.0, 1e-13  # of Newton's method for a rate, in its logarithm
LEAST, MOST = 1e-9, 1e4  # dispersion: below, a distribution is Poisson's to all digits that matter


class RateCounts(Counts):
    """Counts of mean `rate`, the first parameter, and variance rate + dispersion rate^2."""

    dispersion = 0.0

    @staticmethod
    @abstractmethod
    def log_mass(y, rate, log_rate, *others):
        """Log-probability of counts y; `log_rate` is the logarithm of `rate`."""

    @staticmethod
    @abstractmethod
    def beyond_one(rate, *others):
        """E max(Y - 1, 0), the rate less the probability of more than zero, without a difference."""

    def _beyond_one(self):
        return self.beyond_one(*self._fields())

    def _mean_of_pairs(self):
        with np.errstate(over="ignore"):
            return (1.0 + self.dispersion) * self.rate**2

    def _log_positive_mass(self, y):
        rate, *others = self._fields()
        return log_positive_mass(self, y, rate, np.log(rate), *others)

    def _log_mass(self, y):
        rate, *others = self._fields()
        with np.errstate(divide="ignore", invalid="ignore"):
            value = self.log_mass(y, rate, np.log(rate), *others)
        return np.where((y == 0) & (rate == 0), 0.0, value)

    def _of_excess(self, excess):
        rate, *others = (np.array(self._full(field)) for field in self._fields())
        some = (excess > 0.0) & np.isfinite(excess) & (rate > 0.0) & np.isfinite(rate)
        few = self._new([field[some][:, None] for field in (rate, *others)], None)
        rate[some] = few._rate_of_excess(excess[some][:, None])[:, 0]
        return self._new([rate, *self._fields()[1:]], self.shape[0])

    def _rate_of_excess(self, excess):
        """The rates at which the mean, given that counts are not zero, is one plus `excess`; from those that it has.

        By Newton's method in logarithms, in which the excess is all but a straight line. The derivative of the
        probability of zero by the rate is minus itself times the rate over the variance.
        """
        rate, *others = self._fields()
        for _ in range(ROUNDS):
            log_zero = self.log_mass(0.0, rate, np.log(rate), *others)
            log_fewer = log_zero - np.log1p(self.dispersion * rate)
            beyond, positive = self.beyond_one(rate, *others), -np.expm1(log_zero)
            slope = rate * (-np.expm1(log_fewer) / beyond - np.exp(log_fewer) / positive)
            step = np.clip((np.log(beyond / positive) - np.log(excess)) / slope, -LONGEST_STEP, LONGEST_STEP)
            rate = rate * np.exp(-step)
            if not (np.abs(step) > STILL).any():
                break
        return rate

    def _widened_dispersion(self, factor):
        """The dispersion that multiplies the variance by a factor."""
        with np.errstate(divide="ignore", invalid="ignore"):
            added = np.where(factor > 1.0, (factor - 1.0) / self.rate, 0.0)
        return np.clip(added + factor * self.dispersion, LEAST, MOST)

    def mean(self):
        return self._full(self.rate)

    def variance(self):
        with np.errstate(over="ignore"):
            return self._full(self.rate + self.dispersion * self.rate**2)

    def mode(self):
        return self._full(np.floor(np.maximum(self.rate * (1.0 - self.dispersion), 0.0)))


def with_many(out, function, counts, *others):
    """Log-probabilities `out` (n, ...), in which those of rows with more than `MANY` counts are replaced.

    They are ``function(counts, *others)``, whose arguments broadcast to the shape of `out`.
    """
    counts = np.asarray(counts, dtype=float)
    many = counts > MANY
    if not many.any():
        return out
    if many.all():
        return function(counts, *others)
    if many.ndim < out.ndim or len(many) < len(out):
        return np.where(many, function(np.where(many, counts, MANY), *others), out)
    rows = np.flatnonzero(many.any(axis=tuple(range(1, many.ndim))))
    few = [a[rows] if np.ndim(a) == out.ndim and len(a) == len(out) else a for a in others]
    out[rows] = np.where(many[rows], function(np.where(many[rows], counts[rows], MANY), *few), out[rows])
    return out


def truncated(log_mass, log_zero):
    """Log-probability of counts y > 0 given that they are not zero, from those of y and of zero, eq. (truncated)."""
    return log_mass - np.log(-np.expm1(log_zero))


def log_positive_mass(family, y, rate, log_rate, *others):
    """`truncated` of a family of `RateCounts`, with all digits where the rate is small, eq. (truncated-small)."""
    out = truncated(family.log_mass(y, rate, log_rate, *others), family.log_mass(0.0, rate, log_rate, *others))
    small = (rate < 1.0) & (y <= MANY)
    if not np.any(small):
        return out
    # The logarithm of the rate cancels: the probability of more than zero is the rate less what is beyond one.
    few, rate, log_rate = np.where(small, y, 1.0), np.where(small, rate, 0.5), np.where(small, log_rate, 0.0)
    rest = family.log_mass(few, rate, 0.0, *others) - np.log1p(-family.beyond_one(rate, *others) / rate)
    return np.where(small, rest + (few - 1.0) * log_rate, out)


def beta_below(a, b, x, rest):
    """1 - I_x(a, b), the regularised incomplete beta function, with all digits of a small value; rest is 1 - x.

    Its complement is an order of magnitude faster to compute, and right where the digits of `rest` suffice.
    """
    a, b, x, rest = np.broadcast_arrays(a, b, x, rest)
    value = betainc(b, a, rest)
    fine = (x <= 0.5) & (b > 1e3)  # large powers of what is close to one
    if fine.any():
        value[fine] = 1.0 - betainc(a[fine], b[fine], x[fine])
        small = fine & (value < 0.5)
        value[small] = betaincc(a[small], b[small], x[small])
    return value


def poisson_draws(rng, rate):
    """Poisson draws; of rates beyond NumPy's range normal ones, which are then as good as a double."""
    large = rate > 1e15
    if not large.any():
        return rng.poisson(rate).astype(float)
    draws = rng.poisson(np.where(large, 1.0, rate)).astype(float)
    return np.where(large, np.rint(rate + np.sqrt(rate) * rng.standard_normal(rate.shape)), draws)
