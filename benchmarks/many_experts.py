"""What sweeps and predictions cost as experts become many: rows that visit few branches, against all leaves.

Models of 16 to 1024 experts below binary nodes are fitted to 20,000 rows for some sweeps. Then a sweep over more rows,
and predicting their means, are measured in CPU time with the default neglect of 1e-12, eq. (pruning), and with none, in
turns; how far the objective and the means differ is measured too. ``--threads`` measures instead the wall and the CPU
time of a fit with ``n_jobs=1`` and ``2``, in turns, whether both are the same, and the most memory. Run from the root::

    PYTHONPATH=. OMP_NUM_THREADS=1 python benchmarks/many_experts.py [--families linear,student,poisson,logistic]
        [--depths 4,6,8] [--rows 50000] [--threads --rows 1000000 --depths 4,5 --sweeps 500]
"""

import argparse
import json
import resource
import time
import warnings

import numpy as np
from floor import cpu_seconds, needed, table

from hme import HMEClassifier, HMERegressor
from hme.kernels import kernels, set_kernels

CUTS = [-0.5, 1.0, 2.5]  # of y, between classes


def problem(family, n):
    """An estimator class and rows that suit a family."""
    X, y = table(n, 10)
    if family == "logistic":
        return HMEClassifier, X, np.digitize(y, CUTS)
    return HMERegressor, X, np.random.default_rng(1).poisson(np.exp(y / 2)) if family == "poisson" else y


def costs(family, depth, n, rounds):
    """Microseconds a row of a sweep and of a prediction, with and without neglect."""
    kind, X, y = problem(family, n)
    model = kind(depth=depth, expert=family, max_iter=20, accelerate=False).fit(X[:20_000], y[:20_000])
    mixture, rows, params = model.model_, model.observed_rows(X, y)[0], model.params_
    seconds, objective, mean = {}, {}, {}
    for _ in range(rounds):
        for neglect in (1e-12, 0.0):
            set_kernels(kernels(), neglect)
            objective[neglect] = mixture.e_step(params, rows)[0]
            mean[neglect] = mixture.mean(params, rows)
            calls = {"sweep": lambda: mixture.e_step(params, rows), "mean": lambda: mixture.mean(params, rows)}
            for name, call in calls.items():
                seconds.setdefault((name, neglect), []).append(cpu_seconds(call))
    spent = {key: round(1e6 * float(np.min(found)) / n, 2) for key, found in seconds.items()}
    return {
        "family": family, "experts": 2**depth, "rows": n,
        "leaves that a row needs": round(float(needed(mixture, rows[:4000], params)[0]), 1),
        "us a row, sweep": spent["sweep", 1e-12], "all leaves": spent["sweep", 0.0],
        "us a row, mean": spent["mean", 1e-12], "mean by all leaves": spent["mean", 0.0],
        "objective differs by": float(abs(objective[1e-12] - objective[0.0])),
        "means differ by": float(np.abs(mean[1e-12] - mean[0.0]).max() / np.ptp(mean[0.0])),
    }  # fmt: skip


def fits(family, depth, n, rounds, sweeps):
    """Wall and CPU seconds of a fit of at most so many sweeps with one and with two threads, and its memory."""
    kind, X, y = problem(family, n)
    seconds, found = {1: [], 2: []}, {}
    for _ in range(rounds):
        for n_jobs in seconds:
            wall, cpu = time.perf_counter(), time.process_time()
            model = kind(depth=depth, expert=family, max_iter=sweeps, n_jobs=n_jobs).fit(X, y)
            seconds[n_jobs].append((time.perf_counter() - wall, time.process_time() - cpu))
            found[n_jobs] = model.predict(X[:1000])
    best = {n_jobs: np.min(own, axis=0).round(2).tolist() for n_jobs, own in seconds.items()}
    same = bool((found[1] == found[2]).all())
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    return {
        "family": family, "experts": 2**depth, "rows": n, "sweeps": model.n_iter_,
        "wall and CPU seconds by threads": best, "same": same, "peak MB of the process": most,
    }  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--families", default="linear,student,poisson,logistic")
    parser.add_argument("--depths", default="4,6,8")
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", action="store_true")
    parser.add_argument("--sweeps", type=int, default=500, help="of a fit by threads, at most")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    for family in arguments.families.split(","):
        for depth in map(int, arguments.depths.split(",")):
            size = family, depth, arguments.rows, arguments.rounds
            print(json.dumps(fits(*size, arguments.sweeps) if arguments.threads else costs(*size)), flush=True)


if __name__ == "__main__":
    main()
