"""The pages that a newcomer reads first print what they say."""

import re
import subprocess
import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
NUMBER = r"-?\d+\.?\d*(?:e[+-]?\d+)?"
# A block of Python, and the block of text that shows what it prints, if any, before the next one.
BLOCKS = r"```python\n(.*?)```\n(?:(?:(?!```).)*?```text\n(.*?)```)?"


def assert_same_print(actual, expected, tolerance=0.01):
    """Same words; numbers may differ by a little, or by their last digit."""

    def words(text):
        return re.sub(NUMBER, "#", text).split()

    assert words(actual) == words(expected)
    found, shown = ([float(number) for number in re.findall(NUMBER, text)] for text in (actual, expected))
    np.testing.assert_allclose(found, shown, rtol=tolerance, atol=0.011)


@pytest.mark.parametrize(
    "page, part",
    [
        pytest.param("README.md", slice(1), id="the first lines"),
        pytest.param("README.md", slice(1, None), marks=pytest.mark.slow, id="the rest"),
        pytest.param("docs/get-started.md", slice(None), marks=pytest.mark.slow, id="get started"),
    ],
)
def test_blocks_print_what_the_page_shows(page, part):
    plt = pytest.importorskip("matplotlib.pyplot")
    plt.switch_backend("Agg")
    blocks = re.findall(BLOCKS, (ROOT / page).read_text(encoding="utf-8"), flags=re.DOTALL)[part]
    assert blocks and any(expected for _, expected in blocks)
    names = {}
    for code, expected in blocks:
        out = StringIO()
        with redirect_stdout(out):
            exec(compile(code, page, "exec"), names)
        if expected:
            assert_same_print(out.getvalue(), expected)
    plt.close("all")


def test_ten_lines():
    (code,) = re.findall(
        r"## Ten lines of Python\n\n```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.S
    )
    assert len([line for line in code.splitlines() if line]) <= 10


@pytest.mark.slow
def test_scores_of_the_command(tmp_path):
    """README shows the scores of the command; the seconds are of one machine."""
    (shown,) = re.findall(r"```text\n(held-out score.*?)```", (ROOT / "README.md").read_text("utf-8"), flags=re.S)
    run = subprocess.run(
        [sys.executable, "-m", "hme", "--out", str(tmp_path)], capture_output=True, text=True, check=True, cwd=ROOT
    )
    printed = run.stdout[run.stdout.index("held-out score") :].partition("\n\n")[0]
    shown, printed = (re.sub(r"^(\w+ .*) [\d.]+$", r"\1", text, flags=re.MULTILINE) for text in (shown, printed))
    assert_same_print(printed, shown, tolerance=0.05)


def test_pictures_and_pages_exist():
    for target in re.findall(r"\]\(([^)#:]+)\)", (ROOT / "README.md").read_text(encoding="utf-8")):
        assert (ROOT / target).exists(), target
