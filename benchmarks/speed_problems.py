"""Sets of twenty problems of all additive families, by which the sweeps of a fit are counted; tables of `speed.py`.

Everything is drawn from known models with fixed seeds. Each problem is an estimator and the arguments of its `fit`.
They come in sets: those of another set have other seeds, a third more rows, and flat mixtures one column more.
"""

from typing import NamedTuple

import numpy as np

from hme import HMEClassifier, HMERegressor
from hme.experts import LinearExpert

__all__ = ["PROBLEMS", "TABLES", "Set", "table"]


def _friedman(X, rng):
    signal = 10 * np.sin(np.pi * X[:, 0] * X[:, 1]) + 20 * (X[:, 2] - 0.5) ** 2 + 10 * X[:, 3] + 5 * X[:, 4]
    return signal + rng.normal(size=len(X))


def _hinge(X, rng):
    return np.abs(X[:, 0]) + X[:, 1] * (X[:, 2] > 0) + 0.3 * rng.normal(size=len(X))


def _spread(X, rng):
    noise = np.exp(0.5 * X[:, 3] - 1) * rng.standard_t(5, size=len(X))
    return np.sin(2 * X[:, 0]) + 0.5 * X[:, 1] * X[:, 2] + noise


def _steps(X, rng):
    return 2.0 * (X[:, 0] > 0) + (X[:, 1] > 0.5) * X[:, 2] + 0.2 * rng.normal(size=len(X))


TABLES = {"friedman": _friedman, "hinge": _hinge, "spread": _spread, "steps": _steps}


