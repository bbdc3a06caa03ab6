"""The delta method: standard errors of functions of the parameters, from the covariance of their estimates."""

from typing import NamedTuple

import numpy as np
from scipy.special import expit, logsumexp
from scipy.stats import norm

__all__ = ["Band", "ParameterCovariance", "expert_mean_band", "gate_band", "mean_band"]

STEP = 1e-3  # of the central differences, in standard errors: their relative error is some 1e-6
FLAT_STEP = 1.0  # along undetermined directions, where functions that do not change show rounding errors only
# The scaled information counts as zero along a direction below this fraction of its largest eigenvalue.
SINGULAR = 1e-10
# A function that moves along such a direction, by more than this share of its standard error, has none. The variances
# along these directions are taken to be as small as they can be.
LOOSE = 1e-3
DEPENDENT = 1e-9  # eigenvalues of a scaled covariance of contrasts that count as zero
ROUNDING = 1e-6  # movements below this fraction of the largest value are rounding
TINY = np.finfo(float).tiny
FARTHEST = 700.0  # logits end here, where probabilities leave the range of a double


class Band(NamedTuple):
    """Pointwise intervals of a function of x, all in one shape.

    The standard error is inf where the data do not determine the value.
    """

    estimate: np.ndarray
    standard_error: np.ndarray
    lower: np.ndarray
    upper: np.ndarray


class ParameterCovariance(NamedTuple):
    """Covariance ``root root'`` of the estimated free coordinates, and of functions of them, eq. (delta).

    Parameters
    ----------
    move : callable
        Parameters at a displacement (F,) of the free coordinates.
    root : ndarray of shape (F, r)
        A square root of their covariance.
    loose : ndarray of shape (F, m)
        Directions that the data do not determine, as long as a conditional standard error.
    lost : ndarray of shape (F, l) or None
        Directions that the rows say nothing about, as long as the standard errors that the information alone would give
        them. Coefficients along them have no standard error; all else takes them as fixed.

    Examples
    --------
    >>> from hme import HMERegressor
    >>> from hme.inference import infer
    >>> X = [[float(i)] for i in range(30)]
    >>> y = [2.0 * i + (-1) ** i for i in range(30)]
    >>> found = infer(HMERegressor(depth=0).fit(X, y), X, y)
    >>> found.parameter_covariance.root.shape
    (3, 3)
    """

    move: object
    root: np.ndarray
    loose: np.ndarray
    lost: np.ndarray | None = None

    @classmethod
    def of(cls, move, information, lost=None):
        """From the information matrix (F, F) of the objective, eq. (observed-covariance).

        Parameters
        ----------
        move : callable
        information : ndarray of shape (F, F)
        lost : hme.inference.divergence.Lost or None
            Directions that are left out.

        Returns
        -------
        covariance : ParameterCovariance
        eigenvalues : ndarray of shape (F,)
            Of the information scaled to a diagonal of ones, eq. (scaled-information), in ascending order.
        """
        if lost is not None:
            inner, values = cls.of(move, lost.kept.T @ information @ lost.kept)
            return cls(move, lost.kept @ inner.root, lost.kept @ inner.loose, lost.directions), values
        # What is out of the range of numbers tells nothing.
        known = np.isfinite(np.diagonal(information))
        known &= np.isfinite(np.where(known, information, 0.0)).all(axis=1)
        information = np.where(known & known[:, None], information, 0.0)
        diagonal = np.diagonal(information)
        unit = np.where(diagonal > 0, np.abs(diagonal), 1.0) ** -0.5
        if not len(unit):
            return cls(move, np.zeros((0, 0)), np.zeros((0, 0))), np.ones(0)
        values, vectors = np.linalg.eigh(information * unit * unit[:, None])
        sure = values > SINGULAR * max(values[-1], 0.0)
        loose = unit[:, None] * vectors[:, ~sure]
        root = unit[:, None] * vectors[:, sure] / np.sqrt(values[sure])
        return cls(move, root, loose), values

    def sandwich(self, meat):
        """The sandwich with the matrix (F, F) between two inverses of the information, eq. (sandwich)."""
        share, turn = np.linalg.eigh(self.root.T @ meat @ self.root)
        return self._replace(root=self.root @ (turn * np.sqrt(np.maximum(share, 0.0))))

    def _errors(self, along, across, size):
        """Standard errors from squared changes along the root and the loose directions; inf where the latter matter."""
        across = across / SINGULAR  # the least variance that such a direction can have
        free = (across > LOOSE**2 * along) & (across > (ROUNDING * size) ** 2)
        return np.where(free, np.inf, np.sqrt(along))

    def linear(self, jacobian):
        """Standard errors of linear functions (P, F) of the coordinates."""
        along, across = ((jacobian @ directions) ** 2 for directions in (self.root, self.loose))
        terms = (np.abs(jacobian) @ np.abs(self.loose)).max(axis=1, initial=0.0)
        errors = self._errors(along.sum(axis=1), across.sum(axis=1), terms)
        return np.where(self.along_lost(jacobian), np.inf, errors)

    def along_lost(self, jacobian):
        """Which linear functions (P, F) of the coordinates move most along the lost directions, (P,) of bool."""
        if self.lost is None:
            return np.zeros(len(jacobian), dtype=bool)
        own, others = (((jacobian @ directions) ** 2).sum(axis=1) for directions in (self.lost, self.root))
        return own > others

    def errors(self, function):
        """Value of a function of the parameters, any array, and its standard errors in the same shape, eq. (delta)."""
        value = function(self.move(np.zeros(len(self.root))))
        along, across = (
            sum((self._slope(function, direction, step) ** 2 for direction in directions.T), np.zeros_like(value))
            for directions, step in ((self.root, STEP), (self.loose, FLAT_STEP))
        )
        return value, self._errors(along, across, np.abs(value).max(initial=0.0))

    def _slope(self, function, direction, step):
        return (function(self.move(step * direction)) - function(self.move(-step * direction))) / (2.0 * step)

    def wald(self, jacobian, difference):
        """Chi-squared statistic and its degrees of freedom, of linear functions (q, F) off by (q,), eq. (wald).

        Linearly dependent functions do not count.
        """
        half = jacobian @ self.root
        error = np.linalg.norm(half, axis=1)
        if not error.all():
            raise ValueError("there is nothing to test, as the standard error is zero for one of")
        half, difference = half / error[:, None], difference / error
        values, vectors = np.linalg.eigh(half @ half.T)
        sure, along = values > DEPENDENT * values[-1], vectors.T @ difference
        if (np.abs(along[~sure]) > np.sqrt(DEPENDENT) * max(np.abs(along).max(), 1.0)).any():
            raise ValueError("the values contradict each other, as some of these are combinations of the others")
        return float((along[sure] ** 2 / values[sure]).sum()), int(sure.sum())


