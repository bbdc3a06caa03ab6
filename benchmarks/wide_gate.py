"""How to step a gating node of many branches: objective against seconds and sweeps of EM, for the ways worth a record.

A flat mixture of linear experts runs for a budget of processor seconds from the same start under every method; only the
M-step of the gate differs. The data are piecewise linear, or a table of HME_DATA (its regression target, or its class
code). Run from the root::

    PYTHONPATH=. OMP_NUM_THREADS=1 python benchmarks/wide_gate.py [--rows 20000] [--columns 50] [--experts 64]
    PYTHONPATH=. OMP_NUM_THREADS=1 python benchmarks/wide_gate.py --data kin8nm --seconds 5 --out wide_gate.json
"""

import argparse
import json
import os
import runpy
import time
import tracemalloc
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hme import Tree
from hme.experts import LinearExpert
from hme.fitting import em, starts
from hme.gates import SoftmaxGate, TreeGate
from hme.model.design import Design
from hme.model.mixture import Mixture
from hme.model.rows import Rows
from hme.numerics import multinomial
from hme.numerics.kernels import linear_scores, weighted_cross, weighted_gram
from hme.numerics.systems import solve_psd

SWEEPS = (10, 30, 100, 300)
SHARES = (0.1, 0.25, 0.5, 1.0)  # of the budget


# -- the ways to step ------------------------------------------------------------------------------------------------


class Blocks(SoftmaxGate):
    """One system a slot from weights g f(g) of the rows, the step times `relaxation`."""

    def __init__(self, factor=multinomial._bound_factor, relaxation=1.0, alpha=0.1):
        self.factor, self.relaxation, self.alpha = factor, relaxation, alpha

    def statistics(self, log_branch, rows, mass):
        (_, Q, C), p = mass.shape, rows.Z.shape[1]
        total, probability = mass.sum(axis=2), np.exp(log_branch)
        expected = total[:, :, None] * probability
        gradient = weighted_cross(rows.Z, multinomial._flat(mass - expected)).reshape(Q, C, p)
        weights = multinomial._flat(expected * self.factor(probability))
        return multinomial.LogitStatistics(total.sum(axis=0), gradient, self.curvature(rows.Z, weights))

    def curvature(self, Z, weights):
        return weighted_gram(Z, weights)[None]

    def solve(self, stats, force):
        return solve_psd(stats.curvature + np.diag(self.penalty_), force[..., None])[..., 0]

    def direction(self, params, stats):
        return self.relaxation * self.solve(stats, multinomial.objective_gradient(params.coef, stats, self.penalty_))

    def damped(self, step):
        step = step - step.mean(axis=1, keepdims=True)
        spread = max(multinomial.typical_spread(step, self.moment_)[0], 1e-12)
        return np.log1p(spread) / spread * step

    def update(self, params, stats):
        return params._replace(coef=params.coef + self.damped(self.direction(params, stats)))


def two_bounds(probability):
    """g or 2 g (1 - g), whichever has the smaller trace in a row."""
    confident = (probability**2).sum(axis=2, keepdims=True) > 0.5
    return np.where(confident, 2.0 * (1.0 - probability), 1.0)


def own_curvature(probability):
    """The diagonal of the Hessian, no bound of it."""
    return 1.0 - probability


class Fixed(Blocks):
    """Boehning's bound: half the Gram matrix of the design, whatever g is."""

    def curvature(self, Z, weights):
        return np.zeros(1)

    def solve(self, stats, force):
        system = 0.5 * stats.total[0] * self.moment_ + np.diag(self.penalty_)
        return np.linalg.solve(system, force[0].T).T[None]


class SharedCorrelation(Blocks):
    """Weight, means and variances of the columns for each slot; their correlations are those of the whole table."""

    def curvature(self, Z, weights):
        return np.stack([weighted_cross(Z, weights), weighted_cross(Z * Z, weights)])

    def solve(self, stats, force):
        first, second = stats.curvature
        weight = first[:, -1:]
        mean = first / weight
        spread = np.sqrt(np.maximum(second / weight - mean**2, 0.0))
        center = self.moment_[-1]
        covariance = self.moment_ - np.outer(center, center)
        scale = np.sqrt(np.where(np.diag(covariance) > 0, np.diag(covariance), 1.0))
        correlation = covariance / np.outer(scale, scale)
        within = spread[:, :, None] * correlation * spread[:, None, :]
        system = weight[:, :, None] * (within + mean[:, :, None] * mean[:, None, :]) + np.diag(self.penalty_)
        return solve_psd(system, force[0][..., None])[None, ..., 0]


