"""Quantiles of weighted columns, which starts cut at."""

import numpy as np

from hme import HMERegressor
from hme.fitting.regions import Region
from hme.numerics.quantiles import quantiles

LEVELS = np.linspace(0.1, 0.9, 9)


def test_quantiles_are_values_and_repeated_rows_are_weights():
    rng = np.random.default_rng(0)
    x, times = rng.normal(size=37).round(1), rng.integers(0, 4, size=37)
    found = quantiles(x, LEVELS, times.astype(float))
    repeated = np.repeat(x, times)
    np.testing.assert_array_equal(found, quantiles(repeated, LEVELS, np.ones(len(repeated))))
    np.testing.assert_array_equal(quantiles(x, [0.0, 1.0], np.ones(37)), [x.min(), x.max()])
    for level, value in zip(LEVELS, found, strict=True):  # the smallest value that reaches the level
        assert np.mean(repeated <= value) >= level - 1e-9 > np.mean(repeated < value)


def test_rounding_in_the_sum_of_weights_moves_no_quantile():
    rng = np.random.default_rng(1)
    x = rng.permutation(30.0 + np.arange(30))
    expected = 30.0 + np.arange(2, 27, 3)  # levels that are reached exactly
    for weight in (np.ones(30), np.full(30, 0.1), np.full(30, 1.0 / 3.0), 1.0 + 1e-14 * rng.uniform(-1, 1, 30)):
        np.testing.assert_array_equal(quantiles(x, LEVELS, weight), expected)


def test_weights_that_differ_by_rounding_give_the_same_fit():
    rng = np.random.default_rng(2)
    X, y = rng.normal(size=(30, 2)), rng.normal(size=30)
    model = HMERegressor(depth=1, tol=0.1)
    expected = model.fit(X, y).log_likelihood(X, y)
    for seed in range(8):
        weight = 1.0 + 1e-14 * np.random.default_rng(seed).uniform(-1.0, 1.0, size=30)
        np.testing.assert_allclose(model.fit(X, y, weight).log_likelihood(X, y), expected, rtol=1e-9)


def test_regions_of_equal_scores_are_cut_alike_in_other_units():
    score, weight = np.array([1.0, 3.0, 3.0, 3.0, 8.0]), np.array([0.1, 0.2, 0.3, 0.7, 0.1])
    inside = np.array([1, 2, 3])  # equal, though their weighted mean is not quite the same number
    expected = Region(inside, np.zeros(5)).cut(score, 3.0, weight)[0].log_soft
    assert expected[0] > np.log(0.6) and expected[-1] < np.log(0.4)
    for unit in (1e-9, 512.0):
        changed = Region(inside, np.zeros(5)).cut(score * unit, 3.0 * unit, weight)[0].log_soft
        np.testing.assert_allclose(changed, expected, rtol=1e-9)
