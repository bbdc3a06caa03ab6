"""One thread for BLAS: products of blocks are small, and results must not depend on the number of threads."""

from contextlib import contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController  # scikit-learn brings it

__all__ = ["one_thread"]


@contextmanager
def one_thread():
    """BLAS uses one thread within this context."""
    with _controller().limit(limits=1, user_api="blas"):
        yield


@cache
def _controller():
    # Looking for the libraries takes milliseconds; all that are used here are loaded before the first fit.
    return ThreadpoolController()
