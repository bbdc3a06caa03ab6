"""How good a predictive distribution is: proper scores, calibration, and both as scikit-learn's ``scoring=``.

The functions take a predictive distribution, as ``predict_dist`` of an estimator returns it, and what was seen. Scores
of several outputs are averaged over them, but for the logarithmic one, which judges their joint density. Of `log_score`
more is better, of all others less; scorers turn the sign where needed, so that more is always better.
"""

import copy

import numpy as np
import sklearn
from sklearn.base import is_classifier
from sklearn.compose import TransformedTargetRegressor
from sklearn.metrics import mean_pinball_loss
from sklearn.pipeline import Pipeline
from sklearn.utils import check_array, check_consistent_length, check_random_state
from sklearn.utils.metadata_routing import MetadataRequest
from sklearn.utils.validation import _check_sample_weight

__all__ = [
    "DistributionScorer",
    "brier_score",
    "brier_scorer",
    "calibration_error",
    "calibration_scorer",
    "coverage",
    "crps",
    "crps_scorer",
    "interval_score",
    "interval_scorer",
    "log_score",
    "log_score_scorer",
    "pinball",
    "pit",
    "pit_distance",
]

LEVELS = tuple(np.arange(1, 20) / 20)
# An atom of y that holds less probability than this is a point of the PIT: it moves no distance by more.
NARROW = 1e-6


def _target(dist, y):
    y = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")
    n_outputs = getattr(dist, "n_outputs", y.shape[-1] if y.ndim == 2 else 1)
    if y.shape not in ((len(y),), (len(y), n_outputs)) or (y.ndim == 1 and n_outputs > 1):
        raise ValueError(f"y has shape {y.shape}; each row must have a value of each of the {n_outputs} output(s).")
    return y


def _average(values, sample_weight):
    """Weighted mean over rows of values (n,), or of their mean over outputs (n, T)."""
    values = np.asarray(values)
    weight = _weights(sample_weight, values)
    used = weight > 0  # what is impossible has an infinite score, even if nobody asked for it
    return float(weight[used] @ values[used].reshape(used.sum(), -1).mean(axis=1))


def _weights(sample_weight, rows):
    """Weights (n,) that sum to one."""
    if sample_weight is not None and not np.any(sample_weight):
        raise ValueError("sample_weight is zero everywhere; at least one row needs a positive weight.")
    weight = _check_sample_weight(sample_weight, rows, dtype=np.float64, ensure_non_negative=True)
    return weight / weight.sum()


def _check_share(value, name):
    """A probability strictly between 0 and 1."""
    if isinstance(value, bool) or not (np.ndim(value) == 0 and 0.0 < value < 1.0):
        raise ValueError(f"{name} must be a number between 0 and 1, both excluded, got {value!r}.")
    return float(value)


def _central(dist, coverage):
    """Ends of the central interval, as much probability below as above."""
    tail = 0.5 * (1.0 - coverage)
    return dist.icdf(tail), dist.icdf(1.0 - tail)


# -- proper scores ----------------------------------------------------------------------------------------------------


def log_score(dist, y, *, sample_weight=None):
    """Mean logarithm of the density, or of the probability, of what was seen, eq. (score-log). More is better.

    Parameters
    ----------
    dist : predictive distribution of n rows
    y : array-like of shape (n,) or (n, T)
        For several outputs their joint density is taken.
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
    -4.29
    """
    log_density = dist.logpmf if getattr(dist, "discrete", False) else dist.logpdf
    return _average(log_density(_target(dist, y)), sample_weight)


def crps(dist, y, *, sample_weight=None):
    """Mean continuous ranked probability score, eq. (score-crps), in the units of y. Less is better.

    It is the mean absolute error of a prediction that is one number.

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
    12.0
    """
    return _average(dist.crps(_target(dist, y)), sample_weight)


def pinball(dist, y, level=0.5, *, sample_weight=None):
    """Mean pinball loss of a quantile, eq. (score-pinball). Less is better.

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
    3.7
    """
    y, level = _target(dist, y), _check_share(level, "level")
    return float(mean_pinball_loss(y, dist.icdf(level), sample_weight=_weights(sample_weight, y), alpha=level))


