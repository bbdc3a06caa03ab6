"""Any classifier as a gate: soft targets, cross-fitting, routers that are there already, and trees that find rules."""

import pickle
from itertools import product

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import sklearn
from problems import few, representative, slow_case
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from hme import HMEClassifier, HMERegressor, export_text
from hme.gates import EstimatorGate, SoftmaxGate
from hme.gates.estimator import NEGLIGIBLE, resampled, soft_targets
from hme.model.design import Design
from hme.model.refits import STEP
from hme.model.rows import Rows
from hme.plot import GateDisplay

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # a refitted gate wanders

NEXT_TO_NONE = 1e-12  # smoothing that changes no digit that is looked at


def make_world(seed=0, n=600):
    """Four regimes with borders along the axes, and their true number."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1, 1, (n, 4))
    regime = np.where(X[:, 0] < 0.1, np.where(X[:, 1] < -0.2, 0, 1), np.where(X[:, 2] < 0.3, 2, 3))
    slope = np.array([[2.0, 0, 0, 1], [-1, 2, 0, 0], [0, 0, -2, -2], [1, 1, 1, 3]])
    y = np.array([0.0, 2.0, -2.0, 4.0])[regime] + (X * slope[regime]).sum(axis=1) + 0.3 * rng.normal(size=n)
    return X, y, regime


def make_rows(X, weight=None, fold=None):
    weight = np.ones(len(X)) if weight is None else weight
    Z = Design.fit(X, weight, True).transform(X)
    return Rows(Z, Z, weight=weight, fold=fold, gate_table=X)


def bind(gate, rows):
    return gate.bind(rows, None)


# -- soft targets --------------------------------------------------------------------------------------------------


def test_soft_targets_say_what_the_responsibilities_say():
    rng = np.random.default_rng(0)
    resp = rng.dirichlet(np.full(5, 0.2), 300)
    weight = rng.integers(1, 4, size=300)
    row, leaf, share = soft_targets(resp * weight[:, None], weight)
    back = np.zeros_like(resp)
    np.add.at(back, (row, leaf), share)
    np.testing.assert_array_equal(back.sum(axis=1), weight)  # exactly: shares are multiples of a power of two
    assert np.abs(back / weight[:, None] - resp).max() <= 5 * NEGLIGIBLE
    assert (back[resp < NEGLIGIBLE] == 0).all() and (share > 0).all()
    assert (np.diff(leaf) >= 0).all()
    np.testing.assert_array_equal(share / STEP, np.rint(share / STEP))


def test_a_tree_gives_the_mean_responsibilities_of_its_regions():
    rng = np.random.default_rng(0)
    X, weight = rng.normal(size=(200, 3)), rng.integers(1, 4, size=200).astype(float)
    resp = np.rint(rng.dirichlet(np.ones(3), 200) / STEP * 0.5) * STEP * 2  # so that nothing is rounded
    resp[:, 0] = 1.0 - resp[:, 1:].sum(axis=1)
    rows = make_rows(X, weight)
    tree = DecisionTreeClassifier(max_depth=4, min_weight_fraction_leaf=0.05)
    gate = bind(EstimatorGate(tree, cv=None, smoothing=NEXT_TO_NONE), rows)
    params = gate.init(rows, resp * weight[:, None])
    prior = np.exp(gate.log_prior(params, rows))
    region = params.estimator[0, -1].apply(X)
    for r in np.unique(region):
        mean = np.average(resp[region == r], axis=0, weights=weight[region == r])
        np.testing.assert_allclose(prior[region == r], np.tile(mean, ((region == r).sum(), 1)), atol=1e-10)
    # The Gini index of soft targets is the variance of several outputs: a regression tree makes the same regions.
    twin = DecisionTreeRegressor(max_depth=4, min_weight_fraction_leaf=0.05, random_state=0)
    np.testing.assert_allclose(prior, twin.fit(X, resp, sample_weight=weight).predict(X), atol=1e-10)


def test_resampling_is_systematic():
    rng = np.random.default_rng(0)
    for weight in (rng.exponential(size=50), np.ones(7), np.r_[np.zeros(5), 3.0, np.zeros(3)], 1e-9 * np.ones(4)):
        for n_rows in (len(weight), 3 * len(weight)):
            drawn = resampled(weight, n_rows)
            n_drawn = min(max(round(weight.sum()), n_rows), 10 * n_rows)
            assert len(drawn) == n_drawn and (np.diff(drawn) >= 0).all()
            expected = weight / weight.sum() * n_drawn
            assert np.abs(np.bincount(drawn, minlength=len(weight)) - expected).max() <= 1.0 + 1e-9
            edge, naive = np.cumsum(expected), []
            for i in range(n_drawn):
                naive.append(next(j for j in range(len(weight)) if edge[j] > i + 0.5 - 1e-9))
            np.testing.assert_array_equal(drawn, naive)


def test_at_the_optimum_of_a_softmax_gate_logistic_regression_says_the_same():
    X, y, _ = make_world(n=300)
    model = HMERegressor(n_experts=2, gate=SoftmaxGate(alpha=0.5), tol=1e-14, max_iter=5000).fit(X, y)
    rows = make_rows((X - X.mean(axis=0)) / X.std(axis=0))
    resp = model.responsibilities(X, y)
    # Symmetric coding: scores +d/2 and -d/2, so that alpha/2 (2 |d/2|^2) = |d|^2 / (2 C) with C = 2 / alpha.
    classifier = LogisticRegression(C=2 / 0.5, tol=1e-12, max_iter=1000)
    gate = bind(EstimatorGate(classifier, cv=None, smoothing=NEXT_TO_NONE), rows)
    prior = np.exp(gate.log_prior(gate.init(rows, resp), rows))
    np.testing.assert_allclose(prior, model.gate_proba(X), atol=2 * NEGLIGIBLE)


# -- the prior -----------------------------------------------------------------------------------------------------


def test_training_rows_are_answered_by_who_has_not_seen_them():
    X, _, regime = make_world(n=200)
    rng = np.random.default_rng(1)
    rows = make_rows(X, fold=rng.permutation(200))
    resp = np.eye(4)[np.where(rng.random(200) < 0.2, rng.integers(4, size=200), regime)]
    gate = bind(EstimatorGate(KNeighborsClassifier(3), cv=4, smoothing=0.02), rows)
    params = gate.init(rows, resp)
    label, proportion = resp.argmax(axis=1), (resp.sum(axis=0) + 0.25) / 201
    prior = np.exp(gate.log_prior(params, rows))
    for f in range(4):
        out = rows.fold % 4 == f
        naive = KNeighborsClassifier(3).fit(X[~out], label[~out]).predict_proba(X[out])
        np.testing.assert_allclose(prior[out], 0.98 * naive + 0.02 * proportion, atol=1e-12)
    naive = KNeighborsClassifier(3).fit(X, label).predict_proba(X)
    everyone = np.exp(gate.log_prior(params, rows._replace(fold=None)))
    np.testing.assert_allclose(everyone, 0.98 * naive + 0.02 * proportion, atol=1e-12)
    np.testing.assert_allclose(prior.sum(axis=1), 1.0)
    blocks = np.concatenate([gate.log_prior(params, rows[i : i + 37]) for i in range(0, 200, 37)])
    np.testing.assert_array_equal(blocks, gate.log_prior(params, rows))


@pytest.mark.parametrize("estimator", [None, KNeighborsClassifier(3), LogisticRegression(), GaussianNB()])
def test_leaves_that_a_fit_has_not_met(estimator):
    rows = make_rows(np.random.default_rng(0).normal(size=(60, 2)), fold=np.arange(60))
    resp = np.zeros((60, 4))
    resp[np.arange(60), np.where(rows.X[:, 0] > 0, 3, 1)] = 1.0
    resp[[5, 10]] = np.eye(4)[2]  # both in fold 0, so that the classifier of its complement has never seen leaf 2
    gate = bind(EstimatorGate(estimator), rows)
    params = gate.init(rows, resp)
    assert set(params.estimator[0, 0].classes_) == {1, 3}
    prior = np.exp(gate.log_prior(params, rows))
    np.testing.assert_allclose(prior.sum(axis=1), 1.0)
    np.testing.assert_allclose(prior[::5, 2], 0.01 * (2 + 0.25) / 61)
    assert prior.min() >= 0.01 * 0.25 / 61 * (1 - 1e-12) and prior[:, 0].max() < 1e-4
    one = gate.init(rows, np.eye(4)[np.full(60, 2)])  # all of one leaf
    assert (np.exp(gate.log_prior(one, rows))[:, 2] > 0.99).all()
    assert np.isfinite(gate.log_prior(one, rows)).all() and gate.n_parameters(one) == 3


def test_parameters_go_with_their_leaves():
    from hme.numerics.statistics import take

    X, _, regime = make_world(n=200)
    rows = make_rows(X, fold=np.arange(200))
    gate = bind(EstimatorGate(), rows)
    params = gate.init(rows, np.eye(4)[regime])
    for index in ([2, 0, 3, 1], [3], [0, 2]):
        np.testing.assert_array_equal(gate.log_prior(take(params, index), rows), gate.log_prior(params, rows)[:, index])
    again = pickle.loads(pickle.dumps(params))
    assert again.estimator[0, 2] is again.estimator[3, 2]
    halves = gate.add(gate.statistics(params, rows[:80], np.eye(4)[regime[:80]]), np.eye(4)[regime[80:]])
    np.testing.assert_array_equal(gate.log_prior(gate.update(params, halves, rows), rows), gate.log_prior(params, rows))


def test_parameters_are_counted_where_they_can_be():
    X, y, _ = make_world(n=200)
    rows = make_rows(X, fold=np.arange(200))
    label = np.random.default_rng(0).integers(4, size=200)
    for estimator, number in ((DecisionTreeClassifier(max_leaf_nodes=5), 5 * 3), (LogisticRegression(), 3 * 5)):
        gate = bind(EstimatorGate(make_pipeline(StandardScaler(), estimator)), rows)
        assert gate.n_parameters(gate.init(rows, np.eye(4)[label])) == number
    model = HMERegressor(n_experts=2, gate=EstimatorGate(KNeighborsClassifier(20)), max_iter=3).fit(X, y)
    assert not hasattr(model, "n_parameters_")


# -- what it is for ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", representative(range(3), every=3))
def test_a_tree_finds_the_rules(seed):
    X, y, regime = make_world(seed)
    X_test, y_test, regime_test = make_world(100 + seed, 2000)
    model = HMERegressor(n_experts=4, gate="tree").fit(X, y)
    text = export_text(model)
    assert text.startswith("gate: EstimatorGate\n|   x0 <= 0.")
    tree = model.gate_.estimator.tree_
    assert abs(tree.threshold[0] - 0.1) < 0.05
    borders = {1: -0.2, 2: 0.3}
    for child in (tree.children_left[0], tree.children_right[0]):
        assert abs(tree.threshold[child] - borders[tree.feature[child]]) < 0.1
    leaves = model.apply(X_test)
    purity = sum(np.bincount(regime_test[leaves == k]).max() for k in np.unique(leaves)) / len(X_test)
    assert purity > 0.95
    reached = model.log_likelihood(X_test, y_test).mean()
    for shape in (dict(n_experts=4), dict(depth=2)):
        assert reached > HMERegressor(**shape).fit(X, y).log_likelihood(X_test, y_test).mean()


@pytest.mark.slow
def test_cross_fitting_keeps_a_forest_honest():
    def draw(seed, n):  # regimes that overlap: there is something to learn by heart
        rng = np.random.default_rng(seed)
        X = rng.uniform(-1, 1, (n, 4))
        regime = rng.random(n) < 1 / (1 + np.exp(-3 * X[:, 0]))
        return X, np.where(regime, 2 + X[:, 1], -2 + X[:, 2]) + 0.3 * rng.normal(size=n)

    (X, y), (X_test, y_test) = draw(0, 400), draw(1, 4000)
    gap, reached = {}, {}
    for cv in (None, 5):
        gate = EstimatorGate(RandomForestClassifier(10), cv=cv)
        model = HMERegressor(n_experts=2, gate=gate, max_iter=10).fit(X, y)
        reached[cv] = model.log_likelihood(X_test, y_test).mean()
        gap[cv] = model.lower_bounds_[-1] - reached[cv]
    assert abs(gap[5]) < 0.1 < 0.2 < gap[None]
    assert reached[5] > reached[None]


def make_router(X, regime):
    labels = np.array(["a", "b", "c", "d"])[regime]
    return DecisionTreeClassifier(max_depth=2, random_state=0).fit(X, labels)


def test_a_router_that_is_there_already():
    X, y, regime = make_world()
    router = make_router(X, regime)
    before = pickle.dumps(router)
    model = HMERegressor(n_experts=4, gate=EstimatorGate(FrozenEstimator(router))).fit(X, y)
    assert pickle.dumps(router) == before and model.gate_.estimator.estimator is router
    np.testing.assert_allclose(model.gate_proba(X), 0.99 * router.predict_proba(X) + 0.0025, atol=1e-14)
    assert (np.diff(model.lower_bounds_) >= -1e-12).all() and model.model_.exact and not model.model_.refitted
    np.testing.assert_array_equal(model.apply(X), router.predict_proba(X).argmax(axis=1))
    assert model.model_.gate.n_parameters(model.params_.gate) == 0
    with pytest.raises(ValueError, match="tells 4 classes apart, the model has 3 experts"):
        HMERegressor(n_experts=3, gate=EstimatorGate(FrozenEstimator(router))).fit(X, y)
    with pytest.raises(ValueError, match="frozen but not fitted"):
        HMERegressor(n_experts=4, gate=EstimatorGate(FrozenEstimator(DecisionTreeClassifier()))).fit(X, y)


# -- everything else around it ---------------------------------------------------------------------------------------

CLASSIFIERS = [
    DecisionTreeClassifier(max_depth=2, min_weight_fraction_leaf=0.05),
    make_pipeline(StandardScaler(), LogisticRegression()),
    KNeighborsClassifier(15),
    GaussianNB(),
    HistGradientBoostingClassifier(max_iter=3, min_samples_leaf=10),
    RandomForestClassifier(5, max_depth=3),
]


@pytest.mark.parametrize(
    "task, estimator",
    representative(product(["regression", "classification"], CLASSIFIERS), every=12),
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_any_classifier(task, estimator):
    X, y, _ = make_world(n=200)
    y = y if task == "regression" else np.where(y > np.median(y), "high", "low")
    make = HMERegressor if task == "regression" else HMEClassifier
    before = repr(estimator.get_params())
    model = make(n_experts=3, gate=EstimatorGate(estimator), max_iter=4).fit(X, y)
    assert repr(estimator.get_params()) == before and not hasattr(estimator, "classes_")
    np.testing.assert_allclose(model.gate_proba(X).sum(axis=1), 1.0)
    assert np.isfinite(model.log_likelihood(X, y)).all()
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    parallel = clone(model).set_params(gate__n_jobs=2).fit(X, y)
    np.testing.assert_array_equal(parallel.gate_proba(X), model.gate_proba(X))
    assert export_text(model).startswith("gate: EstimatorGate\n|   ")


@pytest.mark.parametrize("estimator", few([None, KNeighborsClassifier(15)], 1), ids=["weights", "resampled"])
def test_a_weight_is_a_repetition_in_any_order(estimator):
    X, y, _ = make_world(n=150)
    rng = np.random.default_rng(2)
    times = rng.integers(0, 3, size=150)
    model = HMERegressor(n_experts=3, gate=EstimatorGate(estimator), max_iter=8)
    weighted = clone(model).fit(X, y, sample_weight=times)
    index = rng.permutation(np.repeat(np.arange(150), times))
    repeated = clone(model).fit(X[index], y[index])
    np.testing.assert_allclose(weighted.gate_proba(X), repeated.gate_proba(X), atol=1e-9)
    np.testing.assert_allclose(weighted.predict(X), repeated.predict(X), atol=1e-7)


@pytest.mark.slow
def test_composition():
    X, y, _ = make_world(n=300)
    model = make_pipeline(
        StandardScaler(), HMERegressor(n_experts=4, gate=EstimatorGate(DecisionTreeClassifier()), max_iter=8)
    )
    grid = {"hmeregressor__gate__estimator__max_depth": [1, 3], "hmeregressor__gate__estimator__min_samples_leaf": [20]}
    search = GridSearchCV(model, grid, cv=2).fit(X, y)
    assert search.best_params_["hmeregressor__gate__estimator__max_depth"] == 3
    assert cross_val_score(search.best_estimator_, X, y, cv=2).mean() > 0.8
    one = clone(search.best_estimator_[-1]).set_params(gate__cv=None, gate__smoothing=0.1, gate__estimator__max_depth=2)
    assert one.gate.estimator.max_depth == 2 and one.get_params()["gate__cv"] is None
    assert str(clone(one)) == str(one)


def test_a_classifier_by_itself_is_wrapped():
    X, y, _ = make_world(n=200)
    model = HMERegressor(n_experts=3, gate=GaussianNB(), max_iter=5).fit(X, y)
    assert isinstance(model.gate_.estimator, GaussianNB)


@pytest.mark.slow
def test_the_classifier_sees_the_users_table():
    X, y, _ = make_world(n=300)
    table = pd.DataFrame(X, columns=["east", "north", "height", "age"])
    model = HMERegressor(n_experts=4, gate=EstimatorGate()).fit(table, y)
    assert list(model.gate_.estimator.feature_names_in_) == list(table.columns)
    assert "|   east <= " in export_text(model)
    np.testing.assert_allclose(model.gate_.estimator.tree_.threshold[0], 0.1, atol=0.1)  # in the units of the table
    picked = HMERegressor(n_experts=4, gate=EstimatorGate(), gate_features=["north", "east"], max_iter=3).fit(table, y)
    assert picked.gate_.estimator.n_features_in_ == 2
    assert picked.n_features_in_ == 4


def test_text_columns_through_gate_features():
    X, y, regime = make_world(n=300)
    table = pd.DataFrame(X, columns=list("abcd")).assign(place=np.array(["w", "x", "y", "z"])[regime])
    places = make_column_transformer((OneHotEncoder(sparse_output=False), ["place"]))
    model = HMERegressor(n_experts=4, gate=EstimatorGate(), gate_features=places, expert_features=list("abcd")).fit(
        table, y
    )
    leaves = model.apply(table)
    assert all(len(np.unique(leaves[regime == k])) == 1 for k in range(4)) and len(np.unique(leaves)) == 4


@pytest.mark.slow
def test_sparse_columns():
    X, y, _ = make_world(n=200)
    X = np.where(np.abs(X) < 0.3, 0.0, X)
    dense = HMERegressor(n_experts=3, gate=EstimatorGate(), standardize=False, max_iter=5, start="kmeans").fit(X, y)
    sparse = clone(dense).fit(sp.csr_matrix(X), y)
    # Dense columns are centred, which leaves the experts' penalties alone: the same model.
    np.testing.assert_allclose(sparse.predict(sp.csr_matrix(X)), dense.predict(X), atol=1e-6)
    with pytest.raises(TypeError, match="[Ss]parse data was passed"):
        HMERegressor(n_experts=3, gate=HistGradientBoostingClassifier()).fit(sp.csr_matrix(X), y)


def test_groups_are_routed_as_one():
    X, y, _ = make_world(n=120)
    groups = np.repeat(np.arange(30), 4)
    table = X.copy()
    table[:, :3] = X[::4, :3].repeat(4, axis=0)
    model = HMERegressor(n_experts=3, gate=EstimatorGate(), gate_features=[0, 1, 2], max_iter=10)
    model.fit(table, y, groups=groups)
    assert (np.ptp(model.gate_proba(table).reshape(30, 4, 3), axis=1) == 0).all()
    assert (np.ptp(model.responsibilities(table, y, groups=groups).reshape(30, 4, 3), axis=1) == 0).all()
    assert model.model_.gate.cross_fitted


@pytest.mark.slow
def test_several_starts_and_a_warm_one():
    X, y, _ = make_world(n=300)
    model = HMERegressor(n_experts=4, gate=EstimatorGate(), n_init=3, random_state=0, max_iter=40, warm_start=True)
    model.fit(X, y)
    assert max(restart.objective for restart in model.restarts_) == model.lower_bounds_.max()
    before = model.lower_bounds_.max()
    model.set_params(gate__smoothing=0.005, n_init=1).fit(X, y)
    assert model.lower_bounds_.max() > before - 0.01 and [one.start for one in model.restarts_] == ["warm"]
    assert model.model_.gate.smoothing == 0.005


@pytest.mark.parametrize("algorithm", ["hard", slow_case("stochastic")])
def test_other_algorithms(algorithm):
    X, y, _ = make_world(n=300)
    model = HMERegressor(n_experts=4, gate=EstimatorGate(), algorithm=algorithm, random_state=0, max_iter=60).fit(X, y)
    assert model.score(X, y) > 0.8


@pytest.mark.slow
def test_weights_reach_a_pipeline_whatever_is_routed():
    X, y, _ = make_world(n=200)
    model = HMERegressor(n_experts=3, gate=make_pipeline(StandardScaler(), LogisticRegression()), max_iter=5)
    plain = clone(model).fit(X, y)
    with sklearn.config_context(enable_metadata_routing=True):
        routed = clone(model).fit(X, y)
    np.testing.assert_array_equal(plain.gate_proba(X), routed.gate_proba(X))


def test_picture():
    pytest.importorskip("matplotlib").use("Agg")
    X, y, _ = make_world(n=200)
    model = HMERegressor(n_experts=3, gate=EstimatorGate(), max_iter=5).fit(X, y)
    display = GateDisplay.from_estimator(model, X, features=(0, 1))
    assert display.figure_ is not None


@pytest.mark.slow
def test_rules_leave_out_splits_that_tell_nothing():
    X, y, regime = make_world()
    model = HMERegressor(n_experts=4, gate=EstimatorGate(DecisionTreeClassifier(max_depth=6), cv=None)).fit(X, y)
    tree, lines = model.gate_.estimator, export_text(model).splitlines()
    asked = sum("<=" in line for line in lines)
    assert asked < tree.get_n_leaves() - 1
    inner = make_pipeline(StandardScaler(), DecisionTreeClassifier(max_depth=2))
    piped = HMERegressor(n_experts=4, gate=inner).fit(X, y)
    assert export_text(piped, ["a", "b", "c", "d"]).splitlines()[1].startswith("|   a <= ")


@pytest.mark.parametrize(
    "settings, error, message",
    [
        (dict(estimator=LinearSVC()), TypeError, "has no predict_proba"),
        (dict(estimator=DecisionTreeClassifier), TypeError, "must be None or a scikit-learn classifier"),
        (dict(estimator=3), TypeError, "must be None or a scikit-learn classifier"),
        (dict(cv=0), ValueError, "cv must be an integer"),
        (dict(cv=2.5), TypeError, "cv must be an integer"),
        (dict(smoothing=0.0), ValueError, "smoothing must be"),
        (dict(smoothing=1.5), ValueError, "smoothing must be"),
        (dict(estimator=KNeighborsClassifier(10_000)), ValueError, "KNeighborsClassifier"),
    ],
)
def test_bad_hyper_parameters(settings, error, message):
    X, y, _ = make_world(n=60)
    with pytest.raises(error, match=message):
        HMERegressor(n_experts=2, gate=EstimatorGate(**settings)).fit(X, y)