def table(name, n, seed=0, p=10):
    """X (n, p) and y (n,) of one of the `TABLES`."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(size=(n, p)) if name == "friedman" else rng.normal(size=(n, p))
    return X, TABLES[name](X, rng)


# -- problems --------------------------------------------------------------------------------------------------------


class Set(NamedTuple):
    """A set of problems; the first one has the number 0."""

    number: int = 0

    def rows(self, n):
        return n if self.number == 0 else n * 4 // 3

    def columns(self, p):
        return p if self.number == 0 else p + 1

    def seed(self, seed):
        return seed + 1000 * self.number

    def rng(self, seed):
        return np.random.default_rng(self.seed(seed))


def _lines(chosen, n, K, p, seed, spread=1.0, gated=True):
    """X, means (n,) and the expert of every row: K regression planes, chosen by X or by chance."""
    rng, n, p = chosen.rng(seed), chosen.rows(n), chosen.columns(p)
    X = rng.normal(size=(n, p))
    coef, level = rng.normal(size=(K, p)), 2.0 * rng.normal(size=K)
    scores = X @ rng.normal(size=(p, K)) * 2.0 if gated else np.zeros((n, K))
    leaf = (scores + rng.gumbel(size=(n, K))).argmax(axis=1)
    return rng, X, spread * ((X * coef[leaf]).sum(axis=1) + level[leaf]), leaf


def _flat(chosen, expert, K, draw, seed, n=1500, p=3, spread=1.0, gate=None, gated=True, **settings):
    rng, X, mean, leaf = _lines(chosen, n, K, p, seed, spread, gated)
    y, arguments = draw(rng, mean, leaf), {}
    if isinstance(y, tuple):
        y, arguments = y
    start = "kmeans" if gated else "directions"
    return HMERegressor(n_experts=K, expert=expert, gate=gate, start=start, **settings), X, y, arguments


def _normal(rng, mean, leaf):
    return mean + 0.5 * rng.normal(size=len(mean))


def _student(rng, mean, leaf):
    return mean + 0.5 * rng.standard_t(3, size=len(mean))


def _laplace(rng, mean, leaf):
    return mean + 0.5 * rng.laplace(size=len(mean))


def _poisson(rng, mean, leaf):
    return rng.poisson(np.exp(1.0 + mean))


def _overdispersed(rng, mean, leaf):
    return rng.poisson(np.exp(1.0 + mean) * rng.gamma(2.0, 0.5, size=len(mean)))


def _binomial(rng, mean, leaf):
    return rng.binomial(8, 1.0 / (1.0 + np.exp(-mean))), {"trials": 8.0}


def _gamma(rng, mean, leaf):
    return np.exp(mean) * rng.gamma(3.0, 1.0 / 3.0, size=len(mean))


def _inverse_gaussian(rng, mean, leaf):
    return rng.wald(np.exp(mean), 4.0)


def _tree(chosen, name, n, depth, **settings):
    X, y = table(name, chosen.rows(n), chosen.seed(0))
    return HMERegressor(depth=depth, start="model_tree", **settings), X, y, {}


def _groups(chosen):
    rng, X, _, _ = _lines(chosen, 900, 3, 2, 8, gated=False)
    n, p = X.shape
    groups = np.arange(n) // 3
    coef, leaf = rng.normal(size=(3, p)), rng.integers(3, size=n // 3)[groups]
    y = 0.5 * (X * coef[leaf]).sum(axis=1) + 0.6 * rng.normal(size=n)
    model = HMERegressor(n_experts=3, gate="constant", start="groups")
    return model, X, y, {"groups": groups}


def _weighted(chosen):
    model, X, y, _ = _flat(chosen, "linear", 3, _normal, 9, spread=0.3)
    return model, X, y, {"sample_weight": chosen.rng(9).integers(1, 5, size=len(y)).astype(float)}


def _classes(chosen, n_classes, **settings):
    rng = chosen.rng(n_classes)
    X = rng.normal(size=(chosen.rows(2000), 4))
    scores = np.sin(2.0 * X @ rng.normal(size=(4, n_classes))) * 2.0 + X[:, :1] * X[:, 1:2]
    y = (scores + rng.gumbel(size=scores.shape)).argmax(axis=1)
    return HMEClassifier(start="kmeans", **settings), X, y, {}


def _several(chosen):
    rng, n = chosen.rng(5), chosen.rows(1200)
    X, leaf = rng.normal(size=(n, 2)), rng.integers(3, size=n)
    Y = np.einsum("np,npt->nt", X, rng.normal(size=(3, 2, 3))[leaf]) * 0.7 + rng.normal(size=(n, 3))
    expert = LinearExpert(covariance="full")
    return HMERegressor(n_experts=3, expert=expert, gate="constant", start="directions"), X, Y, {}


PROBLEMS = {
    "tree of 8, hinge": lambda chosen: _tree(chosen, "hinge", 2000, 3),
    "tree of 16, spread": lambda chosen: _tree(chosen, "spread", 4000, 4),
    "tree of 32, friedman": lambda chosen: _tree(chosen, "friedman", 4000, 5),
    "tree of 16, steps, alpha 1e-3": lambda chosen: _tree(chosen, "steps", 2000, 4, expert=LinearExpert(alpha=1e-3)),
    "linear": lambda chosen: _flat(chosen, "linear", 4, _normal, 1),
    "linear, overlapping": lambda chosen: _flat(
        chosen, "linear", 3, _normal, 2, spread=0.4, gate="constant", gated=False
    ),
    "linear, Gaussian gate": lambda chosen: _flat(chosen, "linear", 3, _normal, 3, spread=0.3, gate="gaussian"),
    "linear, weights": _weighted,
    "linear, groups": _groups,
    "linear, shared slope": lambda chosen: _flat(
        chosen, LinearExpert(shared_coef=["x0"]), 3, _normal, 4, spread=0.4, gate="constant", gated=False
    ),
    "linear, three outputs": _several,
    "student": lambda chosen: _flat(chosen, "student", 3, _student, 5),
    "laplace": lambda chosen: _flat(chosen, "laplace", 3, _laplace, 6),
    "poisson": lambda chosen: _flat(chosen, "poisson", 3, _poisson, 7, spread=0.2, gate="constant", gated=False),
    "negative binomial": lambda chosen: _flat(chosen, "negative_binomial", 2, _overdispersed, 8, spread=0.5),
    "binomial": lambda chosen: _flat(chosen, "binomial", 3, _binomial, 9, spread=0.5, gate="constant", gated=False),
    "gamma": lambda chosen: _flat(chosen, "gamma", 3, _gamma, 10, spread=0.2),
    "inverse Gaussian": lambda chosen: _flat(chosen, "inverse_gaussian", 2, _inverse_gaussian, 11, spread=0.3),
    "two classes, tree of 8": lambda chosen: _classes(chosen, 2, depth=3),
    "three classes": lambda chosen: _classes(chosen, 3, n_experts=4),
}
