"""Hold our maxima against those that R packages reach on the Gaussian records of a reference folder.

Records whose experts and gate use the same columns, or whose gate is constant, fitted by exact maximum likelihood. Many
short runs are raced into a few long ones; of those the best is taken in which every expert keeps more than 5 % of the
weight and every variance more than 1e-5 of var(y), as the records define it. A value above the record is a success.
Run from the root, with the folder that holds ``reference.json``::

    PYTHONPATH=. OMP_NUM_THREADS=1 HME_REFERENCE=FOLDER python benchmarks/reference.py [--starts 50] [--only mcycle]
"""

import argparse
import csv
import json
import os
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from hme import HMERegressor, Tree, starts
from hme.experts import LinearExpert
from hme.gates import SoftmaxGate

INTERIOR_LOAD, INTERIOR_VARIANCE = 0.05, 1e-5
EXACT = LinearExpert(alpha=0.0, variance_prior=None, variance_floor=1e-8)


def columns(path):
    with open(path, newline="") as file:
        table = list(csv.DictReader(file))
    return {name: np.array([float(row[name]) for row in table]) for name in table[0] if _numeric(table, name)}


def _numeric(table, name):
    try:
        return bool([float(row[name]) for row in table])
    except ValueError:
        return False


def design(table, formula):
    terms = [term for term in formula.lstrip("~").split("+") if term != "1"]
    return np.column_stack([table[t[2:-3]] ** 2 if t.startswith("I(") else table[t] for t in terms])


def wanted(record):
    return (
        record["family"] == "gaussian"
        and not record["model"].startswith("lasso")
        and record.get("gate_formula") in ("~1", record.get("expert_formula"))
    )


def is_interior(model, y, load=INTERIOR_LOAD):
    return model.load_.min() > load and model.experts_.variance.min() > INTERIOR_VARIANCE * y.var()


def fit_record(record, folder, n_starts, short, n_long):
    table = columns(folder / record["csv"])
    hierarchy = "depth-2" in record["model"]  # its columns are named in the text of the model only
    X, y = design(table, "~times" if hierarchy else record["expert_formula"]), table[record["response"]]
    tree = Tree.complete(2) if hierarchy else Tree.flat(record["K"])
    gate = "constant" if record.get("gate_formula") == "~1" else SoftmaxGate(alpha=0.0)
    runs = []
    for i, name in enumerate(starts.sequence("model_tree", n_starts, False)):
        model = HMERegressor(tree=tree, gate=gate, expert=EXACT, start=name, random_state=i, max_iter=short, tol=1e-8)
        runs.append(model.set_params(warm_start=True).fit(X, y))
    # Where no maximum is known that has all experts above 5 %, the record is one with a tiny expert.
    load = 0.0 if record.get("best_with_all_experts_above_5pct") is None and not hierarchy else INTERIOR_LOAD
    racing = [model for model in runs if is_interior(model, y, load)] or runs
    racing.sort(key=lambda model: -model.lower_bounds_[-1])
    # Runs that have come to the same value are on their way to the same maximum: one of them is enough.
    distinct = [
        model for i, model in enumerate(racing)
        if not i or racing[i - 1].lower_bounds_[-1] - model.lower_bounds_[-1] > 1e-6
    ]  # fmt: skip
    inside = []  # runs that end at a boundary do not count among the long ones
    for model in distinct[: 4 * n_long]:
        model.set_params(max_iter=3000, tol=1e-9).fit(X, y)
        if is_interior(model, y, load):
            inside.append(model)
        if len(inside) == n_long:
            break
    best = max(inside or distinct[:1], key=lambda model: model.lower_bounds_[-1])
    return best, float(best.log_likelihood(X, y).sum()), is_interior(best, y, load)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--starts", type=int, default=50)
    parser.add_argument("--short", type=int, default=100, help="sweeps of the short runs")
    parser.add_argument("--long", type=int, default=20, help="runs that go to the end")
    parser.add_argument("--only", default="")
    parser.add_argument("--out", default=None)
    arguments = parser.parse_args()
    folder = Path(os.environ["HME_REFERENCE"])
    results = []
    warnings.simplefilter("ignore", ConvergenceWarning)  # boundaries are read from the model below
    for record in json.loads((folder / "reference.json").read_text()):
        label = f"{record['dataset']} {record['model']}"
        if not wanted(record) or arguments.only not in label:
            continue
        begin = time.perf_counter()
        model, value, interior = fit_record(record, folder, arguments.starts, arguments.short, arguments.long)
        inside = record.get("best_with_all_experts_above_5pct")
        target = record["maximum"]["loglik"] if inside is None else inside
        diverging = any("separate" in text for text in model.boundary_)
        # The flag belongs to the record's own maximum, which a better one need not share.
        flags = np.atleast_1d(record["maximum"].get("flags") or [])
        flagged = "gate_diverging" in flags and abs(value - record["maximum"]["loglik"]) < 0.05
        tolerance = 0.05 if flagged else 1e-3
        results.append(
            {
                "record": label, "target": round(target, 4),
                "found since": record.get("found_since"),
                "reached": round(value, 4), "difference": round(value - target, 5),
                "ok": bool(interior and value > target - tolerance),
                "interior": bool(interior), "least load": round(float(model.load_.min()), 3),
                "separation": "reported" if diverging else ("MISSING" if flagged else "none"),
                "gradient": float(f"{model.history_.gradient[model.history_.accepted][-1]:.1e}"),
                "seconds": round(time.perf_counter() - begin, 1),
            }
        )  # fmt: skip
        print(json.dumps(results[-1]), flush=True)
    print(f"{sum(r['ok'] for r in results)} of {len(results)} reached with {arguments.starts} starts")
    if arguments.out:
        Path(arguments.out).write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
