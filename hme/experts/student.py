"""Linear experts with Student noise: y = b_k' x + s_k t, t with nu_k degrees of freedom."""

from typing import NamedTuple

import numpy as np
from scipy.special import gammaln, polygamma, psi

from ..distributions import Student
from ..numerics.checks import check_choice, check_real
from ..numerics.coordinates import joined, log_scalars, stacked
from .reweighted import ReweightedExpert

__all__ = ["StudentExpert"]

DF_RANGE = 0.5, 1e6  # at the upper end the density is the Gaussian one to six digits
DF_START = 4.0
LARGEST_CHANGE = 3.0  # factor by which one step may change the degrees of freedom,
NEAR_GAUSSIAN = 0.02  # but for 1 / df below this, where the log-likelihood is smooth in 1 / df all the way to 0
SERIES_BELOW = 1.0 / 30.0  # of 1 / df: differences of gamma functions lose their digits there, their series does not


class StudentParams(NamedTuple):
    coef: np.ndarray  # (K, 1, p), of the design columns, intercept last
    variance: np.ndarray  # (K, 1), the squared scale; the variance of y is df / (df - 2) times it
    df: np.ndarray  # (K,)


class StudentReport(NamedTuple):
    """Student experts in the user's units: `coef` (K, p), `intercept`, `scale` and `df` (K,)."""

    coef: np.ndarray
    intercept: np.ndarray
    scale: np.ndarray
    df: np.ndarray


