"""When nothing is left to gain, and leaps over plain steps."""

import numpy as np
import pytest
from sklearn.base import clone

from hme import HMERegressor
from hme.experts import LinearExpert, PoissonExpert
from hme.fitting import guard

EXACT = LinearExpert(alpha=0.0, variance_prior=None)


@pytest.mark.parametrize("ratio", [0.9, 0.99, 0.9999])
def test_what_is_left_of_a_geometric_series(ratio):
    gains = 1e-3 * ratio ** np.arange(3)
    assert guard.remaining(gains) == pytest.approx(gains[-1] * ratio / (1 - ratio))


def test_nothing_is_known_on_a_plateau():
    for gains in ([1e-9, 2e-9], [1e-9, 2e-9, 1e-9], [2e-9, 1e-9, 3e-9], [1e-9, 1e-9, 1e-9]):
        assert guard.remaining(gains) == np.inf
    assert guard.remaining([1e-3, 0.0, 0.0]) == 0.0


def overlapping(n=400):
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (n, 1))
    return x, np.where(rng.random(n) < 0.4, 1.0 + x[:, 0], x[:, 0] - 0.5) + 0.7 * rng.normal(size=n)


def test_tol_is_what_is_left_to_gain():
    x, y = overlapping()
    settings = dict(n_experts=2, gate="constant", expert=EXACT, start="hyperplanes", random_state=0, max_iter=5000)
    best = HMERegressor(**settings, tol=1e-10).fit(x, y).lower_bounds_[-1]
    for tol in (1e-4, 1e-6):
        plain = HMERegressor(**settings, tol=tol, accelerate=False).fit(x, y)
        # A sweep that gains less than tol is long past: the old rule, the size of the last gain, stopped before.
        assert plain.converged_ and best - plain.lower_bounds_[-1] < 3 * tol


@pytest.mark.parametrize("family", ["linear", "poisson"])
def test_leaps_end_where_plain_steps_end_with_fewer_sweeps(family):
    x, y = overlapping()
    expert = EXACT if family == "linear" else PoissonExpert(alpha=0.0)
    y = y if family == "linear" else np.random.default_rng(1).poisson(np.exp(0.5 * y))
    settings = dict(n_experts=2, gate="constant", expert=expert, start="hyperplanes", random_state=0, max_iter=5000)
    plain, fast = (HMERegressor(**settings, tol=1e-8, accelerate=how).fit(x, y) for how in (False, True))
    assert fast.lower_bounds_[-1] == pytest.approx(plain.lower_bounds_[-1], abs=1e-7)
    assert fast.n_iter_ < 0.6 * plain.n_iter_
    assert (np.diff(fast.lower_bounds_) >= -1e-12).all() and not fast.history_.accepted.all()


@pytest.mark.parametrize("expert", ["linear", "constant"])
def test_leaps_do_not_depend_on_the_zero_of_y(expert):
    x, y = overlapping()
    model = HMERegressor(n_experts=2, gate="constant", expert=expert, start="hyperplanes", random_state=0, tol=1e-7)
    here, there = (clone(model).fit(x, y + shift) for shift in (0.0, 8.0))  # where all coefficients are positive
    assert not here.history_.accepted.all()
    np.testing.assert_allclose(there.predict(x) - 8.0, here.predict(x), rtol=0, atol=1e-9)
    np.testing.assert_allclose(there.lower_bounds_, here.lower_bounds_, rtol=0, atol=1e-10)


@pytest.mark.slow
def test_leaps_keep_constraints():
    x, y = overlapping()
    expert = LinearExpert(alpha=0.0, nonnegative=True)
    model = HMERegressor(n_experts=2, gate="constant", expert=expert, start="hyperplanes", random_state=0).fit(-x, y)
    assert (model.experts_.coef >= 0).all() and (model.experts_.coef == 0).any()


def test_accelerate_is_checked():
    x, y = overlapping(20)
    with pytest.raises(ValueError, match="accelerate must be one of True, False"):
        HMERegressor(accelerate="squarem").fit(x, y)
