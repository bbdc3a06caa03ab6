"""Whether any fit that calls itself converged stands at a saddle: the observed information at the end of default fits.

Every unpenalised record of a reference folder (see `reference.py`) is fitted by default at exact maximum-likelihood
settings. At its end the observed information is computed in free coordinates, scaled to a unit diagonal: a negative
eigenvalue is a direction of ascent. For those beyond rounding the objective is searched along the eigenvector, both
ways, and `gain` says how many nats of all rows it leads up; `uphill` how many more EM finds from there. A fit with a
gain of more than 1e-6 nats that is called converged is listed, and the exit status is 1. Run from the root, with the
folder that holds ``reference.json``::

    PYTHONPATH=. OMP_NUM_THREADS=1 HME_REFERENCE=FOLDER python benchmarks/saddles.py [--only mcycle] [--starts 1]
"""

import argparse
import json
import os
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from reference import problem, wanted

from hme import HMERegressor
from hme.fitting import em
from hme.inference.information import Layout, observe

NEGATIVE = -1e-6  # eigenvalue of the scaled information below which there is a direction of ascent
GAIN = 1e-6  # nats of all rows that count as a way up
LENGTHS = 2.0 ** np.arange(-14, 5)  # of the search, in standard errors of the scaled coordinates


def ends(model, X, y, rows):
    """Least eigenvalue of the scaled information at the end of a fit, and the nats that the way along it leads up."""
    rows, _ = model.observed_rows(X, y, **rows)
    mixture, params = model.model_, model.params_
    objective, stats = mixture.e_step(params, rows)
    layout = Layout.of(mixture, params, model.columns_, stats)
    seen = observe(mixture, params, rows, layout)
    information = -(seen.hessian + seen.penalty)
    scale = np.sqrt(np.abs(np.diagonal(information)))
    known = scale > 0
    scaled = information[np.ix_(known, known)] / np.outer(scale[known], scale[known])
    value, vector = np.linalg.eigh(scaled)
    found = {"parameters": layout.n_free, "least": value[0], "negative": int((value < NEGATIVE).sum()), "gain": 0.0}
    best = None
    for v in vector.T[value < NEGATIVE]:
        for length in np.concatenate([LENGTHS, -LENGTHS]):
            delta = np.zeros(layout.n_free)
            delta[known] = length * v / scale[known]
            with np.errstate(all="ignore"):
                moved = layout.move(delta)
                gain = (mixture.e_step(moved, rows)[0] - objective) * stats.load.sum()
            if gain > found["gain"]:
                found["gain"], best = float(gain), moved
    if best is not None:
        further = em.fit(mixture, rows, best, em.Options(max_iter=5000, tol=1e-9))
        found["uphill"] = (further.objective - objective) * stats.load.sum()
    return found


def line(record, folder, starts):
    """What stands at the end of one default fit of a record."""
    settings, X, y, rows = problem(record, folder)
    begin = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = HMERegressor(**settings, n_init=starts, random_state=0).fit(X, y, **rows)
    found = {"record": f"{record['dataset']} {record['model']}", "stop": model.stop_reason_}
    found |= {"cpu": round(time.process_time() - begin, 2), **ends(model, X, y, rows)}
    # Where something grows without bound, or is at a floor, there is no maximum that could have an information.
    return found | {"boundary": [text[:60] for text in model.boundary_]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="records whose name contains this")
    parser.add_argument("--starts", type=int, default=1)
    parser.add_argument("--out", default=None, help="file for JSON lines")
    arguments = parser.parse_args()
    folder, table = Path(os.environ["HME_REFERENCE"]), []
    for record in json.loads((folder / "reference.json").read_text()):
        if wanted(record) and arguments.only in f"{record['dataset']} {record['model']}":
            table.append(line(record, folder, arguments.starts))
            print(json.dumps({k: float(f"{v:.3g}") if isinstance(v, float) else v for k, v in table[-1].items()}))
            sys.stdout.flush()
    if arguments.out:
        Path(arguments.out).write_text("\n".join(map(json.dumps, table)) + "\n")
    negative = [one for one in table if one["stop"] == "converged" and one["negative"]]
    saddles = [one for one in negative if one["gain"] > GAIN]
    print(
        f"{len(table)} fits, {sum(one['stop'] == 'converged' for one in table)} converged; {len(negative)} of these "
        f"with a negative eigenvalue, {len(saddles)} with a way up: {[one['record'] for one in saddles]}"
    )
    return int(bool(saddles))


if __name__ == "__main__":
    sys.exit(main())
