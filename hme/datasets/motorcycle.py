"""Head acceleration in a simulated motorcycle accident."""

from .loading import load_table

__all__ = ["load_motorcycle"]


def load_motorcycle(*, return_X_y=False, as_frame=False):
    """Load the motorcycle impact data: head acceleration in a simulated crash (133 rows).

    Parameters
    ----------
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.
    as_frame : bool, default=False
        Return pandas objects; requires pandas.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        - ``data`` (133, 1): time after the impact in milliseconds.
        - ``target`` (133,): acceleration in g.
        - ``feature_names``: ``['times']``, ``target_names``: ``['accel']``.
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
    B. W. Silverman (1985). Some aspects of the spline smoothing approach to non-parametric regression curve
    fitting. Journal of the Royal Statistical Society, Series B 47(1), 1-52.

    Examples
    --------
    >>> from hme.datasets import load_motorcycle
    >>> X, y = load_motorcycle(return_X_y=True)
    >>> X.shape, y.shape
    ((133, 1), (133,))
    """
    return load_table("motorcycle", return_X_y, as_frame)