class StudentExpert(ReweightedExpert):
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
    {constraints}

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
        super().__init__(
            alpha, l1_ratio, shrink_to, scale_penalty, variance_prior, variance_floor, shared_variance, shared_coef,
            fixed_coef, nonnegative,
        )  # fmt: skip
        self.df = df
        self.shared_df = shared_df

    @property
    def _estimated(self):
        return isinstance(self.df, str)

    def _check(self):
        super()._check()
        if not (self._estimated and self.df == "estimate"):
            try:
                check_real(self.df, "df", positive=True)
            except TypeError:
                raise TypeError(f"df must be 'estimate' or a finite number > 0, got {self.df!r}.") from None
        check_choice(self.shared_df, "shared_df", (True, False))

    def wrap(self, coef, variance):
        df = DF_START if self._estimated else min(float(self.df), DF_RANGE[1])
        return StudentParams(coef, variance, np.full(len(coef), df))

    def log_density(self, params, square):
        inverse = 1.0 / params.df
        tail = np.log1p(square * (inverse / params.variance[:, 0]))
        tail *= -0.5 * (params.df + 1.0)
        tail += _log_constant(inverse)[0] - 0.5 * np.log(params.variance[:, 0])
        return tail

    def row_weights(self, params, square):
        inverse = 1.0 / params.df
        return (1.0 + inverse) / (1.0 + square * (inverse / params.variance[:, 0]))

    def own_statistics(self, params, square, resp):
        """Sums of the derivatives of the log-density by 1 / df, but for its constant: see `_tail_derivatives`."""
        if not self._estimated:
            return np.zeros((resp.shape[1], 0))
        terms = _tail_derivatives(square / params.variance[:, 0], 1.0 / params.df)
        return np.stack([np.einsum("nk,nk->k", resp, term) for term in terms], axis=1)

    def update(self, params, stats, rows=None):
        coef = self._fit_coef(params, stats)
        variance = self.noise_.update(params.variance, stats.weight, self._squares(coef, params, stats))
        if not self._estimated:
            return StudentParams(coef, variance, params.df)
        inverse = 1.0 / params.df
        slope, curvature = self._df_derivatives(inverse, stats)
        # The slope where the scale has moved to, to first order.
        slope = slope + self._joint(stats.own[:, 2] * np.log(variance / params.variance)[:, 0])
        step = np.divide(slope, curvature, out=np.zeros_like(slope), where=curvature > 0)
        lower = np.where(inverse > NEAR_GAUSSIAN, inverse / LARGEST_CHANGE, 0.0)
        upper = np.maximum(inverse * LARGEST_CHANGE, NEAR_GAUSSIAN)
        new = np.clip(inverse + step, np.maximum(lower, 1.0 / DF_RANGE[1]), np.minimum(upper, 1.0 / DF_RANGE[0]))
        return StudentParams(coef, variance, 1.0 / new)

    def _joint(self, sums):
        """Sums over experts where one number of degrees of freedom answers for all."""
        return np.full_like(sums, sums.sum()) if self.shared_df else sums

    def _df_derivatives(self, inverse, stats):
        """Slope of the log-likelihood by 1 / df (K,), and a curvature that is no less than the expected one."""
        _, slope, second = _log_constant(inverse)
        slope = self._joint(stats.weight * slope + stats.own[:, 0])
        observed = self._joint(-stats.weight * second - stats.own[:, 1])
        return slope, np.maximum(observed, self._joint(stats.weight * _information(inverse)))

    def _noise_scalars(self, params, parts):
        noise = self.noise_
        scale = log_scalars(params.variance, [("", "log(scale)")], noise.shared, noise.floor, power=0.5)
        if not self._estimated:
            return scale
        return joined(scale, log_scalars(params.df[:, None], [("", "log(df)")], self.shared_df, *DF_RANGE))

    def displaced(self, params, coef, scalar):
        df = np.exp(scalar[:, 1]) if self._estimated else params.df
        return StudentParams(coef, np.exp(scalar[:, :1]), df)

    def derivatives(self, params, rows):
        """By the location, the log of the squared scale and that of the degrees of freedom, eq. (t-derivatives)."""
        (residual,) = self._residuals(params, rows)
        inverse, variance = 1.0 / params.df, params.variance[:, 0]
        square = residual**2 / variance
        shrunk = 1.0 / (1.0 + square * inverse)
        weight = (1.0 + inverse) * shrunk
        pull = residual / variance
        first = [-weight * pull, 0.5 * (weight * square - 1.0)]
        by_location = -weight * shrunk * (1.0 - square * inverse) / variance
        second = [[by_location, weight * shrunk * pull], [-0.5 * weight * shrunk * square]]
        if not self._estimated:
            return stacked(first, second)
        _, slope, bend = _log_constant(inverse)
        tail = _tail_derivatives(square, inverse)
        slope = slope + tail[0]
        first.append(-inverse * slope)
        second[0].append(inverse * pull * (1.0 - square) * shrunk**2)
        second[1].append(-inverse * tail[2])
        second.append([inverse * slope + inverse**2 * (bend + tail[1])])
        return stacked(first, second)

    def prior_derivatives(self, params):
        gradient, hessian = super().prior_derivatives(params)
        if not self._estimated:
            return gradient, hessian
        return np.pad(gradient, ((0, 0), (0, 1))), np.pad(hessian, ((0, 0), (0, 1), (0, 1)))

    def gradient(self, params, stats):
        linear = super().gradient(params, stats)
        if not self._estimated:
            return linear
        slope = -self._df_derivatives(1.0 / params.df, stats)[0] / params.df  # by log(df)
        low, high = DF_RANGE[0] * (1 + 1e-9), DF_RANGE[1] * (1 - 1e-9)
        held = ((params.df <= low) & (slope < 0)) | ((params.df >= high) & (slope > 0))
        return np.append(linear, np.where(held, 0.0, slope))

    def variance(self, params, rows):
        df = params.df[:, None]
        ratio = np.divide(df, df - 2.0, out=np.full_like(df, np.inf), where=df > 2.0)
        return np.broadcast_to(params.variance * ratio, (rows.n_rows, *params.variance.shape))

    def predict_dist(self, params, rows):
        return Student(params.df[None], self.predict(params, rows)[:, :, 0], np.sqrt(params.variance.T))

    def n_parameters(self, params):
        n_df = (1 if self.shared_df else len(params.df)) if self._estimated else 0
        return super().n_parameters(params) + n_df

    def warnings(self, params, stats):
        sentences = super().warnings(params, stats)
        if not self._estimated:
            return sentences
        gaussian = np.flatnonzero(params.df >= DF_RANGE[1] * (1 - 1e-9)).tolist()
        heavy = np.flatnonzero(params.df <= DF_RANGE[0] * (1 + 1e-9)).tolist()
        if gaussian:
            sentences.append(
                f"the degrees of freedom of expert(s) {gaussian} grow without bound: their noise is Gaussian. Use "
                "LinearExpert or a fixed df if that is so for all experts"
            )
        if heavy:
            sentences.append(
                f"the degrees of freedom of expert(s) {heavy} are at their least value, {DF_RANGE[0]}: nearly all of "
                "their rows lie on a line, or far from it. Fix df or use more experts"
            )
        return sentences

    def report(self, params, design):
        coef, intercept = design.to_user_units(params.coef[:, 0])
        return StudentReport(coef, intercept, np.sqrt(params.variance[:, 0]), params.df)

    def equations(self, report, feature_names, target):
        lines = []
        for coef, intercept, scale, df in zip(*report, strict=True):
            lines.append(f"{target} = {self._equation(coef, intercept, feature_names)},  noise {scale:.3g} t({df:.3g})")
        return lines


