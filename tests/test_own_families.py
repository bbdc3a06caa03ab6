"""A family of the user's that implements what is abstract, and no more, works wherever a fitted model is looked at."""

import pickle
import warnings
from typing import NamedTuple

import numpy as np
import pytest
from problems import slow_case
from sklearn.base import clone

from hme import HMEClassifier, HMERegressor, export_text
from hme.bootstrap import bootstrap, lr_test_bootstrap
from hme.diagnosis import diagnose, restart_report
from hme.experts import Expert, LinearExpert
from hme.inference import infer
from hme.numerics.kernels import linear_scores, weighted_cross, weighted_gram
from hme.numerics.systems import solve_psd


class LineParams(NamedTuple):
    coef: np.ndarray  # (K, p), intercept last
    scale: np.ndarray  # (K,)


class Sums(NamedTuple):
    weight: np.ndarray
    gram: np.ndarray
    cross: np.ndarray
    square: np.ndarray


class Line(Expert):
    """A line with Gaussian noise, its parameters in an order of its own."""

    def init(self, rows, resp):
        return self.update(None, self.statistics(None, rows, resp), rows)

    def log_prob(self, params, rows):
        z = (rows.y - linear_scores(rows.X, params.coef)) / params.scale
        return -0.5 * z**2 - np.log(params.scale * np.sqrt(2.0 * np.pi))

    def predict(self, params, rows):
        return linear_scores(rows.X, params.coef)[:, :, None]

    def statistics(self, params, rows, resp, seen=None):
        y = rows.y[:, 0]
        return Sums(resp.sum(axis=0), weighted_gram(rows.X, resp), weighted_cross(rows.X, resp * rows.y), resp.T @ y**2)

    def add(self, a, b):
        return b if a is None else Sums(*(u + v for u, v in zip(a, b, strict=True)))

    def update(self, params, stats, rows):
        coef = solve_psd(stats.gram + 1e-6 * np.eye(stats.gram.shape[1]), stats.cross[:, :, None])[:, :, 0]
        return LineParams(
            coef, np.sqrt((stats.square - (coef * stats.cross).sum(axis=1) + 0.01) / (stats.weight + 1.0))
        )

    def n_parameters(self, params):
        return params.coef.size + params.scale.size


class LevelParams(NamedTuple):
    level: np.ndarray  # (K, 2), mean and log of the standard deviation
    label: np.ndarray  # (K,) of str


class Level(Line):
    """A mean without columns, and something that is no number."""

    def init(self, rows, resp):
        return self.update(None, self.statistics(None, rows, resp), rows)

    def _line(self, params, rows):
        coef = np.zeros((len(params.level), rows.X.shape[1]))
        coef[:, -1] = params.level[:, 0]
        return LineParams(coef, np.exp(params.level[:, 1]))

    def log_prob(self, params, rows):
        return super().log_prob(self._line(params, rows), rows)

    def predict(self, params, rows):
        return super().predict(self._line(params, rows), rows)

    def update(self, params, stats, rows):
        mean = stats.cross[:, -1] / (stats.weight + 1e-9)
        scale = np.sqrt((stats.square - mean * stats.cross[:, -1] + 0.01) / (stats.weight + 1.0))
        return LevelParams(np.column_stack([mean, np.log(scale)]), np.repeat("constant", len(mean)))

    def interpolate(self, old, new, step):
        return new._replace(level=old.level + step * (new.level - old.level))

    def n_parameters(self, params):
        return params.level.size


class ShareParams(NamedTuple):
    share: np.ndarray  # (K, C)


class Shares(Expert):
    """Frequencies of classes."""

    @property
    def traits(self):
        from hme.model.traits import Traits

        return Traits(tasks=("classification",), measure="classes", domain="classes")

    def init(self, rows, resp):
        return self.update(None, self.statistics(None, rows, resp), rows)

    def log_prob(self, params, rows):
        return np.log(params.share[:, rows.y]).T

    def predict(self, params, rows):
        return np.repeat(params.share[None], rows.n_rows, axis=0)

    def statistics(self, params, rows, resp, seen=None):
        return ShareParams(np.stack([resp[rows.y == c].sum(axis=0) for c in range(3)], axis=1))

    def add(self, a, b):
        return b if a is None else ShareParams(a.share + b.share)

    def update(self, params, stats, rows):
        counts = stats.share + 1e-3
        return ShareParams(counts / counts.sum(axis=1, keepdims=True))

    def n_parameters(self, params):
        return params.share.size - len(params.share)


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    X = np.column_stack([10 + 4 * rng.uniform(-1, 1, 160), rng.normal(size=160)])
    y = np.where(X[:, 0] < 10, 2 * X[:, 0] - 18.0, 8.0 - X[:, 0] + X[:, 1]) + 0.2 * rng.normal(size=160)
    return X, y


