"""Student's t, whose tails are powers: where quadrature fails."""

import numpy as np
from distribution_cases import at
from scipy import integrate

from hme import distributions as d


def test_excess_of_student():
    # d/dy of the excess is minus the tail: central differences; and it vanishes far away.
    dist = d.Student(np.array([[1.3, 4.0, 200.0]]), np.zeros((1, 3)), np.ones((1, 3)))
    for y in (-3.0, -0.2, 0.0, 1.0, 5.0):
        h = 1e-4
        slope = (dist.excess(np.array([[y + h]])) - dist.excess(np.array([[y - h]]))) / (2 * h)
        np.testing.assert_allclose(slope, -dist.sf(np.array([[y]])), rtol=1e-7)
    assert (dist.excess(np.array([[1e12]])) < 1e-2).all()


def test_half_difference_of_student():
    for df in (1.5, 3.0, 10.0):
        dist = d.Student(np.array([[df]]), np.zeros((1, 1)), np.array([[2.0]]))

        # y = 2 tan(v): the integrand is bounded
        def integrand(v, dist=dist):
            y = 2.0 * np.tan(v)
            return at(dist, "cdf", y) * at(dist, "sf", y) * 2.0 / np.cos(v) ** 2

        half = integrate.quad(integrand, 0.0, np.pi / 2, epsabs=0, epsrel=1e-10, limit=500)[0]
        np.testing.assert_allclose(dist.half_difference()[0, 0], 2.0 * half, rtol=1e-7)
