"""Columns that are combinations of others are no parameters, on either side, whatever the family."""

import numpy as np
import pytest
import scipy.sparse as sp
from problems import few
from sklearn.linear_model import LinearRegression, LogisticRegression

from hme import HMEClassifier, HMERegressor
from hme.experts import (
    BinomialExpert,
    EstimatorExpert,
    GammaExpert,
    GaussianExpert,
    InverseGaussianExpert,
    LaplaceExpert,
    LinearExpert,
    LogisticExpert,
    NegativeBinomialExpert,
    PoissonExpert,
    StudentExpert,
)
from hme.gates import EstimatorGate, GaussianGate, SoftmaxGate, TopKGate
from hme.numerics.rank import n_distinct, rank_of

RNG = np.random.default_rng(0)
N = 150
LEVEL, T = RNG.integers(0, 3, N), RNG.normal(size=N)
DUMMIES = (LEVEL[:, None] == np.arange(3)).astype(float)
FULL = np.column_stack([DUMMIES, T, 2.0 * T + DUMMIES[:, 0], np.full(N, 3.3)])  # rank 4 with the intercept
PLAIN = np.column_stack([DUMMIES[:, 1:], T])
POSITIVE = RNG.gamma(2.0, np.exp(0.3 * T))
Y = {"numbers": T + LEVEL + RNG.normal(size=N), "positive": POSITIVE, "counts": RNG.poisson(POSITIVE)}


def counts(model, y, sparse=False, **rows):
    tables = (FULL, PLAIN) if not sparse else (sp.csr_matrix(FULL), sp.csr_matrix(PLAIN))
    found = [model.fit(table, y, **rows).n_parameters_ for table in tables]
    gains = [model.fit(table, y, **rows).bic(table, y, **rows) for table in tables] if model.depth == 0 else [0.0, 0.0]
    return *found, gains[0] - gains[1]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    "expert, kind",
    few(
        [
            (LinearExpert(alpha=0.0), "numbers"),
            (StudentExpert(alpha=0.0), "numbers"),
            (LaplaceExpert(alpha=5.0), "positive"),
            (GaussianExpert(alpha=0.0), "positive"),
            (GammaExpert(alpha=0.0), "positive"),
            (InverseGaussianExpert(alpha=1.0), "positive"),
            (PoissonExpert(alpha=0.0), "counts"),
            (NegativeBinomialExpert(alpha=0.0), "counts"),
            (BinomialExpert(alpha=0.0), "counts"),
            (EstimatorExpert(LinearRegression()), "numbers"),
        ],
        5,
    ),
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else value,
)
def test_experts(expert, kind):
    rows = {"trials": 40.0} if isinstance(expert, BinomialExpert) else {}
    full, plain, gain = counts(HMERegressor(depth=0, expert=expert, max_iter=9), Y[kind], kind == "counts", **rows)
    assert full == plain
    if getattr(expert, "alpha", 1.0) == 0.0:
        assert abs(gain) < 1e-3


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    "gate",
    few(
        [
            SoftmaxGate(),
            TopKGate(k=2),
            GaussianGate(),
            GaussianGate("tied"),
            EstimatorGate(LogisticRegression(), cv=1),
        ],
        3,
    ),
    ids=lambda gate: f"{type(gate).__name__} {getattr(gate, 'covariance_type', '')}",
)
def test_gates(gate):
    model = HMERegressor(n_experts=3, expert="constant", gate=gate, max_iter=2)
    full, plain, _ = counts(model, Y["numbers"])
    assert full == plain


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_both_sides_several_outputs_classes_and_lists():
    both = np.column_stack([Y["numbers"], T])
    found = [HMERegressor(depth=1, max_iter=2).fit(table, both).n_parameters_ for table in (FULL, PLAIN)]
    assert found == [2 * 2 * 4 + 2 * 2 + 4] * 2
    found = [HMEClassifier(depth=1, max_iter=2).fit(table, LEVEL).n_parameters_ for table in (FULL, PLAIN)]
    assert found == [2 * 2 * 4 + 4] * 2
    pair = [("line", LinearExpert()), ("robust", StudentExpert())]
    found = [
        HMERegressor(n_experts=2, expert=pair, max_iter=2).fit(t, Y["numbers"]).n_parameters_ for t in (FULL, PLAIN)
    ]
    assert found[0] == found[1]
    seen = HMERegressor(n_experts=2, gate_features=[0, 1, 2], expert_features=[3], max_iter=2).fit(FULL, Y["numbers"])
    assert seen.n_parameters_ == 2 * 3 + 3  # lines with variances; two free dummies and an intercept


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_constraints_and_lassos():
    def count(table, **settings):
        model = HMERegressor(n_experts=2, gate="constant", expert=LinearExpert(**settings), max_iter=3)
        return model.fit(table, Y["numbers"]).n_parameters_ - 2 - 1

    assert count(FULL[:, :4], shared_coef=[0, 1, 2]) == 2 + 2 * 2 == count(PLAIN, shared_coef=[0, 1])
    # With an intercept in common all dummies of each expert are free, and the intercept adds nothing.
    assert count(DUMMIES, shared_coef=["intercept"]) == 6
    assert count(DUMMIES, fixed_coef={0: 0.0}) == count(DUMMIES[:, 1:]) == 6
    assert count(FULL, nonnegative=[3]) == 8
    few = [count(table, alpha=1e-3, l1_ratio=1.0, shrink_to="zero") for table in (FULL, PLAIN)]
    assert few[0] <= 8 and few[1] <= 8
    for table in (FULL, PLAIN):
        lasso = HMEClassifier(depth=1, expert=LogisticExpert(alpha=1e-3, l1_ratio=1.0), gate=SoftmaxGate(1e-3, 1.0))
        assert lasso.set_params(max_iter=5).fit(table, LEVEL).n_parameters_ <= 2 * 2 * 4 + 4


def test_more_columns_than_rows_and_powers():
    X = RNG.normal(size=(20, 30))
    assert HMERegressor(depth=0, expert=LinearExpert(alpha=1.0)).fit(X, X[:, 0]).n_parameters_ == 20 + 1
    years = np.arange(1990.0, 2024.0)
    powers = np.column_stack([years, years**2, years**3])  # nearly collinear, but not aliased
    assert HMERegressor(depth=0).fit(powers, np.sin(years)).n_parameters_ == 4 + 1


def test_ranks_of_arrays():
    X = np.column_stack([FULL, np.ones(N)])
    assert rank_of(X.T @ X) == np.linalg.matrix_rank(X) == 4
    assert rank_of(np.zeros((3, 3))) == 0 and rank_of(np.zeros((0, 0))) == 0
    centred = FULL - FULL.mean(axis=0)
    assert n_distinct(centred.T @ centred) == 5
    assert n_distinct(np.cov(np.column_stack([DUMMIES[:, 0], 1.0 - DUMMIES[:, 0], T]).T)) == 2
