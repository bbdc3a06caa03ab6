"""The page of a model: it holds all it needs, and predicts in JavaScript what Python predicts."""

import json
import re
import shutil
import subprocess
from html import unescape
from importlib.resources import files

import numpy as np
import pytest
from problems import few, lines_and_curves
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_diabetes, load_iris
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from hme import HMEClassifier, HMERegressor, explain
from hme.datasets import load_motorcycle
from hme.gates import GaussianGate, TopKGate
from hme.report import html, write
from hme.report.payload import payload

pd = pytest.importorskip("pandas")
NODE = shutil.which("node")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
CLEAN = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def content_of(page):
    """What a page holds as data."""
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S).group(1))


def in_node(content, n_rows, folder):
    """What the page's JavaScript says of the first rows."""
    (folder / "content.json").write_text(json.dumps(content))
    script = (files("hme.report") / "page" / "model.js").read_text(encoding="utf-8")
    script += f"""
    const c = JSON.parse(require("fs").readFileSync({json.dumps(str(folder / "content.json"))}));
    const M = prepared(c.recipe), X = c.rows.X.map(unpacked), y = unpacked(c.rows.y), out = [];
    for (let i = 0; i < {n_rows}; i++) {{
      const row = X.map((column) => column.values[i]), said = predict(M, row), adds = contributions(M, row);
      const curves = row.reduce((sum, value, c) => sum + added(M.tree, 0, 0, c, value), 0);
      out.push({{ mean: said.mean, prior: said.prior, experts: said.experts, gate: adds.gate, expert: adds.expert,
        interval: said.dist && interval(said, c.coverage), density: said.dist && density(said, y.values[i]).whole,
        curves, below: said.dist && below_(said, y.values[i]) }});
    }}
    console.log(JSON.stringify(out));"""
    (folder / "run.js").write_text(script)
    run = subprocess.run([NODE, str(folder / "run.js")], capture_output=True, text=True, check=True)
    told = json.loads(run.stdout)
    return {name: np.array([one[name] for one in told], dtype=float) for name in told[0] if told[0][name] is not None}


def diabetes():
    return load_diabetes(return_X_y=True, as_frame=True)


def counts():
    X, _ = diabetes()
    return X, np.random.default_rng(0).poisson(np.exp(5 * X.bmi + 1))


def iris():
    bunch = load_iris(as_frame=True)
    return bunch.data, bunch.target_names[bunch.target]


def with_text():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"site": rng.choice(["north", "<b>south", "east"], 300), "age": rng.normal(50, 9, 300)})
    y = np.where(table.site == "north", table.age, 90 - table.age) + rng.normal(size=300)
    return table, pd.Series(y, name="cost </script>")


def pipeline():
    columns = make_column_transformer((OneHotEncoder(sparse_output=False), ["site"]), (StandardScaler(), ["age"]))
    return make_pipeline(columns, HMERegressor(depth=1))


def bent():
    X = diabetes()[0].iloc[:200, [1, 2, 3]]  # a column of two values among them
    noise = 0.6 * np.random.default_rng(1).normal(size=len(X))
    return X, np.where(X.bp > 0, np.sin(60 * X.bmi), 20 * X.bp) + noise


class ScaledAndBent:
    """The fit of a pipeline whose mixture is an average over lines and curves."""

    def fit(self, X, y):
        model = make_pipeline(StandardScaler().set_output(transform="pandas"), HMERegressor(depth=0)).fit(X, y)
        model.steps[-1] = "mixture", lines_and_curves(model[:-1].transform(X), y)
        return model


CASES = [
    ("bent", ScaledAndBent, bent),
    ("squares", lambda: HMERegressor(depth=1, expert_features="squares", max_iter=20), bent),
    ("numbers", lambda: HMERegressor(depth=2, max_iter=20), diabetes),
    ("classes", lambda: HMEClassifier(n_experts=3, max_iter=20), iris),
    ("counts", lambda: HMERegressor(n_experts=2, expert="poisson", max_iter=20), counts),
    ("text", pipeline, with_text),
    ("average", lambda: HMERegressor(max_experts=3, max_iter=20), lambda: (diabetes()[0].iloc[:, 2:6], diabetes()[1])),
    ("one expert", lambda: HMERegressor(depth=0), diabetes),
    ("student", lambda: HMERegressor(tree="((. .) .)", expert="student", max_iter=20), diabetes),
    ("gamma", lambda: HMERegressor(n_experts=2, expert="gamma", max_iter=20), diabetes),
    ("constant gate", lambda: HMERegressor(n_experts=2, gate="constant", max_iter=20), diabetes),
    ("Gaussian gate", lambda: HMERegressor(n_experts=3, gate="gaussian", max_iter=20), diabetes),
    ("diagonal gate", lambda: HMERegressor(n_experts=2, gate=GaussianGate("diag"), max_iter=20), diabetes),
    ("top-k gate", lambda: HMERegressor(n_experts=4, gate=TopKGate(2, max_stages=2), max_iter=20), diabetes),
    ("negative binomial", lambda: HMERegressor(n_experts=2, expert="negative_binomial", max_iter=20), counts),
]


