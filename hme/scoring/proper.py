"""Proper scores of predictive distributions and of class probabilities."""

import numpy as np
from sklearn.metrics import mean_pinball_loss
from sklearn.utils import check_array, check_consistent_length, column_or_1d
from sklearn.utils.validation import _check_sample_weight

__all__ = [
    "average",
    "brier_score",
    "central",
    "check_share",
    "coded",
    "crps",
    "interval_score",
    "log_score",
    "need_numbers",
    "pinball",
    "target_of",
    "weights_of",
]


def target_of(dist, y):
    """Observed targets as an array in the shape of the distribution."""
    y = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")
    n_outputs = getattr(dist, "n_outputs", y.shape[-1] if y.ndim == 2 else 1)
    if y.shape not in ((len(y),), (len(y), n_outputs)) or (y.ndim == 1 and n_outputs > 1):
        raise ValueError(f"y has shape {y.shape}; each row must have a value of each of the {n_outputs} output(s).")
    return y


def coded(dist, y):
    """Of classes the distribution of their codes and the codes of y; else both as they are."""
    if not _is_of_classes(dist):
        return dist, y
    return dist.codes(), dist.encode(column_or_1d(y))


def need_numbers(dist, name):
    """Refuse distributions of classes where a score needs distances."""
    if _is_of_classes(dist):
        raise TypeError(
            f"{name} needs a y of numbers, and {dist!r} is one of classes. Use log_score, brier_score or the "
            f"calibration of pit; where the order of the classes means something, {name}(dist.codes(), dist.encode(y))."
        )


def _is_of_classes(dist):
    return getattr(dist, "classes", None) is not None


def average(values, sample_weight):
    """Weighted mean over rows of values (n,), or of their mean over outputs (n, T)."""
    values = np.asarray(values)
    weight = weights_of(sample_weight, values)
    used = weight > 0  # rows without weight may have infinite scores
    return float(weight[used] @ values[used].reshape(used.sum(), -1).mean(axis=1))


def weights_of(sample_weight, rows):
    """Weights (n,) that sum to one."""
    if sample_weight is not None and not np.any(sample_weight):
        raise ValueError("sample_weight is zero everywhere; at least one row needs a positive weight.")
    weight = _check_sample_weight(sample_weight, rows, dtype=np.float64, ensure_non_negative=True)
    return weight / weight.sum()


def check_share(value, name):
    """A probability strictly between 0 and 1."""
    if isinstance(value, bool) or not (np.ndim(value) == 0 and 0.0 < value < 1.0):
        raise ValueError(f"{name} must be a number between 0 and 1, both excluded, got {value!r}.")
    return float(value)


def central(dist, coverage):
    """Ends of the central interval, with equal probabilities below and above."""
    tail = 0.5 * (1.0 - coverage)
    return dist.icdf(tail), dist.icdf(1.0 - tail)


def log_score(dist, y, *, sample_weight=None):
    """Mean logarithm of the density, or probability, of observed targets, eq. (score-log). Larger is better.

    Parameters
    ----------
    dist : predictive distribution of n rows
        Of numbers or of classes.
    y : array-like of shape (n,) or (n, T)
        For several outputs the joint density is used.
    sample_weight : array-like of shape (n,) or None

    Returns
    -------
    float

    References
    ----------
    Good, I. J. (1952). Rational decisions. Journal of the Royal Statistical Society, Series B 14(1), 107-114.

    Gneiting, T. and Raftery, A. E. (2007). Strictly proper scoring rules, prediction, and estimation. Journal of the
    American Statistical Association 102(477), 359-378, section 4.1.

    Examples
    --------
    >>> from hme import HMERegressor
    >>> from hme.datasets import load_motorcycle
    >>> from hme.scoring import log_score
    >>> X, y = load_motorcycle(return_X_y=True)
    >>> model = HMERegressor(depth=2).fit(X, y)
    >>> round(log_score(model.predict_dist(X), y), 2)
    -4.32
    """
    dist, y = coded(dist, y)
    log_density = dist.logpmf if getattr(dist, "discrete", False) else dist.logpdf
    return average(log_density(target_of(dist, y)), sample_weight)


def crps(dist, y, *, sample_weight=None):
    """Mean continuous ranked probability score, eq. (score-crps), in the units of y. Smaller is better.

    For point predictions it is the mean absolute error.

    Parameters
    ----------
    dist : predictive distribution of n rows
    y : array-like of shape (n,) or (n, T)
    sample_weight : array-like of shape (n,) or None

    Returns
    -------
    float

    References
    ----------
    Gneiting, T. and Raftery, A. E. (2007). Strictly proper scoring rules, prediction, and estimation. Journal of the
    American Statistical Association 102(477), 359-378, eqs. 20, 21.

    Examples
    --------
    >>> from hme import HMERegressor
    >>> from hme.datasets import load_motorcycle
    >>> from hme.scoring import crps
    >>> X, y = load_motorcycle(return_X_y=True)
    >>> model = HMERegressor(depth=2).fit(X, y)
    >>> round(crps(model.predict_dist(X), y), 1)
    12.1
    """
    need_numbers(dist, "crps")
    return average(dist.crps(target_of(dist, y)), sample_weight)


