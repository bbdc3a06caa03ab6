"""Hard and stochastic EM, beside EM: what a sweep makes of the joint density."""

from itertools import product

import joblib
import numpy as np
import pytest
from problems import few, representative, slow_case
from sklearn.base import clone

from hme import HMEClassifier, HMERegressor
from hme.experts import LinearExpert
from hme.fitting.algorithms import ALGORITHMS, drawn, hard
from hme.numerics.kernels import log_normalize

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(5)
N = 240
X = RNG.uniform(-2, 2, size=(N, 2))
SIDE = RNG.random(N) < 0.5
Y = np.where(SIDE, 1 + 2 * X[:, 0], -1 - X[:, 0]) + 0.3 * RNG.normal(size=N)
CLASSES = np.where(X[:, 0] * X[:, 1] + 0.3 * RNG.normal(size=N) > 0, "a", "b")
LOG_JOINT = np.log(RNG.dirichlet(np.ones(4), size=2000)) - RNG.exponential(size=(2000, 1))


def test_hard_gives_all_to_the_most_probable_leaf():
    best, resp = hard(LOG_JOINT.copy())
    np.testing.assert_array_equal(best, LOG_JOINT.max(axis=1))
    np.testing.assert_array_equal(resp, np.eye(4)[LOG_JOINT.argmax(axis=1)])
    best, resp = hard(np.array([[-1.0, -1.0], [-np.inf, -np.inf]]))  # the first among equals; nobody
    np.testing.assert_array_equal(resp, [[1, 0], [0, 0]])


def test_draws_follow_the_responsibilities():
    log_density, resp = log_normalize(LOG_JOINT.copy())
    total = 0.0
    posterior = drawn(np.random.default_rng(0))
    for _ in range(200):
        seen, one = posterior(LOG_JOINT.copy())
        np.testing.assert_array_equal(seen, log_density)
        assert ((one == 0) | (one == 1)).all() and (one.sum(axis=1) == 1).all()
        total = total + one
    error = (total / 200 - resp) / np.sqrt(np.maximum(resp * (1 - resp), 1e-12) / 200)
    assert abs(error.mean()) < 0.05 and error[(resp > 0.1) & (resp < 0.9)].std() == pytest.approx(1.0, abs=0.05)
    excluded = np.array([[-np.inf, 0.0, -np.inf]] * 1000)
    np.testing.assert_array_equal(drawn(np.random.default_rng(1))(excluded.copy())[1], [[0, 1, 0]] * 1000)


@pytest.mark.parametrize(
    "expert, gate",
    representative(product(["linear", "student", "constant"], ["softmax", "constant", "gaussian"]), every=4),
)
def test_the_classification_likelihood_does_not_fall(expert, gate):
    model = HMERegressor(n_experts=3, expert=expert, gate=gate, algorithm="hard").fit(X, Y)
    assert np.diff(model.lower_bounds_).min(initial=0.0) >= -1e-12 and model.converged_
    rows, _ = model.observed_rows(X, Y)
    if gate != "gaussian":
        best = model.model_.log_joint(model.params_, rows).max(axis=1)
        expected = (best.sum() + model.model_.log_prior_density(model.params_)) / N
        np.testing.assert_allclose(model.lower_bounds_[-1], expected, rtol=1e-12)
    assert model.objective_ == ("joint classification" if gate == "gaussian" else "conditional classification")


def test_hard_em_is_a_clustering_by_lines():
    """A naive twin: fit a line to each cluster, send rows to the better one, until nothing moves."""
    exact = LinearExpert(alpha=0.0, variance_prior=None, variance_floor=1e-8)
    start = (Y > 0).astype(int)
    model = HMERegressor(
        n_experts=2, expert=exact, gate="constant", algorithm="hard", start=start, tol=1e-12, expert_features=[0]
    ).fit(X, Y)
    label = start
    for _ in range(200):
        lines, spread, share = [], [], []
        for k in (0, 1):
            line = np.polyfit(X[label == k, 0], Y[label == k], 1)
            lines.append(line)
            spread.append(np.mean((Y[label == k] - np.polyval(line, X[label == k, 0])) ** 2))
            share.append(np.mean(label == k))
        log_joint = np.stack(
            [np.log(share[k]) - 0.5 * (Y - np.polyval(lines[k], X[:, 0])) ** 2 / spread[k] - 0.5 * np.log(spread[k])
             for k in (0, 1)], axis=1,
        )  # fmt: skip
        moved = log_joint.argmax(axis=1)
        if (moved == label).all():
            break
        label = moved
    np.testing.assert_allclose(model.experts_.coef[:, 0], [line[0] for line in lines], rtol=1e-9)
    np.testing.assert_allclose(model.experts_.variance, spread, rtol=1e-9)


