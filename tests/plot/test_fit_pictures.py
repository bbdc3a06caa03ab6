"""Displays of how a fit went and how its experts share the rows hold what the model says."""

import numpy as np
import pytest

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
pd = pytest.importorskip("pandas")

import matplotlib.pyplot as plt  # noqa: E402
from sklearn.base import clone  # noqa: E402
from sklearn.compose import make_column_transformer  # noqa: E402
from sklearn.datasets import load_diabetes, load_iris  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import OneHotEncoder, StandardScaler  # noqa: E402

from hme import HMEClassifier, HMERegressor  # noqa: E402
from hme.datasets import load_motorcycle  # noqa: E402
from hme.inference import infer  # noqa: E402
from hme.plot import (  # noqa: E402
    CalibrationDisplay,
    CoefficientsDisplay,
    ConvergenceDisplay,
    DensityDisplay,
    DevianceTreeDisplay,
    EffectDisplay,
    ExpertsDisplay,
    GateDisplay,
    HistogramTreeDisplay,
    PITDisplay,
    ResponsibilitiesDisplay,
    RoutingDisplay,
)


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def motorcycle():
    X, y = load_motorcycle(return_X_y=True)
    return HMERegressor(depth=2, n_init=3, start="kmeans", random_state=0).fit(X, y), X, y


@pytest.fixture(scope="module")
def diabetes():
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    return HMERegressor(depth=1).fit(X, y), X, y


@pytest.fixture(scope="module")
def iris():
    bunch = load_iris(as_frame=True)
    classes = bunch.target_names[bunch.target]
    return HMEClassifier(n_experts=2).fit(bunch.data, classes), bunch.data, classes


def test_convergence_holds_the_course_of_every_start(motorcycle):
    model, *_ = motorcycle
    display = ConvergenceDisplay.from_estimator(model)
    assert display.names == [start.start for start in model.restarts_] and len(display.lines_) == 3
    np.testing.assert_array_equal(display.objectives[display.kept], model.lower_bounds_)
    np.testing.assert_allclose(display.final, [start.objective for start in model.restarts_], atol=1e-6)
    frame = display.frame()
    assert frame.gap.min() == 0 and frame.kept.sum() == 1 and (frame.basin[frame.gap < 1e-9] == 0).all()
    assert display.plot(scale="gap").ax_.get_yscale() == "log"


def test_basins_are_of_starts_that_reached_their_end():
    ends = [-1.0, -1.0005, -2.0, -1.0, -2.0009, -3.0]
    reasons = ["converged"] * 3 + ["outrun", "max_iter", "twin"]
    display = ConvergenceDisplay([np.array([-9.0, end]) for end in ends], list("abcdef"), reasons, 0)
    assert display.basins.tolist() == [0, 0, 1, -1, 1, -1]
    labels = [text.get_text() for text in display.plot().legend_.get_texts()]
    assert labels == ["-1.0000, 2 starts, kept", "-2.0000, 2 starts", "2 left behind in a race"]


def test_routing_holds_loads(iris):
    model, X, _ = iris
    weight = np.arange(1.0, len(X) + 1)
    display = RoutingDisplay.from_estimator(model, X, sample_weight=weight)
    prior = model.gate_proba(X)
    np.testing.assert_allclose(display.load, weight @ prior / weight.sum())
    np.testing.assert_allclose(display.most_probable[0], weight[model.apply(X) == 0].sum() / weight.sum())
    assert [bar.get_width() for bar in display.bars_] == pytest.approx(display.load)
    even = RoutingDisplay(np.full((4, 3), 1 / 3))
    np.testing.assert_allclose([*even.experts_per_row, even.effective_experts], 3.0)


def test_rootograms_are_of_the_responsibilities(motorcycle):
    model, X, y = motorcycle
    pipeline = make_pipeline(StandardScaler(), clone(model)).fit(X, y)
    display = ResponsibilitiesDisplay.from_estimator(pipeline, X, y, mark=1)
    resp = pipeline[-1].responsibilities(StandardScaler().fit_transform(X), y)
    assert display.counts.sum(axis=1).tolist() == (resp >= 1e-4).sum(axis=0).tolist()
    frame = display.frame()
    assert frame["size"].sum() == len(X) and (frame.ratio <= 1).all()
    heights = [bar.get_height() ** 2 for ax in display.axes_ for bar in ax.patches[20:]]
    assert sum(heights) == pytest.approx((resp[resp.argmax(axis=1) == 1] >= 1e-4).sum())
    with pytest.raises(ValueError, match="mark = 4 must be the number of an expert"):
        ResponsibilitiesDisplay(resp, mark=4).plot()


