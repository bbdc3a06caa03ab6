"""Accuracy on real tables: mixtures of depth 2 to 5 beside linear models, gradient boosting and random forests.

Test RMSE (or accuracy) and mean test log-likelihood, averaged over the standard splits of a data folder that has
``load.py`` with ``META`` and ``split(name, i)``. Regression baselines get a Gaussian of constant variance, that of
their residuals on a fifth of the training rows held back (linear: on the training rows). Nothing is tuned. Run from
the root::

    PYTHONPATH=. OMP_NUM_THREADS=1 HME_DATA=FOLDER python benchmarks/accuracy.py [--splits 5] [--sets kin8nm,energy]
"""

import argparse
import json
import os
import sys
import time
import warnings

import numpy as np
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from hme import HMEClassifier, HMERegressor

SETS = (
    "kin8nm", "concrete", "energy", "power_plant", "airfoil", "abalone", "california", "wine_red",
    "vowel_deterding", "satimage", "segment", "banana",
)  # fmt: skip
DEPTHS = (2, 3, 4, 5)


def regression_baselines():
    yield "linear", LinearRegression(), False
    yield "boosting", HistGradientBoostingRegressor(random_state=0), True
    yield "forest", RandomForestRegressor(random_state=0), True


def classification_baselines():
    yield "linear", make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)), False
    yield "boosting", HistGradientBoostingClassifier(random_state=0), False
    yield "forest", RandomForestClassifier(random_state=0), False


def gaussian_log_likelihood(y, mean, variance):
    return float(np.mean(-0.5 * (y - mean) ** 2 / variance - 0.5 * np.log(2 * np.pi * variance)))


def run_regression(X, y, X_test, y_test):
    for name, model, hold_back in regression_baselines():
        if hold_back:
            A, B, a, b = train_test_split(X, y, test_size=0.2, random_state=0)
            variance = np.mean((b - model.fit(A, a).predict(B)) ** 2)
        start = time.perf_counter()
        model.fit(X, y)
        seconds = time.perf_counter() - start
        if not hold_back:
            variance = np.mean((y - model.predict(X)) ** 2)
        mean = model.predict(X_test)
        rmse = float(np.sqrt(np.mean((y_test - mean) ** 2)))
        yield name, rmse, gaussian_log_likelihood(y_test, mean, variance), seconds
    for depth in DEPTHS:
        start = time.perf_counter()
        model = HMERegressor(depth=depth).fit(X, y)
        seconds = time.perf_counter() - start
        rmse = float(np.sqrt(np.mean((y_test - model.predict(X_test)) ** 2)))
        yield f"depth {depth}", rmse, float(model.log_likelihood(X_test, y_test).mean()), seconds


def run_classification(X, y, X_test, y_test):
    models = [(name, model) for name, model, _ in classification_baselines()]
    models += [(f"depth {depth}", HMEClassifier(depth=depth)) for depth in DEPTHS]
    for name, model in models:
        start = time.perf_counter()
        model.fit(X, y)
        seconds = time.perf_counter() - start
        probability = model.predict_proba(X_test)
        own = probability[np.arange(len(y_test)), np.searchsorted(model.classes_, y_test)]
        # A forest gives classes the probability zero; the log score is then cut at 1e-6.
        score = float(np.mean(np.log(np.maximum(own, 1e-6))))
        yield name, float(np.mean(model.predict(X_test) == y_test)), score, seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--splits", type=int, default=None, help="most splits of a set (default: all)")
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--out", default=None)
    arguments = parser.parse_args()
    sys.path.insert(0, os.environ["HME_DATA"])
    import load

    warnings.simplefilter("ignore", ConvergenceWarning)
    results = {}
    for name in arguments.sets.split(","):
        classification = load.META[name]["task"] == "clf"
        rows = {}
        n_splits = min(load.META[name]["n_splits"], arguments.splits or 1000)
        for i in range(n_splits):
            run = run_classification if classification else run_regression
            for label, score, log_likelihood, seconds in run(*load.split(name, i)):
                rows.setdefault(label, []).append((score, log_likelihood, seconds))
        measure = "accuracy" if classification else "rmse"
        columns = (measure, "log_likelihood", "seconds")
        results[name] = {
            label: dict(zip(columns, np.mean(row, axis=0).round(4).tolist(), strict=True))
            for label, row in rows.items()
        }
        print(f"\n{name}: {measure}, mean test log-likelihood, seconds of a fit; {n_splits} splits")
        for label, row in results[name].items():
            print(f"  {label:10s}" + "".join(f"{value:12.4f}" for value in row.values()), flush=True)
    if arguments.out:
        with open(arguments.out, "w") as file:
            json.dump(results, file, indent=1)


if __name__ == "__main__":
    main()
