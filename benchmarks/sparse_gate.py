"""The sparse top-k gate beside the dense softmax: accuracy, balance of the loads, dead experts, time of prediction.

One run prints everything: 64 linear experts under one gate, two of them a row, on the standard splits of a data folder
with ``load.py`` (``split(name, i)``); how many of many seeds end with a dead expert (one whose load is below a
thousandth of the mean), with and without balance; and the time to predict 100,000 rows. The part "sweeps", which needs
no data folder, times sweeps over the chosen experts and over all. Run from the root::

    PYTHONPATH=. OMP_NUM_THREADS=1 HME_DATA=FOLDER python benchmarks/sparse_gate.py [--splits 3] [--seeds 50]
"""

import argparse
import json
import os
import sys
import time
import warnings
from functools import partial

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from hme import HMEClassifier, HMERegressor
from hme.gates import SoftmaxGate, TopKGate, balance_report
from hme.model import mixture

N_EXPERTS, N_ROWS_PREDICTED, N_ROWS_SWEPT = 64, 100_000, 40_000


def fitted(gate, X, y, **settings):
    start = time.perf_counter()
    model = HMERegressor(n_experts=N_EXPERTS, gate=gate, **settings).fit(X, y)
    return model, time.perf_counter() - start


def accuracy(name, load, n_splits):
    gates = {
        "dense": SoftmaxGate(),
        "top 2": TopKGate(),
        "top 2, balance 1.8": TopKGate(balance=1.8),
        "top 2, balance 1.5": TopKGate(balance=1.5),
        "top 4": TopKGate(k=4),
    }
    rows = {}
    for i in range(n_splits):
        X, y, X_test, y_test = load.split(name, i)
        for label, gate in gates.items():
            model, seconds = fitted(gate, X, y)
            row = rows.setdefault(label, {})
            train, test = (balance_report(model.gate_proba(A)) for A in (X, X_test))
            figures = {
                "prior_of_top_2": np.sort(model.gate_proba(X_test), axis=1)[:, -2:].sum(axis=1).mean(),
                "rmse": np.sqrt(np.mean((y_test - model.predict(X_test)) ** 2)),
                "log_likelihood": model.log_likelihood(X_test, y_test).mean(),
                "train_load_peak": train.load_peak,
                "train_load_cv": train.load_cv,
                "train_importance_cv": train.importance_cv,
                "test_load_peak": test.load_peak,
                "dead": len(train.dead),
                "seconds": seconds,
            }
            for key, value in figures.items():
                row.setdefault(key, []).append(float(value))
    for row in rows.values():
        row["rmse_to_dense"] = [a / b for a, b in zip(row["rmse"], rows["dense"]["rmse"], strict=True)]
    return {label: {key: float(np.mean(value)) for key, value in row.items()} for label, row in rows.items()}


def dead(name, load, n_seeds):
    X, y, _, _ = load.split(name, 0)
    X, y = X[:2000], y[:2000]
    out = {}
    for balance in (1.5, None):
        for start in ("directions", "perturbed_model_tree"):
            label, counts, least, weight = f"balance {balance}, {start}", [], [], []
            for seed in range(n_seeds):
                model, _ = fitted(TopKGate(balance=balance), X, y, start=start, random_state=seed)
                report = balance_report(model.gate_proba(X))
                counts.append(len(report.dead))
                least.append(report.load.min() / report.load.mean())
                weight.append(model.load_.min() * N_EXPERTS)
            out[label] = {
                "seeds": n_seeds,
                "seeds_with_dead_experts": int(np.count_nonzero(counts)),
                "dead_experts": int(np.sum(counts)),
                "least_load_to_mean": float(min(least)),
                "least_responsibility_to_mean": float(min(weight)),
            }
    return out


def seconds_to_predict(name, load):
    X, y, _, _ = load.split(name, 0)
    many = np.tile(X, (N_ROWS_PREDICTED // len(X) + 1, 1))[:N_ROWS_PREDICTED]
    out = {}
    for expert in ("linear", "tree"):
        for label, gate in (("dense", SoftmaxGate()), ("top 2", TopKGate(dense_sweeps=5, max_stages=1))):
            model, _ = fitted(gate, X, y, max_iter=10, expert=expert)
            times = []
            for _ in range(3):
                start = time.perf_counter()
                model.predict(many)
                times.append(time.perf_counter() - start)
            out[f"{expert}, {label}"] = min(times)
    return out


def seconds_of_sweeps():
    """Microseconds a row of a sweep under a gate that has chosen the experts, over these and over all experts."""
    from floor import cpu_seconds, table

    (X, y), out = table(N_ROWS_SWEPT, 10), {}
    targets = {"linear": y, "student": y, "logistic": np.digitize(y, [-0.5, 1.0, 2.5])}
    for expert, target in targets.items():
        gate = TopKGate(dense_sweeps=3, max_stages=1, stage_sweeps=3)
        kind = HMEClassifier if expert == "logistic" else HMERegressor
        model = kind(n_experts=N_EXPERTS, expert=expert, gate=gate, max_iter=3).fit(X[:8000], target[:8000])
        rows, spent = model.observed_rows(X, target)[0], {}
        rows = rows._replace(active=model.model_.gate.freeze(model.params_.gate, rows)[1])
        least = mixture.ROUTED_ROWS
        for label, rows_from in (("chosen", least), ("all", N_ROWS_SWEPT + 1)) * 3:
            mixture.ROUTED_ROWS = rows_from
            spent.setdefault(label, []).append(cpu_seconds(partial(model.model_.e_step, model.params_, rows)))
        mixture.ROUTED_ROWS = least
        out[expert] = {label: round(1e6 * min(found) / N_ROWS_SWEPT, 2) for label, found in spent.items()}
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", default="kin8nm,california")
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--parts", default="speed,accuracy,dead")
    parser.add_argument("--out", default=None)
    arguments = parser.parse_args()
    load = None
    if arguments.parts != "sweeps":
        sys.path.insert(0, os.environ["HME_DATA"])
        import load

    warnings.simplefilter("ignore", ConvergenceWarning)
    names, results = arguments.sets.split(","), {"n_experts": N_EXPERTS}
    parts = {
        "sweeps": lambda: {"us_a_row_of_a_sweep": seconds_of_sweeps()},
        "speed": lambda: {"predict_seconds_100000_rows": seconds_to_predict(names[0], load)},
        "accuracy": lambda: {name: accuracy(name, load, arguments.splits) for name in names},
        "dead": lambda: {"dead_experts": dead(names[0], load, arguments.seeds)},
    }
    for part in arguments.parts.split(","):
        results[part] = parts[part]()
        print(json.dumps(results[part], indent=1), flush=True)
    if arguments.out:
        with open(arguments.out, "w") as file:
            json.dump(results, file, indent=1)


if __name__ == "__main__":
    main()