class MemoryParams(NamedTuple):
    coef: np.ndarray
    used: np.ndarray
    memory: tuple  # (coef, gradient) of earlier sweeps, the latest last


class Momentum(Blocks):
    """Adds a share of the last step."""

    share = 0.8

    def update(self, params, stats):
        inertia = params.coef - params.memory[-1][0] if params.memory else 0.0
        step = self.damped(self.direction(params, stats)) + self.share * inertia
        return MemoryParams(params.coef + step, params.used, ((params.coef, None),))

    def interpolate(self, old, new, step):
        return MemoryParams(old.coef + step * (new.coef - old.coef), old.used, ())


class QuasiNewton(Momentum):
    """L-BFGS with the gradients of the last five sweeps on top of the blocks."""

    def update(self, params, stats):
        gradient = multinomial.objective_gradient(params.coef, stats, self.penalty_)
        memory = (*params.memory[-5:], (params.coef, gradient))
        pairs = [(b[0] - a[0], a[1] - b[1]) for a, b in zip(memory[:-1], memory[1:], strict=True)]
        pairs = [(s, y, (s * y).sum()) for s, y in pairs if (s * y).sum() > 0]
        force, shares = gradient.copy(), []
        for s, y, product in reversed(pairs):
            shares.append((s * force).sum() / product)
            force -= shares[-1] * y
        step = self.relaxation * self.solve(stats, force)
        for (s, y, product), share in zip(pairs, reversed(shares), strict=True):
            step += s * (share - (y * step).sum() / product)
        return MemoryParams(params.coef + self.damped(step), params.used, memory)


class ConjugateGradients(TreeGate):
    """Newton's system of a flat gate by preconditioned conjugate gradients; each iteration passes over the rows."""

    def __init__(self, node, tree, iterations=3, precision=1e-3):
        self.node, self.tree, self.iterations, self.precision = node, tree, iterations, precision

    def update(self, params, stats, rows=None):
        if rows is None:
            return self.node.update(params, stats)
        penalty = self.node.penalty_
        blocks = [(b, np.exp(self.node.log_branch(params, b)[:, 0])) for _, b in rows.blocks()]

        def curvature_times(step):
            out = penalty * step
            for block, g in blocks:
                change = linear_scores(block.Z, step)
                change -= (change * g).sum(axis=1, keepdims=True)
                change *= g * block.weight[:, None]
                out += weighted_cross(block.Z, change)
            return out

        step, force = 0.0, multinomial.objective_gradient(params.coef, stats, penalty)[0]
        toward = scaled = self.node.solve(stats, force[None])[0]
        size = first = (force * scaled).sum()
        for _ in range(self.iterations):
            bent = curvature_times(toward)
            length = size / (toward * bent).sum()
            step = step + length * toward
            force = force - length * bent
            scaled = self.node.solve(stats, force[None])[0]
            size, before = (force * scaled).sum(), size
            if not size > self.precision**2 * first:
                break
            toward = scaled + size / before * toward
        return params._replace(coef=params.coef + self.node.damped(step[None]))


METHODS = {
    "package": lambda tree: TreeGate(SoftmaxGate(), tree),
    "least trace": lambda tree: TreeGate(Blocks(), tree),
    "two bounds": lambda tree: TreeGate(Blocks(two_bounds), tree),
    "diagonal blocks": lambda tree: TreeGate(Blocks(own_curvature), tree),
    "shared correlation x 1.8": lambda tree: TreeGate(SharedCorrelation(relaxation=1.8), tree),
    "fixed bound": lambda tree: TreeGate(Fixed(), tree),
    "momentum": lambda tree: TreeGate(Momentum(), tree),
    "quasi-Newton": lambda tree: TreeGate(QuasiNewton(), tree),
    "3 conjugate gradients": lambda tree: ConjugateGradients(Blocks(own_curvature), tree),
    "Newton": lambda tree: ConjugateGradients(Blocks(own_curvature), tree, iterations=200),
}


# -- the comparison --------------------------------------------------------------------------------------------------


