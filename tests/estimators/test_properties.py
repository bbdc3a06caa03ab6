"""Properties of a fit that hold for any small table, however ugly its values."""

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from problems import representative
from sklearn.base import clone

from hme import HMEClassifier, HMERegressor

# Tables of a few rows leave experts without rows, which the fit says; every other warning stays an error.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

SHAPES = [
    {},
    {"depth": 0},
    {"depth": 1},
    {"depth": 2},
    {"n_experts": 3},
    {"tree": "((. .) .)"},
    {"depth": 1, "gate": "constant"},
    {"depth": 1, "expert": "constant"},
    {"depth": 1, "standardize": False},
    {"depth": 1, "n_init": 3, "random_state": 0},
]
COLUMNS = ["normal", "integer", "constant", "zero", "tiny", "huge", "offset", "skewed", "duplicate"]
TARGETS = ["normal", "integer", "constant", "tiny", "huge", "offset"]
PLAIN = settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.filter_too_much])


def column(kind, noise, rng):
    values = {
        "normal": noise,
        "integer": np.round(noise),
        "constant": np.full_like(noise, -3.3),
        "zero": np.zeros_like(noise),
        "tiny": 1e-8 * noise,
        "huge": 1e8 * noise,
        "offset": noise + 1e6,
        "skewed": np.exp(4.0 * noise),
    }
    return values[kind]


