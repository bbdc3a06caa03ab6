"""Remainders of Stirling's formula and of logarithms, against numbers of forty digits."""

import numpy as np
import pytest
from scipy.special import digamma, gammaln, polygamma

from hme.numerics import stirling

# Of exp(x) - 1 - x and log(1 + u) - u, from series in exact arithmetic.
LOG = {
    -0.5: -0.19314718055994531,
    -1e-9: -5.0000000033333333e-19,
    1e-12: -4.9999999999966667e-25,
    3.0: -1.6137056388801094,
}
EXP = {-2.0: 1.1353352832366127, -1e-9: 4.9999999983333333e-19, 1e-12: 5.0000000000016667e-25}


@pytest.mark.parametrize("function, known", [(stirling.log1p_rest, LOG), (stirling.exp_rest, EXP)], ids=["log", "exp"])
def test_rests_of_logarithm_and_exponential(function, known):
    np.testing.assert_allclose(function(np.array(list(known))), list(known.values()), rtol=1e-14)
    # on both sides of where the series ends
    edge = np.array([-stirling.NEAR, stirling.NEAR])
    np.testing.assert_allclose(function(edge * (1 - 1e-15)), function(edge * (1 + 1e-15)), rtol=1e-13)


def test_rests_of_gamma_functions():
    z = np.array([0.1, 1.0, 14.9, 15.1, 80.0])
    np.testing.assert_allclose(
        stirling.log_gamma_rest(z), gammaln(z) - (z - 0.5) * np.log(z) + z - 0.5 * np.log(2 * np.pi), atol=2e-13
    )
    np.testing.assert_allclose(stirling.digamma_rest(z), digamma(z) - np.log(z) + 0.5 / z, atol=1e-14)
    np.testing.assert_allclose(stirling.trigamma_rest(z), polygamma(1, z) - 1 / z - 0.5 / z**2, atol=1e-14)
    # where differences have no digits left, the first term of the series is all there is
    np.testing.assert_allclose(stirling.log_gamma_rest(1e9), 1 / 12e9, rtol=1e-15)
    np.testing.assert_allclose(stirling.digamma_rest(1e9), -1 / 12e18, rtol=1e-15)
    np.testing.assert_allclose(stirling.trigamma_rest(1e9), 1 / 6e27, rtol=1e-15)


def test_deviances_near_and_far():
    y = np.array([1e9, 50.0, 2.0])
    mean = np.array([1e9 + 1.0, 1e-300, 1e300])
    known = np.array([5e-10 * (1 - 1e-9 * 2 / 3), 50 * np.log(50 / 1e-300) - 50, 1e300])
    np.testing.assert_allclose(stirling.half_deviance(y, np.log(mean), mean - y), known, rtol=1e-14)
    np.testing.assert_allclose(stirling.log_ratio_rest(1e9, 1e9 + 1.0), -5e-19 * (1 - 4e-9 / 3), rtol=1e-9)
    np.testing.assert_allclose(stirling.log_ratio_rest(1e-100, 1e100), 1 - 200 * np.log(10), rtol=1e-15)
