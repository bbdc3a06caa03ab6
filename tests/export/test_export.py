"""Fitted models as Python and SQL: the same numbers, and what has no formula is refused by name."""

import math
import sqlite3
from functools import cache

import numpy as np
import pytest
from problems import few, lines_and_curves
from sklearn.datasets import load_diabetes, load_iris
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, PolynomialFeatures, StandardScaler

from hme import HMEClassifier, HMERegressor, HMERegressorCV
from hme.export import NotExportable, from_json, to_json, to_python, to_sql
from hme.export.leaves import Largest
from hme.features import Splines
from hme.gates import GaussianGate, TopKGate

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
DIABETES, IRIS = load_diabetes(), load_iris()
X, Y = DIABETES.data[:, 2:6], DIABETES.target
FLOWERS, KINDS = IRIS.data, IRIS.target_names[IRIS.target]
CURVE = np.where(X[:, 1] > 0, np.sin(60 * X[:, 0]), 20 * X[:, 2]) + 0.1 * np.random.default_rng(1).normal(size=len(X))
COUNTS = np.random.default_rng(0).poisson(np.exp(5 * X[:, 0] + 1))

CASES = {
    "bent average": cache(lambda: lines_and_curves(X, CURVE)),
    "average": cache(lambda: HMERegressor(max_experts=3, max_iter=5).fit(X, Y)),
    "squares": lambda: HMERegressor(depth=1, expert_features="squares", hold_range=False, max_iter=5).fit(X, CURVE),
    "bent pipeline": lambda: make_pipeline(
        StandardScaler(), HMERegressor(depth=1, expert_features=Splines(6, 3), gate_features=[1], max_iter=5)
    ).fit(X, CURVE),
    "gaussian": cache(lambda: HMERegressor(n_experts=3, gate="gaussian", max_iter=5).fit(X, Y)),
    "top-k": cache(
        lambda: HMERegressor(n_experts=5, gate=TopKGate(2, balance=1.2, dense_sweeps=9, max_stages=3)).fit(X, Y)
    ),
    "bent classes": lambda: HMEClassifier(depth=1, expert_features="splines", max_iter=3).fit(FLOWERS, KINDS),
    "classes": lambda: HMEClassifier(n_experts=3, max_iter=5).fit(FLOWERS, KINDS),
    "poisson": lambda: HMERegressor(tree="((. . .) .)", expert="poisson", max_iter=5).fit(X, COUNTS),
    "far from zero": lambda: HMERegressor(depth=1, max_iter=5).fit(X + 1e6, Y),
    "two classes": lambda: HMEClassifier(depth=2, max_iter=5).fit(FLOWERS, IRIS.target == 1),
    "outputs": lambda: HMERegressor(depth=1, max_iter=5).fit(X, np.column_stack([Y, 2 * X[:, 0]])),
    "pipeline": lambda: make_pipeline(StandardScaler(), HMERegressor(depth=1, max_iter=5)).fit(X, Y),
    "not held": lambda: HMERegressor(depth=2, hold_range=False, max_iter=5).fit(X, Y),
    "one expert": lambda: HMERegressor(depth=0).fit(X, Y),
    "constant gate": lambda: HMERegressor(n_experts=2, gate="constant", max_iter=5).fit(X, Y),
    "constant experts": lambda: HMERegressor(n_experts=3, expert="constant", max_iter=5).fit(X, Y),
    "constant classes": lambda: HMEClassifier(n_experts=3, expert="constant", max_iter=5).fit(FLOWERS, KINDS),
    "binomial": lambda: HMERegressor(n_experts=2, expert="binomial", max_iter=5).fit(X, (Y > 100).astype(float)),
    "diagonal": lambda: HMERegressor(n_experts=2, gate=GaussianGate("diag"), max_iter=5).fit(X + 1e6, Y),
    "tied classes": lambda: HMEClassifier(n_experts=3, gate=GaussianGate("tied"), max_iter=5).fit(FLOWERS, KINDS),
    "top-1 splines": lambda: HMERegressor(
        n_experts=3, gate=TopKGate(k=1), gate_features="splines", hold_range=False, max_iter=5
    ).fit(X, Y),
    "own columns": lambda: HMERegressor(depth=1, expert_features=[2, 0], gate_features=[1], max_iter=5).fit(X, Y),
}


def beyond(table, n, seed=0):
    """Rows inside the range of a table and far beyond."""
    low, high = table.min(axis=0), table.max(axis=0)
    return np.random.default_rng(seed).uniform(low - (high - low), high + (high - low), size=(n, table.shape[1]))


