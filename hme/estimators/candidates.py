"""Candidates: what else than the size of a tree growing may choose, as changes of an estimator's hyper-parameters."""

from copy import copy

import scipy.sparse as sp

from ..features import Splines

__all__ = ["automatic", "check_candidates", "variant"]

NAMES = "expert", "gate", "expert_features", "gate_features"
# Distinct rows for each column of splines, below which experts that bend are not tried.
ROWS_A_COLUMN = 10


def check_candidates(candidates):
    """Refuse what is not a list of changes.

    Parameters
    ----------
    candidates : "auto", None or list of dict
    """
    if candidates is None or (isinstance(candidates, str) and candidates == "auto"):
        return
    if isinstance(candidates, str) or not isinstance(candidates, list | tuple) or not candidates:
        raise TypeError(
            f"candidates = {candidates!r} must be 'auto', None or a list of dicts, such as "
            "[{}, {'expert_features': 'splines'}]."
        )
    for number, changes in enumerate(candidates):
        if not isinstance(changes, dict) or not set(changes) <= set(NAMES):
            raise ValueError(
                f"candidates[{number}] = {changes!r} must be a dict whose keys are among {', '.join(map(repr, NAMES))}."
            )


def variant(model, changes):
    """An estimator with other hyper-parameters; its fitted attributes are shared."""
    other = copy(model)
    for name, value in changes.items():
        setattr(other, name, value)
    return other


def automatic(model, bound):
    """What a default estimator tries: lines, and experts that bend where there are rows enough to tell.

    Parameters
    ----------
    model : HMERegressor or HMEClassifier
    bound : Bound
        Of the estimator as it is.

    Returns
    -------
    list of dict
    """
    open_ = model.task == "regression" and model.expert is None and model.expert_features is None
    open_ = open_ and "splines" not in bound.columns.expert.features.given  # a column of that name comes first
    return [{}, {"expert_features": "splines"}] if open_ and _can_bend(bound.rows) else [{}]


def _can_bend(rows):
    """Whether splines of the columns are anything else than these, and few enough for the rows."""
    n_columns = rows.X.shape[1] - 1  # beside the intercept
    if sp.issparse(rows.X) or not n_columns:
        return False
    n_splines = len(Splines().fit(rows.X[:, :-1]).get_feature_names_out())
    enough = ROWS_A_COLUMN * n_splines
    return n_splines > n_columns and rows.n_different(enough) >= enough
