"""Seconds and memory of one EM sweep, against a naive NumPy twin and the machine's bare matrix products.

The naive twin is written the way one writes it first: full arrays, one matrix product for each expert and node, scipy's
logsumexp. Both do the same EM: the objectives are compared before anything is timed. Run from the root::

    PYTHONPATH=. OMP_NUM_THREADS=1 python benchmarks/sweep.py [--rows 100000] [--columns 10] [--depth 4]
"""

import argparse
import json
import time
import tracemalloc

import numpy as np
from scipy.special import logsumexp

from hme import Tree
from hme.experts import LinearExpert
from hme.gates import SoftmaxGate, TreeGate
from hme.model.design import Design
from hme.model.mixture import Mixture
from hme.model.rows import Rows

ALPHA = 0.1


def naive_sweep(X, y, V, B, phi, paths):
    """One EM sweep on full arrays; V (M, p) holds the differences of the two slots of every node."""
    n, p = X.shape
    K, M = len(B), len(V)
    penalty = ALPHA * np.append(np.ones(p - 1), 0.0)
    scores = X @ V.T
    log_branch = np.stack([-np.logaddexp(0.0, scores), -np.logaddexp(0.0, -scores)], axis=2)
    log_joint = np.zeros((n, K))
    for k in range(K):
        for m in range(M):
            for b in range(2):
                if paths[m, b, k]:
                    log_joint[:, k] += log_branch[:, m, b]
        error = y - X @ B[k]
        log_joint[:, k] += -0.5 * error**2 / phi[k] - 0.5 * np.log(2 * np.pi * phi[k])
    log_density = logsumexp(log_joint, axis=1)
    resp = np.exp(log_joint - log_density[:, None])
    objective = log_density.sum() - 0.5 * ((B**2) @ penalty / phi).sum() - 0.25 * ((V**2) @ penalty).sum()
    new_B, new_phi, new_V = np.empty_like(B), np.empty_like(phi), np.empty_like(V)
    for k in range(K):
        weighted = X * resp[:, [k]]
        new_B[k] = np.linalg.solve(weighted.T @ X + np.diag(penalty), weighted.T @ y)
        new_phi[k] = (resp[:, k] @ (y - X @ new_B[k]) ** 2 + (new_B[k] ** 2) @ penalty) / resp[:, k].sum()
    for m in range(M):
        right, both = resp @ paths[m, 1], resp @ paths[m].sum(axis=0)
        g = 1.0 / (1.0 + np.exp(-scores[:, m]))
        gradient = X.T @ (right - both * g) - 0.5 * penalty * V[m]
        hessian = (X * (both * g * (1 - g))[:, None]).T @ X + 0.5 * np.diag(penalty)
        new_V[m] = V[m] + np.linalg.solve(hessian, gradient)
    return objective / n, new_V, new_B, new_phi


def median_seconds(function, repeats):
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def peak_megabytes(function):
    tracemalloc.start()
    function()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1e6


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--columns", type=int, default=10)
    parser.add_argument("--depth", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    X = rng.normal(size=(arguments.rows, arguments.columns))
    y = np.abs(X[:, 0]) + X[:, 1] * (X[:, 2] > 0) + 0.3 * rng.normal(size=len(X))
    tree = Tree.complete(arguments.depth)
    weight = np.ones(len(X))
    design = Design.fit(X, weight, True)
    D = design.transform(X)
    rows = Rows(D, D, y[:, None], weight)
    gate = TreeGate(SoftmaxGate(ALPHA), tree).bind(rows, design)
    expert = LinearExpert(ALPHA, shrink_to="zero", variance_prior=None, variance_floor=1e-8).bind(rows, design)
    mixture = Mixture(gate, expert)
    params = mixture.init(rows, rng.dirichlet(np.ones(tree.n_leaves), len(X)))
    V = params.gate.coef[:, 1] - params.gate.coef[:, 0]
    B, phi, C = params.experts.coef[:, 0], params.experts.variance[:, 0], np.ascontiguousarray(D)

    def ours():
        objective, stats = mixture.e_step(params, rows)
        return objective, mixture.m_step(params, stats, rows)

    def naive():
        return naive_sweep(C, y, V, B, phi, tree.paths)

    a, b = ours(), naive()
    np.testing.assert_allclose(a[0], b[0], atol=1e-9)
    np.testing.assert_allclose(a[1].experts.coef[:, 0], b[2], atol=1e-7)
    seconds, naive_seconds = median_seconds(ours, arguments.repeats), median_seconds(naive, arguments.repeats)
    q = 2 * tree.n_leaves + tree.n_nodes
    bare = median_seconds(lambda: np.exp(D[:, :1] @ np.ones((1, q))), 3)
    print(
        json.dumps(
            {
                "rows": len(X), "columns": arguments.columns, "experts": tree.n_leaves,
                "sweep seconds": round(seconds, 4), "naive seconds": round(naive_seconds, 4),
                "times faster": round(naive_seconds / seconds, 2),
                "peak MB beyond the data": round(peak_megabytes(ours), 1),
                "naive peak MB": round(peak_megabytes(naive), 1),
                "one exp of all scores, seconds": round(bare, 4),
            },
            indent=1,
        )
    )  # fmt: skip


if __name__ == "__main__":
    main()
