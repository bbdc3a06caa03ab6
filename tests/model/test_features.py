"""Columns of experts and gate: some of them, or what a transformer makes of them."""

import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from families import identify
from problems import few, representative
from sklearn.base import clone
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    OneHotEncoder,
    PolynomialFeatures,
    SplineTransformer,
    StandardScaler,
)

from hme import HMEClassifier, HMERegressor, export_text
from hme.experts import ConstantExpert, LinearExpert
from hme.model.features import Columns, Features, Tables
from hme.registry import expert_names

RNG = np.random.default_rng(0)
N = 150
X = RNG.normal(size=(N, 3)) * [1.0, 2.0, 0.5] + [0.0, 1.0, 3.0]
NAMES = ["age", "dose", "time"]
TABLE = pd.DataFrame(X, columns=NAMES)
Y = np.where(X[:, 0] < 0, 1 + X[:, 1], 2 - X[:, 1]) + 0.2 * RNG.normal(size=N)
WITH_TEXT = TABLE.assign(kind=np.where(RNG.uniform(size=N) < 0.5, "old", "new"), spare="none")


def regressor(**settings):
    return HMERegressor(**{"n_experts": 2, **settings})


# -- which columns ---------------------------------------------------------------------------------------------------

FIRST_TWO = [
    ["age", "dose"], [0, 1], slice(0, 2), slice("age", "dose"), np.array([True, True, False]), [True, True, False],
    np.array([0, 1]), lambda table: ["age", "dose"], make_column_selector("age|dose"),
    ColumnTransformer([("keep", "passthrough", ["age", "dose"])], verbose_feature_names_out=False),
    FunctionTransformer(lambda table: table[["age", "dose"]], feature_names_out=lambda self, names: names[:2]),
]  # fmt: skip


@pytest.mark.parametrize("spec", few(FIRST_TWO, 6), ids=identify)
def test_every_way_to_name_two_columns(spec):
    # The gate sees the third column, experts the two: as if each side had been given a table of its own.
    model = regressor(expert_features=spec, gate_features=["time"], tol=1e-3).fit(TABLE, Y)
    expected = regressor(expert_features=[0, 1], gate_features=[2], tol=1e-3).fit(X, Y)
    np.testing.assert_allclose(model.experts_.coef, expected.experts_.coef, rtol=1e-10)
    np.testing.assert_allclose(model.predict(TABLE), expected.predict(X), rtol=1e-10)
    assert model.experts_.coef.shape == (2, 2) and model.n_features_in_ == 3
    assert list(model.columns_.expert.features.names) == NAMES[:2]


@pytest.mark.parametrize("spec", ["age", ["age"], [0], [-3]], ids=repr)
def test_one_column(spec):
    model = regressor(gate_features=spec).fit(TABLE, Y)
    assert model.experts_.coef.shape == (2, 3)
    text = export_text(model)
    assert text.startswith("gate 0: age ") and "dose" in text
    # The prior does not move with the other columns, the experts do.
    other = TABLE.assign(dose=0.0, time=9.0)
    np.testing.assert_array_equal(model.gate_proba(other), model.gate_proba(TABLE))
    assert not np.allclose(model.predict(other), model.predict(TABLE))


def test_all_columns_by_name_are_no_choice():
    np.testing.assert_allclose(
        regressor(expert_features=NAMES, gate_features=slice(None)).fit(TABLE, Y).predict(TABLE),
        regressor().fit(X, Y).predict(X),
        rtol=1e-9,
    )


def test_columns_that_both_sides_share_are_kept_once():
    tables, weight = Tables(X, X), np.ones(N)
    same = Columns.fit(None, None, tables, NAMES, weight, True)
    assert same.gate is same.expert
    rows = same.rows(tables)
    assert rows.Z is rows.X
    rows = Columns.fit([0], None, tables, NAMES, weight, True).rows(tables)
    assert rows.X.shape == (N, 2) and rows.Z.shape == (N, 4)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    "expert",
    representative(sorted(set(expert_names("regression")) - {"background", "binomial", "point_mass", "tree"}), every=3),
)
def test_no_columns_leave_the_intercept(expert):
    y = np.round(np.exp(0.3 * Y)) + 1.0
    model = regressor(expert=expert, expert_features=[]).fit(X, y)
    experts = model.predict_experts(X)
    np.testing.assert_allclose(experts, np.broadcast_to(experts[:1], experts.shape), rtol=1e-12)
    assert model.gate_proba(X).std(axis=0).max() > 0.01


