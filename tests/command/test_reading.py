"""What columns are: numbers as people write them, dates, truth values, text; and the cells that do not fit."""

from decimal import Decimal
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from hme.command.kinds import Dates, Numbers, Text, Truth
from hme.command.numbers import parse
from hme.command.reading import decide


def columns(frame=None, **given):
    options = {"text": [], "missing": [], "decimal": None, "dates": None, "target": None} | given
    cells = {name: values for name, values in frame.items()}
    return decide(pd.DataFrame(cells), SimpleNamespace(**options))


def values(cells, **given):
    column = columns({"x": cells}, **given)["x"]
    assert isinstance(column.kind, Numbers)
    return column.kind.read(column.cells)[0][0].tolist()


@pytest.mark.parametrize(
    "cell, decimal, number",
    [
        ("1,234.5", ".", 1234.5),
        ("1.234,5", ",", 1234.5),
        ("1 234 567,5", ",", 1234567.5),
        ("1'234.50", ".", 1234.5),
        ("12,34,567", ".", 1234567.0),
        ("$1,200", ".", 1200.0),
        ("-1,5 €", ",", -1.5),
        ("EUR 7", ".", 7.0),
        ("−3", ".", -3.0),
        ("(1,000)", ".", -1000.0),
        ("12-", ".", -12.0),
        (".5", ".", 0.5),
        ("1e-3", ".", 0.001),
        ("12 %", ".", 12.0),
        ("1,23", ".", None),
        ("1.234.5", ".", None),
        ("1_000", ".", None),
        ("inf", ".", None),
        ("1e999", ".", None),
        ("--1", ".", None),
        ("(1", ".", None),
        ("5 kg", ".", None),
        ("0x10", ".", None),
    ],
)
def test_numbers_as_people_write_them(cell, decimal, number):
    found = parse(cell, decimal)
    assert found is None if number is None else found[0] == number


def test_the_decimal_sign_is_that_of_the_column_then_of_the_table(capsys):
    assert values(["1,5", "2,25", "1.000,5"]) == [1.5, 2.25, 1000.5]
    assert values(["1,500.5", "2"]) == [1500.5, 2.0]
    assert capsys.readouterr().out == ""
    read = columns({"a": ["1.100", "2.200"], "b": ["1,5", "2,5"]})
    assert read["a"].kind.decimal == "," and read["b"].kind.decimal == ","
    assert "a: '1.100' is read as 1100; --decimal point reads it the other way" in capsys.readouterr().out
    assert values(["1,100", "2,200"]) == [1100.0, 2200.0]
    assert "--decimal comma" in capsys.readouterr().out
    assert values(["1,100", "2,200"], decimal=",") == [1.1, 2.2]
    assert values(["1.100", "0.5"] * 99, decimal=None) == [1.1, 0.5] * 99
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("n", [40, 400])  # a column is tried as a whole, and many cells in a sample
def test_nearly_numbers_are_named(capsys, n):
    cells = [str(i) for i in range(n)]
    cells[5], cells[7], cells[9], cells[11] = "?", "1O", "inf", "1_0"
    read = values(cells)
    assert np.flatnonzero(np.isnan(read)).tolist() == [5, 7, 9, 11]
    out = capsys.readouterr().out
    assert f"x: 4 of {n} cells are not a number and are taken as missing: '?' in row 6, '1O' in row 8" in out
    assert "row 1 is the first below the names" in out


def test_missing_values_are_not_remarkable(capsys):
    assert np.isnan(values(["1", "", "NA", "nan", "N/A", "null", "<NA>"])).tolist() == [False] + [True] * 6
    assert np.isnan(values(["1", "-999", "x"], missing=["-999", "X"])).tolist() == [False, True, True]
    assert capsys.readouterr().out == ""
    assert np.isnan(values(["1", "-", "2", "."])).tolist() == [False, True, False, True]
    assert "'-' in row 2, '.' in row 4" in capsys.readouterr().out


def test_units_do_not_mix(capsys):
    assert values(["5 %", "7%"]) == [5.0, 7.0]
    assert values(["$1,200.00", "300"]) == [1200.0, 300.0]
    assert capsys.readouterr().out == ""
    assert np.isnan(values(["$1"] * 19 + ["€1"])).sum() == 1
    assert np.isnan(values(["0.5"] * 19 + ["50%"])).sum() == 1
    assert "'€1' in row 20" in capsys.readouterr().out


