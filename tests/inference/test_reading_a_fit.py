"""Criteria that say what they count, effects that say what they hold fixed, names, and stored models."""

import pickle
import tomllib
import warnings
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LinearRegression

import hme
from hme import HMEClassifier, HMERegressor, HMETransformer
from hme.experts import BackgroundExpert, LinearExpert, PoissonExpert, StudentExpert
from hme.gates import EstimatorGate
from hme.inference import infer
from hme.inference.products import made_of_others

PLAIN = {"alpha": 0.0, "variance_prior": None, "variance_floor": 1e-8}


@pytest.fixture(scope="module")
def subjects():
    rng = np.random.default_rng(0)
    x, group = rng.normal(size=(200, 1)), np.repeat(np.arange(50), 4)
    y = np.where((rng.random(50) < 0.5)[group], 2.0 + x[:, 0], -x[:, 0]) + rng.normal(size=200)
    model = HMERegressor(n_experts=2, gate="constant", expert=LinearExpert(**PLAIN)).fit(x, y, groups=group)
    return model, x, y, group


def test_criteria_count_groups_or_rows(subjects):
    model, x, y, group = subjects
    log_likelihood, d = model.log_likelihood(x, y, groups=group).sum(), model.n_parameters_
    for count, n in (("groups", 50), ("rows", 200)):
        assert model.bic(x, y, groups=group, count=count) == pytest.approx(-2 * log_likelihood + d * np.log(n))
    result = infer(model, x, y, groups=group)
    assert result.bic == pytest.approx(model.bic(x, y, groups=group))
    assert result.bic_of_rows == pytest.approx(model.bic(x, y, groups=group, count="rows"))
    text = str(result.summary())
    assert "BIC of groups" in text and "BIC of rows" in text and "BIC of" not in str(infer(model, x, y).summary())
    with pytest.raises(ValueError, match="count"):
        model.bic(x, y, count="subjects")


def test_hard_icl_is_the_classification_likelihood(subjects):
    model, x, y, group = subjects
    for rows, n in (({}, 200), ({"groups": group}, 200)):
        first = np.unique(group, return_index=True)[1] if rows else np.arange(200)
        most = model.responsibilities(x, y, **rows)[first].max(axis=1)
        joint = model.log_likelihood(x, y, **rows) + np.log(most)  # of the most probable expert
        expected = -2.0 * joint.sum() + model.n_parameters_ * np.log(n)
        assert model.icl(x, y, hard=True, count="rows", **rows) == pytest.approx(expected, rel=1e-12)
    assert model.icl(x, y) > model.bic(x, y)
    times = np.random.default_rng(0).integers(1, 3, 200)
    each = np.repeat(np.arange(200), times)
    assert model.icl(x, y, times, hard=True) == pytest.approx(model.icl(x[each], y[each], hard=True))


def test_effects_of_columns_that_are_made_of_others():
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {"arm": rng.integers(0, 2, 200) * 1.0, "t": rng.uniform(0.5, 5, 200), "z": rng.normal(size=200)}
    )
    table["both"], table["square"], table["log_t"] = table.arm * table.t, table.t**2, np.log(table.t)
    table["centred"] = (table.z - table.z.mean()) * (table.arm - table.arm.mean())
    table["name"] = "text"
    found = {made.column: (made.how, set(made.of)) for made in made_of_others(table, list(table))}
    assert found == {
        "both": ("the product", {"arm", "t"}),
        "square": ("the power 2", {"t"}),
        "log_t": ("the logarithm", {"t"}),
        "centred": ("the product", {"arm", "z"}),
    }
    dummies = (rng.integers(0, 3, 200)[:, None] == np.arange(3)).astype(float)
    assert made_of_others(np.column_stack([dummies, table.t, 2 * table.t + 1, 1.0 - table.arm]), "abcdef") == []

    used = table[["arm", "t", "z", "both"]]
    y = rng.poisson(np.exp(0.5 + 0.2 * used.both))
    result = infer(HMERegressor(depth=0, expert=PoissonExpert(alpha=0.0)).fit(used, y), used, y)
    effects = result.marginal_effects(used)
    assert "Column both is the product of arm and t:" in " ".join(str(effects).split()) and len(effects.remarks) == 1
    assert not result.marginal_effects(used, columns="z").remarks
    assert result.marginal_effects(used, columns="t").remarks


