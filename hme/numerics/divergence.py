"""Detection of generalised linear models whose coefficients grow without bound."""

import numpy as np

__all__ = ["lost_directions", "running_away"]

# A fit is diverging if its next step would still change the linear predictors by more than this, although it would
# hardly increase the objective.
MOVING = 0.05
# A fit has diverged if, along some direction of the slopes, the rows hold less information than LEAST_INFORMATION while
# the linear predictors vary by more than FAR; by then its steps are too small for the rule above.
LEAST_INFORMATION, FAR = 1e-3, 5.0


def running_away(change, decrement, weight):
    """Which experts (K,) are diverging: their steps are long, but gain little.

    Parameters
    ----------
    change : ndarray of shape (K,)
        Typical change of the linear predictors by the step of the slopes.
    decrement : ndarray of shape (K,)
        Gain of the whole step, to first order.
    weight : ndarray of shape (K,)
        Total weight of the rows of each expert.
    """
    return (change > MOVING) & (decrement < MOVING * change**2 * np.maximum(weight, np.finfo(float).tiny))


def lost_directions(coef, systems, moment):
    """Which experts (K,) have diverged: the rows hold no information on how large their slopes are.

    Parameters
    ----------
    coef : ndarray of shape (K, p)
        Coefficients, intercept last.
    systems : ndarray of shape (K, p, p)
        Information of rows and penalty.
    moment : ndarray of shape (p, p)
        Second moments of the design columns.
    """
    values, vectors = np.linalg.eigh(moment[:-1, :-1])
    kept = values > 1e-9 * values.max(initial=0.0)
    axes = vectors[:, kept] / np.sqrt(values[kept])  # along each, linear predictors have root mean square one
    corner = np.maximum(systems[:, -1:, -1:], np.finfo(float).tiny)
    slopes = systems[:, :-1, :-1] - systems[:, :-1, -1:] @ systems[:, -1:, :-1] / corner  # intercept profiled out
    information, turned = np.linalg.eigh(axes.T @ slopes @ axes)
    largest = information.max(axis=1, initial=0.0)[:, None]
    size = coef[:, :-1] @ (vectors[:, kept] * np.sqrt(values[kept]))
    size = np.einsum("kij,ki->kj", turned, size)
    # A column that is constant on an expert's rows holds no information either, but its coefficient stays small.
    return ((information + 1e-13 * largest < LEAST_INFORMATION) & (np.abs(size) > FAR)).any(axis=1)
