"""Fixed gate: the user gives the prior as a function of x."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from ..model.traits import GateTraits
from .base import Gate

__all__ = ["FixedGate"]

ROUNDING = 1e-6  # by which the probabilities of a row may miss one
DIGITS = 13  # significant digits of the user's values that survive standardisation and its undoing


class FixedParams(NamedTuple):
    leaf: np.ndarray  # (K,) of int, the column of the answer that belongs to each leaf


class FixedStatistics(NamedTuple):
    weight: np.ndarray  # (K,)


class FixedGate(Gate):
    """A prior that is given, not learned, eq. (fixed-gate).

    Parameters
    ----------
    proba : callable
        ``proba(Z)`` takes the gate's columns in the user's units, an array (n, q), and returns the probabilities of the
        leaves (n, K), with rows summing to one: your own function, or the `predict_proba` of a fitted classifier. Zeros
        are allowed. It is called for each block of rows in each sweep. Values are rounded to 13 significant digits, so
        that codes and decimals are exact. To pickle the model, define the function in a module, not as a lambda.

    Examples
    --------
    >>> import numpy as np
    >>> from hme import HMERegressor
    >>> from hme.gates import FixedGate
    >>> def side(Z):
    ...     return np.column_stack([Z[:, 0] < 0, Z[:, 0] >= 0])
    >>> X = np.linspace(-2, 2, 100)[:, None]
    >>> model = HMERegressor(n_experts=2, gate=FixedGate(side)).fit(X, np.abs(X[:, 0]))
    >>> model.experts_.coef.round(1)
    array([[-1.],
           [ 1.]])
    """

    traits = GateTraits(exact=True, sparse_input=True, frozen=True, given=True, fixed="the gate is given, not learned")

    def __init__(self, proba):
        self.proba = proba

    def bind(self, rows, design):
        if not callable(self.proba):
            raise TypeError(f"gate's proba = {self.proba!r} must be a callable that returns probabilities (n, K).")
        bound = super().bind(rows, design)
        bound.scale_, bound.center_ = design.scale, design.center
        return bound

    def init(self, rows, resp):
        params = FixedParams(np.arange(resp.shape[1]))
        self.log_score(params, rows[:1])  # a wrong number of leaves is found before EM starts
        return params

    def log_score(self, params, rows):
        proba = self._proba(rows, len(params.leaf), int(params.leaf.max()))
        with np.errstate(divide="ignore"):
            return np.log(proba[:, params.leaf])

    def _proba(self, rows, n_leaves, last):
        """What the user's function answers, checked."""
        Z = (rows.Z.toarray() if sp.issparse(rows.Z) else rows.Z)[:, :-1]
        answer = self.proba(_original(Z, self.center_, self.scale_))
        try:
            proba = np.asarray(answer, dtype=float)
        except (TypeError, ValueError):
            raise ValueError(f"gate FixedGate: proba returned {type(answer).__name__}, no array of numbers.") from None
        # Some of the leaves only: the columns of the others are still there.
        fits = proba.ndim == 2 and (proba.shape[1] == n_leaves if last + 1 == n_leaves else proba.shape[1] > last)
        if not fits or len(proba) != rows.n_rows:
            raise ValueError(
                f"gate FixedGate: proba returned shape {proba.shape}; it must be (rows, experts) = "
                f"{(rows.n_rows, max(n_leaves, last + 1))}."
            )
        if not np.isfinite(proba).all() or (proba < 0).any():
            raise ValueError("gate FixedGate: proba returned values that are negative or not finite.")
        total = proba.sum(axis=1, keepdims=True)
        off = np.abs(total - 1.0).max(initial=0.0)
        if off > ROUNDING:
            raise ValueError(
                f"gate FixedGate: proba returned rows whose sums miss 1 by up to {off:.2g}; they may by {ROUNDING:g}."
            )
        return proba / total

    def statistics(self, params, rows, resp, seen=None):
        return FixedStatistics(resp.sum(axis=0))

    def update(self, params, stats, rows=None):
        return params

    def interpolate(self, old, new, step):
        return new

    def n_parameters(self, params):
        return 0

    def report(self, params, design):
        """`leaf` (K,), the column of the user's probabilities that belongs to each leaf."""
        return params


def _original(Z, center, scale):
    """The user's values of standardised columns, rounded to the digits that are certain.

    Otherwise a code 65 could come back as 64.99999999999999, on the wrong side of ``x >= 65``.
    """
    values = Z * scale + center
    size = np.abs(values) + np.abs(center)  # rounding errors are of this size
    digits = DIGITS - 1 - np.floor(np.log10(np.where(size > 0, size, 1.0)))
    # Division by an exact power of ten gives the very double that a decimal is read as; hence both signs of the power.
    fine, coarse = 10.0 ** np.maximum(digits, 0.0), 10.0 ** np.maximum(-digits, 0.0)
    return np.rint(values * fine / coarse) * coarse / fine
