"""Linear experts with Laplace noise: y = b_k' x + noise of density exp(-|r| / s_k) / (2 s_k), its corner rounded."""

from .noise.laplace import LaplaceNoise
from .predictor import PredictorExpert

__all__ = ["LaplaceExpert"]


class LaplaceExpert(PredictorExpert):
    """Median regression as an expert: noise with a Laplace density, least absolute deviations instead of squares.

    The corner of abs(r) is rounded to sqrt(r^2 + e^2), with e a ten-thousandth of the noise around the fit of all rows,
    and the density divided by its exact integral, eq. (hyperbolic). So it is a proper density, its M-step never lets Q
    fall, and coefficients are those of least absolute deviations but for e. `predict` gives b'x, mean and median.

    Parameters
    ----------
    alpha, l1_ratio, shrink_to, scale_penalty, shared_variance
        As in `LinearExpert`; the variance is the squared scale.
    variance_prior : (float, float) or None, default=(1.0, 0.1)
        As in `LinearExpert`, on the squared scale, as a fraction of that of one Laplace expert for all rows.
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
