"""A routing that the user gives."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.linear_model import LogisticRegression

from hme import HMEClassifier, HMERegressor
from hme.experts import LinearExpert
from hme.gates import FixedGate
from hme.gates.fixed import FixedParams
from hme.model.design import Design
from hme.model.rows import Rows

EXACT = LinearExpert(alpha=0.0, variance_prior=None, variance_floor=1e-12)


def smooth(Z):
    """Two leaves, by a logistic curve of the first column."""
    share = 1 / (1 + np.exp(-2 * Z[:, :1]))
    return np.hstack([share, 1 - share])


def hard(Z):
    return np.column_stack([Z[:, 0] >= 65, Z[:, 0] < 65])


def make_table(n=120, seed=0):
    rng = np.random.default_rng(seed)
    X = np.column_stack([rng.normal(size=n), 1e3 + 50 * rng.normal(size=n)])
    y = np.where(rng.random(n) < smooth(X)[:, 0], 1 + X[:, 0], -2 - 3 * X[:, 0]) + 0.1 * rng.normal(size=n)
    return X, y


def bind(gate, X):
    design = Design.fit(X, np.ones(X.shape[0]), True)
    Z = design.transform(X)
    rows = Rows(Z, Z, weight=np.ones(X.shape[0]))
    return gate.bind(rows, design), rows


def test_prior_is_what_the_user_gives():
    X, y = make_table()
    model = HMERegressor(n_experts=2, gate=FixedGate(smooth)).fit(X, y)
    np.testing.assert_allclose(model.gate_proba(X), smooth(X), rtol=1e-10)
    assert (np.diff(model.lower_bounds_) >= -1e-12).all()
    assert model.objective_ == "conditional"
    assert model.model_.gate.n_parameters(model.params_.gate) == 0


def test_hard_routing_is_separate_fits_and_codes_come_back_exact():
    # 65 lies on the edge of the question: standardised and undone it must still be 65.
    rng = np.random.default_rng(1)
    X = np.column_stack([rng.integers(60, 71, size=200).astype(float), rng.normal(size=200)])
    old = X[:, 0] >= 65
    y = np.where(old, 3 + X[:, 1], -X[:, 1]) + 0.2 * rng.normal(size=200)
    start = np.where(old, 0, 1)  # a leaf's own rows; others have no probability there
    model = HMERegressor(n_experts=2, expert=EXACT, gate=FixedGate(hard), start=start).fit(X, y)
    np.testing.assert_array_equal(model.gate_proba(X), hard(X))
    for k, inside in enumerate((old, ~old)):
        A = np.column_stack([X[inside], np.ones(inside.sum())])
        expected = np.linalg.lstsq(A, y[inside], rcond=None)[0]
        np.testing.assert_allclose(model.experts_.coef[k], expected[:2], rtol=1e-8)


@pytest.mark.parametrize("unit", [1.0, 0.1, 0.01, 1e6, 1e-7, 2.5])
def test_decimals_come_back_exact(unit):
    seen = []

    def remember(Z):
        seen.append(Z)
        return np.full((len(Z), 2), 0.5)

    # Whole numbers of the unit, written as decimals are read.
    X = np.array([[float(f"{i * unit:.10g}"), float(f"{i * unit + 1000 * unit:.10g}")] for i in range(-40, 41)])
    gate, rows = bind(FixedGate(remember), X)
    gate.log_score(FixedParams(np.arange(2)), rows)
    np.testing.assert_array_equal(seen[-1], X)


def test_any_value_comes_back_to_twelve_digits():
    seen = []

    def remember(Z):
        seen.append(Z)
        return np.ones((len(Z), 1))

    X = np.random.default_rng(0).normal(size=(50, 4)) * np.array([1e-90, 1.0, 1e9, 1e90])
    gate, rows = bind(FixedGate(remember), X)
    gate.log_score(FixedParams(np.arange(1)), rows)
    np.testing.assert_allclose(seen[-1], X, rtol=0, atol=1e-12 * np.abs(X).max(axis=0).max())
    np.testing.assert_allclose(seen[-1] / np.abs(X).max(axis=0), X / np.abs(X).max(axis=0), atol=1e-12)


def test_leaves_permute():
    X, _ = make_table()
    gate, rows = bind(FixedGate(smooth), X)
    given = gate.log_score(FixedParams(np.arange(2)), rows)
    np.testing.assert_array_equal(gate.log_score(FixedParams(np.array([1, 0])), rows), given[:, ::-1])
    np.testing.assert_array_equal(gate.log_score(FixedParams(np.array([1])), rows), given[:, 1:])


def test_sparse_table():
    X, y = make_table()
    model = HMERegressor(n_experts=2, gate=FixedGate(smooth)).fit(sp.csr_matrix(X[:, :1]), y)
    np.testing.assert_allclose(model.gate_proba(sp.csr_matrix(X[:, :1])), smooth(X), rtol=1e-10)


def test_a_fitted_classifier_is_a_gate():
    X, y = make_table()
    side = LogisticRegression().fit(X[:, :1], y > 0)
    model = HMERegressor(n_experts=2, gate=FixedGate(side.predict_proba), gate_features=[0]).fit(X, y)
    np.testing.assert_allclose(model.gate_proba(X), side.predict_proba(X[:, :1]), rtol=1e-9)


def test_classifier_with_fixed_gate():
    X, y = make_table()
    model = HMEClassifier(n_experts=2, gate=FixedGate(smooth)).fit(X, y > 0)
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1.0)


def test_pickle():
    X, y = make_table()
    model = HMERegressor(n_experts=2, gate=FixedGate(smooth)).fit(X, y)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(X), model.predict(X))


def test_zeros_are_allowed_and_small_errors_of_the_sum_are_taken_off():
    X, _ = make_table()
    gate, rows = bind(FixedGate(lambda Z: np.tile([1.0 + 5e-7, 0.0], (len(Z), 1))), X)
    score = gate.log_score(FixedParams(np.arange(2)), rows)
    assert (score[:, 0] == 0).all() and (score[:, 1] == -np.inf).all()


@pytest.mark.parametrize(
    "proba, message",
    [
        (lambda Z: np.full((len(Z), 3), 1 / 3), r"FixedGate: proba returned shape \(1, 3\)"),
        (lambda Z: np.ones((len(Z), 1)), r"FixedGate: proba returned shape \(1, 1\)"),
        (lambda Z: np.full(len(Z), 0.5), r"FixedGate: proba returned shape \(1,\)"),
        (lambda Z: np.full((len(Z) + 1, 2), 0.5), r"FixedGate: proba returned shape \(2, 2\)"),
        (lambda Z: np.full((len(Z), 2), 0.4), "sums miss 1 by up to 0.2"),
        (lambda Z: np.zeros((len(Z), 2)), "sums miss 1 by up to 1"),
        (lambda Z: np.tile([1.5, -0.5], (len(Z), 1)), "negative or not finite"),
        (lambda Z: np.full((len(Z), 2), np.nan), "negative or not finite"),
        (lambda Z: "half", "no array of numbers"),
    ],
)
def test_wrong_answers_are_refused(proba, message):
    X, y = make_table()
    with pytest.raises(ValueError, match=message):
        HMERegressor(n_experts=2, gate=FixedGate(proba)).fit(X, y)


def test_what_cannot_be_called_is_refused():
    X, y = make_table()
    with pytest.raises(TypeError, match="proba = 0.5 must be a callable"):
        HMERegressor(n_experts=2, gate=FixedGate(0.5)).fit(X, y)
