"""Poisson experts: counts whose variance is their mean, optionally without zeros."""

from scipy.special import gammaln

from ..distributions import Poisson, TruncatedPoisson
from ..numerics.coordinates import stacked
from .count import CountExpert

__all__ = ["PoissonExpert"]


class PoissonExpert(CountExpert):
    """Poisson regression with a log link, eq. (poisson).

    Exposure enters as ``fit(X, y, offset=np.log(exposure))``. Targets that are not whole are taken as rates, as
    scikit-learn's `PoissonRegressor` does: with ``sample_weight=exposure`` the coefficients are the same as with an
    offset, but every unit of exposure then chooses an expert of its own.

    Parameters
    ----------
    {penalty}
    zero_truncated : bool, default=False
        The distribution given that y is not zero: with a `PointMassExpert` it makes a hurdle model.
    {constraints}

    References
    ----------
    McCullagh, P. and Nelder, J. A. (1989). Generalized Linear Models, 2nd edition, chapter 6. Chapman and Hall.

    Examples
    --------
    >>> from hme import HMERegressor
    >>> X, y = [[0.0], [1.0], [2.0], [3.0]], [1, 3, 7, 20]
    >>> model = HMERegressor(depth=0, expert="poisson").fit(X, y)
    >>> model.predict([[4.0]]).round()
    array([53.])
    """

    def log_mass(self, y, eta, mean, dispersion):
        return y * eta - mean - gammaln(y + 1.0)

    def law(self, eta, mean, dispersion, trials):
        return (TruncatedPoisson if self.zero_truncated else Poisson)(mean)

    def mass_derivatives(self, y, eta, mean, dispersion):
        return stacked([y - mean], [[-mean]])

    def count_variance(self, mean, dispersion):
        return mean
