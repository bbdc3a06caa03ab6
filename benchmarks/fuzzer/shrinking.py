"""Shrinking: a configuration that fails is reduced, as long as it fails in the same way, and printed as a script."""

import time
from dataclasses import replace

import numpy as np

from .checks import CHECKS
from .outcomes import failed, kind_of, outcomes_of

__all__ = ["shrunk_script"]

MOST_SECONDS = 20.0  # of CPU

SCRIPT = '''"""{kind}"""

import sys

import numpy as np

sys.path.insert(0, "benchmarks")  # run from the root of the repository
from fuzzer.checks import CHECKS
from fuzzer.configurations import Configuration
from fuzzer.outcomes import outcomes_of

{configuration}
print(outcomes_of(configuration, [check for check in CHECKS if check.name == {check!r}]))
print(configuration.fit())
'''


def shrunk_script(configuration, check, kind):
    """A script of a configuration that fails, as small as is found in a while."""
    checks = [each for each in CHECKS if each.name == check]

    def fails(candidate):
        try:
            outcome = outcomes_of(candidate, checks).get(check)
        except Exception:  # what is left of it makes no sense
            return False
        return failed(outcome) and kind_of(check, outcome) == kind

    end = time.process_time() + MOST_SECONDS
    found = True
    while found:
        found = False
        for candidate in smaller(configuration):
            if time.process_time() > end:
                break
            if fails(candidate):
                configuration, found = candidate, True
                break
    return SCRIPT.format(kind=kind, configuration=configuration.script(), check=check)


def smaller(configuration):
    """Smaller configurations, those that remove most first."""
    n, p = configuration.X.shape
    for part in (2, 4, 8):
        size = max(1, n // part)
        if n > 1:
            for begin in range(0, n, size):
                yield configuration.take(np.delete(np.arange(n), slice(begin, begin + size)))
    for name in configuration.aligned:
        yield configuration.with_aligned(**{name: None})
    for name in configuration.settings:
        if name not in ("expert", "gate"):
            yield configuration.with_settings(**{name: None})
    if configuration.settings["gate"] != "'constant'":
        yield configuration.with_settings(gate="'constant'")
    if configuration.form != "array":
        yield replace(configuration, form="array")
    for j in range(p if p > 1 else 0):
        yield replace(configuration, X=np.delete(configuration.X, j, axis=1))
    for digits in (0, 2):
        rounded = np.round(configuration.X, digits)
        if not np.array_equal(rounded, configuration.X):
            yield replace(configuration, X=rounded)
        if configuration.y.dtype.kind == "f" and not np.array_equal(np.round(configuration.y, digits), configuration.y):
            yield replace(configuration, y=np.round(configuration.y, digits))
