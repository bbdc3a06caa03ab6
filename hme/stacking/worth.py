"""Contributions of the models of a stack: their weights in the experts, and the scores without each of them."""

from functools import partial

import numpy as np

from ..estimators.reading import as_table
from ..model.parts import quiet
from ..tables import Table
from .final import Problem, held_out

__all__ = ["ablated", "expert_weights"]

ROUNDING = 1e-12  # share of the largest weight by which one at its bound may be below it


def expert_weights(stack):
    """Weight of each model in each expert, (K, M).

    Parameters
    ----------
    stack : HMEStackingRegressor or HMEStackingClassifier
        A fitted one.

    Returns
    -------
    ndarray of shape (K, M)

    Raises
    ------
    ValueError
        Where the experts are no combinations with weights that are not negative.
    """
    if stack.passthrough:
        raise ValueError(
            "passthrough=True: columns of X share in the prediction, so that weights of models mean little."
        )
    reported = stack.final_estimator_.experts_
    weights = getattr(reported, "weights", getattr(reported, "coef", None))
    if np.shape(weights) != (stack.final_estimator_.n_experts_, len(stack.names_)):
        raise ValueError(
            "final_estimator: its experts are no combinations of the models, so that these have no weights."
        )
    if (weights < -ROUNDING * np.abs(weights).max()).any():
        raise ValueError(
            "some weights of models are negative, so that they do not tell how much a model counts; use positive=True, "
            "or ablation, which tells what a model is worth."
        )
    return np.maximum(weights, 0.0)


def ablated(stack, X, y, sample_weight=None):
    """Held-out scores of a stack without each of its models, a `Table`; see `BaseStacking.ablation`."""
    if len(stack.names_) < 2:
        raise ValueError("ablation needs two models or more.")
    predictions = stack.cross_fitted_predictions_
    y, table = np.asarray(y), as_table(X)
    if len(y) != len(predictions) or table.shape[0] != len(predictions):
        raise ValueError(f"ablation needs the {len(predictions)} rows of the fit; X has {table.shape[0]}, y {len(y)}.")
    weight = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight, dtype=float)
    with quiet():
        scores = {name: _without(stack, table, y, weight, name) for name in (None, *stack.names_)}
    everything = scores.pop(None)
    rows = [["(none)", everything.log_score, 0.0, everything.error, 0.0, float(sum(stack.seconds_.values()))]]
    for name, one in scores.items():
        lost, worse = everything.log_score - one.log_score, one.error - everything.error
        rows.append([name, one.log_score, lost, one.error, worse, stack.seconds_[name]])
    columns = ["without", "log score", "lost", stack.measure, "more", "CPU s"]
    return Table(columns, rows, "The mixture without each model, on held-out rows")


def _without(stack, table, y, weight, name):
    """What the mixture reaches on held-out rows without a model, or with all if its name is None."""
    kept = [m for m, other in enumerate(stack.names_) if other != name]
    level = stack.level_one_
    level = level.over(stack._column_names([stack.names_[m] for m in kept]), level.passthrough)
    columns = stack._columns_of(stack.cross_fitted_predictions_[:, kept])
    problem = Problem.of(level, columns, level.columns(table), y, weight, stack.folds_, stack.measure)
    if stack.choice_ is None:  # the user's mixture, whatever the candidate
        given = partial(stack._given_final, level=level, seed=stack._seed)
        return held_out(problem, lambda _, *rows: given(*rows), stack._scores, None)
    make = partial(stack._mixture, level=level, seed=stack._seed)
    return held_out(problem, make, stack._scores, stack.choice_.chosen)
