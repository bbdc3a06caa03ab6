"""Signs that the coefficients of a generalised linear model grow without bound."""

import numpy as np

__all__ = ["lost_directions", "running_away"]

# A fit runs away where its next step still moves linear predictors by more than this, although next to nothing is left
# to gain by it.
MOVING = 0.05
# It has run away where rows hold less information than this on a direction of the slopes in which linear predictors
# spread by more than that: the steps have vanished by then.
LEAST_INFORMATION, FAR = 1e-3, 5.0


def running_away(change, decrement, weight):
    """Experts (K,) whose steps go far and gain little.

    Parameters
    ----------
    change : ndarray of shape (K,)
        Typical size of what a step of the slopes does to the linear predictors.
    decrement : ndarray of shape (K,)
        What the whole step gains, to first order.
    weight : ndarray of shape (K,)
    """
    return (change > MOVING) & (decrement < MOVING * change**2 * np.maximum(weight, np.finfo(float).tiny))


def lost_directions(coef, systems, moment):
    """Experts (K,) whose slopes are so far out that no row tells how far.

    Parameters
    ----------
    coef : ndarray of shape (K, p)
        Intercept last.
    systems : ndarray of shape (K, p, p)
        Information of rows and penalty.
    moment : ndarray of shape (p, p)
        Second moment of the columns.
    """
    values, vectors = np.linalg.eigh(moment[:-1, :-1])
    kept = values > 1e-9 * values.max(initial=0.0)
    axes = vectors[:, kept] / np.sqrt(values[kept])  # along each, linear predictors spread by one
    corner = np.maximum(systems[:, -1:, -1:], np.finfo(float).tiny)
    slopes = systems[:, :-1, :-1] - systems[:, :-1, -1:] @ systems[:, -1:, :-1] / corner  # at the best intercept
    information, turned = np.linalg.eigh(axes.T @ slopes @ axes)
    largest = information.max(axis=1, initial=0.0)[:, None]
    spread = coef[:, :-1] @ (vectors[:, kept] * np.sqrt(values[kept]))
    spread = np.einsum("kij,ki->kj", turned, spread)
    # Along a column that is constant on an expert's rows there is no information either, but no way to run.
    return ((information + 1e-13 * largest < LEAST_INFORMATION) & (np.abs(spread) > FAR)).any(axis=1)
