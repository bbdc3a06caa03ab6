"""Random tables with everything that makes EM stumble, and parts of long lists of cases; shared by several tests."""

import numpy as np
import pytest

from hme import HMERegressor
from hme.growing.merging import Average, Part

UGLINESS = (
    "plain", "collinear", "duplicated columns", "n < p", "tiny scale", "huge scale", "constant column", "separable",
    "repeated rows", "zero weights", "fractional weights", "more experts than n / p", "far from zero", "rounded y",
)  # fmt: skip


def make_problem(seed, classification=False):
    """X, y, sample_weight, name of what is ugly and a number of experts."""
    rng = np.random.default_rng(seed)
    ugly = UGLINESS[seed % len(UGLINESS)]
    n, p = int(rng.integers(30, 120)), int(rng.integers(1, 5))
    n_experts = int(rng.integers(2, 5))
    weight = None
    X = rng.normal(size=(n, p))
    if ugly == "n < p":
        X = rng.normal(size=(12, 20))
    elif ugly == "collinear":
        X = np.column_stack([X, X @ rng.normal(size=p) + 1e-9 * rng.normal(size=n)])
    elif ugly == "duplicated columns":
        X = np.column_stack([X, X])
    elif ugly == "constant column":
        X[:, 0] = 7.3
    elif ugly == "more experts than n / p":
        n_experts = 8
        X = rng.normal(size=(30, 6))
    elif ugly == "far from zero":
        X = X + 1e6
    n, p = X.shape
    score = (X - X.mean(axis=0)) @ rng.normal(size=p)
    if classification:
        y = (score * np.sign(X[:, 0] - X[:, 0].mean()) + rng.logistic(size=n) > 0).astype(int)
        y[:2] = 0, 1
    else:
        y = np.where(X[:, -1] > X[:, -1].mean(), score, -2 * score + 1) + 0.3 * rng.normal(size=n)
    if ugly == "separable":
        X[:, 0] += 20.0 * (X[:, 0] > 0)
        if classification:
            y = (X[:, 0] > 5).astype(int)
            y[:2] = 0, 1
    elif ugly == "tiny scale":
        X = X * 1e-8
    elif ugly == "huge scale":
        X = X * np.array([1e8, *np.ones(p - 1)])
    elif ugly == "repeated rows":
        again = rng.integers(n // 4, size=n)
        X, y = X[again], y[again]
        y[:2] = (0, 1) if classification else y[:2]
    elif ugly == "zero weights":
        weight = rng.integers(0, 3, size=n).astype(float)
        weight[:2] = 1.0
    elif ugly == "fractional weights":
        weight = rng.uniform(0.01, 0.6, size=n)
    elif ugly == "rounded y" and not classification:
        y = np.round(y)
    return X, y, weight, ugly, n_experts


def representative(cases, every):
    """Cases of ``pytest.mark.parametrize``, of which every `every`-th runs by default.

    Of the others one in three is slow, and two are exhaustive too, which only a run by hand asks for.
    """
    marks = {0: [], 1: [pytest.mark.slow], 2: [pytest.mark.slow, pytest.mark.exhaustive]}
    return [_marked(case, marks[0 if i % every == 0 else 1 if i % 3 == 1 else 2]) for i, case in enumerate(cases)]


def _marked(case, marks):
    return pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=marks) if marks else case


def slow_case(case):
    """A case of ``pytest.mark.parametrize`` that is left out unless asked for; a tuple stands for several arguments."""
    return pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=pytest.mark.slow)


def few(cases, number):
    """Cases of ``pytest.mark.parametrize`` of which the first `number` run by default; the others are slow.

    Those that are marked already, as by `representative`, stay as they are and do not count.
    """
    cases = list(cases)
    plain = [i for i, case in enumerate(cases) if not getattr(case, "marks", ())]
    return [slow_case(case) if i in plain[number:] else case for i, case in enumerate(cases)]


def lines_and_curves(X, y):
    """A model whose predictions are the average over experts that are lines and experts that bend, as after growing."""
    parts = []
    for number, features in enumerate((None, "splines")):
        model = HMERegressor(depth=1 + number, expert_features=features, tol=1.0).fit(X, y)
        own = model.model_, model.params_, 1.0, number, model.columns_, model.range_, model.uncertainty_
        parts.append(Part(0.4 + 0.2 * number, *own))
    model.average_, model.candidates_ = Average(parts), [{}, {"expert_features": "splines"}]
    return model
