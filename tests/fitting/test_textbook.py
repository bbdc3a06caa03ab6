"""The package against a naive twin: the paper's equations in explicit loops over rows, nodes and leaves."""

import math

import numpy as np
import pytest

from hme import HMERegressor, Tree
from hme.experts import LinearExpert
from hme.fitting import starts
from hme.gates import SoftmaxGate
from hme.model.design import Design
from hme.model.rows import Rows

GATE_ALPHA, EXPERT_ALPHA = 0.2, 0.3


def paths_of(nested):
    """Leaves of nested tuples as lists of (node, branch), nodes numbered level by level as in the package."""
    order, queue = {}, [((), nested)]
    for place, item in queue:
        if isinstance(item, tuple):
            order[place] = len(order)
            queue.extend((place + (b,), child) for b, child in enumerate(item))

    def walk(place, item):
        if not isinstance(item, tuple):
            return [[(order[place[:i]], place[i]) for i in range(len(place))]]
        return [path for b, child in enumerate(item) for path in walk(place + (b,), child)]

    return walk((), nested)


class Textbook:
    """One EM for a tree of binary softmax nodes and linear-Gaussian leaves (Jordan & Jacobs 1994, section 4)."""

    def __init__(self, nested, X, y):
        self.paths, self.X, self.y = paths_of(nested), X, y
        self.n_nodes = 1 + max(node for path in self.paths for node, _ in path)

    def branch(self, v, x):
        a, b = float(v[0] @ x), float(v[1] @ x)
        top = max(a, b)
        total = math.exp(a - top) + math.exp(b - top)
        return math.exp(a - top) / total, math.exp(b - top) / total

    def e_step(self, V, B, phi):
        h, likelihood = np.zeros((len(self.y), len(self.paths))), 0.0
        for n, (x, target) in enumerate(zip(self.X, self.y, strict=True)):
            for k, path in enumerate(self.paths):
                g = 1.0
                for node, b in path:
                    g *= self.branch(V[node], x)[b]
                error = target - float(B[k] @ x)
                h[n, k] = g * math.exp(-(error**2) / (2 * phi[k])) / math.sqrt(2 * math.pi * phi[k])
            likelihood += math.log(h[n].sum())
            h[n] /= h[n].sum()
        return h, likelihood

    def m_step(self, V, B, phi, h):
        p = self.X.shape[1]
        penalty = np.diag([1.0] * (p - 1) + [0.0])
        B, phi, new_V = B.copy(), phi.copy(), V.copy()
        for k in range(len(self.paths)):
            A = EXPERT_ALPHA * penalty
            c = np.zeros(p)
            for n, x in enumerate(self.X):
                A = A + h[n, k] * np.outer(x, x)
                c = c + h[n, k] * self.y[n] * x
            B[k] = np.linalg.solve(A, c)
            errors = [(self.y[n] - float(B[k] @ x)) ** 2 for n, x in enumerate(self.X)]
            phi[k] = (sum(h[:, k] * errors) + EXPERT_ALPHA * B[k] @ penalty @ B[k]) / h[:, k].sum()
        moment = sum(np.outer(x, x) for x in self.X) / len(self.X)
        for m in range(self.n_nodes):
            gradient = -GATE_ALPHA * penalty @ (V[m, 1] - V[m, 0]) / 2  # of the difference of the two slots
            hessian = GATE_ALPHA * penalty / 2
            for n, x in enumerate(self.X):
                mass = [0.0, 0.0]
                for k, path in enumerate(self.paths):
                    for node, b in path:
                        if node == m:
                            mass[b] += h[n, k]
                g = self.branch(V[m], x)
                gradient = gradient + (mass[1] - (mass[0] + mass[1]) * g[1]) * x
                hessian = hessian + (mass[0] + mass[1]) * g[0] * g[1] * np.outer(x, x)
            step = np.linalg.solve(hessian, gradient) / 2  # half for each slot
            spread = math.sqrt(step @ moment @ step)
            step = step * math.log1p(spread) / spread
            new_V[m] = V[m] + np.array([-step, step])
        return new_V, B, phi


@pytest.mark.parametrize("nested", [(0, 0), ((0, 0), (0, 0)), ((0, (0, 0)), 0)], ids=str)
def test_package_follows_the_textbook(nested):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 2))
    y = np.abs(X[:, 0]) + np.where(X[:, 1] > 0, X[:, 0], 0.0) + 0.2 * rng.normal(size=40)
    expert = LinearExpert(EXPERT_ALPHA, shrink_to="zero", variance_prior=None, variance_floor=1e-8)
    model = HMERegressor(
        tree=Tree.from_nested(nested),
        expert=expert,
        gate=SoftmaxGate(GATE_ALPHA),
        tol=0.0,
        max_iter=15,
        accelerate=False,
        start="model_tree",
    )
    with pytest.warns(match="max_iter"):
        model.fit(X, y)

    design = Design.fit(X, np.ones(40), True)
    D = design.transform(X)
    rows = Rows(D, D, y[:, None], np.ones(40))
    start = model.model_.init(rows, starts.model_tree(rows, model.tree_))
    twin = Textbook(nested, D, y)
    V, B, phi = start.gate.coef, start.experts.coef[:, 0], start.experts.variance[:, 0]
    for sweep in range(15):
        h, likelihood = twin.e_step(V, B, phi)
        slopes = V[..., :-1]
        penalty = 0.5 * GATE_ALPHA * (slopes**2).sum()
        penalty += 0.5 * EXPERT_ALPHA * ((B[:, :-1] ** 2).sum(axis=1) / phi).sum()
        np.testing.assert_allclose(model.lower_bounds_[sweep], (likelihood - penalty) / 40, rtol=0, atol=1e-8)
        if sweep < 14:
            V, B, phi = twin.m_step(V, B, phi, h)
    np.testing.assert_allclose(model.params_.gate.coef, V, atol=1e-7)
    np.testing.assert_allclose(model.params_.experts.coef[:, 0], B, atol=1e-7)
    np.testing.assert_allclose(model.params_.experts.variance[:, 0], phi, rtol=1e-7)
    np.testing.assert_allclose(model.responsibilities(X, y), h, atol=1e-7)