# -- bands -------------------------------------------------------------------------------------------------------------


class _Scale(NamedTuple):
    """A scale on which a value is unbounded, so that intervals stay within its range."""

    back: object  # from the scale to the value
    slope: object  # the derivative of `back`


LINEAR = _Scale(lambda v: v, np.ones_like)
LOG = _Scale(lambda v: np.where(v > np.log(TINY), np.exp(v), 0.0), np.exp)
LOGIT = _Scale(expit, lambda v: expit(v) * expit(-v))


def _band(covariance, rows, function, scale, level):
    """Band of ``function(params, block)``, which returns values on the scale."""
    parts = [covariance.errors(lambda params, block=block: function(params, block)) for _, block in rows.blocks()]
    value, error = (np.concatenate(part) for part in zip(*parts, strict=True))
    reach = norm.isf(0.5 * (1.0 - level)) * error
    sure = np.isfinite(error)
    with np.errstate(over="ignore"):
        slope = scale.slope(value)
        natural = np.where(sure, np.where(sure, error, 0.0) * slope, np.inf)
        return Band(scale.back(value), natural, scale.back(value - reach), scale.back(value + reach))


def mean_band(covariance, mixture, rows, level, classes=False):
    """Band of the mean of y, (n, T), or of class probabilities, (n, C), eqs. (mean), (delta)."""
    return _mean_band(covariance, mixture, rows, level, classes, lambda params, block: mixture.mean(params, block))


def expert_mean_band(covariance, mixture, rows, level, classes=False):
    """Band of every expert's mean or class probabilities, (n, K, T), eq. (delta)."""

    def mean(params, block):
        return mixture.expert.predict(params.experts, block)

    return _mean_band(covariance, mixture, rows, level, classes, mean)


def _mean_band(covariance, mixture, rows, level, classes, mean):
    trials = _common_trials(mixture.expert.members, rows)
    if classes:

        def function(params, block):
            return _logit(mean(params, block))

        scale = LOGIT
    elif trials is not None:  # intervals of the share of successes
        rows = rows._replace(trials=np.ones(rows.n_rows))

        def function(params, block):
            share = mean(params, block)
            return np.clip(np.log(share) - np.log1p(-share), -FARTHEST, FARTHEST)

        scale = LOGIT
    elif mixture.expert.traits.positive:

        def function(params, block):
            return np.log(np.maximum(mean(params, block), TINY))

        scale = LOG
    else:
        function, scale = mean, LINEAR
    with np.errstate(divide="ignore"):
        band = _band(covariance, rows, function, scale, level)
    if classes or trials is None:
        return band
    return Band(*(part * trials.reshape(-1, *[1] * (part.ndim - 1)) for part in band))


def _common_trials(members, rows):
    """Trials (n,) where all experts count successes out of the same ones, else None."""
    first, *others = (member.trials(rows) for member in members)
    same = first is not None and all(other is not None and np.array_equal(first, other) for other in others)
    return first if same else None


def gate_band(covariance, mixture, rows, level):
    """Band of the prior of every leaf, (n, K), eq. (delta); intervals are those of the logits."""

    def logits(params, block):
        log_prior = np.ascontiguousarray(mixture.log_prior(params, block))
        if log_prior.shape[1] == 1:
            return np.full_like(log_prior, FARTHEST)
        others = [logsumexp(np.delete(log_prior, k, axis=1), axis=1) for k in range(log_prior.shape[1])]
        with np.errstate(invalid="ignore"):
            logit = log_prior - np.stack(others, axis=1)
        return np.clip(np.where(np.isnan(logit), -FARTHEST, logit), -FARTHEST, FARTHEST)

    return _band(covariance, rows, logits, LOGIT, level)


def _logit(probability):
    """Logits of probabilities that sum to one over the last axis; 1 - p is the sum of the others, without rounding."""
    C = probability.shape[-1]
    others = np.stack([np.delete(probability, c, axis=-1).sum(axis=-1) for c in range(C)], axis=-1)
    return np.log(np.maximum(probability, TINY)) - np.log(np.maximum(others, TINY))
