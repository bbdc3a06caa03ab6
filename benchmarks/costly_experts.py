"""Conditional computation: 64 trees of 200 leaves under a gate that lets a row use two of them, beside a dense one.

Counts the rows that the trees are asked about while 100,000 rows are predicted, and takes the processor's time of it;
the gate's own part is timed alone. Both models get a few sweeps: enough for trees of that size, not for accuracy. The
table is a draw from a smooth function in ten columns. Run from the root::

    PYTHONPATH=. OMP_NUM_THREADS=1 python benchmarks/costly_experts.py [--out costly.json]
"""

import argparse
import json
import time
import warnings

import numpy as np
from sklearn.base import clone
from sklearn.datasets import make_friedman1
from sklearn.exceptions import ConvergenceWarning

from hme import HMERegressor
from hme.experts import TreeExpert
from hme.gates import SoftmaxGate, TopKGate

N_EXPERTS, N_LEAVES, N_ROWS, N_FIT = 64, 200, 100_000, 40_000


class CountingExpert(TreeExpert):
    """Trees that count the rows that they are asked about."""

    asked = 0

    def _ask(self, estimator, X):
        CountingExpert.asked += len(X)
        return super()._ask(estimator, X)


def seconds(function, repeats=9):
    times = []
    for _ in range(repeats):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return min(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default=None)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    X, y = make_friedman1(N_FIT + N_ROWS, noise=1.0, random_state=0)
    X, y, new, y_new = X[:N_FIT], y[:N_FIT], X[N_FIT:], y[N_FIT:]
    expert = CountingExpert(max_depth=None, min_weight_leaf=1e-3, max_leaf_nodes=N_LEAVES, cv=None)
    results = {"experts": N_EXPERTS, "leaves": N_LEAVES, "rows": N_ROWS}
    gates = {"dense": SoftmaxGate(), "top 2": TopKGate(k=2, dense_sweeps=3, stage_sweeps=1, max_stages=1)}
    for label, gate in gates.items():
        start = time.process_time()
        model = HMERegressor(n_experts=N_EXPERTS, expert=clone(expert), gate=gate, max_iter=3).fit(X, y)
        fit_seconds = time.process_time() - start
        CountingExpert.asked = 0
        mean = model.predict(new)
        asked = CountingExpert.asked
        leaves = [tree.get_n_leaves() for tree in model.experts_.estimator]
        results[label] = {
            "rows_asked": asked,
            "rows_asked_per_row": asked / N_ROWS,
            "mean_leaves": float(np.mean(leaves)),
            "predict_seconds": seconds(lambda model=model: model.predict(new)),
            "gate_seconds": seconds(lambda model=model: model.gate_proba(new)),
            "rmse": float(np.sqrt(np.mean((y_new - mean) ** 2))),
            "fit_seconds": fit_seconds,
        }
    if results["top 2"]["rows_asked"] != 2 * N_ROWS:
        raise AssertionError(f"{results['top 2']['rows_asked']} rows asked, not {2 * N_ROWS}")
    results["speed_up"] = results["dense"]["predict_seconds"] / results["top 2"]["predict_seconds"]
    print(json.dumps(results, indent=1))
    if arguments.out:
        with open(arguments.out, "w") as file:
            json.dump(results, file, indent=1)


if __name__ == "__main__":
    main()
