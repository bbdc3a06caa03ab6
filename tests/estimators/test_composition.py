"""The estimators inside everything that scikit-learn composes, on every kind of table, and the life of one fit."""

import copy
import io
import pickle
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from problems import few, representative, slow_case
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import (
    BaggingClassifier,
    BaggingRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.inspection import partial_dependence, permutation_importance
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import get_scorer
from sklearn.model_selection import (
    GridSearchCV,
    cross_val_predict,
    cross_validate,
    learning_curve,
    validation_curve,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputRegressor, RegressorChain
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils import estimator_html_repr

from hme import HMEClassifier, HMERegressor, Tree
from hme.experts import ConstantExpert, LinearExpert, LogisticExpert
from hme.fitting import starts
from hme.gates import GaussianGate, SoftmaxGate
from hme.inference import infer

RNG = np.random.default_rng(0)
N = 120
X = RNG.normal(size=(N, 2))
Y = np.abs(X[:, 0]) - X[:, 1] + 0.1 * RNG.normal(size=N)
LABELS = np.where(np.abs(X[:, 0]) + 0.3 * RNG.normal(size=N) > 0.7, "out", "in")
WEIGHT = RNG.integers(1, 4, N).astype(float)

BOTH = pytest.mark.parametrize(
    "model, y",
    [(HMERegressor(depth=1, tol=1e-3), Y), (HMEClassifier(depth=1, tol=1e-3), LABELS)],
    ids=["regression", "classification"],
)

# Where the two have nothing of their own. One start: what is counted below is the course of one fit.
EITHER = pytest.mark.parametrize(
    "model, y",
    [
        (HMERegressor(depth=1, tol=1e-3, start="model_tree"), Y),
        slow_case((HMEClassifier(depth=1, tol=1e-3, start="kmeans"), LABELS)),
    ],
    ids=["regression", "classification"],
)


def answer(model, table=X):
    return model.predict_proba(table) if hasattr(model, "predict_proba") else model.predict(table)


# Model selection ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
@EITHER
def test_cross_validation_routes_sample_weights(model, y, enable_metadata_routing):
    name = "neg_mean_squared_error" if y is Y else "neg_log_loss"
    scorer = get_scorer(name).set_score_request(sample_weight=True)
    weighted = clone(model).set_fit_request(sample_weight=True)
    heavy = np.where(X[:, 0] > 0, 50.0, 0.02)
    result = cross_validate(weighted, X, y, params={"sample_weight": heavy}, scoring=scorer, return_estimator=True)
    plain = cross_validate(
        clone(model).set_fit_request(sample_weight=False),
        X,
        y,
        params={"sample_weight": heavy},
        scoring=scorer,
        return_estimator=True,
    )
    assert np.isfinite(result["test_score"]).all()
    a, b = result["estimator"][0], plain["estimator"][0]
    assert np.abs(answer(a) - answer(b)).max() > 1e-3


@pytest.fixture
def enable_metadata_routing():
    import sklearn

    with sklearn.config_context(enable_metadata_routing=True):
        yield


@pytest.mark.parametrize("expert", representative(["linear", None, LinearExpert(alpha=3.0)], every=3))
def test_grid_search_over_a_family_and_the_depth(expert):
    model = HMERegressor(expert=expert)
    grid = {"expert__alpha": [0.01, 1.0], "gate__alpha": [0.1], "depth": [0, 1]}
    search = GridSearchCV(model, grid, cv=2).fit(X, Y)
    assert search.best_params_["depth"] == 1
    assert search.best_estimator_.expert.alpha == search.best_params_["expert__alpha"]
    assert model.expert is expert and model.gate is None  # the search leaves the given one alone


def test_nested_parameters_make_the_default_family():
    model = HMEClassifier().set_params(expert__alpha=2.0, gate__alpha=3.0)
    assert isinstance(model.expert, LogisticExpert) and model.expert.alpha == 2.0
    assert isinstance(model.gate, SoftmaxGate) and model.gate.alpha == 3.0
    with pytest.raises(ValueError, match="Invalid parameter"):
        HMERegressor().set_params(expert__beta=1.0)


def test_a_family_and_its_parameters_are_set_together():
    model = HMERegressor().set_params(expert="constant", expert__variance_floor=0.1)
    assert isinstance(model.expert, ConstantExpert) and model.expert.variance_floor == 0.1


@pytest.mark.slow
@EITHER
def test_curves_and_predictions_across_folds(model, y):
    out = cross_val_predict(model, X, y, method="predict" if y is Y else "predict_proba", cv=3)
    assert len(out) == N and (y is Y or out.shape == (N, 2))
    _, train, test = learning_curve(model, X, y, train_sizes=[0.5, 1.0], cv=2, shuffle=True, random_state=0)
    assert np.isfinite(train).all() and np.isfinite(test).all()
    train, test = validation_curve(model, X, y, param_name="gate__alpha", param_range=[0.1, 1.0], cv=2)
    assert train.shape == test.shape == (2, 2)


# Composition --------------------------------------------------------------------------------------------------------


@BOTH
def test_pipelines_and_columns(model, y):
    plain = clone(model).fit(X, y)
    pipe = make_pipeline(StandardScaler(), clone(model)).fit(X, y)
    np.testing.assert_allclose(answer(pipe), answer(plain), rtol=1e-6)
    table = pd.DataFrame(X, columns=["a", "b"]).assign(kind=np.where(X[:, 1] > 0, "x", "y"))
    columns = ColumnTransformer([("kind", OneHotEncoder(sparse_output=False), ["kind"])], remainder="passthrough")
    pipe = make_pipeline(columns, clone(model)).set_output(transform="pandas").fit(table, y)
    assert list(pipe[-1].feature_names_in_) == ["kind__kind_x", "kind__kind_y", "remainder__a", "remainder__b"]
    assert pipe.score(table, y) > 0.7


@pytest.mark.slow
def test_as_a_part_of_other_regressors():
    model = HMERegressor(depth=1, tol=1e-3)
    for ensemble in (
        BaggingRegressor(model, n_estimators=2, random_state=0),
        VotingRegressor([("hme", model), ("line", LinearRegression())]),
        StackingRegressor([("hme", model)], final_estimator=LinearRegression(), cv=2),
    ):
        ensemble.fit(X, Y, sample_weight=WEIGHT)
        assert ensemble.score(X, Y) > 0.5
    two = np.c_[Y, X[:, 0] ** 2]
    for several in (MultiOutputRegressor(model), RegressorChain(model, order=[0, 1])):
        assert several.fit(X, two).predict(X).shape == (N, 2)
    scaled = TransformedTargetRegressor(model, transformer=StandardScaler()).fit(X, Y)
    np.testing.assert_allclose(scaled.predict(X), clone(model).fit(X, Y).predict(X), rtol=1e-6, atol=1e-8)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # of folds with an idle expert
def test_as_a_part_of_other_classifiers():
    model = HMEClassifier(depth=1)
    for ensemble in (
        BaggingClassifier(model, n_estimators=3, random_state=0),
        VotingClassifier([("hme", model), ("line", LogisticRegression())], voting="soft"),
        StackingClassifier([("hme", model)], final_estimator=LogisticRegression(), cv=3),
        CalibratedClassifierCV(model, cv=3),
        OneVsRestClassifier(model),
    ):
        assert ensemble.fit(X, LABELS).score(X, LABELS) > 0.7
    three = np.where(X[:, 1] > 0.5, "top", LABELS)
    assert OneVsRestClassifier(model).fit(X, three).predict_proba(X).shape == (N, 3)


@EITHER
def test_frozen(model, y):
    fitted = clone(model).fit(X, y)
    frozen = FrozenEstimator(fitted).fit(X[:5], y[:5])
    np.testing.assert_array_equal(answer(frozen), answer(fitted))
    if y is LABELS:
        assert CalibratedClassifierCV(frozen).fit(X, y).score(X, y) > 0.7


@EITHER
def test_inspection(model, y):
    fitted = clone(model).fit(X, y)
    importance = permutation_importance(fitted, X, y, n_repeats=3, random_state=0).importances_mean
    assert importance[0] > 0
    curve = partial_dependence(fitted, X, [0], grid_resolution=5, kind="average")["average"]
    assert curve.shape[-1] == 5 and np.isfinite(curve).all()


@BOTH
def test_displays(model, y):
    pytest.importorskip("matplotlib").use("Agg")
    from matplotlib import pyplot
    from sklearn.inspection import DecisionBoundaryDisplay, PartialDependenceDisplay

    fitted = clone(model).fit(X, y)
    PartialDependenceDisplay.from_estimator(fitted, X, [0], grid_resolution=5)
    if y is LABELS:
        DecisionBoundaryDisplay.from_estimator(fitted, X, response_method="predict_proba", grid_resolution=5)
    pyplot.close("all")


# Copies and files ---------------------------------------------------------------------------------------------------

PARAMETERS = [
    {},
    {"tree": Tree.from_text("((. .) .)")},
    {"n_experts": 2, "expert": LinearExpert(alpha=2.0), "gate": SoftmaxGate(alpha=0.5)},
    {"n_experts": 2, "gate": "constant"},
    {"n_experts": 2, "expert": "tree"},
]


@pytest.mark.parametrize("parameters", representative(PARAMETERS, every=3), ids=str)
def test_a_clone_has_the_parameters_and_nothing_of_the_fit(parameters):
    model = HMERegressor(**parameters)
    fitted = clone(model).fit(X, Y)
    for copied in (clone(model), clone(fitted)):
        assert not hasattr(copied, "params_")
        assert repr(copied) == repr(model)
        assert repr(copied.get_params()) == repr(model.get_params())
        np.testing.assert_array_equal(copied.fit(X, Y).predict(X), fitted.predict(X))


@pytest.mark.parametrize("parameters", representative(PARAMETERS, every=3), ids=str)
def test_a_fit_leaves_the_parameters_alone(parameters):
    model = HMERegressor(**parameters)
    before = {name: (id(value), repr(value)) for name, value in model.get_params(deep=False).items()}
    model.fit(X, Y)
    assert {name: (id(value), repr(value)) for name, value in model.get_params(deep=False).items()} == before


def by_joblib(model):
    file = io.BytesIO()
    joblib.dump(model, file)
    file.seek(0)
    return joblib.load(file)


@pytest.mark.parametrize("copier", [lambda model: pickle.loads(pickle.dumps(model)), by_joblib, copy.deepcopy])
@pytest.mark.parametrize("parameters", representative(PARAMETERS, every=3), ids=str)
def test_copies_answer_alike(copier, parameters):
    model = HMERegressor(**parameters).fit(X, Y)
    again = copier(model)
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    np.testing.assert_array_equal(again.responsibilities(X, Y), model.responsibilities(X, Y))
    assert again.tree_ == model.tree_ and again.restarts_ == model.restarts_


@pytest.mark.slow
@pytest.mark.parametrize("parameters", representative(PARAMETERS[:3], every=3), ids=str)
def test_skops(parameters):
    sio = pytest.importorskip("skops.io")
    model = HMERegressor(**parameters).fit(X, Y)
    stored = sio.dumps(model)
    again = sio.loads(stored, trusted=sio.get_untrusted_types(data=stored))
    np.testing.assert_array_equal(again.predict(X), model.predict(X))


@EITHER
def test_notebook_text(model, y):
    for one in (model, clone(model).fit(X, y)):
        assert type(one).__name__ in one._repr_html_()
    fitted = make_pipeline(StandardScaler(), clone(model)).fit(X, y)
    assert type(model).__name__ in estimator_html_repr(fitted)


# Parallel fits ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@BOTH
def test_starts_do_not_depend_on_the_backend(model, y):
    model = clone(model).set_params(n_init=4, n_finalists=2, random_state=3)
    expected = answer(clone(model).fit(X, y))
    for backend in ("sequential", "threading", "loky"):
        with joblib.parallel_backend(backend, n_jobs=2):
            np.testing.assert_array_equal(answer(clone(model).fit(X, y)), expected)
    np.testing.assert_array_equal(answer(clone(model).set_params(n_jobs=2).fit(X, y)), expected)


@EITHER
def test_random_state(model, y):
    model = clone(model).set_params(n_init=3, start="directions")
    a, b = (answer(clone(model).set_params(random_state=1).fit(X, y)) for _ in range(2))
    np.testing.assert_array_equal(a, b)
    state = np.random.RandomState(1)
    np.testing.assert_array_equal(answer(clone(model).set_params(random_state=state).fit(X, y)), a)
    assert state.randint(1000) != np.random.RandomState(1).randint(1000)  # a RandomState moves on


@EITHER
def test_starts_beyond_the_first_only_help(model, y):
    model = clone(model).set_params(prefer="likelihood")
    one = clone(model).set_params(random_state=0).fit(X, y)
    four = clone(model).set_params(random_state=0, n_init=4).fit(X, y)
    raced = clone(model).set_params(random_state=0, n_init=4, n_finalists=2).fit(X, y)
    assert len(four.restarts_) == len(raced.restarts_) == 4
    assert four.lower_bounds_[-1] >= one.lower_bounds_[-1] - 1e-12
    for several in (four, raced):
        best = max(restart.objective for restart in several.restarts_)
        assert several.lower_bounds_[-1] == pytest.approx(best, abs=1e-3)  # of nearly equal ones the first
    assert raced.lower_bounds_[-1] == pytest.approx(four.lower_bounds_[-1], abs=0.05)


# Kinds of tables ----------------------------------------------------------------------------------------------------

FRAMES = ["pandas", "polars", "pyarrow"]


def frame(kind, names):
    columns = dict(zip(names, X.T, strict=True))
    if kind == "pandas":
        return pd.DataFrame(columns)
    library = pytest.importorskip(kind)
    return library.DataFrame(columns) if kind == "polars" else library.table(columns)


@pytest.mark.parametrize("kind", ["pandas", "polars"])
@BOTH
def test_frames_bring_their_names(model, y, kind):
    model, plain = clone(model).fit(frame(kind, ["a", "b"]), y), clone(model).fit(X, y)
    assert list(model.feature_names_in_) == ["a", "b"] and not hasattr(plain, "feature_names_in_")
    # The layout of a frame in memory changes the order of sums.
    np.testing.assert_allclose(answer(model, frame(kind, ["a", "b"])), answer(plain), rtol=1e-9)
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame(kind, ["a", "c"]))
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame(kind, ["b", "a"]))
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        model.predict(X)


