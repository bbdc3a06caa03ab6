"""What a stack must not lose: few rows, a model of pure noise, models good on one half each, one model alone.

Prints a line for each seed, then means and worst cases: ``python benchmarks/stacking_safety.py [first] [last]``.
"""

import sys
import warnings

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.ensemble import ExtraTreesRegressor, StackingRegressor
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.neighbors import KNeighborsRegressor
from sklearn.tree import DecisionTreeRegressor

from hme import HMEStackingRegressor

COLUMNS = ("200 rows", "largest weight of noise", "halves found", "one model alone")
FOREST = ("forest", ExtraTreesRegressor(50, random_state=0))


class Noise(RegressorMixin, BaseEstimator):
    """Says what has the mean and the spread of y, and nothing else to do with it."""

    def fit(self, X, y):
        self.mean_, self.std_ = y.mean(), y.std()
        return self

    def predict(self, X):
        share = np.abs(np.sin(X @ np.arange(1, X.shape[1] + 1) * 1e5)) % 1
        return self.mean_ + self.std_ * np.sqrt(12.0) * (share - 0.5)


def smooth(rng, n):
    X = rng.uniform(-1, 1, (n, 4))
    return X, 2 * X[:, 0] + np.sin(3 * X[:, 1]) * X[:, 2] + 0.3 * rng.standard_normal(n)


def halves(rng, n):
    X = rng.uniform(-1, 1, (n, 2))
    return X, np.where(X[:, 0] < 0, 3 * X[:, 1], np.floor(3 * X[:, 1])) + 0.1 * rng.standard_normal(n)


def error(model, X, y):
    return np.sqrt(np.mean((model.predict(X) - y) ** 2))


def figures(seed):
    """One number for each of `COLUMNS`."""
    rng = np.random.default_rng(seed)
    few, many, test = smooth(rng, 200), smooth(rng, 500), smooth(rng, 2000)
    models = [("ridge", Ridge()), FOREST, ("near", KNeighborsRegressor())]
    of_few = error(HMEStackingRegressor(models).fit(*few), *test) / error(StackingRegressor(models).fit(*few), *test)
    noisy = HMEStackingRegressor([("ridge", Ridge()), FOREST, ("noise", Noise())]).fit(*many)
    alone = error(HMEStackingRegressor(models[:1]).fit(*few), *test) / error(Ridge().fit(*few), *test)
    return of_few, noisy.estimator_weights(test[0])[:, 2].max(), share_found(rng), alone


def share_found(rng):
    """Share of rows in which the model that is good there counts more."""
    (X, y), rows, test = halves(rng, 500), halves(rng, 500), halves(rng, 2000)[0]
    left = LinearRegression().fit(X[X[:, 0] < 0], y[X[:, 0] < 0])
    right = DecisionTreeRegressor(max_leaf_nodes=6).fit(X[X[:, 0] > 0], y[X[:, 0] > 0])
    weights = HMEStackingRegressor([("left", left), ("right", right)], cv="prefit").fit(*rows).estimator_weights(test)
    return np.mean((weights[:, 0] > weights[:, 1]) == (test[:, 0] < 0))


def main(first=0, last=20):
    warnings.simplefilter("ignore")
    found = []
    print("seed", *COLUMNS, sep="  ")
    for seed in range(first, last):
        found.append(figures(seed))
        print(
            f"{seed:4d}",
            *(f"{value:{len(name)}.4f}" for value, name in zip(found[-1], COLUMNS, strict=True)),
            sep="  ",
            flush=True,
        )
    for name, values in zip(COLUMNS, np.array(found).T, strict=True):
        print(f"{name}: mean {values.mean():.4f}, {values.min():.4f} to {values.max():.4f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
