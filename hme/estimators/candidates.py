"""Candidates: what else than the size of a tree growing may choose, as changes of an estimator's hyper-parameters."""

from copy import copy

import numpy as np
import scipy.sparse as sp

from ..experts import LinearExpert, LogisticExpert
from ..features import Splines
from ..gates import SoftmaxGate

__all__ = ["automatic", "check_candidates", "heats", "still_in_force", "variant", "written"]

NAMES = "expert", "gate", "expert_features", "gate_features"
# Distinct rows for each column of splines, below which experts that bend are not tried.
ROWS_A_COLUMN = 10
# Penalties towards zero of logistic experts. The evidence cannot tell how strong they should be where classes are
# nearly separated, held-out rows can.
STRENGTHS = 1.0, 10.0
# Columns from which on some may be of no use, and a penalty strength for each is tried as well; with more than MOST
# this takes too long for a default.
MANY, MOST = 10, 150


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


def written(model):
    """What an estimator's hyper-parameters are that candidates may change, as text."""
    return {name: repr(getattr(model, name)) for name in NAMES}


def still_in_force(model):
    """The changes that an earlier fit has chosen, without those of hyper-parameters that are others since."""
    now, then = written(model), model._earlier.settings
    return {name: value for name, value in model.candidate_.items() if now[name] == then[name]}


def automatic(model, bound):
    """What a default estimator tries: experts and borders that bend, where rows can tell; penalties of classes.

    Where there are many columns, borders are straight, and a penalty strength for each column is tried; experts that
    bend have it.

    Parameters
    ----------
    model : HMERegressor or HMEClassifier
    bound : Bound
        Of the estimator as it is.

    Returns
    -------
    list of dict
    """
    if model.expert is not None:
        return [{}]
    by_column = _by_column(model) if _are_many(bound.rows) else {}
    if model.task == "classification":
        strong = ({"expert": LogisticExpert(alpha=alpha, shrink_to="zero")} for alpha in STRENGTHS)
        return [{}, *strong, *([by_column] if by_column else [])]
    straight = model.expert_features is None
    straight = straight and "splines" not in bound.columns.expert.features.given  # a column of that name comes first
    bent = [{"expert_features": "splines", **by_column}] if straight and _can_bend(bound.rows.X, bound.rows) else []
    tried = [{}, *([by_column] if by_column else []), *bent]
    if not _may_bend_borders(model, bound):
        return tried
    return [own for changes in tried for own in (changes, {**changes, "gate_features": "splines"})]


def _may_bend_borders(model, bound):
    plain = model.gate is None and model.gate_features is None and not _are_many(bound.rows, np.inf)
    return plain and "splines" not in bound.columns.gate.features.given and _can_bend(bound.rows.Z, bound.rows)


def heats(tried):
    """For every candidate the changes but for those of the gate's columns, as text; None of one that has no rival."""
    found = [repr({name: value for name, value in changes.items() if name != "gate_features"}) for changes in tried]
    return [own if found.count(own) > 1 else None for own in found]


def _are_many(rows, most=MOST):
    """Whether experts or gate see many columns that vary, but not more than `most`, in a table of formed matrices."""
    sides = rows.X, rows.Z
    if any(map(sp.issparse, sides)):
        return False
    return MANY <= max(int((np.ptp(side, axis=0) > 0).sum()) for side in sides) <= most


def _by_column(model):
    """The default families with a penalty strength for each column."""
    expert = LinearExpert if model.task == "regression" else LogisticExpert
    gate = {"gate": SoftmaxGate(alpha="ard")} if model.gate is None else {}
    return {"expert": expert(alpha="ard"), **gate}


def _can_bend(X, rows):
    """Whether splines of columns X are anything else than these, and few enough for the rows."""
    n_columns = X.shape[1] - 1  # beside the intercept
    if sp.issparse(X) or not n_columns:
        return False
    n_splines = len(Splines().fit(X[:, :-1]).get_feature_names_out())
    enough = ROWS_A_COLUMN * n_splines
    return n_splines > n_columns and rows.n_different(enough) >= enough
