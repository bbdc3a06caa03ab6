"""Does a growing tree find what is there? Made tables with a known number of experts.

Each part makes tables from its own seeds, fits ``HMERegressor()`` and prints what the tree has found. Run from the
root::

    PYTHONPATH=. OMP_NUM_THREADS=1 python benchmarks/growing.py --tables 100 [--parts line,experts,...] [--out F]

A line of JSON is written for every table at once; tables that have a line are not run again.
"""

import argparse
import json
import time
import warnings
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np

from hme import HMERegressor


def regions(rng, X, n_experts):
    """Labels of convex regions: the heaviest one is cut by an oblique plane near its median, again and again."""
    labels = np.zeros(len(X), dtype=int)
    for k in range(1, n_experts):
        inside = np.flatnonzero(labels == np.bincount(labels).argmax())
        direction = rng.standard_normal(X.shape[1])
        score = X[inside] @ direction
        labels[inside[score > np.quantile(score, rng.uniform(0.4, 0.6))]] = k
    return labels


def experts(seed, n_experts, n=2000):
    """Linear experts with an R^2 of 0.9 to 0.99 each, in regions with oblique borders, p <= 4."""
    rng = np.random.default_rng((seed, n_experts))
    X = rng.uniform(-1, 1, (n, int(rng.integers(2, 5))))
    labels = regions(rng, X, n_experts)
    coef, intercept = 3 * rng.standard_normal((n_experts, X.shape[1])), 3 * rng.standard_normal(n_experts)
    mean, y = intercept[labels] + (X * coef[labels]).sum(axis=1), np.empty(n)
    for k in range(n_experts):
        inside, share = labels == k, rng.uniform(0.9, 0.99)
        scale = np.sqrt(mean[inside].var() * (1 - share) / share)
        y[inside] = mean[inside] + scale * rng.standard_normal(inside.sum())
    return X, y


def line(seed, n, p):
    rng = np.random.default_rng((seed, n, p))
    X = rng.standard_normal((n + 4000, p))
    return X, X[:, 0] + rng.standard_normal(n + 4000)


def noise(seed, n=2000):
    """The same line everywhere, five times the noise on one side of an oblique border."""
    rng = np.random.default_rng((seed, 1))
    X = rng.uniform(-1, 1, (n, 3))
    return X, X[:, 0] + np.where(X[:, 1] + X[:, 2] > 0, 0.5, 0.1) * rng.standard_normal(n)


def exclusive_or(seed, n=2000):
    rng = np.random.default_rng((seed, 2))
    X = rng.uniform(-1, 1, (n, 2))
    return X, np.where((X[:, 0] > 0) == (X[:, 1] > 0), 1.0, -1.0) + 0.2 * rng.standard_normal(n)


def useless(seed, n=2000):
    """Two useful columns beside fifty of noise."""
    rng = np.random.default_rng((seed, 3))
    X = rng.standard_normal((n, 52))
    return X, np.where(X[:, 0] > 0, 2 * X[:, 1], -2 * X[:, 1]) + 0.3 * rng.standard_normal(n)


def among_many(seed, n=1500):
    """Four linear experts of five useful columns, in regions of the first three, beside thirty of noise."""
    coef = np.random.default_rng(seed % 10000).standard_normal((4, 5))
    rng = np.random.default_rng((seed, 4))
    X = rng.standard_normal((n, 35))
    labels = (X[:, 0] > 0) + 2 * (X[:, 1] + X[:, 2] > 0)
    return X, (X[:, :5] * coef[labels]).sum(axis=1) + 0.5 * rng.standard_normal(n)


def fit_line(seed, n, p):
    X, y = line(seed, n, p)
    model = HMERegressor().fit(X[:n], y[:n])
    A = np.column_stack([np.ones(len(X)), X])
    plain = A[n:] @ np.linalg.lstsq(A[:n], y[:n], rcond=None)[0]
    ratio = np.sqrt(np.mean((model.predict(X[n:]) - y[n:]) ** 2) / np.mean((plain - y[n:]) ** 2))
    return {"n_experts": model.n_experts_, "rmse_to_least_squares": float(ratio)}


def fit_experts(seed, n_experts):
    X, y = experts(seed, n_experts)
    return {"n_experts": HMERegressor(average=False).fit(X, y).n_experts_, "wanted": n_experts}


def against_truth(make, least):
    """Root mean square error on new rows, and that of the true mean, and the experts of the tree."""

    def fit(seed):
        X, y = make(seed)
        new = make(seed + 10000)
        model = HMERegressor().fit(X, y)
        error = float(np.sqrt(np.mean((model.predict(new[0]) - new[1]) ** 2)))
        score = float(model.predict_dist(new[0]).logpdf(new[1]).mean())
        return {"n_experts": model.n_experts_, "rmse": error, "least": least, "log_score": score}

    return fit


PARTS = {
    **{f"line {n} x {p}": lambda seed, n=n, p=p: fit_line(seed, n, p) for n, p in ((500, 10), (2000, 10), (8000, 5))},
    **{f"experts {k}": lambda seed, k=k: fit_experts(seed, k) for k in (3, 5, 8)},
    "noise alone": against_truth(noise, float(np.sqrt(0.13))),
    "exclusive or": against_truth(exclusive_or, 0.2),
    "50 useless columns": against_truth(useless, 0.3),
    "30 useless columns": against_truth(among_many, 0.5),
}


def run(names, tables, out):
    done = defaultdict(dict)
    for text in out.read_text().splitlines() if out.exists() else []:
        one = json.loads(text)
        done[one["part"]][one["seed"]] = one
    for name in names:
        for seed in range(tables):
            if seed in done[name]:
                continue
            begin = time.process_time()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = {"part": name, "seed": seed, **PARTS[name](seed)}
            done[name][seed] = found | {"seconds": round(time.process_time() - begin, 3)}
            with out.open("a") as file:
                file.write(json.dumps(done[name][seed]) + "\n")
        yield name, [done[name][seed] for seed in range(tables)]


def report(name, found):
    counts = dict(sorted(Counter(one["n_experts"] for one in found).items()))
    text = f"{name:20s} {len(found):4d} tables, experts of the tree {counts}"
    if "wanted" in found[0]:
        text += f", right {sum(one['n_experts'] == one['wanted'] for one in found)}"
    if "rmse_to_least_squares" in found[0]:
        ratio = np.array([one["rmse_to_least_squares"] for one in found])
        text += f", RMSE to least squares: mean {ratio.mean():.4f}, largest {ratio.max():.4f}"
    if "rmse" in found[0]:
        text += f", RMSE {np.mean([one['rmse'] for one in found]):.3f} (least {found[0]['least']:.3f})"
        text += f", log score {np.mean([one['log_score'] for one in found]):.3f}"
    print(f"{text}, {np.mean([one['seconds'] for one in found]):.1f} s", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", default=",".join(PARTS), help="names, with commas; or the beginnings of names")
    parser.add_argument("--tables", type=int, default=20)
    parser.add_argument("--out", type=Path, default=Path("growing.jsonl"))
    arguments = parser.parse_args()
    names = [name for name in PARTS if name.startswith(tuple(arguments.parts.split(",")))]
    for name, found in run(names, arguments.tables, arguments.out):
        report(name, found)


if __name__ == "__main__":
    main()
