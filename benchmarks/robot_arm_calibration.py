"""Relative errors of linear regression and CART on the robot-arm data.

The sampling ranges were chosen with these two learners alone, so that they come near the figures of Jordan and
Jacobs (1994), 0.31 and 0.17. Run: ``PYTHONPATH=. python benchmarks/robot_arm_calibration.py`` from the root of
the repository; it prints JSON. ``--mlp`` adds a small neural network for information.

"cart_joint" is one tree for all four outputs, "cart_separate" one tree for each output, as in the paper. The ranges
"default" bring the latter near 0.17, the ranges "joint" the former.

Relative error: mean squared error over the variance, i.e. over the error of always predicting the mean.
"mean" averages it over the four outputs, "pooled" divides the summed errors by the summed variances, in rad/s^2.
"""

import argparse
import json

import numpy as np
from sklearn.linear_model import LinearRegression
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor

from hme.datasets import make_robot_arm

N_TRAIN, N_TEST, N_VALIDATION = 15000, 5000, 3000
LEAF_SIZES = (2, 3, 5, 8, 12, 20)
RANGES = {
    "default": {},
    "joint": {"velocity_range": 2.0, "torque_range": (4.0, 4.0, 2.0, 0.5)},
}


def relative_error(y, prediction, scale):
    """Relative errors of outputs that were divided by `scale`."""
    error, variance = ((y - prediction) ** 2).mean(axis=0) * scale**2, y.var(axis=0) * scale**2
    return {
        "mean": round(float((error / variance).mean()), 4),
        "pooled": round(float(error.sum() / variance.sum()), 4),
        "outputs": (error / variance).round(4).tolist(),
    }


def fit_cart(X, y):
    """Fit one tree to the outputs, its leaf size chosen on the last training rows."""
    split = len(X) - N_VALIDATION
    scores = {}
    for leaf in LEAF_SIZES:
        tree = DecisionTreeRegressor(min_samples_leaf=leaf, random_state=0).fit(X[:split], y[:split])
        scores[leaf] = ((tree.predict(X[split:]) - y[split:]) ** 2).mean()
    leaf = min(scores, key=scores.get)
    return DecisionTreeRegressor(min_samples_leaf=leaf, random_state=0).fit(X, y), leaf


def run(ranges, seed, with_mlp):
    X, y, _ = make_robot_arm(N_TRAIN + N_TEST, random_state=seed, **RANGES[ranges])
    # Standard units, because one tree for all outputs shall weigh them alike.
    scale = y[:N_TRAIN].std(axis=0)
    y = (y - y[:N_TRAIN].mean(axis=0)) / scale
    X, X_test, y, y_test = X[:N_TRAIN], X[N_TRAIN:], y[:N_TRAIN], y[N_TRAIN:]
    joint, leaf = fit_cart(X, y)
    separate = [fit_cart(X, column)[0].predict(X_test) for column in y.T]
    result = {
        "ranges": ranges,
        "seed": seed,
        "linear": relative_error(y_test, LinearRegression().fit(X, y).predict(X_test), scale),
        "cart_joint": {
            **relative_error(y_test, joint.predict(X_test), scale),
            "min_samples_leaf": leaf,
            "leaves": int(joint.get_n_leaves()),
        },
        "cart_separate": relative_error(y_test, np.column_stack(separate), scale),
    }
    if with_mlp:
        net = MLPRegressor(hidden_layer_sizes=(50,), max_iter=200, early_stopping=True, random_state=0)
        net = make_pipeline(StandardScaler(), net)
        result["mlp_50"] = relative_error(y_test, net.fit(X, y).predict(X_test), scale)
    return result


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ranges", choices=RANGES, default="default")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--mlp", action="store_true")
    arguments = parser.parse_args()
    print(json.dumps([run(arguments.ranges, seed, arguments.mlp) for seed in range(arguments.seeds)], indent=1))