def test_arrow_tables():
    table = frame("pyarrow", ["a", "b"])
    model = HMERegressor(depth=1).fit(table, Y)
    np.testing.assert_allclose(model.predict(table), HMERegressor(depth=1).fit(X, Y).predict(X), rtol=1e-9)


def test_y_as_a_series_or_a_frame():
    expected = HMERegressor(depth=1).fit(X, Y).predict(X)
    odd = np.arange(N)[::-1]  # an index must not realign the rows
    np.testing.assert_array_equal(HMERegressor(depth=1).fit(X, pd.Series(Y, index=odd)).predict(X), expected)
    np.testing.assert_array_equal(HMERegressor(depth=1).fit(X, pd.DataFrame({"y": Y})).predict(X)[:, 0], expected)
    table = pd.DataFrame(X, columns=["a", "b"]).convert_dtypes()
    nullable = HMERegressor(depth=1).fit(table, pd.Series(Y).convert_dtypes())
    np.testing.assert_allclose(nullable.predict(table), expected, rtol=1e-9)
    labels = HMEClassifier(depth=1).fit(X, pd.Series(LABELS, dtype="category"))
    np.testing.assert_array_equal(labels.predict_proba(X), HMEClassifier(depth=1).fit(X, LABELS).predict_proba(X))


