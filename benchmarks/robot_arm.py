"""Jordan & Jacobs' (1994) Table 1 on the generated robot arm: 16 linear experts in a binary tree of four levels.

15,000 training and 5,000 test rows. Relative error: mean squared error over variance, averaged over the four
accelerations. The ranges of the generator were calibrated with linear regression and CART alone
(``robot_arm_calibration.py``), before any mixture was fitted. Run from the root of the repository::

    PYTHONPATH=. OMP_NUM_THREADS=1 python benchmarks/robot_arm.py [--ranges default|joint] [--out robot_arm.json]
"""

import argparse
import json
import time
import warnings

import numpy as np
from robot_arm_calibration import N_TEST, N_TRAIN, RANGES, fit_cart, relative_error
from sklearn.linear_model import LinearRegression
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from hme import HMERegressor
from hme.datasets import make_robot_arm

PAPER = {"linear": 0.31, "backprop": 0.09, "HME": 0.10, "CART": 0.17, "CART (linear)": 0.13, "MARS": 0.16}
EARLY = (5, 10, 20, 35)  # sweeps after which the test error is looked at too
STARTS = ["model_tree", *["directions", "hyperplanes", "perturbed_model_tree"] * 3]  # as with n_init=10


def timed(fit, test, y_test):
    start = time.perf_counter()
    model = fit()
    seconds = time.perf_counter() - start
    predict = model if callable(model) else model.predict
    return {"error": relative_error(y_test, predict(test), np.ones(4))["mean"], "seconds": round(seconds, 2)}, model


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ranges", choices=RANGES, default="default")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", default=None)
    arguments = parser.parse_args()
    X, y, _ = make_robot_arm(N_TRAIN + N_TEST, random_state=arguments.seed, **RANGES[arguments.ranges])
    y = (y - y[:N_TRAIN].mean(axis=0)) / y[:N_TRAIN].std(axis=0)
    X, X_test, y, y_test = X[:N_TRAIN], X[N_TRAIN:], y[:N_TRAIN], y[N_TRAIN:]

    rows = {"linear": timed(lambda: LinearRegression().fit(X, y), X_test, y_test)[0]}
    rows["CART, one tree"] = timed(lambda: fit_cart(X, y)[0], X_test, y_test)[0]

    def trees():
        fitted = [fit_cart(X, column)[0] for column in y.T]
        return lambda Z: np.column_stack([tree.predict(Z) for tree in fitted])

    rows["CART, a tree for each output"] = timed(trees, X_test, y_test)[0]
    net = MLPRegressor(hidden_layer_sizes=(60,), early_stopping=True, max_iter=300, random_state=0)
    net = make_pipeline(StandardScaler(), net)
    rows["network of 60 units"] = timed(lambda: net.fit(X, y), X_test, y_test)[0]
    print(json.dumps(rows, indent=1), flush=True)

    starts = []
    for i, start in enumerate(STARTS):
        model = HMERegressor(depth=4, start=start, random_state=i, max_iter=1000)
        row, model = timed(lambda model=model: model.fit(X, y), X_test, y_test)
        early = {}
        for sweeps in EARLY:
            short = HMERegressor(depth=4, start=start, random_state=i, max_iter=sweeps)
            early[sweeps] = timed(lambda model=short: _quiet(model, X, y), X_test, y_test)[0]["error"]
        starts.append(
            {
                "start": start,
                **row,
                "after sweeps": early,
                "sweeps": model.n_iter_,
                "converged": bool(model.converged_),
                "objective": round(float(model.lower_bounds_[-1]), 4),
            }
        )
        print(json.dumps(starts[-1]), flush=True)
    best = max(starts, key=lambda row: row["objective"])
    result = {
        "ranges": arguments.ranges,
        "paper": PAPER,
        "others": rows,
        "starts": starts,
        "best by objective": best,
        "converged": sum(row["converged"] for row in starts),
        "mean error after 35 sweeps": round(float(np.mean([row["after sweeps"][35] for row in starts])), 4),
    }
    shown = ("best by objective", "converged", "mean error after 35 sweeps")
    print(json.dumps({key: result[key] for key in shown}, indent=1))
    if arguments.out:
        with open(arguments.out, "w") as file:
            json.dump(result, file, indent=1)


def _quiet(model, X, y):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # few sweeps are meant to be too few to converge
        return model.fit(X, y)


if __name__ == "__main__":
    main()
