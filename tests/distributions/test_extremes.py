"""Log-densities at the ends of their ranges: 1e-12 of themselves, or of what one rounding of an argument does to them.

The numbers were computed with 60 digits from the textbook formulas, at the doubles that are written here.
"""

import numpy as np
import pytest

from hme import distributions as d
from hme.distributions import binomial, gamma, inverse_gaussian, negative_binomial, poisson, student
from hme.experts.negative_binomial import by_log_size
from hme.prediction import PredictiveDistribution

EXTREMES = [
    ("gamma", (10000000.3, 10000000.0, 1e-15), -0.21764600994282393, 6.0e07),
    ("gamma", (10000000.3, 10000000.0, 1e-22), -4499991.640949934, 6.0e14),
    ("gamma", (1e-09, 1.0, 1000.0), 13.788455930445629, 1.6e01),
    ("gamma", (2e90, 1e90, 0.001), -512.2437692171229, 2.8e03),
    ("inverse gaussian", (10000000.3, 10000000.0, 1e-22), -0.21764602044282383, 6.0e07),
    ("inverse gaussian", (1e-80, 1e-80, 1e60), 206.31371983625945, 2.1e02),
    ("poisson", (10000000000.0, 23.02585), -12.436187943124356, 2.2e05),
    ("poisson", (0.0, -300.0), -5.148200222412013e-131, 1.5e-128),
    ("poisson", (3.0, 300.0), -1.9424263952412558e130, 5.8e132),
    ("poisson", (1000000.0, -300.0), -312815518.38465816, 9.3e08),
    ("poisson", (31.0, 3.0), -5.1777604765029785, 5.2e01),
    ("negative binomial", (10000000.0, 16.118, 1e-14), -9.023730483082215, 1.6e04),
    ("negative binomial", (10000000.0, 16.118, 1e-07), -9.347432726024513, 8.2e03),
    ("negative binomial", (2000000.0, 2.0, 1e-30), -23017331.039371982, 5.2e07),
    ("negative binomial", (7.0, 30.0, 100000000.0), -20.366591352714487, 2.2e01),
    ("negative binomial", (1000000000.0, 20.0, 10000.0), -29.93460331839617, 3.2e01),
    ("binomial", (500000000000.0, 1e-06, 1000000000000.0), -14.166301910609246, 1.0e06),
    ("binomial", (3.0, -26.0, 1000000000000.0), -2.0077851494956835, 6.0e01),
    ("binomial", (100000000.0, 25.0, 100000000.0), -0.0013887943864867582, 1.2e09),
    ("binomial", (99999990.0, 15.0, 100000000.0), -11.487832954923924, 2.1e08),
    ("binomial", (50.0, -300.0, 100.0), -14933.216158347983, 4.5e04),
    ("student", (9.0, 1000000000000000.0), -5.418938533204657, 9.9e00),
    ("student", (10000000000.0, 1000000000.0), -1198947638.5170715, 2.4e09),
    ("student", (0.1, 30.5), -0.978688662035964, 1.0e00),
    ("truncated poisson", (1.0, 1e-12), -5.000000000000417e-13, 2.8e01),
    ("truncated poisson", (2.0, 1e-30), -69.77069997038132, 2.1e02),
    ("truncated poisson", (40.0, 1e-05), -559.3247378486004, 1.2e03),
    ("truncated negative binomial", (1.0, 1e-12, 0.5), -7.499999999998437e-13, 2.8e01),
    ("truncated negative binomial", (1.0, 1e-09, 1e-07), -5.000000500416667e-10, 2.1e01),
    ("truncated negative binomial", (3.0, 1e-20, 1000.0), -79.38500607509093, 2.0e02),
    ("variance of truncated poisson", (1e-20,), 5e-21, 1.0e-20),
    ("variance of truncated negative binomial", (1e-09, 0.001), 5.005000001671671e-10, 1.0e-09),
    ("variance of truncated negative binomial", (0.7, 10.0), 18.536125587825897, 7.9e01),
    ("slope by log size", (0.0, 1e-08, 2.0), -2.4999999833333335e-17, 1.0e-16),
    ("slope by log size", (103.0, 100.0, 10000000000.0), 4.699999956216667e-09, 6.5e-08),
    ("bend by log size", (103.0, 100.0, 10000000000.0), -4.699999912433334e-09, 6.5e-08),
    ("slope by log size", (9.0, 7.0, 0.0001), 0.9991275729401818, 1.0e00),
    ("bend by log size", (12.0, 9.0, 15.0), -0.1068608634347434, 4.9e-01),
]