def rows_for(name, n):
    return beyond(FLOWERS if "classes" in name else X + 1e6 if name in ("far from zero", "diagonal") else X, n)


def by_python(model, table, **options):
    found = {}
    exec(to_python(model, arguments="row", **options), found)
    function = found.get("predict_proba", found["predict"])
    return np.array([function(row) for row in table.tolist()])


def in_sqlite(model, table, **options):
    base = sqlite3.connect(":memory:")
    base.create_function("EXP", 1, lambda x: None if x is None else math.exp(x))
    names = [f"x{j}" for j in range(table.shape[1])]
    base.execute(f"CREATE TABLE data (id, {', '.join(names)})")
    marks = ", ".join("?" * (len(names) + 1))
    base.executemany(f"INSERT INTO data VALUES ({marks})", [(i, *row) for i, row in enumerate(table.tolist())])
    return base.execute(to_sql(model, "data", keep="id", **options) + " ORDER BY id").fetchall()


@pytest.mark.parametrize("name", few(list(CASES), 8))
def test_python_and_sql_predict_what_the_model_predicts(name):
    model, n = CASES[name](), 10_000
    new, classes = rows_for(name, n), "classes" in name
    wanted = model.predict_proba(new) if classes else model.predict(new)
    close = {"rtol": 1e-9, "atol": 1e-9 * np.abs(wanted).max()}
    np.testing.assert_allclose(by_python(model, new), wanted, **close)
    rows = in_sqlite(model, new)
    assert [row[0] for row in rows] == list(range(n))
    values = [row[1:-1] if classes else row[1:] for row in rows]
    np.testing.assert_allclose(np.reshape(values, wanted.shape), wanted, **close)
    if classes:
        assert (np.array([row[-1] for row in rows]) == model.predict(new)).all()


@pytest.mark.parametrize("make", [HMERegressor, HMEClassifier])
def test_scores_of_a_gaussian_gate_and_of_linked_experts_have_names_of_their_own(make):
    settings = {"expert": "poisson"} if make is HMERegressor else {}
    model = make(n_experts=2, gate="gaussian", max_iter=3, **settings)
    model.fit(X, COUNTS if settings else COUNTS > 1)
    new = beyond(X, 30)
    wanted = model.predict(new)[:, None] if settings else model.predict_proba(new)
    np.testing.assert_allclose(by_python(model, new).reshape(wanted.shape), wanted, rtol=1e-9, atol=1e-12)
    values = [row[1 : 1 + wanted.shape[1]] for row in in_sqlite(model, new)]
    np.testing.assert_allclose(values, wanted, rtol=1e-9, atol=1e-12)


def test_a_gate_without_columns_is_written_and_read():
    model = HMERegressor(n_experts=2, gate="gaussian", gate_features=[], max_iter=3).fit(X, Y)
    np.testing.assert_allclose(from_json(to_json(model)).predict(X), model.predict(X), rtol=1e-12)


def test_parts_have_columns_of_their_own():
    model = CASES["bent average"]()
    assert {part.candidate for part in model.average_.parts} == {0, 1}
    text = to_python(model)
    assert "way_0" in text and "bent_0" in text


def test_tree_alone_of_a_tree_that_has_grown():
    model, new = CASES["average"](), beyond(X, 50)
    assert model.average_ is not None
    wanted = model.predict(new, density="plug-in")
    assert np.abs(wanted - model.predict(new)).max() > 1e-3
    np.testing.assert_allclose(by_python(model, new, density="plug-in"), wanted, rtol=1e-9)
    np.testing.assert_allclose([row[1] for row in in_sqlite(model, new, density="plug-in")], wanted, rtol=1e-9)


def test_standard_sql():
    duckdb = pytest.importorskip("duckdb")
    pandas = pytest.importorskip("pandas")
    model, new = CASES["classes"](), beyond(FLOWERS, 200)
    base = duckdb.connect()
    base.register("data", pandas.DataFrame(new, columns=[f"x{j}" for j in range(4)]).assign(id=range(200)))
    found = base.execute(to_sql(model, "data", keep="id", dialect="standard") + " ORDER BY id").fetchall()
    np.testing.assert_allclose([row[1:-1] for row in found], model.predict_proba(new), rtol=1e-9, atol=1e-12)


