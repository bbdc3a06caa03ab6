"""Columns of new rows, held at their ranges in the fit."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.dummy import DummyRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.preprocessing import PolynomialFeatures

from hme import HMEClassifier, HMERegressor
from hme.inference import infer
from hme.model.ranges import MARGIN, Limits

RNG = np.random.default_rng(0)
X = RNG.normal(size=(150, 3))
X[:, 2] = np.exp(X[:, 2])
Y = np.where(X[:, 0] > 0, 1.0 + X[:, 1], -2.0 * X[:, 2]) + 0.1 * RNG.normal(size=150)
FAR = np.array([[0.5, 40.0, 1.0], [-0.5, 0.1, -300.0], [30.0, -20.0, 500.0], [0.1, 0.2, 0.7]])


def held(new, columns):
    """Each column held a share of its range beyond its ends."""
    low, high = columns.min(axis=0), columns.max(axis=0)
    return np.clip(new, low - MARGIN * (high - low), high + MARGIN * (high - low))


INSIDE = held(FAR, X)


def fit(estimator=HMERegressor, start="model_tree", **settings):
    y = Y if estimator is HMERegressor else (Y > 0).astype(int)
    return estimator(n_experts=2, start=start, **settings).fit(X, y)


MODELS = {
    "linear": {},
    "gaussian gate": {"gate": "gaussian"},
    "features": {"expert_features": PolynomialFeatures(2, include_bias=False), "gate_features": [0, 1]},
    "poisson": {"expert": "constant"},
}


@pytest.mark.parametrize("name", MODELS)
def test_rows_far_out_are_answered_as_the_nearest_inside(name):
    model = fit(**MODELS[name])
    if name == "features":  # products of columns have ranges of their own
        model.expert_features, far, inside = None, FAR[:1] * [1.0, 1.0, 1.0], INSIDE[:1]
        np.testing.assert_allclose(model.gate_proba(far), model.gate_proba(inside), rtol=1e-12)
        assert np.abs(model.predict(FAR)).max() < 10 * np.abs(Y).max()
        return
    for ask in (model.predict, model.predict_experts, model.gate_proba, model.apply):
        np.testing.assert_allclose(ask(FAR), ask(INSIDE), rtol=1e-12, atol=1e-14)
    for ask in (model.log_likelihood, model.responsibilities):
        np.testing.assert_allclose(ask(FAR, np.ones(4)), ask(INSIDE, np.ones(4)), rtol=1e-12)
    plug_in = model.predict_dist(FAR, density="plug-in")
    np.testing.assert_allclose(plug_in.logpdf(np.ones(4)), model.log_likelihood(FAR, np.ones(4)), rtol=1e-9)


@pytest.mark.parametrize("estimator", [HMERegressor, HMEClassifier])
def test_rows_of_the_fit_are_as_they_were(estimator):
    model = fit(estimator)
    y, free = Y if estimator is HMERegressor else (Y > 0).astype(int), fit(estimator, hold_range=False)
    np.testing.assert_array_equal(model.log_likelihood(X, y), free.log_likelihood(X, y))
    np.testing.assert_array_equal(model.predict(X), free.predict(X))
    assert not model.outside_range(X).any()
    assert np.abs(free.gate_proba(FAR) - model.gate_proba(FAR)).max() > 0.01 or estimator is HMEClassifier


def test_lines_go_on_where_they_are_asked_to_and_of_one_expert():
    free = fit(hold_range=False)
    means = free.experts_.intercept + FAR @ free.experts_.coef.T
    np.testing.assert_allclose(free.predict_experts(FAR), means, rtol=1e-8)
    one = HMERegressor(depth=0).fit(X, Y)
    np.testing.assert_allclose(one.predict(FAR), one.experts_.intercept[0] + FAR @ one.experts_.coef[0], rtol=1e-8)
    assert one.outside_range(FAR).any()


def test_the_predictive_density_widens_with_the_distance():
    model, steps = fit(), np.tile(X[:1], (4, 1))
    steps[:, 1] = X[:, 1].max() * np.array([2.0, 4.0, 10.0, 100.0])
    std = model.predict(steps, return_std=True)[1]
    assert (np.diff(std) > 0).all() and std[3] > 2 * std[0]
    plug_in = model.predict(steps, return_std=True, density="plug-in")[1]
    np.testing.assert_allclose(plug_in, plug_in[0])


def test_outside_range_names_rows_and_columns():
    model = fit()
    expected = [[False, True, False], [False, False, True], [True, True, True], [False, False, False]]
    assert model.outside_range(FAR).tolist() == expected
    table = pd.DataFrame(X, columns=["a", "b", "c"])
    table["kind"] = np.where(X[:, 1] > 0, "u", "v")
    model = HMERegressor(n_experts=2, expert_features=["b"], gate_features=["a", "b"]).fit(table, Y)
    new = table[:2].copy()
    new.loc[0, "a"], new.loc[1, "c"] = 99.0, 99.0
    assert model.range_.names == ("b", "a")
    assert model.outside_range(new).tolist() == [[False, True], [False, False]]
    assert np.isfinite(model.predict(new)).all()


def test_sparse_columns_are_held_as_dense_ones():
    dense = np.where(RNG.uniform(size=(150, 3)) < 0.5, 0.0, X)
    dense[:, 2] = X[:, 2] + 1.0  # a column that is never zero
    model = HMERegressor(n_experts=2).fit(sp.csr_matrix(dense), Y)
    new = np.array([[5.0, 0.0, 0.0], [0.0, -70.0, 2.0], [0.3, 0.0, 90.0], [0.0, 0.1, 2.0]])
    inside = held(new, dense)
    for table in (sp.csr_matrix(new), new):
        np.testing.assert_allclose(model.predict(table), model.predict(inside), rtol=1e-10)
    np.testing.assert_allclose(
        model.predict(sp.csr_matrix(new), return_std=True)[1], model.predict(new, return_std=True)[1], rtol=1e-10
    )
    outside = model.outside_range(sp.csr_matrix(new))
    assert sp.issparse(outside) and (outside.toarray() == ((new < dense.min(axis=0)) | (new > dense.max(axis=0)))).all()


def test_limits_pass_over_missing_values():
    limits = Limits.of(np.array([[1.0, np.nan], [3.0, 5.0]]))
    np.testing.assert_array_equal(limits.held(np.array([[9.0, np.nan], [2.0, 0.0]])), [[3.0, np.nan], [2.0, 5.0]])


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("shape", [(700, 9), (5, 3), (300, 1), (3, 300)])
def test_any_entry_beyond_the_limits_is_seen(shape, order):
    columns = np.zeros(shape, order=order)
    limits = Limits(np.full(shape[1], -1.0), np.arange(1.0, shape[1] + 1.0))
    assert not limits.any_outside(columns) and limits.held(columns) is columns
    for place in (0, shape[0] // 2, shape[0] - 1):
        other = columns.copy(order="K")
        other[place, -1] = shape[1] + 1.0
        assert limits.any_outside(other) and limits.held(other)[place, -1] == shape[1]


def test_estimators_see_held_tables():
    seen = []

    class Seen(DummyRegressor):
        def predict(self, X):
            seen.append(X.max())
            return super().predict(X)

    class Numbers(DummyRegressor):
        def predict(self, X):
            seen.append(X[["a", "b", "c"]].to_numpy().max())
            return super().predict(X)

    model = HMERegressor(n_experts=2, expert=FrozenEstimator(Seen().fit(X, Y))).fit(X, Y)
    seen.clear()
    model.predict(FAR)
    assert max(seen) <= INSIDE.max()
    table, far = (pd.DataFrame(a, columns=["a", "b", "c"]).assign(kind="u") for a in (X, FAR))
    tree = HMERegressor(n_experts=2, expert=FrozenEstimator(Numbers().fit(table, Y)), gate="constant").fit(table, Y)
    seen.clear()
    tree.predict(far)
    assert max(seen) <= INSIDE.max() and far["c"].max() == 500.0


def test_effects_are_derivatives_of_the_lines():
    model, free = fit(), fit(hold_range=False)
    effects = [infer(one, X, Y).marginal_effects(X).estimate for one in (model, free)]
    np.testing.assert_allclose(*effects, rtol=1e-9)


def test_hold_range_is_true_or_false():
    with pytest.raises(ValueError, match="hold_range must be one of"):
        fit(hold_range="yes")
