"""What tests do not spend time on: many random tables by default, and short runs that choose among starts.

The default run is short in what comes after EM too, where it is not the subject: no push off saddles and no Newton
steps to the very maximum, short fits to halves of the rows, few rounds of strengths. With slow tests, as in continuous
integration, all sweeps are made.
"""

import gc
import signal
import sys
import threading

import pytest
from hypothesis import settings

from hme.estimators import candidates, starting
from hme.fitting import ascent, cross_fit, shrinkage, starts
from hme.growing import course

settings.register_profile("default run", max_examples=3, derandomize=True)
settings.register_profile("with slow tests", max_examples=5, derandomize=True)
settings.register_profile("everything", max_examples=40)

# Where starts are the subject, or results are on a page, as many are drawn as users do.
WITH_ALL_STARTS = {
    "test_golden.py",
    "test_restarts.py",
    "test_starts.py",
    "test_ascent.py",
    "test_readme.py",
    "test_site.py",
}
# Where growing is the subject, trees grow as those of users.
WITH_ALL_SIZES = {"test_golden.py", "test_readme.py", "test_growing.py", "test_candidates.py", "test_main.py"}
WITH_ALL_SIZES |= {"test_printed_numbers.py"}
# Where ways up from saddles, exact maxima, predictive densities, strengths, or what a page prints are the subject.
WITH_ALL_SWEEPS = WITH_ALL_STARTS | {
    "test_algorithms.py", "test_docs.py", "test_em.py", "test_predictive.py", "test_printed_numbers.py",
    "test_strengths.py",
}  # fmt: skip


def is_default(config):
    """Whether slow tests are left out, as pyproject.toml says."""
    return config.option.markexpr == "not slow"


def pytest_configure(config):
    everything = "slow or not slow" in config.option.markexpr
    settings.load_profile("default run" if is_default(config) else "everything" if everything else "with slow tests")
    if threading.current_thread() is threading.main_thread():  # shells let what runs in the background ignore Ctrl-C
        signal.signal(signal.SIGINT, signal.default_int_handler)
    gc.disable()  # until all is collected


def pytest_collection_finish():
    """What has been imported and collected is no garbage, and need not be looked through again and again."""
    gc.enable()
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def no_figures_left():
    """Pyplot keeps every figure until it is closed."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.fixture(autouse=True, scope="module")
def short_fits(request):
    """Short fits for the tests of a file, and for its fixtures."""
    name = request.path.name
    with pytest.MonkeyPatch.context() as patch:
        if name not in WITH_ALL_STARTS:  # the first start is taken without short runs of several, as on large tables
            patch.setattr(starts, "CHEAP", 0)
        if is_default(request.config) and name not in WITH_ALL_SWEEPS:
            patch.setattr(ascent, "MOST_ENDS", 0)
            patch.setattr(cross_fit, "SWEEPS", 1)
            patch.setattr(cross_fit, "ROUNDS", 3)
            patch.setattr(shrinkage, "MOST_ROUNDS", 2)
            patch.setattr(shrinkage, "MOST_ENDS", 0)
        if name not in WITH_ALL_SIZES:  # trees stay small, of lines, and fewer folds say how small
            patch.setattr(starting, "MAX_EXPERTS", 2)
            patch.setattr(candidates, "ROWS_A_COLUMN", float("inf"))
            patch.setattr(candidates, "STRENGTHS", ())
            patch.setattr(course, "FOLDS", ((float("inf"), 2),))
        elif is_default(request.config) and name in ("test_growing.py", "test_candidates.py"):  # they fit many trees
            patch.setattr(course, "FOLDS", ((float("inf"), 2),))
        yield