def test_text_of_experts_without_columns():
    assert "leaf 1" in export_text(regressor(expert_features=[]).fit(X, Y))


def test_linear_experts_without_columns_are_constant_experts():
    exact = dict(variance_prior=None, variance_floor=1e-8)
    line = regressor(expert=LinearExpert(alpha=0.0, **exact), expert_features=[], tol=1e-10)
    constant = regressor(expert=ConstantExpert(**exact), gate_features=NAMES, tol=1e-10)
    start = (X[:, 0] > 0).astype(int)
    line.set_params(start=start).fit(TABLE, Y), constant.set_params(start=start).fit(TABLE, Y)
    np.testing.assert_allclose(line.lower_bounds_[-1], constant.lower_bounds_[-1], rtol=1e-8)
    np.testing.assert_allclose(line.predict(TABLE), constant.predict(TABLE), rtol=1e-5)


def test_gate_without_columns_is_a_constant_gate():
    start = (X[:, 0] > 0).astype(int)
    none = regressor(gate_features=[], start=start, tol=1e-10).fit(X, Y)
    constant = regressor(gate="constant", start=start, tol=1e-10).fit(X, Y)
    np.testing.assert_allclose(none.gate_proba(X), constant.gate_proba(X), rtol=1e-5)
    np.testing.assert_allclose(none.predict(X), constant.predict(X), rtol=1e-5)


@pytest.mark.parametrize(
    "start", representative(["model_tree", "perturbed_model_tree", "directions", "hyperplanes", "kmeans"], every=3)
)
@pytest.mark.parametrize("features", [{"gate_features": []}, {"expert_features": []}, {"gate_features": ["dose"]}])
def test_every_start_takes_sides_of_their_own(start, features):
    model = regressor(start=start, random_state=0, **features).fit(TABLE, Y)
    assert np.isfinite(model.predict(TABLE)).all() and model.load_.min() > 0.01


# -- transformers ----------------------------------------------------------------------------------------------------


def one_hot(**settings):
    columns = [("kind", OneHotEncoder(sparse_output=False, drop="first"), ["kind"]), ("dose", "passthrough", ["dose"])]
    return ColumnTransformer(columns, verbose_feature_names_out=False, **settings)


TRANSFORMERS = {
    "spline": SplineTransformer(4, extrapolation="linear"),
    "polynomial": PolynomialFeatures(2, include_bias=False),
    "function": FunctionTransformer(np.tanh, feature_names_out="one-to-one"),
    "pipeline": make_pipeline(StandardScaler(), PolynomialFeatures(2, include_bias=False)),
    "without names": FunctionTransformer(np.abs),
}


@pytest.mark.parametrize("side", ["expert_features", "gate_features"])
@pytest.mark.parametrize("name", representative(TRANSFORMERS, every=3))
def test_transformer_inside_is_one_outside(name, side):
    transformer = TRANSFORMERS[name]
    outside = clone(transformer).fit(X)
    wide = np.hstack([X, outside.transform(X)])
    own, rest = slice(3, None), slice(0, 3)
    other = "gate_features" if side == "expert_features" else "expert_features"
    model = regressor(**{side: transformer}).fit(X, Y)
    expected = regressor(**{side: own, other: rest}).fit(wide, Y)
    np.testing.assert_allclose(model.predict(X), expected.predict(wide), rtol=1e-9)
    assert not hasattr(transformer, "n_features_in_")  # what the user gives is cloned
    names = getattr(model.columns_, side.split("_")[0]).features.names
    assert len(names) == wide.shape[1] - 3
    if name == "without names":
        assert list(names) == [f"{side[0]}{j}" for j in range(3)]
    far = model.predict(1e3 * X)
    assert np.isfinite(far).all()


