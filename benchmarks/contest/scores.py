"""Scores of predictions, the same for every method."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import stats

__all__ = [
    "NormalPrediction",
    "Part",
    "Prediction",
    "class_scores",
    "log_scores",
    "regression_scores",
    "rounding_cells",
]

FEW_VALUES = 100  # with fewer different values y counts as rounded
LEAST_PROBABILITY = 1e-6  # of a class: forests give zero
LEAST_CELL = 1e-300  # probability of a cell, below which differences of distribution functions are no numbers


class Prediction(NamedTuple):
    """Means of y (n,), and distributions of n rows with the methods `logpdf`, `cdf`, `ccdf`, `crps`."""

    mean: np.ndarray
    dist: object


class Part(NamedTuple):
    """One of several predictors that a fit gives.

    Attributes
    ----------
    answer : callable
        A function of X.
    seconds : float
        CPU seconds of its fit.
    models : float
        Those of them that the models of a stack took: the search for boosting, cross-fitting and refits.
    """

    answer: Callable
    seconds: float
    models: float


class NormalPrediction:
    """Normal distributions of n rows, with the methods of the mixture's."""

    def __init__(self, mean, std):
        self.mean = np.asarray(mean, dtype=float)
        self.std = np.broadcast_to(std, self.mean.shape)
        dist = stats.norm(self.mean, self.std)
        self.logpdf, self.cdf, self.ccdf = dist.logpdf, dist.cdf, dist.sf

    def crps(self, y):
        """In closed form, Gneiting and Raftery (2007), section 4.2."""
        z = (y - self.mean) / self.std
        return self.std * (z * (2 * stats.norm.cdf(z) - 1) + 2 * stats.norm.pdf(z) - 1 / np.sqrt(np.pi))


def rounding_cells(y):
    """Different values of a rounded target with the lower and upper edges of their cells; None where there are many.

    A cell reaches half a step to both sides, the step being the smallest distance of two values, if all distances are
    multiples of it; otherwise to the middle between neighbours.
    """
    values = np.unique(y)
    if not 1 < len(values) < FEW_VALUES:
        return None
    gaps = np.diff(values)
    steps = gaps / gaps.min()
    if np.allclose(steps, np.round(steps), rtol=0, atol=1e-6):
        return values, values - gaps.min() / 2, values + gaps.min() / 2
    below, above = np.append(gaps[0], gaps) / 2, np.append(gaps, gaps[-1]) / 2
    return values, values - below, values + above


def log_scores(dist, y, cells=None):
    """Log-densities of rows, or log-probabilities of the cells of a rounded target."""
    if cells is None:
        return np.asarray(dist.logpdf(y))
    low, high = cells
    upper = dist.cdf(low) > 0.5  # there differences of the complement lose nothing
    inside = np.where(upper, dist.ccdf(low) - dist.ccdf(high), dist.cdf(high) - dist.cdf(low))
    return np.log(np.maximum(inside, LEAST_CELL))


def regression_scores(prediction, y, cells=None):
    scores, level = log_scores(prediction.dist, y, cells), prediction.dist.cdf(y)
    return {
        "rmse": float(np.sqrt(np.mean((y - prediction.mean) ** 2))),
        "log_score": float(np.mean(scores)),
        "crps": float(np.mean(prediction.dist.crps(y))),
        "coverage": float(np.mean((level >= 0.05) & (level <= 0.95))),
        "worst_row": float(np.min(scores)),
    }


def class_scores(probability, y):
    """Scores of class probabilities (n, C); y holds the numbers of their columns."""
    own = probability[np.arange(len(y)), y]
    scores = np.log(np.maximum(own, LEAST_PROBABILITY))
    square = np.sum(probability**2, axis=1) - 2 * own + 1
    return {
        "log_loss": float(-np.mean(scores)),
        "log_loss_error": float(np.std(scores) / np.sqrt(len(y))),
        "accuracy": float(np.mean(np.argmax(probability, axis=1) == y)),
        "brier": float(np.mean(square)),
        "worst_row": float(np.min(scores)),
    }
