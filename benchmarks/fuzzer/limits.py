"""What a step may cost, and which warnings and exceptions it may end with."""

import signal
import traceback
import warnings
from contextlib import contextmanager

__all__ = ["LIMIT", "Excused", "Failure", "TooSlow", "watched"]

LIMIT = 10.0  # CPU seconds of a step


class Failure(Exception):
    """A promise is broken."""


class Excused(Exception):
    """Rounding alone changes the answer as much."""


class TooSlow(BaseException):
    """A step has used up its time; nothing but `watched` may catch it."""


@contextmanager
def watched(passing=(), limit=LIMIT):
    """Turn whatever a step must not end with into a `Failure`: exceptions, warnings, and taking too long.

    `passing` are exceptions that pass; yields the list of warnings, for a step that may give some.
    """
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        try:
            with _limited(limit):
                yield given
        except (Failure, Excused, *passing):
            raise
        except TooSlow:
            raise Failure(f"takes more than {limit:g} s") from None
        except Exception as error:
            raise Failure(f"raises {type(error).__name__} in {_place(error)}: {error}") from error
    runtime = [w for w in given if not issubclass(w.category, UserWarning)]  # scikit-learn's are UserWarnings
    if runtime:
        raise Failure(f"lets {runtime[0].category.__name__} escape: {runtime[0].message}")


@contextmanager
def _limited(seconds):
    def stop(signum, frame):
        raise TooSlow

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        signal.signal(signal.SIGPROF, before)


def _place(error):
    """The last place within hme that an exception passed."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "/hme/" in frame.filename]
    return f"{frames[-1].filename.split('/hme/')[-1]}, {frames[-1].name}" if frames else "a check"
