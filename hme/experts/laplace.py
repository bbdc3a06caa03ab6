"""Linear experts with Laplace noise: y = b_k' x + noise with density exp(-abs(r) / s_k) / (2 s_k), smoothed at zero."""

from .noise.laplace import LaplaceNoise
from .noise.lines import mean_below
from .predictor import PredictorExpert

__all__ = ["LaplaceExpert"]


class LaplaceExpert(PredictorExpert):
    """Median regression with Laplace noise: least absolute deviations instead of least squares.

    The absolute residual is smoothed at zero to sqrt(r^2 + e^2), where e is 1e-4 standard deviations of the noise of
    the pooled fit, and the density is normalised exactly, eq. (hyperbolic). The M-step therefore never decreases Q, and
    the coefficients are those of least absolute deviations except for the effect of e. `predict` returns b'x, which is
    both the mean and the median.

    Parameters
    ----------
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
    Nguyen, H. D. and McLachlan, G. J. (2016). Laplace mixture of linear experts. Computational Statistics and Data
    Analysis 93, 177-191, section 3.

    Examples
    --------
    >>> import numpy as np
    >>> from hme import HMERegressor
    >>> from hme.experts import LaplaceExpert
    >>> X = np.arange(20.0)[:, None]
    >>> y = 2.0 * X[:, 0] + np.cos(X[:, 0])
    >>> y[3] = 1000.0
    >>> model = HMERegressor(depth=0, expert=LaplaceExpert()).fit(X, y)
    >>> model.experts_.coef.round(1)
    array([[1.9]])
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

    def response(self):
        return LaplaceNoise(self.variance_prior, self.variance_floor, self.shared_variance)

    means_below = staticmethod(mean_below)