def interval_score(dist, y, coverage=0.9, *, sample_weight=None):
    """Mean interval score of the central interval, eq. (score-interval). Less is better.

    The length of the interval, and a penalty for every row outside that grows with its distance.

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
    96
    """
    y, coverage = _target(dist, y), _check_share(coverage, "coverage")
    low, high = _central(dist, coverage)
    outside = np.maximum(low - y, 0.0) + np.maximum(y - high, 0.0)
    return _average(high - low + 2.0 / (1.0 - coverage) * outside, sample_weight)


def brier_score(probability, codes, *, sample_weight=None):
    """Mean squared distance of class probabilities to what was seen, eq. (score-brier). Less is better.

    Parameters
    ----------
    probability : array-like of shape (n, C)
    codes : array-like of shape (n,)
        Number of each row's class from 0 to C - 1; -1 is a class that the model does not know.
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
    probability = check_array(probability, dtype=np.float64, input_name="probability")
    codes, last = np.asarray(codes), probability.shape[1] - 1
    check_consistent_length(probability, codes)
    if codes.ndim != 1 or codes.dtype.kind not in "iu" or codes.min() < -1 or codes.max() > last:
        raise ValueError(f"codes must be integers (n,) from -1 to {last}, got {codes!r}.")
    own = np.where(codes < 0, 0.0, probability[np.arange(len(codes)), codes])
    return _average((probability**2).sum(axis=1) - 2.0 * own + 1.0, sample_weight)


# -- calibration ------------------------------------------------------------------------------------------------------


def _pit_range(dist, y):
    """F(y-) and F(y) of every row and output, (n, T), eq. (pit): what y leaves open of its own probability transform.

    The limit from the left is the value at the next smaller double, the same where y has a density.
    """
    y = _target(dist, y)
    high = np.asarray(dist.cdf(y))
    if high.shape != y.shape:
        raise ValueError(f"y has shape {y.shape}, the distribution gives {high.shape}; they must have the same rows.")
    low = np.minimum(dist.cdf(np.nextafter(y, -np.inf)), high)
    return low.reshape(len(y), -1), high.reshape(len(y), -1)


def pit(dist, y, random_state=None):
    """Probability integral transform of what was seen, (n,) or (n, T), eq. (pit): uniform if the model is right.

    Where y has atoms (counts, a point mass), a value is drawn between the probabilities of being below y and of being
    at most y.

    Parameters
    ----------
    dist : predictive distribution of n rows
    y : array-like of shape (n,) or (n, T)
    random_state : int, RandomState instance, Generator or None, default=None
        What draws at atoms; without atoms it changes nothing.

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
    """Largest distance of the mean of the distributions of U(low, high) to the uniform one."""
    wide = high - low > NARROW
    at = np.concatenate([low[wide], high[wide], high[~wide]])
    rate = weight[wide] / (high - low)[wide]
    slope = np.concatenate([rate, -rate, np.zeros((~wide).sum())])
    jump = np.concatenate([np.zeros(2 * wide.sum()), weight[~wide]])
    order = np.argsort(at, kind="stable")
    at, slope, jump = at[order], np.cumsum(slope[order]), np.cumsum(jump[order])
    # The distance is linear between knots, so that it is largest just before one or at one.
    risen = np.append(0.0, np.cumsum(slope[:-1] * np.diff(at)))
    return max(np.abs(risen + jump - at).max(), np.abs(risen + np.append(0.0, jump[:-1]) - at).max())


def pit_distance(dist, y, *, sample_weight=None):
    """Kolmogorov distance of the probability integral transform to uniform, eq. (pit-distance). Less is better.

    Nothing is drawn: where y has atoms, each row stands for all values that `pit` could draw. Of n rows of the true
    distribution it is about 0.87 over the square root of n, or less where there are atoms.

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
    0.09
    """
    low, high = _pit_range(dist, y)
    weight = _weights(sample_weight, low)
    return float(np.mean([_kolmogorov(low[:, t], high[:, t], weight) for t in range(low.shape[1])]))


def coverage(dist, y, level=0.9, *, sample_weight=None):
    """Share of rows inside the central interval of a nominal coverage.

    Intervals of counts hold more than their nominal share, since their ends are whole numbers.

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
    0.97
    """
    y = _target(dist, y)
    low, high = _central(dist, _check_share(level, "level"))
    return _average(((low <= y) & (y <= high)).astype(float), sample_weight)


