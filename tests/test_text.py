"""The text of a tree says what the model computes."""

import re

import numpy as np
import pytest
from scipy.special import expit, softmax
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError

from hme import HMEClassifier, HMERegressor, Tree, average
from hme.datasets import load_motorcycle, make_regimes
from hme.features import Splines
from hme.features.curves import curves_of
from hme.model.features import Features
from hme.text import export_text

NUMBER = r"[+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?"


@pytest.fixture(scope="module")
def motorcycle():
    return load_motorcycle(return_X_y=True)


@pytest.fixture(scope="module")
def regimes():
    X, y, _ = make_regimes(400, n_features=3, n_experts=2, random_state=0)
    return X, y


def numbers(text):
    return [float(number) for number in re.findall(NUMBER, text)]


def linear(text, X):
    """Value of a text such as "1.5 +2 x0 -0.3 x2" for every row."""
    value = np.zeros(len(X))
    for number, name in re.findall(rf"({NUMBER})(?: x(\d+))?", text):
        value += float(number) * (X[:, int(name)] if name else 1.0)
    return value


def equations(text, pattern=r"leaf \d+ \(load [\d.]+\): [^=]*= (.*?)(?:,  noise|\n|$)"):
    return re.findall(pattern, text)


def test_gate_of_one_feature_gives_the_place_of_even_odds_and_of_nine_to_one(motorcycle):
    model = HMERegressor(depth=1).fit(*motorcycle)
    middle, width = re.search(rf"gate 0: x0 > ({NUMBER}) \+/- ({NUMBER})\n", export_text(model)).groups()
    middle, width = float(middle), float(width)
    prior = model.gate_proba([[middle], [middle - width], [middle + width]])[:, 1]
    np.testing.assert_allclose(prior, [0.5, 0.1, 0.9], atol=0.01)


def test_gate_of_several_features_gives_the_log_odds(regimes):
    X, y = regimes
    model = HMERegressor(depth=1).fit(X, y)
    left, right = re.search(r"gate 0: (.*) > (.*)\n", export_text(model)).groups()
    np.testing.assert_allclose(expit(linear(left, X) - float(right)), model.gate_proba(X)[:, 1], atol=0.005)


def test_gate_of_many_branches_gives_a_score_for_each(regimes):
    X, y = regimes
    model = HMERegressor(n_experts=3).fit(X, y)
    scores = [linear(score, X) for score in re.findall(r"\|-- (.*?): leaf", export_text(model))]
    np.testing.assert_allclose(softmax(np.stack(scores, axis=1), axis=1), model.gate_proba(X), atol=0.03)


def test_equations_are_the_experts(regimes):
    X, y = regimes
    model = HMERegressor(depth=2, start="kmeans").fit(X, y)
    lines = equations(export_text(model))
    np.testing.assert_allclose(
        np.stack([linear(line, X) for line in lines], axis=1), model.predict_experts(X), rtol=2e-3, atol=0.02
    )


def test_several_outputs_have_a_line_each(regimes):
    X, y = regimes
    model = HMERegressor(depth=1).fit(X, np.column_stack([y, 3.0 - y]))
    lines = re.findall(r"z\[\d\] = (.*),  noise", export_text(model, target="z"))
    values = np.stack([linear(line, X) for line in lines], axis=1)
    np.testing.assert_allclose(values, model.predict_experts(X).reshape(len(X), 4), rtol=2e-3, atol=0.02)


def test_two_classes_give_the_log_odds_of_the_second(regimes):
    X, y = regimes
    model = HMEClassifier(depth=1).fit(X, np.where(y > np.median(y), "up", "down"))
    text = export_text(model, target="move")
    assert text.count("log-odds(move = up) = ") == 2
    lines = equations(text, r"\(move = up\) = (.*)")
    values = np.stack([expit(linear(line, X)) for line in lines], axis=1)
    np.testing.assert_allclose(values, model.predict_experts(X)[..., 1], atol=0.02)


