"""The target of an estimator: the outputs of a regressor, or the classes of a classifier."""

from dataclasses import dataclass

import numpy as np
from sklearn.utils import check_array, column_or_1d

__all__ = ["Classes", "Outputs"]


@dataclass(frozen=True)
class Outputs:
    """The outputs that a regressor was fitted to.

    Attributes
    ----------
    n_outputs : int
    flat : bool
        Whether y was one-dimensional, so that predictions are too.
    """

    n_outputs: int
    flat: bool

    @property
    def labels(self):
        """What tells the outputs apart: their numbers; one empty text where y was one-dimensional."""
        return ("",) if self.flat else tuple(range(self.n_outputs))

    def encode(self, y):
        """Targets as experts see them, (n, T), from y as the user gives it."""
        if np.ndim(y) not in (1, 2):
            raise ValueError(f"y has {np.ndim(y)} dimensions; it must have one value or one row of outputs a row.")
        y = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")
        Y = y.reshape(len(y), -1)
        if Y.shape[1] != self.n_outputs:
            raise ValueError(f"y has {Y.shape[1]} outputs, the model was fitted to {self.n_outputs}.")
        return Y

    def as_given(self, values):
        """Values (..., T) in the shape of the user's y."""
        return values[..., 0] if self.flat else values


@dataclass(frozen=True, eq=False)
class Classes:
    """The classes that a classifier was fitted to.

    Attributes
    ----------
    classes : ndarray of shape (C,)
    n_outputs : int
        1.
    flat : bool
        False: class probabilities have an axis for the classes.
    """

    classes: np.ndarray
    n_outputs = 1
    flat = False

    @property
    def labels(self):
        """The classes."""
        return tuple(self.classes)

    def encode(self, y):
        """Numbers of classes, (n,), from labels."""
        y = column_or_1d(y)
        codes = np.searchsorted(self.classes, y).clip(0, len(self.classes) - 1)
        unknown = self.classes[codes] != y
        if np.any(unknown):
            raise ValueError(f"y holds {y[unknown][0]!r}, which is not among the fitted classes {self.classes}.")
        return codes

    def as_given(self, values):
        """Values (..., C) as they are."""
        return values
