"""Yearly sunspot numbers."""

from .loading import load_table

__all__ = ["load_sunspots"]


def load_sunspots(*, return_X_y=False, as_frame=False):
    """Load the yearly sunspot numbers of 1700 to 2008 (309 rows).

    The usual task is to predict a year from those before it; years to 1920 are for learning.

    Parameters
    ----------
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.
    as_frame : bool, default=False
        Return pandas objects; requires pandas.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        - ``data`` (309, 1): the year.
        - ``target`` (309,): mean sunspot number of the year.
        - ``feature_names``: ``['year']``, ``target_names``: ``['number']``.
        - ``frame``: DataFrame with both columns if `as_frame`, else None.
        - ``DESCR``: description with source and licence.
    (data, target) : tuple
        If `return_X_y`.

    Raises
    ------
    ValueError
        If a parameter is not a bool.
    ImportError
        If `as_frame` is True and pandas is not installed.

    References
    ----------
    H. Tong and K. S. Lim (1980). Threshold autoregression, limit cycles and cyclical data. Journal of the Royal
    Statistical Society, Series B 42(3), 245-292.

    S. R. Waterhouse, D. MacKay and A. J. Robinson (1996). Bayesian methods for mixtures of experts. Advances in Neural
    Information Processing Systems 8, 351-357. MIT Press.

    Examples
    --------
    >>> from hme.datasets import load_sunspots
    >>> year, number = load_sunspots(return_X_y=True)
    >>> year.shape, number.shape
    ((309, 1), (309,))
    """
    return load_table("sunspots", return_X_y, as_frame)
