"""`python -m hme` from the outside: what it prints, what it saves, what it refuses."""

import gzip
import os
import re
import signal
import subprocess
import sys
from functools import partial
from importlib.util import find_spec

import joblib
import numpy as np
import pandas as pd
import pytest
from problems import representative, slow_case

from hme import HMERegressor
from hme.__main__ import main
from hme.datasets import load_motorcycle


def write(path, header, rows):
    path.write_text("\n".join([header] + [",".join(map(str, row)) for row in rows]) + "\n")
    return str(path)


@pytest.fixture
def table(tmp_path):
    """Text, numbers, gaps in both, a column without values and a target with gaps."""
    rng = np.random.default_rng(0)
    rows = []
    for i in range(120):
        x, colour = rng.normal(), ["red", "green"][i % 2]
        y = (3 if colour == "red" else -2) * x + 0.1 * rng.normal()
        rows.append(
            ["" if i % 11 == 3 else x, "NA" if i % 13 == 5 else colour, "nan", "" if i % 40 == 7 else y, int(y > 0)]
        )
    return write(tmp_path / "table.csv", "x,colour,void,y,side", rows)


def scores(text):
    """Scores by the name of the model."""
    lines = re.findall(r"^(\w+) +(-?[\d.]+) +(-?[\d.]+) +[\d.]+$", text, flags=re.MULTILINE)
    return {name: (float(a), float(b)) for name, a, b in lines}


