"""The predictive distribution of a class."""

import numpy as np
from scipy.special import entr

from ..numerics.checks import check_choice
from .distribution import PredictiveDistribution

__all__ = ["ClassDistribution"]


class ClassDistribution:
    """Mixtures of categorical distributions, one for every row.

    Parameters
    ----------
    weights : ndarray of shape (n, K)
        Prior of every expert.
    components : Categorical
        Distributions of the codes of the classes given the expert.
    classes : ndarray of shape (C,)
    index : sequence or None
        Names of the rows.

    Attributes
    ----------
    weights, components, classes, index
    n_outputs : int
        1.
    discrete : bool
        True.

    Notes
    -----
    Where a method takes `y`, it is a class for all rows, one class for each row (n,), several for each row (n, m), or
    the same for all (1, m); answers are (n,) or (n, m).

    Classes that are numbers have an order, and with it `cdf`, `ccdf`, `icdf`, `iccdf` and `median`. Of other ordered
    classes use `codes`, the distribution of their places in `classes`.

    Examples
    --------
    >>> from hme import HMEClassifier
    >>> X, y = [[-2.0], [-1.5], [-0.5], [0.5], [1.5], [2.0]] * 5, ["out", "out", "in", "in", "out", "out"] * 5
    >>> dist = HMEClassifier(depth=1).fit(X, y).predict_dist([[-1.8], [0.0]])
    >>> dist
    ClassDistribution(2 rows, 2 experts: 2 classes)
    >>> dist.pmf("out").round(1)
    array([1., 0.])
    >>> dist.mode()
    array(['out', 'in'], dtype='<U3')
    """

    n_outputs, discrete = 1, True

    def __init__(self, weights, components, classes, index=None):
        self._codes = PredictiveDistribution(weights, components, index)
        self.weights, self.components, self.index = self._codes.weights, components, index
        self.classes = np.asarray(classes)

    # -- rows and experts ---------------------------------------------------------------------------------------------

    def __len__(self):
        return len(self._codes)

    def __repr__(self):
        n, K = self.weights.shape
        shape = f"{n} row{'s' * (n != 1)}, {K} expert{'s' * (K != 1)}"
        return f"{type(self).__name__}({shape}: {len(self.classes)} classes)"

    def _of(self, codes):
        return type(self)(codes.weights, codes.components, self.classes, codes.index)

    def __getitem__(self, rows):
        return self._of(self._codes[rows])

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def given(self, expert):
        """The distribution with the expert known, or with other weights; see `PredictiveDistribution.given`."""
        return self._of(self._codes.given(expert))

    def marginal(self, t):
        """The distribution of one output: of a single one itself."""
        return self

    def codes(self):
        """The distribution of the codes of the classes, their places in `classes`.

        Returns
        -------
        PredictiveDistribution
            With quantiles, intervals and the CRPS, which for ordered classes is the ranked probability score.
        """
        return self._codes

    def encode(self, y):
        """Codes of classes, in the shape of y.

        Raises
        ------
        ValueError
            If y holds anything else.
        """
        y = np.asarray(y)
        codes = np.searchsorted(self.classes, y).clip(0, len(self.classes) - 1)
        unknown = self.classes[codes] != y
        if np.any(unknown):
            odd = np.atleast_1d(y)[np.atleast_1d(unknown)].tolist()[0]
            raise ValueError(f"y holds {odd!r}, which is not among the classes {self.classes.tolist()}.")
        return codes

    # -- probabilities ------------------------------------------------------------------------------------------------

    def probabilities(self):
        """Probabilities (n, C) of all classes: what `predict_proba` gives."""
        probability = np.einsum("nk,nkc->nc", self.weights, self.components.probability)
        return probability / probability.sum(axis=1, keepdims=True)

    def pmf(self, y):
        """Probabilities of classes."""
        return self._codes.pmf(self.encode(y))

    def logpmf(self, y):
        """Logarithm of `pmf`, also where that is too small for a number."""
        return self._codes.logpmf(self.encode(y))

    log_likelihood = logpmf

    def entropy(self):
        """Entropies (n,) in nats: 0 where the class is certain, log C where all are as probable, eq. (entropy)."""
        return entr(self.probabilities()).sum(axis=1)

    def entropy_parts(self):
        """Mean entropy within experts and what their differences add, (n,) each, eq. (entropy)."""
        within = (self.weights * self.components.entropy()).sum(axis=1)
        return within, np.maximum(self.entropy() - within, 0.0)

    def mode(self):
        """Most probable classes, (n,)."""
        return self.classes[self.probabilities().argmax(axis=1)]

    def sample(self, size=None, rng=None):
        """Draws of the class: of an expert, then of its distribution.

        Parameters
        ----------
        size : int or None, default=None
            Draws of every row.
        rng : None, int, Generator or RandomState

        Returns
        -------
        ndarray of shape (n,) or (n, size)
        """
        return self.classes[self._codes.sample(size, rng).astype(int)]

    def interval(self, coverage=0.9, method="highest_density"):
        """The smallest set of classes that holds y with probability `coverage`.

        Parameters
        ----------
        coverage : float, default=0.9
            Between 0 and 1.
        method : {"highest_density"}
            The only one that needs no order.

        Returns
        -------
        list of n ndarrays
            Classes, the most probable one first.
        """
        check_choice(method, "method", ("highest_density",))
        self._codes[:0].interval(coverage)  # checks it
        probability = self.probabilities()
        order = np.argsort(-probability, axis=1, kind="stable")
        total = np.cumsum(np.take_along_axis(probability, order, axis=1), axis=1)
        n_kept = (total < coverage * (1.0 - 1e-15)).sum(axis=1) + 1
        return [self.classes[row[:m]] for row, m in zip(order, n_kept, strict=True)]

    # -- the order of classes -----------------------------------------------------------------------------------------

    def _ordered(self):
        if self.classes.dtype.kind not in "biuf":
            raise TypeError(
                f"the classes {self.classes.tolist()} are no numbers and have no order of their own. Where that of "
                "`classes` is meant, use codes()."
            )
        return self._codes

    def cdf(self, y):
        """Probability of y or a smaller class, of classes that are numbers."""
        return self._ordered().cdf(self.encode(y))

    def ccdf(self, y):
        """Probability of a larger class than y, of classes that are numbers."""
        return self._ordered().ccdf(self.encode(y))

    def icdf(self, q):
        """Quantiles, of classes that are numbers: the smallest class with ``cdf(y) >= q``."""
        return self.classes[self._ordered().icdf(q).astype(int)]

    def iccdf(self, q):
        """The smallest class that is exceeded with probability q or less, of classes that are numbers."""
        return self.classes[self._ordered().iccdf(q).astype(int)]

    def median(self):
        """The smallest class with ``cdf(y) >= 1/2``, (n,), of classes that are numbers."""
        return self.icdf(0.5)

    def _refused(self, *arguments):
        raise TypeError(
            "classes are no quantities: they have no mean, variance, density or CRPS. Use probabilities(), pmf(y), "
            "entropy() or, where their order means something, codes()."
        )

    mean = variance = standard_deviation = variance_parts = support = pdf = logpdf = crps = _refused

    # -- views --------------------------------------------------------------------------------------------------------

    def to_scipy(self, i=0):
        """Row i as a frozen distribution of scipy.stats, of the codes of the classes.

        Parameters
        ----------
        i : int, default=0

        Returns
        -------
        rv_frozen
        """
        return self._codes.to_scipy(i)

    def to_frame(self):
        """Probabilities of the classes as a pandas DataFrame, one column a class."""
        try:
            import pandas as pd
        except ImportError:
            raise ImportError("to_frame needs pandas; install it.") from None
        return pd.DataFrame(self.probabilities(), columns=self.classes, index=self.index)