@EITHER
def test_single_precision(model, y):
    a, b = clone(model).fit(X.astype(np.float32), y), clone(model).fit(X, y)
    np.testing.assert_allclose(answer(a, X.astype(np.float32)), answer(b), rtol=1e-3, atol=1e-4)
    assert answer(a, X.astype(np.float32)).dtype == np.float64


@EITHER
def test_read_only_memory_maps(model, y, tmp_path):
    joblib.dump((X, Y, WEIGHT), tmp_path / "table")
    table, _, weight = joblib.load(tmp_path / "table", mmap_mode="r")
    with joblib.parallel_config("threading"):  # processes take seconds to begin
        fitted = clone(model).set_params(n_init=2, n_jobs=2, random_state=0).fit(table, y, sample_weight=weight)
    expected = clone(model).set_params(n_init=2, random_state=0).fit(X, y, sample_weight=WEIGHT)
    np.testing.assert_array_equal(answer(fitted, table), answer(expected))


@pytest.mark.parametrize(
    "kind", few(representative([sp.csr_array, sp.csc_array, sp.coo_array, sp.csr_matrix], every=2), 1)
)
@pytest.mark.parametrize(
    "parameters", [{"depth": 0}, {"depth": 1}, slow_case({"depth": 1, "standardize": False})], ids=str
)
@BOTH
def test_sparse_tables(model, y, parameters, kind):
    table = X * (np.abs(X) > 0.5)
    model = clone(model).set_params(**parameters)
    dense, sparse = clone(model).fit(table, y), clone(model).fit(kind(table), y)
    tol = 1e-6 if y is Y or parameters["depth"] == 0 else 1e-2
    np.testing.assert_allclose(answer(sparse, kind(table)), answer(dense, table), rtol=tol, atol=tol)
    np.testing.assert_allclose(answer(sparse, kind(table)), answer(sparse, table), rtol=1e-10)


