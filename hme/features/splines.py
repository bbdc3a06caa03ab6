"""Splines with linear tails, whose knots are weighted quantiles."""

from math import factorial
from typing import NamedTuple

import numpy as np
from scipy.interpolate import BSpline

from ..numerics.checks import check_int
from ..numerics.quantiles import quantiles
from .base import Columnwise, Plain
from .pieces import Pieces

__all__ = ["Splines"]


class Spline(NamedTuple):
    """Integrals of B-splines on a column, eq. (splines)."""

    knots: np.ndarray  # from the least to the largest value of the column
    degree: int

    @property
    def n_columns(self):
        return len(self.knots) + self.degree - 2

    @property
    def unit(self):
        """Length of the range, in which knots are numbers that the recursion is safe for, whatever the units."""
        return self.knots[-1] - self.knots[0]

    @property
    def inner(self):
        """Knots between 0 and 1."""
        return (self.knots - self.knots[0]) / self.unit

    @property
    def integrals(self):
        """The integrals of the B-splines between 0 and 1."""
        knots = np.concatenate([np.zeros(self.degree - 1), self.inner, np.ones(self.degree - 1)])
        return BSpline(knots, np.eye(self.n_columns), self.degree - 1).antiderivative()

    def columns(self, x):
        x = (x - self.knots[0]) / self.unit
        out = self.integrals(np.clip(x, 0.0, 1.0))
        out[:, 0] += np.minimum(x, 0.0)
        out[:, -1] += np.maximum(x - 1.0, 0.0)
        return self.unit * out

    def names(self, name):
        return [f"s({name}).{j + 1}" for j in range(self.n_columns)]

    @property
    def pieces(self):
        inner, integrals, q = self.inner, self.integrals, self.n_columns
        powers = [  # of Taylor's polynomials at the knots
            self.unit * integrals(inner[:-1], nu=d).T * np.diff(inner) ** d / factorial(d)
            for d in range(1, self.degree + 1)
        ]
        first, last = np.eye(q)[0], np.eye(q)[-1]
        return Pieces(self.knots, np.zeros(q), np.stack(powers, axis=2), first, last)

    @property
    def curved(self):
        return True


class Splines(Columnwise):
    """Splines of every column, for experts that bend, eq. (splines).

    The columns are the integrals of B-splines, so that coefficients are slopes: with ``degree=2`` those at the knots,
    between which slopes change linearly. Beyond the least and the largest value of a column splines are straight lines,
    and nothing gets out of hand for rows outside the range of the fit.

    Parameters
    ----------
    n_knots : int, default=4
        Knots of a column: weighted quantiles, equally spaced in level. Where these coincide, because many rows share a
        value, they are quantiles of the distinct values. Columns of few distinct values have fewer knots, and those of
        no more than `degree` are left as they are: columns of two values, for example.
    degree : int, default=2
        Of the polynomials between the knots.

    Attributes
    ----------
    maps_ : list
        What becomes of each column.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Only where X has string column names.

    See Also
    --------
    sklearn.preprocessing.SplineTransformer : B-splines themselves, which span the same functions.

    References
    ----------
    Ramsay, J. O. (1988). Monotone regression splines in action. Statistical Science 3(4), 425-441: integrals of
    B-splines.

    Examples
    --------
    >>> import numpy as np
    >>> from hme import HMERegressor
    >>> from hme.features import Splines
    >>> X = np.linspace(-3, 3, 100)[:, None]
    >>> Splines().fit(X).get_feature_names_out()
    array(['s(x0).1', 's(x0).2', 's(x0).3', 's(x0).4'], dtype=object)
    >>> model = HMERegressor(depth=0, expert_features="splines").fit(X, np.cos(X[:, 0]))
    >>> model.predict([[0.0], [1.0], [3.0]]).round(1)
    array([ 1. ,  0.5, -1.1])
    """

    def __init__(self, n_knots=4, degree=2):
        self.n_knots = n_knots
        self.degree = degree

    def _check(self):
        check_int(self.n_knots, "n_knots", 2)
        check_int(self.degree, "degree", 1)

    def _map(self, x, weight):
        distinct = np.unique(x)
        # As many columns as distinct values tell apart beside the intercept.
        most = min(self.n_knots, len(distinct) + 1 - self.degree)
        if most < 2 or not np.finfo(float).tiny < distinct[-1] - distinct[0] < np.inf:
            return Plain()
        levels = np.linspace(0.0, 1.0, most)
        knots = np.unique(quantiles(x, levels, weight))
        if len(knots) < most:
            knots = quantiles(distinct, levels, np.ones(len(distinct)))
        return Plain() if most + self.degree < 4 else Spline(knots, self.degree)
