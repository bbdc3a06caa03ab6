"""Explanations add up to predictions, and their parts are what the equations say."""

import numpy as np
import pytest
from problems import few, lines_and_curves
from sklearn.datasets import load_diabetes, load_iris

from hme import HMEClassifier, HMERegressor, HMEStackingRegressor, explain
from hme.explanation.attribution import along_scores, of_index, stepwise
from hme.explanation.tables import merged

pd = pytest.importorskip("pandas")


@pytest.fixture(scope="module")
def diabetes():
    return load_diabetes(return_X_y=True, as_frame=True)


def added(found):
    return found.base + found.parts.sum(axis=(1, 2))


SETTINGS = [
    {"depth": 2},
    {"n_experts": 2, "expert": "poisson"},
    {"n_experts": 3, "gate": "tree"},
    {"depth": 0},
    {"n_experts": 3, "gate": "gaussian"},
    {"n_experts": 2, "gate": "constant"},
    {"n_experts": 3, "gate": "top_k"},
    {"n_experts": 2, "expert": "tree"},
    {"n_experts": 2, "expert": [("line", "linear"), ("wide", "background")]},
]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("settings", few(SETTINGS, 3), ids=str)
def test_parts_add_up_to_the_prediction(diabetes, settings):
    X, y = diabetes
    X = X.iloc[:, 2:6]
    model = HMERegressor(max_iter=10, random_state=0, **settings).fit(X, y)
    found = explain(model, X[:4], y[:4])
    np.testing.assert_allclose(added(found), found.mean, rtol=1e-12)
    np.testing.assert_allclose(found.mean[:, 0], model.predict(X[:4]), rtol=1e-12)
    np.testing.assert_allclose(found.base[:, 0], model.predict(X.mean().to_frame().T)[0], rtol=1e-7)
    np.testing.assert_allclose(found.resp, model.responsibilities(X[:4], y[:4]))
    if settings.get("gate") == "constant" or settings.get("depth") == 0:
        assert not found.parts[:, :, 0].any()
    assert repr(found) and found._repr_html_()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_parts_add_up_to_the_average_over_sizes(diabetes):
    X, y = diabetes
    X = X.iloc[:, 2:5]
    model = HMERegressor(max_experts=3, max_iter=20).fit(X, y)
    assert len(model.average_.parts) > 1
    found = explain(model, X[:4], y[:4])
    np.testing.assert_allclose(added(found), found.mean, rtol=1e-12)
    np.testing.assert_allclose(found.mean[:, 0], model.predict(X[:4]), rtol=1e-12)
    np.testing.assert_allclose(found.tree_mean[:, 0], model.predict(X[:4], density="plug-in"))
    assert [size for size, *_ in found.sizes] == [part.n_leaves for part in model.average_.parts]
    assert "average over mixtures of" in repr(found)


def bent(diabetes):
    X = diabetes[0].iloc[:200, [1, 2, 3]]
    noise = 0.6 * np.random.default_rng(1).normal(size=len(X))
    return X, np.where(X.bp > 0, np.sin(60 * X.bmi), 20 * X.bp) + noise


def test_bent_experts_are_explained_by_the_columns_of_the_user(diabetes):
    X, y = bent(diabetes)
    model = lines_and_curves(X, y)
    found = explain(model, X[:4], y[:4])
    assert found.columns == ["sex", "bmi", "bp"]
    np.testing.assert_allclose(added(found), found.mean, rtol=1e-12)
    np.testing.assert_allclose(found.mean[:, 0], model.predict(X[:4]), rtol=1e-12)
    assert "with expert_features='splines'" in repr(found)
    np.testing.assert_array_equal(found.values, X[:4])


def test_what_a_column_adds_is_its_curve(diabetes):
    X, y = bent(diabetes)
    model = HMERegressor(depth=0, expert_features="splines").fit(X, y)
    parts = explain(model, X).parts[:, :, 1, 0]
    for j in range(X.shape[1]):  # what changes where one column does
        other = X.copy()
        other.iloc[:, j] = X.iloc[0, j]
        np.testing.assert_allclose(parts[:, j] - parts[0, j], model.predict(X) - model.predict(other), atol=1e-9)
    np.testing.assert_allclose(parts.mean(axis=0), 0.0, atol=1e-9)


