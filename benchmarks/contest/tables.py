"""Tables of the contest, as training rows and test rows of a numbered split."""

import os
import sys
from typing import NamedTuple

import numpy as np
from sklearn import datasets
from sklearn.model_selection import StratifiedShuffleSplit, train_test_split

from .scores import rounding_cells

__all__ = ["BUNDLED", "QUICK", "SPLITS", "TABLES", "Split", "Training", "load_split", "n_splits"]

# From few rows to many, which is the order in which they are run.
TABLES = {
    "regression": ("energy", "concrete", "airfoil", "wine_red", "abalone", "kin8nm", "power_plant", "california"),
    "classes": ("vowel_deterding", "breast_cancer", "banana", "segment", "pb52_vowels", "digits", "satimage"),
}
QUICK = {"regression": ("diabetes",), "classes": ("breast_cancer",)}
SPLITS = 5
MOST_ROWS = 8000
GROUP_ROWS = {"vowel_deterding": 66, "pb52_vowels": 20}  # rows of one speaker, which stand together
BUNDLED = {  # with scikit-learn
    "breast_cancer": datasets.load_breast_cancer,
    "digits": datasets.load_digits,
    "diabetes": datasets.load_diabetes,
}
N_SPLITS = {"vowel_deterding": 1, "satimage": 1}  # of tables with fewer than `SPLITS`
TEST_SHARE = 0.2  # of bundled tables


class Training(NamedTuple):
    """All that a method sees before its predictions are wanted."""

    X: np.ndarray
    y: np.ndarray
    groups: np.ndarray | None


class Split(NamedTuple):
    """Training rows beside test rows; `cells` holds the edges of the rounding cells of the test targets, or None."""

    training: Training
    X_test: np.ndarray
    y_test: np.ndarray
    cells: tuple | None


def _folder():
    """The module `load` of the folder that HME_DATA names."""
    if "HME_DATA" not in os.environ:
        raise SystemExit("HME_DATA must name the folder of the tables; --quick needs none.")
    if os.environ["HME_DATA"] not in sys.path:
        sys.path.insert(0, os.environ["HME_DATA"])
    import load

    return load


def n_splits(name):
    return N_SPLITS.get(name, SPLITS)


def _bundled(name, number):
    X, y = BUNDLED[name](return_X_y=True)
    if name == "diabetes":
        train, test = train_test_split(np.arange(len(y)), test_size=TEST_SHARE, random_state=number)
    else:
        shuffled = StratifiedShuffleSplit(SPLITS, test_size=TEST_SHARE, random_state=0)
        train, test = list(shuffled.split(X, y))[number]
    return X, y, train, test


def load_split(name, number):
    """Split `number` of a table, with at most `MOST_ROWS` training rows: the first of a permutation."""
    if name in BUNDLED:
        X, y, train, test = _bundled(name, number)
    else:
        table = _folder().load(name)
        X, y, held_out = table["X"], table["y"], table["test_mask"][:, number]
        train, test = np.flatnonzero(~held_out), np.flatnonzero(held_out)
    if len(train) > MOST_ROWS:
        train = np.random.default_rng(number).permutation(train)[:MOST_ROWS]
    groups = train // GROUP_ROWS[name] if name in GROUP_ROWS else None
    cells = None if name in TABLES["classes"] else rounding_cells(y)
    edges = None if cells is None else tuple(edge[np.searchsorted(cells[0], y[test])] for edge in cells[1:])
    return Split(Training(X[train], y[train], groups), X[test], y[test], edges)