@pytest.mark.parametrize("estimator, y", few([(HMERegressor, Y), (HMEClassifier, CLASSES)], 1))
def test_stochastic_em_keeps_the_best_it_comes_across(estimator, y):
    model = estimator(n_experts=2, algorithm="stochastic", random_state=0).fit(X, y)
    accepted = model.history_.accepted
    assert np.diff(model.lower_bounds_).min() > 0 and not accepted.all() and model.converged_
    assert np.nanmax(model.history_.objective) - model.lower_bounds_[-1] < 1e-5
    again = clone(model).fit(X, y)
    np.testing.assert_array_equal(model.predict(X), again.predict(X))
    other = clone(model).set_params(random_state=1).fit(X, y)
    assert not np.array_equal(model.history_.objective, other.history_.objective)


def test_one_algorithm_goes_on_from_another():
    search = HMERegressor(n_experts=2, gate="constant", algorithm="stochastic", random_state=0).fit(X, Y)
    both = HMERegressor(n_experts=2, gate="constant", algorithm=("stochastic", "em"), random_state=0).fit(X, Y)
    assert both.lower_bounds_[0] == pytest.approx(search.lower_bounds_[-1], abs=1e-12)
    assert both.lower_bounds_[-1] >= search.lower_bounds_[-1]
    by_hand = search.set_params(algorithm="em", warm_start=True).fit(X, Y)
    np.testing.assert_allclose(by_hand.predict(X), both.predict(X), rtol=1e-9)


@pytest.mark.parametrize("algorithm", ["em", ("stochastic", "em")], ids=str)
def test_experts_that_are_equal_but_for_a_hair_part(algorithm):
    resp = np.full((N, 2), 0.5) + 1e-9 * np.sign(X[:, :1]) * [1, -1]
    settings = dict(gate="constant", random_state=0)
    one = HMERegressor(n_experts=1, **settings).fit(X, Y)
    two = HMERegressor(n_experts=2, start=resp, algorithm=algorithm, **settings).fit(X, Y)
    assert two.lower_bounds_[-1] > one.lower_bounds_[-1] + 0.3


@pytest.mark.parametrize("algorithm, settings", few(representative(product(
    ["hard", "stochastic", ("hard", "em"), ["stochastic", "hard", "em"]],
    [{"n_init": 3, "n_finalists": 1, "start": "model_tree"}, {"tree": "((. .) .)"}, {"expert": "tree"},
     {"gate": "tree"}, {"gate": "top_k"}],
), every=9), 2), ids=str)  # fmt: skip
def test_algorithms_go_with_everything_else(algorithm, settings):
    settings = {"n_experts": None if "tree" in settings else 3, "start": "model_tree", **settings}
    model = HMERegressor(algorithm=algorithm, random_state=0, max_iter=10, **settings)
    if settings.get("gate") == "top_k" and "stochastic" in algorithm:
        with pytest.raises(ValueError, match="algorithm='stochastic' does not go with TopKGate"):
            model.fit(X, Y)
        return
    model.fit(X, Y)
    assert model.score(X, Y) > -0.1 and np.isfinite(model.log_likelihood(X, Y)).all()
    assert len(model.restarts_) == settings.get("n_init", 1)


@pytest.mark.parametrize("backend", ["threading", slow_case("loky")])
def test_jobs_draw_the_same(backend):
    settings = dict(n_experts=2, n_init=3, random_state=7, algorithm="stochastic", max_iter=10)
    one = HMERegressor(**settings).fit(X, Y)
    with joblib.parallel_config(backend):
        two = HMERegressor(n_jobs=2, **settings).fit(X, Y)
    np.testing.assert_array_equal(one.predict(X), two.predict(X))


@pytest.mark.parametrize("algorithm", ["soft", 3, (), ("em", "soft"), None])
def test_unknown_algorithms_are_refused(algorithm):
    with pytest.raises(ValueError, match=r"algorithm = .* must be one of \['em', 'hard', 'stochastic'\]"):
        HMERegressor(algorithm=algorithm).fit(X, Y)
    assert set(ALGORITHMS) == {"em", "hard", "stochastic"}
