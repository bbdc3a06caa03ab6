"""Densities as functions of arrays, against the objects that use them and against scipy.stats."""

import numpy as np
import pytest
from scipy import stats

from hme import distributions as d
from hme.distributions import (
    binomial,
    counts,
    gamma,
    hyperbolic,
    inverse_gaussian,
    negative_binomial,
    normal,
    poisson,
    student,
    uniform,
)

RNG = np.random.default_rng(0)
N, K = 40, 5
CENTER, SCALE = np.asfortranarray(RNG.normal(size=(N, K))), np.exp(RNG.normal(size=K))
Y, POSITIVE = RNG.normal(size=(N, 1)), RNG.gamma(2.0, size=(N, 1))
MEAN, DISPERSION = np.exp(CENTER), np.exp(RNG.normal(-1, 2, size=K))
COUNTS, TRIALS = RNG.poisson(3.0, size=(N, 1)).astype(float), 12.0
DF, CORNER = np.array([0.5, 3.0, 29.9, 30.1, 1e6]), 1e-4
SQUARE = (Y - CENTER) ** 2

PAIRS = {
    "normal": (
        lambda: normal.log_density((Y - CENTER)[:, :, None], SCALE[:, None] ** 2),
        d.Normal(CENTER, SCALE[None]),
        Y,
    ),
    "student": (lambda: student.log_density(SQUARE, SCALE**2, DF), d.Student(DF[None], CENTER, SCALE[None]), Y),
    "hyperbolic": (
        lambda: hyperbolic.log_density(hyperbolic.length(SQUARE, CORNER), SCALE, CORNER),
        d.Hyperbolic(CENTER, SCALE[None], np.full((1, K), CORNER)),
        Y,
    ),
    "uniform": (lambda: uniform.log_density(Y, CENTER, SCALE), d.Uniform(CENTER, SCALE[None]), Y),
    "gamma": (lambda: gamma.log_density(POSITIVE, MEAN, DISPERSION), d.Gamma(MEAN, DISPERSION[None]), POSITIVE),
    "inverse gaussian": (
        lambda: inverse_gaussian.log_density(POSITIVE, MEAN, DISPERSION),
        d.InverseGaussian(MEAN, DISPERSION[None]),
        POSITIVE,
    ),
    "poisson": (lambda: poisson.log_mass(COUNTS, MEAN, CENTER), d.Poisson(MEAN), COUNTS),
    "negative binomial": (
        lambda: negative_binomial.log_mass(COUNTS, MEAN, CENTER, DISPERSION),
        d.NegativeBinomial(MEAN, DISPERSION[None]),
        COUNTS,
    ),
    "binomial": (
        lambda: binomial.log_mass(COUNTS, CENTER, np.full((N, 1), TRIALS)),
        d.Binomial(np.full((1, K), TRIALS), CENTER),
        COUNTS,
    ),
    "zero-truncated": (
        lambda: counts.truncated(poisson.log_mass(COUNTS + 1.0, MEAN, CENTER), poisson.log_mass(0.0, MEAN, CENTER)),
        d.ZeroTruncated(d.Poisson(MEAN)),
        COUNTS + 1.0,
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_functions_are_what_objects_say(name):
    function, dist, y = PAIRS[name]
    ours = function()
    assert ours.shape == (N, K)
    np.testing.assert_allclose(ours, dist.logpdf(y), rtol=1e-12, atol=1e-12)
    # the parameters of every row its own
    fields = [np.ascontiguousarray(np.broadcast_to(field, (N, K))) for field in dist._fields()]
    np.testing.assert_allclose(dist._new(fields, N).logpdf(y), ours, rtol=1e-12, atol=1e-12)


def test_student_is_scipys():
    df = np.array([0.5, 1.0, 7.0, 200.0])
    z = np.array([0.0, 0.3, 5.0, 1e4])[:, None]
    np.testing.assert_allclose(student.log_density(z**2, 1.0, df), stats.t(df).logpdf(z), rtol=1e-12)
    inverse = np.array([1e-6, 0.01, 0.0333, 0.0334, 0.5, 2.0])
    h = 1e-5 * inverse
    first, second = student.constant_derivatives(inverse)
    up, down = student.log_constant(inverse + h), student.log_constant(inverse - h)
    np.testing.assert_allclose((up - down) / (2 * h), first, rtol=1e-4)
    up, down = (student.constant_derivatives(inverse + s)[0] for s in (h, -h))
    np.testing.assert_allclose((up - down)[1:] / (2 * h[1:]), second[1:], rtol=1e-4)
    assert student.log_constant(0.0) == pytest.approx(stats.norm.logpdf(0.0), rel=1e-15)


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("n_outputs", [1, 2, 3])
def test_normal_of_several_outputs(n_outputs, full):
    residual = RNG.normal(size=(n_outputs, K, N)).T
    root = RNG.normal(size=(K, n_outputs, n_outputs))
    matrix = root @ root.swapaxes(1, 2) + np.eye(n_outputs)
    variance = matrix if full else np.diagonal(matrix, axis1=1, axis2=2)
    whole = matrix if full else matrix * np.eye(n_outputs)
    twin = [stats.multivariate_normal(np.zeros(n_outputs), S).logpdf(residual[:, k]) for k, S in enumerate(whole)]
    ours = normal.log_density(residual.copy(order="F"), variance)
    np.testing.assert_allclose(ours, np.transpose(twin), rtol=1e-12)
    assert ours.flags.f_contiguous


def test_log_rising():
    y, size = np.array([0.0, 1.0, 7.0, 300.0])[:, None], np.array([1e-3, 1.0, 49.0, 51.0, 1e4])
    whole = np.array([[np.log1p(np.arange(int(v)) / s).sum() for s in size] for v in y[:, 0]])
    np.testing.assert_allclose(negative_binomial.log_rising(y, size), whole, rtol=1e-10, atol=1e-12)
