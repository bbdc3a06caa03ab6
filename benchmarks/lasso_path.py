"""Time of a path of lasso fits, and what its direction is worth.

Rows come from K linear experts with a few columns each, told apart by a few columns. A path of 50 strengths of the
experts' lasso runs from weak to strong (`hme.path.alpha_path`), and for comparison the same strengths from strong to
weak, each fit going on from the one before. Run from the root::

    PYTHONPATH=. OMP_NUM_THREADS=1 python benchmarks/lasso_path.py [--rows 5000] [--columns 50] [--experts 4]
"""

import argparse
import json
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from hme import HMERegressor
from hme.experts import LinearExpert
from hme.fitting.path import alpha_path
from hme.gates import SoftmaxGate


def make_table(n, p, K, seed, n_used=3, noise=0.5):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    coef = np.zeros((K, p))
    for k in range(K):
        coef[k, rng.choice(p, n_used, replace=False)] = rng.choice([-1.0, 1.0], n_used) * rng.uniform(0.5, 1.5, n_used)
    directions = 3.0 * rng.normal(size=(2, K))
    leaf = (X[:, :2] @ directions + rng.gumbel(size=(n, K))).argmax(axis=1)
    level = rng.normal(size=K)[leaf]
    return X, level + (X * coef[leaf]).sum(axis=1) + noise * rng.normal(size=n), coef


def timed(function):
    begin = time.perf_counter(), time.process_time()
    result = function()
    return result, round(time.perf_counter() - begin[0], 2), round(time.process_time() - begin[1], 2)


def backward(model, X, y, alphas, side):
    """Objectives of the same strengths in falling order."""
    running, objective = clone(model).set_params(warm_start=True), []
    for alpha in alphas:
        running.set_params(**{f"{side}__alpha": float(alpha)}).fit(X, y)
        objective.append(running.lower_bounds_[-1])
    return np.array(objective)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--columns", type=int, default=50)
    parser.add_argument("--experts", type=int, default=4)
    parser.add_argument("--alphas", type=int, default=50)
    parser.add_argument("--side", choices=("expert", "gate"), default="expert")
    parser.add_argument("--passes", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--backward", action="store_true", help="run the path from strong to weak too")
    parser.add_argument("--out", default=None, help="file for the results as JSON")
    arguments = parser.parse_args()
    X, y, truth = make_table(arguments.rows, arguments.columns, arguments.experts, arguments.seed)
    model = HMERegressor(
        n_experts=arguments.experts, expert=LinearExpert(alpha=20.0, l1_ratio=1.0), gate=SoftmaxGate(10.0, l1_ratio=1.0)
    )
    warnings.simplefilter("ignore", ConvergenceWarning)
    settings = {"side": arguments.side, "n_alphas": arguments.alphas, "passes": arguments.passes}
    path, seconds, processor = timed(lambda: alpha_path(model, X, y, **settings))
    best = path.select("bic")
    result = {
        "rows": arguments.rows, "columns": arguments.columns, "experts": arguments.experts, "side": arguments.side,
        "alphas": len(path.alphas), "seconds": seconds, "processor seconds": processor,
        "sweeps": int(path.n_iter.sum()), "converged": float(path.converged.mean()),
        "alpha": [float(f"{alpha:.4g}") for alpha in path.alphas[[0, -1]]],
        "best by bic": {
            "alpha": float(f"{path.alphas[path.bic.argmin()]:.4g}"),
            "slopes of experts": (best.experts_.coef != 0).sum(axis=1).tolist(),
            "used": (truth != 0).sum(axis=1).tolist(),
            "slopes of the gate": (best.gate_.coef != 0).any(axis=(0, 1)).sum().tolist(),
        },
    }  # fmt: skip
    if arguments.backward:
        objective, other, _ = timed(lambda: backward(model, X, y, path.alphas, arguments.side))
        gain = path.objective - objective
        result["from strong to weak"] = {
            "seconds": other, "lower by more than 1e-4 at": int((gain > 1e-4).sum()),
            "higher at": int((gain < -1e-4).sum()), "largest difference": float(f"{np.abs(gain).max():.3g}"),
        }  # fmt: skip
    print(json.dumps(result))
    if arguments.out:
        Path(arguments.out).write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
