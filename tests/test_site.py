"""Pages for newcomers: the calls they show run, and the gallery leaves nothing out."""

import re
from contextlib import redirect_stdout
from io import StringIO

import pages
import pytest

from hme import plot


def setup_of(page):
    """What the first block of Python of a page defines."""
    (code, *_) = re.findall(r"```python\n(.*?)```", (pages.DOCS / f"{page}.md").read_text("utf-8"), re.DOTALL)
    names = {"__name__": page}
    exec(compile(code, page, "exec"), names)
    return names


def calls_of(page):
    """The calls in the last columns of the tables of a page, each of them once."""
    rows = re.findall(r"^\| .* \| (.*) \|$", (pages.DOCS / f"{page}.md").read_text("utf-8"), re.MULTILINE)
    return list(dict.fromkeys(call for row in rows for call in re.findall(r"`([^`]+)`", row)))


@pytest.mark.slow
def test_every_call_for_those_who_come_from_elsewhere_runs():
    pytest.importorskip("matplotlib.pyplot").switch_backend("Agg")
    names, calls = setup_of("coming-from"), calls_of("coming-from")
    assert len(calls) > 60 and "model.responsibilities(X, y)" in calls
    for call in calls:
        with redirect_stdout(StringIO()):
            assert eval(compile(call, call, "eval"), names) is not None or call.startswith("print("), call


@pytest.mark.slow
def test_a_first_picture_takes_five_lines(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib.pyplot").switch_backend("Agg")
    monkeypatch.chdir(tmp_path)
    setup_of("index")
    assert (tmp_path / "tree.png").read_bytes().startswith(b"\x89PNG")
    code = re.search(r"```python\n(.*?)```", (pages.DOCS / "index.md").read_text("utf-8"), re.DOTALL)[1]
    assert len(code.splitlines()) == 5


def test_the_gallery_shows_every_display():
    text = (pages.DOCS / "gallery.md").read_text("utf-8")
    shown = set(re.findall(r"grid-item-card\} `(\w+)`", text))
    assert {name for name in plot.__all__ if name not in ("TreeDisplay", "export_graphviz")} <= shown
    pictures = set(re.findall(r":img-top: (\S+)", text))
    assert pictures == {f"images/gallery/{one.name}" for one in (pages.DOCS / "images" / "gallery").glob("*.png")}


def test_figures_on_when_not_to_use_it_are_those_of_the_benchmarks():
    page, benchmarks = ((pages.DOCS / f"{name}.md").read_text("utf-8") for name in ("when-not", "benchmarks"))
    for figure, there in {
        "at most 1.0009": "mean 1.0009, 1.0000 and 1.0006",
        "0.508": "RMSE 0.508",
        "in 0.24 s": "| 8 | 0.24,",
        "52, ten starts in 56": "| one default fit | 52 (83 %)",
        "a hundred starts in all": "| `n_init=100` | 63 (100 %)",
    }.items():
        assert figure in page and there in benchmarks, figure
