"""Bent columns: splines with linear tails, squares held at the range of the fit."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.preprocessing import SplineTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks

from hme import HMERegressor
from hme.estimators import candidates
from hme.experts import LinearExpert
from hme.features import Splines, Squares

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 2)) * [1.0, 30.0] + [0.0, 500.0]
Y = np.cos(2 * X[:, 0]) + 0.1 * RNG.normal(size=200)


@parametrize_with_checks([Splines(), Splines(3, 1), Squares()])
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_splines_span_what_scikit_learns_do(degree):
    # Knots that are not equally spaced span the same functions, whatever lies outside them.
    splines = Splines(5, degree).fit(X)
    own = np.column_stack([np.ones(200), splines.transform(X)])
    knots = np.stack([one.knots for one in splines.maps_], axis=1)
    other = SplineTransformer(degree=degree, knots=knots, extrapolation="linear").fit_transform(X)
    assert own.shape[1] == 1 + 2 * (5 + degree - 2)
    np.testing.assert_allclose(own @ np.linalg.lstsq(own, other, rcond=None)[0], other, atol=1e-8)
    np.testing.assert_allclose(own[:, 1 : 4 + degree].sum(axis=1), X[:, 0] - X[:, 0].min(), atol=1e-12)


def test_coefficients_are_slopes_at_the_knots():
    splines = Splines().fit(X)
    for one, x in zip(splines.maps_, X.T, strict=True):
        h = 1e-6 * np.ptp(x)
        slopes = (one.columns(one.knots + h) - one.columns(one.knots - h)) / (2 * h)
        np.testing.assert_allclose(slopes, np.eye(4), atol=1e-4)
        np.testing.assert_array_equal(one.knots, np.quantile(x, [0, 1 / 3, 2 / 3, 1], method="inverted_cdf"))


def test_tails_are_straight_lines():
    one = Splines().fit(X).maps_[0]
    for end, way, column in ((one.knots[0], -1.0, 0), (one.knots[-1], 1.0, 3)):
        out = one.columns(end + way * np.array([0.0, 1.0, 100.0, 1000.0])) - one.columns(np.array([end]))
        expected = np.zeros((4, 4))
        expected[:, column] = way * np.array([0.0, 1.0, 100.0, 1000.0])
        np.testing.assert_allclose(out, expected, rtol=1e-12, atol=1e-10)


@pytest.mark.parametrize("bent", [Splines(), Squares()])
def test_weights_are_repeated_rows(bent):
    weight = RNG.integers(0, 4, 200)
    order = RNG.permutation(int(weight.sum()))
    weighted = bent.fit(X, sample_weight=weight).transform(X)
    repeated = bent.fit(np.repeat(X, weight, axis=0)[order]).transform(X)
    np.testing.assert_allclose(weighted, repeated, rtol=1e-10)


@pytest.mark.parametrize("bent", [Splines(), Splines(3, 1), Splines(6, 4), Squares()])
def test_pieces_are_the_columns_in_other_words(bent):
    far = X + RNG.normal(size=X.shape) * X.std(axis=0)
    for one, x in zip(bent.fit(X).maps_, far.T, strict=True):
        pieces = one.pieces
        x, h = np.append(x, pieces.knots), 1e-6 * np.ptp(x)
        close = {"rtol": 1e-12, "atol": 1e-12 * np.abs(x).max()}
        np.testing.assert_allclose(pieces.columns(x), one.columns(x), **close)
        center, scale = np.arange(len(pieces.start)) + 1.0, np.arange(len(pieces.start)) + 0.5
        np.testing.assert_allclose(
            pieces.standardised(center, scale).columns(x), (one.columns(x) - center) / scale, **close
        )
        np.testing.assert_allclose(pieces.moved(3.0, 2.0).columns(3.0 + 2.0 * x), one.columns(x), **close)
        slopes = (one.columns(pieces.knots[:-1] + h) - one.columns(pieces.knots[:-1])) / h
        np.testing.assert_allclose(pieces.slopes[:, :-1], slopes.T, rtol=1e-3, atol=1e-3)
        assert pieces.knots[0] < pieces.places().min() and pieces.places().max() < pieces.knots[-1]


def test_columns_of_few_values():
    values = [[5.0], [0.0, 1.0], [1.0, 2.0, 4.0], [1.0, 2.0, 4.0, 7.0], np.arange(40.0)]
    table = np.column_stack([np.resize(v, 120) for v in values])
    table[:100, 4] = 3.0  # ties that no quantile gets past
    splines, squares = Splines().fit(table), Squares().fit(table)
    assert [one.columns(np.zeros(1)).shape[1] for one in splines.maps_] == [1, 1, 2, 3, 4]
    assert [one.columns(np.zeros(1)).shape[1] for one in squares.maps_] == [1, 1, 2, 2, 2]
    for bent in (splines, squares):
        np.testing.assert_array_equal(bent.transform(table)[:, :2], table[:, :2])
        for one, x in list(zip(bent.maps_, table.T, strict=True))[1:]:
            columns = one.columns(x)
            assert np.linalg.matrix_rank(columns - columns.mean(axis=0)) == columns.shape[1]
    assert list(splines.get_feature_names_out()[:4]) == ["x0", "x1", "s(x2).1", "s(x2).2"]


@pytest.mark.parametrize("unit", [1e-150, 1e150])
def test_units_do_not_matter(unit):
    np.testing.assert_allclose(Splines().fit_transform(X * unit) / unit, Splines().fit_transform(X), rtol=1e-9)


def test_squares_are_held_at_the_range():
    squares = Squares().fit(X)
    low, high = X.min(axis=0), X.max(axis=0)
    np.testing.assert_allclose(squares.transform(X)[:, 1], (X[:, 0] - X[:, 0].mean()) ** 2)
    far = squares.transform([low - 9.0, high + 9.0])
    np.testing.assert_array_equal(far[:, 1::2], squares.transform([low, high])[:, 1::2])
    np.testing.assert_array_equal(far[:, ::2], [low - 9.0, high + 9.0])


@pytest.mark.parametrize("name, bent", [("splines", Splines()), ("squares", Squares())])
def test_experts_that_bend(name, bent):
    model = HMERegressor(depth=1, expert_features=name, tol=1e-3).fit(X, Y)
    same = HMERegressor(depth=1, expert_features=bent, tol=1e-3).fit(X, Y)
    np.testing.assert_array_equal(model.predict(X), same.predict(X))
    assert list(model.columns_.gate.features.names) == ["x0", "x1"]
    coef = model.experts_.coef @ bent.fit(X).transform(X).T + model.experts_.intercept[:, None]
    np.testing.assert_allclose(model.predict_experts(X), coef.T)
    far = np.array([[100.0, 500.0], [-100.0, 500.0], [0.0, 1e6]])
    assert np.abs(model.predict(far)).max() < 20.0


def test_a_column_of_that_name_comes_first():
    table = pd.DataFrame(X, columns=["splines", "dose"])
    model = HMERegressor(depth=0, expert_features="splines").fit(table, Y)
    assert list(model.columns_.expert.features.names) == ["splines"]


@pytest.mark.parametrize("name, n_candidates", [("splines", 1), ("age", 4)])
def test_growing_tries_no_column_of_that_name(name, n_candidates, monkeypatch):
    monkeypatch.setattr(candidates, "ROWS_A_COLUMN", 1)
    table = pd.DataFrame(X[:60], columns=[name, "dose"])
    model = HMERegressor(max_experts=1, average=False).fit(table, Y[:60])
    assert len(model.candidates_) == n_candidates


def test_weighted_fits_are_fits_to_repeated_rows():
    weight = RNG.integers(0, 3, 200)
    model = HMERegressor(depth=0, expert=LinearExpert(alpha=0.0), expert_features="splines")
    weighted = model.fit(X, Y, sample_weight=weight).predict(X)
    repeated = model.fit(np.repeat(X, weight, axis=0), np.repeat(Y, weight)).predict(X)
    np.testing.assert_allclose(weighted, repeated, rtol=1e-7)


@pytest.mark.parametrize(
    "table, error", [(sp.csr_matrix(X), "expert_features.*Sparse data"), ([["a", 1.0]] * 200, "could not convert.*'a'")]
)
def test_tables_that_cannot_bend(table, error):
    with pytest.raises((TypeError, ValueError), match=error):
        HMERegressor(depth=0, expert_features="splines", gate="constant").fit(table, Y)


@pytest.mark.parametrize("bent", [Splines(n_knots=1), Splines(degree=0), Splines(n_knots=2.5)])
def test_settings_out_of_range(bent):
    with pytest.raises((TypeError, ValueError), match="n_knots|degree"):
        bent.fit(X)
