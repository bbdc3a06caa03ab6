"""Kernels against naive loops."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.special import logsumexp, softmax

from hme.numerics import kernels, multinomial, systems


@pytest.mark.parametrize("p, q", [(1, 1), (3, 2), (3, 9), (6, 4), (2, 0)])
@pytest.mark.parametrize("form", [np.ascontiguousarray, np.asfortranarray, sp.csr_matrix, sp.csr_array])
def test_weighted_gram(p, q, form):
    rng = np.random.default_rng(p + q)
    X, W = rng.normal(size=(17, p)), rng.random((17, q))
    naive = np.zeros((q, p, p))
    for k in range(q):
        for n in range(17):
            naive[k] += W[n, k] * np.outer(X[n], X[n])
    np.testing.assert_allclose(kernels.weighted_gram(form(X), W), naive, atol=1e-13)
    np.testing.assert_allclose(kernels.weighted_gram(form(X), np.asfortranarray(W)), naive, atol=1e-13)


@pytest.mark.parametrize("order", "CF")
def test_log_normalize(order):
    rng = np.random.default_rng(0)
    log_joint = np.array(300.0 * rng.normal(size=(50, 4)), order=order)
    log_joint[3, 1] = -np.inf
    expected = logsumexp(log_joint, axis=1), softmax(log_joint, axis=1)
    log_density, resp = kernels.log_normalize(log_joint)
    np.testing.assert_allclose(log_density, expected[0], rtol=1e-13)
    np.testing.assert_allclose(resp, expected[1], atol=1e-15)
    assert np.shares_memory(resp, log_joint)


def test_moments_of_dense_and_sparse():
    rng = np.random.default_rng(0)
    X, weight = rng.normal(3.0, 2.0, size=(40, 3)) * (rng.random((40, 3)) < 0.5), rng.random(40)
    mean = np.average(X, axis=0, weights=weight)
    std = np.sqrt(np.average((X - mean) ** 2, axis=0, weights=weight))
    for form in (np.asarray, sp.csr_matrix):
        got = kernels.moments(form(X), weight)
        np.testing.assert_allclose(got[0], mean)
        np.testing.assert_allclose(got[1], std)


def test_solve_psd_is_the_inverse_where_there_is_one():
    rng = np.random.default_rng(0)
    root = rng.normal(size=(5, 4, 7))
    A, b = root @ root.swapaxes(1, 2), rng.normal(size=(5, 4, 2))
    np.testing.assert_allclose(systems.solve_psd(A, b), np.linalg.solve(A, b), rtol=1e-8)


def test_solve_psd_ignores_units():
    rng = np.random.default_rng(0)
    root, b = rng.normal(size=(3, 5)), rng.normal(size=(3, 1))
    A, units = root @ root.T, np.array([1e-8, 1.0, 1e8])
    scaled = systems.solve_psd(A * units * units[:, None], b * units[:, None])
    np.testing.assert_allclose(scaled * units[:, None], systems.solve_psd(A, b), rtol=1e-10)


def test_solve_psd_takes_no_step_in_null_directions():
    A = np.array([[[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 0.0]]])
    np.testing.assert_allclose(systems.solve_psd(A, np.array([[[2.0], [2.0], [5.0]]]))[0, :, 0], [1.0, 1.0, 0.0])


@pytest.mark.parametrize("C", [2, 3, 5])
def test_log_probability_is_log_softmax(C):
    rng = np.random.default_rng(C)
    X, coef = rng.normal(size=(30, 3)), 4 * rng.normal(size=(2, C, 3))
    scores = np.einsum("np,qcp->nqc", X, coef)
    expected = scores - logsumexp(scores, axis=2, keepdims=True)
    np.testing.assert_allclose(multinomial.log_probability(coef, X), expected, atol=1e-12)


def test_log_probability_leaves_out_unused_slots():
    rng = np.random.default_rng(0)
    X, coef = rng.normal(size=(30, 3)), rng.normal(size=(1, 3, 3))
    coef[0, 2] = 0.0
    used = np.array([[True, True, False]])
    got = multinomial.log_probability(coef, X, used)
    np.testing.assert_allclose(got[:, :, :2], multinomial.log_probability(coef[:, :2], X), atol=1e-13)
    assert (got[:, 0, 2] == -np.inf).all()


@pytest.mark.parametrize("C, p", [(2, 2), (2, 40), (3, 2), (6, 2), (3, 40), (6, 20)])
def test_hessian_is_exact_or_a_bound(C, p):
    rng = np.random.default_rng(C)
    n = 25
    X, coef = rng.normal(size=(n, p)), 3 / p * rng.normal(size=(1, C, p))
    coef -= coef.mean(axis=1, keepdims=True)
    target = rng.dirichlet(np.ones(C), n)[:, None, :] * rng.uniform(0.5, 2.0, (n, 1, 1))
    log_probability = multinomial.log_probability(coef, X)
    stats = multinomial.statistics(log_probability, X, target)
    g, t = np.exp(log_probability[:, 0]), target.sum(axis=(1, 2))
    naive = np.zeros((C * p, C * p))
    for i in range(n):
        naive += t[i] * np.kron(np.diag(g[i]) - np.outer(g[i], g[i]), np.outer(X[i], X[i]))
    ours = multinomial.hessian(stats.curvature, C).reshape(C * p, C * p)
    if C == 2 or C * p <= multinomial.EXACT_SIZE:
        np.testing.assert_allclose(ours, naive, atol=1e-12)
    else:
        assert np.linalg.eigvalsh(ours - naive).min() > -1e-10


@pytest.mark.parametrize("C", [2, 3, 5])
def test_newton_step_solves_the_penalised_system(C):
    rng = np.random.default_rng(C)
    X, coef = rng.normal(size=(40, 3)), rng.normal(size=(2, C, 3))
    coef -= coef.mean(axis=1, keepdims=True)
    target = rng.dirichlet(np.ones(C), (40, 2))
    penalty = np.array([0.3, 0.3, 0.0])
    stats = multinomial.statistics(multinomial.log_probability(coef, X), X, target)
    step, decrement = multinomial.newton_step(coef, stats, penalty)
    gradient = multinomial.objective_gradient(coef, stats, penalty)
    for q in range(2):
        system = multinomial.hessian(stats.curvature, C)[q].reshape(3 * C, 3 * C) + np.diag(np.tile(penalty, C))
        np.testing.assert_allclose(system @ step[q].ravel(), gradient[q].ravel(), atol=1e-10)
        np.testing.assert_allclose(decrement[q], step[q].ravel() @ system @ step[q].ravel())


def test_clip_spectrum_is_the_constrained_maximum():
    # Any covariance F^1/2 (I + A A') F^1/2 respects the floor; none has a greater likelihood than the clipped one.
    rng = np.random.default_rng(0)
    floor = np.array([0.1, 2.0, 30.0])
    root = rng.normal(size=(4, 3, 3)) * np.sqrt(floor)[:, None] * np.array([0.05, 0.7, 3.0])
    S = root @ root.swapaxes(1, 2)
    clipped = systems.clip_spectrum(S, floor)
    units = np.sqrt(np.outer(floor, floor))
    before, after = np.linalg.eigvalsh(S / units), np.linalg.eigvalsh(clipped / units)
    assert (before < 1).any() and (before > 1).any()
    np.testing.assert_allclose(np.sort(np.maximum(before, 1.0)), after, rtol=1e-12)

    def likelihood(covariance):
        return -np.linalg.slogdet(covariance)[1] - np.trace(np.linalg.solve(covariance, S), axis1=1, axis2=2)

    best = likelihood(clipped)
    for size in (0.01, 0.1, 1.0):
        for _ in range(50):
            step = rng.normal(size=(4, 3, 3)) * size
            other = (step @ step.swapaxes(1, 2) + np.eye(3)) * units
            assert (likelihood(other) <= best + 1e-12).all()
            near = clipped + 0.1 * (other - clipped)  # the admissible set is convex
            assert (likelihood(near) <= best + 1e-12).all()


def test_clip_spectrum_leaves_what_respects_the_floor():
    S = np.array([[[2.0, 0.5], [0.5, 1.0]]])
    np.testing.assert_array_equal(systems.clip_spectrum(S, np.array([0.1, 0.1])), S)
    np.testing.assert_allclose(systems.clip_spectrum(np.zeros((2, 2)), np.array([0.1, 3.0])), np.diag([0.1, 3.0]))
    assert systems.clip_spectrum(np.zeros((2, 0, 0)), np.zeros(0)).shape == (2, 0, 0)
