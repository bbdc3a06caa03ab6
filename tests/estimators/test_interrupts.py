"""Ctrl-C: a fit keeps the best so far and says how far it came; what runs many fits stops."""

import os
import signal
import time

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import hme.__main__ as command
from hme import HMERegressor, HMETransformer
from hme.diagnosis import restart_report
from hme.fitting import racing, restarts, starts
from hme.model import bank

X = np.random.default_rng(0).normal(size=(120, 2))
Y = np.abs(X[:, 0])


class Press:
    """A callback that presses Ctrl-C at one of its calls."""

    def __init__(self, call):
        self.call, self.calls = call, 0

    def __call__(self, sweep, objective, params):
        self.calls += 1
        if self.calls == self.call:
            os.kill(os.getpid(), signal.SIGINT)


def press_in(monkeypatch, module, name, call):
    """Ctrl-C while a function runs for the given time."""
    function, calls = getattr(module, name), []

    def pressed(*arguments, **settings):
        calls.append(name)
        if len(calls) == call:
            raise KeyboardInterrupt
        return function(*arguments, **settings)

    monkeypatch.setattr(module, name, pressed)


@pytest.mark.parametrize("n_finalists", [None, 2])
@pytest.mark.parametrize("call, where", [(2, "start 1 of 4, after 2"), (8, "start 3 of 4, after 2")])
def test_the_best_so_far_is_kept(n_finalists, call, where):
    settings = {"start": "model_tree", "n_init": 4, "n_finalists": n_finalists}
    model = HMERegressor(n_experts=2, **settings, max_iter=3, callback=Press(call))
    with pytest.warns(ConvergenceWarning, match=f"interrupted in {where}") as caught:
        model.fit(X, Y)
    assert len(caught) == 1 and model.stop_reason_ == "interrupted"
    assert len(model.restarts_) == 1 + (call > 3) * 2
    assert model.lower_bounds_[-1] == max(one.objective for one in model.restarts_)


def test_a_start_that_is_being_drawn(monkeypatch):
    drawn = []
    monkeypatch.setitem(starts.STARTS, "directions", lambda *rest: drawn.append(1) or press())

    def press():
        raise KeyboardInterrupt

    model = HMERegressor(n_experts=2, start="model_tree", n_init=4, n_finalists=None, max_iter=3)
    model.set_params(callback=lambda *sweep: False)  # its starts run one after the other
    with pytest.warns(ConvergenceWarning, match="interrupted before the first sweep in start 3 of 4"):
        model.fit(X, Y)
    assert len(drawn) == 1 and len(model.restarts_) == 2 and model.stop_reason_ == "interrupted"
    with pytest.raises(KeyboardInterrupt):  # before any start has parameters
        HMERegressor(n_experts=2, n_init=4, start="directions").fit(X, Y)


@pytest.mark.parametrize("n_finalists", [None, 2])
def test_starts_side_by_side(monkeypatch, n_finalists):
    model = HMERegressor(n_experts=2, start="model_tree", n_init=4, n_finalists=n_finalists)
    press_in(monkeypatch, bank.Bank, "e_step", 6)
    with pytest.warns(ConvergenceWarning, match="interrupted in starts 1 to 4 of 4, after 5 sweep"):
        model.fit(X, Y)
    assert [one.reason for one in model.restarts_] == ["interrupted"] * 4 and model.stop_reason_ == "interrupted"
    assert model.lower_bounds_[-1] == max(one.objective for one in model.restarts_)
    press_in(monkeypatch, bank.Bank, "e_step", 1)
    with pytest.raises(KeyboardInterrupt):  # before any start has parameters
        model.fit(X, Y)


def test_in_the_second_round_of_a_race(monkeypatch):
    monkeypatch.setattr(racing, "FIRST_SWEEPS", 5)
    model = HMERegressor(n_experts=3, start="model_tree", n_init=3, n_finalists=3, tol=1e-12, callback=Press(3 * 5 + 3))
    with pytest.warns(ConvergenceWarning, match=r"interrupted in start \d of 3, after ([6-9]|10) "):
        model.fit(X, Y)
    assert len(model.restarts_) == 3 and {one.reason for one in model.restarts_} <= {"interrupted", "converged"}


@pytest.mark.parametrize(
    "on_empty, name", [("reseed", "continue_fit"), ("warn", "starving")], ids=["reseed", "comparison"]
)
def test_after_the_starts(monkeypatch, on_empty, name):
    model = HMERegressor(n_experts=6, on_empty=on_empty)
    press_in(monkeypatch, restarts, name, 1)
    with pytest.warns(ConvergenceWarning, match="interrupted (while experts without weight|after the last sweep)"):
        model.fit(X[:6], Y[:6])
    assert model.stop_reason_ == "interrupted" and np.isfinite(model.predict(X)).all()


