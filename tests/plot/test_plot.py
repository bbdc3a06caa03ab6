"""Displays hold what the model says, and draw it."""

import numpy as np
import pytest
from problems import few

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402
from sklearn.compose import make_column_transformer  # noqa: E402
from sklearn.datasets import load_diabetes, load_iris  # noqa: E402
from sklearn.exceptions import NotFittedError  # noqa: E402
from sklearn.linear_model import Ridge  # noqa: E402
from sklearn.model_selection import GridSearchCV  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import OneHotEncoder, StandardScaler  # noqa: E402

from hme import HMEClassifier, HMERegressor  # noqa: E402
from hme.datasets import load_motorcycle, make_inverse_problem  # noqa: E402
from hme.plot import DensityDisplay, ExpertsDisplay, GateDisplay, PITDisplay  # noqa: E402
from hme.plot.picture import subject_of  # noqa: E402


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def motorcycle():
    X, y = load_motorcycle(return_X_y=True)
    return HMERegressor(depth=2).fit(X, y), X, y


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    classes = np.array(["setosa", "versicolor", "virginica"])[y]
    return HMEClassifier(depth=1).fit(X, classes), X, classes


def test_experts_display_holds_the_models_curves(motorcycle):
    model, X, y = motorcycle
    display = ExpertsDisplay.from_estimator(model, X, y, n_points=50)
    grid = display.x[:, None]
    mean, std = model.predict(grid, return_std=True)
    assert display.x[0] == X.min() and display.x[-1] == X.max()
    np.testing.assert_array_equal(display.mean, mean)
    np.testing.assert_array_equal(display.band, [mean - 2 * std, mean + 2 * std])
    np.testing.assert_array_equal(display.prior, model.gate_proba(grid))
    np.testing.assert_array_equal(display.experts, model.predict_experts(grid))
    np.testing.assert_array_equal(display.points_.get_offsets(), np.column_stack([X[:, 0], y]))


def test_experts_fade_with_their_prior(motorcycle):
    display = ExpertsDisplay.from_estimator(*motorcycle, n_points=50)
    assert len(display.experts_) == 4
    for k, lines in enumerate(display.experts_):
        np.testing.assert_allclose(lines.get_colors()[:, 3], display.prior[:-1, k])


def test_stacked_priors_fill_the_lower_axes(motorcycle):
    display = ExpertsDisplay.from_estimator(*motorcycle)
    assert display.axes_.shape == (2,) and display.axes_[1].get_ylim() == (0.0, 1.0)
    assert len(display.axes_[1].collections) == 4
    assert display.axes_[1].get_xlabel() == "x0"


def test_styles_are_passed_on(motorcycle):
    model, X, y = motorcycle
    display = ExpertsDisplay.from_estimator(
        model,
        X,
        y,
        feature_name="time",
        target_name="g",
        mean_kwargs={"color": "red"},
        band_kwargs={"alpha": 0.5},
        experts_kwargs={"linewidths": 7.0},
        scatter_kwargs={"s": 3},
        gate_kwargs={"alpha": 0.4},
    )
    assert display.mean_.get_color() == "red" and display.band_.get_alpha() == 0.5
    assert display.experts_[0].get_linewidths()[0] == 7.0 and display.points_.get_sizes()[0] == 3
    assert display.axes_[0].get_ylabel() == "g" and display.axes_[1].get_xlabel() == "time"


def test_axes_of_the_caller(motorcycle):
    model, X, y = motorcycle
    axes = Figure().subplots(2, 1)  # pyplot is not needed
    assert ExpertsDisplay.from_estimator(model, X, ax=axes).figure_ is axes[0].figure
    ax = Figure().subplots()
    display = ExpertsDisplay.from_estimator(model, X, ax=ax)
    assert display.axes_.shape == (1,) and display.points_ is None
    with pytest.raises(ValueError, match="ax has shape"):
        ExpertsDisplay.from_estimator(model, X, ax=Figure().subplots(3, 1))
    assert not plt.get_fignums()


