"""Calibration: whether observations are distributed as predicted."""

import numpy as np
from sklearn.utils import check_random_state

from .proper import average, central, check_share, coded, need_numbers, target_of, weights_of

__all__ = ["calibration_error", "coverage", "pit", "pit_distance"]

LEVELS = tuple(i / 20 for i in range(1, 20))
# The PIT of an atom with less probability than this is treated as a point; distances change by no more than that.
NARROW = 1e-6


def _pit_range(dist, y):
    """F(y-) and F(y) of every row and output, (n, T), eq. (pit), between which the probability transform lies.

    The limit from the left is the value at the next smaller double, the same where y has a density. F of classes is
    that of their codes.
    """
    dist, y = coded(dist, y)
    y = target_of(dist, y)
    high = np.asarray(dist.cdf(y))
    if high.shape != y.shape:
        raise ValueError(f"y has shape {y.shape}, the distribution gives {high.shape}; they must have the same rows.")
    low = np.minimum(dist.cdf(np.nextafter(y, -np.inf)), high)
    return low.reshape(len(y), -1), high.reshape(len(y), -1)


def pit(dist, y, random_state=None):
    """Probability integral transform of observed targets, (n,) or (n, T), eq. (pit): uniform if the model is right.

    Where y has atoms (counts, classes, a point mass), a value is drawn uniformly between the probabilities of being
    below y and of being at most y. Of classes the order is that of their codes; the transform is uniform in any order.

    Parameters
    ----------
    dist : predictive distribution of n rows
    y : array-like of shape (n,) or (n, T)
    random_state : int, RandomState instance, Generator or None, default=None
        For the draws at atoms; without atoms it has no effect.

    Returns
    -------
    ndarray of the shape of y

    References
    ----------
    Czado, C., Gneiting, T. and Held, L. (2009). Predictive model assessment for count data. Biometrics 65(4),
    1254-1261, section 2.1.

    Examples
    --------
    >>> from hme import HMERegressor
    >>> from hme.datasets import load_motorcycle
    >>> from hme.scoring import pit
    >>> X, y = load_motorcycle(return_X_y=True)
    >>> model = HMERegressor(depth=2).fit(X, y)
    >>> values = pit(model.predict_dist(X), y)
    >>> values.shape, bool((values > 0).all() and (values < 1).all())
    ((133,), True)
    """
    low, high = _pit_range(dist, y)
    rng = random_state if isinstance(random_state, np.random.Generator) else check_random_state(random_state)
    return (low + rng.uniform(size=low.shape) * (high - low)).reshape(np.shape(y))


def _kolmogorov(low, high, weight):
    """Kolmogorov distance between the mixture of the distributions U(low, high) and U(0, 1)."""
    wide = high - low > NARROW
    at = np.concatenate([low[wide], high[wide], high[~wide]])
    rate = weight[wide] / (high - low)[wide]
    slope = np.concatenate([rate, -rate, np.zeros((~wide).sum())])
    jump = np.concatenate([np.zeros(2 * wide.sum()), weight[~wide]])
    order = np.argsort(at, kind="stable")
    at, slope, jump = at[order], np.cumsum(slope[order]), np.cumsum(jump[order])
    # The difference is linear between knots, so that it is largest at a knot or just before one.
    risen = np.append(0.0, np.cumsum(slope[:-1] * np.diff(at)))
    return max(np.abs(risen + jump - at).max(), np.abs(risen + np.append(0.0, jump[:-1]) - at).max())


def pit_distance(dist, y, *, sample_weight=None):
    """Kolmogorov distance of the probability integral transform to uniform, eq. (pit-distance). Smaller is better.

    Nothing is drawn: where y has atoms, each row stands for all values that `pit` could draw. For n rows of the true
    distribution the distance is about 0.87 over the square root of n, or less where there are atoms.

    Parameters
    ----------
    dist : predictive distribution of n rows
    y : array-like of shape (n,) or (n, T)
    sample_weight : array-like of shape (n,) or None

    Returns
    -------
    float
        Between 0 and 1, the mean over outputs.

    References
    ----------
    Czado, C., Gneiting, T. and Held, L. (2009). Predictive model assessment for count data. Biometrics 65(4),
    1254-1261, section 2.1.

    Examples
    --------
    >>> from hme import HMERegressor
    >>> from hme.datasets import load_motorcycle
    >>> from hme.scoring import pit_distance
    >>> X, y = load_motorcycle(return_X_y=True)
    >>> model = HMERegressor(depth=2).fit(X, y)
    >>> round(pit_distance(model.predict_dist(X), y), 2)
    0.13
    """
    low, high = _pit_range(dist, y)
    weight = weights_of(sample_weight, low)
    return float(np.mean([_kolmogorov(low[:, t], high[:, t], weight) for t in range(low.shape[1])]))


def coverage(dist, y, level=0.9, *, sample_weight=None):
    """Share of rows inside the central interval of a nominal coverage.

    Intervals of counts cover more than their nominal share, since their ends are whole numbers.

    Parameters
    ----------
    dist : predictive distribution of n rows
    y : array-like of shape (n,) or (n, T)
    level : float, default=0.9
        Nominal coverage, between 0 and 1.
    sample_weight : array-like of shape (n,) or None

    Returns
    -------
    float

    Examples
    --------
    >>> from hme import HMERegressor
    >>> from hme.datasets import load_motorcycle
    >>> from hme.scoring import coverage
    >>> X, y = load_motorcycle(return_X_y=True)
    >>> model = HMERegressor(depth=2).fit(X, y)
    >>> round(coverage(model.predict_dist(X), y, 0.9), 2)
    0.98
    """
    need_numbers(dist, "coverage")
    y = target_of(dist, y)
    low, high = central(dist, check_share(level, "level"))
    return average(((low <= y) & (y <= high)).astype(float), sample_weight)


def calibration_error(dist, y, levels=LEVELS, *, sample_weight=None):
    """Mean distance between nominal and actual coverage of quantiles, eq. (calibration-error). Smaller is better.

    Where y has atoms, a row counts with the share of `pit` that lies below the level, so that the right model for
    counts is calibrated too. Calibration alone is not a proper score: the marginal distribution of y is calibrated.

    Parameters
    ----------
    dist : predictive distribution of n rows
    y : array-like of shape (n,) or (n, T)
    levels : array-like of floats, default=(0.05, 0.1, ..., 0.95)
        Levels of the quantiles, between 0 and 1.
    sample_weight : array-like of shape (n,) or None

    Returns
    -------
    float
        The mean over levels and outputs.

    References
    ----------
    Kuleshov, V., Fenner, N. and Ermon, S. (2018). Accurate uncertainties for deep learning using calibrated regression.
    Proceedings of Machine Learning Research 80, 2796-2804; here with absolute differences.

    Examples
    --------
    >>> from hme import HMERegressor
    >>> from hme.datasets import load_motorcycle
    >>> from hme.scoring import calibration_error
    >>> X, y = load_motorcycle(return_X_y=True)
    >>> model = HMERegressor(depth=2).fit(X, y)
    >>> round(calibration_error(model.predict_dist(X), y), 2)
    0.06
    """
    levels = np.array([check_share(level, "levels") for level in np.ravel(levels)])
    if not len(levels):
        raise ValueError("levels must have at least one number between 0 and 1.")
    low, high = _pit_range(dist, y)
    weight, width = weights_of(sample_weight, low), np.maximum(high - low, 1e-300)
    actual = [weight @ np.clip((level - low) / width, 0.0, 1.0) for level in levels]
    return float(np.abs(np.array(actual) - levels[:, None]).mean())
