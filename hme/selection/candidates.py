"""Candidates: hyper-parameters that a cross-validation compares."""

import numpy as np
import scipy.sparse as sp
from sklearn.base import clone

from ..estimators.candidates import automatic
from ..model.parts import renamed
from ..registry import make_expert

__all__ = ["checked", "default_candidates"]

ROWS_A_COLUMN = 10  # rows for each column of splines, below which they are not tried
SPLINES = 4  # columns that a column becomes


def checked(candidates, base):
    """The candidates that a user gives, if the estimator has such parameters and their densities have a mixture.

    Parameters
    ----------
    candidates : list of dict
    base : HMERegressor or HMEClassifier

    Returns
    -------
    list of dict
    """
    if not isinstance(candidates, list | tuple) or not candidates:
        raise TypeError(f"candidates = {candidates!r} must be a list of one or more dicts of parameters.")
    measures = []
    for number, params in enumerate(candidates):
        if not isinstance(params, dict) or not all(isinstance(key, str) for key in params):
            raise TypeError(f"candidates[{number}] = {params!r} must be a dict of parameters, such as {{'depth': 2}}.")
        try:
            model = clone(base).set_params(**params)
            measures.append(make_expert(model.expert, model.task).traits.measure)
        except (TypeError, ValueError) as error:
            raise renamed(error, f"candidates[{number}] = {params!r}: {error}") from error
        if measures[number] != measures[0]:
            raise ValueError(
                f"candidates[{number}] = {params!r} has a {measures[number]} of y, candidates[0] a {measures[0]}; they "
                "have no mixture. Compare counts with counts."
            )
    return [dict(params) for params in candidates]


def default_candidates(base, bound):
    """The estimator as it is, and with experts that bend, where it leaves their columns open and rows are enough.

    Splines are not among them where the tree of the estimator grows and tries them by itself, nor is Student noise,
    whose fits take many times as long.

    Parameters
    ----------
    base : HMERegressor or HMEClassifier
    bound : Bound
        Of the estimator to all rows.

    Returns
    -------
    list of dict
    """
    bent = base.expert_features is None and _bends(base, bound.rows)
    tried = automatic(base, bound) if bound.grows and base.candidates == "auto" else []
    names = [name for name in ("splines", "squares") if bent and name not in bound.columns.expert.features.given]
    already = [changes.get("expert_features") for changes in tried]
    return [{}] + [{"expert_features": name} for name in names if name not in already]


def _bends(base, rows):
    """Whether splines of the columns are anything else than these, and few enough for the rows."""
    linear = not any(member.traits.sees_table for member in make_expert(base.expert, base.task).members)
    if not linear or sp.issparse(rows.X):
        return False
    columns = rows.X[:, :-1]
    enough = rows.n_different(ROWS_A_COLUMN * SPLINES * columns.shape[1]) >= ROWS_A_COLUMN * SPLINES * columns.shape[1]
    return bool(columns.shape[1]) and enough and any(len(np.unique(x)) > 2 for x in columns.T)