@CLEAN
@pytest.mark.skipif(NODE is None, reason="needs node")
@pytest.mark.parametrize("name, make, load", few(CASES, 6), ids=lambda case: case if isinstance(case, str) else "")
def test_javascript_predicts_what_python_predicts(name, make, load, tmp_path):
    X, y = load()
    model = make().fit(X, y)
    content = payload(model, X, y, title="t", max_rows=10_000, coverage=0.9, names=(None, None), arguments={})
    assert content["reason"] == ""
    said, n = in_node(content, 12, tmp_path), 12
    inner, table = (model[-1], model[:-1].transform(X[:n])) if hasattr(model, "steps") else (model, X[:n])
    mean = inner.predict_proba(table) if name == "classes" else inner.predict(table)[:, None]
    np.testing.assert_allclose(said["mean"], mean, rtol=1e-9)
    np.testing.assert_allclose(said["prior"], inner.gate_proba(table), rtol=1e-9, atol=1e-15)
    found = explain(model, X[:n])
    places = [found.columns.index(column["name"]) for column in content["columns"]]
    for part, name_of in enumerate(["gate", "expert"]):
        np.testing.assert_allclose(
            said[name_of], found.parts[:, places, part], rtol=1e-6, atol=1e-8 * np.abs(mean).max()
        )
    if name == "classes":
        assert "interval" not in said
        return
    if name in ("bent", "squares", "numbers"):  # of linear experts, curves add up but for a constant
        rest = said["curves"] - inner.predict_experts(table)[:, 0]
        np.testing.assert_allclose(rest, rest[0], rtol=1e-9)
    dist, seen = inner.predict_dist(table), np.asarray(y)[:n]
    np.testing.assert_allclose(said["interval"], dist.interval(0.9), rtol=1e-9)
    np.testing.assert_allclose(said["density"], np.exp(dist.log_likelihood(seen)), rtol=1e-9)
    np.testing.assert_allclose(said["below"], dist.cdf(seen), rtol=1e-9, atol=1e-12)


@pytest.mark.skipif(NODE is None, reason="needs node")
@pytest.mark.parametrize("features", [None, "splines"])
def test_rows_outside_the_range_are_held_as_in_python(features, tmp_path):
    X, y = load_motorcycle(return_X_y=True)
    model = HMERegressor(depth=2, expert_features=features, max_iter=20, tol=1.0).fit(X, y)
    content = payload(model, X, y, title="t", max_rows=999, coverage=0.9, names=(None, None), arguments={})
    from hme.report.encoding import packed

    far = np.array([[-400.0], [90.0], [60.0]])
    content["rows"]["X"] = [packed(far[:, 0])]
    said = in_node(content, 3, tmp_path)
    np.testing.assert_allclose(said["mean"][:, 0], model.predict(far), rtol=1e-9)
    np.testing.assert_allclose(said["interval"], model.predict_dist(far).interval(0.9), rtol=1e-9)


@CLEAN
def test_a_page_holds_all_it_needs(tmp_path):
    X, y = with_text()
    model = pipeline().fit(X, y)
    path = write(model, X, y, tmp_path / "page.html", title="Costs & <more>")
    page = path.read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>") and page.rstrip().endswith("</html>")
    addresses = set(re.findall(r"https?://[^\s\"'<)]+", page))
    assert addresses <= {"http://www.w3.org/2000/svg"}
    assert not re.search(r"<(link|img|iframe)\b|<script[^>]*\bsrc=|@import|url\((?!#)", page)
    assert page.count("</script>") == 3 and "<b>south" not in page
    content = content_of(page)
    assert content["title"] == "Costs & <more>" and content["target"] == "cost </script>"
    assert content["columns"][0]["levels"] == ["<b>south", "east", "north"]
    assert [name for name, _ in content["scores"]][:2] == ["R2", "root mean squared error"]
    assert content["scores"][0][1] == pytest.approx(model.score(X, y))
    assert sum(content["calibration"]["bins"]) == 300 and content["starts"][0]["curve"]