@pytest.mark.parametrize("sparse", [False, True])
def test_text_columns(sparse):
    encode = one_hot()
    if sparse:
        encode.set_params(kind__sparse_output=True, sparse_threshold=1.0)
    model = regressor(expert_features=encode, gate_features=["age", "dose"]).fit(WITH_TEXT, Y)
    numbers = np.column_stack([WITH_TEXT["kind"] == "old", X[:, 1], X[:, 0]]).astype(float)
    expected = regressor(expert_features=[0, 1], gate_features=[2, 1]).fit(numbers, Y)
    np.testing.assert_allclose(model.predict(WITH_TEXT), expected.predict(numbers), rtol=1e-6, atol=1e-8)
    assert list(model.columns_.expert.features.names) == ["kind_old", "dose"]
    assert "kind_old" in export_text(model)
    assert list(model.feature_names_in_) == list(WITH_TEXT.columns)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(WITH_TEXT), model.predict(WITH_TEXT))


def test_text_columns_are_refused_where_a_side_takes_all():
    with pytest.raises(ValueError, match="could not convert string to float"):
        regressor(expert_features=one_hot()).fit(WITH_TEXT, Y)
    with pytest.raises(ValueError, match="expert_features"):
        regressor(expert_features=["kind"], gate_features=["age"]).fit(WITH_TEXT, Y)


def test_unknown_category_is_the_encoders_business():
    model = regressor(expert_features=one_hot(), gate_features=["age"]).fit(WITH_TEXT, Y)
    with pytest.raises(ValueError, match="unknown categories"):
        model.predict(WITH_TEXT.assign(kind="odd"))


def test_missing_values_are_the_transformers_business():
    holes = TABLE.copy()
    holes.loc[::7, "time"] = np.nan
    model = regressor(expert_features=SimpleImputer(), gate_features=["age", "dose"]).fit(holes, Y)
    assert np.isfinite(model.predict(holes)).all()
    with pytest.raises(ValueError, match="NaN"):
        regressor(expert_features=["time"], gate_features=["age"]).fit(holes, Y)
    with pytest.raises(ValueError, match="NaN"):
        regressor(expert_features=SimpleImputer()).fit(holes, Y)  # the gate sees them all


def test_polars():
    pl = pytest.importorskip("polars")
    frame = pl.DataFrame({name: X[:, j] for j, name in enumerate(NAMES)})
    model = regressor(expert_features=["dose"], gate_features=["age"]).fit(frame, Y)
    expected = regressor(expert_features=["dose"], gate_features=["age"]).fit(TABLE, Y)
    np.testing.assert_allclose(model.predict(frame), expected.predict(TABLE), rtol=1e-12)
    assert list(model.feature_names_in_) == NAMES
    weight = np.arange(N) % 3
    one = regressor(expert_features=["dose"], gate_features=["age"]).fit(frame, Y, sample_weight=weight)
    two = regressor(expert_features=["dose"], gate_features=["age"]).fit(TABLE, Y, sample_weight=weight)
    np.testing.assert_allclose(one.predict(frame), two.predict(TABLE), rtol=1e-12)


@pytest.mark.parametrize("container", [sp.csr_matrix, sp.csc_matrix, sp.csr_array])
def test_sparse(container):
    wide = X * (np.abs(X) > 0.8)
    model = regressor(expert_features=[1, 2], gate_features=[0]).fit(container(wide), Y)
    expected = regressor(expert_features=[1, 2], gate_features=[0]).fit(wide, Y)
    np.testing.assert_allclose(model.predict(container(wide)), expected.predict(wide), rtol=1e-5, atol=1e-6)


# -- weights ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spec", representative([["dose", "age"], *TRANSFORMERS.values(), one_hot()], every=3), ids=identify
)
def test_rows_without_weight_are_absent(spec):
    times = np.arange(N) % 3
    table = WITH_TEXT if isinstance(spec, ColumnTransformer) else TABLE
    strange = table.copy()
    strange.loc[times == 0, NAMES] = 1e4  # where nobody may look
    if table is WITH_TEXT:
        strange.loc[times == 0, "kind"] = "odd"
    model = regressor(expert_features=spec, gate_features=["age", "time"]).fit(strange, Y, sample_weight=times)
    kept = times > 0
    expected = regressor(expert_features=spec, gate_features=["age", "time"])
    expected.fit(table[kept], Y[kept], sample_weight=times[kept])
    np.testing.assert_allclose(model.predict(table[kept]), expected.predict(table[kept]), rtol=1e-10)