@pytest.mark.slow
def test_other_features_are_held_at_a_row():
    frame = load_diabetes(as_frame=True)
    model = HMERegressor(depth=1).fit(frame.data, frame.target)
    display = ExpertsDisplay.from_estimator(model, frame.data, frame.target, feature="bmi", n_points=5)
    assert display.axes_[1].get_xlabel() == "bmi" and display.axes_[0].get_ylabel() == "target"
    distance = (frame.data - frame.data.median()).abs() / (frame.data.quantile(0.75) - frame.data.quantile(0.25))
    distance["sex"] = frame.data.sex.map(1 - frame.data.sex.value_counts(normalize=True))
    held = frame.data.iloc[np.full(5, distance.sum(axis=1).argmin())].assign(bmi=display.x)
    np.testing.assert_allclose(display.mean, model.predict(held))
    other = ExpertsDisplay.from_estimator(model, frame.data, feature=2, values=np.full(10, 0.05), n_points=5)
    np.testing.assert_allclose(
        other.mean,
        model.predict(
            held * 0 + 0.05 * (held.columns != "bmi") + held.bmi.to_numpy()[:, None] * (held.columns == "bmi")
        ),
    )
    named = ExpertsDisplay.from_estimator(model, frame.data, feature="bmi", values={"s5": 0.1}, n_points=5)
    np.testing.assert_allclose(named.mean, model.predict(held.assign(s5=0.1)))


def test_classifier_shows_one_class(iris):
    model, X, classes = iris
    display = ExpertsDisplay.from_estimator(model, X, classes, feature=2, output="versicolor", n_points=20)
    grid = np.tile(subject_of(model, X).table[subject_of(model, X).typical()], (20, 1))
    grid[:, 2] = display.x
    np.testing.assert_allclose(display.mean, model.predict_proba(grid)[:, 1])
    np.testing.assert_array_equal(display.data_y, classes == "versicolor")
    assert display.band_ is None and display.axes_[0].get_ylabel() == "P(versicolor)"


def test_one_of_several_outputs(motorcycle):
    _, X, y = motorcycle
    model = HMERegressor(depth=1).fit(X, np.column_stack([y, -y]))
    display = ExpertsDisplay.from_estimator(model, X, np.column_stack([y, -y]), output=1)
    np.testing.assert_allclose(display.mean, model.predict(display.x[:, None])[:, 1])
    np.testing.assert_array_equal(display.data_y, -y)
    with pytest.raises(ValueError, match="output = None must be a number from 0 to 1"):
        ExpertsDisplay.from_estimator(model, X)


def test_gate_display_holds_the_priors(iris):
    model, X, classes = iris
    display = GateDisplay.from_estimator(model, X, classes, features=(2, 3), n_points=30)
    assert display.prior.shape == (30, 30, 2)
    row = X[subject_of(model, X).typical()].copy()
    row[2], row[3] = display.x0[7], display.x1[11]
    np.testing.assert_allclose(display.prior[11, 7], model.gate_proba(row[None])[0])
    assert display.image_.get_array().shape == (30, 30, 4)
    for points, name in zip(display.points_, model.classes_, strict=True):
        np.testing.assert_array_equal(points.get_offsets(), X[classes == name, 2:])
    texts = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert texts == ["setosa", "versicolor", "virginica"]
    assert [text.get_text() for text in display.legend_.get_texts()] == ["0", "1"]
    assert display.ax_.get_xlabel() == "x2"


def test_gate_display_of_two_features(iris):
    _, X, classes = iris
    model = HMEClassifier(n_experts=2).fit(X[:, 2:], classes)
    ax = Figure().subplots()
    assert GateDisplay.from_estimator(model, X[:, 2:], ax=ax, n_points=10).ax_ is ax
    assert GateDisplay.from_estimator(HMEClassifier(depth=0).fit(X[:, 2:], classes), X[:, 2:], n_points=10)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({}, r"X has 4 features; feature must say which"),
        ({"feature": 4}, "feature = 4 must be a number from 0 to 3"),
        ({"feature": "petal"}, "feature = 'petal'"),
        ({"feature": 0, "values": [1.0]}, r"values has shape \(1,\)"),
        ({"feature": 0, "output": "rose"}, "output = 'rose' must be one of the classes"),
        ({"feature": 0, "n_points": 1}, "n_points"),
    ],
)
def test_experts_display_errors(iris, settings, message):
    model, X, _ = iris
    with pytest.raises(ValueError, match=message):
        ExpertsDisplay.from_estimator(model, X, **settings)


@pytest.mark.parametrize(
    "features, message",
    [(None, "X has 4 feature"), ((0,), "two different"), ((1, 1), "two different"), ((0, 9), "feature = 9")],
)
def test_gate_display_errors(iris, features, message):
    model, X, _ = iris
    with pytest.raises(ValueError, match=message):
        GateDisplay.from_estimator(model, X, features=features)


def test_model_errors(motorcycle):
    model, X, y = motorcycle
    with pytest.raises(TypeError, match="must be an HMERegressor or HMEClassifier, or a pipeline"):
        ExpertsDisplay.from_estimator(make_pipeline(Ridge()), X, y)
    with pytest.raises(NotFittedError):
        GateDisplay.from_estimator(HMERegressor(), X, y)
    with pytest.raises(ValueError, match="one value only"):
        ExpertsDisplay.from_estimator(model, np.ones((3, 1)))


