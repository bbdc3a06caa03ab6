"""Which functions a sweep uses, NumPy's or their twins that Numba compiles, and how many threads; chosen here alone."""

import os
import sys
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from functools import cache, cached_property, wraps
from importlib import import_module
from importlib.util import find_spec

import numpy as np
from joblib import cpu_count, effective_n_jobs
from threadpoolctl import ThreadpoolController  # scikit-learn brings it

__all__ = [
    "CHOICES", "in_order", "in_use", "kernels", "neglect", "one_thread", "set_kernels", "threads", "twinned", "work",
]  # fmt: skip

CHOICES = ("auto", "numpy", "numba")
# Rows times leaves of a pass over the table, from which compiled functions repay that Numba is imported.
LARGE = 1 << 17
BUFFER = 1024  # numbers in NumPy's buffers
RETAINED = (1 << 22) - 4096  # numbers, next to the largest array that the C library's allocator may learn from
AHEAD = 2  # blocks for each thread that are computed, or wait for a thread, before the first of them is taken

_choice = {"kernels": os.environ.get("HME_KERNELS", "auto"), "neglect": 1e-12}

# Of a pass over a table, which threads inherit with NumPy's own settings, its buffers and what it does about overflow.
_compiled = ContextVar("compiled", default=False)
_pool = ContextVar("pool", default=None)


def set_kernels(choice, neglect=1e-12):
    """Choose the functions that training and prediction use in this process.

    Parameters
    ----------
    choice : {"auto", "numpy", "numba"}
        "auto" is Numba where it is installed and the table is large enough to repay its import, else NumPy. The
        environment variable HME_KERNELS sets it from outside, and for worker processes.
    neglect : float, default=1e-12
        Most that may be left out of the density of a row, as a share of it, eq. (pruning): in a large tree a row then
        visits only the branches that carry mass for it. 0 leaves out nothing.

    Examples
    --------
    >>> from hme.kernels import kernels, set_kernels
    >>> before = kernels()
    >>> set_kernels("numpy")
    >>> kernels()
    'numpy'
    >>> set_kernels(before)
    """
    if choice not in CHOICES:
        raise ValueError(f"kernels = {choice!r} must be one of {CHOICES}.")
    if not 0.0 <= neglect < 1.0:
        raise ValueError(f"neglect = {neglect!r} must be a number from 0 to 1, without 1.")
    _choice.update(kernels=choice, neglect=neglect)


def kernels():
    """The choice that is set: "auto", "numpy" or "numba".

    Returns
    -------
    str

    Examples
    --------
    >>> from hme.kernels import kernels
    >>> kernels() in ("auto", "numpy", "numba")
    True
    """
    return _choice["kernels"]


@contextmanager
def work(numbers):
    """A pass over a table of so many rows times leaves: functions are chosen for it, and NumPy's buffers are small.

    NumPy copies rows of strided or broadcast operands into a buffer, of 8192 numbers by default, where they are shorter
    than that; this doubles the time of operations on blocks.
    """
    _retain_freed_memory()
    size, before = np.setbufsize(BUFFER), _compiled.set(_pays(numbers))
    try:
        yield
    finally:
        _compiled.reset(before)
        np.setbufsize(size)


@cache
def _retain_freed_memory():
    """Let the arrays of a block be made in memory of the arrays of the last one, not in new pages of the system.

    The allocator of the GNU C library returns what is freed to the system, unless an array as large has been freed
    before. The pages of new arrays are then cleared again and again, which may take as long as the arithmetic of a
    sweep. An array that is made and freed once, without a page ever being used, raises its limits for the process.
    """
    np.empty(RETAINED)


def in_use():
    """Whether compiled functions are in use, in the pass over a table that is going on in this thread."""
    return _compiled.get()


def neglect():
    """Share of the density of a row that may be left out."""
    return _choice["neglect"]


def twinned(plain):
    """A function that calls its twin of the same name in `hme.numerics.compiled` where that is chosen."""

    @wraps(plain)
    def chosen(*arguments):
        if _compiled.get():
            result = getattr(_twins(), plain.__name__)(*arguments)
            if result is not NotImplemented:
                return result
        return plain(*arguments)

    chosen.plain = plain
    return chosen


def _pays(numbers):
    choice = _choice["kernels"]
    if choice not in CHOICES:
        raise ValueError(f"the environment variable HME_KERNELS = {choice!r} must be one of {CHOICES}.")
    if choice == "numpy" or (choice == "auto" and (numbers < LARGE or not _installed())):
        return False
    try:
        return _twins() is not None
    except Exception as error:  # a Numba that does not go with the installed NumPy raises anything
        if choice == "numba":
            raise ImportError(f"kernels = 'numba' needs a Numba that can be imported: {error}") from error
        return False


@cache
def _installed():
    return "numba" in sys.modules or find_spec("numba") is not None


@cache
def _twins():
    return import_module("hme.numerics.compiled")


@contextmanager
def one_thread(of="blas"):
    """BLAS uses one thread within this context: blocks are small, and results must not depend on how many there are.

    With "openmp" it is the loops of scikit-learn: on a small table their threads wait for each other far longer than
    they work.
    """
    with _controller().limit(limits=1, user_api=of):
        yield


@cache
def _controller():
    # Looking for the libraries takes milliseconds; all that are used here are loaded before the first fit.
    return ThreadpoolController()


# -- threads -----------------------------------------------------------------------------------------------------------


class _Pool:
    """Threads, which are started when there is work for several of them."""

    def __init__(self, n_jobs):
        self.n_jobs, self._executor = n_jobs, None

    @cached_property
    def size(self):
        return min(effective_n_jobs(self.n_jobs), cpu_count())

    def submit(self, *call):
        if self._executor is None:
            self._executor = ThreadPoolExecutor(self.size, "hme")
        return self._executor.submit(*call)

    def close(self):
        if self._executor is not None:
            self._executor.shutdown()


@contextmanager
def threads(n_jobs):
    """Passes over a table share its blocks of rows among threads within this context.

    Parameters
    ----------
    n_jobs : int or None
        As joblib understands it; no more threads than processors. None leaves the choice to a context around this one.
        Results do not depend on it: blocks are the same with one thread, and sums are added in the order of the rows.
    """
    if n_jobs is None and _pool.get() is not None:
        yield
        return
    _retain_freed_memory()
    pool = None if n_jobs == 1 else _Pool(n_jobs)
    before = _pool.set(pool)
    try:
        yield
    finally:
        _pool.reset(before)
        if pool is not None:
            pool.close()


def in_order(function, items):
    """Iterate over ``function(item)`` of items that do not depend on each other, in their order, by several threads.

    What is computed is not divided further.
    """
    pool = _pool.get()
    return map(function, items) if pool is None or pool.size == 1 else _shared(pool, function, items)


def _shared(pool, function, items):
    waiting = deque()
    try:
        with one_thread():  # of BLAS in each of them
            for item in items:
                waiting.append(pool.submit(_inherit(), function, item))
                if len(waiting) > AHEAD * pool.size:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def _inherit():
    """A function that calls another one in a thread as if it were in this one, but alone."""
    context = copy_context()
    context.run(_pool.set, None)
    return context.run
