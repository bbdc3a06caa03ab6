"""The tail of the Laplace distribution with a rounded corner."""

import numpy as np
import pytest
from distribution_cases import pieced

from hme.distributions import hyperbolic


@pytest.mark.parametrize("x", [1e-7, 1e-4, 0.03, 0.9, 1.1, 20.0, 5e3])
def test_hyperbolic_tail_by_another_route(x):
    """The tail's integral in r itself, by adaptive quadrature between powers of the distance."""
    from scipy.special import k1e

    scale = max(1.0, np.sqrt(x))
    for z in np.array([0.0, 0.3 * x, 2.0 * x, 3.99 * x, 4.01 * x, 0.01, 0.5, 3.0, 20.0]) * 1.0:
        if z > 60.0 * scale:
            continue
        points = (
            z
            + np.concatenate([[0.0], x * np.array([0.1, 0.3, 1.0, 3.0, 10.0, 100.0]), [0.1, 1.0, 4.0, 16.0, 60.0]])
            * scale
        )
        points = np.unique(points[points <= z + 60.0 * scale])

        def density(r):
            return np.exp(-(r**2) / (np.hypot(r, x) + x)) / (2.0 * x * k1e(x))

        ours = float(hyperbolic.tail(np.array([z]), np.array([x]))[0])
        np.testing.assert_allclose(ours, pieced(density, points), rtol=1e-11)
