"""Linear-Gaussian experts: y = b_k' x + offset + noise of variance phi_k, for one or several outputs."""

from .noise.gaussian import GaussianNoise
from .predictor import PredictorExpert

__all__ = ["LinearExpert"]


class LinearExpert(PredictorExpert):
    """Linear regression with Gaussian noise, its own variance for each expert.

    The M-step is a weighted ridge regression in closed form, eqs. (linear-update) and (variance-update) of the theory
    page; with full covariances eq. (covariance-update).

    Parameters
    ----------
    alpha : float, default=0.1
        Strength of the penalty on the slopes, a total as in scikit-learn's `Ridge`, and n times the one of its
        `ElasticNet`; intercepts are free. 0 switches it off.
    l1_ratio : float, default=0.0
        Share of `alpha` that acts on absolute values, from 0 (ridge) over elastic nets to 1 (lasso), eq. (elastic-net):
        slopes may then be exactly zero. Not with full covariances.
    shrink_to : {None, "global", "zero"}, default=None
        What the slopes are drawn to: the penalised fit of all rows together, or zero. None is "global" for a ridge and
        "zero" where `l1_ratio` is positive.
    scale_penalty : bool, default=True
        Whether the penalty is measured against the noise, divided by its variance as the squared residuals are, or
        taken off the log-likelihood as it is.
    variance_prior : (float, float) or None, default=(1.0, 0.1)
        Weak prior on each noise variance: it counts as so many more rows, in each expert, whose mean squared residual
        is this fraction of the global fit's. None switches it off.
    variance_floor : "auto" or float, default="auto"
        Least variance, as a fraction of var(y) (of y less the offset). "auto" is 1e-6, raised to q^2 / 12 where y is
        rounded to steps of q.
    shared_variance : bool, default=False
        One noise variance, or covariance, for all experts.
    covariance : {"diagonal", "full"}, default="diagonal"
        Noise of several outputs: independent given the expert, or with a covariance matrix for each expert.
    shared_coef : None, True or sequence of columns, default=None
        Columns, by name or number, whose coefficient is the same for all experts; "intercept" is one of them. True is
        every slope.
    fixed_coef : dict or None, default=None
        Columns and the values that their coefficients are held at, in the user's units: one number, or one for each
        expert.
    nonnegative : bool or sequence of columns, default=False
        Columns whose coefficients are >= 0; True is every slope.
        They hold for every output alike, and go with diagonal covariances only.

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

    Two outputs whose noise goes together:

    >>> import numpy as np
    >>> Y = np.column_stack([y, [0.1, 1.0, 1.9, 3.5]])
    >>> model = HMERegressor(depth=0, expert=LinearExpert(covariance="full")).fit(X, Y)
    >>> model.experts_.covariance.shape
    (1, 2, 2)
    """

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

    def check_together(self, response):
        if self.constraints_ and response.full:
            raise ValueError("covariance='full' does not go with shared_coef, fixed_coef or nonnegative.")
        if response.full and (self.lasso_ is not None or not self.scale_penalty):
            raise ValueError("covariance='full' does not go with l1_ratio > 0 or scale_penalty=False.")