def test_linear_experts_are_exact(diabetes):
    X, y = diabetes
    model = HMERegressor(depth=1).fit(X, y)
    found = explain(model, X[:3])
    g0, g1 = model.gate_proba(X.mean().to_frame().T), model.gate_proba(X[:3])
    slopes = np.einsum("nk,kj->nj", 0.5 * (g0 + g1), model.experts_.coef)
    np.testing.assert_allclose(found.parts[:, :, 1, 0], slopes * (X[:3] - X.mean()), rtol=1e-8, atol=1e-9)
    one = HMERegressor(depth=0).fit(X, y)
    np.testing.assert_allclose(explain(one, X[:3]).parts[:, :, 1, 0], one.experts_.coef[0] * (X[:3] - X.mean()))


def test_gates_are_integrated_gradients(diabetes):
    X, y = diabetes
    X = X.iloc[:, 2:5]
    model = HMERegressor(depth=1).fit(X, y)
    found = explain(model, X[7:8])
    slope = model.gate_.coef[0, 1] - model.gate_.coef[0, 0]  # one sigmoid: each column has its share of the log-odds
    terms = slope * (X.iloc[7] - X.mean()).to_numpy()
    low, high = X.mean().to_frame().T, X[7:8]
    change = (model.gate_proba(high) - model.gate_proba(low))[0, 1]
    means = 0.5 * (model.predict_experts(high) + model.predict_experts(low))[0]
    np.testing.assert_allclose(found.parts[0, :, 0, 0], terms / terms.sum() * change * (means[1] - means[0]), rtol=1e-7)


def test_integrated_gradients_of_a_product_and_of_steps():
    def product(points):
        return (points[:, :1] * points[:, 1:]) ** 2

    def gradient(points):
        a, b = points.T
        return np.stack([2 * a * b * b, 2 * a * a * b], axis=1)[:, None]

    start, end = np.array([[0.5, 1.0]]), np.array([[2.0, 3.0]])
    exact = along_scores(gradient, start, end, (product(start), product(end)))[0]
    np.testing.assert_allclose(exact.sum(), 36 - 0.25)
    stepped = stepwise(lambda share: product(start + share * (end - start)), 2, [0, 1], 400)
    np.testing.assert_allclose(stepped, exact, rtol=1e-4)
    jump = stepwise(lambda share: (share[:, 1:] > 0.3).astype(float), 2, [0, 1], 8)
    np.testing.assert_allclose(jump, [[0.0, 1.0]])


def test_a_predictor_that_stays_has_terms_nevertheless():
    parts = of_index(np.array([[2.0, -2.0], [1.0, 0.0]]), np.array([0.0, 3.0]), np.array([0.5, 9.0]))
    np.testing.assert_allclose(parts, [[1.0, -1.0], [3.0, 0.0]])


def test_classes_add_up(tmp_path):
    bunch = load_iris(as_frame=True)
    classes = bunch.target_names[bunch.target]
    model = HMEClassifier(n_experts=2).fit(bunch.data, classes)
    found = explain(model, bunch.data[60:64], classes[60:64])
    np.testing.assert_allclose(added(found), model.predict_proba(bunch.data[60:64]), atol=1e-12)
    np.testing.assert_allclose(found.parts.sum(axis=(1, 2, 3)), 0.0, atol=1e-12)  # probabilities sum to one
    assert "versicolor was observed" in repr(found[0]) and len(found[1:3]) == 2
    with pytest.raises(ValueError, match="output = 'rose' must be one of"):
        found.output(0, "rose")


def test_the_path_is_that_of_the_tree(diabetes):
    X, y = diabetes
    model = HMERegressor(tree="((. .) .)").fit(X, y)
    found = explain(model, X[:5], y[:5])
    prior = model.gate_proba(X[:5])
    for i in range(5):
        assert np.prod([step[2] for step in found.path(i)]) == pytest.approx(prior[i].max())
    np.testing.assert_allclose(found.branch_proba()[:, 0, 1], prior[:, 2])
    np.testing.assert_allclose(found.branch_proba(resp=True)[:, 0, 1], found.resp[:, 2])
    path = found.frame("path")
    assert set(path.gate) <= {"gate 0", "gate 1"} and path.answer.isin(["yes", "no"]).all()
    experts = found.frame("experts")
    np.testing.assert_allclose(experts.groupby("row").share.sum(), model.predict(X[:5]))
    np.testing.assert_allclose(found.frame().groupby("row").total.sum() + found.base[:, 0], model.predict(X[:5]))


