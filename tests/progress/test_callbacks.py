"""scikit-learn's callbacks see the tasks of a fit; without them, and below scikit-learn 1.9, there is nothing."""

import pickle
import subprocess
import sys

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from hme import HMEClassifier, HMERegressor, HMERegressorCV, HMEStackingRegressor, HMETransformer
from hme.bootstrap import bootstrap
from hme.progress import NOBODY, followed

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # few rows, few sweeps

RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 2))
Y = np.where(X[:, 0] > 0, X[:, 1], -X[:, 1]) + 0.3 * RNG.normal(size=80)
ONE = HMERegressor(depth=1, start="model_tree", tol=1e-3)
ESTIMATORS = [HMERegressor, HMEClassifier, HMERegressorCV, HMEStackingRegressor, HMETransformer]


@pytest.fixture
def callbacks():
    """The module, which scikit-learn has from 1.9 on."""
    return pytest.importorskip("sklearn.callback")


class Seen:
    """A callback that notes its calls, and asks to stop at some tasks."""

    max_propagation_depth = None

    def __init__(self, stop=None):
        self.calls, self.stop = [], stop

    def setup(self, estimator, context):
        self.calls.append(("setup", ()))

    def teardown(self, estimator, context):
        self.calls.append(("teardown", ()))

    def on_fit_task_begin(self, estimator, context):
        self.calls.append(("begin", self.path(context)))

    def on_fit_task_end(self, estimator, context):
        self.calls.append(("end", self.path(context)))
        return self.stop is not None and self.stop(context)

    def path(self, context):
        own = f"{context.task_name} {context.task_id}"
        return (own,) if context.parent is None else (*self.path(context.parent), own)

    def of(self, what):
        return [path for kind, path in self.calls if kind == what]


def told(model, y=Y, **settings):
    """What a callback is told of the fit of a model."""
    seen = Seen(**settings)
    return clone(model).set_callbacks(seen).fit(X, y), seen


def names(path):
    return tuple(part.rpartition(" ")[0] for part in path)


# -- without callbacks -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_there_is_nothing_where_scikit_learn_has_no_callbacks(cls):
    try:
        import sklearn.callback  # noqa: F401
    except ImportError:
        assert not hasattr(cls, "set_callbacks")
    else:
        assert hasattr(cls, "set_callbacks")


def test_nobody_is_told_without_callbacks():
    with followed(ONE, X, Y, None, 3) as task:
        assert task is NOBODY and not task
    assert NOBODY.part("starts").step("sweep") is False and NOBODY.knowing({}) is NOBODY
    with NOBODY.around(None):
        pass
    assert pickle.loads(pickle.dumps(NOBODY)) is NOBODY
    assert not any("callback" in name for name in vars(clone(ONE).fit(X, Y)) if name != "callback")


@pytest.mark.slow
def test_the_package_works_without_the_module():
    hide = "import sys; sys.modules['sklearn.callback'] = None\n"
    code = (
        "import hme\nassert not hasattr(hme.HMERegressor, 'set_callbacks')\n"
        "hme.HMERegressor(depth=1).fit([[0.], [1.], [2.], [3.]] * 9, [0., 1., 1., 0.] * 9)"
    )
    try:
        import sklearn.callback  # noqa: F401
    except ImportError:
        hide = ""
    else:  # other parts of scikit-learn import it themselves
        hide = "import sklearn.linear_model, sklearn.pipeline\n" + hide
    subprocess.run([sys.executable, "-W", "ignore", "-c", hide + code], check=True)


# -- what is told ------------------------------------------------------------------------------------------------------


def test_tasks_are_nested_and_every_one_that_begins_ends(callbacks):
    model, seen = told(clone(ONE).set_params(n_init=2, n_finalists=None, random_state=0))
    assert seen.calls[0] == ("setup", ()) and seen.calls[-1] == ("teardown", ())
    assert sorted(seen.of("begin")) == sorted(seen.of("end")) and len(set(seen.of("end"))) == len(seen.of("end"))
    assert {names(path) for path in seen.of("end")} == {
        ("fit",), ("fit", "grow"), ("fit", "starts"), ("fit", "starts", "start"), ("fit", "starts", "start", "sweep"),
        ("fit", "finish"),
    }  # fmt: skip
    for number, restart in enumerate(model.restarts_):
        sweeps = [path for path in seen.of("end") if len(path) == 4 and path[2] == f"start {number}"]
        assert 1 < len(sweeps) <= restart.n_iter
    assert not [name for name in vars(model) if name.startswith(("_callback", "_parent_callback"))]


def test_nothing_else_changes(callbacks):
    plain, (model, _) = clone(ONE).fit(X, Y), told(ONE)
    np.testing.assert_allclose(model.predict(X), plain.predict(X), rtol=1e-9)
    assert str(model) == str(plain) and model.restarts_[0].n_iter == plain.restarts_[0].n_iter
    assert clone(model).get_params().keys() == plain.get_params().keys()
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(X), model.predict(X))


def test_a_callback_stops_a_start(callbacks):
    model, _ = told(ONE, stop=lambda context: context.task_name == "sweep" and context.task_id == 2)
    assert model.stop_reason_ == "callback" and model.n_iter_ == 3


