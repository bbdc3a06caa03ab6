"""Importances of columns without rows: what they mean, and where there are none."""

import inspect
import pickle

import numpy as np
import pytest
import scipy.sparse as sparse
from problems import lines_and_curves
from sklearn.feature_selection import SelectFromModel
from sklearn.inspection import permutation_importance
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from hme import HMEClassifier, HMERegressor, average
from hme.estimators import fitted
from hme.inference.importances import importances

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
RNG = np.random.default_rng(0)
# Uniform, normal, two values, skewed, constant: in this order they matter to Y, the last two least.
X = np.column_stack([RNG.uniform(-1, 1, 600), RNG.normal(size=600), RNG.random(600) < 0.1, RNG.exponential(size=600)])
X = np.column_stack([X, np.full(600, 7.0)])
Y = np.where(X[:, 0] > 0, 2 * X[:, 1], -X[:, 1] + 3 * X[:, 2]) + 0.3 * X[:, 3] + 0.1 * RNG.normal(size=600)
MODELS = {
    "softmax": lambda: HMERegressor(depth=1, max_iter=30).fit(X, Y),
    "gaussian": lambda: HMERegressor(n_experts=3, gate="gaussian", max_iter=30).fit(X[:, :4], Y),
    "splines": lambda: HMERegressor(depth=1, expert_features="splines", max_iter=30).fit(X, Y),
    "average": lambda: lines_and_curves(X[:, :4], Y),
    "averaged": lambda: average([HMERegressor(depth=d, max_iter=30).fit(X, Y) for d in (1, 2)], [0.8, 0.2]),
}


@pytest.mark.parametrize("name", MODELS)
def test_they_agree_with_permutation_importance(name):
    model = MODELS[name]()
    table = X[:, : model.n_features_in_]
    found = model.feature_importances_
    wanted = permutation_importance(model, table, Y, n_repeats=2, random_state=0).importances_mean
    np.testing.assert_allclose(found, wanted / wanted.sum(), atol=0.06)
    assert found.sum() == pytest.approx(1.0) and found[4:].sum() == 0
    frame = model.importances()
    assert sum(row[3] for row in frame.rows) == pytest.approx(1.0)
    assert frame.rows[0][3] == found.max()


def test_of_one_line_they_are_shares_of_its_variance():
    slopes = HMERegressor(depth=0).fit(X, Y).experts_.coef[0]
    wanted = (slopes * X.std(axis=0)) ** 2
    found = HMERegressor(depth=0).fit(X, Y)
    np.testing.assert_allclose(found.feature_importances_, wanted / wanted.sum(), atol=1e-9)
    assert all(row[1] == 0 for row in found.importances().rows)


def test_gate_and_experts_are_told_apart():
    model = HMERegressor(depth=1, gate_features=[0], expert_features=[1], max_iter=30).fit(X, Y)
    found = {name: (gate, expert) for name, gate, expert, _ in model.importances().rows}
    assert found["x0"][1] == found["x1"][0] == 0 and min(found["x0"][0], found["x1"][1]) > 0.3


def test_of_a_classifier():
    proba = 1 / (1 + np.exp(-np.where(X[:, 0] > 0, 3 * X[:, 1], -3 * X[:, 1])))
    y = (RNG.random(600) < proba).astype(int)
    model = HMEClassifier(depth=1, max_iter=30).fit(X, y)
    wanted = permutation_importance(model, X, y, scoring="neg_brier_score", random_state=0).importances_mean
    np.testing.assert_allclose(model.feature_importances_, wanted / wanted.sum(), atol=0.08)


def test_rare_values_count():
    table = sparse.random(600, 200, 0.02, random_state=0, format="csr")
    y = 5 * np.ravel(table[:, :3].sum(axis=1)) + 0.1 * RNG.normal(size=600)
    found = HMERegressor(depth=1, start="model_tree", max_iter=3).fit(table, y).feature_importances_
    variance = table.toarray()[:, :3].var(axis=0)
    np.testing.assert_allclose(found[:3], variance / variance.sum(), atol=0.03)
    rare = np.column_stack([RNG.random(600) < 0.01, RNG.normal(size=600)])
    found = HMERegressor(depth=1, max_iter=3).fit(rare, 20 * rare[:, 0] + rare[:, 1]).feature_importances_
    assert found[0] == pytest.approx(400 * rare[:, 0].var() / (400 * rare[:, 0].var() + 1), abs=0.05)


def test_units_do_not_matter():
    units = np.array([1e-6, 1e3, 1.0, -5.0, 1.0])
    ours = [HMERegressor(depth=1, max_iter=10).fit(table, Y).feature_importances_ for table in (X, X * units + 3)]
    np.testing.assert_allclose(*ours, atol=0.02)  # a skewed column is turned round


def test_outputs_count_the_same_and_nothing_to_predict_is_zero():
    both = HMERegressor(depth=0).fit(X, np.column_stack([1000 * X[:, 0], X[:, 1]]))
    np.testing.assert_allclose(both.feature_importances_[:2], 0.5, atol=1e-3)
    assert not HMERegressor(depth=0, expert="constant").fit(X, Y).feature_importances_.any()


def test_predictions_that_do_not_change_have_none():
    model = HMERegressor(depth=1).fit(X[:, :2], np.full(len(X), 3.1))
    assert model.gate_.coef.any() and (model.feature_importances_ == 0).all()


def test_scikit_learn_finds_them():
    pipe = make_pipeline(StandardScaler(), HMERegressor(depth=1, max_iter=10))
    chosen = SelectFromModel(pipe, importance_getter="named_steps.hmeregressor.feature_importances_", max_features=2)
    assert chosen.fit(X, Y).get_support().tolist() == [True, True, False, False, False]


@pytest.mark.parametrize(
    "make, reason",
    [
        (lambda: HMERegressor(n_experts=2, expert="tree", max_iter=2).fit(X, Y), "TreeExpert"),
        (lambda: HMERegressor(depth=1, expert_features=PolynomialFeatures(), max_iter=2).fit(X, Y), "PolynomialFeatur"),
        (lambda: HMERegressor(), "not fitted"),
        (lambda: average([HMERegressor(n_experts=2, expert="tree", max_iter=2).fit(X, Y)]), "TreeExpert"),
    ],
)
def test_where_there_are_none_the_attribute_is_missing(make, reason):
    model = make()
    with pytest.raises(AttributeError, match=reason):
        model.feature_importances_  # noqa: B018
    assert "feature_importances_" not in dict(inspect.getmembers(model))


def test_they_are_computed_once_for_each_fit(monkeypatch):
    asked = []
    monkeypatch.setattr(fitted, "importances", lambda *args: asked.append(1) or importances(*args))
    model = HMERegressor(depth=0).fit(X[:50, :2], Y[:50])
    first = model.feature_importances_
    first[:] = np.nan  # the user's own
    assert np.isfinite(model.feature_importances_).all() and model.importances() and len(asked) == 1
    loaded = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(loaded.feature_importances_, model.feature_importances_)
    model.fit(X[:50, :2], X[:50, 1])
    assert model.feature_importances_[1] > 0.99 and len(asked) == 3
