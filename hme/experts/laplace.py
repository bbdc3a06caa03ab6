"""Linear experts with Laplace noise: y = b_k' x + noise of density exp(-|r| / s_k) / (2 s_k), its corner rounded."""

from typing import NamedTuple

import numpy as np
from scipy.special import k0e, k1e

from ..distributions import Hyperbolic
from ..numerics.coordinates import log_scalars, stacked
from .reweighted import ReweightedExpert

__all__ = ["LaplaceExpert"]

CORNER = 1e-4  # half-width of the rounded corner, in standard deviations of the fit of all rows
NEWTON_STEPS = 30


class LaplaceParams(NamedTuple):
    coef: np.ndarray  # (K, 1, p), of the design columns, intercept last
    variance: np.ndarray  # (K, 1), the squared scale; the variance of y is about twice that


class LaplaceReport(NamedTuple):
    """Laplace experts in the user's units: `coef` (K, p), `intercept` and `scale` (K,), the mean absolute error."""

    coef: np.ndarray
    intercept: np.ndarray
    scale: np.ndarray


class LaplaceExpert(ReweightedExpert):
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
    {constraints}

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

    known = (
        "the log-density of Laplace noise has a corner, so that its observed curvature by the location means nothing: "
        "its expectation 1 / scale^2 is used"
    )

    def _bind_scale(self, variance):
        self.corner_ = CORNER * float(np.sqrt(variance))

    def wrap(self, coef, variance):
        return LaplaceParams(coef, np.maximum(0.5 * variance, self.floor_))

    def log_density(self, params, square):
        scale = np.sqrt(params.variance[:, 0])
        length = _length(square, self.corner_)
        length /= -scale
        length -= np.log(2.0 * self.corner_ * k1e(self.corner_ / scale))
        return length

    def row_weights(self, params, square):
        return np.sqrt(params.variance[:, 0]) / np.sqrt(square + self.corner_**2)

    def own_statistics(self, params, square, resp):
        return np.einsum("nk,nk->k", resp, _length(square, self.corner_))[:, None]

    def update(self, params, stats, rows=None):
        coef = self._fit_coef(params, stats)
        gain = stats.square - self._residual_squares(coef, params, stats)
        # An upper bound of the lengths where the coefficients have moved to, eq. (row-weight).
        length = stats.own - 0.5 * gain / np.sqrt(params.variance)
        count, ridge, length, weight = self._scale_terms(coef, stats, np.maximum(length, 0.0))
        inverse = _solve_scale(count, ridge, length, weight, self.corner_, 1.0 / np.sqrt(self.floor_))
        variance = np.where(count > 0, np.maximum(inverse**-2.0, self.floor_), params.variance)
        return LaplaceParams(coef, variance)

    def _scale_terms(self, coef, stats, length):
        """What the scale's equation is made of, (K, 1) each, over all experts where they share it."""
        count, ridge = self.noise_.totals(stats.weight, self._scaled_ridge(coef))
        weight = stats.weight[:, None]
        if self.shared_variance:
            length, weight = (np.broadcast_to(a.sum(axis=0), a.shape) for a in (length, weight))
        return count, ridge, length, weight

    def _noise_gradient(self, params, stats):
        inverse = 1.0 / np.sqrt(params.variance)
        slope, _ = _scale_equation(inverse, *self._scale_terms(params.coef, stats, stats.own), self.corner_)
        return np.where(params.variance > self.floor_, -0.5 * inverse * slope, 0.0)

    def _noise_scalars(self, params, parts):
        noise = self.noise_
        return log_scalars(params.variance, [("", "log(scale)")], noise.shared, noise.floor, power=0.5)

    def derivatives(self, params, rows):
        """By the location and the log of the squared scale, eq. (laplace-derivatives).

        Nearly all curvature by the location lies in the corner, on the few rows that happen to be there; its
        expectation stands for it.
        """
        (residual,) = self._residuals(params, rows)
        scale = np.sqrt(params.variance[:, 0])
        x = self.corner_ / scale
        ratio, length = _ratio(x), _length(residual**2, self.corner_) / scale
        side = residual / np.sqrt(residual**2 + self.corner_**2) / scale
        first = [-side, 0.5 * (length + x * (1.0 - ratio) - 1.0)]
        bend = -0.25 * (length + x * (1.0 - 2.0 * ratio + x - x * ratio**2))
        return stacked(first, [[np.full_like(side, -1.0) / params.variance[:, 0], 0.5 * side], [bend]])

    def variance(self, params, rows):
        scale = np.sqrt(params.variance)
        variance = 2.0 * params.variance + self.corner_ * scale * _ratio(self.corner_ / scale)
        return np.broadcast_to(variance, (rows.n_rows, *variance.shape))

    def predict_dist(self, params, rows):
        corner = np.full((1, len(params.variance)), self.corner_)
        return Hyperbolic(self.predict(params, rows)[:, :, 0], np.sqrt(params.variance.T), corner)

    def report(self, params, design):
        coef, intercept = design.to_user_units(params.coef[:, 0])
        return LaplaceReport(coef, intercept, np.sqrt(params.variance[:, 0]))

    def equations(self, report, feature_names, target):
        lines = []
        for coef, intercept, scale in zip(*report, strict=True):
            lines.append(f"{target} = {self._equation(coef, intercept, feature_names)},  noise Laplace {scale:.3g}")
        return lines


# -- arrays ----------------------------------------------------------------------------------------------------------


def _length(square, corner):
    """sqrt(r^2 + e^2) - e without cancellation."""
    return square / (np.sqrt(square + corner**2) + corner)


def _ratio(x):
    """K_0 / K_1, of modified Bessel functions."""
    return k0e(x) / k1e(x)


def _scale_equation(inverse, count, ridge, length, weight, corner):
    """Slope of Q by the inverse scale, which falls from plus infinity, and its own slope; eq. (hyperbolic-scale)."""
    x = corner * inverse
    ratio = _ratio(x)
    slope = count / inverse - weight * corner * (1.0 - ratio) - length - ridge * inverse
    return slope, weight * corner**2 * (ratio**2 + ratio / x - 1.0) - count / inverse**2 - ridge


def _solve_scale(count, ridge, length, weight, corner, largest):
    """Inverse scales where Q has its maximum, no larger than `largest`."""
    # With the ratio at zero the equation is quadratic, and its root is below; Newton's steps rise from there.
    linear = length + weight * corner
    inverse = 2.0 * count / np.maximum(linear + np.sqrt(linear**2 + 4.0 * ridge * count), np.finfo(float).tiny)
    inverse = np.clip(inverse, np.finfo(float).tiny, largest)
    for _ in range(NEWTON_STEPS):
        slope, change = _scale_equation(inverse, count, ridge, length, weight, corner)
        step = np.divide(slope, change, out=np.zeros_like(slope), where=change < 0)
        inverse = np.clip(inverse - step, 0.5 * inverse, largest)
        if (np.abs(step) <= 1e-15 * inverse).all():
            break
    return inverse
