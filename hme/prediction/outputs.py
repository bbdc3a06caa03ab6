"""The predictive distribution of several outputs."""

import numpy as np

from .blocks import BLOCK, logpdf_of
from .distribution import PredictiveDistribution

__all__ = ["OutputsDistribution"]


class OutputsDistribution(PredictiveDistribution):
    """Mixture distributions of T outputs: joint density and draws, everything else output by output.

    Where `PredictiveDistribution` answers (n,) or (n, m), it answers (n, T) or (n, T, m); y is (n, T) or (n, T, m).

    Examples
    --------
    >>> import numpy as np
    >>> from hme.distributions import MultivariateNormal
    >>> from hme.prediction import OutputsDistribution
    >>> matrix = np.array([[[[1.0, 0.5], [0.5, 1.0]]]])
    >>> dist = OutputsDistribution(np.ones((1, 1)), MultivariateNormal(np.zeros((1, 1, 2)), matrix))
    >>> dist.covariance()[0]
    array([[1. , 0.5],
           [0.5, 1. ]])
    >>> dist.icdf(0.975).round(2)
    array([[1.96, 1.96]])
    """

    @property
    def n_outputs(self):
        return self.components.n_outputs

    @property
    def discrete(self):
        return self.marginal(0).discrete

    def marginal(self, t):
        """The distribution of one output.

        Parameters
        ----------
        t : int

        Returns
        -------
        PredictiveDistribution
        """
        return PredictiveDistribution(self.weights, self.components.marginal(range(self.n_outputs)[t]), self.index)

    @property
    def _marginals(self):
        return [self.marginal(t) for t in range(self.n_outputs)]

    def _each(self, name, *arguments):
        return np.stack([getattr(one, name)(*arguments) for one in self._marginals], axis=1)

    def _with_y(self, name, y):
        y = np.asarray(y, dtype=float)
        n, T = len(self), self.n_outputs
        if y.ndim and (y.ndim > 3 or y.shape[:2] != (n, T)):
            raise ValueError(f"y has shape {y.shape}; it must be a number, {(n, T)} or {(n, T, 'm')}.")
        return np.stack([getattr(one, name)(y[:, t] if y.ndim else y) for t, one in enumerate(self._marginals)], axis=1)

    def mean(self):
        """Means (n, T), eq. (mean)."""
        return self._each("mean")

    def variance_parts(self):
        """Variances within experts and between experts, (n, T) each, eq. (variance)."""
        parts = [one.variance_parts() for one in self._marginals]
        return np.stack([within for within, _ in parts], axis=1), np.stack([between for _, between in parts], axis=1)

    def covariance(self):
        """Covariances (n, T, T) of the outputs: within experts, and of their means."""
        distance = self.components.mean() - self.mean()[:, None]
        within = np.where((self.weights > 0)[:, :, None, None], self.components.covariance(), 0.0)
        return np.einsum("nk,nkst->nst", self.weights, within) + np.einsum(
            "nk,nks,nkt->nst", self.weights, distance, distance
        )

    def support(self):
        """Least and largest possible y, (n, T) each."""
        ends = [one.support() for one in self._marginals]
        return np.stack([low for low, _ in ends], axis=1), np.stack([high for _, high in ends], axis=1)

    def logpdf(self, y):
        """Joint log-density (n,) of y (n, T)."""
        y, n, T = np.asarray(y, dtype=float), len(self), self.n_outputs
        if y.shape != (n, T) or not np.isfinite(y).all():
            raise ValueError(f"y must be finite numbers {(n, T)}, got shape {y.shape}.")
        self._is("density", "logpdf", "logpmf")
        return self._joint(y)

    def _joint(self, y):
        out, size = np.empty(len(self)), max(BLOCK // (self.weights.shape[1] * self.n_outputs), 1)
        with np.errstate(over="ignore", under="ignore"):
            for start in range(0, len(self), size):
                part = slice(start, start + size)
                components = self.components.take(np.arange(len(self))[part])
                out[part] = logpdf_of(components, self.weights[part], y[part])
        return out

    def pdf(self, y):
        """Joint density (n,) of y (n, T)."""
        return np.exp(self.logpdf(y))

    def log_likelihood(self, y):
        """Joint log-density or log-probability (n,) of y (n, T)."""
        return self._joint(np.asarray(y, dtype=float).reshape(len(self), self.n_outputs))

    def pmf(self, y):
        """Joint probability (n,) of y (n, T)."""
        return np.exp(self.logpmf(y))

    def logpmf(self, y):
        """Joint log-probability (n,) of y (n, T)."""
        self._is("mass", "logpmf", "logpdf")
        return self.log_likelihood(y)

    def cdf(self, y):
        """Probability of y or less, output by output."""
        return self._with_y("cdf", y)

    def ccdf(self, y):
        """Probability of more than y, output by output."""
        return self._with_y("ccdf", y)

    def logcdf(self, y):
        """Logarithm of `cdf`."""
        return self._with_y("logcdf", y)

    def logccdf(self, y):
        """Logarithm of `ccdf`."""
        return self._with_y("logccdf", y)

    def crps(self, y):
        """Continuous ranked probability scores, output by output."""
        return self._with_y("crps", y)

    def icdf(self, q):
        """Quantiles (n, T) or (n, T, m), output by output."""
        return self._each("icdf", q)

    def iccdf(self, q):
        """What is exceeded with probability q, (n, T) or (n, T, m)."""
        return self._each("iccdf", q)

    def mode(self):
        """Modes (n, T) of the outputs, one by one."""
        return self._each("mode")

    def interval(self, coverage=0.9, method="equal_tailed"):
        """Intervals (n, T, 2); with highest densities a list of n lists of T arrays (m, 2)."""
        parts = [one.interval(coverage, method) for one in self._marginals]
        return np.stack(parts, axis=1) if method == "equal_tailed" else [list(row) for row in zip(*parts, strict=True)]

    def to_scipy(self, i=0):
        raise TypeError("to_scipy is for one output; use marginal(t).to_scipy(i).")

    def to_frame(self, quantiles=(0.05, 0.5, 0.95)):
        """The frames of all outputs side by side, the number of the output above."""
        import pandas as pd

        return pd.concat({t: one.to_frame(quantiles) for t, one in enumerate(self._marginals)}, axis=1)

    def _kinds(self):
        return [f"{self.n_outputs} outputs"]