@pytest.mark.slow
def test_example(tmp_path, capsys):
    assert main(["--out", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert "gate 0: times > 1" in text and len(re.findall(r"leaf \d \(load .*\): accel = .*,  noise", text)) >= 2
    assert "5-fold cross-validation, repeated twice" in text
    found = scores(text)
    assert list(found) == ["HMERegressor", "LinearRegression", "HistGradientBoostingRegressor"]
    rmse, log_likelihood = zip(*found.values(), strict=True)
    assert rmse[0] < 1.02 * min(rmse) < 26 and max(log_likelihood) == log_likelihood[0] > -4.5
    X, y = load_motorcycle(return_X_y=True)
    assert joblib.load(tmp_path / "model.joblib").score(X, y) > 0.7
    if find_spec("matplotlib"):
        assert (tmp_path / "experts.png").stat().st_size > 10_000


@pytest.mark.slow
def test_table_of_text_and_gaps(table, tmp_path, capsys):
    assert main([table, "--target", "y", "--depth", "1", "--out", str(tmp_path / "new" / "out")]) == 0
    text = capsys.readouterr().out
    assert "note: 3 of 120 rows are left out: y is missing" in text
    assert "note: columns without any values are left out: void" in text
    assert "regression of y" in text and "2 experts" in text and "colour_red" in text
    assert "30 rows drawn at random" in text
    assert scores(text)["HMERegressor"][1] > scores(text)["LinearRegression"][1]
    model = joblib.load(tmp_path / "new" / "out" / "model.joblib")
    unseen = pd.DataFrame({"side": [1, 0], "colour": ["violet", None], "x": [1.0, np.nan]})
    assert np.isfinite(model.predict(unseen)).all()


@pytest.mark.parametrize(
    "target, task", representative([("side", "auto"), ("colour", "auto"), ("side", "classification")], every=3)
)
def test_classification(table, tmp_path, capsys, target, task):
    assert main([table, "--target", target, "--task", task, "--out", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert f"classification of {target}" in text and "log loss" in text
    found = scores(text)
    assert list(found) == ["HMEClassifier", "LogisticRegression", "HistGradientBoostingClassifier"]
    accuracy, log_loss = found["HMEClassifier"]
    assert 0.8 < accuracy <= 1 and 0 < log_loss < 0.4


@pytest.mark.slow
def test_saved_pipeline_knows_its_columns_by_name(table, tmp_path):
    assert main([table, "--target", "y", "--depth", "1", "--report", "--out", str(tmp_path)]) == 0
    assert '"target":"y"' in (tmp_path / "report.html").read_text(encoding="utf-8")
    frame, model = pd.read_csv(table), joblib.load(tmp_path / "model.joblib")
    assert list(model.feature_names_in_) == ["x", "colour", "side"]
    assert list(model[-1].feature_names_in_) == ["x", "side", "colour_green", "colour_red"]
    mean = model.predict(frame)  # what is no feature is ignored
    np.testing.assert_array_equal(mean, model.predict(frame[["side", "colour", "x"]]))
    np.testing.assert_array_equal(mean, model.predict(frame[["x", "colour", "side"]].to_numpy()))
    np.testing.assert_allclose(mean, model.predict(pd.read_csv(table, dtype=str)), rtol=1e-12)
    with pytest.raises(ValueError, match="X lacks the column colour; it has x, side"):
        model.predict(frame[["x", "side"]])
    with pytest.raises(ValueError, match="column 'x' should hold a number: 'high' in row 2 "):
        model.predict(frame.astype({"x": object}).assign(x=["0.5", "high"] + [""] * 118))


@pytest.mark.slow
def test_a_table_as_people_have_it(tmp_path, capsys):
    """Semicolons, decimal commas, prices, dates, Windows' encoding, gzip, and names that look like TeX or commands."""
    rng = np.random.default_rng(0)
    x, day = rng.normal(size=150).round(3), rng.integers(0, 300, 150)
    y = 3 * x + np.where(day > 150, 20, 0) + 0.1 * rng.normal(size=150)
    when = (pd.Timestamp("2023-02-01") + pd.to_timedelta(day, "D")).strftime("%d.%m.%Y")
    names = ["", "größe $\\frac{$", "\x1b[31mtag", "preis €"]
    rows = [
        [str(i), f"{x[i]:.3f}", when[i], f"{1000 + y[i]:,.2f}".translate(str.maketrans(",.", ".,")) + " €"]
        for i in range(150)
    ]
    text = "\n".join(";".join(row) for row in [names, *rows])
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(text.encode("cp1252")))
    assert main([str(path), "--target", "preis €", "--depth", "1", "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "is read as cp1252" in printed and "taken for the names of the rows" in printed
    assert "\\x1b[31mtag holds dates or times, read as days since 2023-02-0" in printed
    assert "\x1b" not in printed and "größe $\\frac{$" in printed
    assert scores(printed)["HMERegressor"][0] < 4 and (tmp_path / "experts.png").exists()
    frame, model = pd.read_csv(path, sep=";", encoding="cp1252", dtype=str), joblib.load(tmp_path / "model.joblib")
    assert list(model.feature_names_in_) == names[1:3]
    typed = pd.DataFrame({names[2]: pd.to_datetime(when, format="%d.%m.%Y"), names[1]: x})
    np.testing.assert_allclose(model.predict(frame), model.predict(typed), rtol=1e-12)
    assert np.sqrt(np.mean((model.predict(frame) - 1000 - y) ** 2)) < 4


def press(sweep, objective, params):
    """Ctrl-C in the third sweep."""
    if sweep == 3:
        os.kill(os.getpid(), signal.SIGINT)


def interrupted(*anything):
    raise KeyboardInterrupt


PRESSED = partial(HMERegressor, start="model_tree", callback=press)


@pytest.mark.parametrize(
    "where, what, kept, scored",
    [
        ("run.of_table", interrupted, None, False),
        slow_case(("models.HMERegressor", PRESSED, "the best fit so far", False)),
        ("run.score", interrupted, "the fitted model", True),
    ],
)
def test_interrupts_keep_what_there_is(table, tmp_path, capsys, monkeypatch, where, what, kept, scored):
    monkeypatch.setattr(f"hme.command.{where}", what)
    out = tmp_path / "out"
    assert main([table, "--target", "y", "--depth", "1", "--out", str(out)]) == 130
    printed, error = capsys.readouterr()
    assert ("held-out" in printed) is scored and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if kept is None:
        assert "interrupted while the table was read; nothing is written" in error and not out.exists()
    else:
        assert f"interrupted; {kept} is kept in" in error
        assert sorted(file.name for file in out.iterdir()) == ["experts.png", "model.joblib"]
        assert np.isfinite(joblib.load(out / "model.joblib").predict(pd.read_csv(table))).all()


def test_it_begins_before_the_libraries_are_loaded():
    code = "import sys, hme.__main__; print(*{'numpy', 'scipy', 'sklearn'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout == "\n"


@pytest.mark.slow
def test_same_seed_same_scores(table, tmp_path, capsys):
    found = []
    for seed in ("1", "1", "2"):
        assert main([table, "--target", "y", "--depth", "0", "--random-state", seed, "--out", str(tmp_path)]) == 0
        found.append(scores(capsys.readouterr().out))
    assert found[0] == found[1] != found[2]


@pytest.mark.slow
def test_no_matplotlib_no_picture(table, tmp_path, capsys, monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main([table, "--target", "y", "--depth", "0", "--out", str(tmp_path)]) == 0
    assert "matplotlib is not installed" in capsys.readouterr().out
    assert not (tmp_path / "experts.png").exists() and (tmp_path / "model.joblib").exists()


@pytest.mark.slow
def test_convergence_warning_is_a_note(table, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("hme.command.models.HMERegressor", partial(HMERegressor, max_iter=2))
    assert main([table, "--target", "y", "--depth", "1", "--out", str(tmp_path)]) == 0
    assert capsys.readouterr().out.count("note: HMERegressor: EM stopped after max_iter=2 sweeps") == 2


def test_class_of_one_row_is_left_out(tmp_path, capsys):
    path = write(tmp_path / "table.csv", "x,y", [(i, "ab"[i > 15]) for i in range(30)] + [(3, "rare")])
    assert main([path, "--target", "y", "--depth", "0", "--out", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert "note: classes with only one row are left out: rare" in text and "30 rows, 1 feature;" in text


# Errors ---------------------------------------------------------------------------------------------------------------

GOOD = [(i, i * i % 7 + 0.5) for i in range(30)]


@pytest.mark.parametrize(
    "header, rows, arguments, message",
    [
        ("x,y", GOOD, [], "--target is missing; the columns are x, y"),
        ("x,y", GOOD, ["--target", "z"], "--target z: there is no such column; the columns are x, y"),
        ("x,y", [], ["--target", "y"], "has a line of column names and no rows"),
        ("", [], ["--target", "y"], "table.csv is empty"),
        ("x,y", [(i, 3) for i in range(30)], ["--target", "y"], "--target y is '3' in every row"),
        ("x,y", GOOD[:19], ["--target", "y"], "has 19 rows with a target; at least 20 are needed"),
        ("x,y", [(i, "") for i in range(30)], ["--target", "y"], "has 0 rows with a target"),
        ("y", [(i,) for i in range(30)], ["--target", "y"], "has no column besides y that could help"),
        ("x,y", [(i, "ab"[i % 2]) for i in range(30)], ["--target", "y", "--task", "regression"], "holds text"),
        (
            "x,y",
            [(i, f"name {i}") for i in range(30)],
            ["--target", "y"],
            "has 30 classes in 30 rows, 30 of them with only one row",
        ),
        ("x,y", [(i, f"name {i // 2}") for i in range(30)], ["--target", "y"], "has 15 classes in 30 rows"),
        ("x,y", [*GOOD, (1,), (1, 2, 3)], ["--target", "y"], "line 32 (cells: 1), line 33 (cells: 3)"),
        ("x,y", [*GOOD, (1, "2 or 3")], ["--target", "y"], "1 of 31 cells are not a number: '2 or 3' in row 31"),
        ("x,y", [(f"u{i}", i) for i in range(30)], ["--target", "y"], "has no column besides y that could help"),
        (
            "x,y",
            [(i, f"2020-01-{i + 1:02d}") for i in range(30)],
            ["--target", "y"],
            "holds dates, such as '2020-01-01'",
        ),
        ("Price,y", GOOD, ["--target", "price"], "did you mean 'Price'?"),
        ("x,y", GOOD, ["--target", "y", "--drop", "z"], "--drop z: there is no such column"),
        ("x,y", GOOD, ["--target", "y", "--separator", "ab"], "'ab' is none of comma, semicolon, tab"),
        ("x,y", GOOD, ["--target", "y", "--encoding", "base64"], "'base64' is no encoding of text"),
        ("1,2", GOOD, ["--target", "2"], "the first line must name the columns, but it holds numbers"),
        ("x,y", GOOD, ["--target", "y", "--test-size", "0.9"], "leaves 3 of 30 rows to fit"),
        ("x,y", GOOD, ["--target", "y", "--test-size", "0.9999"], "leaves 0 of 30"),
        ("x,y", GOOD, ["--target", "y", "--test-size", "2"], "'2' is not a number between 0 and 1"),
        ("x,y", GOOD, ["--target", "y", "--depth", "deep"], "'deep' is neither 'auto' nor a number"),
        ("x,y", GOOD, ["--target", "y", "--random-state", "-1"], "'-1' is not a whole number"),
        ("x,y", GOOD, ["--target", "y", "--task", "ranking"], "invalid choice: 'ranking'"),
    ],
)
def test_errors(tmp_path, capsys, header, rows, arguments, message):
    path = write(tmp_path / "table.csv", header, rows)
    assert main([path, *arguments, "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert "python -m hme: error: " in error and "Traceback" not in error
    assert message in " ".join(error.split())
    assert not (tmp_path / "out").exists()


def test_no_such_file(tmp_path, capsys):
    assert main([str(tmp_path / "none.csv"), "--target", "y"]) == 2
    assert "none.csv: No such file" in capsys.readouterr().err
    assert main([str(tmp_path), "--target", "y"]) == 2
    assert main(["--target", "y"]) == 2
    assert "--target needs a table" in capsys.readouterr().err


def test_numbers_that_the_model_refuses(tmp_path, capsys):
    path = write(tmp_path / "table.csv", "x,y", [(f"{i}e300", i % 7 + 0.5) for i in range(30)])
    assert main([path, "--target", "y", "--out", str(tmp_path)]) == 2
    assert "error: X has values larger than" in capsys.readouterr().err
    assert [file.name for file in tmp_path.iterdir()] == ["table.csv"]


def test_file_in_the_place_of_the_folder(table, capsys):
    assert main([table, "--target", "y", "--out", table]) == 2
    assert "--out" in capsys.readouterr().err


def test_not_text(tmp_path, capsys):
    (tmp_path / "table.csv").write_bytes(bytes(range(256)) * 9)
    assert main([str(tmp_path / "table.csv"), "--target", "y"]) == 2
    assert "is not a text file" in capsys.readouterr().err


def test_help(capsys):
    assert main(["--help"]) == 0
    assert "--target" in capsys.readouterr().out