@BOTH
def test_a_fit_to_a_dense_table_answers_for_a_sparse_one(model, y):
    fitted = clone(model).fit(X, y)
    np.testing.assert_allclose(answer(fitted, sp.csr_array(X)), answer(fitted), rtol=1e-10)


def test_several_outputs():
    two = np.c_[Y, X[:, 0] ** 2]
    model = HMERegressor(depth=1).fit(X, two)
    assert model.predict(X).shape == (N, 2) and model.predict(X, return_std=True)[1].shape == (N, 2)
    assert model.predict_experts(X).shape == (N, 2, 2)
    assert model.experts_.coef.shape == (2, 2, 2) and model.score(X, two) > 0.5
    assert model.log_likelihood(X, two).shape == (N,)
    # The order of the outputs is without meaning; with one expert each output has its own fit.
    swapped = HMERegressor(depth=1).fit(X, two[:, ::-1])
    np.testing.assert_allclose(swapped.predict(X), model.predict(X)[:, ::-1], rtol=1e-6, atol=1e-8)
    lone = HMERegressor(depth=0)
    np.testing.assert_allclose(clone(lone).fit(X, two).predict(X)[:, 0], clone(lone).fit(X, Y).predict(X), rtol=1e-9)


# Weights ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("parameters", [{}, {"depth": 2}, {"depth": 1, "gate": "constant"}], ids=str)
@BOTH
def test_a_weight_is_a_number_of_rows(model, y, parameters):
    model = clone(model).set_params(**parameters)
    rows = np.random.default_rng(1).permutation(np.repeat(np.arange(N), WEIGHT.astype(int)))
    weighted, repeated = clone(model).fit(X, y, WEIGHT), clone(model).fit(X[rows], y[rows])
    np.testing.assert_allclose(answer(weighted), answer(repeated), rtol=1e-7, atol=1e-10)
    assert weighted.lower_bounds_[-1] == pytest.approx(repeated.lower_bounds_[-1], rel=1e-9)


