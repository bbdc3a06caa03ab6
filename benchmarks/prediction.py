"""CPU seconds of predicting the mean of many rows, against scikit-learn's boosted trees.

Boosting has its defaults, 100 trees of 31 leaves; mixtures are binary trees of linear experts; all are fitted to
20,000 rows.
What the compiled functions leave out, eq. (pruning), is measured where Numba is installed. Run from the root::

    PYTHONPATH=. OMP_NUM_THREADS=1 python benchmarks/prediction.py [--rows 1000000] [--depths 3,5,8]
"""

import argparse
import json
import time
import warnings

import numpy as np
from floor import table
from sklearn.ensemble import HistGradientBoostingRegressor

from hme import HMERegressor
from hme.kernels import kernels, set_kernels


def cpu_seconds(function):
    start = time.process_time()
    function()
    return time.process_time() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--depths", default="3,5,8")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    X, y = table(arguments.rows, 10)
    boosting, models = HistGradientBoostingRegressor().fit(X[:20_000], y[:20_000]), {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for depth in map(int, arguments.depths.split(",")):
            models[depth] = HMERegressor(depth=depth, max_iter=15).fit(X[:20_000], y[:20_000])
    for model in models.values():  # compiled, where they are
        model.predict(X[:20_000])
    rounds = [
        [cpu_seconds(lambda: boosting.predict(X)), *(cpu_seconds(lambda m=m: m.predict(X)) for m in models.values())]
        for _ in range(arguments.rounds)
    ]
    seconds = np.array(rounds)
    rows, choice = [], kernels()
    for (depth, model), own in zip(models.items(), seconds.T[1:], strict=True):
        pruned = model.predict(X[:50_000])
        set_kernels("numpy")
        dense, means = model.predict(X[:50_000]), model.predict_experts(X[:50_000])
        set_kernels(choice)
        rows.append(
            {
                "experts": 2**depth, "seconds": round(float(np.median(own)), 3),
                "times faster than boosting": round(float(np.median(seconds[:, 0] / own)), 1),
                "largest difference from dense, of the range of means": float(
                    (np.abs(pruned - dense) / np.ptp(means, axis=1)).max()
                ),
            }
        )  # fmt: skip
    report = {
        "rows": len(X),
        "kernels": choice,
        "boosting seconds": round(float(np.median(seconds[:, 0])), 2),
        "models": rows,
    }
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