def test_coefficients_are_those_of_inference(diabetes):
    model, X, y = diabetes
    display = CoefficientsDisplay.from_estimator(model, X, y, standardize=False, max_terms=None, intercept=True)
    table = infer(model, X, y).to_frame().xs("expert", level="side").droplevel("part")
    for k in range(2):
        own = table.loc[k].loc[display.terms]
        np.testing.assert_allclose(display.estimate[k], own.estimate)
        np.testing.assert_allclose(display.interval[k], own[["lower", "upper"]].astype(float))
    scaled = CoefficientsDisplay.from_estimator(model, X, y, max_terms=2, cov_type="robust")
    t = display.terms.index(scaled.terms[0])
    np.testing.assert_allclose(scaled.estimate[:, 0], display.estimate[:, t] * X[scaled.terms[0]].std(ddof=0))
    assert len(scaled.bars_) == 2 and len(scaled.frame()) == 4


def test_coefficients_of_curves_are_slopes_at_knots(diabetes):
    _, X, y = diabetes
    X = X[["sex", "bmi", "s5"]]
    model = HMERegressor(depth=0, expert_features="splines").fit(X, y)
    display = CoefficientsDisplay.from_estimator(model, X, y, max_terms=8, standardize=False)
    weak = CoefficientsDisplay.from_estimator(model, X, y, max_terms=4).terms
    assert len(weak) == 4 and len({term.split(" at ")[0] for term in weak}) == 1  # of a curve all or none
    step = 1e-6
    for term, slope in zip(display.terms, display.estimate[0], strict=True):
        name, knot = term.split(" at ")
        below, above = X[:1].copy(), X[:1].copy()
        knots = model.columns_.expert.features.maps[list(X.columns).index(name)][1].knots
        knot = knots[np.abs(knots - float(knot)).argmin()]
        below[name], above[name] = knot - step, knot + step
        assert (model.predict(above) - model.predict(below))[0] / (2 * step) == pytest.approx(slope, rel=1e-3, abs=1.0)
    assert "slopes along bmi at" in repr(model.summary(X, y))


def test_coefficients_of_classes_are_named(iris):
    model, X, classes = iris
    display = CoefficientsDisplay.from_estimator(model, X, classes, max_terms=None)
    assert len(display.terms) == 8 and display.terms[0] == "versicolor: sepal length (cm)"


def test_histogram_tree(motorcycle):
    model, X, y = motorcycle
    display = HistogramTreeDisplay.from_estimator(model, X, y, n_bins=8)
    resp = model.responsibilities(X, y)
    right = np.minimum(resp[:, 2:].sum(axis=1), 1.0)
    np.testing.assert_allclose(display.heights[0, 1] * len(X), np.histogram(right, bins=8, range=(0, 1))[0])
    np.testing.assert_allclose(display.heights[:, 1].sum(axis=1), [1.0, 1 - right.mean(), right.mean()])
    np.testing.assert_allclose(display.heights[1, 0], display.heights[1, 1][::-1], atol=0.02)
    prior = HistogramTreeDisplay.from_estimator(model, X)
    assert prior.of == "prior" and len(prior.node_axes_) == 3 and len(prior.frame()) == 3 * 2 * 20
    with pytest.raises(ValueError, match="needs y"):
        HistogramTreeDisplay.from_estimator(model, X, of="posterior")


def test_deviance_tree_ends_at_the_model(motorcycle, iris):
    model, X, y = motorcycle
    display = DevianceTreeDisplay.from_estimator(model, X, y)
    assert display.levels[-1] == pytest.approx(((y - model.predict(X)) ** 2).mean())
    prior, experts = model.gate_proba(X), model.predict_experts(X)
    load = prior.mean(axis=0)
    one = experts @ load
    assert display.levels[0] == pytest.approx(((y - one) ** 2).mean()) == pytest.approx(display.nodes[0])
    left = experts[:, :2] @ load[:2] / load[:2].sum()
    mixed = prior[:, :2].sum(axis=1) * left + (prior * experts)[:, 2:].sum(axis=1)
    assert display.nodes[1] == pytest.approx(((y - mixed) ** 2).mean())
    assert display.frame().clipped.tolist() == ["level 0", "level 1", "whole tree", "gate 0", "gate 1", "gate 2"]
    model, X, classes = iris
    classed = DevianceTreeDisplay.from_estimator(model, X, classes)
    assert classed.levels[-1] == pytest.approx(-2 * model.log_likelihood(X, classes).mean())