@EITHER
def test_rows_without_weight_are_not_there(model, y):
    weight = np.where(np.arange(N) < 80, 1.0, 0.0)
    ruined = np.where(weight[:, None] > 0, X, 1e6)
    np.testing.assert_array_equal(answer(clone(model).fit(ruined, y, weight)), answer(clone(model).fit(X[:80], y[:80])))


def test_class_weights():
    balanced = HMEClassifier(depth=1, class_weight="balanced").fit(X, LABELS)
    classes, counts = np.unique(LABELS, return_counts=True)
    factors = dict(zip(classes, N / (2 * counts), strict=True))
    explicit = HMEClassifier(depth=1).fit(X, LABELS, [factors[label] for label in LABELS])
    named = HMEClassifier(depth=1, class_weight=factors).fit(X, LABELS)
    np.testing.assert_allclose(balanced.predict_proba(X), explicit.predict_proba(X), rtol=1e-12)
    np.testing.assert_allclose(named.predict_proba(X), explicit.predict_proba(X), rtol=1e-12)
    both = HMEClassifier(depth=1, class_weight=factors).fit(X, LABELS, WEIGHT)
    expected = HMEClassifier(depth=1).fit(X, LABELS, WEIGHT * [factors[label] for label in LABELS])
    np.testing.assert_allclose(both.predict_proba(X), expected.predict_proba(X), rtol=1e-12)


def test_balanced_classes_have_the_same_total_weight():
    """Weights count as rows, also in standard errors, and rows of weight zero not at all."""
    weight = np.where(np.arange(N) % 10 == 0, 0.0, WEIGHT)
    again = np.repeat(np.arange(N), weight.astype(int))
    model = HMEClassifier(depth=1, start="kmeans", class_weight="balanced")
    weighted, repeated = clone(model).fit(X, LABELS, weight), clone(model).fit(X[again], LABELS[again])
    np.testing.assert_allclose(answer(weighted), answer(repeated), rtol=1e-7)
    factors = model.class_factors(LABELS, weight)
    np.testing.assert_allclose((factors * weight)[LABELS == "in"].sum(), weight.sum() / 2)
    errors = [
        infer(weighted, X, LABELS, sample_weight=weight).standard_error,
        infer(repeated, X[again], LABELS[again]).standard_error,
    ]
    np.testing.assert_allclose(*errors, rtol=1e-5)


