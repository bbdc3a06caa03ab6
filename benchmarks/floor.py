"""How near one EM sweep is to what it cannot do without: bare matrix products, exponentials and one read of X.

    floor = flops / GEMM rate  +  exponentials / exp rate  +  bytes of X / read rate

For n rows, p design columns (the intercept is one), K linear experts with Gaussian noise, and a gate with S scores and
G Gram matrices: S = G = K - 1 for a tree of binary nodes; S = K - 1 and G = K (K - 1) / 2 for one node, whose Newton
step has the exact Hessian:

    flops = n [2 p (S + K)            scores of the gate, predictions of the experts
               + p (p + 1) (G + K)    Gram matrices, of each only the triangle
               + 2 p (S + K)]         their right-hand sides
    exponentials = n (S + K)          branch probabilities and responsibilities

The GEMM rate is that of a plain product of pairs of columns and weights, (p (p + 1) / 2, B) @ (B, 32), with blocks of
B = 2048 rows; the exp rate is NumPy's; the read rate that of a sum over X. Rates and sweeps are measured in turn, in
CPU time; a ratio is the median over the rounds. A model is fitted to some rows first, from its default start, so that
its parameters are those of a model in use. How many leaves and nodes a row needs is counted as well, of all but 1e-12
of its density. Run from the root::

    PYTHONPATH=. OMP_NUM_THREADS=1 python benchmarks/floor.py [--models flat4,binary16,binary32] [--rows 100000]
"""

import argparse
import json
import time
import warnings

import numpy as np

from hme import HMERegressor, Tree
from hme.numerics.engine import kernels, set_kernels
from hme.numerics.paths import branch_sums

BLOCK, WEIGHTS = 2048, 32
TREES = {
    "flat4": Tree.flat(4), "binary16": Tree.complete(4), "binary32": Tree.complete(5), "binary256": Tree.complete(8)
}  # fmt: skip


def table(n, p, seed=0):
    """Rows of a smooth surface with kinks, and noise."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    y = 2 * np.sin(2 * X[:, 0]) + np.abs(X[:, 1]) + X[:, 2] * X[:, 3] + X[:, 4] * (X[:, 5] > 0)
    return X, y + 0.3 * rng.normal(size=n)


def cpu_seconds(function):
    start = time.process_time()
    function()
    return time.process_time() - start


class Floor:
    """The floor of a sweep of n rows, p design columns and a tree."""

    def __init__(self, n, p, tree):
        K, flat = tree.n_leaves, tree.n_nodes == 1
        scores, grams = K - 1, K * (K - 1) // 2 if flat else K - 1
        self.flops = n * (4 * p * (scores + K) + p * (p + 1) * (grams + K))
        self.exponentials = n * (scores + K)
        rng = np.random.default_rng(0)
        self.pairs, self.weights = rng.random((p * (p + 1) // 2, BLOCK)), rng.random((WEIGHTS, BLOCK)).T
        self.numbers, self.X = -10 * rng.random(BLOCK * 16), rng.random((p, n))

    def rates(self):
        """Seconds a flop, an exponential and a byte."""
        flops, repeats = 2 * self.pairs.size * WEIGHTS, 50

        def products():
            for _ in range(repeats):
                self.pairs @ self.weights

        def exponentials():
            for _ in range(50):
                np.exp(self.numbers)

        flop = cpu_seconds(products) / (repeats * flops)
        return flop, cpu_seconds(exponentials) / (50 * self.numbers.size), cpu_seconds(self.X.sum) / self.X.nbytes

    def seconds(self, rates):
        return self.flops * rates[0] + self.exponentials * rates[1] + self.X.nbytes * rates[2]


def fitted(tree, X, y, sweeps):
    """Mixture, rows and parameters of a model fitted to some of the rows."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = HMERegressor(tree=tree, max_iter=sweeps, accelerate=False).fit(X[:20_000], y[:20_000])
    return model.model_, model.observed_rows(X, y)[0], model.params_


def needed(mixture, rows, params, share=1e-12):
    """How many leaves, and nodes above them, a row needs so that what is left out is a share of its density."""
    resp = mixture.posterior(params, rows)[1]
    rising = np.argsort(resp, axis=1)
    negligible = np.cumsum(np.take_along_axis(resp, rising, axis=1), axis=1) <= share
    kept = np.empty(resp.shape)
    np.put_along_axis(kept, rising, np.where(negligible, 0.0, 1.0), axis=1)
    below = branch_sums(mixture.gate.tree.by_level, np.ascontiguousarray(kept.T), mixture.gate.tree.children.shape[1])
    return kept.sum(axis=1).mean(), (below.sum(axis=0) > 0).sum(axis=0).mean()


def measure(name, n, p, sweeps, rounds):
    tree = TREES[name]
    mixture, rows, params = fitted(tree, *table(n, p), sweeps)
    floor = Floor(n, rows.X.shape[1], tree)

    def sweep():
        _, stats = mixture.e_step(params, rows)
        mixture.m_step(params, stats, rows)

    sweep()
    seconds, rates = [], []
    for _ in range(rounds):
        rates.append(floor.rates())
        seconds.append(cpu_seconds(sweep))
    ratios = [s / floor.seconds(r) for s, r in zip(seconds, rates, strict=True)]
    flop, exponential, byte = np.median(rates, axis=0)
    leaves, nodes = needed(mixture, rows[:10_000], params)
    return {
        "model": name, "rows": n, "columns": p, "sweep ms": round(1e3 * np.median(seconds), 2),
        "floor ms": round(1e3 * np.median([floor.seconds(r) for r in rates]), 2),
        "sweep / floor": round(np.median(ratios), 2),
        "Gflop/s": round(1e-9 / flop, 1), "ns an exp": round(1e9 * exponential, 2), "GB/s read": round(1e-9 / byte, 1),
        "Mflop": round(floor.flops / 1e6, 1), "exponentials": floor.exponentials,
        "leaves, nodes that a row needs": [round(float(leaves), 1), round(float(nodes), 1)],
    }  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", default="flat4,binary16,binary32")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--columns", type=int, default=10)
    parser.add_argument("--sweeps", type=int, default=20, help="of the fit before")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--neglect", type=float, default=1e-12, help="with compiled functions; 0: all rows, all leaves")
    arguments = parser.parse_args()
    set_kernels(kernels(), arguments.neglect)
    size = arguments.rows, arguments.columns, arguments.sweeps, arguments.rounds
    print(json.dumps([measure(name, *size) for name in arguments.models.split(",")], indent=1))


if __name__ == "__main__":
    main()
