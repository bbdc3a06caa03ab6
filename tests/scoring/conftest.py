"""The subject of these tests is not where a fit starts: one start is enough, as on tables that are not small."""

import pytest


@pytest.fixture(autouse=True, scope="module")
def one_start():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hme.fitting.starts.CHEAP", 0)
        yield