def test_a_fit_that_goes_on_after_an_interrupt():
    model = HMERegressor(n_experts=2, start="model_tree", warm_start=True, callback=Press(3))
    with pytest.warns(ConvergenceWarning, match="interrupted after 3 sweep"):
        model.fit(X, Y)
    before = model.lower_bounds_[-1]
    assert model.set_params(callback=None).fit(X, Y).lower_bounds_[0] == pytest.approx(before)
    model.set_params(callback=Press(1), max_iter=2, tol=1e-14)
    with pytest.warns(ConvergenceWarning, match="interrupted after 1 sweep"):
        model.fit(X, -Y)


@pytest.mark.parametrize(
    "many",
    [
        lambda model: GridSearchCV(model, {"tol": [1e-3, 1e-4]}, cv=2).fit(X, Y),
        lambda model: GridSearchCV(make_pipeline(StandardScaler(), model), {}, cv=2).fit(X, Y),
        lambda model: cross_val_score(model, X, Y, cv=2, error_score=0.0),
        lambda model: HMETransformer(model, cv=2).fit_transform(X, Y),
        lambda model: restart_report(model, X, Y, n_init=2),
    ],
    ids=["search", "search_of_pipeline", "cross_val", "layers", "report"],
)
def test_what_runs_many_fits_stops(many):
    fits = []
    model = HMERegressor(n_experts=2, max_iter=3, callback=Interrupt(fits))
    with pytest.raises(KeyboardInterrupt):
        many(model)
    assert len(fits) == 2


class Interrupt:
    """A callback that interrupts at its second call, whatever copies of it there are."""

    def __init__(self, calls):
        self.calls = calls

    def __deepcopy__(self, memo):
        return self

    def __call__(self, sweep, objective, params):
        self.calls.append(sweep)
        if len(self.calls) == 2:
            raise KeyboardInterrupt


def test_one_fit_at_the_end_of_a_pipeline_keeps_what_it_has():
    pipeline = make_pipeline(StandardScaler(), HMERegressor(n_experts=2, callback=Interrupt([])))
    with pytest.warns(ConvergenceWarning, match="interrupted"):
        pipeline.fit(X, Y)
    assert pipeline[-1].stop_reason_ == "interrupted"


def test_the_command_line_stops(monkeypatch, tmp_path, capsys):
    fit = HMERegressor.fit
    monkeypatch.setattr(
        HMERegressor, "fit", lambda self, *a, **k: fit(self.set_params(callback=Interrupt([])), *a, **k)
    )
    assert command.main(["--out", str(tmp_path)]) == 130
    assert "interrupted; the best fit so far is kept" in capsys.readouterr().err
    assert (tmp_path / "model.joblib").exists()


class InParent:
    """A callback that interrupts the process that waits for the fits, in the second sweep of all starts but one."""

    def __init__(self, parent, mark):
        self.parent, self.mark = parent, mark

    def __call__(self, sweep, objective, params):
        time.sleep(0.2)
        if sweep == 1 and self.mark.exists():
            os.kill(self.parent, signal.SIGINT)
        self.mark.touch()


@pytest.mark.slow
def test_in_other_processes(tmp_path):
    model = HMERegressor(n_experts=2, n_init=6, n_jobs=2, max_iter=2, callback=InParent(os.getpid(), tmp_path / "mark"))
    with pytest.raises(KeyboardInterrupt):  # no fit has ended
        model.fit(X, Y)
    model.set_params(callback=InParent(os.getpid(), Later(tmp_path / "late")))
    with pytest.warns(ConvergenceWarning, match=r"interrupted after \d of 6 starts"):
        model.fit(X, Y)
    assert 1 <= len(model.restarts_) < 6 and model.stop_reason_ == "interrupted"


class Later:
    """A mark that is there from the ninth touch on."""

    def __init__(self, path):
        self.path = path

    def touch(self):
        with open(self.path, "a") as file:
            file.write("x")

    def exists(self):
        return self.path.exists() and self.path.stat().st_size > 8


def test_callbacks_get_copies():
    seen = []

    def spoil(sweep, objective, params):
        seen.append(params)
        params.experts.coef[:] = np.nan
        params.gate.coef[:] = np.inf

    model = HMERegressor(n_experts=2, start="model_tree", callback=spoil).fit(X, Y)
    plain = HMERegressor(n_experts=2, start="model_tree").fit(X, Y)
    assert len(seen) == model.n_iter_
    np.testing.assert_array_equal(model.predict(X), plain.predict(X))
