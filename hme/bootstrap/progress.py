"""Many fits, one after the other or at the same time, with a line of progress now and then."""

import time
from contextlib import suppress

from joblib import Parallel, delayed

from ..numerics.checks import check_int

__all__ = ["check_verbose", "run_all"]

EVERY = 2.0  # seconds between two lines with verbose=1; with more every fit has one


def check_verbose(verbose):
    """Refuse what is no amount of lines."""
    if not isinstance(verbose, bool):
        check_int(verbose, "verbose", 0)


def run_all(function, calls, n_jobs, verbose=0, what="fits"):
    """The results of ``function(*call)`` for each of the calls, a list.

    Parameters
    ----------
    function : callable
    calls : list of tuple
    n_jobs : int or None
        Calls that run at the same time (joblib).
    verbose : int
        With 1 a line every other second says how many are done and how long the rest may take, with 2 after every call.
    what : str
        What the calls are, in the plural.
    """
    jobs = [delayed(function)(*call) for call in calls]
    if not verbose:
        return Parallel(n_jobs=n_jobs)(jobs)
    try:
        results = Parallel(n_jobs=n_jobs, return_as="generator")(jobs)
    except ValueError:  # this backend returns only all of them at once
        results = iter(Parallel(n_jobs=n_jobs)(jobs))
    try:
        return list(_told(results, len(jobs), verbose, what))
    finally:
        with suppress(AttributeError):
            results.close()


def _told(results, n, verbose, what):
    """The same results, with lines in between."""
    begin = last = time.monotonic()
    for done, result in enumerate(results, 1):
        now = time.monotonic()
        if verbose > 1 or done == n or now - last >= EVERY:
            left = (now - begin) / done * (n - done)
            rest = f", about {left:.0f} s left" if done < n else ""
            print(f"{done} of {n} {what} in {now - begin:.0f} s{rest}", flush=True)
            last = now
        yield result
