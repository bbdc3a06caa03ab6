"""What a fit was given that is probably not meant is said, in its one warning."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning

from hme import HMEClassifier, HMERegressor
from hme.gates import EstimatorGate, SoftmaxGate

RNG = np.random.default_rng(0)
N = 120
X = RNG.normal(size=(N, 3))
Y = np.abs(X[:, 0]) + 0.1 * RNG.normal(size=N)


def said(model, *data, **rows):
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        model.fit(*data, **rows)
    assert len(found) <= 1
    return str(found[0].message) if found else ""


FAMILIES = ["linear", "poisson", "tree", "classes", "outputs", "sparse"]


@pytest.mark.parametrize("family, depth", [("linear", 0), ("linear", "auto"), *((family, 1) for family in FAMILIES)])
def test_weights_that_are_shares(family, depth):
    model = HMERegressor(depth=depth, expert=family if family in ("poisson", "tree") else None, max_iter=3)
    table, y = X, Y
    if family == "classes":
        model, y = HMEClassifier(depth=depth, max_iter=3), np.where(Y > 0.7, "high", "low")
    elif family == "poisson":
        y = np.rint(5 * Y)
    elif family == "outputs":
        y = np.column_stack([Y, X[:, 1]])
    elif family == "sparse":
        table = sp.csr_matrix(X)
    text = said(model, table, y, sample_weight=np.full(N, 1.0 / N))
    assert "sample_weight adds up to 1, for 120 rows" in text and f"{model.n_parameters_} parameters" in text
    assert "adds up" not in said(model, table, y, sample_weight=np.full(N, 1.0))


def test_weights_that_are_few_rows_or_shares_of_many():
    model = HMERegressor(depth=0)
    assert not said(model, X[:6], Y[:6], sample_weight=np.ones(6))  # few rows, whatever their weights
    assert not said(model, X, Y, sample_weight=np.full(N, 0.2))  # 24 rows for 5 parameters
    assert "adds up to 6" in said(model, X, Y, sample_weight=np.full(N, 0.05))
    from sklearn.neighbors import KNeighborsClassifier  # whose parameters cannot be counted

    gate = EstimatorGate(KNeighborsClassifier(20), cv=1)
    assert "adds up to 1," in said(
        HMERegressor(n_experts=2, gate=gate, max_iter=2), X, Y, sample_weight=np.full(N, 1 / N)
    )


def test_warm_start_goes_on_from_one_fit():
    model = HMERegressor(n_experts=2, gate=SoftmaxGate(alpha=1.0), n_init=3, warm_start=True, random_state=0)
    assert "n_init" not in said(model, X, Y)
    text = said(model, X, Y)
    assert "n_init=3 is ignored" in text and len(model.restarts_) == 1
    assert not said(model.set_params(n_init=1), X, Y)


def test_advice_on_penalties_goes_for_default_experts_too():
    X = np.random.default_rng(0).normal(size=(100, 2))
    model = HMEClassifier(depth=0).set_params(expert__alpha=1e-9)
    with pytest.warns(ConvergenceWarning, match=r"separable.*Raise it \(set_params\(expert__alpha=0\.1\)\)"):
        model.fit(10 * X, X[:, 0] > 0)
    HMEClassifier(depth=0).set_params(expert__alpha=0.1).fit(10 * X, X[:, 0] > 0)
