"""A fixed, wide density of y for the rows that no other expert explains."""

from numbers import Real
from typing import NamedTuple

import numpy as np

from ..distributions import Normal, Uniform, independent
from ..model.traits import Traits
from ..numerics.checks import check_choice, check_real
from .base import AdditiveExpert
from .noise.variance import total_variance

__all__ = ["BackgroundExpert"]

DISTRIBUTIONS = ("normal", "uniform")


class BackgroundParams(NamedTuple):
    """Parameters of the density; they are fixed when the family is bound to a table, and not learned."""

    center: np.ndarray  # (K, T)
    scale: np.ndarray  # (K, T), standard deviation of the normal density or width of the uniform one


class WeightStatistics(NamedTuple):
    weight: np.ndarray  # (K,)


class BackgroundExpert(AdditiveExpert):
    """A fixed, wide density of y that does not depend on x, to absorb outliers; eq. (background).

    It is meant to be one of several experts, together with regressions. Nothing of it is learned.

    Parameters
    ----------
    distribution : {"normal", "uniform"}, default="normal"
        A normal density around the mean of y, or a uniform density around the middle of its range. Several outputs are
        independent.
    width : float, default=2.0
        Standard deviation of the normal density, as a multiple of that of y; or width of the uniform density, as a
        multiple of the range of y, at least 1.
    share : float, default=0.1
        Its responsibility for every row at the start of the fit, between 0 and 1.

    References
    ----------
    Banfield, J. D. and Raftery, A. E. (1993). Model-based Gaussian and non-Gaussian clustering. Biometrics 49(3),
    803-821, section 4.

    Examples
    --------
    >>> import numpy as np
    >>> from hme.model.rows import Rows
    >>> from hme.experts import BackgroundExpert
    >>> X = np.ones((4, 1))
    >>> rows = Rows(X, X, np.array([[0.0], [1.0], [2.0], [4.0]]), np.ones(4))
    >>> expert = BackgroundExpert("uniform", width=1.0).bind(rows, None)
    >>> np.exp(expert.log_prob(expert.start(1), rows))[:, 0]
    array([0.25, 0.25, 0.25, 0.25])
    """

    def __init__(self, distribution="normal", width=2.0, share=0.1):
        self.distribution = distribution
        self.width = width
        self.share = share

    @property
    def traits(self):
        return Traits(
            sparse_input=True,
            multioutput=True,
            exact=True,
            additive=True,
            fixed="a background is given, not learned",
            start_share=float(self.share) if isinstance(self.share, Real) else 0.0,
        )

    def bind(self, rows, design):
        check_choice(self.distribution, "distribution", DISTRIBUTIONS)
        check_real(self.width, "width", positive=True)
        check_real(self.share, "share", positive=True)
        if self.share >= 1:
            raise ValueError(f"share must be between 0 and 1, got {self.share!r}.")
        if self.distribution == "uniform" and self.width < 1:
            raise ValueError(f"width must be >= 1 for distribution='uniform', got {self.width!r}.")
        bound = super().bind(rows, design)
        y, weight = rows.y, rows.weight
        scale = np.sqrt(total_variance(y, weight))
        if self.distribution == "normal":
            bound.center_ = weight @ y / weight.sum()
        else:
            low, high = y.min(axis=0), y.max(axis=0)
            bound.center_ = 0.5 * (low + high)
            scale = np.where(high > low, high - low, scale)
        bound.scale_ = self.width * scale
        return bound

    def start(self, n_experts):
        return BackgroundParams(*(np.repeat(a[None], n_experts, axis=0) for a in (self.center_, self.scale_)))

    def log_prob(self, params, rows):
        distance = np.abs(rows.y[:, None] - params.center) / params.scale
        if self.distribution == "normal":
            terms = -0.5 * (distance**2 + np.log(2.0 * np.pi))
        else:  # with a tolerance for round-off, so that the ends of the range are included
            terms = np.where(distance <= 0.5 * (1 + 1e-9), 0.0, -np.inf)
        return (terms - np.log(params.scale)).sum(axis=2)

    def predict(self, params, rows):
        return np.broadcast_to(params.center, (rows.n_rows, *params.center.shape))

    def variance(self, params, rows):
        ratio = 1.0 if self.distribution == "normal" else 1.0 / 12.0
        return np.broadcast_to(ratio * params.scale**2, (rows.n_rows, *params.scale.shape))

    def predict_dist(self, params, rows):
        kind = Normal if self.distribution == "normal" else Uniform
        return independent(kind, self.predict(params, rows), params.scale)

    def statistics(self, params, rows, resp, seen=None):
        return WeightStatistics(resp.sum(axis=0))

    def update(self, params, stats, rows=None):
        return params

    def n_parameters(self, params):
        return 0

    def report(self, params, design):
        return BackgroundParams(*(a[:, 0] for a in params)) if params.center.shape[1] == 1 else params

    def equations(self, report, feature_names, target):
        name = "normal, standard deviation" if self.distribution == "normal" else "uniform, width"
        return [
            f"{target} anywhere around {np.array2string(center, precision=4)} ({name} "
            f"{np.array2string(scale, precision=3)}, fixed)"
            for center, scale in zip(*(np.asarray(a) for a in report), strict=True)
        ]