@pytest.mark.parametrize("spec", [StandardScaler(), SplineTransformer(4, knots="quantile", extrapolation="linear")])
def test_weight_reaches_the_transformer(spec):
    times = np.arange(N) % 3 + 1
    weighted = regressor(expert_features=spec).fit(X, Y, sample_weight=times)
    repeated = regressor(expert_features=spec).fit(X.repeat(times, axis=0), Y.repeat(times))
    if isinstance(spec, StandardScaler):
        np.testing.assert_allclose(
            weighted.columns_.expert.features.transformer.mean_, np.average(X, axis=0, weights=times)
        )
    np.testing.assert_allclose(weighted.predict(X), repeated.predict(X), rtol=1e-6, atol=1e-7)


# -- as an estimator -------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_clone_grid_search_and_pipeline():
    model = regressor(expert_features=["dose"], gate_features=SplineTransformer(4, extrapolation="linear"))
    again = clone(model)
    assert str(again) == str(model) and again.gate_features is not model.gate_features
    grid = {"gate_features": [["age"], ["time"]], "expert__alpha": [0.1]}
    search = GridSearchCV(regressor(expert=LinearExpert(), tol=1e-3), grid, cv=2).fit(TABLE, Y)
    assert search.best_params_["gate_features"] == ["age"]
    model.set_params(gate_features__n_knots=6).fit(TABLE, Y)
    assert len(model.columns_.gate.features.names) == 3 * 8
    scale = Pipeline([("scale", StandardScaler().set_output(transform="pandas")), ("hme", again)]).fit(TABLE, Y)
    np.testing.assert_allclose(scale.predict(TABLE).shape, (N,))
    grid = GridSearchCV(scale, {"hme__gate_features": [["age"], None], "hme__expert_features": [["dose"]]}, cv=2)
    assert grid.fit(TABLE, Y).best_score_ > 0.5


def test_classifier():
    y = np.where((X[:, 0] < 0) == (X[:, 1] < 1), "yes", "no")
    model = HMEClassifier(n_experts=2, expert_features=["dose"], gate_features=one_hot()).fit(WITH_TEXT, y)
    np.testing.assert_allclose(model.predict_proba(WITH_TEXT).sum(axis=1), 1.0)
    model = HMEClassifier(n_experts=2, expert_features=["dose"], gate_features=["age"]).fit(WITH_TEXT, y)
    assert model.score(WITH_TEXT, y) > 0.85 and model.experts_.coef.shape == (2, 1, 1)


def test_warm_start_keeps_the_columns():
    settings = dict(expert_features=SplineTransformer(4, extrapolation="linear"), gate_features=["age"])
    model = regressor(max_iter=500, tol=1e-9, **settings).fit(TABLE, Y)
    knots = model.columns_.expert.features.transformer
    model.set_params(warm_start=True).fit(TABLE[:100], Y[:100])
    assert model.columns_.expert.features.transformer is knots
    with pytest.raises(ValueError, match="warm_start.*gate_features"):
        model.set_params(gate_features=["dose"]).fit(TABLE, Y)
    with pytest.raises(ValueError, match="warm_start"):
        model.set_params(gate_features=["age"], expert_features=None).fit(TABLE, Y)


def test_the_parameter_is_left_as_given():
    columns = ["dose"]
    model = regressor(expert_features=columns)
    model.fit(TABLE, Y)
    assert model.expert_features is columns and columns == ["dose"]