def calibration_error(dist, y, levels=LEVELS, *, sample_weight=None):
    """Mean distance between nominal and actual coverage of quantiles, eq. (calibration-error). Less is better.

    Where y has atoms, a row counts with the share of `pit` that lies below the level, so that the right model for
    counts is calibrated too. Calibration alone is no proper score: the distribution of y without any look at x has it.

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
    >>> round(calibration_error(model.predict_dist(X), y), 3)
    0.046
    """
    levels = np.array([_check_share(level, "levels") for level in np.ravel(levels)])
    if not len(levels):
        raise ValueError("levels must hold at least one number between 0 and 1.")
    low, high = _pit_range(dist, y)
    weight, width = _weights(sample_weight, low), np.maximum(high - low, 1e-300)
    actual = [weight @ np.clip((level - low) / width, 0.0, 1.0) for level in levels]
    return float(np.abs(np.array(actual) - levels[:, None]).mean())


# -- scorers ----------------------------------------------------------------------------------------------------------


def _last_step(estimator, X, scorer):
    """The estimator at the end of pipelines and inside searches, and X as it sees it."""
    while True:
        if isinstance(estimator, TransformedTargetRegressor):
            raise TypeError(
                f"{scorer} cannot score a TransformedTargetRegressor: its distribution is one of the transformed y, "
                "whose scores say little about y. Use a family for y itself, such as GaussianExpert('log')."
            )
        if isinstance(estimator, Pipeline):
            if len(estimator.steps) > 1:
                X = estimator[:-1].transform(X)
            estimator = estimator.steps[-1][1]
        elif not hasattr(estimator, "predict_dist") and hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        else:
            return estimator, X


class DistributionScorer:
    """A score of predictive distributions as ``scoring=`` of cross-validation and searches; more is better.

    Works with estimators that have ``predict_dist``, with pipelines that end in one and with searches around one. With
    scikit-learn's metadata routing `set_score_request` says what of each row goes to the scorer.

    Parameters
    ----------
    function : callable
        ``function(dist, y, sample_weight=..., **parameters)`` returns a float.
    greater_is_better : bool
        False turns the sign.
    **parameters
        More arguments of the function.

    Examples
    --------
    >>> from sklearn.model_selection import KFold, cross_val_score
    >>> from hme import HMERegressor
    >>> from hme.datasets import load_motorcycle
    >>> from hme.scoring import DistributionScorer, crps_scorer, interval_score
    >>> X, y = load_motorcycle(return_X_y=True)
    >>> model, folds = HMERegressor(depth=1), KFold(3, shuffle=True, random_state=0)
    >>> cross_val_score(model, X, y, cv=folds, scoring=crps_scorer).round(1)
    array([-20.3, -18.9, -22.7])
    >>> half = DistributionScorer(interval_score, greater_is_better=False, coverage=0.5)
    >>> cross_val_score(model, X, y, cv=folds, scoring=half).round()
    array([ -93.,  -87., -106.])
    """

    accepts = ("sample_weight", "offset", "trials")  # what belongs to each row beside X and y

    def __init__(self, function, *, greater_is_better, **parameters):
        if not callable(function):
            raise TypeError(f"function = {function!r} must be a callable (dist, y, sample_weight=...).")
        if not isinstance(greater_is_better, bool):
            raise TypeError(f"greater_is_better = {greater_is_better!r} must be True or False.")
        self.function = function
        self.greater_is_better = greater_is_better
        self.parameters = parameters
        self.requests = dict.fromkeys(self.accepts)

    def __repr__(self):
        arguments = [getattr(self.function, "__name__", repr(self.function))]
        arguments += [f"{name}={value!r}" for name, value in self.parameters.items()]
        return f"{type(self).__name__}({', '.join(arguments)}, greater_is_better={self.greater_is_better})"

    def __call__(self, estimator, X, y, **metadata):
        """The score of a fitted estimator.

        Parameters
        ----------
        estimator : estimator with ``predict_dist``, or a pipeline or search around one
        X : array-like of shape (n, p)
        y : array-like of shape (n,) or (n, T)
        **metadata
            `sample_weight`, `offset`, `trials`, where they are used; of the log score also `groups`.

        Returns
        -------
        float
        """
        metadata = {name: value for name, value in metadata.items() if value is not None}
        self._check_names(metadata)
        estimator, X = _last_step(estimator, X, self)
        value = self._evaluate(estimator, X, y, metadata.pop("sample_weight", None), metadata)
        return value if self.greater_is_better else -value

    def _evaluate(self, estimator, X, y, sample_weight, rows):
        if not hasattr(estimator, "predict_dist"):
            raise TypeError(
                f"{self} needs an estimator with predict_dist, such as HMERegressor, or a pipeline that ends in one; "
                f"got {type(estimator).__name__}."
            )
        dist = estimator.predict_dist(X, **rows)
        return self.function(dist, y, sample_weight=sample_weight, **self.parameters)

    # -- metadata routing ---------------------------------------------------------------------------------------------

    def _check_names(self, names):
        odd = sorted(set(names) - set(self.accepts))
        if odd:
            raise TypeError(f"{self} has no use for {odd[0]!r}; it takes {', '.join(self.accepts)}.")

    def set_score_request(self, **requests):
        """Say which metadata the scorer is to get: True, False, None (an error if given), or another name for it.

        Parameters
        ----------
        **requests
            Of `sample_weight`, `offset`, `trials`; of the log score also `groups`.

        Returns
        -------
        DistributionScorer
            A new one; the scorers of this module stay as they are.
        """
        if not sklearn.get_config()["enable_metadata_routing"]:
            raise RuntimeError("set_score_request needs sklearn.set_config(enable_metadata_routing=True).")
        self._check_names(requests)
        other = copy.copy(self)
        other.requests = {**self.requests, **requests}
        other.get_metadata_routing()  # refuses what is no request
        return other

    def get_metadata_routing(self):
        """What scikit-learn asks a consumer of metadata, its `MetadataRequest`."""
        request = MetadataRequest(owner=repr(self))
        for name, alias in self.requests.items():
            request.score.add_request(param=name, alias=alias)
        return request

    def _accept_sample_weight(self):
        """What scikit-learn asks where metadata routing is switched off."""
        return True


