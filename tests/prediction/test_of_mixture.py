"""Models and their predictive distributions, of one output and of several."""

import pickle

import numpy as np
import pytest
from prediction_cases import (
    pieced,
    points_of,
)
from problems import few, representative

from hme import HMERegressor
from hme.datasets import make_inverse_problem
from hme.experts import (
    BackgroundExpert,
    GammaExpert,
    LaplaceExpert,
    LinearExpert,
    NegativeBinomialExpert,
    PointMassExpert,
    PoissonExpert,
    StudentExpert,
)
from hme.gates import TopKGate
from hme.prediction import OutputsDistribution, predictive_distribution


def table(kind="numbers", n=200):
    rng = np.random.default_rng(2)
    X = rng.uniform(-2, 2, size=(n, 2))
    mean = np.where(X[:, 0] < 0, 1.0 + X[:, 1], 2.0 - X[:, 0])
    if kind == "counts":
        return X, rng.poisson(np.exp(0.5 * mean)).astype(float)
    if kind == "positive":
        return X, np.exp(mean) * rng.gamma(4.0, 0.25, n)
    if kind == "hurdle":
        return X, np.where(rng.uniform(size=n) < 0.3, 0.0, np.exp(mean) * rng.gamma(4.0, 0.25, n))
    if kind == "outputs":
        noise = rng.normal(size=(n, 2)) @ np.array([[1.0, 0.8], [0.0, 0.3]])
        return X, np.stack([mean, -mean], axis=1) + 0.3 * noise
    return X, mean + 0.3 * rng.normal(size=n)


MODELS = [
    ("numbers", dict(expert="linear")),
    ("numbers", dict(expert=StudentExpert())),
    ("numbers", dict(expert=LaplaceExpert())),
    ("numbers", dict(expert="tree")),
    ("numbers", dict(expert="constant", gate="gaussian")),
    ("positive", dict(expert=GammaExpert())),
    ("counts", dict(expert=PoissonExpert())),
    ("counts", dict(expert=NegativeBinomialExpert())),
    ("numbers", dict(expert=[("a", LinearExpert()), ("b", LinearExpert()), ("rest", BackgroundExpert("uniform"))])),
    ("numbers", dict(expert=[("a", LinearExpert()), ("b", StudentExpert()), ("rest", BackgroundExpert())])),
    ("hurdle", dict(expert=[("a", GammaExpert()), ("zero", PointMassExpert()), ("c", GammaExpert())])),
    ("counts", dict(expert=[("a", PoissonExpert()), ("zero", PointMassExpert()), ("c", PoissonExpert())])),
    ("numbers", dict(expert="linear", gate=TopKGate(k=2))),
    ("counts", dict(expert=PoissonExpert(), gate=TopKGate(k=1))),
    (
        "numbers",
        dict(expert=[("a", LinearExpert()), ("b", StudentExpert()), ("c", LinearExpert())], gate=TopKGate(k=2)),
    ),
]


@pytest.mark.parametrize("kind, settings", few(representative(MODELS, every=4), 3), ids=str)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_models_and_their_distributions_agree(kind, settings):
    X, y = table(kind)
    model = HMERegressor(n_experts=3, random_state=0, max_iter=60, **settings).fit(X, y)
    ours = predictive_distribution(model.model_, model.params_, model.rows(X))
    np.testing.assert_allclose(ours.weights, model.gate_proba(X), rtol=1e-12, atol=1e-300)
    mean, std = model.predict(X, return_std=True, density="plug-in")
    np.testing.assert_allclose(ours.mean(), mean, rtol=1e-10)
    np.testing.assert_allclose(ours.standard_deviation(), std, rtol=1e-8)
    np.testing.assert_allclose(ours.log_likelihood(y), model.log_likelihood(X, y), rtol=1e-10, atol=1e-10)
    part = slice(0, 12)
    median = ours[part].median()
    assert np.isfinite(median).all() and np.isfinite(ours[part].crps(y[part])).all()
    assert (ours[part].cdf(median) >= 0.5 - 1e-10).all()
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(ours[part])).median(), median)


def test_offsets_and_trials_are_heeded():
    X, y = table("counts")
    exposure = np.where(X[:, 0] > 0, 2.0, 0.5)
    model = HMERegressor(n_experts=2, expert=PoissonExpert(), random_state=0).fit(X, y, offset=np.log(exposure))
    ours = predictive_distribution(model.model_, model.params_, model.rows(X, offset=np.log(exposure)))
    np.testing.assert_allclose(ours.mean(), model.predict(X, offset=np.log(exposure)), rtol=1e-12)
    y = np.minimum(y, 9.0)
    model = HMERegressor(n_experts=2, expert="binomial", random_state=0).fit(X, y, trials=9)
    ours = predictive_distribution(model.model_, model.params_, model.rows(X, trials=20))
    np.testing.assert_allclose(ours.mean(), model.predict(X, trials=20), rtol=1e-12)
    np.testing.assert_array_equal(ours.support()[1], np.full(len(X), 20.0))


def test_sparse_gates_ask_k_experts_a_row():
    X, y = table()
    model = HMERegressor(n_experts=4, gate=TopKGate(k=2), random_state=0).fit(X, y)
    asked = []

    class Watched(LinearExpert):
        def predict_dist(self, params, rows):
            asked.append(rows.n_rows * len(params.coef))
            return super().predict_dist(params, rows)

    model.model_.expert.__class__ = Watched
    ours = predictive_distribution(model.model_, model.params_, model.rows(X))
    assert sum(asked) == 2 * len(X)
    assert ((ours.weights > 0).sum(axis=1) <= 2).all()


