"""How many random tables the property tests draw, few unless slow tests are asked for; and where fits try one start."""

import pytest
from hypothesis import settings

settings.register_profile("default run", max_examples=5)
settings.register_profile("everything", max_examples=40)

# Where the subject is what a fit is made of, or what is asked of it, and not where it starts.
ONE_START = {"experts", "numerics", "inference", "bootstrap", "diagnosis", "test_own_families.py"}


def pytest_configure(config):
    settings.load_profile("default run" if "not slow" in config.option.markexpr else "everything")


@pytest.fixture(scope="module", autouse=True)
def one_start(request):
    """Fits of small tables try one start here, as those of large ones do, instead of ten."""
    with pytest.MonkeyPatch.context() as patch:
        if not ONE_START.isdisjoint((request.path.parent.name, request.path.name)):
            patch.setattr("hme.fitting.starts.CHEAP", 0)
        yield