class LogScorer(DistributionScorer):
    """Regressors: log p(y | x); with groups log p(all y of a group), eq. (group). Classifiers: log probability."""

    accepts = ("sample_weight", "offset", "trials", "groups")

    def __init__(self):
        super().__init__(log_score, greater_is_better=True)

    def _evaluate(self, estimator, X, y, sample_weight, rows):
        if is_classifier(estimator) and hasattr(estimator, "predict_log_proba") and not rows:
            codes = _class_codes(estimator, y)
            if (codes < 0).any():
                odd = np.asarray(y)[codes < 0].tolist()[0]
                raise ValueError(f"y holds {odd!r}, which is not among the fitted classes {estimator.classes_}.")
            return _average(estimator.predict_log_proba(X)[np.arange(len(codes)), codes], sample_weight)
        if "groups" not in rows:
            return super()._evaluate(estimator, X, y, sample_weight, rows)
        if not hasattr(estimator, "log_likelihood"):
            raise TypeError(f"{self} with groups needs an estimator with log_likelihood, such as HMERegressor.")
        # A group counts once, with the weight of its rows.
        first = np.unique(rows["groups"], return_index=True)[1]
        weight = None if sample_weight is None else np.asarray(sample_weight)[first]
        return _average(estimator.log_likelihood(X, y, **rows), weight)


class BrierScorer(DistributionScorer):
    """Classifiers: the Brier score of their probabilities."""

    accepts = ("sample_weight",)

    def __init__(self):
        super().__init__(brier_score, greater_is_better=False)

    def _evaluate(self, estimator, X, y, sample_weight, rows):
        if not hasattr(estimator, "predict_proba"):
            raise TypeError(f"{self} needs a classifier with predict_proba, got {type(estimator).__name__}.")
        return self.function(estimator.predict_proba(X), _class_codes(estimator, y), sample_weight=sample_weight)


def _class_codes(classifier, y):
    """Number (n,) of every row's class among the classifier's, -1 where it is none of them."""
    y, classes = np.asarray(y), classifier.classes_
    codes = np.searchsorted(classes, y).clip(0, len(classes) - 1)
    return np.where(classes[codes] == y, codes, -1)


log_score_scorer = LogScorer()
crps_scorer = DistributionScorer(crps, greater_is_better=False)
interval_scorer = DistributionScorer(interval_score, greater_is_better=False, coverage=0.9)
calibration_scorer = DistributionScorer(calibration_error, greater_is_better=False)
brier_scorer = BrierScorer()
