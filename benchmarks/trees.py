"""A mixture of small trees beside one tree of as many leaves, and what cross-fitting is for.

For each table: test RMSE of a mixture of `TreeExpert`, of one tree with `max_leaf_nodes` set to the mixture's total,
and of one tree whose number of leaves is chosen by cross-validation on all training rows; the mixture's mean test
log-likelihood beside the one that it reached in training, where each row is answered for by trees that have not seen
it; and both again with ``cv=None``, where they have. The trees' size and `pooling` are chosen
for each split among `GRID` by three-fold cross-validation, by squared error, on its training rows alone, or 4,000 of
them. The depth and the least leaf that `TreeExpert` has by default were chosen on test rows of splits 0 to 5 of these
tables: the run starts at split 6. A data folder has ``load.py`` with ``split(name, i)``. Run from the root::

    PYTHONPATH=. OMP_NUM_THREADS=1 HME_DATA=FOLDER python benchmarks/trees.py [--splits 4] [--sets concrete,energy]
"""

import argparse
import json
import os
import sys
import time
import warnings

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.tree import DecisionTreeRegressor

from hme import HMERegressor
from hme.experts import TreeExpert

SETS = "concrete,energy,airfoil,california"
# Small trees that share nothing, and larger ones with leaves of single rows that share nothing, a little or more.
LARGER = {"max_depth": None, "max_leaf_nodes": 64, "min_weight_leaf": 0.5}
GRID = [TreeExpert(), *(TreeExpert(**LARGER, pooling=pooling) for pooling in (0.0, 0.1, 0.3))]
MOST = 4000  # rows that the choice is made on
FOLDS, ERROR = KFold(3, shuffle=True, random_state=0), "neg_mean_squared_error"


def rmse(model, X, y):
    return float(np.sqrt(np.mean((y - model.predict(X)) ** 2)))


def in_training(model, n_rows):
    """Mean log-likelihood of the training rows at the parameters that are kept, as the E-step sees it."""
    # The objective without the prior of the noise, which the test rows know nothing of.
    return float(model.lower_bounds_.max() - model.model_.log_prior_density(model.params_) / n_rows)


def choose(X, y, n_experts, seed):
    """The number in `GRID` of the trees that predict best what is left out of the training rows."""
    model, some = HMERegressor(n_experts=n_experts, max_iter=30), np.random.default_rng(seed).permutation(len(y))[:MOST]
    search = GridSearchCV(model, {"expert": GRID}, scoring=ERROR, cv=FOLDS, refit=False)
    return int(search.fit(X[some], y[some]).best_index_)


def run(X, y, X_test, y_test, n_experts, seed):
    out, chosen = {}, choose(X, y, n_experts, seed)
    for label, cv in (("cross-fitted", 5), ("in sample", None)):
        start = time.perf_counter()
        expert, max_iter = clone(GRID[chosen]).set_params(cv=cv), 100 if len(y) < 5000 else 30
        model = HMERegressor(n_experts=n_experts, expert=expert, max_iter=max_iter).fit(X, y)
        seconds = time.perf_counter() - start
        leaves = sum(tree.get_n_leaves() for tree in model.experts_.estimator)
        one = DecisionTreeRegressor(max_leaf_nodes=leaves, random_state=0).fit(X, y)
        sizes = {"max_leaf_nodes": [8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512]}
        sized = GridSearchCV(DecisionTreeRegressor(random_state=0), sizes, scoring=ERROR, cv=FOLDS).fit(X, y)
        train, test = in_training(model, len(y)), float(model.log_likelihood(X_test, y_test).mean())
        out[label] = {
            "chosen": chosen,
            "leaves": leaves,
            "rmse": rmse(model, X_test, y_test),
            "rmse_one_tree": rmse(one, X_test, y_test),
            "rmse_sized_tree": rmse(sized, X_test, y_test),
            "ratio": rmse(model, X_test, y_test) / rmse(one, X_test, y_test),
            "train": train,
            "test": test,
            "gap": train - test,
            "sweeps": model.n_iter_,
            "seconds": seconds,
        }
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", default=SETS)
    parser.add_argument("--splits", type=int, default=4)
    parser.add_argument("--first", type=int, default=6, help="number of the first split")
    parser.add_argument("--experts", default="4,8")
    parser.add_argument("--out", default=None)
    arguments = parser.parse_args()
    sys.path.insert(0, os.environ["HME_DATA"])
    import load

    warnings.simplefilter("ignore", ConvergenceWarning)
    results = {}
    for name in arguments.sets.split(","):
        for n_experts in map(int, arguments.experts.split(",")):
            first = arguments.first
            runs = [run(*load.split(name, i), n_experts, i) for i in range(first, first + arguments.splits)]
            mean = {
                label: {key: float(np.mean([r[label][key] for r in runs])) for key in runs[0][label]}
                for label in runs[0]
            }
            for label, row in mean.items():
                ratios = [r[label]["ratio"] for r in runs]
                row.update(ratio_sd=float(np.std(ratios)), wins=float(np.sum(np.array(ratios) < 1)))
            results[f"{name}, {n_experts} trees"] = mean
            print(f"\n{name}, {n_experts} trees, mean of splits {first} to {first + arguments.splits - 1}")
            print(" " * 14 + "".join(f"{key:>14s}" for key in next(iter(mean.values()))))
            for label, row in mean.items():
                print(f"  {label:12s}" + "".join(f"{value:14.3f}" for value in row.values()), flush=True)
    if arguments.out:
        with open(arguments.out, "w") as file:
            json.dump(results, file, indent=1)


if __name__ == "__main__":
    main()
