"""Hold our maxima against those that R packages reach on the records of a reference folder.

Every unpenalised record is fitted by exact maximum likelihood: Gaussian, Student, Poisson, binomial and gamma experts;
own columns for experts and gate; factors, interactions, offsets, trials, groups and shared coefficients; a hierarchy of
depth 2. Of many starts, which race, the best interior one is taken; every expert must keep more than 5 % of the weight
and every variance more than 1e-5 of var(y), as the records define it. The target is the best known value of that kind;
a value above it is a success. A record is reached if also the number of parameters is right, and hme says so where the
fit is at the boundary that the record is flagged with. Run
from the root, with the folder that holds ``reference.json``::

    PYTHONPATH=. OMP_NUM_THREADS=1 HME_REFERENCE=FOLDER python benchmarks/reference.py [--starts 100] [--only mcycle]
"""

import argparse
import json
import os
import re
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.exceptions import ConvergenceWarning

from hme import HMERegressor, Tree
from hme.experts import BinomialExpert, GammaExpert, LinearExpert, PoissonExpert, StudentExpert
from hme.gates import SoftmaxGate

INTERIOR_LOAD, INTERIOR_VARIANCE = 0.05, 1e-5
TOLERANCE, FLAGGED_TOLERANCE = 1e-2, 0.05  # nats in total, at a maximum and at a supremum
LONGEST = 3000  # sweeps of a start
CANDIDATES = 8  # of which the best interior maximum is taken

# What `boundary_` says where a record is flagged.
SENTENCES = {
    "gate_diverging": "separate their branches",
    "expert_coef_diverging": "the coefficients of expert",
    "nu_to_infinity": "the degrees of freedom of expert",
}


# -- what a record means ---------------------------------------------------------------------------------------------


def wanted(record):
    return not record["model"].startswith("lasso")


def variable(table, text):
    """Column of a variable, a square ``I(x^2)``, a logarithm ``log(x)`` or a factor of two levels, and its name."""
    if match := re.fullmatch(r"I\((.+)\^2\)", text):
        return text, table[match[1]] ** 2
    if match := re.fullmatch(r"log\((.+)\)", text):
        return text, np.log(table[match[1]])
    if pd.api.types.is_numeric_dtype(table[text]):
        return text, table[text]
    first, second = sorted(table[text].unique())  # dummy coding; the first level is the reference
    return f"{text}{second}", (table[text] == second).astype(float)


def terms(table, formula):
    """Columns of an R formula, by name."""
    columns = {}
    for term in re.split(r"\s*\+\s*", formula.lstrip("~")):
        if term == "1":
            continue
        factors = [variable(table, text) for text in term.split("*")]
        columns.update(factors)
        if len(factors) == 2:  # main effects, then the interaction
            (a, left), (b, right) = factors
            columns[f"{a}:{b}"] = left * right
    return columns


def expert_of(record, shared):
    family = record["family"].split("_")[0]
    noise = {"alpha": 0.0, "variance_prior": None, "variance_floor": 1e-8}
    if family == "gaussian":
        return LinearExpert(**noise)
    if family == "student":
        return StudentExpert(**noise)
    glm = {"alpha": 0.0, "shared_coef": shared or None}
    if family == "gamma":
        return GammaExpert(link=record["link"], dispersion_prior=None, dispersion_floor=1e-8, **glm)
    return {"poisson": PoissonExpert, "binomial": BinomialExpert}[family](**glm)


def row_argument(table, text):
    """Offset or trials: None, a number or an expression of columns."""
    if text is None or str(text) == "None":
        return None
    try:
        return np.full(len(table), float(text))
    except ValueError:
        return np.asarray(sum(variable(table, part)[1] for part in text.split("+")), dtype=float)


