"""Short fits of every family, gate and option give the numbers that are on file, on any processor.

Where a change is meant to change numbers, ``python -m tests.golden write tests/golden/short.json --short`` writes them
anew; how much has changed is said by ``python -m tests.golden compare``.
"""

import json
from pathlib import Path

import pytest
from golden.fits import FITS, differences, run
from problems import representative

STORED = json.loads((Path(__file__).parent / "golden" / "short.json").read_text())
TOLERANCE = 1e-6


def test_all_fits_are_on_file():
    assert list(STORED) == list(FITS)


@pytest.mark.parametrize("name", representative(STORED, every=4))
def test_fit_gives_the_numbers_on_file(name):
    found = differences(run(name, short=True), STORED[name])
    assert {key: gap for key, gap in found.items() if gap > TOLERANCE} == {}