@pytest.mark.parametrize("covariance", few(["diagonal", "full"], 1))
def test_several_outputs(covariance):
    X, Y = table("outputs")
    model = HMERegressor(n_experts=2, expert=LinearExpert(covariance=covariance), random_state=0).fit(X, Y)
    ours = predictive_distribution(model.model_, model.params_, model.rows(X))
    assert isinstance(ours, OutputsDistribution) and ours.n_outputs == 2
    mean, std = model.predict(X, return_std=True, density="plug-in")
    np.testing.assert_allclose(ours.mean(), mean, rtol=1e-10)
    np.testing.assert_allclose(ours.standard_deviation(), std, rtol=1e-9)
    np.testing.assert_allclose(ours.logpdf(Y), model.log_likelihood(X, Y), rtol=1e-10, atol=1e-10)
    matrix = ours.covariance()
    np.testing.assert_allclose(np.diagonal(matrix, axis1=1, axis2=2), ours.variance(), rtol=1e-10)
    draws = ours[:2].sample(40_000, rng=0)
    assert draws.shape == (2, 2, 40_000) and ours.sample().shape == (200, 2)
    for i in range(2):
        np.testing.assert_allclose(np.cov(draws[i]), matrix[i], atol=0.05)
    one = ours.marginal(1)
    np.testing.assert_array_equal(ours.median()[:, 1], one.median())
    np.testing.assert_array_equal(ours.cdf(Y)[:, 1], one.cdf(Y[:, 1]))
    np.testing.assert_array_equal(ours.crps(Y)[:, 1], one.crps(Y[:, 1]))
    assert ours.icdf([0.1, 0.9]).shape == (200, 2, 2) and ours.interval(0.8).shape == (200, 2, 2)
    assert len(ours[:3].interval(0.8, method="highest_density")) == 3
    assert repr(ours) == "OutputsDistribution(200 rows, 2 experts: 2 outputs)"
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(ours)).mean(), ours.mean())
    np.testing.assert_allclose(ours.given(1).mean(), model.predict_experts(X)[:, 1], rtol=1e-10)
    with pytest.raises(ValueError, match="y must be finite numbers"):
        ours.logpdf(Y[:, 0])
    # the joint density has the marginal one: integrate the second output out
    y0 = Y[0, 0]
    grid = points_of(ours[0].marginal(1))
    joint = pieced(lambda v: ours[0].pdf(np.array([[y0, v]]))[0], grid)
    assert joint == pytest.approx(ours[0].marginal(0).pdf(y0)[0], rel=1e-8)


@pytest.mark.slow
def test_outputs_of_mixed_lists_and_sparse_gates():
    X, Y = table("outputs")
    experts = [("a", LinearExpert()), ("b", LinearExpert(covariance="full")), ("rest", BackgroundExpert())]
    for gate in (None, TopKGate(k=2)):
        model = HMERegressor(n_experts=3, expert=experts, gate=gate, random_state=0).fit(X, Y)
        ours = predictive_distribution(model.model_, model.params_, model.rows(X))
        np.testing.assert_allclose(ours.mean(), model.predict(X), rtol=1e-10)
        np.testing.assert_allclose(ours.logpdf(Y), model.log_likelihood(X, Y), rtol=1e-10, atol=1e-10)
        np.testing.assert_allclose(
            np.diagonal(ours.covariance(), axis1=1, axis2=2),
            model.predict(X, return_std=True, density="plug-in")[1] ** 2,
            rtol=1e-9,
        )
        assert ours.sample(3).shape == (200, 2, 3) and np.isfinite(ours[:4].crps(Y[:4])).all()


def test_one_output_that_is_not_flat():
    X, y = table()
    model = HMERegressor(n_experts=2, random_state=0).fit(X, y)
    rows = model.rows(X)
    flat, column = (predictive_distribution(model.model_, model.params_, rows, flat=f) for f in (True, False))
    np.testing.assert_array_equal(column.mean()[:, 0], flat.mean())
    np.testing.assert_allclose(column.logpdf(y[:, None]), flat.logpdf(y), rtol=1e-14)
    assert column.icdf([0.1, 0.5]).shape == (200, 1, 2)
    assert column.sample(2).shape == (200, 1, 2)


def test_the_inverse_problem_has_its_three_branches():
    X, t, _ = make_inverse_problem(2000, noise=0.05, random_state=0)
    model = HMERegressor(n_experts=8, random_state=0).fit(X, t)
    one = predictive_distribution(model.model_, model.params_, model.rows([[0.5]]))
    # t + 0.3 sin(2 pi t) = 0.5
    roots = [0.5 - 0.2853, 0.5, 0.5 + 0.2853]
    region = one.interval(0.8, method="highest_density")[0]
    assert len(region) == 3
    for (low, high), root in zip(region, roots, strict=True):
        assert low < root < high
    grid = np.linspace(0, 1, 2001)
    density = one.pdf(grid[None])[0]
    peaks = np.flatnonzero((density[1:-1] > density[:-2]) & (density[1:-1] > density[2:])) + 1
    assert len(peaks) == 3
    np.testing.assert_allclose(grid[peaks], roots, atol=0.05)
    assert one.variance_parts()[1][0] > 10 * one.variance_parts()[0][0]  # it is not known which


def test_a_frames_rows_keep_their_names():
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.normal(size=60)}, index=[f"r{i}" for i in range(60)])
    model = HMERegressor(depth=1).fit(X, X["a"] ** 2)
    assert list(model.predict_dist(X[:3]).to_frame().index) == ["r0", "r1", "r2"]
    assert list(model.predict_dist(X)[[5, 2]].to_frame().index) == ["r5", "r2"]