@pytest.mark.parametrize("case", EXTREMES, ids=lambda case: f"{case[0]}{case[1]}")
def test_density_has_all_digits(case):
    name, arguments, value, condition = case
    arguments = [np.array([[a]]) for a in arguments]
    found = {
        "gamma": gamma.log_density,
        "inverse gaussian": inverse_gaussian.log_density,
        "poisson": lambda y, eta: poisson.log_mass(y, np.exp(eta), eta),
        "negative binomial": lambda y, eta, phi: negative_binomial.log_mass(y, np.exp(eta), eta, phi),
        "binomial": binomial.log_mass,
        "student": lambda square, df: student.log_density(square, 1.0, df),
        "truncated poisson": lambda y, rate: d.ZeroTruncated(d.Poisson(rate)).logpdf(y),
        "truncated negative binomial": lambda y, r, phi: d.ZeroTruncated(d.NegativeBinomial(r, phi)).logpdf(y),
        "variance of truncated poisson": lambda rate: d.ZeroTruncated(d.Poisson(rate)).variance(),
        "variance of truncated negative binomial": lambda r, phi: d.ZeroTruncated(
            d.NegativeBinomial(r, phi)
        ).variance(),
        "slope by log size": lambda y, mean, size: by_log_size(y, mean, size)[0],
        "bend by log size": lambda y, mean, size: by_log_size(y, mean, size)[1],
    }[name](*arguments)
    assert abs(found[0, 0] - value) <= 1e-12 * condition


def test_inverse_gaussian_of_huge_dispersion_has_a_score_without_a_warning():
    dist = PredictiveDistribution(
        np.full((1, 2), 0.5), d.InverseGaussian(np.array([[1.0, 2.0]]), np.array([[1e20, 1.0]]))
    )
    with np.errstate(divide="raise", invalid="raise"):
        assert np.isfinite(dist.crps([1.0])).all()


def test_quantiles_of_inverse_gaussians_of_any_size_are_numbers():
    dist = d.InverseGaussian(np.array([[1e150, 1e-150, 1e102]]), np.array([[1e200, 1e-200, 1e204]]))
    for q in (1e-300, 0.05, 0.5, 0.95):
        assert (dist.icdf(q) > 0).all() and np.isfinite(dist.icdf(q)).all()


def test_gamma_tails_whose_argument_underflows():
    dist = d.Gamma(np.array([[1e102, 1e-100, 1e102]]), np.array([[1e6, 1e6, 0.5]]))
    y = np.full((1, 1), 2e-323)
    log_size = np.log(y) - np.log(dist.expected) - np.log(dist.dispersion)
    share = np.exp(1e-6 * log_size + np.euler_gamma * 1e-6)  # log gamma(1 + a) is -euler a to first order
    np.testing.assert_allclose(dist.cdf(y)[0, :2], share[0, :2], rtol=1e-9)
    np.testing.assert_allclose(dist.sf(y)[0], [*(1.0 - share[0, :2]), 1.0], rtol=1e-6)
    assert dist.cdf(y)[0, 2] == 0.0


def test_no_field_of_a_distribution_hides_a_method():
    for name in d.__all__:
        fields = getattr(getattr(d, name), "names", ())
        if isinstance(fields, tuple):
            assert not [field for field in fields if callable(getattr(getattr(d, name), field, None))], name
