"""The mixture of fitted models: its answers are those of the mixture of their densities."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.model_selection import cross_val_score
from sklearn.preprocessing import FunctionTransformer

import hme
from hme import HMEClassifier, HMERegressor
from hme.prediction import average_of

RNG = np.random.default_rng(0)
X = RNG.normal(size=(150, 2))
Y = np.abs(X[:, 0]) + 0.3 * RNG.normal(size=150)
LABELS = np.array(["a", "b", "c"])[(X[:, 0] > 0).astype(int) + (X[:, 1] > 0.5)]
SHARES = np.array([0.2, 0.3, 0.5])
NEW = X[:7]


@pytest.fixture(scope="module")
def models():
    settings = {"depth": 0}, {"depth": 1, "expert": "laplace"}, {"depth": 1, "expert_features": [0]}
    return [HMERegressor(**own, tol=1e-3).fit(X, Y) for own in settings]


@pytest.fixture(scope="module")
def classifiers():
    return [HMEClassifier(depth=d, tol=1e-3).fit(X, LABELS) for d in (0, 1)]


def test_densities_are_mixed(models):
    dist = hme.average(models, 4 * SHARES).predict_dist(NEW)
    y = Y[:7]
    parts = [model.predict_dist(NEW) for model in models]
    for name in ("pdf", "cdf", "ccdf"):
        expected = sum(s * getattr(p, name)(y) for s, p in zip(SHARES, parts, strict=True))
        np.testing.assert_allclose(getattr(dist, name)(y), expected, rtol=1e-12)
    mean = sum(s * p.mean() for s, p in zip(SHARES, parts, strict=True))
    square = sum(s * (p.variance() + p.mean() ** 2) for s, p in zip(SHARES, parts, strict=True))
    np.testing.assert_allclose(dist.mean(), mean, rtol=1e-12)
    np.testing.assert_allclose(dist.variance(), square - mean**2, rtol=1e-10)
    assert dist.weights.shape == (7, 5)
    assert quad(lambda t: dist[0].pdf(t)[0], -20, 20, limit=200)[0] == pytest.approx(1.0, abs=1e-5)


def test_everything_else_follows_from_the_density(models):
    both = hme.average(models)
    dist = both.predict_dist(NEW)
    mean, std = both.predict(NEW, return_std=True)
    np.testing.assert_allclose(both.predict(NEW), mean)
    np.testing.assert_allclose(std, dist.standard_deviation())
    np.testing.assert_array_equal(both.predict_quantiles(NEW, [0.1, 0.9]), dist.icdf([0.1, 0.9]))
    np.testing.assert_array_equal(both.predict_interval(NEW), dist.interval())
    assert both.sample_y(NEW, 3, random_state=0).shape == (7, 3)
    assert both.crps_score(X, Y) == pytest.approx(both.predict_dist(X).crps(Y).mean())
    assert both.score(X, Y) > 0.5
    plug_in = both.predict_dist(NEW, density="plug-in").pdf(Y[:7])
    np.testing.assert_allclose(plug_in, np.mean([np.exp(m.log_likelihood(NEW, Y[:7])) for m in models], axis=0))


def test_a_mixture_is_no_less_likely_than_its_members_are_on_average(models):
    scores = [model.predict_dist(X).logpdf(Y).mean() for model in models]
    both = hme.average(models)
    assert both.predict_dist(X).logpdf(Y).mean() > np.mean(scores)
    errors = [np.mean((model.predict(X) - Y) ** 2) for model in models]
    assert np.mean((both.predict(X) - Y) ** 2) < np.mean(errors)


def test_classifiers(classifiers):
    both = hme.average(classifiers, [1, 3])
    expected = 0.25 * classifiers[0].predict_proba(NEW) + 0.75 * classifiers[1].predict_proba(NEW)
    np.testing.assert_allclose(both.predict_proba(NEW), expected)
    np.testing.assert_allclose(both.predict_log_proba(NEW), np.log(expected))
    np.testing.assert_allclose(both.predict_dist(NEW).probabilities(), expected)
    assert list(both.predict_dist(NEW).classes) == list(both.classes_) == ["a", "b", "c"]
    assert list(both.predict(NEW)) == list(both.classes_[expected.argmax(axis=1)])
    assert both.score(X, LABELS) > 0.7


def test_an_average_is_an_estimator(models):
    both = hme.average(models)
    assert clone(both) is both and both.fit(X, Y) is both
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(both)).predict(NEW), both.predict(NEW))
    assert cross_val_score(both, X, Y, cv=2).shape == (2,)
    inner = hme.average([both, models[0]])
    np.testing.assert_allclose(inner.predict(NEW), (both.predict(NEW) + models[0].predict(NEW)) / 2)


def test_several_outputs():
    Y2 = np.column_stack([Y, -Y])
    models = [HMERegressor(depth=d, tol=1e-2).fit(X, Y2) for d in (0, 1)]
    both = hme.average(models)
    assert both.predict(NEW).shape == (7, 2) and both.predict_quantiles(NEW).shape == (7, 2, 3)
    one = [HMERegressor(depth=d, tol=1e-2).fit(X, Y2[:, :1]) for d in (0, 1)]
    assert hme.average(one).predict_quantiles(NEW, 0.5).shape == (7, 1)


def test_row_arguments():
    counts = RNG.poisson(np.exp(0.3 * X[:, 0]) * 2.0)
    models = [HMERegressor(depth=d, expert="poisson", tol=1e-3).fit(X, counts, offset=np.log(2.0)) for d in (0, 1)]
    both = hme.average(models)
    dist = both.predict_dist(NEW, offset=0.0)
    np.testing.assert_allclose(dist.mean(), both.predict(NEW, offset=0.0))
    np.testing.assert_allclose(dist.pmf(1.0), np.mean([m.predict_dist(NEW, offset=0.0).pmf(1.0) for m in models], 0))
    with pytest.raises(ValueError, match="fitted with offset"):
        both.predict(NEW)


def test_models_that_do_not_go_together(models, classifiers):
    fitted = models[0]
    named = HMERegressor(depth=0).fit(pd.DataFrame(X, columns=["a", "b"]), Y)
    others = HMERegressor(depth=0).fit(pd.DataFrame(X, columns=["b", "c"]), Y)
    binary = HMEClassifier(depth=0).fit(X, X[:, 0] > 0)
    for second, error, said in (
        (classifiers[0], ValueError, r"models\[1\] is a classifier, models\[0\] a regressor"),
        (HMERegressor(depth=0).fit(X[:, :1], Y), ValueError, r"models\[1\] was fitted to 1 columns, models\[0\] to 2"),
        (HMERegressor(depth=0).fit(X, Y[:, None]), ValueError, r"models\[1\] was fitted to y of shape \(n, 1\)"),
        (HMERegressor(), ValueError, r"models\[1\] = HMERegressor is not fitted"),
        (Ridge().fit(X, Y), TypeError, r"models\[1\] = Ridge has no predict_dist"),
    ):
        with pytest.raises(error, match=said):
            hme.average([fitted, second])
    with pytest.raises(ValueError, match=r"columns \['b', 'c'\], models\[0\] to \['a', 'b'\]"):
        hme.average([named, others])
    with pytest.raises(ValueError, match=r"knows the classes \[False, True\], models\[0\] \['a', 'b', 'c'\]"):
        hme.average([classifiers[0], binary])
    for wrong in ([], [FunctionTransformer()], ["line"]):
        with pytest.raises(TypeError, match="must be a list of one or more fitted"):
            hme.average(wrong)


@pytest.mark.parametrize("weights", [[1.0], [1.0, -1.0, 1.0], [0.0, 0.0, 0.0], [1.0, np.nan, 1.0]])
def test_weights_out_of_range(models, weights):
    with pytest.raises(ValueError, match="weights"):
        hme.average(models, weights)


def test_counts_and_densities_have_no_mixture(models):
    counts = HMERegressor(depth=0, expert="poisson").fit(X, RNG.poisson(1.0, 150))
    with pytest.raises(ValueError, match="probabilities of counts by that of number 1"):
        average_of([models[0].predict_dist(NEW), counts.predict_dist(NEW)], [0.5, 0.5])