def test_columns_of_a_level_belong_to_their_column():
    from sklearn.compose import make_column_transformer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    rng = np.random.default_rng(0)
    table = pd.DataFrame({"site": rng.choice(["north", "south"], 200), "age": rng.normal(size=200)})
    y = np.where(table.site == "north", table.age, -table.age) + 0.1 * rng.normal(size=200)
    columns = make_column_transformer((OneHotEncoder(sparse_output=False), ["site"]), remainder="passthrough")
    model = make_pipeline(columns, HMERegressor(depth=1)).fit(table, y)
    found = explain(model, table[:3])
    assert found.columns == ["site", "age"] and found.values[0, 0] == table.site[0]
    apart = explain(model, table[:3], merge=False)
    assert apart.columns == ["site_north", "site_south", "age"]
    np.testing.assert_allclose(apart.parts[:, :2].sum(axis=1), found.parts[:, 0])
    assert merged(["ab_c", "a_b"], ["a", "ab"]) == ["ab", "a"]
    moved = explain(model, table[:3], background=table[table.site == table.site[0]][:50])
    np.testing.assert_allclose(added(moved), model.predict(table[:3])[:, None])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_tables_with_text_are_compared_with_a_background():
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    rng = np.random.default_rng(0)
    table = pd.DataFrame({"t": rng.normal(size=150), "g": pd.Categorical(rng.choice(["a", "b"], 150))})
    y = table.t * (table.g == "a") + 0.1 * rng.normal(size=150)
    gate = make_column_transformer((OneHotEncoder(), ["g"]))
    model = HMERegressor(n_experts=2, expert_features=["t"], gate_features=gate).fit(table, y)
    found = explain(model, table[:4], y[:4])
    np.testing.assert_allclose(added(found)[:, 0], model.predict(table[:4]))
    assert found.columns == ["t", "g"]
    model = HMERegressor(n_experts=2, expert=make_pipeline(gate, Ridge()), gate_features=["t"], max_iter=2).fit(
        table, y
    )
    with pytest.raises(ValueError, match="background = None"):
        explain(model, table[:4])
    found = explain(model, table[:4], background=table)
    np.testing.assert_allclose(added(found)[:, 0], model.predict(table[:4]))
    most = table.g.mode()[0]
    assert not found.parts[table.g[:4] == most, 1].any() and found.parts[table.g[:4] != most, 1, 1].all()


@pytest.mark.slow
def test_a_stack_is_explained_by_its_models(diabetes):
    from sklearn.linear_model import Ridge
    from sklearn.tree import DecisionTreeRegressor

    X, y = diabetes
    stack = HMEStackingRegressor([("ridge", Ridge()), ("tree", DecisionTreeRegressor(max_depth=3))], cv=3).fit(X, y)
    found = explain(stack, X[:3], y[:3])
    np.testing.assert_allclose(added(found)[:, 0], stack.predict(X[:3]))
    assert {"ridge", "tree"} <= set(found.columns)
    pytest.importorskip("matplotlib").use("Agg")
    from hme.plot import plot_tree

    assert plot_tree(stack, X, y).bars.names[0] in found.columns


def test_wrong_arguments(diabetes):
    X, y = diabetes
    model = HMERegressor(depth=0).fit(X, y)
    with pytest.raises(ValueError, match="coverage must be between 0 and 1"):
        explain(model, X, coverage=2.0)
    with pytest.raises(ValueError, match="X has 3 rows, y has 442"):
        explain(model, X[:3], y)


def test_pictures():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    from hme.explanation import ImportanceDisplay

    X, y = load_diabetes(return_X_y=True, as_frame=True)
    model = HMERegressor(depth=1).fit(X, y)
    found = explain(model, X[:2], y[:2])
    experts, columns, density = found.plot(1, max_columns=3, figure=Figure())
    assert [bar.get_width() for bar in experts.patches] == pytest.approx(found.prior[1])
    widths = [bar.get_width() for bar in columns.patches]
    assert sum(widths) == pytest.approx(found.mean[1, 0] - found.base[1, 0]) and len(widths) == 8
    line = density.lines[0]
    np.testing.assert_allclose(line.get_ydata(), found.dist[1].pdf(line.get_xdata()[None])[0])
    display = ImportanceDisplay.from_estimator(model, X, max_rows=20, ax=Figure().subplots())
    every = explain(model, X.iloc[np.linspace(0, 441, 20).astype(int)])
    np.testing.assert_allclose(display.total, np.abs(every.parts.sum(axis=2)).mean(axis=(0, 2)))
    assert display.frame().total.is_monotonic_decreasing
