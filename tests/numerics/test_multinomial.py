"""Wide banks of multinomial logits: the least diagonal bound, over-relaxed steps, the maximum they reach."""

import numpy as np
import pytest

from hme.numerics import multinomial


def draw_bank(seed, Q=2, C=9, p=16, n=150, scale=1.0):
    """Design, coefficients, soft targets with row weights; more slots than are solved together."""
    rng = np.random.default_rng(seed)
    X = np.column_stack([rng.normal(size=(n, p - 1)), np.ones(n)])
    coef = scale * rng.normal(size=(Q, C, p))
    coef -= coef.mean(axis=1, keepdims=True)
    target = rng.dirichlet(np.full(C, 0.3), (n, Q)) * rng.uniform(0.2, 2.0, (n, 1, 1))
    assert C * p > multinomial.EXACT_SIZE
    return X, coef, target, np.append(np.full(p - 1, 0.1), 0.0)


def naive_q(coef, X, target, penalty):
    """Q of every system, eq. (logit-objective)."""
    q = np.empty(len(coef))
    for system, v in enumerate(coef):
        scores = X @ v.T
        log_g = scores - np.log(np.exp(scores - scores.max(axis=1, keepdims=True)).sum(axis=1, keepdims=True))
        log_g -= scores.max(axis=1, keepdims=True)
        q[system] = (target[:, system] * log_g).sum() - 0.5 * ((v**2) @ penalty).sum()
    return q


def bound_of(g):
    return g * multinomial._bound_factor(g[None, None])[0, 0]


@pytest.mark.parametrize("concentration", [0.02, 0.3, 2.0])
def test_diagonal_bound_is_a_bound(concentration):
    rng = np.random.default_rng(0)
    for C in (2, 3, 7):
        for g in rng.dirichlet(np.full(C, concentration), 100):
            assert np.linalg.eigvalsh(np.diag(bound_of(g)) - np.diag(g) + np.outer(g, g)).min() > -1e-14


def test_no_diagonal_bound_has_less_trace():
    # A diagonal bound D has trace(D) = sum_i z_i' D z_i >= sum_i z_i' H z_i for any z_i with sum_i z_i z_i' of unit
    # diagonal: where one such set meets the trace, D has the least.
    rng = np.random.default_rng(1)
    decided = undecided = 0
    for g in rng.dirichlet(np.ones(3), 200):
        hessian = np.diag(g) - np.outer(g, g)
        top = g.argmax()
        if g[top] > 0.5:
            z = np.where(np.arange(3) == top, 1.0, -1.0)[None]
            decided += 1
        else:  # three arrows of lengths g that close to a triangle
            a, b, c = g
            turn_b = np.pi - np.arccos((a**2 + b**2 - c**2) / (2 * a * b))
            turn_c = -np.pi + np.arccos((a**2 + c**2 - b**2) / (2 * a * c))
            angle = np.array([0.0, turn_b, turn_c])
            z = np.stack([np.cos(angle), np.sin(angle)])
            undecided += 1
        np.testing.assert_allclose((z**2).sum(axis=0), 1.0)
        np.testing.assert_allclose(bound_of(g).sum(), np.einsum("ij,jk,ik->", z, hessian, z), atol=1e-12)
    assert min(decided, undecided) > 20


@pytest.mark.parametrize("relaxation", [1.0, 1.8, 2.0])
@pytest.mark.parametrize("scale", [0.01, 0.3, 3.0])
def test_over_relaxed_step_keeps_its_promise(scale, relaxation):
    X, coef, target, penalty = draw_bank(3, scale=scale)
    stats = multinomial.statistics(multinomial.log_probability(coef, X), X, target)
    step, decrement = multinomial.newton_step(coef, stats, penalty)
    step *= relaxation
    D = np.ptp(np.einsum("np,qcp->nqc", X, step), axis=2).max(axis=0)
    t = np.log1p(D) / D
    promised = relaxation * decrement * (D * np.log1p(D) - relaxation * (D - np.log1p(D))) / D**2
    gain = naive_q(coef + t[:, None, None] * step, X, target, penalty) - naive_q(coef, X, target, penalty)
    assert (promised >= 0).all()
    assert (gain >= promised - 1e-10).all()


@pytest.mark.parametrize("alpha", [0.0, 0.1])
@pytest.mark.parametrize("seed", range(4))
def test_q_of_wide_systems_does_not_fall(seed, alpha):
    X, coef, target, penalty = draw_bank(seed)
    moment = multinomial.second_moment(X, target[:, 0].sum(axis=1))
    q = naive_q(coef, X, target, alpha * penalty)
    for _ in range(30):
        stats = multinomial.statistics(multinomial.log_probability(coef, X), X, target)
        coef = multinomial.guarded_step(coef, stats, alpha * penalty, 0.0, moment)
        q, before = naive_q(coef, X, target, alpha * penalty), q
        assert (q >= before - 1e-10 * len(X)).all()
    np.testing.assert_allclose(coef.sum(axis=1), 0.0, atol=1e-10)


@pytest.mark.slow
def test_wide_and_exact_steps_reach_the_same_maximum(monkeypatch):
    X, coef, target, penalty = draw_bank(5)
    moment = multinomial.second_moment(X, target[:, 0].sum(axis=1))
    reached = []
    for size, sweeps in ((multinomial.EXACT_SIZE, 200), (10**6, 12)):
        monkeypatch.setattr(multinomial, "EXACT_SIZE", size)
        v = coef
        for _ in range(sweeps):
            stats = multinomial.statistics(multinomial.log_probability(v, X), X, target)
            v = multinomial.guarded_step(v, stats, penalty, 0.0, moment)
        reached.append(v)
    np.testing.assert_allclose(reached[0], reached[1], atol=1e-7)


def test_unused_slots_of_wide_systems_stay_out():
    X, coef, target, penalty = draw_bank(6)
    used = np.ones(coef.shape[:2], dtype=bool)
    used[1, 7:] = False
    coef[~used], target[:, ~used] = 0.0, 0.0
    moment = multinomial.second_moment(X, target[:, 0].sum(axis=1))
    stats = multinomial.statistics(multinomial.log_probability(coef, X, used), X, target)
    new = multinomial.guarded_step(coef, stats, penalty, 0.0, moment, used)
    assert (new[~used] == 0.0).all()
    alone = multinomial.statistics(multinomial.log_probability(coef[1:, :7], X), X, target[:, 1:, :7])
    np.testing.assert_allclose(
        new[1, :7], multinomial.guarded_step(coef[1:, :7], alone, penalty, 0.0, moment)[0], atol=1e-10
    )


@pytest.mark.parametrize("C", [2, 3, 9])
def test_a_class_without_rows_settles_and_damps_no_step(C):
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.normal(size=(50, 3)), np.ones(50)])
    penalty = np.array([0.1, 0.1, 0.1, 0.0])
    coef = 0.3 * rng.normal(size=(1, C, 4))
    coef[:, 0, -1] = -40.0  # its probability is 1e-18, and falls with every step
    target = np.append(np.zeros((50, 1, 1)), rng.dirichlet(np.ones(C - 1), (50, 1)), axis=2)
    steps = []
    for order in (np.arange(50), np.arange(50)[::-1]):
        stats = multinomial.statistics(multinomial.log_probability(coef, X[order]), X[order], target[order])
        steps.append(multinomial.newton_step(coef, stats, penalty)[0])
    np.testing.assert_allclose(steps[1], steps[0], rtol=0, atol=1e-12)
    assert abs(steps[0][0, :, -1]).max() < 3.0
