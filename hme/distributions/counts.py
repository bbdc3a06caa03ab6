"""Laws of counts: Poisson, negative binomial, both without zeros, and binomial."""

import numpy as np
from scipy.special import betainc, betaincc, expit, gammainc, gammaincc, gammaln

from .base import LARGE, Distribution

__all__ = ["Binomial", "NegativeBinomial", "Poisson", "TruncatedNegativeBinomial", "TruncatedPoisson", "log_rising"]


class Counts(Distribution):
    """Laws of whole numbers from zero on."""

    measure = "mass"

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


class Poisson(Counts):
    """Poisson laws of given mean, before truncation."""

    names, neutral = ("rate",), (1.0,)

    def _log_mass(self, y):
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(y > 0, y * np.log(self.rate), 0.0) - self.rate - gammaln(y + 1.0)

    def _cdf(self, k):
        return gammaincc(k + 1.0, self._full(self.rate))

    def _sf(self, k):
        return gammainc(k + 1.0, self._full(self.rate))

    def mean(self):
        return self._full(self.rate)

    def variance(self):
        return self._full(self.rate)

    def sample(self, rng):
        return _poisson(rng, self._full(self.rate))

    def mode(self):
        return self._full(np.floor(self.rate))


class NegativeBinomial(Counts):
    """Negative binomial laws of given mean and dispersion, before truncation, eq. (negative-binomial)."""

    names, neutral = ("rate", "dispersion"), (1.0, 1.0)

    def _log_mass(self, y):
        size = 1.0 / self.dispersion
        with np.errstate(divide="ignore", invalid="ignore"):
            power = np.where(y > 0, y * np.log(self.rate), 0.0)
        return log_rising(y, size) - gammaln(y + 1.0) + power - (y + size) * np.log1p(self.rate * self.dispersion)

    def _share(self):
        product = self.rate * self.dispersion
        return product / (1.0 + product)

    def _cdf(self, k):
        size, share = 1.0 / self.dispersion, self._share()
        return _below(k + 1.0, size, share, 1.0 / (1.0 + self.rate * self.dispersion))

    def _sf(self, k):
        return betainc(k + 1.0, 1.0 / self.dispersion, self._share())

    def mean(self):
        return self._full(self.rate)

    def variance(self):
        return self._full(self.rate + self.dispersion * self.rate**2)

    def mode(self):
        return self._full(np.floor(np.maximum(self.rate * (1.0 - self.dispersion), 0.0)))

    def sample(self, rng):
        return _poisson(rng, rng.standard_gamma(self._full(1.0 / self.dispersion)) * (self.rate * self.dispersion))


class _ZeroTruncated:
    """Laws given that y is not zero, eq. (truncated); `rate` and `dispersion` are those before truncation."""

    def support(self):
        return self._full(1.0), self._full(np.inf)

    def _positive(self):
        return -np.expm1(super()._log_mass(np.zeros((1, 1))))

    def _log_mass(self, y):
        return np.where(y > 0, super()._log_mass(y) - np.log(self._positive()), -np.inf)

    def _sf(self, k):
        return np.minimum(super()._sf(k) / self._positive(), 1.0)

    def _cdf(self, k):
        upper = self._sf(k)
        positive = self._positive()
        low = (super()._cdf(k) - (1.0 - positive)) / positive
        return np.where(k > 0, np.where(upper > 0.5, np.maximum(low, 0.0), 1.0 - upper), 0.0)

    def mean(self):
        return super().mean() / self._positive()

    def variance(self):
        positive, mean = self._positive(), super().mean()
        return np.maximum((super().variance() + mean**2) / positive - (mean / positive) ** 2, 0.0)

    def mode(self):
        return np.maximum(super().mode(), 1.0)

    def sample(self, rng):
        out = super().sample(rng)
        for _ in range(64):
            zero = np.argwhere(out == 0)
            if not len(zero):
                return out
            rows, experts = zero.T
            again = self.pick(rows, experts)
            out[rows, experts] = super(_ZeroTruncated, again).sample(rng)[:, 0]
        # Where nearly all is zero: the quantile of a uniform number.
        rows, experts = np.argwhere(out == 0).T
        out[rows, experts] = again_quantile(self.pick(rows, experts), rng)
        return out


def again_quantile(law, rng):
    """Draws (m,) by counting upwards from one, for laws (m, 1) that are next to all at one."""
    u, k = rng.uniform(size=len(law)), np.ones(len(law))
    for _ in range(10_000):
        low = law.cdf(k[:, None])[:, 0] < u
        if not low.any():
            break
        k[low] += 1.0
    return k


class TruncatedPoisson(_ZeroTruncated, Poisson):
    """Poisson laws given that y is not zero."""


class TruncatedNegativeBinomial(_ZeroTruncated, NegativeBinomial):
    """Negative binomial laws given that y is not zero."""


class Binomial(Counts):
    """Binomial laws of `trials` whose success has log-odds `eta`, eq. (binomial)."""

    names, neutral = ("trials", "eta"), (1.0, 0.0)

    def support(self):
        return self._full(0.0), self._full(self.trials)

    def _log_mass(self, y):
        possible = y <= self.trials
        k = np.where(possible, y, 0.0)
        ways = gammaln(self.trials + 1.0) - gammaln(k + 1.0) - gammaln(self.trials - k + 1.0)
        value = ways + k * self.eta - self.trials * np.logaddexp(0.0, self.eta)
        return np.where(possible, value, -np.inf)

    def _cdf(self, k):
        left = np.maximum(self.trials - k, 1e-300)
        return np.where(k < self.trials, _below(k + 1.0, left, expit(self.eta), expit(-self.eta)), 1.0)

    def _sf(self, k):
        left = np.maximum(self.trials - k, 1e-300)
        return np.where(k < self.trials, _below(left, k + 1.0, expit(-self.eta), expit(self.eta)), 0.0)

    def mean(self):
        return self._full(self.trials * expit(self.eta))

    def variance(self):
        return self._full(self.trials * expit(self.eta) * expit(-self.eta))

    def mode(self):
        return self._full(np.minimum(np.floor((self.trials + 1.0) * expit(self.eta)), np.floor(self.trials)))

    def sample(self, rng):
        trials = self._full(self.trials)
        # Trials need not be whole numbers where a user says so; draws are.
        return rng.binomial(np.rint(trials).astype(np.int64), self._full(expit(self.eta))).astype(float)


def _below(a, b, x, rest):
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


def _poisson(rng, rate):
    """Poisson draws; of rates beyond NumPy's range the normal law, which is then as good as a double."""
    large = rate > 1e15
    if not large.any():
        return rng.poisson(rate).astype(float)
    draws = rng.poisson(np.where(large, 1.0, rate)).astype(float)
    return np.where(large, np.rint(rate + np.sqrt(rate) * rng.standard_normal(rate.shape)), draws)


def log_rising(y, size):
    """log(Gamma(size + y) / Gamma(size)) - y log(size)."""
    y, size = np.broadcast_arrays(y, size)
    small = np.minimum(size, LARGE)
    exact = gammaln(small + y) - gammaln(small) - y * np.log(small)
    if not (size > LARGE).any():
        return exact
    large = np.maximum(size, LARGE)
    end = large + y
    series = (end - 0.5) * np.log1p(y / large) - y + _stirling_rest(end) - _stirling_rest(large)
    return np.where(size > LARGE, series, exact)


def _stirling_rest(z):
    i, i2 = 1.0 / z, 1.0 / z**2
    return i * (1 / 12 - i2 * (1 / 360 - i2 * (1 / 1260 - i2 / 1680)))
