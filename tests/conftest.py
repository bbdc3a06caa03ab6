"""What tests do not spend time on: many random tables by default, and short runs that choose among starts.

The default run is short in what comes after a fit too: where it is not the subject, a few sweeps of every kind are as
good as many. With slow tests, as in continuous integration, all sweeps are made.
"""

import gc
import sys

import pytest
from hypothesis import settings

from hme.estimators import candidates, starting
from hme.fitting import ascent, cross_fit, starts
from hme.growing import held_out

settings.register_profile("default run", max_examples=3, derandomize=True)
settings.register_profile("with slow tests", max_examples=5, derandomize=True)
settings.register_profile("everything", max_examples=40)

# Where starts are the subject, or results are on a page, as many are drawn as users do.
WITH_ALL_STARTS = {"test_golden.py", "test_restarts.py", "test_starts.py", "test_ascent.py", "test_readme.py"}
# Where growing is the subject, trees grow as those of users.
WITH_ALL_SIZES = {"test_golden.py", "test_readme.py", "test_growing.py", "test_candidates.py", "test_main.py"}
WITH_ALL_SIZES |= {"test_printed_numbers.py"}
# Where the ways up from saddles, the predictive density, or what a page prints are the subject.
WITH_ALL_SWEEPS = WITH_ALL_STARTS | {"test_predictive.py", "test_printed_numbers.py", "test_docs.py"}


def is_default(config):
    """Whether slow tests are left out, as pyproject.toml says."""
    return config.option.markexpr == "not slow"


def pytest_configure(config):
    everything = "slow or not slow" in config.option.markexpr
    settings.load_profile("default run" if is_default(config) else "everything" if everything else "with slow tests")


def pytest_collection_finish():
    """What has been imported and collected is no garbage, and need not be looked through again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def no_figures_left():
    """Pyplot keeps every figure until it is closed."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.fixture(autouse=True)
def few_starts(request, monkeypatch):
    """Short runs do not choose the start: the first one is taken, as on large tables."""
    is_doctest = type(request.node).__name__ == "DoctestItem"
    if not is_doctest and request.path.name not in WITH_ALL_STARTS:
        monkeypatch.setattr(starts, "CHEAP", 0)


@pytest.fixture(autouse=True)
def few_sweeps(request, monkeypatch):
    """In a default run the fits to halves of the rows and from a push off a saddle are short."""
    is_doctest = type(request.node).__name__ == "DoctestItem"
    if is_default(request.config) and not is_doctest and request.path.name not in WITH_ALL_SWEEPS:
        monkeypatch.setattr(cross_fit, "SWEEPS", 2)
        monkeypatch.setattr(ascent, "SWEEPS", 2)
        monkeypatch.setattr(ascent, "MOST_SWEEPS", 1)
        monkeypatch.setattr(ascent, "MOST_CLIMBS", 1)


@pytest.fixture(autouse=True)
def few_sizes(request, monkeypatch):
    """Where growing is not the subject, trees stay small, of lines, and fewer folds say how small."""
    is_doctest = type(request.node).__name__ == "DoctestItem"
    if not is_doctest and request.path.name not in WITH_ALL_SIZES:
        monkeypatch.setattr(starting, "MAX_EXPERTS", 2)
        monkeypatch.setattr(candidates, "ROWS_A_COLUMN", float("inf"))
        monkeypatch.setattr(held_out, "FOLDS", ((float("inf"), 2),))