# -- hyper-parameters and storing --------------------------------------------------------------------------------------


def test_the_members_of_a_list_are_parameters():
    experts = [("line", LinearExpert(alpha=0.5)), ("outliers", BackgroundExpert()), ("any", LinearRegression())]
    model = HMERegressor(n_experts=3, expert=experts)
    params = model.get_params()
    assert params["expert__line__alpha"] == 0.5 and params["expert__line"] is experts[0][1]
    assert params["expert__any__estimator__fit_intercept"] is True
    for key in params:
        if key.startswith("expert__"):
            clone(model).set_params(**{key: params[key]})
    assert clone(model).set_params(expert__line__alpha=2.0).get_params()["expert__line__alpha"] == 2.0
    assert "expert__line" not in model.get_params(deep=False)
    assert HMERegressor(expert=[("a", 3)]).get_params()["depth"] == "auto"  # refused in fit


def test_one_version():
    root = Path(__file__).parents[2]
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["version"] == hme.__version__
    assert f"\nversion: {hme.__version__}\n" in (root / "CITATION.cff").read_text("utf-8")


@pytest.mark.parametrize("make", [HMERegressor, HMEClassifier, HMETransformer], ids=lambda make: make.__name__)
def test_pickles_carry_a_version(make, monkeypatch):
    X, y = np.arange(40.0)[:, None], np.repeat([0, 1], 20)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        stored = pickle.dumps(make().fit(X, y))
    same = pickle.loads(stored)
    assert not any("version" in name for name in vars(same))
    monkeypatch.setattr(hme, "__version__", "99.0")
    with pytest.warns(UserWarning, match=r"stored by hme 0\.1\.0, and this is hme 99\.0"):
        pickle.loads(stored)
    with pytest.warns(UserWarning, match="stored by hme without a version"):
        make().__setstate__({"depth": 1})