def fitted(family, X, y, **settings):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimator = HMEClassifier if y.dtype.kind in "iU" else HMERegressor
        return estimator(**({"n_experts": 2, "tol": 1e-8} | settings), expert=family).fit(X, y)


EXPERTS = {
    "line": Line(),
    "level": Level(),
    "list": [("line", Line()), ("ours", LinearExpert())],
    "levels": [("level", Level()), ("ours", LinearExpert())],
}


@pytest.fixture(scope="module", params=[name if name == "line" else slow_case(name) for name in EXPERTS])
def model(request, table):
    return fitted(EXPERTS[request.param], *table)


def test_reports_are_in_the_units_of_the_user(table):
    X, y = table
    model = fitted(Line(), X, y)
    assert model.experts_._fields == ("coef", "intercept", "scale") and model.experts_.coef.shape == (2, 2)
    by_hand = X @ model.experts_.coef.T + model.experts_.intercept
    np.testing.assert_allclose(by_hand, model.predict_experts(X), rtol=1e-9)
    slopes = np.sort(model.experts_.coef[:, 0])
    np.testing.assert_allclose(slopes, [-1.0, 2.0], atol=0.05)


def test_reports_and_models_pickle_and_copy(model, table):
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(table[0]), model.predict(table[0]))
    reports = [model.experts_, again.experts_]
    if isinstance(model.experts_, dict):
        reports = [report["line" if "line" in report else "level"] for report in reports]
    one, two = reports
    assert one._fields == two._fields and repr(one) == repr(two) and type(one)(*one)._fields == two._fields
    assert type(pickle.loads(pickle.dumps(one))).__name__ == type(one).__name__


def test_equations_have_a_line_for_every_expert(table):
    X, y = table
    model = fitted(Line(), X, y)
    lines = model.model_.expert.equations(model.experts_, ["heat", "wind"], "speed")
    assert len(lines) == 2
    report = model.experts_
    for k, line in enumerate(lines):
        assert line.startswith(f"speed: {report.intercept[k]:.4g} {report.coef[k, 0]:+.4g} heat ")
        assert line.endswith(f"scale {report.scale[k]:.3g}")
    text = export_text(model, ["heat", "wind"], "speed", max_terms=1)
    assert text.count("leaf ") == 2 and text.count("speed: ") == 2 and "1 weaker terms" in text


def test_text_and_summary(model, table):
    text = export_text(model)
    assert text.count("leaf 0") == text.count("leaf 1") == 1
    summary = str(infer(model, *table).summary())
    assert "Gating node 0" in summary and "taken as fixed" in summary
    effects = infer(model, *table).marginal_effects(table[0])
    assert effects.columns == ("x0", "x1") and str(effects).count("total") == 2


def test_bootstrap_and_restarts(model, table):
    found = bootstrap(model, *table, 2, random_state=0, leave_out=())
    assert found.draws.shape == (2, len(found.labels)) and np.isfinite(found.draws).all()
    assert {label.side for label in found.labels} == {"expert", "gate"}
    assert "std err" in repr(found) and len(found.to_frame()) == len(found.labels)
    report = restart_report(model, *table, 2, random_state=0)
    assert "starts" in repr(report)


@pytest.mark.slow
def test_diagnosis(model, table):
    found = diagnose(clone(model).set_params(tol=1e-3), *table, cv=2, n_seeds=1, n_bootstrap=2, random_state=0)
    assert found.verdict in ("single", "no routing", "routing") and "one expert" in repr(found)


def test_pictures(model, table):
    pytest.importorskip("matplotlib")
    from hme.plot import ExpertsDisplay, GateDisplay

    display = ExpertsDisplay.from_estimator(model, *table, feature=0)
    assert display.mean.shape == (400,) and display.band is None and display.band_ is None
    GateDisplay.from_estimator(model, *table)


@pytest.mark.slow
def test_a_test_for_the_number_of_experts_needs_draws(table):
    X, y = table
    with pytest.raises((NotImplementedError, ValueError), match="distribution"):
        lr_test_bootstrap(HMERegressor(depth=0, expert=Line()), HMERegressor(depth=1, expert=Line()), X, y, 2)


@pytest.mark.slow
def test_classes(table):
    X, y = table
    model = fitted(Shares(), X, np.digitize(y, [-1.0, 1.0]))
    assert export_text(model).count("share [") == 2
    assert "taken as fixed" in str(infer(model, X, np.digitize(y, [-1.0, 1.0])).summary())
    found = bootstrap(model, X, np.digitize(y, [-1.0, 1.0]), 2, random_state=0, leave_out=())
    parts = [label.part for label in found.labels if label.side == "expert"]
    assert parts == ["0", "1", "2"] * 2 and all(
        label.term in ("share", "x0", "x1", "(intercept)") for label in found.labels
    )
    assert (
        diagnose(model, X, np.digitize(y, [-1.0, 1.0]), cv=2, n_seeds=0, n_bootstrap=0, random_state=0).classes
        is not None
    )