@BOTH
def test_default_fits_are_the_same_every_time(model, y, monkeypatch):
    monkeypatch.setattr(starts, "CHEAP", 1 << 14)
    first = clone(model).fit(X, y)
    assert len(first.restarts_) > 1
    np.testing.assert_array_equal(answer(clone(model).fit(X, y)), answer(first))


@pytest.mark.parametrize(
    "labels", [LABELS, LABELS.astype(object), LABELS == "in", np.where(LABELS == "in", -7, 3), 1.0 * (LABELS == "in")]
)
def test_labels_of_any_kind(labels):
    model = HMEClassifier(depth=1).fit(X, labels)
    np.testing.assert_array_equal(model.classes_, np.unique(labels))
    assert model.predict(X).dtype == labels.dtype and set(model.predict(X)) <= set(labels)
    np.testing.assert_allclose(np.exp(model.predict_log_proba(X)), model.predict_proba(X), rtol=1e-12)
    chosen = model.predict_proba(X)[np.arange(N), np.searchsorted(model.classes_, labels)]
    np.testing.assert_allclose(model.log_likelihood(X, labels), np.log(chosen), rtol=1e-9)


# The life of a fit --------------------------------------------------------------------------------------------------


@EITHER
def test_max_iter_warns_once_and_a_warm_start_goes_on(model, y):
    whole = clone(model).set_params(tol=1e-9, max_iter=5000).fit(X, y)
    model = clone(model).set_params(max_iter=3, tol=1e-9, warm_start=True)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X, y)
    assert [warning.category for warning in caught] == [ConvergenceWarning]
    assert "max_iter=3" in str(caught[0].message) and caught[0].filename == __file__
    assert not model.converged_ and model.stop_reason_ == "max_iter" and model.n_iter_ == 3
    stopped = model.lower_bounds_[-1]
    model.set_params(max_iter=5000).fit(X, y)
    assert model.converged_ and model.lower_bounds_[0] >= stopped - 1e-12
    np.testing.assert_allclose(answer(model), answer(whole), rtol=1e-3, atol=1e-3)
    assert model.fit(X, y).n_iter_ <= 2  # nothing is left to do


@EITHER
def test_a_callback_sees_the_sweeps_and_stops_the_fit(model, y):
    seen = []

    def callback(sweep, objective, params):
        seen.append((sweep, objective))
        return sweep == 3

    model = clone(model).set_params(callback=callback, tol=0.0).fit(X, y)
    assert model.stop_reason_ == "callback" and not model.converged_
    assert [sweep for sweep, _ in seen] == [0, 1, 2, 3]
    np.testing.assert_array_equal([objective for _, objective in seen], model.lower_bounds_)


@EITHER
def test_an_interruption_keeps_the_best_parameters(model, y):
    def callback(sweep, objective, params):
        if sweep == 4:
            raise KeyboardInterrupt

    short = clone(model).set_params(max_iter=5, tol=0.0)
    with pytest.warns(ConvergenceWarning, match="max_iter=5"):
        short.fit(X, y)
    model = clone(model).set_params(callback=callback, tol=0.0)
    with pytest.warns(ConvergenceWarning, match="interrupted") as caught:
        model.fit(X, y)
    assert len(caught) == 1 and model.stop_reason_ == "interrupted"
    np.testing.assert_array_equal(answer(model), answer(short))
    assert model.set_params(callback=None, warm_start=True, tol=1e-5).fit(X, y).converged_


def test_an_interruption_before_the_first_sweep_is_raised(monkeypatch):
    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr("hme.model.mixture.Mixture.e_step", interrupt)
    with pytest.raises(KeyboardInterrupt):
        HMERegressor(depth=1).fit(X, Y)


