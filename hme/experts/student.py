"""Linear experts with Student noise: y = b_k' x + s_k t, t with nu_k degrees of freedom."""

from .noise.student import StudentNoise
from .predictor import PredictorExpert

__all__ = ["StudentExpert"]


class StudentExpert(PredictorExpert):
    """Linear regression with Student noise, whose heavy tails leave outliers with little influence.

    `predict` gives the location b'x, which is the median for every df and the mean where df > 1; `variance` is infinite
    where df <= 2. The M-step is eqs. (row-weight) and (linear-update) for coefficients and scale, and a Newton step on
    the log-likelihood for the degrees of freedom, eq. (df-update).

    Parameters
    ----------
    df : "estimate" or float, default="estimate"
        Degrees of freedom: one number for all experts, or estimated between 0.5 and 1e6.
    shared_df : bool, default=False
        One estimated number for all experts.
    alpha, l1_ratio, shrink_to, scale_penalty, shared_variance
        As in `LinearExpert`; the variance is the squared scale.
    variance_prior : (float, float) or None, default=(1.0, 0.1)
        As in `LinearExpert`, on the squared scale, as a fraction of that of one Student expert for all rows.
    variance_floor : "auto" or float, default="auto"
        As in `LinearExpert`, for the squared scale, as a fraction of the variance that the quartiles of y stand for.
    shared_coef : None, True or sequence of columns, default=None
        Columns, by name or number, whose coefficient is the same for all experts; "intercept" is one of them. True is
        every slope.
    fixed_coef : dict or None, default=None
        Columns and the values that their coefficients are held at, in the user's units: one number, or one for each
        expert.
    nonnegative : bool or sequence of columns, default=False
        Columns whose coefficients are >= 0; True is every slope.

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
