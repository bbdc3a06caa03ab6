"""What else than its size a growing tree chooses."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import Ridge
from sklearn.metrics import log_loss

from hme import HMEClassifier, HMERegressor
from hme.experts import LogisticExpert
from hme.growing.path import ONE_BY_ONE

SPLINES, BORDERS = {"expert_features": "splines"}, {"gate_features": "splines"}


def waves(n=300, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.uniform(-2, 2, (n, 2))
    return X, np.sin(2 * X[:, 0]) + 0.5 * X[:, 1] + 0.1 * rng.normal(size=n)


@pytest.fixture(scope="module")
def bent():
    X, y = waves()
    return HMERegressor(max_experts=2).fit(X, y), X, y


def test_curves_are_bent_and_lines_are_not(bent):
    model, X, y = bent
    assert model.candidates_ == [{}, BORDERS, SPLINES, SPLINES | BORDERS] and model.candidate_ == SPLINES
    assert list(model.columns_.expert.design.names) == [f"s(x{j}).{i}" for j in range(2) for i in range(1, 5)]
    assert list(model.columns_.gate.design.names) == ["x0", "x1"]
    line = HMERegressor(max_experts=2).fit(X, X[:, 0] + np.random.default_rng(0).normal(size=300))
    assert line.candidate_ == {} and line.n_experts_ == 1


def test_borders_bend_where_this_helps():
    rng = np.random.default_rng(0)
    X = rng.uniform(-2, 2, (400, 2))
    inside = (X**2).sum(axis=1) < 2.0
    model = HMERegressor(max_experts=3).fit(X, np.where(inside, 2 * X[:, 0], -X[:, 1]) + 0.1 * rng.normal(size=400))
    assert model.candidate_ == BORDERS and model.n_experts_ == 2
    assert list(model.columns_.gate.design.names) == [f"s(x{j}).{i}" for j in range(2) for i in range(1, 5)]


def test_heats_end_behind_the_best_borders():
    X, y = waves()
    steps = HMERegressor(max_experts=20).fit(X, y).growth_
    last = [max(step.n_experts for step in steps if step.candidate == c) for c in range(4)]
    assert min(last[:2]) <= ONE_BY_ONE < max(last[:2]) or min(last[2:]) <= ONE_BY_ONE < max(last[2:]), last


def test_splines_are_named_after_the_columns_of_a_frame(bent):
    model, X, y = bent
    frame = pd.DataFrame(X, columns=["depth", "age"])
    named = HMERegressor(max_experts=2).fit(frame, y)
    assert list(named.columns_.expert.design.names)[:2] == ["s(depth).1", "s(depth).2"]
    scores = [[step.score for step in one.growth_] for one in (named, model)]
    np.testing.assert_allclose(*scores, rtol=1e-9)
    np.testing.assert_allclose(named.predict(frame), model.predict(X), atol=1e-3)  # where EM ends depends on rounding


def test_a_clone_as_fitted_and_a_warm_start_have_the_columns_of_the_tree(bent):
    model, X, y = bent
    again = clone(model).set_params(**model.as_fitted()).fit(X, y)
    assert again.n_experts_ == model.n_experts_
    assert again.log_likelihood(X, y).mean() == pytest.approx(model.log_likelihood(X, y).mean(), abs=0.02)
    warm = clone(model).set_params(warm_start=True).fit(X, y)
    before = warm.log_likelihood(X, y).mean()
    warm.fit(X, y)
    assert warm.candidate_ == SPLINES and warm.log_likelihood(X, y).mean() >= before - 1e-6


def test_what_is_set_after_a_fit_comes_before_its_candidate_in_a_warm_start():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 12))
    y = X[:, 0] + rng.normal(size=60) > 0
    strong = {"expert": LogisticExpert(alpha=10.0, shrink_to="zero")}
    model = HMEClassifier(warm_start=True, max_experts=2, candidates=[strong], average=False).fit(X, y)
    assert model.fit(X, y).candidate_["expert"] is strong["expert"]
    model.set_params(candidates="auto", expert=LogisticExpert(alpha=0.5, shrink_to="zero")).fit(X, y)
    assert model.candidate_ == {} and model.model_.expert.alpha == 0.5


def test_nothing_else_is_tried_where_the_user_has_said_what_experts_are():
    X, y = waves(100)
    squares = {"expert_features": "squares", "gate_features": "squares"}
    for settings in ({"candidates": None}, {"expert": "linear"}, squares):
        model = HMERegressor(max_experts=1, **settings)
        assert model.fit(X, y).candidates_ == [{}] and model.candidate_ == {}
    assert HMERegressor(max_experts=1, expert_features="squares").fit(X, y).candidates_ == [{}, BORDERS]
    assert HMERegressor(max_experts=1, gate_features="squares").fit(X, y).candidates_ == [{}, SPLINES]
    assert HMERegressor(max_experts=1, gate="gaussian").fit(X, y).candidates_ == [{}, SPLINES]
    assert HMEClassifier(max_experts=1, expert="logistic").fit(X, y > 0).candidates_ == [{}]
    assert HMERegressor(max_experts=1).fit(X[:60], y[:60]).candidates_ == [{}]  # too few rows for eight columns
    assert HMERegressor(max_experts=1).fit(X > 0, y).candidates_ == [{}]  # nothing to bend


def test_families_of_noise_are_compared():
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (300, 1))
    y = X[:, 0] + 0.1 * rng.standard_t(2, 300)
    model = HMERegressor(max_experts=2, candidates=[{}, {"expert": "student"}]).fit(X, y)
    assert model.candidate_ == {"expert": "student"}
    best = [max(step.score for step in model.growth_ if step.candidate == number) for number in (0, 1)]
    assert best[1] > best[0] + 0.05
    dist = model.predict_dist(X[:5])
    assert np.isfinite(dist.logpdf(y[:5])).all()


def test_columns_of_the_gate_are_compared():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.uniform(-1, 1, (200, 3)), columns=["a", "b", "kind"])
    y = np.where(frame["kind"] > 0, frame["a"], 2 - frame["a"]) + 0.1 * rng.normal(size=200)
    model = HMERegressor(max_experts=2, candidates=[{"gate_features": ["kind"]}, {"gate_features": ["b"]}]).fit(
        frame, y
    )
    assert model.candidate_ == {"gate_features": ["kind"]} and model.n_experts_ == 2
    assert np.sqrt(np.mean((model.predict(frame) - y) ** 2)) < 0.2


@pytest.mark.parametrize(
    "settings, error, text",
    [
        ({"candidates": []}, TypeError, "candidates"),
        ({"candidates": "all"}, TypeError, "candidates = 'all'"),
        ({"candidates": [{"alpha": 1.0}]}, ValueError, r"candidates\[0\] = {'alpha': 1.0}"),
        ({"candidates": [{}, {"expert": Ridge()}]}, ValueError, r"candidates\[1\].*no tree that grows"),
        ({"candidates": [{}, {"expert": "poisson"}]}, ValueError, r"candidates\[1\].*poisson"),
        ({"candidates": [{}], "depth": 1}, ValueError, "candidates"),
        ({"candidates": [{"expert": "poisson"}, {}]}, ValueError, r"candidates\[1\] = {}.*Compare counts with counts"),
    ],
)
def test_refusals_name_the_candidate(settings, error, text):
    X, y = waves(60)
    y = np.round(np.abs(y)) if "counts" in text else y
    with pytest.raises(error, match=text):
        HMERegressor(max_experts=None, **settings).fit(X, y)


def test_nearly_separated_classes_get_a_strong_penalty():
    X, y = load_breast_cancer(return_X_y=True)
    train, test = np.arange(len(y)) % 3 != 0, np.arange(len(y)) % 3 == 0
    model, weak = (HMEClassifier(max_experts=1, candidates=c).fit(X[train], y[train]) for c in ("auto", None))
    assert model.candidates_[0] == {} and [c["expert"].alpha for c in model.candidates_[1:]] == [1.0, 10.0, "ard"]
    assert model.candidate_["expert"].alpha == 1.0
    loss, of_weak = (log_loss(y[test], own.predict_proba(X[test])) for own in (model, weak))
    assert loss < 0.8 * of_weak
    again = clone(model).set_params(**model.as_fitted()).fit(X[train], y[train])
    np.testing.assert_allclose(again.experts_.coef, model.experts_.coef, rtol=1e-4, atol=1e-5)


def test_with_many_columns_each_may_have_a_strength_of_its_own():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(520, 10))
    y = np.where(X[:, 1] > 0, 1.0, -1.0) * (1.0 + X[:, 0]) + 0.3 * rng.normal(size=520)
    model = HMERegressor(max_experts=4).fit(X[:310], y[:310])
    words = [(c.get("expert_features"), c["expert"].alpha, c["gate"].alpha) for c in model.candidates_[1:]]
    assert model.candidates_[0] == {} and words == [(None, "ard", "ard")]  # too few rows for ten times four columns
    assert model.candidate_["expert"].alpha == "ard" and model.alpha_["gate"].argmin() == 1
    assert np.sqrt(np.mean((model.predict(X[310:]) - y[310:]) ** 2)) < 0.4
    bent = HMERegressor(max_experts=1).fit(X, y).candidates_
    assert [set(changes) for changes in bent] == [set(), {"expert", "gate"}, {"expert", "gate", "expert_features"}]
    for few in (X[:60, :9], np.column_stack([X[:60, :9], np.ones(60)])):  # a constant column is none
        assert HMERegressor(max_experts=1).fit(few, y[:60]).candidates_ == [{}]
    classes = HMEClassifier(max_experts=1, gate="constant").fit(X[:60], y[:60] > 0).candidates_
    assert [set(changes) for changes in classes] == [set(), {"expert"}, {"expert"}, {"expert"}]
    assert classes[-1]["expert"].alpha == "ard"
