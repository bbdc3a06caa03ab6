"""The target of an estimator: the outputs of a regressor, or the classes of a classifier."""

from dataclasses import dataclass

import numpy as np
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from ..model.design import LARGEST

__all__ = ["TARGETS", "Classes", "Outputs"]


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

    # -- for fit -------------------------------------------------------------------------------------------------------

    @staticmethod
    def validation(y, expert):
        """Options of scikit-learn's validation of y, for a family of experts."""
        shape = np.asarray(y).shape
        # A single column is flattened, with a warning, for families of one output. Several columns they refuse by name.
        several = len(shape) == 2 and shape[1] > 1
        return {"y_numeric": True, "multi_output": several or expert.traits.multioutput}

    @staticmethod
    def check_type(y):
        """Refuse validated targets of a wrong type; there are none among numbers."""

    @classmethod
    def fit(cls, y, expert):
        """The target, and y as experts see it, (n, T), from validated y."""
        Y = np.asarray(y, dtype=np.float64).reshape(len(y), -1)
        size = np.abs(Y).max()
        if size > LARGEST or 0 < size < 1.0 / LARGEST:
            raise ValueError(f"y has values of size {size:g}, whose squares are out of range; change its units.")
        return cls(Y.shape[1], y.ndim == 1), Y

    def check_continues(self, earlier):
        """Refuse a warm start from a fit to another target; the number of outputs is part of the model's structure."""

    # -- for a fitted model --------------------------------------------------------------------------------------------

    @property
    def labels(self):
        """What tells the outputs apart: their numbers; one empty text where y was one-dimensional."""
        return ("",) if self.flat else tuple(range(self.n_outputs))

    def encode(self, y):
        """y as experts see it, (n, T)."""
        if np.ndim(y) not in (1, 2):
            raise ValueError(f"y has {np.ndim(y)} dimensions; it must have one value or one row of outputs a row.")
        y = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")
        Y = y.reshape(len(y), -1)
        if Y.shape[1] != self.n_outputs:
            raise ValueError(f"y has {Y.shape[1]} outputs, the model was fitted to {self.n_outputs}.")
        if np.abs(Y).max(initial=0.0) > LARGEST:
            raise ValueError(f"y has values of a size beyond {LARGEST:g}, whose squares are out of range.")
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

    # -- for fit -------------------------------------------------------------------------------------------------------

    @staticmethod
    def validation(y, expert):
        """Options of scikit-learn's validation of y, for a family of experts."""
        return {}

    @staticmethod
    def check_type(y):
        """Refuse validated targets that are no classes."""
        try:
            check_classification_targets(y)
        except TypeError:
            raise TypeError("y holds labels of different types, which cannot be sorted; use one type.") from None

    @classmethod
    def fit(cls, y, expert):
        """The target, and the number of each row's class, (n,), from validated y."""
        classes, codes = np.unique(y, return_inverse=True)
        if len(classes) < 2:
            raise ValueError(f"y has one class only, {classes[0]!r}; a classifier needs at least two classes.")
        for member in expert.members:
            known = member.known_classes
            # Probabilities are taken by position.
            if known is not None and not any(np.array_equal(known, c) for c in (classes, np.arange(len(classes)))):
                raise ValueError(
                    f"expert {member!r} is frozen and knows the classes {np.asarray(known).tolist()}, y has "
                    f"{classes.tolist()}."
                )
        return cls(classes), codes

    def check_continues(self, earlier):
        """Refuse a warm start from a fit to other classes."""
        if not np.array_equal(self.classes, earlier.classes):
            raise ValueError(f"warm_start: y has the classes {self.classes}, the earlier fit {earlier.classes}.")

    # -- for a fitted model --------------------------------------------------------------------------------------------

    @property
    def labels(self):
        """The classes."""
        return tuple(self.classes)

    def encode(self, y):
        """The number of each row's class, (n,)."""
        y = column_or_1d(y)
        codes = np.searchsorted(self.classes, y).clip(0, len(self.classes) - 1)
        unknown = self.classes[codes] != y
        if np.any(unknown):
            odd = y[unknown].tolist()[0]
            raise ValueError(f"y holds {odd!r}, which is not among the fitted classes {self.classes}.")
        return codes

    def as_given(self, values):
        """Values (..., C) as they are."""
        return values


TARGETS = {"regression": Outputs, "classification": Classes}