@CLEAN
@pytest.mark.parametrize(
    "settings, reason",
    few(
        [
            ({"gate": "tree"}, "estimators among the experts"),
            ({"expert": "tree"}, "no linear predictor under one of the links"),
        ],
        2,
    ),
)
def test_what_cannot_be_repeated_is_said_and_shown(settings, reason):
    X, y = diabetes()
    content = content_of(html(HMERegressor(n_experts=2, max_iter=5, **settings).fit(X, y), X, y))
    assert content["recipe"] is None and reason in content["reason"]
    assert content["rows"]["experts"]["shape"] == [442, 2, 1]


@CLEAN
def test_a_page_of_ten_thousand_rows_is_below_three_megabytes():
    rng = np.random.default_rng(0)
    for p in (10, 60):
        X = rng.normal(size=(10_000, p))
        y = X[:, 0] * (X[:, 1] > 0) + 0.1 * rng.normal(size=10_000)
        model = HMERegressor(depth=2, max_iter=1, n_init=1, start="kmeans").fit(X, y)
        page = html(model, X, y)
        content = content_of(page)
        assert len(page) < 3_000_000 and content["whole"] == 10_000
        assert len(content["rows"]["number"]) == 10_000 if p == 10 else 2000 < len(content["rows"]["number"]) < 10_000


def test_wrong_arguments():
    X, y = load_motorcycle(return_X_y=True)
    model = HMERegressor(depth=0).fit(X, y)
    with pytest.raises(ValueError, match="y has 3"):
        html(model, X, y[:3])
    with pytest.raises(ValueError, match="coverage must be between 0 and 1"):
        html(model, X, y, coverage=1.0)
    with pytest.raises(ValueError, match="max_rows"):
        html(model, X, y, max_rows=1)


CLICKS = """
<script>
window.addEventListener("load", () => {
  const told = {}, by = (id) => document.getElementById(id), text = (id) => by(id).textContent;
  const click = (id) => by(id).dispatchEvent(new MouseEvent("click", { bubbles: true }));
  const tell = (element, event) => element.dispatchEvent(new Event(event, { bubbles: true }));
  window.addEventListener("error", (event) => { told.error = String(event.message); });
  click("leaf1");
  told.leaf = text("details");
  click("gate0");
  told.gate = text("details");
  told.chosen = by("gate0").getAttribute("aria-selected");
  click("middle");
  told.middle = text("prediction");
  click("pin");
  const slider = document.querySelector("#sliders input[type=range]");
  slider.value = slider.max;
  tell(slider, "input");
  Object.assign(told, { moved: text("prediction"), compared: text("compared"), adds: text("adds") });
  click("unpin");
  told.unpinned = by("compared") === null;
  by("order").value = 1;
  tell(by("order"), "change");
  const row = document.querySelector("tr.row");
  told.first = row.firstChild.textContent;
  row.click();
  told.taken = text("answer");
  told.wide = document.documentElement.scrollWidth <= document.documentElement.clientWidth;
  const made = document.createElement("pre");
  made.id = "told";
  made.textContent = JSON.stringify(told);
  document.body.append(made);
});
</script>
"""


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
@pytest.mark.parametrize("width, gate", [(1280, None), (400, None), (1280, "gaussian"), (1280, "top_k")])
def test_clicks_in_a_browser(tmp_path, width, gate):
    X, y = diabetes()
    model = HMERegressor(depth=1, gate=gate).fit(X, y)
    path = tmp_path / "page.html"
    path.write_text(html(model, X, y).replace("</body>", CLICKS + "</body>"), encoding="utf-8")
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP * ~NOTFOUND"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", f"--window-size={width},900", "--virtual-time-budget=4000"]
    run = subprocess.run(
        [*command, "--dump-dom", path.as_uri()], capture_output=True, text=True, timeout=120, check=True
    )

    told = json.loads(unescape(re.search(r'<pre id="told">(.*?)</pre>', run.stdout, re.S).group(1)))
    assert "error" not in told and told["unpinned"] and told["wide"]
    assert "leaf 1" in told["leaf"] and told["gate"].startswith("gate") and told["chosen"] == "true"
    middle = X.mean().to_frame().T
    middle["sex"] = X.sex.mean()
    shown = float(re.search(r"= (-?[\d.]+),", told["middle"]).group(1))
    assert shown == pytest.approx(model.predict(middle)[0], rel=1e-3)
    moved = middle.assign(age=X.age.max())
    assert float(re.search(r"= (-?[\d.]+),", told["moved"]).group(1)) == pytest.approx(
        model.predict(moved)[0], rel=1e-3
    )
    assert told["compared"].startswith("Pinned: target = ") and "the mean row" in told["adds"]
    worst = int(np.abs(y - model.predict(X)).to_numpy().argmax())
    assert (
        told["first"] == str(worst)
        and f"Row {worst}" in told["taken"]
        and f"{y[worst]:g} was observed" in told["taken"]
    )