def problem(record, folder):
    """Settings of the estimator, and the arguments of fit."""
    table = pd.read_csv(folder / record["csv"])
    if "depth-2" in record["model"]:  # its columns are named in the text of the model only
        expert = gate = terms(table, "~times")
        tree, shared = Tree.complete(2), {}
    else:
        expert, gate = terms(table, record["expert_formula"]), terms(table, record["gate_formula"])
        tree, shared = Tree.flat(record["K"]), terms(table, record.get("fixed_formula") or "~1")
    expert = {**expert, **shared}
    settings = {
        "tree": tree,
        "expert": expert_of(record, list(shared)),
        "gate": SoftmaxGate(alpha=0.0) if gate else "constant",
    }
    if gate and list(gate) != list(expert):
        settings |= {"expert_features": list(expert), "gate_features": list(gate)}
    rows = {"offset": row_argument(table, record.get("offset")), "trials": row_argument(table, record.get("trials"))}
    if "|" in record["model"]:
        rows["groups"] = table[record["group"]].to_numpy()
    X = pd.DataFrame({**expert, **gate})
    return settings, X, table[record["response"]].to_numpy(float), {k: v for k, v in rows.items() if v is not None}


# -- how it is fitted ------------------------------------------------------------------------------------------------


def is_interior(model, y, load=INTERIOR_LOAD):
    experts = model.params_.experts
    variance = getattr(experts, "variance", None)
    return model.load_.min() > load and (variance is None or variance.min() > INTERIOR_VARIANCE * y.var())


def fit_record(settings, X, y, rows, load, arguments):
    """The best of many starts that is interior as the records define it, or the best of all where none is.

    The race is for maxima whose experts may be smaller than that: starts that it has left behind go on to their end.
    """
    model = HMERegressor(**settings, n_init=arguments.starts, tol=1e-9, max_iter=LONGEST, random_state=0)
    model.fit(X, y, **rows)
    if is_interior(model, y, load):
        return model
    restarts, found = model.restarts_, []
    order = sorted(range(len(restarts)), key=lambda i: -restarts[i].objective)
    for i in [i for i in order if restarts[i].smallest > load][:CANDIDATES]:
        other = model.from_restart(i).set_params(warm_start=True, n_init=1).fit(X, y, **rows)
        found += [other] if is_interior(other, y, load) else []
    return max(found, key=lambda other: other.lower_bounds_[-1], default=model)


def target_of(record):
    """The best known value, and the least load of an expert there."""
    known, inside = record["maximum"]["loglik"], record.get("best_with_all_experts_above_5pct")
    if inside is None and "component_below_5pct" in flags_of(record):
        return known, 0.0  # no maximum is known that has all experts above 5 %
    values = (known if inside is None else inside, record.get("found_since"))
    return max(value for value in values if value is not None), INTERIOR_LOAD


def flags_of(record):
    return [str(flag) for flag in np.atleast_1d(record["maximum"].get("flags") or [])]


def compare(record, folder, arguments):
    """One line of the report."""
    begin = time.perf_counter()
    settings, X, y, rows = problem(record, folder)
    target, load = target_of(record)
    model = fit_record(settings, X, y, rows, load, arguments)
    value, interior = float(model.log_likelihood(X, y, **rows).sum()), bool(is_interior(model, y, load))
    flags, said = flags_of(record), " ".join(model.boundary_)
    # Flags belong to the record's own maximum, which a better one, or one without a tiny expert, need not share.
    here = abs(value - record["maximum"]["loglik"]) < FLAGGED_TOLERANCE
    due = [flag for flag in flags if here and flag in SENTENCES]
    missing = [flag for flag in due if SENTENCES[flag] not in said]
    n_parameters = model.model_.n_parameters(model.params_)
    reached = value > target - (FLAGGED_TOLERANCE if due else TOLERANCE)
    return {
        "record": f"{record['dataset']} {record['model']}",
        "target": round(target, 4), "reached": round(value, 4), "difference": round(value - target, 5),
        "ok": bool(interior and reached and not missing and n_parameters == record["maximum"]["df"]),
        "interior": interior, "least load": round(float(model.load_.min()), 3),
        "flags": flags, "missing": missing, "boundary": model.boundary_,
        "parameters": [n_parameters, record["maximum"]["df"]],
        "stop": model.stop_reason_,
        "gradient": float(f"{model.history_.gradient[model.history_.accepted][-1]:.1e}"),
        "seconds": round(time.perf_counter() - begin, 1),
    }  # fmt: skip


# -- records of the lasso --------------------------------------------------------------------------------------------


