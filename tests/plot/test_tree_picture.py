"""The picture of a tree: its arrays are the model's, no text overlaps another, and none is cut."""

import io

import numpy as np
import pytest

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
pd = pytest.importorskip("pandas")

import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402
from problems import few  # noqa: E402
from sklearn.compose import make_column_transformer  # noqa: E402
from sklearn.datasets import load_diabetes, load_iris  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import OneHotEncoder  # noqa: E402

from hme import HMEClassifier, HMERegressor, Tree, export_text  # noqa: E402
from hme.datasets import load_motorcycle  # noqa: E402
from hme.plot import TreeDisplay, export_graphviz, plot_tree  # noqa: E402


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def boxes(display):
    """Texts and their bounding boxes, in pixels."""
    FigureCanvasAgg(display.figure_).draw()
    texts = [*display.ax_.texts]
    for mini in display.leaf_axes_:
        if mini is not None:
            texts += [*mini.get_xticklabels(), *mini.get_yticklabels(), mini.xaxis.label]
    return [(text.get_text(), text.get_window_extent()) for text in texts if text.get_text().strip()]


def overlaps_and_cuts(display):
    """Pairs of texts that overlap, and texts that leave the picture."""
    found, frame = boxes(display), display.ax_.get_window_extent()
    wrong = [
        text for text, box in found if box.x0 < frame.x0 - 1 or box.y0 < frame.y0 - 1 or box.x1 > frame.x1 + 1
        or box.y1 > frame.y1 + 1
    ]  # fmt: skip
    for i, (text, box) in enumerate(found):
        for other, beside in found[:i]:
            wide = min(box.x1, beside.x1) - max(box.x0, beside.x0)
            high = min(box.y1, beside.y1) - max(box.y0, beside.y0)
            if wide > 1 and high > 2:  # lines of neighbours may touch
                wrong.append((text, other))
    assert len(found) > 1
    return wrong


def motorcycle():
    return load_motorcycle(return_X_y=True)


def diabetes():
    bunch = load_diabetes(as_frame=True)
    return bunch.data, bunch.target


def iris():
    bunch = load_iris(as_frame=True)
    return bunch.data, bunch.target_names[bunch.target]


def flowers():
    X, _ = iris()
    return X.iloc[:, :2], X.iloc[:, 2:]


def short(model, **settings):
    return model(max_iter=4, **settings)


CASES = {
    "bent": (short(HMERegressor, depth=1, expert_features="splines"), diabetes),
    "one leaf": (short(HMERegressor, depth=0), motorcycle),
    "classes": (short(HMEClassifier, n_experts=3), iris),
    "outputs": (short(HMERegressor, depth=1), flowers),
    "unbalanced": (short(HMERegressor, tree="(. ((. .) (. (. .))))"), diabetes),
    "flat": (short(HMERegressor, n_experts=9), motorcycle),
    "constant gate": (short(HMERegressor, n_experts=3, gate="constant"), diabetes),
    "rules and trees": (short(HMERegressor, n_experts=3, gate="tree", expert="tree"), diabetes),
    "gaussian gate, named": (
        short(HMERegressor, n_experts=2, gate="gaussian", expert=[("a", "linear"), ("anywhere", "background")]),
        motorcycle,
    ),
}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", few(CASES, 2))
def test_nothing_overlaps_and_nothing_is_cut(name):
    model, load = CASES[name]
    X, y = load()
    display = plot_tree(model.fit(X, y), X, y)
    assert overlaps_and_cuts(display) == []
    assert len(display.leaf_axes_) == model.n_experts_
    frame = display.frame()
    assert frame.load.iloc[-model.n_experts_ :].tolist() == model.load_.tolist()
    assert len(frame) == model.n_experts_ + display.tree.n_nodes


def test_bars_of_curves_are_their_strengths():
    X, y = diabetes()
    X = X[["sex", "bmi", "s5"]]
    model = HMERegressor(depth=1, expert_features="splines", tol=1e-3).fit(X, y)
    bars = plot_tree(model, X, y).bars
    assert bars.names == ["sex", "s(bmi)", "s(s5)"] and bars.curved.tolist() == [False, True, True]
    np.testing.assert_allclose(bars.effects[:, 0, 0], model.experts_.coef[:, 0] * X.sex.std(ddof=0))
    even = np.repeat(X[:1].to_numpy(), 8001, axis=0)  # rows that are spread as those of the curves are
    even[:, 1] = np.interp(
        np.linspace(0, 1, 8001), [0, 1 / 3, 2 / 3, 1], model.columns_.expert.features.maps[1][1].knots
    )
    lines = model.predict_experts(pd.DataFrame(even, columns=X.columns))
    np.testing.assert_allclose(np.abs(bars.effects[:, 1, 0]), lines.std(axis=0), rtol=0.01)
    assert (np.sign(bars.effects[:, 1, 0]) == np.sign(lines[-1] - lines[0])).all()
    assert "s(bmi): slope" in export_graphviz(model, max_terms=None)


