"""Columns and their squares, held at the range of the fit."""

from typing import NamedTuple

import numpy as np

from .base import Columnwise, Plain
from .pieces import Pieces

__all__ = ["Squares"]


class Square(NamedTuple):
    """A column, and its squared distance from a center, which is held at the range of the fit."""

    center: float
    low: float
    high: float

    def columns(self, x):
        return np.stack([x, (np.clip(x, self.low, self.high) - self.center) ** 2], axis=1)

    def names(self, name):
        sign = "-" if self.center >= 0 else "+"
        return [name, f"({name} {sign} {abs(self.center):.4g})^2" if self.center else f"{name}^2"]

    @property
    def pieces(self):
        width, low = self.high - self.low, self.low - self.center
        powers = np.array([[[width, 0.0]], [[2.0 * low * width, width**2]]])
        start, outside = np.array([self.low, low**2]), np.array([1.0, 0.0])
        return Pieces(np.array([self.low, self.high]), start, powers, outside, outside)

    @property
    def curved(self):
        return False


class Squares(Columnwise):
    """Every column and its square about the mean, for experts that bend.

    The squares of rows outside the range of the fit are held at its ends: there, experts are straight lines. Columns of
    one or two values, whose squares add nothing, are left unchanged.

    Attributes
    ----------
    maps_ : list
        What becomes of each column.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Only where X has string column names.

    Examples
    --------
    >>> from hme.features import Squares
    >>> squares = Squares().fit([[0.0], [1.0], [5.0]])
    >>> squares.get_feature_names_out()
    array(['x0', '(x0 - 2)^2'], dtype=object)
    >>> squares.transform([[1.0], [10.0]])
    array([[ 1.,  1.],
           [10.,  9.]])
    """

    def _check(self):
        pass

    def _map(self, x, weight):
        if len(np.unique(x)) < 3:
            return Plain()
        low, high = float(x.min()), float(x.max())
        return Square(float(np.clip(np.average(x, weights=weight), low, high)), low, high)
