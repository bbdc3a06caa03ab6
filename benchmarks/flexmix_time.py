"""CPU seconds to the maxima that R's flexmix reaches, with restarts, of flexmix and of the package.

Gaussian, Poisson and binomial records of a reference folder (see `reference.py`) that flexmix has been run on. Its own
best log-likelihood there, less 0.05 nats in total, is the target of both. flexmix makes one random start after the
other, with its own tolerance, no least prior and at most 1000 iterations, until it is there or has taken two minutes;
the package makes one default fit at exact maximum-likelihood settings, then one from ten starts, then one from a
hundred. Time counts from the first start to the end of the one that is there. What both load before is left out.
``flexmix_time.R`` needs ``Rscript`` and its package flexmix::

    PYTHONPATH=. OMP_NUM_THREADS=1 HME_REFERENCE=FOLDER python benchmarks/flexmix_time.py [--out times.json]
"""

import argparse
import json
import os
import shutil
import subprocess
import tempfile
import time
import warnings
from pathlib import Path

import pandas as pd
from reference import problem, wanted

from hme import HMERegressor

SCRIPT = Path(__file__).with_suffix(".R")
TOLERANCE = 0.05  # nats in total
MOST_STARTS, LONGEST = 100, 120.0  # of flexmix for a record, and CPU seconds after which it starts no more
STARTS = 1, 10, 100  # of ours, one after the other
SHORT = 0.2  # seconds of flexmix, for a record that its first starts reach
FAMILIES = "gaussian", "poisson", "binomial"


def records(folder):
    """The records that flexmix has been run on, with its best log-likelihood."""
    for record in json.loads((folder / "reference.json").read_text()):
        reached = [peer["loglik"] for name, peer in record["peers"].items() if name.startswith("flexmix")]
        if wanted(record) and record["family"] in FAMILIES and reached:
            yield record, max(reached) - TOLERANCE


def task(record, target, folder):
    """What the R script is told of a record."""
    response, trials = record["response"], record.get("trials")
    if trials not in (None, "None"):
        failures = "no" if trials == "yes+no" else f"{trials} - {response}"
        response = f"cbind({response}, {failures})"
    group = f" | {record['group']}" if "|" in record["model"] else ""
    text = {key: record.get(f"{key}_formula") or "" for key in ("gate", "fixed")}
    offset = record.get("offset")
    return {
        "csv": str(folder / record["csv"]), "formula": f"{response} {record['expert_formula']}{group}",
        "K": record["K"], "family": record["family"], "fixed": text["fixed"], "gate": text["gate"],
        "offset": "" if offset in (None, "None") else offset, "target": target,
        "most": MOST_STARTS, "longest": LONGEST,
    }  # fmt: skip


def theirs(tasks):
    """Starts, log-likelihood and CPU seconds of flexmix for each task."""
    if shutil.which("Rscript") is None:
        raise SystemExit(
            "Rscript is not installed: nothing to compare with. It comes with R, https://www.r-project.org."
        )
    with tempfile.TemporaryDirectory() as folder:
        told, found = Path(folder, "tasks"), Path(folder, "results")
        pd.DataFrame(tasks).to_csv(told, sep="\t", index=False)
        done = subprocess.run(["Rscript", str(SCRIPT), str(told), str(found)], capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(
                f"Rscript {SCRIPT.name} failed; it needs the R package flexmix. It said:\n{done.stderr.strip()}"
            )
        return pd.read_csv(found, sep="\t", names=["number", "starts", "failed", "reached", "seconds"])


def ours(record, target, folder):
    """Starts, log-likelihood and CPU seconds of the package."""
    settings, X, y, rows = problem(record, folder)
    begin = time.process_time()
    for n_init in STARTS:
        model = HMERegressor(**settings, n_init=n_init, random_state=0).fit(X, y, **rows)
        reached = float(model.log_likelihood(X, y, **rows).sum())
        if reached > target:
            break
    return {"starts": n_init, "reached": reached, "seconds": time.process_time() - begin}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="records whose name contains this")
    parser.add_argument("--out", default=None, help="file for the results as JSON")
    arguments = parser.parse_args()
    folder = Path(os.environ["HME_REFERENCE"])
    chosen = [pair for pair in records(folder) if arguments.only in f"{pair[0]['dataset']} {pair[0]['model']}"]
    warnings.simplefilter("ignore")
    ours(*chosen[0], folder)  # what is loaded once
    lines = []
    of_flexmix = theirs([task(*pair, folder) for pair in chosen])
    for (record, target), peer in zip(chosen, of_flexmix.itertuples(), strict=True):
        own = ours(record, target, folder)
        lines.append({
            "record": f"{record['dataset']} {record['model']}", "family": record["family"], "target": round(target, 4),
            "seconds": round(own["seconds"], 3), "flexmix": round(peer.seconds, 3), "n_init": own["starts"],
            "starts of flexmix": int(peer.starts), "failed": int(peer.failed), "there": bool(own["reached"] > target),
            "flexmix there": bool(peer.reached > target),
        })  # fmt: skip
        print(json.dumps(lines[-1]), flush=True)
    table = pd.DataFrame(lines)
    total = table.groupby("family")[["seconds", "flexmix"]].sum()
    total.loc["all"] = total.sum()
    total["ratio"] = total["flexmix"] / total["seconds"]
    print(total.round(2).to_string())
    one, short = table["n_init"] == 1, table["flexmix"] < SHORT
    for name, part in {"all": table, "one default fit": table[one], "more": table[~one], "short": table[short]}.items():
        sums = part[["there", "seconds", "flexmix there", "flexmix"]].sum()
        print(f"{name}: {len(part)} records, {', '.join(f'{key} {value:g}' for key, value in sums.items())}")
    if arguments.out:
        Path(arguments.out).write_text(json.dumps({"records": lines, "total": total.to_dict("index")}, indent=1))


if __name__ == "__main__":
    main()
