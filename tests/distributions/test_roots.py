"""Root finding by itself."""

import numpy as np
from scipy.special import ndtr, ndtri

from hme.distributions.roots import bit_middle, first_counts, sign_changes, tail_roots


def test_tails():
    p = np.array([1e-300, 1e-9, 0.2, 0.5, 0.5])
    low, high = np.full(5, -50.0), np.full(5, 50.0)

    def lower(active, x):
        return ndtr(x), np.exp(-0.5 * x**2) / np.sqrt(2 * np.pi)

    def upper(active, x):
        return ndtr(-x), np.exp(-0.5 * x**2) / np.sqrt(2 * np.pi)

    start = np.array([49.0, 0.0, -30.0, 1.0, 0.0])
    np.testing.assert_allclose(tail_roots(lower, p, start, low, high, False, 1e-13), ndtri(p), rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(tail_roots(upper, p, -start, low, high, True, 1e-13), -ndtri(p), rtol=1e-12, atol=1e-13)


def test_tails_without_slopes_end():
    """Steps: the point where the tail passes p."""

    def steps(active, x):
        return np.where(x < np.array([0.3, 1e-200])[active], 0.1, 0.9), np.zeros(len(x))

    found = tail_roots(steps, np.full(2, 0.5), np.zeros(2), np.full(2, -1.0), np.ones(2), False, 1e-12)
    np.testing.assert_allclose(found, [0.3, 1e-200], rtol=1e-15)


def test_sign_changes():
    root = np.array([0.25, 1e-8, -3.0, 7.0])
    rises = np.array([1.0, 1.0, -1.0, 1.0])

    def function(active, x):
        f = rises[active] * (x - root[active]) ** 3
        return np.where(active == 3, np.sign(x - 7.0), f)  # the last one is a jump

    a, b = root - np.array([0.25, 1.0, 5.0, 2.0]), root + np.array([1.0, 0.5, 0.1, 90.0])
    everything = np.arange(4)
    low, high, x = sign_changes(function, a, b, function(everything, a), function(everything, b), 0.0, 0.0)
    assert ((low <= root) & (root <= high)).all() and (high - low <= 1e-15 * (1 + np.abs(root))).all()
    np.testing.assert_allclose(x, root, rtol=1e-14, atol=1e-15)


def test_bit_middle():
    low, high = np.array([-1.0, 1e-300, -1e300]), np.array([1.0, 1e300, -1e-300])
    middle = bit_middle(low, high)
    assert ((low < middle) & (middle < high)).all() and middle[0] == 0.0


def test_first_counts():
    low = np.array([[-3.0, 0.0, 5.0, 2.0, 0.0]])
    high = np.array([[np.inf, 9.0, 5.0, np.inf, 7.0]])
    wanted = np.array([[1e9, 4.0, 5.0, 2.0, 100.0]])  # the last is beyond
    np.testing.assert_array_equal(first_counts(lambda k: k >= wanted, low, high), [[1e9, 4.0, 5.0, 2.0, 7.0]])
