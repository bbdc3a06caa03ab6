"""The model tree of wide tables: the columns that it looks at are those that matter."""

import numpy as np
import pytest

from hme.fitting import model_tree as trees
from hme.fitting.screening import promising_splits, useful_columns
from hme.model.rows import Rows
from hme.model.tree import Tree

STRONG = 3.0  # slopes of the columns that tell nothing about the split


def wide(kind, n=600, p=50, seed=0):
    """Strong slopes of ten early columns, and a change across the last column but one that shows in nothing else."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    side = X[:, -2] > 0
    noise = 0.5 * rng.normal(size=n)
    change = {
        "sign of a slope": np.where(side, 1.0, -1.0) * X[:, -1],
        "slope": side * X[:, -1],
        "level": 1.0 * side,
        "kink": np.abs(X[:, -2]),
        "noise": np.where(side, 5.0, 1.0) * noise,
    }[kind]
    return X, STRONG * X[:, :10].sum(axis=1) + change + noise, side


def rows_of(X, y, weight=None):
    columns = np.column_stack([(X - X.mean(axis=0)) / X.std(axis=0), np.ones(len(X))])
    return Rows(columns, columns, y[:, None], np.ones(len(X)) if weight is None else weight)


@pytest.mark.parametrize("kind", ["sign of a slope", "slope", "level", "kink", "noise"])
def test_late_columns_with_weak_main_effects_are_split(kind):
    X, y, side = wide(kind)
    resp = trees.model_tree(rows_of(X, y), Tree([[-1, -2]]))
    agreement = (resp.argmax(axis=1) == side).mean()
    assert abs(agreement - 0.5) > 0.4


def test_screen_agrees_with_the_fits_on_both_sides(monkeypatch):
    for kind in ("slope", "noise"):
        X, y, _ = wide(kind, n=300, p=20)
        screened = trees.model_tree(rows_of(X, y), Tree([[-1, 1], [-2, -3]]))
        monkeypatch.setattr(trees, "MAX_CANDIDATES", 20)
        np.testing.assert_array_equal(trees.model_tree(rows_of(X, y), Tree([[-1, 1], [-2, -3]])), screened)
        monkeypatch.undo()


def test_screen_counts_repeated_rows_as_weights():
    X, y, _ = wide("sign of a slope", n=150, p=36)
    times = np.random.default_rng(1).integers(1, 4, 150)
    rows = rows_of(X, y)
    order = np.random.default_rng(2).permutation(times.sum())
    again = (
        rows_of(X, y, times.astype(float)),
        Rows(*(None if a is None else np.repeat(a, times, axis=0)[order] for a in rows)),
    )
    one, two = (trees.model_tree(r, Tree([[-1, 1], [-2, -3]])) for r in again)
    np.testing.assert_allclose(np.repeat(one, times, axis=0)[order], two, atol=1e-9)


def test_scores_are_zero_where_nothing_changes():
    rng = np.random.default_rng(0)
    X = np.repeat(rng.normal(size=(150, 30)), 2, axis=0)  # every row with a residual of either sign
    Z, R, weight = np.column_stack([X, np.ones(300)]), np.tile([[1.0], [-1.0]], (150, 1)), np.ones(300)
    ridge = 0.1 * np.eye(31)
    R[:, 0] *= np.where(X[:, 29] > 0, 2.0, 1.0)  # nothing but the variance, and that across the last column
    assert promising_splits(X, Z, R, weight, ridge, 1) == [29]
    R = np.where(X[:, [28]] > 0, 1.0, -1.0) * X[:, [7]]  # a slope that changes its sign
    assert 28 in promising_splits(X, Z, R, weight, ridge, 2)
    assert 7 in useful_columns(X, X, R, np.zeros((30, 1)), weight, 2)
