"""Linear experts with noise that is not Gaussian: the Gaussian fit again, every row weighed by how well it fits."""

from abc import abstractmethod
from typing import NamedTuple

import numpy as np

from ..numerics.kernels import linear_scores, weighted_cross, weighted_gram
from .linear import LinearExpert, own_targets
from .noise import GaussianNoise, noise_floor, spread

__all__ = ["ReweightedExpert"]

GLOBAL_STEPS = 200  # of the fit of all rows together
GLOBAL_TOL = 1e-10  # and the relative change of its squared scale at which it stops
INIT_STEPS = 5  # steps that follow the Gaussian fit to a start's responsibilities
NORMAL_QUARTILES = 1.3489795  # distance between the quartiles of a normal distribution, in standard deviations


class ReweightedStatistics(NamedTuple):
    """The linear expert's statistics of present residuals, with row weights resp * u in all but the weight.

    `own` are the family's further sums.
    """

    weight: np.ndarray  # (K,)
    gram: np.ndarray  # (K, p, p)
    cross: np.ndarray  # (K, 1, p)
    square: np.ndarray  # (K, 1)
    own: np.ndarray  # (K, s)


class ReweightedExpert(LinearExpert):
    """y = b_k' x + noise, whose log-density lies above a parabola that touches it at the present residual.

    The parabola is a Gaussian log-density with weight u, eq. (row-weight), so the coefficients' update is that of the
    linear expert with row weights resp * u. `params.variance` (K, 1) is the squared scale of the noise.

    What is relative to the data is so to the fit of one such expert to all rows and to quartiles, of its residuals or
    of y: rows far out must not set a scale.
    """

    supports_multioutput = False
    covariance = "diagonal"

    def __init__(
        self,
        alpha=0.1,
        l1_ratio=0.0,
        shrink_to=None,
        scale_penalty=True,
        variance_prior=(1.0, 0.1),
        variance_floor="auto",
        shared_variance=False,
        shared_coef=None,
        fixed_coef=None,
        nonnegative=False,
    ):
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.shrink_to = shrink_to
        self.scale_penalty = scale_penalty
        self.variance_prior = variance_prior
        self.variance_floor = variance_floor
        self.shared_variance = shared_variance
        self.shared_coef = shared_coef
        self.fixed_coef = fixed_coef
        self.nonnegative = nonnegative

    # -- what a family says ------------------------------------------------------------------------------------------

    def _bind_scale(self, variance):
        """Bind what is relative to the scale of all rows, whose variance without those far out is `variance`."""

    @abstractmethod
    def wrap(self, coef, variance):
        """Parameters from coefficients (K, 1, p) and the mean squared residuals (K, 1) of a Gaussian fit."""

    @abstractmethod
    def log_density(self, params, square):
        """Log-density (n, K) of squared residuals (n, K)."""

    @abstractmethod
    def row_weights(self, params, square):
        """The weights u, (n, K)."""

    @abstractmethod
    def own_statistics(self, params, square, resp):
        """Sums over rows beyond the linear expert's, (K, s)."""

    @abstractmethod
    def update(self, params, stats, rows=None):
        """Coefficients by `_fit_coef`, then what describes the noise."""

    # -- binding to data ---------------------------------------------------------------------------------------------

    def bind(self, rows, design):
        bound = super().bind(rows, design)
        y = own_targets(rows)
        scale = _robust_spread(y, rows.weight)
        bound.floor_ = noise_floor(self.variance_floor, rows.y, scale)
        anchor, mean_square = bound._global_fit(rows)
        bound.target_ = np.zeros_like(anchor)  # the fit of all rows is itself drawn to zero
        bound.noise_ = GaussianNoise(bound.floor_, mean_square)
        bound._bind_scale(scale[0])
        params = bound.wrap(anchor, np.maximum(mean_square, bound.floor_)[None])
        asked, bound.constraints_ = bound.constraints_, bound.constraints_.none()
        for _ in range(GLOBAL_STEPS):
            last = params.variance
            params = bound.update(params, bound.gather(params, rows, rows.weight[:, None]), rows)
            if np.abs(params.variance - last).max() <= GLOBAL_TOL * last.max():
                break
        bound.anchor_, bound.global_, bound.constraints_ = params.coef, params, asked
        scale = _robust_spread(y - linear_scores(rows.X, params.coef[0]), rows.weight)
        bound._bind_scale(scale[0])
        global_variance = np.minimum(params.variance[0], scale)
        bound.noise_ = GaussianNoise(bound.floor_, global_variance, self.variance_prior, self.shared_variance)
        if bound.to_global_:
            bound.target_ = bound.anchor_
        return bound

    def start(self, n_experts):
        start = type(self.global_)(*(np.repeat(a, n_experts, axis=0) for a in self.global_))
        return start._replace(coef=self._constrained(start.coef))

    def init(self, rows, resp):
        # From the Gaussian fit: the weights of the global fit would hide what the start has told apart.
        gaussian = _GaussianStart(self)
        params = self.wrap(*gaussian.steps(gaussian.start(resp.shape[1]), rows, resp))
        return self.steps(params, rows, resp, INIT_STEPS)

    # -- the family --------------------------------------------------------------------------------------------------

    def _center(self, params):
        # The weights hang on the present residuals in any case, and these keep the digits of a small scale.
        return params.coef

    def log_prob(self, params, rows):
        return self.evaluate(params, rows)[0]

    def evaluate(self, params, rows):
        (residual,) = self._residuals(params, rows)
        return self.log_density(params, residual**2), residual

    def statistics(self, params, rows, resp, seen=None):
        if seen is None:
            (seen,) = self._residuals(params, rows)
        square = seen**2
        weighted = resp * self.row_weights(params, square)
        return ReweightedStatistics(
            resp.sum(axis=0),
            weighted_gram(rows.X, weighted),
            -weighted_cross(rows.X, weighted * seen)[:, None],
            np.einsum("nk,nk->k", weighted, square)[:, None],
            self.own_statistics(params, square, resp),
        )


class _GaussianStart(LinearExpert):
    """The linear expert that a reweighted one would be with Gaussian noise, bound to the same table."""

    def __init__(self, family):
        names = ("anchor_", "target_", "penalty_", "lasso_", "scale_penalty", "constraints_", "noise_")
        for name in names:
            setattr(self, name, getattr(family, name))


def _robust_spread(y, weight):
    """Variance (1,) that the quartiles of y (n, 1) stand for if it is normal; the variance itself if that is less."""
    low, high = np.quantile(y[:, 0], [0.25, 0.75], weights=weight, method="inverted_cdf")
    variance = spread(y, weight)
    return np.minimum(variance, ((high - low) / NORMAL_QUARTILES) ** 2) if high > low else variance
