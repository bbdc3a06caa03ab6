"""Gram matrices that are not formed: products, solutions, minima with a lasso and traces are those of arrays."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from problems import slow_case

from hme import HMEClassifier, HMERegressor
from hme.experts import LinearExpert, LogisticExpert, PoissonExpert
from hme.fitting import screening
from hme.gates import SoftmaxGate
from hme.inference import uphill
from hme.model import folds
from hme.model.rows import Rows
from hme.numerics import wide
from hme.numerics.kernels import weighted_gram
from hme.numerics.penalties import lasso_minimum

RNG = np.random.default_rng(0)
N, P = 300, 40


def table(n=N, p=P, seed=0):
    """Five entries a row, and an intercept."""
    X = sp.random_array((n, p), density=5 / p, rng=np.random.default_rng(seed), format="csr")
    return sp.hstack([X * 3.0, np.ones((n, 1))], format="csr")


@pytest.fixture
def narrow_is_wide(monkeypatch):
    monkeypatch.setattr(wide, "WIDE", 30)
    monkeypatch.setattr(folds, "FEW", 0)


def both(lead=(3, 1)):
    X, W = table(), RNG.uniform(0.1, 1.0, (N, int(np.prod(lead))))
    gram = wide.WideGram([(X[:100], W[:100])], lead) + wide.WideGram([(X[100:], W[100:])], lead)
    return gram, weighted_gram(X.toarray(), W).reshape(*lead, P + 1, P + 1)


def test_products_and_diagonals():
    gram, formed = both()
    v = RNG.normal(size=(3, 2, P + 1))  # two outputs that share a matrix
    np.testing.assert_allclose(wide.times(gram, v), wide.times(formed, v), rtol=1e-10)
    np.testing.assert_allclose(wide.diagonal_of(gram), wide.diagonal_of(formed), rtol=1e-10)
    np.testing.assert_allclose(wide.column_information(gram), wide.column_information(formed), rtol=1e-10)
    assert pickle.loads(pickle.dumps(gram)).parts[0][0].shape == (0, P + 1)  # a fitted model keeps no rows


@pytest.mark.parametrize("factor", [1.0, 2.0])
def test_solutions(factor):
    gram, formed = both()
    ridge, right = np.append(np.full(P, 0.1), 0.0), RNG.normal(size=(3, 2, P + 1))
    exact = np.linalg.solve(factor * formed + np.diag(ridge), right[..., None])[..., 0]
    np.testing.assert_allclose(gram.solve(ridge, right, factor, precision=1e-12), exact, rtol=1e-6, atol=1e-9)
    held = np.zeros(right.shape, dtype=bool)
    held[..., :3] = True
    found = gram.solve(ridge, right, factor, held, precision=1e-12)
    exact = np.linalg.solve((factor * formed + np.diag(ridge))[..., 3:, 3:], right[..., 3:, None])[..., 0]
    assert not found[..., :3].any()
    np.testing.assert_allclose(found[..., 3:], exact, rtol=1e-6, atol=1e-9)


def test_few_rounds_lower_the_quadratic(monkeypatch):
    gram, formed = both((2,))
    ridge, right = np.full(P + 1, 1e-3), RNG.normal(size=(2, P + 1))
    values = []
    for rounds in range(6):
        monkeypatch.setattr(wide, "MOST_ROUNDS", rounds)
        x = gram.solve(ridge, right)
        values.append((0.5 * x * (wide.times(formed, x) + ridge * x) - right * x).sum(axis=-1))
    assert (np.diff(values, axis=0) < 0).all()


@pytest.mark.parametrize("slope", [0.5, 5.0])
def test_minima_with_a_lasso(monkeypatch, slope):
    monkeypatch.setattr(wide, "JOINING", 3)
    gram, formed = both((2, 1))
    ridge, lasso = np.append(np.full(P, 0.1), 0.0), np.append(np.full(P, slope), 0.0)
    z, force = np.where(RNG.random((2, 1, P + 1)) < 0.2, 1.0, 0.0), 4.0 * RNG.normal(size=(2, 1, P + 1))
    exact = lasso_minimum(formed[:, 0] + np.diag(ridge), force[:, 0], z[:, 0], lasso)
    found = gram.lasso(ridge, force, z, lasso)[:, 0]
    np.testing.assert_allclose(found, exact, rtol=1e-7, atol=1e-9)
    np.testing.assert_array_equal(found == 0, exact == 0)
    assert (exact == 0).any() and (exact != 0).sum() > 5


def test_traces():
    gram, formed = both((3,))
    ridge = np.full(P + 1, 5.0)
    exact = np.trace(np.linalg.solve(formed + np.diag(ridge), formed), axis1=1, axis2=2)
    np.testing.assert_allclose(gram.trace(ridge), exact, rtol=0.05)


X = table(200, P, 1)[:, :-1]
SUM = np.asarray(X.sum(axis=1)).ravel()
ETA = np.where(SUM > np.median(SUM), X @ RNG.normal(size=P), 1.0 - X @ RNG.normal(size=P)) / 3.0
START = (SUM > np.median(SUM)).astype(int)
Y = ETA + 0.3 * RNG.normal(size=200)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    "expert, gate, y",
    [
        (LinearExpert(alpha=3.0), SoftmaxGate(5.0), Y),
        (LinearExpert(alpha=9.0, l1_ratio=0.8), SoftmaxGate(9.0, 1.0), Y),
        (LinearExpert(alpha=3.0, covariance="full"), "constant", np.column_stack([Y, SUM + Y])),
        pytest.param(
            LinearExpert(alpha=3.0, scale_penalty=False, shrink_to="zero"), SoftmaxGate(), Y, marks=pytest.mark.slow
        ),
        pytest.param(
            PoissonExpert(alpha=3.0), SoftmaxGate(), np.rint(np.exp(np.clip(Y, -2.0, 2.0))), marks=pytest.mark.slow
        ),
        pytest.param(LogisticExpert(alpha=3.0), "constant", (Y > 0).astype(int) + (Y > 1), marks=pytest.mark.slow),
    ],
    ids=["linear", "lasso", "covariances", "unscaled", "poisson", "three classes"],
)
def test_a_fit_is_that_with_matrices(monkeypatch, expert, gate, y):
    estimator = HMEClassifier if isinstance(expert, LogisticExpert) else HMERegressor
    model = estimator(n_experts=2, expert=expert, gate=gate, start=START, accelerate=False, max_iter=12, tol=1e-12)
    expected = model.fit(X, y).lower_bounds_
    monkeypatch.setattr(wide, "WIDE", 30)
    found = model.fit(X, y)
    np.testing.assert_allclose(found.lower_bounds_, expected, rtol=0, atol=1e-6)  # sweep by sweep
    assert (np.diff(found.lower_bounds_) >= -1e-12).all()
    assert len(pickle.dumps(found)) < 400_000  # none of the rows


def test_one_expert_has_no_gating_nodes(narrow_is_wide):
    alone = HMERegressor(depth=0, expert=LinearExpert(alpha=3.0, shrink_to="zero")).fit(X, Y)
    plain = HMERegressor(depth=0, expert=LinearExpert(alpha=3.0, shrink_to="zero")).fit(X.toarray(), Y)
    np.testing.assert_allclose(alone.predict(X), plain.predict(X.toarray()), atol=1e-4)


def test_starts_see_the_useful_columns(narrow_is_wide):
    design, weight = table(), np.ones(N)
    rest = design[:, :-1].toarray()
    y = (np.where(rest[:, 7] > 0, 4.0, -4.0) * rest[:, 3] + rest[:, 5] + 0.1 * RNG.normal(size=N))[:, None]
    monkeyed = Rows(design, design, y, weight)
    kept = screening.narrowed(monkeyed)
    assert kept.X is kept.Z and kept.X.shape[1] <= P + 1 and (kept.X[:, -1].toarray() == 1.0).all()
    dense = Rows(rest, rest, y, weight)
    assert screening.narrowed(dense) is dense


def test_screening_keeps_what_interacts(narrow_is_wide, monkeypatch):
    monkeypatch.setattr(screening, "SEEN", 4)
    n, p = 1500, 60
    design = sp.random_array((n, p), density=0.2, rng=np.random.default_rng(3), format="csr")
    design = sp.hstack([(design > 0).astype(float), np.ones((n, 1))], format="csr")
    columns = design.toarray()
    y = np.where(columns[:, 7] > 0, 3.0, -1.0) * columns[:, 3] + columns[:, 5] + 0.3 * RNG.normal(size=n)
    kept = screening.narrowed(Rows(design, design, y[:, None], np.ones(n)))
    found = {
        int(j)
        for k in range(kept.X.shape[1] - 1)
        for j in np.flatnonzero((columns.T == kept.X[:, [k]].toarray().T).all(axis=1))
    }
    assert {3, 5, 7} <= found


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("start", ["model_tree", slow_case("labels")])
def test_a_wide_table_is_never_an_array(narrow_is_wide, monkeypatch, start):
    def refused(self, *args, **kwargs):
        assert self.shape[1] < P, "a wide table became an array"
        return toarray(self, *args, **kwargs)

    toarray = sp.csr_array.toarray if isinstance(X, sp.sparray) else sp.csr_matrix.toarray
    monkeypatch.setattr(screening, "SEEN", 10)
    monkeypatch.setattr(type(X), "toarray", refused)
    monkeypatch.setattr(uphill, "DEAREST", 0)  # of a table that is really wide the information is never looked at
    model = HMERegressor(n_experts=3, start=start, random_state=0, max_iter=30, tol=1e-3).fit(X, Y)
    assert np.isfinite(model.predict(X)).all() and np.isfinite(model.predict_interval(X[:5])).all()