@pytest.mark.parametrize("n_experts", [12, 25])
def test_many_experts_have_their_own_colours(motorcycle, n_experts):
    _, X, _ = motorcycle
    x = X[:, 0]
    display = ExpertsDisplay(x, np.full((len(x), n_experts), 1 / n_experts), np.zeros((len(x), n_experts)), 0.0 * x)
    colors = {tuple(lines.get_colors()[0]) for lines in display.plot().experts_}
    assert len(colors) == n_experts


@pytest.mark.slow
def test_models_with_an_offset_are_drawn_per_unit():
    x = np.linspace(0, 3, 60)[:, None]
    y = np.random.default_rng(0).poisson(5 * np.exp(0.3 * x[:, 0]))
    model = HMERegressor(n_experts=2, expert="poisson").fit(x, y, offset=np.full(60, np.log(5.0)))
    display = ExpertsDisplay.from_estimator(model, x, y)
    np.testing.assert_allclose(display.mean, model.predict(display.x[:, None], offset=0))


def test_models_that_pick_columns_by_name_are_drawn():
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"a": rng.normal(size=60), "b": rng.normal(size=60)})
    y = np.where(table["b"] > 0, table["a"], -table["a"])
    model = HMERegressor(n_experts=2, expert_features=["a"], gate_features=["b"]).fit(table, y)
    display = ExpertsDisplay.from_estimator(model, table, y, feature="b")
    assert display.prior.shape == (len(display.x), 2)
    assert GateDisplay.from_estimator(model, table).prior.shape[2] == 2


def test_density_display_holds_the_predictive_density():
    X, y = make_inverse_problem(1000, random_state=0)[:2]
    model = HMERegressor(n_experts=5).fit(X, y)
    display = DensityDisplay.from_estimator(model, X, y, n_points=60, levels=[0.5])
    dist = model.predict_dist(display.x[:, None])
    np.testing.assert_allclose(display.density[:, 7], dist.pdf(display.y[None])[7])
    np.testing.assert_allclose(dist.cdf(display.quantiles[:, 0]), 0.5, atol=1e-10)
    assert display.density.shape == (60, 60) and len(display.quantiles_) == 1
    middle = display.density[:, np.argmin(np.abs(display.x - 0.5))]
    peaks = (middle[1:-1] > middle[:-2]) & (middle[1:-1] > middle[2:])
    assert peaks.sum() == 3  # the branches of the inverse
    np.testing.assert_array_equal(display.map_.get_array(), display.density)


def test_density_display_of_counts_has_a_probability_for_every_count():
    rng = np.random.default_rng(0)
    X = rng.uniform(0, 2, (200, 1))
    model = HMERegressor(n_experts=2, expert="poisson").fit(X, rng.poisson(np.exp(X[:, 0])), offset=np.zeros(200))
    display = DensityDisplay.from_estimator(model, X)
    np.testing.assert_array_equal(display.y, np.arange(len(display.y)))
    assert (display.density.sum(axis=0) > 0.99).all() and display.points_ is None


def test_density_display_of_several_outputs_names_one():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 2))
    model = HMERegressor(depth=1).fit(X, np.column_stack([X[:, 0], X[:, 1]]) + 0.1 * rng.normal(size=(100, 2)))
    with pytest.raises(ValueError, match="output = None must be a number from 0 to 1"):
        DensityDisplay.from_estimator(model, X, feature=0)
    display = DensityDisplay.from_estimator(model, X, X, feature=0, output=1)
    held = X[subject_of(model, X).typical(), 1]
    marginal = model.predict_dist(np.column_stack([display.x, np.full(200, held)])).marginal(1)
    np.testing.assert_allclose(display.density, marginal.pdf(display.y[None]).T)


def test_pit_display_is_flat_for_the_right_model_only():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(4000, 1))
    y = X[:, 0] + rng.normal(size=4000)
    model = HMERegressor(depth=0).fit(X[:2000], y[:2000])
    display = PITDisplay.from_estimator(model, X[2000:], y[2000:], n_bins=10)
    heights = np.array([bar.get_height() for bar in display.bars_])
    low, high = display.band_.get_y(), display.band_.get_y() + display.band_.get_height()
    assert heights.mean() == pytest.approx(1.0) and ((heights > low) & (heights < high)).mean() >= 0.8
    narrow = PITDisplay.from_estimator(model, X[2000:], 3 * y[2000:], n_bins=10)
    assert narrow.bars_[0].get_height() > high and narrow.bars_[4].get_height() < low