def lasso_problem(record, folder):
    """The estimator without its starts, X, y and the strength of the gate; columns are penalised as they are given."""
    table = pd.read_csv(folder / record["csv"])
    alpha, gate_alpha = (float(re.search(rf"{name}=(\S+)", record["model"])[1]) for name in ("Lambda", "Gamma"))
    X = table[[name for name in table if name not in (record["response"], "V1", "z")]].to_numpy(float)
    y = table[record["response"]].to_numpy(float)
    if record["family"] == "binomial":  # coded 1 and 2, 1 being the success
        y = (y == 1).astype(float)
    penalty = {"alpha": alpha, "l1_ratio": 1.0}
    noise = {"scale_penalty": False, "shared_variance": True, "variance_prior": None, "variance_floor": 1e-8}
    expert = {
        "gaussian": lambda: LinearExpert(**penalty, **noise),
        "poisson": lambda: PoissonExpert(**penalty),
        "binomial": lambda: BinomialExpert(**penalty),
    }[record["family"]]()
    gate = SoftmaxGate(gate_alpha, l1_ratio=1.0)
    return HMERegressor(n_experts=record["K"], expert=expert, gate=gate, standardize=False), X, y, gate_alpha


def reference_coding(coef, alpha):
    """A lasso of strength alpha on the gate's slopes (K, p) less those of one expert, the one that makes it least."""
    return alpha * min(np.abs(coef - reference).sum() for reference in coef)


def compare_lasso(record, folder, arguments):
    """One line of the report: the penalised objective, with the record's coding of the gate.

    The symmetric coding that is fitted is the same for two experts, and never more than the record's for others.
    """
    begin = time.perf_counter()
    model, X, y, gate_alpha = lasso_problem(record, folder)
    known = [*np.atleast_1d(record["local_maxima"]), *(v["penalised_objective"] for v in record["peers"].values())]
    model.set_params(n_init=arguments.starts, tol=1e-10, max_iter=LONGEST, random_state=0)
    model.fit(X, y)
    symmetric = float(model.lower_bounds_[-1] * len(y))
    coef = model.params_.gate.coef[0, :, :-1] / model.columns_.gate.design.scale
    ours = symmetric + gate_alpha * float(np.abs(coef).sum()) - reference_coding(coef, gate_alpha)
    target = float(max(known))
    return {
        "record": f"{record['dataset']} {record['model']}",
        "target": round(target, 4), "reached": round(ours, 4), "difference": round(ours - target, 5),
        "symmetric coding": round(symmetric, 4),
        "ok": bool(ours > target - TOLERANCE),
        "zeros": [int((model.experts_.coef == 0).sum()), int((coef == 0).sum())],
        "least load": round(float(model.load_.min()), 3),
        "parameters": model.n_parameters_, "stop": model.stop_reason_, "boundary": model.boundary_,
        "seconds": round(time.perf_counter() - begin, 1),
    }  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--starts", type=int, default=100)
    parser.add_argument("--only", default="", help="records whose name contains this")
    parser.add_argument("--out", default=None, help="file for JSON lines; what it holds is not fitted again")
    arguments = parser.parse_args()
    folder = Path(os.environ["HME_REFERENCE"])
    out = Path(arguments.out) if arguments.out else None
    lines = [json.loads(text) for text in out.read_text().splitlines()] if out and out.exists() else []
    done, results = {line["record"]: line for line in lines if line["starts"] == arguments.starts}, []
    warnings.simplefilter("ignore", ConvergenceWarning)  # boundaries are read from the model
    for record in json.loads((folder / "reference.json").read_text()):
        name, lasso = f"{record['dataset']} {record['model']}", record["model"].startswith("lasso")
        if not (wanted(record) or lasso) or arguments.only not in name:
            continue
        if name not in done:
            line = (compare_lasso if lasso else compare)(record, folder, arguments)
            done[name] = line | {"starts": arguments.starts}
            if out:
                with out.open("a") as file:
                    file.write(json.dumps(done[name]) + "\n")
        results.append(done[name])
        print(json.dumps(results[-1]), flush=True)
    exceeded = sum(r["ok"] and r["difference"] > TOLERANCE for r in results)
    print(
        f"{sum(r['ok'] for r in results)} of {len(results)} reached, {exceeded} of them exceeded, with "
        f"{arguments.starts} starts, {sum(r['seconds'] for r in results):.0f} s"
    )


if __name__ == "__main__":
    main()
