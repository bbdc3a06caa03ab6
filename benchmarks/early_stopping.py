"""Early stopping against none: mean log-density of new rows, and CPU seconds, by trees of several sizes.

PYTHONPATH=. OMP_NUM_THREADS=1 python benchmarks/early_stopping.py [--tables 4] [--json results.json]
"""

import argparse
import json
import time
import warnings

import numpy as np

from hme import HMERegressor

MODELS = {"depth=4": {"depth": 4}, "depth=2": {"depth": 2}, "grown": {}}
N_NEW = 2000


def table(seed, n):
    """Two lines of six columns, one of which is bent, under an oblique border."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 6))
    mean = np.where(X[:, 0] + 0.5 * X[:, 1] > 0, X[:, 1] + X[:, 2], np.sin(2 * X[:, 3]) - X[:, 2])
    return X, mean + 0.5 * rng.normal(size=n)


def measured(settings, seed, n):
    """Mean log-density of new rows and CPU seconds, without and with early stopping, (2, 2)."""
    rows, (X_new, y_new), found = table(seed, n), table(100 + seed, N_NEW), []
    for early_stopping in (False, True):
        begin = time.process_time()
        model = HMERegressor(**settings, early_stopping=early_stopping, random_state=0).fit(*rows)
        seconds = time.process_time() - begin
        found.append((model.predict_dist(X_new).logpdf(y_new).mean(), seconds))
    return np.array(found)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", type=int, default=4)
    parser.add_argument("--json")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    results = []
    print("model     rows   log-density: off      on   seconds: off     on")
    for name, settings in MODELS.items():
        for n in (150, 600, 3000):
            found = np.mean([measured(settings, seed, n) for seed in range(arguments.tables)], axis=0)
            print(f"{name:8s} {n:5d} {found[0, 0]:18.3f} {found[1, 0]:7.3f} {found[0, 1]:14.2f} {found[1, 1]:6.2f}")
            results.append({"model": name, "rows": n, "off": found[0].tolist(), "on": found[1].tolist()})
    if arguments.json:
        with open(arguments.json, "w") as file:
            json.dump(results, file, indent=1)


if __name__ == "__main__":
    main()