def test_several_classes_give_a_score_each():
    data = load_iris()
    classes = data.target_names[data.target]
    model = HMEClassifier(depth=1).fit(data.data, classes)
    blocks = export_text(model).split("leaf ")[1:]
    for k, block in enumerate(blocks):
        scores = np.stack([linear(line, data.data) for line in re.findall(r"(?:setosa|v\w+): (.*)", block)], axis=1)
        np.testing.assert_allclose(softmax(scores, axis=1), model.predict_experts(data.data)[:, k], atol=0.05)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_constant_experts_of_a_classifier_give_frequencies(n_classes):
    X, y = load_iris(return_X_y=True)
    X, y = X[y < n_classes], y[y < n_classes]
    model = HMEClassifier(depth=1, expert="constant").fit(X, y)
    shares = [numbers(line) for line in re.findall(r"y is (.*)", export_text(model))]
    np.testing.assert_allclose(np.array(shares)[:, 1::2], model.predict_experts(X[:1])[0], atol=0.006)


def test_shape_of_the_tree(motorcycle):
    model = HMERegressor(tree=Tree.from_text("(. ((. .) .))")).fit(*motorcycle)
    lines = export_text(model).splitlines()
    marks = [re.search(r"(gate|leaf) \d+", line).group() for line in lines]
    assert marks == ["gate 0", "leaf 0", "gate 1", "gate 2", "leaf 1", "leaf 2", "leaf 3"]
    assert [line.count("|") for line in lines] == [0, 1, 1, 2, 3, 3, 2]


def test_loads_are_the_models(motorcycle):
    model = HMERegressor(depth=2).fit(*motorcycle)
    loads = [float(load) for load in re.findall(r"load ([\d.]+)", export_text(model))]
    np.testing.assert_allclose(loads, model.load_, atol=0.0051)


def test_no_gate(motorcycle):
    text = export_text(HMERegressor(depth=0).fit(*motorcycle), ["time"], "g")
    assert re.fullmatch(r"leaf 0 \(load 1\.00\): g = -53.* time,  noise .*", text)


def test_constant_gate_gives_the_priors(motorcycle):
    model = HMERegressor(n_experts=2, gate="constant").fit(*motorcycle)
    first, *lines = export_text(model).splitlines()
    assert first == "gate: ConstantGate"
    priors = [float(re.match(r"\|-- prior ([\d.]+): leaf", line)[1]) for line in lines]
    np.testing.assert_allclose(priors, model.gate_.proportion, atol=0.0051)


def test_tree_and_constant_experts(motorcycle):
    assert "tree of" in export_text(HMERegressor(depth=1, expert="tree").fit(*motorcycle))
    text = export_text(HMERegressor(depth=1, expert="constant").fit(*motorcycle))
    assert "weaker" not in text and text.count("y = ") == 2


def test_gate_that_does_not_look_at_x(motorcycle):
    X, y = motorcycle
    model = HMERegressor(depth=1).fit(np.ones_like(X), y)
    assert re.search(r"gate 0: yes for 0\.\d\d of every row", export_text(model))


def test_weaker_terms_are_left_out_and_counted(regimes):
    X, y = regimes
    text = export_text(HMERegressor(depth=1).fit(X, y), max_terms=1)
    assert re.search(r"gate 0: \S+ x\d \.\.\. > ", text) and text.count("(2 weaker terms)") == 2
    assert "weaker" not in export_text(HMERegressor(depth=1).fit(X, y), max_terms=None)


def test_names_come_from_the_fit():
    frame = pytest.importorskip("pandas").DataFrame({"heat": np.arange(30.0), "wind": np.arange(30.0) ** 2})
    text = export_text(HMERegressor(depth=0).fit(frame, np.arange(30.0)))
    assert "heat" in text and "wind" in text


def test_errors(motorcycle):
    model = HMERegressor(depth=1).fit(*motorcycle)
    with pytest.raises(ValueError, match="feature_names has 2 names for 1 features"):
        export_text(model, ["a", "b"])
    with pytest.raises(ValueError, match="max_terms"):
        export_text(model, max_terms=0)
    with pytest.raises(TypeError, match="AveragedRegressor has no tree of its own"):
        export_text(average([model, model]))
    with pytest.raises(NotFittedError):
        export_text(HMERegressor())


