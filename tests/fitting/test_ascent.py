"""A fit that has converged at a saddle is pushed off it."""

from itertools import product

import numpy as np
import pytest
from problems import few, representative
from saddles import NEGATIVE, ends

from hme import HMEClassifier, HMERegressor
from hme.estimators import starting
from hme.experts import BinomialExpert, LinearExpert, PoissonExpert
from hme.gates import SoftmaxGate
from hme.inference import infer

N = 400
RNG = np.random.default_rng(0)
X = RNG.uniform(-1, 1, (N, 1))
KIND = RNG.integers(0, 2, N)
MEAN = np.where(KIND, -1.0, 1.0) + X[:, 0]
EQUAL = np.full((N, 2), 0.5)


def target(family):
    rng = np.random.default_rng(1)
    if family == "poisson":
        return rng.poisson(np.exp(1.0 + MEAN))
    if family == "binomial":
        return rng.binomial(8, 1 / (1 + np.exp(-2 * MEAN)))
    if family == "gamma":
        return np.exp(MEAN) * rng.gamma(20.0, 0.05, N)
    return MEAN + 0.3 * rng.normal(size=N)


FAMILIES = {
    "linear": LinearExpert(alpha=0.0, variance_prior=None),
    "shared slope": LinearExpert(alpha=0.0, shared_coef=True),
    "constant": "constant",
    "student": "student",
    "laplace": "laplace",
    "poisson": PoissonExpert(alpha=0.0),
    "gamma": "gamma",
    "binomial": BinomialExpert(alpha=0.0),
}


@pytest.mark.parametrize(
    "family, gate", few(representative(product(FAMILIES, ["constant", "softmax", "gaussian"]), every=2), 6)
)
def test_equal_experts_part(family, gate):
    """From responsibilities that are all equal, a fixed point of EM, the fit comes as far as from the true classes."""
    y, rows = target(family), {"trials": 8} if family == "binomial" else {}
    settings = dict(n_experts=2, gate=gate, expert=FAMILIES[family], max_iter=2000)
    stuck = HMERegressor(start=EQUAL, **settings).fit(X, y, **rows)
    best = HMERegressor(start=KIND, **settings).fit(X, y, **rows)
    assert stuck.converged_ and stuck.lower_bounds_[-1] > best.lower_bounds_[-1] - 1e-3


def test_groups_part_as_wholes():
    groups = np.arange(N) // 4
    kind = np.random.default_rng(0).integers(0, 2, N // 4)[groups]
    y = np.where(kind, -1.0, 1.0) * X[:, 0] + 0.3 * RNG.normal(size=N)
    settings = dict(n_experts=2, gate="constant", expert=FAMILIES["linear"])
    stuck = HMERegressor(start=EQUAL, **settings).fit(X, y, groups=groups)
    best = HMERegressor(start=kind, **settings).fit(X, y, groups=groups)
    assert stuck.lower_bounds_[-1] > best.lower_bounds_[-1] - 1e-3


def test_logistic_experts_part():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N, 2))
    labels = (X[:, 0] * X[:, 1] + 0.1 * rng.normal(size=N) > 0).astype(int)
    settings = dict(n_experts=2, random_state=0)
    stuck = HMEClassifier(start=EQUAL, **settings).fit(X, labels)
    assert stuck.lower_bounds_[-1] > HMEClassifier(n_experts=1).fit(X, labels).lower_bounds_[-1] + 0.2


def test_one_class_stays_at_one_expert():
    """Where there is nothing to find, a push leads back, and the fit has converged."""
    y = X[:, 0] + 0.3 * np.random.default_rng(3).normal(size=N)
    one, two = (HMERegressor(n_experts=k, gate="constant", expert=FAMILIES["linear"]).fit(X, y) for k in (1, 2))
    assert two.converged_ and 0 <= two.lower_bounds_[-1] - one.lower_bounds_[-1] < 10 / N


def test_a_saddle_that_no_sweep_is_left_for_is_named():
    settings = dict(n_experts=2, gate="constant", expert=FAMILIES["linear"], start=EQUAL)
    needed = HMERegressor(**settings).fit(X, target("linear")).n_iter_
    with pytest.warns(match="saddle|max_iter"):
        model = HMERegressor(**settings, max_iter=min(4, needed - 1)).fit(X, target("linear"))
    assert not model.converged_


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_direction_of_ascent_that_no_push_finds_is_gone(monkeypatch):
    rng, n = np.random.default_rng(22), 150
    X = rng.uniform(-1, 1, (n, 2))
    kind = rng.random(n) < 1 / (1 + np.exp(-2 * X[:, 0]))
    eta = np.where(kind, 1 + X[:, 1], -1 - X[:, 1])
    rng.normal(size=n), rng.gamma(2, 0.5, n)
    y = rng.poisson(np.exp(0.7 * eta)).astype(float)
    settings = dict(expert=FAMILIES["poisson"], gate=SoftmaxGate(alpha=0.0), start="labels", random_state=22)
    model = HMERegressor(n_experts=3, **settings).fit(X, y)
    monkeypatch.setattr(starting.Uphill, "way_up", lambda *arguments, **named: None)
    pushed = HMERegressor(n_experts=3, **settings).fit(X, y)
    assert pushed.converged_ and ends(pushed, X, y, {})["least"] < NEGATIVE
    assert model.converged_ and ends(model, X, y, {})["least"] > NEGATIVE
    assert n * (model.lower_bounds_[-1] - pushed.lower_bounds_[-1]) > 1.0


# -- the exact maximum -------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:.*the dispersion of expert:sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("expert", few(["linear", "student", "poisson", "negative_binomial", "gamma"], 3))
def test_newton_steps_end_a_fit_at_its_maximum(expert):
    rng = np.random.default_rng(0)
    X, second = rng.normal(size=(400, 2)), rng.random(400) < 0.5
    mean = np.where(second, 1.5 + 0.5 * X[:, 0], -0.5 * X[:, 1])
    draws = {"linear": mean + 0.7 * rng.normal(size=400), "student": mean + 0.5 * rng.standard_t(4, size=400)}
    y = draws.get(expert, rng.poisson(np.exp(mean) * rng.gamma(2.0, 0.5, size=400)) + (expert == "gamma"))
    settings = {"n_experts": 2, "gate": "constant", "expert": expert, "start": "residuals", "random_state": 0}
    model, seen = HMERegressor(**settings), []
    model.set_params(callback=lambda sweep, *_: seen.append(sweep)).fit(X, y)
    assert model.converged_ and (np.diff(model.lower_bounds_) >= -1e-12).all()
    assert seen == np.flatnonzero(model.history_.accepted).tolist() and model.history_.gradient[-1] < 1e-6
    assert infer(model, X, y).distance < 1e-3
    tight = HMERegressor(**settings, tol=1e-12, max_iter=20_000).fit(X, y)
    assert model.lower_bounds_[-1] == pytest.approx(tight.lower_bounds_[-1], abs=1e-10)
