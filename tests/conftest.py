"""What tests do not spend time on: many random tables by default, and short runs that choose among starts."""

import pytest
from hypothesis import settings

from hme.fitting import starts

settings.register_profile("default run", max_examples=5, derandomize=True)
settings.register_profile("everything", max_examples=40)

# Where starts are the subject, or results are on a page, as many are drawn as users do.
WITH_ALL_STARTS = {"test_golden.py", "test_restarts.py", "test_starts.py", "test_ascent.py", "test_readme.py"}


def pytest_configure(config):
    settings.load_profile("everything" if "slow or not slow" in config.option.markexpr else "default run")


@pytest.fixture(autouse=True)
def few_starts(request, monkeypatch):
    """Short runs do not choose the start: the first one is taken, as on large tables."""
    is_doctest = type(request.node).__name__ == "DoctestItem"
    if not is_doctest and request.path.name not in WITH_ALL_STARTS:
        monkeypatch.setattr(starts, "CHEAP", 0)
