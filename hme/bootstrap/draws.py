"""Bootstrap draws of rows and of targets."""

from typing import NamedTuple

import numpy as np
from sklearn.base import is_classifier

from .refits import unit_codes

__all__ = ["Same", "case_drawer", "draw_targets"]


def case_drawer(units, weight, weighting, several):
    """A function of a generator that draws the weights of all rows, eq. (case-bootstrap)."""
    n_units = units.max() + 1
    if weighting == "rows":
        return _Multiplicities(units, n_units, np.full(n_units, 1.0 / n_units), weight)
    mass = np.zeros(n_units)
    mass[units] = weight
    if several and not np.array_equal(mass[units], weight):
        raise ValueError(
            "sample_weight must be constant inside a cluster when weighting='copies', as a cluster is copied as a "
            "whole. Use weighting='rows'."
        )
    n_drawn = int(np.rint(mass.sum()))
    if n_drawn < 2:
        raise ValueError(
            f"sample_weight sums to {mass.sum():g}: with weighting='copies' that is the number of rows. Use "
            "weighting='rows' for weights that are no counts."
        )
    return _Multiplicities(units, n_drawn, mass / mass.sum(), np.full(len(weight), mass.sum() / n_drawn))


class Same(NamedTuple):
    """No draw: the weights as they are."""

    weight: np.ndarray

    def __call__(self, rng):
        return self.weight


class _Multiplicities(NamedTuple):
    """How often each unit is drawn, times the factors of its rows."""

    units: np.ndarray
    n_drawn: int
    probability: np.ndarray
    factor: np.ndarray

    def __call__(self, rng):
        return rng.multinomial(self.n_drawn, self.probability)[self.units] * self.factor


def draw_targets(model, X, rng, groups=None, **rows):
    """Targets drawn from a fitted model given X, eq. (parametric-bootstrap); a group has one expert.

    Parameters
    ----------
    model : HMERegressor or HMEClassifier
    X : array-like of shape (n, p)
    rng : Generator
    groups : array-like of shape (n,) or None
    **rows
        `offset` and `trials` of a regressor.

    Returns
    -------
    ndarray in the shape of y

    Examples
    --------
    >>> import numpy as np
    >>> from hme import HMERegressor
    >>> from hme.bootstrap import draw_targets
    >>> X = np.arange(20.0)[:, None]
    >>> model = HMERegressor(depth=0).fit(X, 2.0 * X[:, 0] + np.cos(X[:, 0]))
    >>> draw_targets(model, X[:3], np.random.default_rng(0)).shape
    (3,)
    """
    prior = model.gate_proba(X)
    n, K = prior.shape
    codes = unit_codes(n, groups, None)
    first = np.unique(codes, return_index=True)[1]
    leaf = _categorical(prior[first], rng)[codes]
    if is_classifier(model):
        return model.classes_[_categorical(model.predict_experts(X)[np.arange(n), leaf], rng)]
    return model.predict_dist(X, density="plug-in", **rows).given(leaf).sample(rng=rng)


def _categorical(probability, rng):
    """One number a row, by the inverse of the cumulative probabilities."""
    cumulative = probability.cumsum(axis=1)
    return (rng.uniform(size=(len(cumulative), 1)) * cumulative[:, -1:] >= cumulative).sum(axis=1)
