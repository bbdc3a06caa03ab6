"""Mixtures that several test modules go through, and quadrature of them."""

import warnings

import numpy as np
from scipy import integrate

from hme import distributions as d
from hme.prediction import PredictiveDistribution

RNG = np.random.default_rng(5)
CENTER, SCALE = np.array([[-3.0, 0.5, 4.0], [0.0, 0.0, 1.0]]), np.array([[0.3, 2.0, 0.7]])
POSITIVE, DISPERSION = np.array([[0.5, 3.0, 9.0], [2.0, 2.0, 0.1]]), np.array([[0.2, 1.4, 0.05]])
WEIGHTS = np.array([[0.3, 0.5, 0.2], [0.6, 0.0, 0.4]])
ROUND = np.full((1, 3), 1e-3)
FIRST, SECOND = [0, 2], [1]


def mixed(a, b, atoms=()):
    """Experts 0 and 2 of one distribution, expert 1 of another."""
    return d.join([(a.columns(FIRST), FIRST), (b.columns(SECOND), SECOND)], atoms)


NORMAL, STUDENT = d.Normal(CENTER, SCALE), d.Student(np.array([[2.5, 4.0, 30.0]]), CENTER, SCALE)
HYPERBOLIC, UNIFORM = d.Hyperbolic(CENTER, SCALE, ROUND), d.Uniform(CENTER, 5.0 * SCALE)
GAMMA, INVERSE = d.Gamma(POSITIVE, DISPERSION), d.InverseGaussian(POSITIVE, DISPERSION)
POISSON, NEGATIVE = d.Poisson(POSITIVE), d.NegativeBinomial(POSITIVE, DISPERSION)
DENSITIES = {
    "normal": NORMAL,
    "student": STUDENT,
    "laplace": HYPERBOLIC,
    "uniform": UNIFORM,
    "gamma": GAMMA,
    "inverse gaussian": INVERSE,
    "scales apart": d.Normal(CENTER, np.array([[1e-7, 1.0, 1e6]])),
    "normal and student": mixed(NORMAL, STUDENT),
    "normal and uniform": mixed(NORMAL, UNIFORM),
    "laplace and normal": mixed(HYPERBOLIC, NORMAL),
    "uniform and student": mixed(UNIFORM, STUDENT),
    "gamma and normal": mixed(GAMMA, NORMAL),
    "gamma and inverse gaussian": mixed(GAMMA, INVERSE),
}
COUNTS = {
    "poisson": POISSON,
    "negative binomial": NEGATIVE,
    "truncated poisson": d.ZeroTruncated(POISSON),
    "truncated negative binomial": d.ZeroTruncated(NEGATIVE),
    "binomial": d.Binomial(np.full((1, 3), 9.0), CENTER),
    "poisson and negative binomial": mixed(POISSON, NEGATIVE),
    "zero-inflated": mixed(POISSON, d.PointMass(np.zeros((1, 3)), n_rows=2), [0.0]),
    "with a point between": mixed(POISSON, d.PointMass(np.full((1, 3), 2.5), n_rows=2), [2.5]),
    "with a point below": mixed(POISSON, d.PointMass(np.full((1, 3), -1.5), n_rows=2), [-1.5]),
    "points alone": d.PointMass(np.array([[0.5, 7.0, -2.0]]), n_rows=2),
}
ATOMS = {
    "atom inside": mixed(NORMAL, d.PointMass(np.full((1, 3), 0.7), n_rows=2), [0.7]),
    "hurdle": mixed(GAMMA, d.PointMass(np.zeros((1, 3)), n_rows=2), [0.0]),
}
Q = np.array([1e-6, 0.01, 0.2, 0.5, 0.66, 0.9, 0.999])


def dist(components, weights=WEIGHTS):
    return PredictiveDistribution(weights, components)


def pieced(function, points):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", integrate.IntegrationWarning)  # of rounding, where next to nothing is left
        return sum(
            integrate.quad(function, a, b, epsabs=1e-300, epsrel=1e-11, limit=200)[0]
            for a, b in zip(points, points[1:], strict=False)
        )


def points_of(one, *more):
    """Where the quadrature of one row is cut: closer than the code's own knots, and by quantiles."""
    quantiles = one.icdf(np.concatenate([10.0 ** np.arange(-12, 0), np.linspace(0.15, 0.85, 15)]))[0]
    upper = one.iccdf(10.0 ** np.arange(-12, 0))[0]
    near = []
    if one.components.measure == "density":
        used = one.weights[0] > 0
        cuts = (1e-14, 1e-9, 1e-6, 1e-3, 0.1, 0.3, 0.49)
        near = [at(q)[0][used] for at in (one.components.icdf, one.components.isf) for q in (*cuts, 0.5)]
        near += [end[0][used & np.isfinite(end[0])] for end in one.components.support()]
        near = np.concatenate([*near, *(one.components.mode()[:, used] + s for s in (-1e-3, 0.0, 1e-3))], axis=None)
    ends = [float(end[0]) for end in one.support() if np.isfinite(end[0])]
    points = np.unique(np.concatenate([quantiles, upper, near, ends, np.ravel(more)]))
    low, high = (float(end[0]) for end in one.support())
    return points[(points >= low) & (points <= high)]


def probability_of(one, region, atoms=()):
    """Of closed intervals."""
    total = np.diff(one.cdf(region.reshape(1, -1)).reshape(-1, 2), axis=1).sum()
    return total + sum(one.pdf(a)[0] for a in atoms if (region[:, 0] == a).any())


def crps_by_quadrature(one, y, *more):
    points = points_of(one, y, *more)
    points = np.unique(np.append(points, y))
    below, above = points[points <= y], points[points >= y]
    return pieced(lambda v: one.cdf(v)[0] ** 2, below) + pieced(lambda v: one.ccdf(v)[0] ** 2, above)