@st.composite
def tables(draw, columns=COLUMNS, targets=TARGETS, repeats=True, max_rows=40, min_rows=4):
    """X, y, class codes and weights (None, whole, fractional or with zeros)."""
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    n = draw(st.integers(min_rows, max_rows))
    kinds = draw(st.lists(st.sampled_from(columns), min_size=1, max_size=4))
    X = np.empty((n, len(kinds)))
    for j, kind in enumerate(kinds):
        X[:, j] = X[:, 0] if kind == "duplicate" and j else rng.standard_normal(n)
        if kind != "duplicate":
            X[:, j] = column(kind, X[:, j], rng)
    if repeats and draw(st.booleans()):
        X = X[rng.integers(0, max(1, n // 2), n)]
    bend = np.abs(X[:, 0]) / (np.abs(X[:, 0]).max() or 1.0)
    y = column(draw(st.sampled_from(targets)), rng.standard_normal(n) + bend, rng)
    codes = rng.integers(0, draw(st.integers(2, 3)), n)
    weight = draw(st.sampled_from([None, "whole", "fractional", "zeros"]))
    if weight is not None:
        weight = {
            "whole": rng.integers(1, 4, n).astype(float),
            "fractional": rng.uniform(0.05, 1.0, n),
            "zeros": rng.integers(0, 3, n).astype(float),
        }[weight]
    kept = np.ones(n, dtype=bool) if weight is None else weight > 0
    for target in (y, codes):  # as many rows that differ as any tree here has leaves
        assume(len(np.unique(np.c_[X, target][kept], axis=0)) >= 4)
    return X, y, codes, weight


def cases(X, y, codes, weight):
    """Regression, and classification where two classes have weight; rows without weight keep to those classes."""
    seen = np.ones(len(X), bool) if weight is None else weight > 0
    assume(seen.any())
    yield HMERegressor, y
    if len(np.unique(codes[seen])) > 1:
        yield HMEClassifier, np.where(np.isin(codes, codes[seen]), codes, codes[seen][0])


def answer(model, X):
    return model.predict_proba(X) if hasattr(model, "predict_proba") else model.predict(X)


def assert_same(a, b, y, tol):
    """Equal up to `tol` of the spread of the target (of its size where it is constant; of one for probabilities)."""
    spread = np.std(y) if np.std(y) > 1e-9 * np.abs(y).max() else np.abs(y).max()
    np.testing.assert_allclose(a, b, rtol=0, atol=tol * (spread if a.ndim == 1 else 1.0) + 1e-300)


@PLAIN
@given(table=tables(), shape=st.sampled_from(SHAPES))
def test_no_attribute_and_no_prediction_is_nan(table, shape):
    X, _, _, weight = table
    for estimator, y in cases(*table):
        model = estimator(**shape).fit(X, y, weight)
        arrays = [answer(model, X), model.predict_experts(X), model.log_likelihood(X, y)]
        arrays += [model.lower_bounds_, model.load_, model.history_.load]
        for group in (model.experts_, model.gate_, model.params_.experts, model.params_.gate):
            arrays += list(group)
        if estimator is HMERegressor:
            arrays.append(model.predict(X, return_std=True)[1])
        for array in arrays:
            assert np.isfinite(array).all()


@PLAIN
@given(table=tables(), shape=st.sampled_from(SHAPES))
def test_priors_and_responsibilities_sum_to_one_and_the_objective_does_not_fall(table, shape):
    X, _, _, weight = table
    for estimator, y in cases(*table):
        model = estimator(**shape).fit(X, y, weight)
        for probability in (model.gate_proba(X), model.responsibilities(X, y)):
            assert (probability >= 0).all()
            np.testing.assert_allclose(probability.sum(axis=1), 1.0, rtol=0, atol=1e-9)
        moved = model.history_.moved[model.history_.accepted][1:]  # to another strength, and so another objective
        assert (np.diff(model.lower_bounds_)[~moved] >= -1e-10).all()


@PLAIN
@given(table=tables(), shape=st.sampled_from(SHAPES), seed=st.integers(0, 1000))
def test_regression_does_not_depend_on_the_order_of_the_rows(table, shape, seed):
    X, y, _, weight = table
    assume(weight is None or (weight > 0).any())
    order = np.random.default_rng(seed).permutation(len(X))
    model = HMERegressor(**shape).fit(X, y, weight)
    again = HMERegressor(**shape).fit(X[order], y[order], None if weight is None else weight[order])
    assert_same(model.predict(X), again.predict(X), y, 1e-6)


@PLAIN
@given(table=tables(), shape=st.sampled_from(SHAPES))
def test_regression_does_not_depend_on_the_unit_of_a_column(table, shape):
    X, y, _, weight = table
    assume(weight is None or (weight > 0).any())
    assume(shape.get("standardize", True))
    unit = np.ones(X.shape[1])
    unit[-1] = 1000.0
    model, again = HMERegressor(**shape).fit(X, y, weight), HMERegressor(**shape).fit(X * unit, y, weight)
    assert_same(model.predict(X), again.predict(X * unit), y, 1e-5)


@PLAIN
@given(table=tables(repeats=False), shape=st.sampled_from(SHAPES))
def test_classification_depends_neither_on_the_order_of_the_rows_nor_on_units(table, shape):
    X, _, _, weight = table
    *_, (estimator, y) = cases(*table)
    assume(estimator is HMEClassifier and shape.get("standardize", True))
    order = np.arange(len(X))[::-1]
    model = HMEClassifier(**shape, start="model_tree")
    first = clone(model).fit(X, y, weight).predict_proba(X)
    again = clone(model).fit(X[order], y[order], None if weight is None else weight[order])
    assert_same(first, again.predict_proba(X), y, 1e-6)
    assert_same(first, clone(model).fit(1000.0 * X, y, weight).predict_proba(1000.0 * X), y, 1e-5)


# The k-means start, the default of classification.


@pytest.mark.parametrize("index", representative(range(20), every=10))
def test_the_kmeans_start_does_not_depend_on_units(index):
    rng = np.random.default_rng(12)
    for _ in range(index + 1):
        X, y = rng.normal(size=(8, 2)), np.append([0, 1], rng.integers(0, 2, 6))
    first = HMEClassifier(tree="((. .) .)", start="kmeans").fit(X, y).predict_proba(X)
    for unit in (3.0, 10.0, 1000.0):
        again = HMEClassifier(tree="((. .) .)", start="kmeans").fit(unit * X, y).predict_proba(unit * X)
        np.testing.assert_allclose(again, first, rtol=1e-5)


@pytest.mark.parametrize("seed", representative([5, 27, 46, 58], every=4))
def test_the_kmeans_start_does_not_depend_on_the_order_of_equal_rows(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(16, 50))
    X, y = rng.integers(0, 3, (n, 1)) / (1.0 + 2 * (seed % 2)), rng.integers(0, 3, n)
    order = np.random.default_rng(1).permutation(n)
    model = HMEClassifier(depth=2, start="kmeans").fit(X, y)
    again = HMEClassifier(depth=2, start="kmeans").fit(X[order], y[order])
    # The start is the same; with more experts than different rows the end may depend on rounding.
    np.testing.assert_allclose(again.lower_bounds_[:3], model.lower_bounds_[:3], rtol=1e-12)


def test_groups_are_found_in_y_where_x_is_constant():
    y = np.concatenate([np.linspace(-1, 1, 30), np.linspace(9, 11, 30)])
    model = HMERegressor(n_experts=2, gate="constant").fit(np.ones((60, 1)), y)
    np.testing.assert_allclose(np.sort(model.experts_.intercept + model.experts_.coef[:, 0]), [0.0, 10.0], atol=0.1)


MOVING = ["normal", "tiny", "huge", "offset"]


# With rows enough to cut, no two experts start alike: rounding would decide when EM leaves such a saddle.
@PLAIN
@given(
    table=tables(columns=MOVING, targets=["normal", "integer", "tiny", "huge"], repeats=False, min_rows=25),
    shape=st.sampled_from(SHAPES),
)
def test_regression_follows_shift_and_scale_of_y(table, shape):
    X, y, _, weight = table
    assume(weight is None or (weight > 0).any())
    shift = 7.0 * np.std(y)
    model, again = HMERegressor(**shape).fit(X, y, weight), HMERegressor(**shape).fit(X, 3.0 * y - shift, weight)
    assert_same(3.0 * model.predict(X) - shift, again.predict(X), 3.0 * y, 1e-6)


@PLAIN
@given(table=tables(), shape=st.sampled_from(SHAPES))
def test_a_weight_is_a_number_of_rows_in_regression(table, shape):
    X, y, _, weight = table
    whole = np.arange(len(X)) % 3 if weight is None else np.ceil(weight)
    assume((whole > 0).any())
    rows = np.repeat(np.arange(len(X)), whole.astype(int))
    model = HMERegressor(**shape).fit(X, y, whole)
    again = HMERegressor(**shape).fit(X[rows], y[rows])
    assert_same(model.predict(X), again.predict(X), y, 1e-7)