def test_curves_are_told_by_their_slopes():
    rng = np.random.default_rng(0)
    table = np.column_stack([rng.uniform(20.0, 80.0, 200), rng.integers(0, 2, 200)])
    y = np.sin(table[:, 0] / 9.0) + table[:, 1] + 0.1 * rng.standard_normal(200)
    model = HMERegressor(depth=0, expert_features="splines").fit(table, y)
    first, second = export_text(model, ["age", "sex"], digits=15).splitlines()
    constant, slope = map(float, re.search(r"y = (\S+) \+(\S+) sex \+s\(age\),  noise", first).groups())
    assert second.startswith("    s(age): slope ")
    slopes, knots = np.array(re.findall(r"(\S+) at ([^\s,]+)", second), dtype=float).T
    x = np.linspace(0.0, 100.0, 60_001)
    rates = np.interp(x, knots, slopes)  # between knots they change linearly, beyond these they are constant
    curve = np.concatenate([[0.0], np.cumsum(0.5 * (rates[1:] + rates[:-1]) * np.diff(x))])
    curve -= np.interp(knots[0], x, curve)
    grid = np.column_stack([x[::5000], np.ones(13)])
    np.testing.assert_allclose(constant + slope + curve[::5000], model.predict(grid), atol=1e-6)
    short = export_text(model, ["age", "sex"], max_terms=1)
    assert "+s(age),  noise" in short and "(1 weaker terms)" in short and short.endswith("at 79.83")
    model.set_params(expert_features="squares").fit(table, y)
    assert "(x0 - 52.38)^2" in export_text(model) and "s(" not in export_text(model)


def test_curves_of_classes_and_outputs():
    x = np.linspace(-1.0, 1.0, 90)[:, None]
    model = HMERegressor(depth=0, expert_features="splines").fit(x, np.column_stack([x, x**2]))
    lines = export_text(model).splitlines()
    assert [line.split(" = ")[0].strip() for line in lines[1:3]] == ["y[0]", "y[1]"]
    assert [line.strip()[:12] for line in lines[3:]] == ["y[0]: s(x0):", "y[1]: s(x0):"]
    model = HMEClassifier(depth=0, expert_features="splines").fit(x, np.repeat(["a", "b", "c"], 30))
    assert [line.strip()[:9] for line in export_text(model).splitlines()[-3:]] == [
        "a: s(x0):",
        "b: s(x0):",
        "c: s(x0):",
    ]


def test_gates_that_bend_are_told_in_the_columns_of_the_table():
    rng = np.random.default_rng(1)
    x, other = rng.uniform(20.0, 80.0, 300), rng.integers(0, 2, 300)
    table = np.column_stack([x, other])
    y = np.where(np.abs(x - 50.0) < 15.0, x / 10.0, -x / 5.0 + other) + 0.1 * rng.standard_normal(300)
    model = HMERegressor(depth=1, gate_features="splines").fit(table, y)
    first, second, *_ = export_text(model, ["age", "sex"], digits=15).splitlines()
    sex, threshold = map(float, re.search(r"gate 0: (\S+) sex \+s\(age\) > (\S+)$", first).groups())
    assert second.startswith("|   s(age): slope ")
    slopes, knots = np.array(re.findall(r"(\S+) at ([^\s,]+)", second), dtype=float).T
    places = np.linspace(knots[0], knots[-1], 60_001)
    rates = np.interp(places, knots, slopes)
    curve = np.concatenate([[0.0], np.cumsum(0.5 * (rates[1:] + rates[:-1]) * np.diff(places))])[::5000]
    prior = model.gate_proba(np.column_stack([places[::5000], np.ones(13)]))
    np.testing.assert_allclose(curve + sex - threshold, np.log(prior[:, 1] / prior[:, 0]), atol=1e-5)
    texts = {
        gate: export_text(HMERegressor(n_experts=2, gate=gate, gate_features="splines").fit(table, y), ["age", "sex"])
        for gate in ("top_k", "gaussian", "tree")
    }
    assert "leaf 1, s(age): slope" in texts["top_k"] and "age = about" in texts["gaussian"]
    assert not any(").1" in text for text in texts.values())


def test_rules_on_splines_are_rules_on_their_column():
    x = np.linspace(-2.0, 5.0, 200)[:, None] ** 3
    splines = Splines().fit(x)
    (curve,) = curves_of(Features(splines, None, "gate_features", given=["t"]))
    for j, column in enumerate(splines.transform(x).T):
        for i in np.flatnonzero(np.gradient(column) > 1e-6)[::40]:
            assert curve.crossing(j, column[i]) == pytest.approx(x[i, 0], abs=0.02)
    assert curve.crossing(0, -7.0) == pytest.approx(x.min() - 7.0)
    assert curve.crossing(3, curve.pieces.columns(x.max() + np.ones(1))[0, 3]) == pytest.approx(x.max() + 1.0)