@EITHER
def test_verbose(model, y, capsys):
    clone(model).fit(X, y)
    assert capsys.readouterr().out == ""
    n_iter = clone(model).set_params(verbose=2).fit(X, y).n_iter_
    *lines, end, kept = capsys.readouterr().out.splitlines()
    assert 1 < len(lines) <= n_iter and all(line.startswith("start 1 of 1  sweep ") for line in lines)
    assert all("objective" in line and line.endswith(" s") for line in (*lines, end, kept)) and "gain" in lines[1]
    assert end.startswith(f"start 1 of 1  ended after {n_iter} sweeps: converged  objective ")
    assert kept.startswith(f"{type(model).__name__}: start 1 of 1 ({model.start}) is kept, 2 experts: converged")
    clone(model).set_params(verbose=1).fit(X, y)
    assert 1 <= len(capsys.readouterr().out.splitlines()) <= 3 + n_iter // 10


@pytest.mark.slow
def test_what_becomes_of_experts_without_weight():
    table, y = X[:8], Y[:8]
    model = HMERegressor(n_experts=8, max_iter=30)
    with pytest.warns(ConvergenceWarning, match=r"expert\(s\) \[.*\] hold next to no weight") as caught:
        warned = clone(model).fit(table, y)
    assert len(caught) == 1 and np.isfinite(warned.predict(table)).all() and warned.n_experts_ == 8
    with pytest.raises(ValueError, match=r"expert\(s\) \[.*\].*on_empty='raise'"):
        clone(model).set_params(on_empty="raise").fit(table, y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fed = clone(model).set_params(on_empty="reseed").fit(table, y)
    assert fed.lower_bounds_[-1] >= warned.lower_bounds_[-1]


@BOTH
def test_a_start_given_as_labels_or_responsibilities(model, y):
    leaves = (X[:, 0] > 0).astype(int)
    by_leaf = clone(model).set_params(start=leaves).fit(X, y)
    by_resp = clone(model).set_params(start=np.eye(2)[leaves]).fit(X, y)
    np.testing.assert_array_equal(answer(by_leaf), answer(by_resp))
    swapped = clone(model).set_params(start=1 - leaves).fit(X, y)
    np.testing.assert_allclose(answer(swapped), answer(by_leaf), rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(swapped.load_, by_leaf.load_[::-1], rtol=1e-6)
    weight = np.where(np.arange(N) < 100, WEIGHT, 0.0)  # rows without weight are in the start as well
    dropped = clone(model).set_params(start=leaves[:100]).fit(X[:100], y[:100], weight[:100])
    kept = clone(model).set_params(start=leaves).fit(X, y, weight)
    np.testing.assert_array_equal(answer(kept), answer(dropped))
    assert by_leaf.restarts_[0].start == "given"


# Warm starts keep what a fit is ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "before, after",
    [
        ({"expert": LinearExpert()}, {"expert": LinearExpert(fixed_coef={0: 1.0})}),
        ({"expert": LinearExpert()}, {"expert": LinearExpert(shared_variance=True)}),
        ({"gate": GaussianGate("full")}, {"gate": GaussianGate("diag")}),
        ({"expert": [("a", LinearExpert()), ("b", LinearExpert())]},
         {"expert": [("a", LinearExpert(alpha=0.0)), ("b", LinearExpert())]}),
    ],
    ids=["fixed", "shared", "covariance", "list"],
)  # fmt: skip
def test_warm_start_refuses_another_model(before, after):
    X = np.random.default_rng(0).normal(size=(60, 2))
    model = HMERegressor(n_experts=2, warm_start=True, **before).fit(X, np.abs(X[:, 0]))
    with pytest.raises(ValueError, match="warm_start"):
        model.set_params(**after).fit(X, np.abs(X[:, 0]))


def test_warm_start_takes_another_strength():
    X = np.random.default_rng(0).normal(size=(60, 2))
    model = HMERegressor(n_experts=2, warm_start=True).fit(X, np.abs(X[:, 0]))
    slopes = model.experts_.coef.copy()
    assert not np.allclose(model.set_params(expert__alpha=50.0).fit(X, np.abs(X[:, 0])).experts_.coef, slopes)


def test_an_interrupt_ends_all_starts():
    X = np.random.default_rng(0).normal(size=(200, 2))
    calls = []

    def interrupt(sweep, objective, params):
        calls.append(sweep)
        if len(calls) == 3:
            raise KeyboardInterrupt

    model = HMERegressor(n_experts=3, n_init=5, callback=interrupt, on_empty="reseed")
    with pytest.warns(ConvergenceWarning, match="interrupted"):
        model.fit(X, np.abs(X[:, 0]))
    assert len(calls) == 3 and len(model.restarts_) == 1