def test_effects_split_into_gate_and_experts(diabetes):
    model, X, _ = diabetes
    display = EffectDisplay.from_estimator(model, X, feature="bmi", n_points=7, max_rows=30)
    rows = X.iloc[np.linspace(0, len(X) - 1, 30).astype(int)]
    curves = np.stack([model.predict(rows.assign(bmi=value)) for value in display.x])
    np.testing.assert_allclose(display.total, curves - curves[display.start], rtol=1e-9, atol=1e-9)
    frame = display.frame()
    np.testing.assert_allclose(frame.total, frame.gate + frame.expert)
    np.testing.assert_allclose(frame.lower, np.quantile(display.total, 0.1, axis=1))
    one = HMERegressor(depth=0).fit(X, model.predict(X))
    assert not EffectDisplay.from_estimator(one, X, feature="bmi", n_points=3, max_rows=9).gate.any()


def test_effects_of_the_levels_of_text():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"t": rng.normal(size=120), "g": pd.Categorical(rng.choice(["b", "a"], 120), ["b", "a"])})
    y = np.where(table.g == "a", table.t, -table.t) + 0.1 * rng.normal(size=120)
    columns = make_column_transformer((OneHotEncoder(sparse_output=False), ["g"]), remainder="passthrough")
    model = make_pipeline(columns, HMERegressor(depth=1)).fit(table, y)
    display = EffectDisplay.from_estimator(model, table, feature="g")
    assert display.x.tolist() == ["b", "a"] and not display.total[0].any()
    change = model.predict(table.assign(g="a")) - model.predict(table.assign(g="b"))
    np.testing.assert_allclose(display.total[1], change)


def test_calibration_of_numbers_and_of_classes(motorcycle, iris):
    model, X, y = motorcycle
    frame = CalibrationDisplay.from_estimator(model, X, y).frame()
    low, high = model.predict_dist(X).interval(0.5).T
    assert frame.observed[9] == pytest.approx(((y >= low) & (y <= high)).mean())
    assert frame.promised[9] == pytest.approx(0.5)
    model, X, classes = iris
    display = CalibrationDisplay.from_estimator(model, X, classes, n_bins=4)
    top = model.predict_proba(X).max(axis=1)
    assert display.count.sum() == 150
    assert display.promised @ display.count == pytest.approx(top.sum())
    assert display.observed @ display.count == pytest.approx(150 * model.score(X, classes))
    one = CalibrationDisplay.from_estimator(model, X, classes, label="setosa", n_bins=4)
    assert one.observed @ one.count == pytest.approx(50)
    with pytest.raises(ValueError, match="label = 'rose' must be one of"):
        CalibrationDisplay.from_estimator(model, X, classes, label="rose")


def test_all_displays_have_frames(motorcycle, iris):
    model, X, y = motorcycle
    experts = ExpertsDisplay.from_estimator(model, X, y, n_points=9).frame()
    assert len(experts) == 9 and {"mean", "lower", "prior 0", "expert 3"} <= set(experts)
    density = DensityDisplay.from_estimator(model, X, n_points=9).frame()
    assert len(density) == 81 and density.density.min() >= 0
    assert PITDisplay.from_estimator(model, X, y).frame().density.mean() == pytest.approx(1.0)
    model, X, _ = iris
    display = GateDisplay.from_estimator(model, X, features=(2, 3), n_points=5)
    frame = display.frame()
    np.testing.assert_array_equal(frame["prior 1"].to_numpy().reshape(5, 5), display.prior[..., 1])
    assert frame.x1[5] == display.x1[1] and frame.x0[5] == display.x0[0]


def test_effects_of_an_average_over_sizes_are_those_of_its_predictions(diabetes):
    _, X, y = diabetes
    X = X.iloc[:, 2:5]
    model = HMERegressor(max_experts=3).fit(X, y)
    display = EffectDisplay.from_estimator(model, X, feature=0, n_points=3, max_rows=9)
    rows = X.iloc[np.linspace(0, len(X) - 1, 9).astype(int)]
    curves = np.stack([model.predict(rows.assign(bmi=value)) for value in display.x])
    np.testing.assert_allclose(display.total, curves - curves[1], rtol=1e-9, atol=1e-9)