def piecewise_linear(n, p, n_cells, seed):
    """Linear in the cells of random centres in six columns; a fifth of the slopes count."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) @ (np.eye(p) + 0.3 * rng.normal(size=(p, p)) / np.sqrt(p))
    centers = rng.normal(size=(n_cells, min(6, p)))
    cell = ((X[:, None, : centers.shape[1]] - centers) ** 2).sum(axis=2).argmin(axis=1)
    slopes = 0.6 * rng.normal(size=(n_cells, p)) * (rng.random((n_cells, p)) < 0.2)
    return X, (X * slopes[cell]).sum(axis=1) + rng.normal(size=n_cells)[cell] + 0.3 * rng.normal(size=n)


def load(name):
    data = runpy.run_path(Path(os.environ["HME_DATA"]) / "load.py")["load"](name)
    y = np.asarray(data["y"], dtype=float)
    return data["X"], y if y.ndim == 1 else y[:, 0]


def trace(mixture, rows, params, options, seconds=np.inf):
    """Processor seconds, sweep and objective of every accepted sweep, and the fit."""
    seen, start = [], time.process_time()

    def watch(sweep, objective, _):
        seen.append((time.process_time() - start, sweep, objective))
        return seen[-1][0] > seconds

    fit = em.fit(mixture, rows, params, options._replace(callback=watch))
    return np.array(seen).T, fit


def last_at(place, at, objective):
    """Objective at the last place that is not beyond `at`; None where the run did not get there."""
    reached = np.searchsorted(place, at, side="right")
    return round(float(objective[reached - 1]), 4) if reached and place[-1] >= 0.95 * at else None


def compare(rows, design, tree, params, gate, arguments):
    mixture = Mixture(gate.bind(rows, design), LinearExpert().bind(rows, design))
    node = mixture.gate.node
    if isinstance(node, Momentum):
        params = params._replace(gate=MemoryParams(params.gate.coef, params.gate.used, ()))
    (seconds, sweep, objective), fit = trace(
        mixture, rows, params, em.Options(max_iter=10**6, tol=0.0), arguments.seconds
    )
    line = {
        "seconds a sweep": round(float(seconds[-1] / max(fit.n_iter - 1, 1)), 4),
        "sweeps": fit.n_iter, "turned back": int((~fit.history.accepted).sum()),
        "objective after sweeps": {k: last_at(sweep, k, objective) for k in SWEEPS},
        "objective after seconds": {
            round(s * arguments.seconds, 2): last_at(seconds, s * arguments.seconds, objective) for s in SHARES
        },
    }  # fmt: skip
    if arguments.converge:
        (seconds, _, _), fit = trace(mixture, rows, params, em.Options(max_iter=1000, tol=arguments.converge))
        line["whole fit"] = {
            "seconds": round(float(seconds[-1]), 2), "sweeps": fit.n_iter, "objective": round(fit.objective, 4),
            "reason": fit.reason,
        }  # fmt: skip
    tracemalloc.start()
    _, stats = mixture.e_step(fit.params, rows)
    mixture.m_step(fit.params, stats, rows)
    line["peak MB beyond the data"] = round(tracemalloc.get_traced_memory()[1] / 1e6, 1)
    tracemalloc.stop()
    return line


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--columns", type=int, default=50)
    parser.add_argument("--experts", type=int, default=64)
    parser.add_argument("--data", help="name of a table of HME_DATA, instead of generated rows")
    parser.add_argument("--seed", type=int, default=0, help="of the generated rows")
    parser.add_argument("--start", type=int, default=0, help="0 for the model tree, else the seed of a perturbed one")
    parser.add_argument("--seconds", type=float, default=20.0, help="budget of each method")
    parser.add_argument("--converge", type=float, default=0.0, help="tol of a whole fit of each method; 0 for none")
    parser.add_argument("--methods", nargs="*", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--out", help="file for the JSON lines")
    arguments = parser.parse_args()
    if arguments.data:
        X, y = load(arguments.data)
    else:
        X, y = piecewise_linear(arguments.rows, arguments.columns, arguments.experts, arguments.seed)
    weight, tree = np.ones(len(X)), Tree.flat(arguments.experts)
    design = Design.fit(X, weight, True)
    D = design.transform(X)
    rows = Rows(D, D, ((y - y.mean()) / y.std())[:, None], weight)
    before = time.process_time()
    if arguments.start:
        resp = starts.perturbed_model_tree(rows, tree, np.random.default_rng(arguments.start))
    else:
        resp = starts.model_tree(rows, tree)
    mixture = Mixture(METHODS["two bounds"](tree).bind(rows, design), LinearExpert().bind(rows, design))
    params = mixture.init(rows, resp)
    head = {
        "rows": len(X), "columns": X.shape[1], "experts": arguments.experts, "data": arguments.data or "generated",
        "start": arguments.start, "seconds of the start": round(time.process_time() - before, 2),
    }  # fmt: skip
    lines = [head]
    print(json.dumps(head), flush=True)
    for name in arguments.methods:
        lines.append({"method": name, **compare(rows, design, tree, params, METHODS[name](tree), arguments)})
        print(json.dumps(lines[-1]), flush=True)
    if arguments.out:
        Path(arguments.out).write_text("\n".join(map(json.dumps, lines)) + "\n")


if __name__ == "__main__":
    main()