# -- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("both", [False, True])
def test_wrong_table_at_predict_is_refused(both):
    features = {"gate_features": ["age"], **({"expert_features": ["dose"]} if both else {})}
    model = regressor(**features).fit(TABLE, Y)
    with pytest.raises(ValueError, match="same order"):
        model.predict(TABLE[NAMES[::-1]])
    with pytest.raises(ValueError, match="feature names"):
        model.predict(TABLE.rename(columns={"time": "hour"}))
    with pytest.raises(ValueError, match="feature names"):
        model.predict(TABLE[["age", "dose"]])
    with pytest.raises(ValueError, match="feature names"):
        model.predict(TABLE.assign(more=1.0))
    unnamed = regressor(**{key: [NAMES.index(value[0])] for key, value in features.items()}).fit(X, Y)
    with pytest.raises(ValueError, match="expecting 3 features"):
        unnamed.predict(X[:, :2])


@pytest.mark.parametrize("name", ["expert_features", "gate_features"])
@pytest.mark.parametrize(
    "spec, error",
    [
        (["height"], ValueError), ("height", ValueError), ([7], (ValueError, IndexError)), (1, TypeError),
        (2.5, TypeError), (False, TypeError), (True, TypeError), ({"age": 1}, TypeError), (StandardScaler, TypeError),
        ([0.5], (ValueError, TypeError)), ([True], (ValueError, IndexError)), ([None], (ValueError, TypeError)),
    ],
    ids=repr,
)  # fmt: skip
def test_bad_columns_are_named(name, spec, error):
    with pytest.raises(error, match=name):
        regressor(**{name: spec}).fit(TABLE, Y)


@pytest.mark.parametrize("columns", [[1, 2, 1], [0, -3]])
def test_a_column_taken_twice_is_refused(columns):
    with pytest.raises(ValueError, match="expert_features.*more than once"):
        regressor(expert_features=columns).fit(np.random.default_rng(0).normal(size=(60, 3)), np.arange(60.0))


def test_bad_columns_leave_an_earlier_fit_alone():
    model = regressor(gate_features=["age"]).fit(TABLE, Y)
    before = model.predict(TABLE)
    with pytest.raises(ValueError):
        model.set_params(gate_features=["height"]).fit(TABLE, Y)
    np.testing.assert_array_equal(model.predict(TABLE), before)


def test_transformer_that_changes_rows_or_gives_no_numbers_is_refused():
    for transformer, message in [
        (
            FunctionTransformer(lambda table: table[:5]),
            r"expert_features returned an array of shape \(5, 3\) for 150 rows",
        ),
        (FunctionTransformer(lambda table: table[:, 0]), r"expert_features returned an array of shape \(150,\)"),
        (FunctionTransformer(lambda table: np.full((len(table), 1), "a")), "expert_features"),
        (FunctionTransformer(lambda table: np.full((len(table), 1), np.nan)), "expert_features contains NaN"),
    ]:
        with pytest.raises(ValueError, match=message):
            regressor(expert_features=transformer).fit(X, Y)


def test_names_without_a_frame_are_refused():
    with pytest.raises(ValueError, match="gate_features.*only supported for dataframes"):
        regressor(gate_features=["age"]).fit(X, Y)


def test_features_of_none_pass_through():
    features = Features.fit(None, X, NAMES, np.ones(N), "gate_features")
    assert features.transform(X) is X
    assert list(features.renamed(["x", "y", "z"])) == ["x", "y", "z"]
    some = Features.fit(["dose"], TABLE, NAMES, np.ones(N), "gate_features")
    assert list(some.renamed(["x", "y", "z"])) == ["y"]


def test_other_names_in_text():
    model = regressor(expert_features=["dose"], gate_features=["age"]).fit(TABLE, Y)
    text = export_text(model, feature_names=["A", "B", "C"])
    assert "gate 0: A " in text and " B" in text and "dose" not in text


def test_floating_point_inside_a_transformer_is_no_warning():
    """What it returns counts; scikit-learn's scaler takes the root of variances that rounding made negative."""
    X = np.column_stack([np.linspace(-1.0, 1.0, 41), np.full(41, 1e-8)])
    logs = FunctionTransformer(lambda X: np.where(X > 0, np.log(X), 0.0))
    made = Features.fit(logs, X, ["a", "b"], np.ones(41), "expert_features")
    assert np.isfinite(made.transform(X)).all()
    with pytest.raises(ValueError, match="expert_features"):
        Features.fit(FunctionTransformer(np.log), X, ["a", "b"], np.ones(41), "expert_features")