def test_names_of_columns():
    pandas = pytest.importorskip("pandas")
    names = ["blood pressure", "class", "col_0", 'a"b']
    model = HMERegressor(depth=1, max_iter=2).fit(pandas.DataFrame(X, columns=names), Y)
    found = {}
    exec(to_python(model, name="cost"), found)
    wanted = model.predict(pandas.DataFrame(X[:1], columns=names))[0]
    given = dict(zip(["blood_pressure", "column_class", "column_col_0", "a_b"], X[0].tolist(), strict=True))
    assert found["cost"](**given) == pytest.approx(wanted, rel=1e-12)
    exec(to_python(model, arguments="row"), found)
    assert found["predict"](dict(zip(names, X[0].tolist(), strict=True))) == pytest.approx(wanted, rel=1e-12)
    base = sqlite3.connect(":memory:")
    base.create_function("EXP", 1, lambda x: None if x is None else math.exp(x))
    columns = ", ".join('"' + name.replace('"', '""') + '"' for name in names)
    base.execute(f'CREATE TABLE "my table" ({columns})')
    base.executemany('INSERT INTO "my table" VALUES (?, ?, ?, ?)', [X[0].tolist(), [None, *X[0, 1:].tolist()]])
    rows = base.execute(to_sql(model, "my table")).fetchall()
    assert rows[0][0] == pytest.approx(wanted, rel=1e-12) and rows[1][0] is None


def test_names_that_python_uses():
    pandas = pytest.importorskip("pandas")
    names = ["predict_proba", "max", "a + b" + " - c" * 30, "\ufb01"]
    frame = pandas.DataFrame(FLOWERS, columns=names)
    model, found = HMEClassifier(depth=1, max_iter=2).fit(frame, KINDS), {}
    exec(to_python(model), found)
    wanted = model.predict_proba(frame[:1])[0]
    assert found["predict_proba"](*FLOWERS[0].tolist()) == pytest.approx(wanted, abs=1e-12)
    assert found["predict"](*FLOWERS[0].tolist()) == "setosa" and found["PREDICT_CLASSES"][2] == "virginica"
    exec(to_python(model, arguments="row"), found)
    assert found["predict_proba"](frame.iloc[0].to_dict()) == pytest.approx(wanted, abs=1e-12)


def test_of_equal_scores_the_first_leaves_are_used():
    part = Largest(np.zeros((3, 2)), np.array([0.0, 0.0, 0.5]), 2)
    np.testing.assert_array_equal(part.priors(np.ones((1, 2))), [[0.5, 0.0, 0.5]])
    fit = HMERegressor(n_experts=4, gate=TopKGate(k=2), max_iter=5).fit(X, Y)
    coef, bias = np.zeros_like(fit.params_.gate.coef), np.zeros(4)
    fit.params_ = fit.params_._replace(gate=fit.params_.gate._replace(coef=coef, bias=bias))
    np.testing.assert_allclose(by_python(fit, X[:5]), fit.predict_experts(X[:5])[:, :2].mean(axis=1), rtol=1e-9)
    np.testing.assert_allclose([row[1] for row in in_sqlite(fit, X[:5])], fit.predict(X[:5]), rtol=1e-9)


REFUSED = [
    (lambda: HMERegressor(n_experts=2, expert="tree", max_iter=2).fit(X, Y), "expert = 'tree' has no formula"),
    (lambda: HMERegressor(n_experts=2, gate="tree", max_iter=2).fit(X, Y), "gate = 'tree' has no formula"),
    (
        lambda: HMERegressor(depth=1, expert_features=PolynomialFeatures(), gate_features=[0], max_iter=2).fit(X, Y),
        "expert_features = PolynomialFeatures.. makes columns of its own",
    ),
    (lambda: HMERegressor(depth=1, expert="poisson", max_iter=2).fit(X, COUNTS, offset=X[:, 0]), "with offset"),
    (lambda: make_pipeline(MinMaxScaler(), HMERegressor(depth=0)).fit(X, Y), "MinMaxScaler, is not exported"),
    (HMERegressorCV, "model = HMERegressorCV is not exported"),
]


@pytest.mark.parametrize("make, reason", few(REFUSED, 4))
def test_what_has_no_formula_is_refused_by_name(make, reason):
    with pytest.raises(NotExportable, match=reason):
        to_python(make())


def test_wrong_arguments():
    model = HMERegressor(depth=0).fit(X, Y)
    with pytest.raises(ValueError, match="name = 'for'"):
        to_python(model, name="for")
    with pytest.raises(ValueError, match="name = 'math'"):
        to_python(model, name="math")
    with pytest.raises(ValueError, match="arguments"):
        to_python(model, arguments="frame")
    with pytest.raises(ValueError, match="dialect"):
        to_sql(model, "data", dialect="oracle")
    with pytest.raises(ValueError, match="density"):
        to_sql(model, "data", density="mean")
