"""How many random tables the property tests draw: few by default, many where slow tests are asked for."""

from hypothesis import settings

settings.register_profile("default run", max_examples=5)
settings.register_profile("everything", max_examples=40)


def pytest_configure(config):
    settings.load_profile("default run" if "not slow" in config.option.markexpr else "everything")