def test_text_with_numbers_in_it_stays_text(capsys):
    read = columns(
        {"x": ["1", "2", "2", "A", "B"], "y": ["a", "b", "none", "a", "b"], "z": ["01", "02", "01", "02", "03"]},
        text=["z"],
    )
    assert all(isinstance(column.kind, Text) for column in read.values())
    assert (
        "x is taken for text, though 3 of 5 cells are numbers; the others: 'A' in row 4, 'B' in row 5"
        in capsys.readouterr().out
    )
    assert read["y"].kind.read(read["y"].cells)[0][0].tolist()[2] == "none"
    assert read["z"].kind.read(read["z"].cells)[0][0].tolist()[0] == "01"


def test_truth(capsys):
    read = columns({"a": ["yes", "No", "", "YES"], "b": [True, False, True, True], "c": ["t", "f", "t", "t"]})
    assert all(isinstance(column.kind, Truth) for column in read.values())
    np.testing.assert_array_equal(read["a"].kind.read(read["a"].cells)[0][0], [1.0, 0.0, np.nan, 1.0])
    np.testing.assert_array_equal(read["b"].kind.read(np.array([1.0, 0.0, np.nan]))[0][0], [1.0, 0.0, np.nan])
    out = capsys.readouterr().out
    assert "yes is 1 and no is 0 in a" in out and "true is 1 and false is 0 in b" in out


@pytest.mark.parametrize(
    "form", ["%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%Y/%m/%d", "%d %b %Y", "%Y-%m-%dT%H:%M:%SZ", "%d/%m/%y %H:%M"]
)
def test_dates(form, capsys):
    when = pd.date_range("2022-01-03", periods=400, freq="D")
    column = columns({"x": when.strftime(form)})["x"]
    assert column.kind.names("x") == ["x_days", "x_month", "x_weekday"]
    days, month, weekday = column.kind.read(column.cells)[0]
    np.testing.assert_array_equal(days, np.arange(400.0))
    np.testing.assert_array_equal(month, when.month)
    np.testing.assert_array_equal(weekday, when.day_of_week)
    assert "x holds dates or times, read as days since 2022-01-03, and month, weekday" in capsys.readouterr().out


def test_dates_that_may_be_read_in_two_ways(capsys):
    cells = ["01/02/2024", "03/04/2024", "05/06/2024"]
    column = columns({"x": cells})["x"]
    assert column.kind.origin == "2024-01-02" and "--dates day-first" in capsys.readouterr().out
    assert columns({"x": cells}, dates="day-first")["x"].kind.origin == "2024-02-01"
    assert columns({"x": cells * 40 + ["31/12/2024"]})["x"].kind.formats == ("%d/%m/%Y",)  # one cell decides
    assert "--dates" not in capsys.readouterr().out
    cells = ["2024-01-31"] * 30 + ["soon"]
    assert columns({"x": cells})["x"].odd.tolist() == [30] and "'soon' in row 31" in capsys.readouterr().out


def test_times_are_parts_of_a_day(capsys):
    column = columns({"x": ["06:00", "18:30", "24:10", "12:00"] + ["00:00"] * 9})["x"]
    np.testing.assert_allclose(column.kind.read(column.cells)[0][0][:4], [0.25, 18.5 / 24, np.nan, 0.5])
    assert "'24:10' in row 3" in capsys.readouterr().out


def test_codes_are_read_as_numbers_and_named(capsys):
    assert values(["01", "2"]) == [1.0, 2.0]
    assert "x: '01' is read as 1; --text 'x' keeps it as a code" in capsys.readouterr().out


def test_typed_columns():
    frame = pd.DataFrame(
        {
            "i": pd.array([1, None, 3], dtype="Int64"),
            "d": [Decimal("1.5"), None, Decimal("2")],
            "c": pd.Categorical(["u", "v", None]),
            "t": pd.to_datetime(["2024-01-01", "2024-01-02", None]).tz_localize("Europe/Berlin"),
            "l": pd.to_timedelta(["1 days", "12 hours", None]),
            "x": [1.0, np.inf, np.nan],
        }
    )
    read = columns(frame, missing=["3"])
    for name, expected in {
        "i": [1, np.nan, np.nan],
        "d": [1.5, np.nan, 2],
        "l": [1, 0.5, np.nan],
        "x": [1, np.nan, np.nan],
    }.items():
        np.testing.assert_array_equal(read[name].kind.read(read[name].cells)[0][0], expected)
    assert isinstance(read["c"].kind, Text) and isinstance(read["t"].kind, Dates)
    assert read["t"].missing.tolist() == [False, False, True] and read["x"].odd.tolist() == [1]