def test_lines_are_those_of_the_experts_with_the_rows():
    X, y = motorcycle()
    model = HMERegressor(depth=2).fit(X, y)
    display = plot_tree(model, X, y, feature_names=["time"], target_name="level", n_points=30)
    lines = display.lines
    np.testing.assert_allclose(lines.means[:, :, 0], model.predict_experts(lines.x[:, None]).T)
    np.testing.assert_allclose(lines.share, model.responsibilities(X, y))
    np.testing.assert_array_equal(lines.data_y[:, 0], y)
    np.testing.assert_allclose(display.node_load, [1.0, model.load_[:2].sum(), model.load_[2:].sum()])
    text = export_text(model, ["time"], "level", max_terms=3)
    assert all(question.text in text for question in display.questions)
    assert all(line in text for equation in display.equations for line in equation)
    assert display.leaf_axes_[-1].get_xlabel() == "time" and not display.remark


def test_bars_are_slopes_per_standard_deviation():
    X, y = diabetes()
    model = HMERegressor(depth=1).fit(X, y)
    display = plot_tree(model, max_bars=4)
    assert display.lines is None and len(display.bars.names) == 4
    effects = model.experts_.coef * X.std(ddof=0).to_numpy()
    columns = [X.columns.get_loc(name) for name in display.bars.names]
    np.testing.assert_allclose(display.bars.effects[:, :, 0], effects[:, columns])
    left_out = np.setdiff1d(np.arange(10), columns)
    strength = model.load_ @ np.abs(effects)
    assert strength[left_out].max() <= strength[columns].min()
    heights = [bar.get_width() for bar in display.leaf_axes_[1].patches]
    np.testing.assert_allclose(heights, effects[1, columns])


def test_slopes_of_two_classes_are_of_the_second():
    X, classes = iris()
    model = HMEClassifier(depth=1).fit(X, classes == "versicolor")
    bars = plot_tree(model).bars
    np.testing.assert_allclose(bars.effects[..., 0], (model.experts_.coef[:, 0] * X.std(ddof=0).to_numpy()))
    assert bars.slots == (True,)


def test_a_table_with_text_through_a_pipeline():
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {"site": rng.choice(["north", "south"], 300), "income of a household ($)": rng.normal(size=300)}
    )
    for j in range(60):
        table[f"measurement {j}"] = rng.normal(size=300)
    y = pd.Series(
        np.where(table.site == "north", 1.0, -1.0) * table.iloc[:, 1] + 0.1 * rng.normal(size=300), name="cost"
    )
    columns = make_column_transformer((OneHotEncoder(sparse_output=False), ["site"]), remainder="passthrough")
    model = make_pipeline(columns, HMERegressor(depth=1)).fit(table, y)
    display = plot_tree(model, table, y)
    assert overlaps_and_cuts(display) == []
    assert "site_north" in export_graphviz(model, feature_names=model[:-1].get_feature_names_out())
    assert {"income of a household ($)"} <= set(display.bars.names) <= {"site_north", "site_south", *table.columns}
    assert display.equations[0][0].startswith("cost = ")


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_picture_fits_into_the_axes_of_the_caller():
    X, y = motorcycle()
    model = HMERegressor(depth=2, max_iter=3).fit(X, y)
    figure = Figure(figsize=(12, 5))
    for ax in figure.subplots(1, 2):
        display = TreeDisplay.from_estimator(model, X, y, ax=ax)
        assert display.ax_ is ax and overlaps_and_cuts(display) == []
    assert not plt.get_fignums()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_histograms_stand_for_experts_without_coefficients():
    X, y = diabetes()
    model = HMERegressor(n_experts=2, gate="constant", expert=[("a", "linear"), ("b", "constant")], max_iter=3).fit(
        X, y
    )
    display = plot_tree(model, X, y)
    np.testing.assert_allclose(display.targets.height.sum(axis=1), model.responsibilities(X, y).sum(axis=0))
    assert np.isnan(display.bars.effects[1]).all() and len(display.leaf_axes_[0].patches) == 6
    assert plot_tree(model).leaf_axes_[1] is None  # no rows, nothing to show


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_graphviz(tmp_path):
    X, y = diabetes()
    X = X.rename(columns={"bmi": 'b "m" i'})
    model = HMERegressor(tree=Tree.from_text("((. .) .)"), max_iter=3).fit(X, y)
    text = export_graphviz(model, max_terms=None)
    assert text.count("->") == 4 and text.count("[label=") == 9 and r"b \"m\" i" in text
    export_graphviz(model, tmp_path / "tree.dot", max_terms=None)
    stream = io.StringIO()
    export_graphviz(model, stream, max_terms=None)
    assert (tmp_path / "tree.dot").read_text() == stream.getvalue() == f"{text}\n"
