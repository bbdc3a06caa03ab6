"""Mixtures as layers: columns, names, cross-fitting, routing, and two layers that each find their own factor."""

import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import sklearn
from problems import representative, slow_case
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression
from sklearn.metrics import normalized_mutual_info_score
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from hme import HMEClassifier, HMERegressor, HMETransformer
from hme.datasets import make_regimes
from hme.experts import PoissonExpert

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

SHORT = {"max_iter": 25, "tol": 1e-3}


@parametrize_with_checks([HMETransformer(HMERegressor(n_experts=2, **SHORT))])  # a tree that grows takes longer
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks(
    [
        HMETransformer(),
        HMETransformer(HMERegressor(n_experts=2, **SHORT), ("experts", "mean"), passthrough=True),
        HMETransformer(HMEClassifier(n_experts=2, **SHORT), "weighted"),
    ]
)
def test_scikit_learn_checks_of_other_settings(estimator, check):
    check(estimator)


def make_table(seed=0, n=200):
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1, 1, (n, 3))
    y = np.where(X[:, 0] > 0, 1 + 2 * X[:, 1], -X[:, 2]) + 0.2 * rng.normal(size=n)
    return X, y


# -- columns -------------------------------------------------------------------------------------------------------


def test_columns_are_what_the_mixture_says():
    X, y = make_table()
    layer = HMETransformer(
        HMERegressor(n_experts=3, tol=1e-3), ("mean", "gate", "experts", "weighted"), passthrough=True
    )
    columns = layer.fit(X, y).transform(X)
    model = clone(layer.estimator).fit(X, y)
    gate, experts = model.gate_proba(X), model.predict_experts(X)
    np.testing.assert_array_equal(columns, np.column_stack([(gate * experts).sum(1), gate, experts, gate * experts, X]))
    np.testing.assert_allclose(columns[:, 0], model.predict(X), rtol=1e-12)
    names = ["mean", "gate_0", "gate_1", "gate_2", "experts_0", "experts_1", "experts_2"]
    names += ["weighted_0", "weighted_1", "weighted_2", "x0", "x1", "x2"]
    assert list(layer.get_feature_names_out()) == names
    assert not hasattr(layer.estimator, "params_")


def test_several_outputs_and_classes():
    X, y = make_table()
    layer = HMETransformer(HMERegressor(n_experts=2, tol=1e-3), ("weighted", "mean")).fit(X, np.column_stack([y, -y]))
    assert list(layer.get_feature_names_out()) == [
        "weighted_0_0", "weighted_0_1", "weighted_1_0", "weighted_1_1", "mean_0", "mean_1",
    ]  # fmt: skip
    np.testing.assert_allclose(layer.transform(X)[:, -2:], layer.estimator_.predict(X))
    kinds = np.array(["low", "mid", "high"])[np.digitize(y, [0, 1])]
    layer = HMETransformer(HMEClassifier(n_experts=2, tol=1e-3), ("experts", "mean")).fit(X, kinds)
    assert list(layer.get_feature_names_out())[:4] == [
        "experts_0_high",
        "experts_0_low",
        "experts_0_mid",
        "experts_1_high",
    ]
    np.testing.assert_allclose(layer.transform(X)[:, -3:], layer.estimator_.predict_proba(X), atol=1e-12)
    layer = HMETransformer(HMEClassifier(n_experts=2, tol=1e-3), ("mean",)).fit(X, y > 0)
    assert list(layer.get_feature_names_out()) == ["mean_True"]
    np.testing.assert_allclose(layer.transform(X)[:, 0], layer.estimator_.predict_proba(X)[:, 1], atol=1e-12)


