"""Design columns: centres, scales, and the one test of whether a column is constant."""

import numpy as np
import pytest
import scipy.sparse as sp
from problems import few, slow_case

from hme import HMERegressor
from hme.experts import LinearExpert
from hme.gates import GaussianGate
from hme.model.design import Design


def columns_of(design, X):
    columns = design.transform(X)
    return columns.toarray() if sp.issparse(columns) else columns


@pytest.mark.parametrize("form", [np.asarray, sp.csr_matrix])
@pytest.mark.parametrize("value", [3.3, -1e-7, 0.0, 7e9])
def test_constant_columns_are_zero_to_the_last_digit(form, value):
    rng = np.random.default_rng(0)
    for n in (7, 1001):
        X = np.column_stack([rng.normal(size=n), np.full(n, value), value * (1 + 1e-15 * rng.normal(size=n))])
        for weight in (np.ones(n), rng.uniform(0.01, 2, n)):
            design = Design.fit(form(X), weight, True)
            columns = columns_of(design, form(X))
            assert design.constant.tolist() == [False, True, True] and (columns[:, 1:-1] == 0).all()
            assert weight @ columns[:, 0] ** 2 / weight.sum() == pytest.approx(
                1.0 + (weight @ columns[:, 0] / weight.sum()) ** 2
            )
            other = columns_of(design, form(X[:1] + 0.5))  # new rows may have another value
            np.testing.assert_allclose(other[0, 1], 0.5 / (abs(value) or 1.0))


@pytest.mark.parametrize("form", [np.asarray, sp.csr_matrix])
def test_columns_that_vary_little_are_not_constant(form):
    X = np.column_stack([np.r_[np.full(99, 5.0), 5.0 + 1e-9], np.r_[np.zeros(99), 1e-30]])
    X[:, 0] -= 5.0 if form is sp.csr_matrix else 0.0  # sparse columns are not centred
    assert not Design.fit(form(X), np.ones(100), True).constant.any()
    weight = np.r_[np.ones(99), 1e-28]  # nothing but a row of next to no weight
    assert Design.fit(form(X), weight, True).constant.all()


def test_columns_out_of_range_are_named():
    X = np.column_stack([np.arange(9.0), np.arange(9.0) * 1e200, 1e9 + np.arange(9.0)])
    with pytest.raises(ValueError, match="absolute value in column 'b': their squares"):
        Design.fit(X, np.ones(9), True, np.array(["a", "b", "c"]))
    with pytest.raises(ValueError, match="the means of column 2 are"):
        Design.fit(sp.csr_matrix(X[:, [0, 0, 2]]), np.ones(9), True)


@pytest.mark.parametrize(
    "settings",
    few(
        [
            {},
            slow_case({"expert": LinearExpert(0.0)}),
            {"expert": LinearExpert(1.0, 1.0)},
            {"standardize": False},
            {"gate": GaussianGate()},
        ],
        2,
    ),
    ids=["default", "no penalty", "lasso", "units", "gaussian gate"],
)
def test_constant_columns_change_nothing(settings):
    rng = np.random.default_rng(0)
    x, weight = rng.normal(size=(200, 2)), rng.uniform(0.5, 2, 200)
    y = np.abs(x[:, 0]) + 0.1 * rng.normal(size=200)
    alone = HMERegressor(n_experts=2, **settings).fit(x, y, sample_weight=weight)
    wide = np.column_stack([np.full(200, 3.3), x, np.zeros(200)])
    for form in (np.asarray, sp.csr_matrix)[: 1 if "gate" in settings else 2]:
        model = HMERegressor(n_experts=2, **settings).fit(form(wide), y, sample_weight=weight)
        assert model.stop_reason_ == alone.stop_reason_ and abs(model.n_iter_ - alone.n_iter_) <= 3
        np.testing.assert_allclose(model.experts_.coef[:, [0, 3]], 0.0, atol=1e-15)
        np.testing.assert_allclose(model.predict(form(wide)), alone.predict(x), atol=1e-3)