# -- arrays: everything by inverse = 1 / df, in which the density is smooth up to the Gaussian one at 0 ----------------


def _log_constant(inverse):
    """log of the density of the standard t at 0, and its first two derivatives by `inverse`, eq. (t-constant)."""
    df = 1.0 / np.maximum(inverse, SERIES_BELOW)
    upper, lower = (df + 1.0) / 2.0, df / 2.0
    slope = 0.5 * (psi(upper) - psi(lower) - 1.0 / df)  # by df
    second = 0.25 * (polygamma(1, upper) - polygamma(1, lower)) + 0.5 / df**2
    exact = (
        gammaln(upper) - gammaln(lower) - 0.5 * np.log(np.pi * df),
        -(df**2) * slope,
        df**3 * (2.0 * slope + df * second),
    )
    i, i2 = inverse, inverse**2
    series = (
        -0.5 * np.log(2 * np.pi) - i * (1 / 4 - i2 * (1 / 24 - i2 * (1 / 20 - i2 * (17 / 112 - i2 * 31 / 36)))),
        -1 / 4 + i2 * (1 / 8 - i2 * (1 / 4 - i2 * (17 / 16 - i2 * 31 / 4))),
        i * (1 / 4 - i2 * (1 - i2 * (51 / 8 - i2 * 62))),
    )
    return tuple(np.where(inverse < SERIES_BELOW, s, e) for s, e in zip(series, exact, strict=True))


def _tail_derivatives(square, inverse):
    """Derivatives of the tail's term of the log-density at squared residuals (n, K) in units of the scale.

    By `inverse`, twice by `inverse`, and by `inverse` and the log of the squared scale; eq. (df-derivatives).
    """
    z = square * inverse
    shrunk = 1.0 / (1.0 + z)
    small = z < 0.02
    safe = np.where(small, 1.0, z)
    # (log(1 + z) - z / (1 + z)) / z^2 and its derivative, by their series where they lose their digits.
    ratio = (np.log1p(safe) - safe / (1.0 + safe)) / safe**2
    change = (shrunk**2 - 2.0 * ratio) / safe
    power, ratio_series, change_series = 1.0, 0.0, 0.0
    w = np.where(small, z, 0.0)
    for k in range(8):
        ratio_series = ratio_series + (k + 1) / (k + 2) * power
        change_series = change_series - (k + 1) * (k + 2) / (k + 3) * power
        power = power * -w
    ratio, change = np.where(small, ratio_series, ratio), np.where(small, change_series, change)
    half = 0.5 * square * shrunk
    return (
        0.5 * square**2 * ratio - half,
        0.5 * square**3 * change + half * square * shrunk,
        half * (1.0 - square) * shrunk,
    )


def _information(inverse):
    """Expected information of a row about `inverse`, scale and location known, eq. (df-information)."""
    df = np.minimum(1.0 / inverse, 200.0)  # its limit, 7 / 2, is near; beyond, the difference loses its digits
    by_df = 0.25 * (polygamma(1, df / 2.0) - polygamma(1, (df + 1.0) / 2.0))
    return df**4 * (by_df - (df + 5.0) / (2.0 * df * (df + 1.0) * (df + 3.0)))