@pytest.mark.slow
def test_frames_and_sparse_tables():
    X, y = make_table()
    table = pd.DataFrame(X, columns=["a", "b", "c"], index=np.arange(200) + 7)
    layer = HMETransformer(HMERegressor(n_experts=2, tol=1e-3), passthrough=True).set_output(transform="pandas")
    for out in (layer.fit_transform(table, y), layer.transform(table), layer.set_params(cv=3).fit_transform(table, y)):
        assert list(out.columns) == ["gate_0", "gate_1", "weighted_0", "weighted_1", "a", "b", "c"]
        assert (out.index == table.index).all()
    with pytest.raises(ValueError, match="not equal to feature_names_in_"):
        layer.get_feature_names_out(["b", "a", "c"])
    with pytest.raises(ValueError, match="length equal to number of features"):
        HMETransformer().fit(X, y).get_feature_names_out(["a"])
    sparse = HMETransformer(HMERegressor(n_experts=2, tol=1e-3), passthrough=True, cv=3).fit_transform(
        sp.csr_matrix(X), y
    )
    assert sp.issparse(sparse) and sparse.shape == (200, 7)


# -- cross-fitting ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cv", [4, slow_case(KFold(4, shuffle=True, random_state=0))])
def test_rows_get_columns_from_who_has_not_seen_them(cv):
    X, y = make_table()
    layer = HMETransformer(HMERegressor(n_experts=2, tol=1e-3), cv=cv)
    columns = layer.fit_transform(X, y)
    full = clone(layer.estimator).fit(X, y)
    resp = full.responsibilities(X, y)
    for train, test in KFold(4, shuffle=True, random_state=0).split(X):
        part = HMERegressor(tree="(. .)", start=resp[train], tol=1e-3).fit(X[train], y[train])
        gate = part.gate_proba(X[test])
        np.testing.assert_allclose(columns[test], np.hstack([gate, gate * part.predict_experts(X[test])]))
    np.testing.assert_array_equal(layer.transform(X), HMETransformer(layer.estimator).fit_transform(X, y))
    # Leaf k of a fold is leaf k of all: columns differ by what one fold of the rows changes.
    assert np.corrcoef(columns[:, 0], layer.transform(X)[:, 0])[0, 1] > 0.95


