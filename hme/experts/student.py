"""Linear experts with Student noise: y = b_k' x + s_k t, where t has nu_k degrees of freedom."""

from .noise.lines import mean_below
from .noise.student import StudentNoise
from .predictor import PredictorExpert

__all__ = ["StudentExpert"]


class StudentExpert(PredictorExpert):
    """Robust linear regression with Student noise, whose heavy tails limit the influence of outliers.

    `predict` returns the location b'x, which is the median for every df and the mean if df > 1; the variance is
    infinite if df <= 2. The M-step is eqs. (row-weight) and (linear-update) for coefficients and scale, and a Newton
    step on the log-likelihood for the degrees of freedom, eq. (df-update).

    Parameters
    ----------
    df : "estimate" or float, default="estimate"
        Degrees of freedom: one number for all experts, or estimated between 0.5 and 1e6 for each expert. With a
        `variance_prior` the lower bound grows with the number of columns per row, eq. (df-bound).
    shared_df : bool, default=False
        Whether all experts share the estimated degrees of freedom.
    alpha : float, array-like of shape (p,), "auto" or "ard", default=0.1
        Strength of the penalty on the slopes, relative to the sum (not the mean) over rows. Intercepts are not
        penalised. 0 means no penalty; an array has a strength for each column. With "auto" one strength is estimated
        from the rows, with "ard" one for each column, for all experts together, eqs. (evidence-alpha) and (ard); both
        need ``l1_ratio=0``.
    l1_ratio : float, default=0.0
        Mixing parameter of the elastic net, from 0 (ridge) to 1 (lasso), eq. (elastic-net). If it is positive, slopes
        may be exactly zero.
    shrink_to : {None, "global", "zero"}, default=None
        What the slopes are shrunk towards: the pooled fit (one expert fitted to all rows, with a light penalty of its
        own), or zero. None means "zero" with a lasso or ``alpha="ard"``, else "global".
    scale_penalty : bool, default=True
        Whether the penalty is divided by the squared scale, as the weighted squared residuals are, or subtracted from
        the log-likelihood unscaled.
    variance_prior : (float, float) or None, default=(1.0, 0.1)
        Weak prior on each squared scale, (rows, fraction): it counts as this many additional rows in each expert, whose
        mean square is this fraction of the squared scale of the pooled fit. None means no prior.
    variance_floor : "auto" or float, default="auto"
        Smallest squared scale, as a fraction of the variance of y estimated from its quartiles. "auto" means 1e-6, or
        more if y is rounded; but never more than a tenth of that of the pooled fit, eq. (rounding-floor).
    shared_variance : bool, default=False
        Whether all experts share one scale.
    shared_coef : None, True or sequence of columns, default=None
        Columns, by name or number, whose coefficients are the same for all experts; "intercept" stands for the
        intercept. True means every slope.
    fixed_coef : dict or None, default=None
        Maps columns to the values at which their coefficients are fixed, in the user's units: one number, or one for
        each expert.
    nonnegative : bool or sequence of columns, default=False
        Columns whose coefficients are constrained to be >= 0; True means every slope.

    References
    ----------
    Lange, K. L., Little, R. J. A. and Taylor, J. M. G. (1989). Robust statistical modeling using the t distribution.
    Journal of the American Statistical Association 84(408), 881-896, section 3.

    Liu, C. and Rubin, D. B. (1995). ML estimation of the t distribution using EM and its extensions, ECM and ECME.
    Statistica Sinica 5(1), 19-39.

    Examples
    --------
    >>> import numpy as np
    >>> from hme import HMERegressor
    >>> from hme.experts import StudentExpert
    >>> X = np.arange(20.0)[:, None]
    >>> y = 2.0 * X[:, 0] + np.cos(X[:, 0])
    >>> y[3] = 1000.0
    >>> model = HMERegressor(depth=0, expert=StudentExpert(df=3.0)).fit(X, y)
    >>> model.experts_.coef.round(1)
    array([[2.]])
    """

    adjustable = PredictorExpert.adjustable | {"scale_penalty", "variance_prior", "variance_floor"}

    def __init__(
        self,
        df="estimate",
        shared_df=False,
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
        self.df = df
        self.shared_df = shared_df
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

    def response(self):
        return StudentNoise(self.df, self.shared_df, self.variance_prior, self.variance_floor, self.shared_variance)

    means_below = staticmethod(mean_below)
