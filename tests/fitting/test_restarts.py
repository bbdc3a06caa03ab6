"""Several starts: where they end, which of them is kept, and a race between them."""

import pickle

import numpy as np
import pytest
from problems import few, slow_case
from scipy.special import logsumexp
from sklearn.base import clone

from hme import HMEClassifier, HMERegressor
from hme.experts import LinearExpert, PoissonExpert
from hme.fitting import em, ends, racing, restarts
from hme.fitting.ends import Restart
from hme.gates import TopKGate
from hme.numerics import engine

quiet = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
EXACT = LinearExpert(alpha=0.0, variance_prior=None)


def crossed(seed=0, n=240):
    rng = np.random.default_rng(seed)
    x, k = rng.uniform(size=(n, 2)), rng.integers(0, 3, n)
    return x, rng.poisson(np.exp(np.choose(k, [0.2 + 1.5 * x[:, 0], 1.8 - x[:, 1], 0.9 + 0.2 * x[:, 0]])))


def with_a_cluster(n=200):
    """Two lines, and three rows so close together that an expert of their own has hardly any variance."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (n, 1))
    y = np.where(rng.random(n) < 0.5, 2 * x[:, 0] + 3, -2 * x[:, 0] - 3) + 0.5 * rng.normal(size=n)
    x[:3, 0], y[:3] = [0.0, 0.3, 0.6], 12.0 + 1e-5 * np.array([1.0, -2.0, 1.0])
    labels = np.where(np.arange(n) < 3, 0, np.where(y > 0, 1, 2))
    return x, y, labels


# -- the race ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_race_finds_what_plain_starts_find_with_fewer_sweeps():
    x, y = crossed()
    settings = {"n_experts": 3, "expert": PoissonExpert(alpha=0.0), "gate": "constant", "start": "directions"}
    settings |= {"n_init": 12, "random_state": 0}
    plain = HMERegressor(n_finalists=None, **settings).fit(x, y)
    raced = HMERegressor(**settings).fit(x, y)  # "auto" races from twelve starts on
    bound = HMERegressor(n_finalists=2, **settings).fit(x, y)
    sweeps = [sum(one.n_iter for one in model.restarts_) for model in (plain, raced, bound)]
    assert sweeps[2] <= sweeps[1] < sweeps[0]
    for model in (raced, bound):
        assert model.lower_bounds_[-1] == pytest.approx(plain.lower_bounds_[-1], abs=1e-5)
        assert {one.reason for one in model.restarts_} <= {"converged", "outrun", "twin"}
        assert len(model.restarts_) == 12 and sum(one.kept for one in model.restarts_) == 1
        assert model.converged_ and (np.diff(model.lower_bounds_) >= -1e-12).all()


def test_the_start_of_a_smaller_model_runs_to_its_end():
    x, y = crossed(1, 90)
    one = HMERegressor(n_experts=1, expert="poisson").fit(x, y)
    resp = np.where(np.argsort(np.argsort(one.log_likelihood(x, y)))[:, None] < 45, [1.0, 0.0], [0.0, 1.0])
    model = HMERegressor(n_experts=2, expert="poisson", gate="constant", random_state=0)
    found = model.fit_for_search(x, y, nested=resp).restarts_
    assert [one.start for one in found].count("nested") == 1 and len(found) == 13
    assert found[-1].start == "nested" and found[-1].reason == "converged"
    assert model.lower_bounds_[-1] >= found[-1].objective - 1e-9
    with pytest.raises(ValueError, match="responsibilities"):
        model.fit_for_search(x, y, nested=resp[:5])


def test_fewer_than_twelve_starts_run_to_the_end():
    x, y = crossed(2, 60)
    one = HMERegressor(n_experts=2, expert="poisson", start="directions", n_init=3, random_state=0)
    auto, plain = (clone(one).set_params(n_finalists=how).fit(x, y) for how in ("auto", None))
    assert auto.restarts_ == plain.restarts_


def history(objective):
    accepted, K = np.ones(len(objective), dtype=bool), 2
    nothing = np.zeros(len(objective))
    empty = em.History.of(zip(objective, accepted, nothing, np.ones((len(objective), K)), nothing, strict=True))
    return em.Fit(None, objective[-1], None, 0.0, empty, "max_iter")


def test_what_a_fit_can_expect():
    t = np.arange(41)
    geometric = history(list(-1.0 - 2.0 * 0.9**t))
    assert racing.expected(geometric) == pytest.approx(-1.0, abs=1e-9)
    rising = history(list(-10.0 + 1e-3 * 1.2**t))  # gains grow: it leaves a saddle
    assert racing.expected(rising) > rising.objective + 10 * (rising.objective - rising.history.objective[-11])
    assert racing.expected(history([-3.0, -2.0])) == np.inf
    assert racing.expected(history([-3.0] * 9)) == -3.0


@quiet
@pytest.mark.parametrize(
    "settings",
    [
        {"gate": TopKGate(k=1)},
        {"algorithm": "stochastic"},
        *map(slow_case, [{"expert": "tree"}, {"algorithm": ("stochastic", "em")}]),
    ],
    ids=["top_k", "stochastic", "tree", "tuple"],
)
def test_fits_whose_course_tells_nothing_race_one_round(monkeypatch, settings):
    monkeypatch.setattr(racing, "FIRST_SWEEPS", 3)
    x = np.random.default_rng(0).uniform(-1, 1, (40, 1))
    model = HMERegressor(n_experts=2, n_init=3, random_state=0, max_iter=6, **settings)
    plain = clone(model).fit(x, np.abs(x[:, 0]))
    raced = clone(model).set_params(n_finalists=1).fit(x, np.abs(x[:, 0]))
    assert len(raced.restarts_) == len(plain.restarts_) == 3
    assert raced.restart_params_[0] is not None
    assert raced.lower_bounds_.max() <= max(one.objective for one in raced.restarts_) + 1e-12
    assert raced.restarts_[[one.kept for one in raced.restarts_].index(True)].reason != "outrun"


def test_starts_that_run_on_repeat_no_earlier_algorithm():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(46, 3))
    y = rng.integers(3, size=46)
    model = HMEClassifier(n_experts=2, algorithm=("hard", "em"), n_init=2, n_finalists=1, tol=1e-2, random_state=0)
    assert (np.diff(model.fit(X, y).lower_bounds_) >= -1e-12).all()


def test_one_start_runs_in_this_process_by_threads(monkeypatch):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(90, 2))
    y, pools, sweeps = np.abs(X[:, 0]) + 0.1 * rng.normal(size=90), set(), []
    monkeypatch.setattr(engine, "cpu_count", lambda: 4)
    monkeypatch.setattr("hme.model.mixture.block_rows", lambda *size: 20)

    def callback(sweep, objective, params):
        sweeps.append(sweep)
        pools.add(engine._pool.get().size)

    model = HMERegressor(n_experts=2, start="model_tree", callback=callback, n_jobs=3, tol=1e-3).fit(X, y)
    assert sweeps and pools == {3} and engine._pool.get() is None
    one = clone(model).set_params(n_jobs=1, callback=None).fit(X, y)
    np.testing.assert_array_equal(model.predict(X), one.predict(X))


def test_threads_are_what_starts_leave_of_the_processors(monkeypatch):
    calls = []

    def parallel(n_jobs, return_as):
        assert n_jobs == 2
        return lambda given: iter(calls.extend(given) or ())

    monkeypatch.setattr(restarts, "Parallel", parallel)
    list(restarts._in_parallel([(0, None), (1, None)], 2, 5))
    assert [arguments for _, arguments, _ in calls] == [(0, None, 2), (1, None, 2)]


@pytest.mark.slow
def test_a_race_of_labelled_groups_does_not_depend_on_jobs():
    x, y = crossed(3, 120)
    groups, labels = np.repeat(np.arange(40), 3), np.where(np.arange(120) < 6, 1, -1)
    model = HMERegressor(n_experts=2, expert="poisson", gate="constant", n_init=13, random_state=0, max_iter=60)
    one = clone(model).fit(x, y, groups=groups, labels=labels)
    two = clone(model).set_params(n_jobs=2).fit(x, y, groups=groups, labels=labels)
    assert one.restarts_ == two.restarts_


# -- where starts end, and which is kept -------------------------------------------------------------------------------


@pytest.mark.slow
def test_interior_fits_are_preferred():
    x, y, labels = with_a_cluster()
    model = HMERegressor(n_experts=3, expert=EXACT, gate="constant", n_init=6, random_state=0)
    with pytest.warns(match="holds the weight of"):
        likely = clone(model).set_params(prefer="likelihood", start=labels).fit(x, y)
    assert likely.lower_bounds_[-1] == pytest.approx(max(one.objective for one in likely.restarts_), abs=2e-5)
    spurious = likely.restarts_[0]
    assert spurious.kept and spurious.degenerate and [one.expert for one in spurious.tiny] == [0]
    assert spurious.smallest == pytest.approx(3 / 200, abs=0.01)
    interior = clone(model).set_params(start=labels).fit(x, y)  # "auto" is "interior"
    kept = next(one for one in interior.restarts_ if one.kept)
    assert interior.restarts_[0].objective > kept.objective and not kept.degenerate and not interior.tiny_
    assert kept.objective == max(one.objective for one in interior.restarts_ if not one.degenerate)


@quiet
def test_a_degenerate_expert_adds_nothing_to_the_worth_of_a_fit():
    x, y, labels = with_a_cluster()
    model = HMERegressor(n_experts=3, expert=EXACT, gate="constant", start=labels).fit(x, y)
    rows, fit = model.observed_rows(x, y)[0], model._restarted.fits[0]
    fit = fit._replace(stats=model.model_.e_step(fit.params, rows)[1])
    log_joint = model.model_.log_joint(model.params_, rows)
    without = logsumexp(log_joint[:, 1:], axis=1).mean()
    assert fit.objective == pytest.approx(logsumexp(log_joint, axis=1).mean(), abs=1e-9)
    assert ends.degenerate(model.model_, rows, fit) == [0]
    assert ends.worth(model.model_, rows, fit, "interior") == pytest.approx(without, abs=1e-9)
    assert ends.worth(model.model_, rows, fit, "likelihood") == fit.objective


@pytest.mark.slow
@quiet
def test_data_without_noise_are_no_reason_to_prefer_a_worse_fit():
    x = np.linspace(-1, 1, 100)[:, None]
    model = HMERegressor(n_experts=2, expert=EXACT, n_init=6, random_state=0, max_iter=100)
    model.fit(x, np.abs(x[:, 0]))
    assert model.lower_bounds_[-1] == pytest.approx(max(one.objective for one in model.restarts_), rel=1e-12)
    assert not next(one for one in model.restarts_ if one.kept).degenerate


@quiet
@pytest.mark.parametrize("estimator", few([HMERegressor, HMEClassifier], 1))
@pytest.mark.parametrize("expert", [None, "tree"])
def test_a_model_of_any_start(estimator, expert):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 2))
    y = np.abs(X[:, 0]) if estimator is HMERegressor else (X[:, 0] * X[:, 1] > 0).astype(int)
    model = estimator(n_experts=2, expert=expert, start="kmeans", n_init=3, random_state=0, max_iter=4).fit(X, y)
    for number, restart in enumerate(model.restarts_):
        other = model.from_restart(number)
        assert other.restarts_[number].kept and other.stop_reason_ == restart.reason
        assert other.lower_bounds_.max() == pytest.approx(restart.objective, abs=1e-12)
        np.testing.assert_allclose(other.load_, restart.load)
        evidence = other.log_likelihood(X, y).mean() if expert is None else other.predict(X)
        assert np.isfinite(evidence).all()
        pickle.loads(pickle.dumps(other)).predict(X)
    with pytest.raises(ValueError, match="number = 3"):
        model.from_restart(3)


def test_restarts_print_as_a_table():
    x, y = crossed(4)
    model = HMERegressor(n_experts=2, expert="poisson", start="model_tree", n_init=3, random_state=0).fit(x, y)
    lines = repr(model.restarts_).splitlines()
    assert len(lines) == 5 and "model_tree" in lines[2] and sum(line.endswith("yes") for line in lines) == 1
    assert "<table" in model.restarts_._repr_html_()
    frame = model.restarts_.to_frame()
    assert list(frame["objective"]) == [one.objective for one in model.restarts_] and frame["kept"].sum() == 1
    assert model.restarts_ == pickle.loads(pickle.dumps(model.restarts_))
    assert isinstance(model.restarts_[0], Restart)
