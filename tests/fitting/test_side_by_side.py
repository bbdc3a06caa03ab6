"""Fits of small tables side by side: each ends where it ends by itself."""

import numpy as np
import pytest

from hme import HMEClassifier, HMERegressor
from hme.fitting import side_by_side
from hme.model.bank import Bank

RNG = np.random.default_rng(0)
X = RNG.uniform(-2, 2, (80, 2))
Y = np.where(X[:, 0] > 0, 1.0 + X[:, 1], -X[:, 1]) + 0.3 * RNG.normal(size=80)


def one_by_one(monkeypatch):
    monkeypatch.setattr(side_by_side, "together", lambda *given: False)


@pytest.mark.parametrize("n_finalists", ["auto", None])
@pytest.mark.parametrize(
    "model, y",
    [
        (HMERegressor(n_experts=3), Y + (X[:, 1] > 1)),
        (HMERegressor(n_experts=2, gate="constant", expert="poisson"), np.rint(np.exp(0.5 * Y))),
        (HMEClassifier(depth=1), Y > 0.5),
    ],
    ids=["linear", "poisson", "classes"],
)
def test_every_start_ends_as_by_itself(monkeypatch, model, y, n_finalists):
    steps, e_step = [], Bank.e_step
    monkeypatch.setattr(Bank, "e_step", lambda self, params, n: steps.append(n) or e_step(self, params, n))
    model.set_params(n_init=4, random_state=3, n_finalists=n_finalists)
    together = model.fit(X, y)
    assert max(steps) == len(together.restarts_) >= 4
    found, course = list(together.restarts_), together.history_
    one_by_one(monkeypatch)
    alone = model.fit(X, y)
    for a, b in zip(found, alone.restarts_, strict=True):
        assert (a.start, a.n_iter, a.reason, a.kept) == (b.start, b.n_iter, b.reason, b.kept)
        assert a.objective == pytest.approx(b.objective, abs=1e-11)
    np.testing.assert_allclose(course.objective, alone.history_.objective, rtol=0, atol=1e-10)
    np.testing.assert_array_equal(course.accepted, alone.history_.accepted)


def test_a_step_that_fails_harms_no_other(monkeypatch):
    m_step, failed = Bank.m_step, []

    def fails_together(self, params, seen, n):
        if n > 1 and not failed:
            failed.append(n)
            raise np.linalg.LinAlgError
        return m_step(self, params, seen, n)

    model = HMERegressor(n_experts=2, n_init=3, start="labels", random_state=0)
    expected = [one.objective for one in model.fit(X, Y).restarts_]
    monkeypatch.setattr(Bank, "m_step", fails_together)
    assert [one.objective for one in model.fit(X, Y).restarts_] == pytest.approx(expected, abs=1e-11)
    assert failed == [3]


def test_starts_that_are_watched_run_one_after_the_other(monkeypatch):
    monkeypatch.setattr(side_by_side, "begin_together", None)  # which pushes off a saddle do without
    seen = []
    model = HMERegressor(
        n_experts=2, n_init=3, start="labels", random_state=0, callback=lambda *step: seen.append(step)
    )
    assert len(seen) == 0 and len(model.fit(X, Y).restarts_) == 3 and len(seen) > 10


def test_groups_are_small_enough_for_the_cache():
    groups = side_by_side.groups_of(list(range(10)), 1000, 16)
    assert sum(groups, []) == list(range(10)) and max(map(len, groups)) * 16000 <= side_by_side.LARGEST
    assert side_by_side.groups_of([1, 2], 10**6, 4) == [[1], [2]]
