"""Arrays as text that JavaScript reads back to the last bit."""

from base64 import b64encode

import numpy as np

__all__ = ["packed"]

KINDS = {"f8": "<f8", "f4": "<f4", "u1": "u1", "u2": "<u2"}


def packed(array, kind="f8"):
    """An array as a dict of its shape, its kind of numbers and its bytes in base 64.

    Parameters
    ----------
    array : array-like
    kind : {"f8", "f4", "u1", "u2"}
        With "u1" shares between 0 and 1 are kept in 255 steps.

    Examples
    --------
    >>> from hme.report.encoding import packed
    >>> packed([0.0, 1.0], "u1")
    {'kind': 'u1', 'shape': [2], 'data': 'AP8='}
    """
    array = np.asarray(array, dtype=float)
    if kind == "u1":
        array = np.rint(255.0 * np.clip(array, 0.0, 1.0))
    made = np.ascontiguousarray(array.astype(KINDS[kind]))
    return {"kind": kind, "shape": list(made.shape), "data": b64encode(made.tobytes()).decode("ascii")}