# Tables with text, pipelines, names, classes -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def table():
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"t": rng.normal(size=150), "g": rng.choice(["a", "b", "c"], 150, p=[0.2, 0.5, 0.3])})
    return X, pd.Series(X.t * (X.g == "a") + 0.1 * rng.normal(size=150), name="yield")


def test_tables_with_text_are_drawn_at_the_commonest_category(table):
    X, y = table
    gate = make_column_transformer((OneHotEncoder(), ["g"]))
    model = HMERegressor(n_experts=2, expert_features=["t"], gate_features=gate).fit(X, y)
    display = ExpertsDisplay.from_estimator(model, X, y, feature="t", n_points=9)
    np.testing.assert_allclose(display.mean, model.predict(X.iloc[:9].assign(t=display.x, g="b")))
    assert display.axes_[0].get_ylabel() == "yield"
    other = ExpertsDisplay.from_estimator(model, X, y, feature="t", values={"g": "a"}, n_points=9)
    np.testing.assert_allclose(other.mean, model.predict(X.iloc[:9].assign(t=other.x, g="a")))
    for show in (DensityDisplay.from_estimator, PITDisplay.from_estimator):
        assert show(model, X, y, **({"feature": "t"} if show == DensityDisplay.from_estimator else {}))
    with pytest.raises(ValueError, match="feature 'g' does not hold numbers"):
        ExpertsDisplay.from_estimator(model, X, y, feature="g")


@pytest.mark.parametrize("searched", few([False, True], 1))
def test_pipelines_are_drawn_along_the_columns_of_their_table(table, searched):
    X, y = table
    columns = make_column_transformer((OneHotEncoder(sparse_output=False), ["g"]), (StandardScaler(), ["t"]))
    model = make_pipeline(columns, HMERegressor(n_experts=2))
    model = GridSearchCV(model, {"hmeregressor__n_experts": [2]}, cv=2) if searched else model
    model.fit(X, y)
    display = ExpertsDisplay.from_estimator(model, X, y, feature="t", n_points=9)
    np.testing.assert_allclose(display.mean, model.predict(X.iloc[:9].assign(t=display.x, g="b")))
    density = DensityDisplay.from_estimator(model, X, y, feature="t", n_points=9)
    assert density.ax_.get_ylabel() == "yield" and PITDisplay.from_estimator(model, X, y).values.shape == (150,)


def test_dummies_are_held_at_a_category_that_there_is(table):
    X, y = table
    dummies = np.c_[X.t, X.g == "a", X.g == "b", X.g == "c"].astype(float)
    model = HMERegressor(n_experts=2).fit(dummies, y)
    display = ExpertsDisplay.from_estimator(model, dummies, y, feature=0, n_points=9)
    np.testing.assert_allclose(display.mean, model.predict(np.c_[display.x, np.tile([0.0, 1.0, 0.0], (9, 1))]))


@pytest.mark.slow
def test_bands_stay_where_y_can_be():
    rng = np.random.default_rng(0)
    X = rng.uniform(-2, 1, (200, 1))
    y = rng.poisson(np.exp(X[:, 0]))
    pairs = [("slow", "poisson"), ("fast", "negative_binomial")]
    display = ExpertsDisplay.from_estimator(HMERegressor(n_experts=2, expert=pairs).fit(X, y), X, y)
    assert display.band[0].min() == 0.0 and (display.band[1] > display.mean).all()
    assert [text.get_text() for text in display.legend_.get_texts()] == ["slow", "fast"]


def test_large_counts_are_drawn_as_a_whole():
    X = np.linspace(0, 1, 60)[:, None]
    y = np.random.default_rng(0).poisson(1e5 * (1 + X[:, 0]))
    display = DensityDisplay.from_estimator(HMERegressor(depth=0, expert="poisson").fit(X, y), X, y, n_points=50)
    assert display.y[0] == y.min() and display.y[-1] == y.max() and len(display.y) == 50


def test_classes_have_a_density_and_a_transform(iris):
    model, X, classes = iris
    display = DensityDisplay.from_estimator(model, X, classes, feature=2, n_points=20)
    grid = np.tile(X[subject_of(model, X).typical()], (20, 1))
    grid[:, 2] = display.x
    np.testing.assert_allclose(display.density, model.predict_proba(grid).T)
    labels = [text.get_text() for text in display.ax_.get_yticklabels()]
    assert labels == ["setosa", "versicolor", "virginica"] and not display.quantiles_
    np.testing.assert_array_equal(display.data_y, np.searchsorted(model.classes_, classes))
    values = PITDisplay.from_estimator(model, X, classes).values
    assert values.shape == (150,) and ((values >= 0) & (values <= 1)).all()
