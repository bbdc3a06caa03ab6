"""Room for pieces of a table: the processor reads numbers that do not cross lines of its cache faster."""

from math import prod

import numpy as np
from numpy.lib.stride_tricks import as_strided

__all__ = ["aligned", "in_one_piece"]

LINE = 8  # numbers in a line of the cache


def aligned(*shape):
    """Zeros that begin with a line of the cache."""
    size = prod(shape)
    room = np.zeros(size + LINE)
    first = -(room.ctypes.data // 8) % LINE
    return room[first : first + size].reshape(shape)


def in_one_piece(X):
    """The memory of X (n, p) as one array, and how far the columns are apart in it; None if they are in pieces.

    Blocks of rows of a table have such columns. Loops over an array with strides would not be vectorised.
    """
    n, p = X.shape
    step = X.strides[1] // 8 if p > 1 else n  # strides of an axis of one number mean nothing
    if X.dtype != np.float64 or (n > 1 and X.strides[0] != 8) or step < n or X.strides[1] % 8:
        return None
    return as_strided(X, ((p - 1) * step + n,), (8,)), step
