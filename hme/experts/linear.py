"""Linear-Gaussian experts: y = b_k' x + offset + noise of variance phi_k, for one or several outputs."""

import numpy as np

from ..numerics.kernels import symmetric
from .noise.arrays import own_targets
from .noise.gaussian import GaussianNoise
from .noise.lines import line_sums, mean_below, slot_sums
from .noise.sums import PredictorStatistics
from .predictor import PredictorExpert

__all__ = ["LinearExpert"]


class LinearExpert(PredictorExpert):
    """Linear regression with Gaussian noise, with a variance for each expert.

    The M-step is a weighted ridge regression in closed form, eqs. (linear-update) and (variance-update) of the theory
    page; with full covariance matrices it is eq. (covariance-update).

    Parameters
    ----------
    alpha : float, array-like of shape (p,), "auto" or "ard", default=0.1
        Strength of the penalty on the slopes, relative to the sum over rows, as in scikit-learn's `Ridge`; it is n
        times the `alpha` of `ElasticNet`. Intercepts are not penalised. 0 means no penalty; an array has a strength for
        each column. With "auto" one strength is estimated from the rows, with "ard" one for each column, for all
        experts together, eqs. (evidence-alpha) and (ard); both need ``l1_ratio=0``.
    l1_ratio : float, default=0.0
        Mixing parameter of the elastic net, from 0 (ridge) to 1 (lasso), eq. (elastic-net). If it is positive, slopes
        may be exactly zero. Must be 0 with full covariance matrices.
    shrink_to : {None, "global", "zero"}, default=None
        What the slopes are shrunk towards: the pooled fit (one expert fitted to all rows, with a light penalty of its
        own), or zero. None means "zero" with a lasso or ``alpha="ard"``, else "global".
    scale_penalty : bool, default=True
        Whether the penalty is divided by the noise variance, as the squared residuals are, or subtracted from the
        log-likelihood unscaled.
    variance_prior : (float, float) or None, default=(1.0, 0.1)
        Weak prior on each noise variance, (rows, fraction): it counts as this many additional rows in each expert,
        whose mean squared residual is this fraction of that of the pooled fit. None means no prior.
    variance_floor : "auto" or float, default="auto"
        Smallest variance, as a fraction of var(y) (of y minus the offset). "auto" means 1e-6, raised to q^2 / 12 if y
        is rounded to multiples of q; but never more than a tenth of the variance of the pooled fit, nor raised to more
        than a tenth of what a tree leaves of rounded y, eq. (rounding-floor).
    shared_variance : bool, default=False
        Whether all experts share one noise variance, or one covariance matrix.
    covariance : {"diagonal", "full"}, default="diagonal"
        Noise of several outputs: independent given the expert, or with a covariance matrix for each expert.
    shared_coef : None, True or sequence of columns, default=None
        Columns, by name or number, whose coefficients are the same for all experts; "intercept" stands for the
        intercept. True means every slope.
    fixed_coef : dict or None, default=None
        Maps columns to the values at which their coefficients are fixed, in the user's units: one number, or one for
        each expert.
    nonnegative : bool or sequence of columns, default=False
        Columns whose coefficients are constrained to be >= 0; True means every slope. This and the two previous
        constraints apply to every output, and require diagonal covariances.

    References
    ----------
    Jordan, M. I. and Jacobs, R. A. (1994). Hierarchical mixtures of experts and the EM algorithm. Neural Computation
    6(2), 181-214, eqs. 22-24.

    Examples
    --------
    >>> from hme import HMERegressor
    >>> from hme.experts import LinearExpert
    >>> X, y = [[0.0], [1.0], [2.0], [3.0]], [1.0, 3.0, 5.0, 7.5]
    >>> exact = LinearExpert(alpha=0.0, variance_prior=None, variance_floor=1e-8)
    >>> model = HMERegressor(depth=0, expert=exact).fit(X, y)
    >>> model.experts_.coef.round(2)
    array([[2.15]])

    Two outputs with correlated noise:

    >>> import numpy as np
    >>> Y = np.column_stack([y, [0.1, 1.0, 1.9, 3.5]])
    >>> model = HMERegressor(depth=0, expert=LinearExpert(covariance="full")).fit(X, Y)
    >>> model.experts_.covariance.shape
    (1, 2, 2)
    """

    adjustable = PredictorExpert.adjustable | {"scale_penalty", "variance_prior", "variance_floor"}

    def __init__(
        self,
        alpha=0.1,
        l1_ratio=0.0,
        shrink_to=None,
        scale_penalty=True,
        variance_prior=(1.0, 0.1),
        variance_floor="auto",
        shared_variance=False,
        covariance="diagonal",
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
        self.covariance = covariance
        self.shared_coef = shared_coef
        self.fixed_coef = fixed_coef
        self.nonnegative = nonnegative

    def response(self):
        return GaussianNoise(self.variance_prior, self.variance_floor, self.shared_variance, self.covariance)

    def sums_below(self, params, rows, paths, slope, neglect):
        if params.coef.shape[1] > 1 or self.response_.full:
            return None
        y, center = own_targets(rows)[:, 0], self._origin(params)[0, 0]
        lines = params.coef[:, 0], params.variance.reshape(-1)
        table = rows.X, np.ascontiguousarray(y), y - rows.X @ center, rows.weight
        below = slot_sums(slope, *lines, *table) if paths is None else line_sums(paths, slope, *lines, *table, neglect)
        log_likelihood, (load, pairs, cross, square), of_nodes = below
        sums = load, symmetric(pairs)[:, None], cross[:, None], square[:, None], np.zeros((len(load), 1, 0))
        return log_likelihood, load, PredictorStatistics(*sums), of_nodes

    def means_below(self, params, rows, paths, slope, neglect):
        return mean_below(params, rows, paths, slope, neglect)

    def check_together(self, response):
        if self.constraints_ and response.full:
            raise ValueError("covariance='full' cannot be combined with shared_coef, fixed_coef or nonnegative.")
        if response.full and (self.lasso_ is not None or not self.scale_penalty):
            raise ValueError("covariance='full' cannot be combined with l1_ratio > 0 or scale_penalty=False.")