def test_a_callback_stops_growing(callbacks):
    _, seen = told(HMERegressor(average=False), stop=lambda context: context.task_name == "size")
    assert len([path for path in seen.of("end") if names(path)[-1] == "size"]) == 1


def test_callbacks_are_torn_down_after_an_error(callbacks):
    seen, model = Seen(), clone(ONE)
    with pytest.raises(ValueError, match="inconsistent"):
        model.set_callbacks(seen).fit(X, Y[:3])
    assert seen.calls[-1] == ("teardown", ()) and list(vars(model)) == [*vars(clone(ONE)), "_skl_callbacks"]


@pytest.mark.parametrize(
    "model, y",
    [
        (ONE, Y),
        (HMEClassifier(depth=1, start="model_tree"), np.where(Y > 0, "a", "b")),
        (HMERegressor(n_experts=3, gate="top_k", max_iter=9), Y),
        (HMERegressor(), Y),
    ],
    ids=["regressor", "classifier", "top-k gate", "growing"],
)
def test_fits_under_way_can_predict(callbacks, model, y):
    name = "accuracy" if y.dtype.kind == "U" else "r2"
    monitor = callbacks.ScoringMonitor(scoring=name)
    fitted = clone(model).set_callbacks(monitor).fit(X, y, sample_weight=np.ones(80))
    sweeps = [row[name] for row in monitor.get_logs().data if row["task_name"] == "sweep"]
    assert len(sweeps) > 2 and np.isfinite(sweeps).all()
    (whole,) = [row[name] for row in monitor.get_logs().data if row["task_name"] == "fit"]
    assert whole == pytest.approx(fitted.score(X, y))


def test_a_fit_with_offsets_cannot(callbacks):
    monitor = callbacks.ScoringMonitor(scoring="r2")
    with pytest.raises(ValueError, match="offset"):  # which the last score needs too
        HMERegressor(depth=0, expert="poisson").set_callbacks(monitor).fit(X, np.rint(np.exp(Y)), offset=X[:, 0])


def test_sweeps_of_starts_that_run_at_the_same_time_are_told(callbacks):
    model = clone(ONE).set_params(n_init=2, n_finalists=None, random_state=0, n_jobs=2)
    monitor = callbacks.ScoringMonitor(scoring="r2")
    with joblib.parallel_config("threading"):
        model.set_callbacks(monitor).fit(X, Y)
    starts = {row["parent_task_id_path"] for row in monitor.get_logs().data if row["task_name"] == "sweep"}
    assert starts == {(0, 1, 0), (0, 1, 1)}


@pytest.mark.slow
def test_progress_bars_reach_the_end(callbacks, capsys):
    pytest.importorskip("rich")
    search = GridSearchCV(ONE, {"depth": [1, 2]}, cv=2, n_jobs=2)
    search.set_callbacks(callbacks.ProgressBar(max_propagation_depth=None)).fit(X, Y)
    assert "100%" in capsys.readouterr().out


# -- models of models --------------------------------------------------------------------------------------------------

OF_MODELS = {
    "search": (GridSearchCV(ONE, {"depth": [1, 2]}, cv=2), ("fit", "search", "fit", "starts", "start", "sweep")),
    "pipeline": (make_pipeline(StandardScaler(), ONE), ("fit", "fit", "starts", "start", "sweep")),
    "mixtures": (HMERegressorCV(ONE, [{}, {"depth": 0}], cv=2), ("fit", "search", "fit", "starts", "start", "sweep")),
    "refits": (HMERegressorCV(ONE, [{}], cv=2), ("fit", "refits", "fit", "starts", "start", "sweep")),
    "stack": (HMEStackingRegressor([("a", Ridge()), ("b", ONE)], ONE, cv=2), ("fit", "models", "fit", "starts")),
    "its mixture": (HMEStackingRegressor([("a", Ridge())], ONE, cv=2), ("fit", "fit", "starts", "start", "sweep")),
    "layer": (HMETransformer(ONE), ("fit", "fit", "starts", "start", "sweep")),
}


@pytest.mark.parametrize("model, path", OF_MODELS.values(), ids=OF_MODELS)
def test_models_of_models_are_followed(callbacks, model, path):
    model, seen = told(model)
    assert path in {names(own) for own in seen.of("begin")}
    assert sorted(seen.of("begin")) == sorted(seen.of("end"))
    assert seen.of("setup") == seen.of("teardown") == [()]


def test_folds_of_a_layer_are_followed(callbacks):
    seen = Seen()
    HMETransformer(ONE, cv=2).set_callbacks(seen).fit_transform(X, Y)
    assert len([path for path in seen.of("end") if names(path) == ("fit", "folds", "fit")]) == 2
    frozen = HMETransformer(FrozenEstimator(clone(ONE).fit(X, Y))).set_callbacks(Seen()).fit(X, Y)
    assert not hasattr(frozen.estimator_.estimator, "_skl_callbacks")


def test_refits_of_a_bootstrap_are_not(callbacks):
    model, seen = told(ONE)
    n = len(seen.calls)
    bootstrap(model, X, Y, 2, random_state=0)
    assert len(seen.calls) == n
