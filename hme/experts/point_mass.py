"""A point mass: all probability on one value of y, such as the extra zeros of a count."""

from numbers import Real
from typing import NamedTuple

import numpy as np

from ..distributions import PointMass
from ..model.traits import Traits
from ..numerics.checks import check_real
from .base import AdditiveExpert

__all__ = ["PointMassExpert"]


class PointMassParams(NamedTuple):
    value: np.ndarray  # (K,), not learned


class PointMassStatistics(NamedTuple):
    weight: np.ndarray  # (K,)


class PointMassExpert(AdditiveExpert):
    """An expert that gives probability one to a single value of y, eq. (atom); it has no parameters to learn.

    Together with a count expert it forms a zero-inflated model, in which both produce zeros. Together with a family of
    positive values it forms a hurdle model, in which only the point mass produces zeros. The gate models the
    probability of the point mass given x.

    Parameters
    ----------
    at : float, default=0.0
        The value of y.

    References
    ----------
    Lambert, D. (1992). Zero-inflated Poisson regression, with an application to defects in manufacturing.
    Technometrics 34(1), 1-14, section 2.

    Examples
    --------
    >>> import numpy as np
    >>> from hme.model.rows import Rows
    >>> from hme.experts import PointMassExpert
    >>> X = np.ones((3, 1))
    >>> rows = Rows(X, X, np.array([[0.0], [1.0], [0.0]]), np.ones(3))
    >>> expert = PointMassExpert(at=0.0).bind(rows, None)
    >>> expert.log_prob(expert.start(1), rows)[:, 0]
    array([  0., -inf,   0.])
    """

    def __init__(self, at=0.0):
        self.at = at

    @property
    def traits(self):
        number = isinstance(self.at, Real)  # other types are refused by `bind`
        return Traits(
            measure="mass",
            domain=f"exactly {self.at:g}" if number else "one value",
            atoms=(float(self.at),) if number else (),
            sparse_input=True,
            exact=True,
            additive=True,
        )

    def bind(self, rows, design):
        check_real(abs(self.at) if isinstance(self.at, int | float) else self.at, "at")
        return super().bind(rows, design)

    def possible(self, rows):
        return rows.y[:, 0] == self.at

    def start(self, n_experts):
        return PointMassParams(np.full(n_experts, float(self.at)))

    def log_prob(self, params, rows):
        return np.where(rows.y == params.value, 0.0, -np.inf)

    def predict(self, params, rows):
        return np.broadcast_to(params.value[:, None], (rows.n_rows, len(params.value), 1))

    def variance(self, params, rows):
        return np.zeros((rows.n_rows, len(params.value), 1))

    def predict_dist(self, params, rows):
        return PointMass(params.value[None], n_rows=rows.n_rows)

    def statistics(self, params, rows, resp, seen=None):
        return PointMassStatistics(resp.sum(axis=0))

    def update(self, params, stats, rows=None):
        return params

    def n_parameters(self, params):
        return 0

    def equations(self, report, feature_names, target):
        return [f"{target} = {value:g}, always" for value in report.value]
