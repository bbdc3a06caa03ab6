"""Ugly fits: some dozens of those that `benchmarks/ugly.py` runs by the thousand, and the fuzzer itself."""

import inspect
import json
from dataclasses import replace

import numpy as np
import pytest
import ugly
from fuzzer.checks import CHECKS
from fuzzer.configurations import Configuration
from fuzzer.draws import LEFT_OUT, OPTIONS, SETTINGS, TARGETS, draw
from fuzzer.outcomes import drawn_checks, failed, kind_of, outcomes_of
from fuzzer.shrinking import shrunk_script
from problems import few

from hme import HMEClassifier, HMERegressor
from hme.registry import EXPERTS, GATES

N_PARTS, N_EACH = 2, 4


@pytest.mark.parametrize("part", few(range(N_PARTS), 1))
def test_ugly_fits_keep_every_promise(part):
    broken = {}
    for number in range(part * N_EACH, (part + 1) * N_EACH):
        outcomes = outcomes_of(draw(0, number), drawn_checks(0, number))
        broken |= {(number, check): outcome for check, outcome in outcomes.items() if failed(outcome)}
    assert not broken


def test_every_family_and_every_option_is_drawn():
    assert set(EXPERTS) <= set(TARGETS)
    known = set(OPTIONS) | set(SETTINGS) | set(LEFT_OUT)
    for family in (*EXPERTS.values(), *GATES.values(), HMERegressor, HMEClassifier):
        unknown = set(inspect.signature(family).parameters) - known - {"args", "kwargs"}
        assert not unknown, f"{family.__name__}: {unknown} should be in fuzzer/draws.py"


def test_a_draw_depends_on_its_seed_and_number_alone():
    one, same, other = draw(0, 3), draw(0, 3), draw(1, 3)
    assert one.describe() == same.describe() != other.describe()
    np.testing.assert_array_equal(one.X, same.X)


PLAIN = Configuration(
    "regression", {"depth": "1", "expert": "None", "gate": "None", "max_iter": "5", "random_state": "0"},
    np.random.default_rng(0).normal(size=(30, 2)), np.random.default_rng(1).normal(size=30),
)  # fmt: skip


def named(name):
    return [check for check in CHECKS if check.name == name]


def test_all_checks_pass_on_a_plain_table():
    outcomes = outcomes_of(PLAIN, CHECKS)
    assert set(outcomes) == {"fit", *(check.name for check in CHECKS)}
    assert set(outcomes.values()) == {None}


def spoiled(method, answer):
    """A method of the regressor whose answer is changed."""
    original = getattr(HMERegressor, method)
    return lambda self, *arguments, **named: answer(original(self, *arguments, **named))


PLANTED = [  # a method, a defect, the check that must see it, and a part of what it says
    ("gate_proba", lambda proba: proba * 1.001, "probabilities", "do not sum to one"),
    ("gate_proba", lambda proba: np.where(proba > 0.4, proba, np.nan), "new rows", "nan"),
    ("predict", lambda answer: answer - np.mean(answer), "subset", "depends on the other rows"),
    ("predict_quantiles", lambda answer: answer, "distribution", None),
    ("summary", lambda answer: np.linalg.inv(np.zeros((2, 2))), "summary", "LinAlgError"),
    ("bic", lambda answer: np.float64(1.0) / np.float64(0.0) - np.inf, "scores", "nan"),
]


@pytest.mark.parametrize(("method", "answer", "check", "message"), PLANTED)
def test_planted_defects_are_seen(monkeypatch, method, answer, check, message):
    monkeypatch.setattr(HMERegressor, method, spoiled(method, answer))
    outcome = outcomes_of(PLAIN, named(check))[check]
    assert (outcome is None) if message is None else (message in outcome)


def planted_fit(fit):
    """A fit that minds the order of the rows, and fails where a column is constant."""

    def spoiled_fit(self, X, y, sample_weight=None, **arguments):
        if np.ptp(X, axis=0).min() == 0:
            raise ZeroDivisionError("no spread")
        return fit(self, X, np.where(np.arange(len(y)) == 0, 5.0, y), sample_weight, **arguments)

    return spoiled_fit


def test_a_fit_that_minds_the_order_of_rows_is_seen(monkeypatch):
    monkeypatch.setattr(HMERegressor, "fit", planted_fit(HMERegressor.fit))
    assert "log-likelihoods differ" in outcomes_of(PLAIN, named("row order"))["row order"]


def test_units_count_as_far_as_numbers_have_digits(monkeypatch):
    """Exact fits know another zero by its rounding errors, and densities of next to no noise the last digits of y."""
    line = replace(PLAIN, y=PLAIN.X[:, 0] - 0.3)
    settings = {**PLAIN.settings, "expert": "'gamma'", "depth": "0"}
    narrow = replace(PLAIN, settings=settings, y=5.0 + 1e-9 * np.abs(PLAIN.y), domain="positive")
    for exact in (line, narrow):
        assert outcomes_of(exact, named("units of y"))["units of y"] in (None, "excused")
    fit = HMERegressor.fit
    monkeypatch.setattr(
        HMERegressor, "fit", lambda self, X, y, **given: fit(self, X, np.where(y < 0.5, 0.0, y), **given)
    )
    assert "log-likelihoods differ" in outcomes_of(PLAIN, named("units of y"))["units of y"]


def test_failures_shrink_to_a_script_that_shows_them(monkeypatch, capsys):
    monkeypatch.setattr(HMERegressor, "fit", planted_fit(HMERegressor.fit))
    X = np.column_stack([PLAIN.X, np.full(30, 2.5)])
    big = Configuration("regression", {**PLAIN.settings, "n_init": "2"}, X, PLAIN.y, {"sample_weight": np.ones(30)})
    kind = kind_of("fit", outcomes_of(big, [])["fit"])
    assert "ZeroDivisionError" in kind
    script = shrunk_script(big, "fit", kind)
    assert "X=np.array([[" in script and script.count("\n") < 30 and "sample_weight" not in script
    with pytest.raises(ZeroDivisionError):
        exec(script, {})
    assert "ZeroDivisionError" in capsys.readouterr().out


def test_runs_go_on_where_they_stopped(tmp_path, monkeypatch, capsys):
    out = tmp_path / "out.jsonl"
    line = {"seed": 0, "number": 0, "seconds": 1.0, "size": 4, "what": "", "outcomes": {"fit": "nan in 3 rows"}}
    out.write_text(json.dumps(line) + '\n{"seed": 0, "num')
    monkeypatch.setattr("sys.argv", ["ugly.py", "--configurations", "2", "--seconds", "0", "--out", str(out)])
    assert ugly.main() == 1
    printed = capsys.readouterr().out
    assert "1 configurations of seed 0" in printed and "fit: nan in _ rows" in printed
