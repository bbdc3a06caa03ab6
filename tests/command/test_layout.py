"""The cells of text tables: separators, names, comments, titles, and lines that do not fit."""

from pathlib import Path

import pytest

from hme.command import TableError
from hme.command.layout import names_of, read_text, sniff

PATH = Path("t.csv")


def read(text, separator=None):
    names, frame = read_text(text, PATH, separator)
    return names, frame.to_numpy().tolist()


@pytest.mark.parametrize(
    "text",
    [
        "a,b\n1,2\n3,4\n",
        "a;b\r\n1;2\r\n3;4",
        "\n\na\tb\r1\t2\r3\t4\r",
        "a|b\n1 | 2\n3| 4\n",
        "  a   b\n 1     2\n 3 \t 4\n",
        "sep=;\na;b\n1;2\n3;4\n",
        "# measured, by hand, in 2020\na,b\n1,2\n# a break\n\n3,4\n",
        "# a b\n1 2\n3 4\n",  # as NumPy writes it
        'Table 3: what was measured\n\n"a";"b"\n1;2\n3;4\n',
        "a,b\n1,2,\n3,4,\n",  # ends of lines that only some of them have
    ],
)
def test_the_same_table(text):
    names, rows = read(text)
    assert [name for name in names if name] == ["a", "b"]
    assert [[cell.strip() for cell in row[:2]] for row in rows] == [["1", "2"], ["3", "4"]]


def test_decimal_commas_are_no_separators():
    assert sniff(["a;b;c"] + ["1,5;2,5;x, y"] * 9).separator == ";"
    assert sniff(["a b"] + ["1,5 2,5"] * 9).separator == " "
    assert sniff(["id,remark"] + ["1,so it is"] * 9).separator == ","
    assert sniff(["price, EUR;weight, kg"] + ["1,5;2,5"] * 9).separator == ";"


def test_quotes_hold_anything():
    assert read('a,b\n"x, ""y""\nz",2\n5" pipe,3\n')[1] == [['x, "y"\nz', "2"], ['5" pipe', "3"]]


def test_names_of_rows_have_no_name():
    assert read('"a" "b"\n"r1" 1 2\n"r2" 3 4\n') == (["", "a", "b"], [["r1", "1", "2"], ["r2", "3", "4"]])


def test_lines_that_do_not_fit_are_named(capsys):
    lines = [f"{i},{i}" for i in range(40)]
    names, frame = read_text("\n".join(["a,b", *lines[:9], "5", *lines[9:], "Total,1,2"]), PATH)
    assert (
        "note: left out, since there are 2 columns: line 11 (cells: 1), line 43 (cells: 3)" in capsys.readouterr().out
    )
    assert len(frame) == 40 and list(frame.index[8:10]) == [8, 10]  # rows keep their numbers
    with pytest.raises(TableError, match="names for 2 columns, but 3 of 11 rows have another number"):
        read("\n".join(["a,b", *lines[:8], "1", "2", "3"]))
    with pytest.raises(
        TableError, match="names for 2 columns, but 40 of 40 rows .* a cell that holds it has to be quoted"
    ):
        read("\n".join(["a,b", *(f"{i},5,{i},25" for i in range(40))]))


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "t.csv is empty"),
        (" \n\n", "t.csv is empty"),
        ("a,b\n", "has a line of column names and no rows"),
        ('a,b\n"1,2\n', "t.csv, line 2: .* has to end with one"),
    ],
)
def test_no_tables(text, message):
    with pytest.raises(TableError, match=message):
        read(text)


def test_a_separator_that_is_said():
    assert read("a,x;b\n1,x;2\n", ",") == (["a", "x;b"], [["1", "x;2"]])


def test_names_are_those_of_pandas(capsys):
    assert names_of(["a", "", "a", "a.1", "a"], PATH) == ["a", "Unnamed: 1", "a.2", "a.1", "a.3"]
    assert "a (now a.2), a (now a.3)" in capsys.readouterr().out
    with pytest.raises(TableError, match="the first line must name the columns"):
        names_of(["1", "2.5"], PATH)
