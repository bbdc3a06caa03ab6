"""The target of an estimator: the outputs of a regressor, or the classes of a classifier."""

from dataclasses import dataclass

import numpy as np
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets

from ..model.design import LARGEST

__all__ = ["TARGETS", "Classes", "Outputs", "class_factors", "plain"]


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
    def fit(cls, y, expert, every):
        """The target, and y as experts see it, (n, T), from validated y of the rows that have weight."""
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

    def without_weight(self, y):
        """Which encoded targets the model gives no probability because they had no weight in the fit: none."""
        return np.zeros(len(y), dtype=bool)

    def check_weighted(self, y):
        """Refuse targets that had no weight in the fit; there are none among numbers."""

    def as_given(self, values):
        """Values (..., T) in the shape of the user's y."""
        return values[..., 0] if self.flat else values


@dataclass(frozen=True, eq=False)
class Classes:
    """The classes that a classifier was fitted to.

    A class whose rows all have weight zero is among them, with probability zero. Experts know of the others only, whose
    numbers are the codes of y.

    Attributes
    ----------
    classes : ndarray of shape (C,)
        All classes of y.
    weighted : ndarray of int of shape (c,)
        Which of them have rows of positive weight.
    n_outputs : int
        1.
    flat : bool
        False: class probabilities have an axis for the classes.
    """

    classes: np.ndarray
    weighted: np.ndarray
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
    def fit(cls, y, expert, every):
        """The target, and the code of each row's class, (n,), from validated y: of rows with weight, and of `every`."""
        classes, (known, codes) = np.unique(every), np.unique(y, return_inverse=True)
        labels = plain(known)
        if len(known) < 2:
            others = [label for label in plain(classes) if label not in labels]
            named = f", the rows of {others} have weight zero" if others else ""
            raise ValueError(f"y has one class only, {labels[0]!r}{named}; a classifier needs at least two classes.")
        for member in expert.members:
            frozen = member.known_classes
            # Probabilities are taken by position.
            if frozen is not None and not any(np.array_equal(frozen, c) for c in (known, np.arange(len(known)))):
                raise ValueError(
                    f"expert {member!r} is frozen and knows the classes {np.asarray(frozen).tolist()}, y has "
                    f"{labels}" + (" in rows of positive weight." if len(known) < len(classes) else ".")
                )
        return cls(classes, np.searchsorted(classes, known)), codes

    def check_continues(self, earlier):
        """Refuse a warm start from a fit to other classes."""
        if self.labels != earlier.labels:
            raise ValueError(
                f"warm_start: y has rows of positive weight of the classes {list(self.labels)}, the earlier fit of "
                f"{list(earlier.labels)}. Use warm_start=False."
            )

    # -- for a fitted model --------------------------------------------------------------------------------------------

    @property
    def labels(self):
        """The classes that experts know of, in their order."""
        return tuple(plain(self.classes[self.weighted]))

    def encode(self, y):
        """The code of each row's class, (n,); -1 of a class that had no weight in the fit."""
        y = column_or_1d(y)
        numbers = np.searchsorted(self.classes, y).clip(0, len(self.classes) - 1)
        unknown = self.classes[numbers] != y
        if np.any(unknown):
            raise ValueError(
                f"y holds {plain(y[unknown][:1])[0]!r}, which is not among the fitted classes {plain(self.classes)}."
            )
        codes = np.full(len(self.classes), -1)
        codes[self.weighted] = np.arange(len(self.weighted))
        return codes[numbers]

    def without_weight(self, y):
        """Which encoded targets the model gives no probability because they had no weight in the fit, (n,) of bool."""
        return y < 0

    def check_weighted(self, y):
        """Refuse encoded targets of classes that had no weight in the fit."""
        if self.without_weight(y).any():
            others = plain(np.delete(self.classes, self.weighted))
            raise ValueError(
                f"y holds classes whose rows all had weight zero in the fit, {others}: the model gives them "
                "probability zero. Leave their rows out, or give them weight zero here too."
            )

    def as_given(self, values, absent=0.0):
        """Values (..., c) of the classes that experts know of as (..., C) of all; `absent` for the others."""
        if len(self.weighted) == len(self.classes):
            return values
        out = np.full((*values.shape[:-1], len(self.classes)), absent)
        out[..., self.weighted] = values
        return out


def plain(values):
    """Labels as Python's own text and numbers, which read as the user wrote them."""
    return values.tolist() if values.dtype.kind in "biufSUO" else list(values)


TARGETS = {"regression": Outputs, "classification": Classes}


def class_factors(class_weight, y, weight):
    """Factors on the weights of rows, by their classes.

    Parameters
    ----------
    class_weight : dict, "balanced" or None
    y : array-like of shape (n,)
        Class labels.
    weight : ndarray of shape (n,)
        Weights of the rows: a weight of 2 counts as the row twice, and a row of weight zero not at all.

    Returns
    -------
    ndarray of shape (n,)
    """
    if class_weight is None:
        return np.ones(len(y))
    if isinstance(class_weight, str) and class_weight == "balanced":
        return _balancing(y, weight)
    factors = compute_sample_weight(class_weight, y)
    if not (np.isfinite(factors).all() and (factors >= 0).all()):
        raise ValueError(f"class_weight = {class_weight!r} must hold finite numbers >= 0.")
    return factors


def _balancing(y, weight):
    """Factors that give every class of positive weight the same total weight, and leave the sum of all as it is."""
    classes, codes = np.unique(y, return_inverse=True)
    mass = np.bincount(codes.ravel(), weight, len(classes))
    share = mass.sum() / np.count_nonzero(mass)
    return np.divide(share, mass, out=np.ones(len(mass)), where=mass > 0)[codes.ravel()]
