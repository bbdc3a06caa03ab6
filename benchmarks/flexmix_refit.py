"""Standard errors beside those of R's flexmix, on the examples of its own documentation.

``flexmix_refit.R`` fits each example, writes its rows and what ``refit(method="optim")`` says to a temporary folder.
The same model is fitted here by exact maximum likelihood from flexmix's posteriors, and `hme.inference.infer` gives its
observed information. flexmix climbs with BFGS until the log-likelihood changes by less than 1e-8 of its size, and takes
differences of its gradient for the Hessian; the same with a smaller tolerance and smaller steps is in the columns
"tight". Differences of estimates are in standard errors, those of standard errors are relative. Run from the root, with
``Rscript`` and its package flexmix::

    PYTHONPATH=. OMP_NUM_THREADS=1 python benchmarks/flexmix_refit.py [--only patent] [--out FILE] [--verbose]
"""

import argparse
import json
import re
import shutil
import subprocess
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.exceptions import ConvergenceWarning

from hme import HMERegressor
from hme.experts import BinomialExpert, LinearExpert, PoissonExpert
from hme.gates import SoftmaxGate
from hme.inference.infer import infer

DIGITS = 1e-3  # relative difference of a standard error up to which three digits agree
SCRIPT = Path(__file__).with_suffix(".R")


def expert_of(name, shared):
    if "gaussian" in name:
        return LinearExpert(alpha=0.0, variance_prior=None, variance_floor=1e-10)
    family = PoissonExpert if "poisson" in name else BinomialExpert
    return family(alpha=0.0, shared_coef=shared or None)


def fit(name, table):
    """The model of an example, fitted from flexmix's posteriors, with what it was fitted to."""
    columns = {kind: [c for c in table if c.startswith(f"{kind}.")] for kind in "xfgp"}
    expert, gate = columns["x"] + columns["f"], columns["g"]
    model = HMERegressor(
        n_experts=len(columns["p"]),
        expert=expert_of(name, columns["f"]),
        gate=SoftmaxGate(alpha=0.0) if gate else "constant",
        expert_features=expert,
        gate_features=gate or None,
        start=table[columns["p"]].to_numpy(),
        tol=1e-15,
        max_iter=20000,
    )
    rows = {kind: table[kind].to_numpy() for kind in ("offset", "trials") if kind in table}
    data = table[expert + gate], table["y"].to_numpy(float)
    return model.fit(*data, **rows), data, rows


def key_of(name, seen):
    """Side, number from 0, and term of a coefficient of flexmix; `seen` counts names that stand for several experts."""
    if match := re.fullmatch(r"model\.1_Comp\.(\d+)_(?:coef\.)?(.+)", name):
        return "expert", int(match[1]) - 1, match[2]
    if match := re.fullmatch(r"concomitant_Comp\.(\d+)\.(.+)", name):
        return "gate", int(match[1]) - 1, "(Intercept)" if match[2] == "alpha" else match[2]
    term = name.removeprefix("model.1_")
    number = seen.get(term, 0)
    seen[term] = number + 1
    return "expert", number, term


def ours_by_key(result, n_experts):
    """Estimate and standard error of each coefficient by side, number and term; the gate's less those of branch 0."""
    values = {}
    for i, label in enumerate(result.labels):
        term = re.sub(r"^[xfg]\.", "", label.term)
        term = "(Intercept)" if term == "(intercept)" else term
        if label.side == "gate":
            values["gate", int(label.part), term] = result.estimate[i], result.standard_error[i]
        elif label.term == "log(variance)":  # twice flexmix's log(sigma)
            values["expert", int(label.index), "log(sigma)"] = result.estimate[i] / 2, result.standard_error[i] / 2
        else:
            values["expert", int(label.index), term] = result.estimate[i], result.standard_error[i]
    return values


def compare(name, folder, verbose):
    table = pd.read_csv(folder / f"{name}.csv")
    theirs = pd.read_csv(folder / f"{name}.refit.csv")
    model, data, rows = fit(name, table)
    result = infer(model, *data, **rows)
    ours, seen, lines = ours_by_key(result, model.n_experts_), {}, []
    for row in theirs.itertuples():
        key = key_of(row.name, seen)
        estimate, error = ours[key]
        lines.append({
            "side": key[0], "number": key[1], "term": key[2], "estimate": float(estimate), "se": float(error),
            "flexmix_estimate": row.estimate, "flexmix_se": row.se,
            "tight_estimate": row.tight_estimate, "tight_se": row.tight_se,
        })  # fmt: skip
    frame = pd.DataFrame(lines)
    record = {"example": name, "coefficients": len(frame), "log_likelihood": float(result.log_likelihood)}
    for prefix in ("flexmix", "tight"):
        off = np.abs(frame[f"{prefix}_estimate"] - frame["estimate"]) / frame["se"]
        ratio = np.abs(frame[f"{prefix}_se"] / frame["se"] - 1.0)
        record[f"{prefix}: estimates"], record[f"{prefix}: errors"] = float(off.max()), float(ratio.max())
        record[f"{prefix}: errors within 1e-3"] = int((ratio <= DIGITS).sum())
    record["boundary"], record["stop"] = model.boundary_, model.stop_reason_
    if verbose:
        print(frame.to_string(index=False, float_format=lambda value: f"{value:.6g}"))
    return record | {"table": lines}


def export(folder):
    """Let R fit its examples, or say why it cannot."""
    if shutil.which("Rscript") is None:
        raise SystemExit(
            "Rscript is not installed: nothing to compare with. It comes with R, https://www.r-project.org."
        )
    done = subprocess.run(["Rscript", str(SCRIPT), str(folder)], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(
            f"Rscript {SCRIPT.name} failed; it needs the R package flexmix. It said:\n{done.stderr.strip()}"
        )
    print(done.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="examples whose name contains this")
    parser.add_argument("--out", default=None, help="file for the results as JSON")
    parser.add_argument("--verbose", action="store_true", help="also print every coefficient")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)  # boundaries are read from the model
    results = []
    with tempfile.TemporaryDirectory() as folder:
        export(folder)
        for path in sorted(Path(folder).glob("*.refit.csv")):
            name = path.name.removesuffix(".refit.csv")
            if arguments.only in name:
                results.append(compare(name, Path(folder), arguments.verbose))
    print(f"{'largest difference: estimates in standard errors,':50s}{'refit()':>24s}{'tight':>24s}")
    print(f"{'standard errors relative; those within 1e-3':50s}" + f"{'estimate':>9s}{'error':>9s}{'':6s}" * 2)
    for record in results:
        print(
            f"{record['example']:50s}"
            + "".join(
                f"{record[f'{kind}: estimates']:9.1e}{record[f'{kind}: errors']:9.1e}"
                f"{record[f'{kind}: errors within 1e-3']:3d}/{record['coefficients']:2d}"
                for kind in ("flexmix", "tight")
            ),
            *record["boundary"],
        )
    if arguments.out:
        Path(arguments.out).write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
