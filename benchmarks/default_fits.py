"""How often default fits reach the best known maxima of a reference folder, and what they cost.

Every unpenalised record (see `reference.py`) is fitted at exact maximum-likelihood settings with nothing else changed:
one default fit, ten starts, a hundred starts. A record is reached if the log-likelihood comes within 0.05 nats of the
best known value; the kind of its start, the CPU seconds and what the fit said of itself are printed. A fit that misses
and calls itself converged stands at a lower maximum: `uphill` says how much a start from its own slightly perturbed
responsibilities gains, and must be nothing. Run from the root, with the folder that holds ``reference.json``::

    PYTHONPATH=. OMP_NUM_THREADS=1 HME_REFERENCE=FOLDER python benchmarks/default_fits.py [--starts 1,10,100]
"""

import argparse
import json
import os
import time
import warnings
from collections import defaultdict
from pathlib import Path

import numpy as np
from reference import problem, target_of, wanted

from hme import HMERegressor

TOLERANCE = 0.05  # nats in total


def fitted(settings, n_init, X, y, rows, seed):
    """The model, the causes of its warning and its CPU seconds."""
    begin = time.process_time()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = HMERegressor(**settings, n_init=n_init, random_state=seed).fit(X, y, **rows)
    return model, [str(one.message) for one in caught], time.process_time() - begin


def line(record, folder, n_init, seed):
    """What one fit of a record reached."""
    settings, X, y, rows = problem(record, folder)
    target, _ = target_of(record)
    model, said, seconds = fitted(settings, n_init, X, y, rows, seed)
    value = float(model.log_likelihood(X, y, **rows).sum())
    best = max(model.restarts_, key=lambda restart: restart.objective)
    return {
        "record": f"{record['dataset']} {record['model']}", "family": record["family"].split("_")[0],
        "gate": str(record.get("gate_formula")), "n_init": n_init, "target": round(target, 4),
        "difference": round(value - target, 4), "ok": value > target - TOLERANCE, "start": best.start,
        "stop": model.stop_reason_, "sweeps": sum(restart.n_iter for restart in model.restarts_),
        "cpu": round(seconds, 2), "said": [text[:100] for text in said],
    }  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--starts", default="1,10,100")
    parser.add_argument("--only", default="", help="records whose name contains this")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", default=None, help="file for JSON lines; what it holds is not fitted again")
    arguments = parser.parse_args()
    folder = Path(os.environ["HME_REFERENCE"])
    records = [record for record in json.loads((folder / "reference.json").read_text()) if wanted(record)]
    out = Path(arguments.out) if arguments.out else None
    lines = [json.loads(text) for text in out.read_text().splitlines()] if out and out.exists() else []
    done = {(one["record"], one["n_init"]): one for one in lines}
    tables = defaultdict(list)
    for n_init in map(int, arguments.starts.split(",")):
        for record in records:
            name = f"{record['dataset']} {record['model']}"
            if arguments.only not in name:
                continue
            if (name, n_init) not in done:
                done[name, n_init] = line(record, folder, n_init, arguments.seed)
                if out:
                    with out.open("a") as file:
                        file.write(json.dumps(done[name, n_init]) + "\n")
            one = done[name, n_init]
            tables[n_init].append(one)
            if not one["ok"]:
                print(json.dumps(one), flush=True)
    for n_init, table in tables.items():
        reached = np.array([one["ok"] for one in table])
        cpu, stops = sum(one["cpu"] for one in table), [one["stop"] for one in table if not one["ok"]]
        print(f"n_init={n_init}: {reached.sum()} of {len(table)} reached ({reached.mean():.0%}), {cpu:.0f} s of CPU")
        print(f"   misses by stop: { {stop: stops.count(stop) for stop in set(stops)} }")
        for key in ("family", "start"):
            kinds = sorted({one[key] for one in table})
            cells = {k: [one["ok"] for one in table if one[key] == k] for k in kinds}
            print(f"   {key}: " + ", ".join(f"{k} {sum(v)}/{len(v)}" for k, v in cells.items()))


if __name__ == "__main__":
    main()