@pytest.mark.slow
def test_classes_are_stratified_and_groups_are_heeded():
    X, y = make_table()
    labels = y > np.quantile(y, 0.97)
    columns = HMETransformer(HMEClassifier(n_experts=2, tol=1e-3), cv=3).fit_transform(X, labels)
    assert np.isfinite(columns).all()
    kinds, rows = np.digitize(y, [-0.5, 1.0]), np.arange(200)
    folds = [(rows[kinds > 0], rows[kinds == 0]), (rows[kinds == 0], rows[kinds > 0])]
    with pytest.raises(ValueError, match="leaves no row of some class"):
        HMETransformer(HMEClassifier(n_experts=2, tol=1e-3), cv=folds).fit_transform(X, kinds)
    with pytest.raises(ValueError, match="must put every row in a fold"):
        HMETransformer(HMERegressor(n_experts=2, tol=1e-3), cv=[(np.arange(100), np.arange(100, 200))]).fit_transform(
            X, y
        )
    layer = HMETransformer(HMERegressor(n_experts=2, gate="constant", tol=1e-3), cv=GroupKFold(4))
    assert np.isfinite(layer.fit_transform(X, y, groups=np.arange(200) // 4)).all()
    with pytest.raises(ValueError, match="'groups' parameter should not be None"):
        layer.fit_transform(X, y)


@pytest.mark.slow
def test_the_leak_and_its_cure():
    # Noise alone. Columns of the mixture that has seen y predict it, cross-fitted ones do not.
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(120, 5)), rng.normal(size=120)
    leaky, honest = (
        HMETransformer(HMERegressor(n_experts=4, tol=1e-3), ("mean",), cv=cv).fit_transform(X, y) for cv in (None, 5)
    )
    assert LinearRegression().fit(leaky, y).score(leaky, y) > 0.2
    assert abs(np.corrcoef(honest[:, 0], y)[0, 1]) < 0.25


def test_a_mixture_that_is_there_already():
    X, y = make_table()
    model = HMERegressor(n_experts=2, tol=1e-3).fit(X, y)
    before = pickle.dumps(model)
    layer = HMETransformer(FrozenEstimator(model), cv=5)
    np.testing.assert_array_equal(layer.fit_transform(X[:50], y[:50]), layer.transform(X[:50]))
    assert pickle.dumps(model) == before
    np.testing.assert_array_equal(layer.transform(X)[:, :2], model.gate_proba(X))
    assert make_pipeline(layer, LinearRegression()).fit(X, y).score(X, y) > 0.8


# -- weights and row arguments -----------------------------------------------------------------------------------------


def test_weights_and_offsets_arrive():
    X, y = make_table()
    weight, exposure = np.random.default_rng(1).integers(1, 3, size=200), np.linspace(0.5, 2, 200)
    counts = np.random.default_rng(2).poisson(np.exp(y / 2) * exposure)
    inner = HMERegressor(n_experts=2, expert=PoissonExpert(), tol=1e-3)
    layer = HMETransformer(inner, ("experts",))
    columns = layer.fit_transform(X, counts, sample_weight=weight, offset=np.log(exposure))
    model = clone(inner).fit(X, counts, sample_weight=weight, offset=np.log(exposure))
    np.testing.assert_array_equal(columns, model.predict_experts(X, offset=np.log(exposure)))
    np.testing.assert_array_equal(layer.transform(X, offset=0), model.predict_experts(X, offset=0))
    halves = layer.set_params(cv=2).fit_transform(X, counts, sample_weight=weight, offset=np.log(exposure))
    assert np.isfinite(halves).all()


def test_metadata_is_routed():
    X, y = make_table()
    weight, exposure = np.random.default_rng(1).integers(1, 3, size=200), np.linspace(0.5, 2, 200)
    counts = np.random.default_rng(2).poisson(np.exp(y / 2) * exposure)
    plain = HMETransformer(HMERegressor(n_experts=2, expert=PoissonExpert(), tol=1e-3))
    expected = plain.fit(X, counts, sample_weight=weight, offset=np.log(exposure)).transform(X, offset=0)
    with sklearn.config_context(enable_metadata_routing=True):
        inner = HMERegressor(n_experts=2, expert=PoissonExpert(), tol=1e-3)
        inner.set_fit_request(sample_weight=True, offset=True).set_predict_request(offset=True)
        layers = make_pipeline(HMETransformer(inner), LinearRegression().set_fit_request(sample_weight=True))
        layers.fit(X, counts, sample_weight=weight, offset=np.log(exposure))
        np.testing.assert_array_equal(layers[0].transform(X, offset=0), expected)
        assert layers.predict(X, offset=np.log(exposure)).shape == (200,)


@pytest.mark.slow
def test_composition():
    X, y = make_table()
    layers = make_pipeline(
        StandardScaler(), HMETransformer(HMERegressor(n_experts=2, tol=1e-3)), HMERegressor(n_experts=2, tol=1e-3)
    )
    search = GridSearchCV(
        layers, {"hmetransformer__estimator__n_experts": [1, 2], "hmetransformer__cv": [None, 2]}, cv=2
    )
    assert search.fit(X, y).best_params_["hmetransformer__estimator__n_experts"] == 2
    again = pickle.loads(pickle.dumps(search.best_estimator_))
    np.testing.assert_array_equal(again.predict(X), search.predict(X))
    assert str(clone(layers)) == str(layers)


@pytest.mark.parametrize(
    "settings, error, message",
    [
        (dict(estimator=LinearRegression()), TypeError, "must be None, an HMERegressor or an HMEClassifier"),
        (dict(output=("gate", "leaves")), ValueError, "output = .* must be one or several of"),
        (dict(output=()), ValueError, "must be one or several of"),
        (dict(passthrough="yes"), ValueError, "passthrough must be one of"),
        (dict(cv=2.5), ValueError, "cv"),
    ],
)
def test_bad_hyper_parameters(settings, error, message):
    X, y = make_table(n=40)
    with pytest.raises(error, match=message):
        HMETransformer(**settings).fit_transform(X, y)


# -- two layers, two factors -------------------------------------------------------------------------------------------


def make_two_factors(seed, n):
    """A line for each of three places, the whole scaled by one of three moods; places and moods are independent."""
    rng = np.random.default_rng(seed)
    place, mood = rng.integers(3, size=n), rng.integers(3, size=n)
    u = rng.normal(size=(n, 3))
    X = np.column_stack([place + rng.uniform(0.05, 0.95, n), mood + rng.uniform(0.05, 0.95, n), u])
    line = 4.0 * (place - 1) + 2.0 * u[np.arange(n), place]
    return X, np.array([0.5, 1.0, 1.5])[mood] * line + 0.2 * rng.normal(size=n), place, mood


@pytest.mark.parametrize("seed", representative(range(3), every=3))
def test_each_layer_finds_its_own_factor(seed):
    X, y, *_ = make_two_factors(seed, 1500)
    X_test, y_test, place, mood = make_two_factors(100 + seed, 2000)
    first = HMETransformer(HMERegressor(n_experts=3, tol=1e-3), output="mean", passthrough=True, cv=5)
    layers = make_pipeline(first, HMERegressor(n_experts=3, tol=1e-3)).fit(X, y)
    gates = layers[0].estimator_.apply(X_test), layers[-1].apply(layers[0].transform(X_test))
    about = [[normalized_mutual_info_score(factor, gate) for factor in (place, mood)] for gate in gates]
    assert about[0][0] > 0.9 and about[0][1] < 0.05
    assert about[1][1] > 0.7 and about[1][0] < 0.05
    # Three and three experts explain what three cannot.
    alone = layers[0].estimator_.score(X_test, y_test)
    assert 1 - layers.score(X_test, y_test) < 0.6 * (1 - alone)


def test_a_second_layer_bends_what_a_first_one_cannot():
    data = make_regimes(n_samples=300, random_state=0)
    X, y = data[0], data[1]
    one = HMERegressor(n_experts=2, tol=1e-3).fit(X, y)
    two = make_pipeline(
        HMETransformer(HMERegressor(n_experts=2, tol=1e-3), passthrough=True), HMERegressor(n_experts=2, tol=1e-3)
    ).fit(X, y)
    assert two[-1].lower_bounds_[-1] > one.lower_bounds_[-1]


def test_folds_of_an_int_keep_groups_whole():
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(20), 5)
    X = np.column_stack([rng.normal(size=100), rng.normal(size=20)[group]])
    y = np.where(X[:, 1] > 0, X[:, 0], -X[:, 0]) + 0.1 * rng.normal(size=100)
    mixture = HMERegressor(n_experts=2, expert_features=[0], gate_features=[1], tol=1e-3)
    by_number = HMETransformer(mixture, cv=4).fit_transform(X, y, groups=group)
    by_splitter = HMETransformer(mixture, cv=GroupKFold(4)).fit_transform(X, y, groups=group)
    np.testing.assert_array_equal(by_number, by_splitter)


@pytest.mark.parametrize("settings, message", [
    ({"output": 3}, "output = 3 must be"), ({"output": ("gate", "gate")}, "output = .* must be"),
    ({"cv": True}, "cv = True must be"), ({"cv": "a"}, "cv = 'a' must be"), ({"cv": 0}, "cv = 0 must be"),
])  # fmt: skip
def test_bad_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        HMETransformer(HMERegressor(n_experts=2, tol=1e-3), **settings).fit([[0.0], [1.0], [2.0]], [0.0, 1.0, 2.0])
