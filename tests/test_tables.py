"""One class of tables, for the screen, for notebooks and for pandas."""

from html.parser import HTMLParser

import numpy as np
import pytest

from hme.tables import Table, as_html, as_text

CELLS = [["a", 1, 0.123456, None, True], ["bcd", 20, np.nan, 3.0, False], ["e", 300, 1e-7, np.float64(2.5), np.True_]]
NAMES = ["name", "count", "share", "error", "there"]


def test_text_aligns_numbers_to_the_right_and_leaves_out_what_is_no_number():
    lines = Table(NAMES, CELLS).text().splitlines()
    assert lines == [
        "name  count   share  error  there",
        "a         1  0.1235         yes",
        "bcd      20              3  no",
        "e       300   1e-07    2.5  yes",
    ]


def test_title_notes_and_formats():
    table = Table(["", "p"], [["x", 0.0004], ["y", 0.25]], "Tests", ["of " + "slopes " * 20], ["", lambda p: f"<{p}>"])
    first, header, *lines = table.text().splitlines()
    assert first == "Tests" and header.endswith("p") and lines[:2] == ["  x  <0.0004>", "  y    <0.25>"]
    assert lines[2].startswith("  of slopes") and max(map(len, lines)) <= 100 and lines[3].startswith("      ")
    assert str(table) == table.text()


def test_alignment_is_kept():
    assert Table(["a", "b"], [["x", "y"], ["zz", "uu"]], align="rl").text().splitlines()[1] == " x  y"


def test_html_is_whole_and_escaped():
    html = as_html(["1 < 2", "", Table(["<b>"], [["&"], ["<i>"]], "a < b", ["c > d"])])
    opened = []

    class Check(HTMLParser):
        def handle_starttag(self, tag, attrs):
            opened.append(tag)

        def handle_endtag(self, tag):
            assert opened.pop() == tag

    Check().feed(html)
    assert not opened and "<b>" not in html and "<i>" not in html and "a &lt; b" in html and "<p></p>" not in html


def test_frame_has_the_numbers_themselves():
    pytest.importorskip("pandas")
    frame = Table(NAMES, CELLS).to_frame()
    assert list(frame.columns) == NAMES and frame["share"][0] == 0.123456 and np.isnan(frame["error"][0])


def test_parts_stand_below_each_other():
    assert as_text(["head", "", Table(["a"], [[1]]), "end"]) == "head\n\na\n1\nend"


def test_a_table_without_rows():
    assert Table(["a", "bc"], []).text() == "a  bc" and "<tbody></tbody>" in Table(["a"], []).html()