def pinball(dist, y, level=0.5, *, sample_weight=None):
    """Mean pinball loss of a quantile, eq. (score-pinball). Smaller is better.

    Parameters
    ----------
    dist : predictive distribution of n rows
    y : array-like of shape (n,) or (n, T)
    level : float, default=0.5
        Level of the quantile, between 0 and 1.
    sample_weight : array-like of shape (n,) or None

    Returns
    -------
    float

    References
    ----------
    Koenker, R. and Bassett, G. (1978). Regression quantiles. Econometrica 46(1), 33-50, eq. 3.1.

    Examples
    --------
    >>> from hme import HMERegressor
    >>> from hme.datasets import load_motorcycle
    >>> from hme.scoring import pinball
    >>> X, y = load_motorcycle(return_X_y=True)
    >>> model = HMERegressor(depth=2).fit(X, y)
    >>> round(pinball(model.predict_dist(X), y, 0.9), 1)
    3.9
    """
    need_numbers(dist, "pinball")
    y, level = target_of(dist, y), check_share(level, "level")
    return float(mean_pinball_loss(y, dist.icdf(level), sample_weight=weights_of(sample_weight, y), alpha=level))


def interval_score(dist, y, coverage=0.9, *, sample_weight=None):
    """Mean interval score of the central interval, eq. (score-interval). Smaller is better.

    The length of the interval, plus a penalty for rows outside it that grows with their distance.

    Parameters
    ----------
    dist : predictive distribution of n rows
    y : array-like of shape (n,) or (n, T)
    coverage : float, default=0.9
        Nominal coverage of the interval, between 0 and 1.
    sample_weight : array-like of shape (n,) or None

    Returns
    -------
    float

    References
    ----------
    Gneiting, T. and Raftery, A. E. (2007). Strictly proper scoring rules, prediction, and estimation. Journal of the
    American Statistical Association 102(477), 359-378, eq. 43.

    Examples
    --------
    >>> from hme import HMERegressor
    >>> from hme.datasets import load_motorcycle
    >>> from hme.scoring import interval_score
    >>> X, y = load_motorcycle(return_X_y=True)
    >>> model = HMERegressor(depth=2).fit(X, y)
    >>> round(interval_score(model.predict_dist(X), y))
    102
    """
    need_numbers(dist, "interval_score")
    y, coverage = target_of(dist, y), check_share(coverage, "coverage")
    low, high = central(dist, coverage)
    outside = np.maximum(low - y, 0.0) + np.maximum(y - high, 0.0)
    return average(high - low + 2.0 / (1.0 - coverage) * outside, sample_weight)


def brier_score(probability, codes, *, sample_weight=None):
    """Mean squared distance between class probabilities and observed classes, eq. (score-brier). Smaller is better.

    Parameters
    ----------
    probability : ClassDistribution or array-like of shape (n, C)
        As from ``predict_dist`` or ``predict_proba``.
    codes : array-like of shape (n,)
        With a distribution the classes themselves; else the number of each row's class from 0 to C - 1, and -1 for a
        class that was not in the training data.
    sample_weight : array-like of shape (n,) or None

    Returns
    -------
    float
        Between 0 and 2, also for two classes.

    References
    ----------
    Brier, G. W. (1950). Verification of forecasts expressed in terms of probability. Monthly Weather Review 78(1), 1-3.

    Examples
    --------
    >>> from hme.scoring import brier_score
    >>> round(brier_score([[0.9, 0.1], [0.4, 0.6]], [0, 0]), 2)
    0.37
    """
    if _is_of_classes(probability):
        probability, codes = probability.probabilities(), probability.encode(column_or_1d(codes))
    probability = check_array(probability, dtype=np.float64, input_name="probability")
    codes, last = np.asarray(codes), probability.shape[1] - 1
    check_consistent_length(probability, codes)
    if codes.ndim != 1 or codes.dtype.kind not in "iu" or codes.min() < -1 or codes.max() > last:
        raise ValueError(f"codes must be integers (n,) from -1 to {last}, got {codes!r}.")
    own = np.where(codes < 0, 0.0, probability[np.arange(len(codes)), codes])
    return average((probability**2).sum(axis=1) - 2.0 * own + 1.0, sample_weight)
