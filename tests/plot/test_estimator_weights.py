"""The display of a stack's models holds the means of their weights, and draws their shares."""

import numpy as np
import pytest

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402
from sklearn.base import BaseEstimator, RegressorMixin  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import FunctionTransformer  # noqa: E402

from hme import HMERegressor, HMEStackingRegressor  # noqa: E402
from hme.experts import LinearExpert  # noqa: E402
from hme.plot import DensityDisplay, EstimatorWeightsDisplay, ExpertsDisplay, GateDisplay  # noqa: E402
from hme.plot.picture import subject_of  # noqa: E402

pd = pytest.importorskip("pandas")


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


class Column(RegressorMixin, BaseEstimator):
    """A function of one column."""

    def __init__(self, function):
        self.function = function

    def fit(self, X, y):
        self.fitted_ = True
        return self

    def predict(self, X):
        return self.function(X["x"])


@pytest.fixture(scope="module")
def stack():
    """A line and its floor: one is right where the text says so, the other elsewhere."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"x": rng.uniform(0, 6, 400), "site": rng.choice(["b", "a"], 400)})
    table["z"] = rng.uniform(0, 1, 400)
    y = np.where(table.site == "a", table.x, np.floor(table.x)) + 0.05 * rng.standard_normal(400)
    models = [("line", Column(np.asarray)), ("floor", Column(np.floor))]
    final = HMERegressor(depth=1, expert=LinearExpert(alpha=1.0, nonnegative=True), tol=1e-3)
    return HMEStackingRegressor([(n, m.fit(table, y)) for n, m in models], final, cv="prefit").fit(table, y), table


def test_weights_of_models_by_the_levels_of_text(stack):
    model, table = stack
    display = EstimatorWeightsDisplay.from_estimator(model, table, feature="site")
    weights = model.estimator_weights(table)
    assert display.x.tolist() == ["a", "b"] and display.names == ["line", "floor"]
    for level, own in zip(display.x, display.weights, strict=True):
        np.testing.assert_allclose(own, weights[table.site == level].mean(axis=0))
    np.testing.assert_allclose(display.shares.sum(axis=1), 1.0)
    assert display.shares[0, 0] > 0.7 and display.shares[1, 1] > 0.7
    assert [bars[0].get_height() for bars in display.areas_] == pytest.approx(display.shares[0])
    ordered = table.assign(site=pd.Categorical(table.site, ["b", "a", "c"]))
    assert EstimatorWeightsDisplay.from_estimator(model, ordered, feature="site").x.tolist() == ["b", "a"]


def test_weights_of_models_along_numbers(stack):
    model, table = stack
    part = table.iloc[:60].sort_values("x")
    display = EstimatorWeightsDisplay.from_estimator(model, part, feature="x", n_groups=6, ax=Figure().subplots())
    np.testing.assert_allclose(display.x, part.x.to_numpy().reshape(6, 10).mean(axis=1))
    np.testing.assert_allclose(display.weights, model.estimator_weights(part).reshape(6, 10, 2).mean(axis=1))
    few = part.assign(x=part.x.round())
    few.loc[few.index[0], "x"] = np.nan  # a row without a value is left out
    model = make_pipeline(FunctionTransformer(lambda X: X.fillna({"x": 0.0})), model)
    display = EstimatorWeightsDisplay.from_estimator(model, few, feature="x")
    assert display.x.tolist() == sorted(few.x.dropna().unique()) and np.isfinite(display.weights).all()
    assert display.ax_.get_xlabel() == "x" and len(display.legend_.get_texts()) == 2


def test_weights_of_models_are_refused_where_there_are_none(stack):
    model, table = stack
    alone = HMERegressor(depth=0).fit(table[["x"]], table.x)
    with pytest.raises(TypeError, match="must be an HMEStackingRegressor"):
        EstimatorWeightsDisplay.from_estimator(alone, table[["x"]])
    with pytest.raises(ValueError, match="n_groups"):
        EstimatorWeightsDisplay.from_estimator(model, table, feature="x", n_groups=1)
    with pytest.raises(ValueError, match="feature must say"):
        EstimatorWeightsDisplay.from_estimator(model, table)
    over = HMEStackingRegressor(model.estimators, HMERegressor(depth=0, expert="linear"), cv="prefit", passthrough=True)
    over.fit(table, np.floor(table.x))
    with pytest.raises(ValueError, match="passthrough=True"):
        EstimatorWeightsDisplay.from_estimator(over, table, feature="x")


def test_other_displays_of_a_stack(stack):
    model, table = stack
    display = DensityDisplay.from_estimator(model, table, feature="x", values={"site": "a"}, n_points=9, levels=[0.5])
    held = table.z[subject_of(model, table).typical()]
    grid = pd.DataFrame({"x": display.x, "site": "a", "z": held})
    np.testing.assert_allclose(display.quantiles[:, 0], model.predict_quantiles(grid, 0.5))
    gate = GateDisplay.from_estimator(model, table, features=["x", "z"], values={"site": "b"}, n_points=5)
    row = pd.DataFrame({"x": gate.x0[[3]], "site": "b", "z": gate.x1[[1]]})
    np.testing.assert_allclose(gate.prior[1, 3], model.gate_proba(row)[0])
    with pytest.raises(TypeError, match="no line along a column of X"):
        ExpertsDisplay.from_estimator(model, table, feature="x")
