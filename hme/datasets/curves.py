"""Small classic problems: an inverse problem, heteroscedastic noise, two spirals."""

import numpy as np
from sklearn.utils import Bunch, check_random_state

from ..numerics.checks import check_int, check_real

__all__ = ["make_heteroscedastic", "make_inverse_problem", "make_two_spirals"]


def make_inverse_problem(n_samples=1000, *, noise=0.1, random_state=None):
    """Bishop's inverse problem: a one-to-many regression with up to three branches.

    ``x = t + 0.3 sin(2 pi t) + e`` with ``t`` uniform on ``[0, 1]`` and ``e`` uniform on ``[-noise, noise]``.
    The task is to predict ``t`` from ``x``. In the middle of the range several values of ``t`` are possible, and
    their mean is not among them.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of rows.
    noise : float, default=0.1
        Half width of the uniform noise, >= 0.
    random_state : int, RandomState instance or None, default=None
        Seed.

    Returns
    -------
    X : ndarray of shape (n_samples, 1)
        Input x.
    y : ndarray of shape (n_samples,)
        Response t.
    truth : :class:`~sklearn.utils.Bunch`
        - ``forward`` (n_samples,): x without noise, ``t + 0.3 sin(2 pi t)``.
        - ``noise`` (n_samples,): the noise that was added, so that ``X[:, 0] == forward + noise``.
        - ``half_width``: the parameter `noise`.

    Raises
    ------
    ValueError
        If a parameter is outside its range.

    References
    ----------
    C. M. Bishop (1994). Mixture density networks. Technical report NCRG/94/004, Aston University.

    Examples
    --------
    >>> from hme.datasets import make_inverse_problem
    >>> X, y, truth = make_inverse_problem(200, random_state=0)
    >>> X.shape, y.shape
    ((200, 1), (200,))
    """
    n_samples = check_int(n_samples, "n_samples")
    half_width = check_real(noise, "noise")
    rng = check_random_state(random_state)
    t = rng.uniform(size=n_samples)
    error = rng.uniform(-half_width, half_width, size=n_samples)
    forward = t + 0.3 * np.sin(2 * np.pi * t)
    return (forward + error)[:, None], t, Bunch(forward=forward, noise=error, half_width=half_width)


def make_heteroscedastic(n_samples=1000, *, noise=1.0, random_state=None):
    """One-dimensional regression in which the noise depends on the input (Nix and Weigend, 1994).

    ``x`` is uniform on ``[0, pi]``, the mean is ``sin(2.5 x) sin(1.5 x)`` and the variance is
    ``0.01 + 0.25 (1 - sin(2.5 x))^2``.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of rows.
    noise : float, default=1.0
        Factor on the standard deviation, >= 0; 1 gives the published problem.
    random_state : int, RandomState instance or None, default=None
        Seed.

    Returns
    -------
    X : ndarray of shape (n_samples, 1)
        Input x.
    y : ndarray of shape (n_samples,)
        Response.
    truth : :class:`~sklearn.utils.Bunch`
        - ``mean`` (n_samples,): mean of the response given x.
        - ``std`` (n_samples,): standard deviation of the response given x.

    Raises
    ------
    ValueError
        If a parameter is outside its range.

    References
    ----------
    A. S. Weigend and D. A. Nix (1994). Predictions with confidence intervals (local error bars). Proceedings
    of the International Conference on Neural Information Processing (ICONIP'94), 847-852.

    D. A. Nix and A. S. Weigend (1994). Estimating the mean and variance of the target probability
    distribution. Proceedings of the IEEE International Conference on Neural Networks, vol. 1, 55-60.

    Examples
    --------
    >>> from hme.datasets import make_heteroscedastic
    >>> X, y, truth = make_heteroscedastic(200, random_state=0)
    >>> X.shape, float(truth.std.min()) >= 0.1
    ((200, 1), True)
    """
    n_samples = check_int(n_samples, "n_samples")
    noise = check_real(noise, "noise")
    rng = check_random_state(random_state)
    x = rng.uniform(0, np.pi, size=n_samples)
    mean = np.sin(2.5 * x) * np.sin(1.5 * x)
    std = noise * np.sqrt(0.01 + 0.25 * (1 - np.sin(2.5 * x)) ** 2)
    return x[:, None], mean + std * rng.standard_normal(n_samples), Bunch(mean=mean, std=std)


def make_two_spirals(n_samples=194, *, noise=0.0, random_state=None):
    """Two intertwined spirals: a hard two-class problem in the plane.

    Each class winds three times around the origin; one spiral is the other turned by half a circle.

    Parameters
    ----------
    n_samples : int, default=194
        Number of rows, >= 2. The default gives the classic 97 points per class; if odd, class 1 has one
        row more.
    noise : float, default=0.0
        Standard deviation of Gaussian noise on both coordinates, >= 0. Neighbouring turns are about 1 apart.
    random_state : int, RandomState instance or None, default=None
        Seed of the noise.

    Returns
    -------
    X : ndarray of shape (n_samples, 2)
        Points; without noise their radius runs from 6.5 down to 0.5. The classes alternate row by row,
        class 1 first.
    y : ndarray of shape (n_samples,)
        Class, 0 or 1.
    truth : :class:`~sklearn.utils.Bunch`
        - ``clean`` (n_samples, 2): points without noise.
        - ``radius``, ``angle`` (n_samples,): polar coordinates along the spiral of class 1; the points of
          class 0 lie at the angle plus pi. The angle is measured from the second axis.

    Raises
    ------
    ValueError
        If a parameter is outside its range.

    References
    ----------
    K. J. Lang and M. J. Witbrock (1988). Learning to tell two spirals apart. Proceedings of the 1988
    Connectionist Models Summer School, 52-59. Morgan Kaufmann.

    Examples
    --------
    >>> from hme.datasets import make_two_spirals
    >>> X, y, truth = make_two_spirals()
    >>> X.shape, int(y.sum())
    ((194, 2), 97)
    """
    n_samples = check_int(n_samples, "n_samples", minimum=2)
    noise = check_real(noise, "noise")
    rng = check_random_state(random_state)
    y = 1 - np.arange(n_samples) % 2
    step = np.arange(n_samples) // 2
    turn = 96 * step / max(step[-1], 1)  # 96 steps of pi / 16 are three turns, however many points there are
    angle = turn * np.pi / 16
    radius = 6.5 * (104 - turn) / 104
    clean = np.where(y == 1, radius, -radius)[:, None] * np.column_stack([np.sin(angle), np.cos(angle)])
    return clean + noise * rng.standard_normal(clean.shape), y, Bunch(clean=clean, radius=radius, angle=angle)