# -- names -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def named():
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(120, 2)), columns=["dose", "age"])
    return pd, table, np.abs(table.dose) + 0.1 * rng.normal(size=len(table))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_frames_of_experts_and_gate(named):
    pd, table, y = named
    model = HMERegressor(tree="(. (. . .))", max_iter=5).fit(table, y)
    frame = model.experts_.to_frame()
    np.testing.assert_array_equal(frame[["dose", "age"]], model.experts_.coef)
    np.testing.assert_array_equal(frame["(intercept)"], model.experts_.intercept)
    assert list(frame.index) == [0, 1, 2, 3] and frame.index.name == "expert" and "variance" in frame
    gate = model.gate_.to_frame()
    assert list(gate.index) == [(0, 0), (0, 1), (1, 0), (1, 1), (1, 2)] and gate.index.names == ["node", "branch"]
    assert gate.loc[(1, 2), "age"] == model.gate_.coef[1, 2, 1]
    again = pickle.loads(pickle.dumps(model))
    pd.testing.assert_frame_equal(again.experts_.to_frame(), frame)
    pd.testing.assert_frame_equal(again.gate_.to_frame(), gate)

    classes = np.array(["low", "middle", "high"])[np.digitize(y, [0.5, 1.0])]
    model = HMEClassifier(n_experts=2, max_iter=5).fit(table, classes)
    frame = model.experts_.to_frame()
    assert frame.index.names == ["expert", "class"] and frame.loc[(1, "low"), "dose"] == model.experts_.coef[1, 1, 0]
    model = HMEClassifier(n_experts=2, max_iter=5).fit(table, classes == "low")
    assert list(model.experts_.to_frame().index) == [(0, True), (1, True)]
    both = HMERegressor(n_experts=2, expert=LinearExpert(covariance="full"), max_iter=5).fit(table, np.c_[y, table.age])
    frame = both.experts_.to_frame()
    assert frame.loc[(1, 0), "covariance(1)"] == both.experts_.covariance[1, 0, 1]

    experts = [("line", LinearExpert()), ("robust", StudentExpert(df=5.0))]
    for gate, column in (("constant", "proportion"), ("gaussian", "mean(dose)"), ("top_k", "dose")):
        model = HMERegressor(n_experts=2, expert=experts, gate=gate, max_iter=2).fit(table, y)
        assert list(model.gate_.to_frame().index) == ["line", "robust"] and column in model.gate_.to_frame()
    frame = model.experts_.to_frame()
    assert list(frame.index) == ["line", "robust"] and frame.loc["line", "dose"] == model.experts_["line"].coef[0]
    assert np.isnan(frame.loc["robust", "variance"]) and pickle.loads(pickle.dumps(model)).experts_.to_frame().equals(
        frame
    )
    tree = HMERegressor(n_experts=2, expert="tree", gate=EstimatorGate(cv=1), max_iter=1).fit(table, y)
    assert "estimator" in tree.experts_.to_frame() and "estimator" in tree.gate_.to_frame()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_experts_and_classes_have_their_names_everywhere(named):
    _, table, y = named
    experts = [("low", LinearExpert(alpha=0.1)), ("high", LinearExpert(alpha=0.2)), ("rest", BackgroundExpert())]
    for gate in ("constant", "gaussian", "top_k", "softmax"):
        model = HMERegressor(n_experts=3, expert=experts, gate=gate, max_iter=20).fit(table, y)
        result = infer(model, table, y)
        text = str(result.summary())
        assert "expert high" in text and "expert 1" not in text and "expert 2" not in text
        if gate != "softmax":
            assert "gate 0 [high]: (intercept)" in result.names and result.wald_test("dose", experts="low").df == 1
        if gate == "gaussian":
            assert "gate high: mean(dose)" in result.names
    tree = HMERegressor(n_experts=3, expert=experts, gate=EstimatorGate(cv=1), max_iter=3).fit(table, y)
    from hme import export_text

    assert "leaf 0 low (0." in export_text(tree) or "leaf 1 high (" in export_text(tree)
    classes = np.array(["low", "middle", "high"])[np.digitize(y, [0.5, 1.0])]
    model = HMEClassifier(n_experts=2, max_iter=20).fit(table, classes)
    result = infer(model, table, classes)
    assert "expert 0 [low]: dose" in result.names
    assert "class low against class high" in str(result.summary())
    assert set(result.to_frame().loc["expert"].index.get_level_values("part")) == {"low", "middle"}


def test_curves_are_tested_as_a_whole():
    rng = np.random.default_rng(0)
    table = rng.uniform(-1, 1, (200, 2))
    y = np.where(rng.random(200) < 0.5, 2.0 + table[:, 1] ** 2, table[:, 1]) + 0.1 * rng.normal(size=200)
    model = HMERegressor(n_experts=2, gate="constant", expert=LinearExpert(**PLAIN), expert_features="splines").fit(
        table, y
    )
    result = infer(model, table, y)
    own = [f"s(x1).{j}" for j in range(1, 5)]
    whole, of_terms = result.wald_test("x1", experts=0), result.wald_test(own, experts=0)
    assert whole == of_terms and whole.df == 4
    assert result.wald_test("x1").df == 8 and result.equal_across_experts("x1").df == 4
    assert result.equal_across_experts("x1").p_value < 1e-6 < result.equal_across_experts("x0").p_value
    effects, step = result.marginal_effects(table).to_frame(), np.array([0.0, 1e-6])
    slope = (model.predict(table + step) - model.predict(table - step)).mean() / 2e-6
    assert effects.effect.loc["x1", "per unit", "", "expert"] == pytest.approx(slope, rel=1e-5)
