"""Bad parameters and bad tables are refused by name, value and what is allowed, and an earlier fit survives them."""

import datetime
import re

import numpy as np
import pytest
import scipy.sparse as sp
from problems import representative, slow_case
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge

from hme import HMEClassifier, HMERegressor
from hme.experts import ConstantExpert, LinearExpert, LogisticExpert, TreeExpert
from hme.gates import SoftmaxGate, TreeGate
from hme.model.tree import Tree

RNG = np.random.default_rng(0)
N = 40
X = RNG.normal(size=(N, 2))
Y = np.abs(X[:, 0]) + 0.1 * RNG.normal(size=N)
LABELS = np.where(Y > 0.5, "high", "low")
NAN = float("nan")


# Parameters ---------------------------------------------------------------------------------------------------------

SHARED = [
    ("depth", -1, ">= 0"),
    ("depth", 1.5, ">= 0"),
    ("depth", None, ">= 0"),
    ("depth", True, ">= 0"),
    ("depth", "deep", "'auto'"),
    ("branching", 1, ">= 2"),
    ("branching", 2.5, ">= 2"),
    ("branching", "2", ">= 2"),
    ("branching", (2, 1), ">= 2"),
    ("branching", (), ""),
    ("n_experts", 0, ">= 1"),
    ("n_experts", 2.5, ">= 1"),
    ("n_experts", "3", ">= 1"),
    ("n_experts", NAN, ">= 1"),
    ("tree", "", "balanced"),
    ("tree", "(. .", "balanced"),
    ("tree", ". .", "balanced"),
    ("tree", "(.)", "two branches"),
    ("tree", ((None,), None), "two branches"),
    ("tree", 5, "Tree"),
    ("tree", True, "Tree"),
    ("tree", Ridge(), "Tree"),
    ("expert", "lin", "constant"),
    ("expert", "", "constant"),
    ("expert", 5, "constant"),
    ("expert", LinearExpert, "constant"),
    ("expert", SoftmaxGate(), "constant"),
    ("gate", "soft", "softmax"),
    ("gate", 5, "softmax"),
    ("gate", SoftmaxGate, "softmax"),
    ("gate", LinearExpert(), "softmax"),
    ("standardize", "yes", "True, False"),
    ("standardize", None, "True, False"),
    ("start", "kmean", "model_tree"),
    ("start", None, "shape|leaf numbers"),
    ("start", np.zeros(N - 1, int), "shape"),
    ("start", np.full(N, 9), "leaves 0 to"),
    ("start", np.full(N, -1), "leaves 0 to"),
    ("start", np.full(N, 0.5), "shape"),
    ("start", np.ones((N, 2)), "sum to one"),
    ("start", np.full((N, 2), NAN), "sum to one"),
    ("start", [["a", "b"]] * N, "sum to one"),
    ("n_init", 0, ">= 1"),
    ("n_init", 1.5, ">= 1"),
    ("n_init", None, ">= 1"),
    ("n_finalists", 0, "between 1 and 1"),
    ("n_finalists", 2, "between 1 and 1"),
    ("n_finalists", "few", "'auto'"),
    ("prefer", "best", "'auto', 'interior', 'likelihood'"),
    ("max_iter", 0, ">= 1"),
    ("max_iter", 2.5, ">= 1"),
    ("max_iter", "many", ">= 1"),
    ("tol", -1e-3, ">= 0"),
    ("tol", NAN, ">= 0"),
    ("tol", "small", ">= 0"),
    ("on_empty", "no", "'warn', 'reseed', 'drop', 'raise'"),
    ("on_empty", None, "'warn', 'reseed', 'drop', 'raise'"),
    ("warm_start", "no", "True, False"),
    ("callback", "no", "callable"),
    ("random_state", "no", ""),
    ("random_state", -1, ""),
    ("n_jobs", 0, ""),
    ("verbose", "no", ""),
    ("verbose", None, ""),
]


def assert_refused(fit, name, value, allowed):
    with pytest.raises((ValueError, TypeError)) as caught:
        fit()
    message = str(caught.value)
    assert name in message
    if isinstance(value, int | float) or (isinstance(value, str) and name != "tree"):
        assert str(value) in message
    assert re.search(allowed, message)


@pytest.mark.parametrize("estimator, target", [(HMERegressor, Y), (HMEClassifier, LABELS)])
@pytest.mark.parametrize("name, value, allowed", SHARED, ids=lambda value: re.sub(r"\s+", "", str(value))[:20])
def test_a_bad_parameter_is_named(estimator, target, name, value, allowed):
    shape = {} if name in ("depth", "branching", "n_experts", "tree") else {"n_experts": 2}
    assert_refused(lambda: estimator(**{**shape, name: value}).fit(X, target), name, value, allowed)


@pytest.mark.parametrize(
    "value, allowed",
    [
        ("bal", "balanced"),
        (3, "balanced"),
        ({"high": 1.0, "other": 2.0}, "low"),
        ({"high": -1.0, "low": 1.0}, "negative|>= 0"),
        ({"high": NAN, "low": 1.0}, "finite|NaN|>= 0"),
    ],
)
def test_a_bad_class_weight_is_named(value, allowed):
    assert_refused(lambda: HMEClassifier(class_weight=value).fit(X, LABELS), "class_weight", value, allowed)


@pytest.mark.parametrize(
    "family, name, value, allowed",
    [
        *[(family, "alpha", value, ">= 0") for family in (LinearExpert, LogisticExpert, SoftmaxGate)
          for value in (-1, NAN, float("inf"), "a", None)],
        *[(family, "shrink_to", "mean", "'global'") for family in (LinearExpert, LogisticExpert)],
        *[(LinearExpert, "variance_prior", value, "pair")
          for value in ("a", 1, (1, 2, 3), (-1, 0.1), (1, 0))],
        *[(LinearExpert, "variance_prior", value, "pair")
          for value in ((1, NAN), (NAN, 1), (1, np.inf))],
        *[(family, "variance_floor", value, "> 0") for family in (LinearExpert, ConstantExpert, TreeExpert)
          for value in (0, -1, NAN, "a", None)],
        (LinearExpert, "shared_variance", "a", "True, False"),
        (TreeExpert, "max_depth", 0, ">= 1"),
        *[(TreeExpert, "min_weight_leaf", value, ">") for value in (-1, NAN, "a", None)],
    ],
)  # fmt: skip
def test_a_bad_parameter_of_a_family_is_named(family, name, value, allowed):
    role = "gate" if family is SoftmaxGate else "expert"
    estimator, y = (HMEClassifier, LABELS) if family is LogisticExpert else (HMERegressor, Y)
    assert_refused(lambda: estimator(depth=1, **{role: family(**{name: value})}).fit(X, y), name, value, allowed)


@pytest.mark.parametrize(
    "parameters, message",
    [
        ({"tree": "(. .)", "n_experts": 2}, "both"),
        ({"tree": "(. .)", "depth": 2}, "depth = 2"),
        ({"n_experts": 2, "depth": 2}, "depth = 2"),
        ({"n_experts": 2, "branching": 3}, "branching = 3"),
        ({"depth": 1, "branching": (2, 3)}, "2 levels"),
        ({"gate": TreeGate(SoftmaxGate(), Tree.complete(2)), "depth": 1}, "gate"),
    ],
)
def test_parameters_that_contradict_each_other_are_refused(parameters, message):
    with pytest.raises(ValueError, match=message):
        HMERegressor(**parameters).fit(X, Y)


def test_a_family_for_the_other_task_is_refused():
    with pytest.raises(ValueError, match="LogisticExpert.* for classification, not for regression"):
        HMERegressor(expert=LogisticExpert()).fit(X, Y)
    with pytest.raises(ValueError, match="LinearExpert.* for regression, not for classification"):
        HMEClassifier(expert=LinearExpert()).fit(X, LABELS)


# Tables -------------------------------------------------------------------------------------------------------------


def replaced(array, value):
    array = array.copy()
    array[3] = value
    return array


@pytest.mark.parametrize("estimator, y", [(HMERegressor, Y), (HMEClassifier, LABELS)])
@pytest.mark.parametrize(
    "bad, message",
    [
        (replaced(X, NAN), "X contains NaN"),
        (replaced(X, np.inf), "X contains infinity"),
        (X + 1j, "Complex"),
        (X[:, 0], "2D array"),
        (X[:, :, None], "dim 3"),
        (X[:0], "0 sample"),
        (X[:, :0], "0 feature"),
        (np.array([["a", "b"]] * N, dtype=object), "could not convert string to float: 'a'"),
        (np.array([[1.0, None]] * N, dtype=object), "NaN|NoneType"),
        (np.array([[1.0, datetime.date(2020, 1, 1)]] * N, dtype=object), "date"),
        (sp.csr_array(replaced(X, NAN)), "X contains NaN"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_bad_table_is_refused(estimator, y, bad, message):
    with pytest.raises((ValueError, TypeError), match=message):
        estimator().fit(bad, y[: bad.shape[0]])


@pytest.mark.parametrize(
    "y, message",
    [
        (replaced(Y, NAN), "y contains NaN"),
        (replaced(Y, np.inf), "y contains infinity"),
        (Y[:-1], "inconsistent numbers of samples"),
        (None, "requires y"),
        (LABELS, "could not convert string to float"),
        (np.stack([np.c_[Y, Y]] * 2, axis=2), "dim 3"),
        (Y[:0], "0 sample|inconsistent"),
    ],
)
def test_a_bad_target_of_regression_is_refused(y, message):
    with pytest.raises(ValueError, match=message):
        HMERegressor().fit(X, y)


@pytest.mark.parametrize(
    "y, message",
    [
        (Y, "continuous"),
        (replaced(1.0 * (Y > 0.5), NAN), "y contains NaN"),
        (LABELS[:-1], "inconsistent numbers of samples"),
        (None, "requires y"),
        (np.c_[LABELS, LABELS], "1d array"),
        (np.full(N, "high"), "one class only, .*high"),
        (np.array(["a", 1] * (N // 2), dtype=object), "y|uniform|label"),
    ],
)
def test_a_bad_target_of_classification_is_refused(y, message):
    with pytest.raises((ValueError, TypeError), match=message):
        HMEClassifier().fit(X, y)


@pytest.mark.parametrize("estimator, y", [(HMERegressor, Y), (HMEClassifier, LABELS)])
@pytest.mark.parametrize(
    "weight, message",
    [
        (-np.ones(N), "Negative values .*sample_weight"),
        (np.zeros(N), "[Ss]ample.weight.* (zero|non-zero)"),
        (np.full(N, NAN), "sample_weight contains NaN"),
        (np.ones(N - 1), "sample_weight.shape"),
        (np.ones((N, 1)), "[Ss]ample.weights? must be 1D"),
        (["a"] * N, "could not convert"),
    ],
)
def test_bad_weights_are_refused(estimator, y, weight, message):
    with pytest.raises(ValueError, match=message):
        estimator().fit(X, y, weight)


@pytest.mark.parametrize("method", ["predict", "gate_proba", "predict_experts", "apply", "decision_path"])
@pytest.mark.parametrize("estimator, y", [(HMERegressor, Y), (HMEClassifier, LABELS)])
def test_predicting_asks_for_a_fit_and_for_the_same_columns(estimator, y, method):
    with pytest.raises(NotFittedError):
        getattr(estimator(), method)(X)
    model = estimator(depth=1).fit(X, y)
    with pytest.raises(ValueError, match="X has 1 features, but .* is expecting 2"):
        getattr(model, method)(X[:, :1])
    with pytest.raises(ValueError, match="NaN"):
        getattr(model, method)(replaced(X, NAN))
    with pytest.raises(ValueError, match="0 sample"):
        getattr(model, method)(X[:0])


@pytest.mark.parametrize("method", ["log_likelihood", slow_case("responsibilities")])
@pytest.mark.parametrize(
    "estimator, fitted, y, message",
    [
        (HMERegressor, Y, replaced(Y, NAN), "NaN"),
        (HMERegressor, Y, replaced(Y, np.inf), "inf"),
        (HMERegressor, Y, Y[:-1], "rows|samples"),
        (HMERegressor, Y, np.c_[Y, Y], "outputs"),
        (HMERegressor, np.c_[Y, Y], Y, "outputs"),
        (HMERegressor, Y, None, "y"),
        (HMERegressor, Y, 3.0, "y"),
        (HMERegressor, Y, LABELS, "could not convert|numeric"),
        (HMEClassifier, LABELS, LABELS[:-1], "rows|samples"),
        (HMEClassifier, LABELS, replaced(LABELS, "mid"), "'mid'.* not among the fitted classes"),
        (HMEClassifier, LABELS, np.zeros(N), "not among the fitted classes"),
        (HMEClassifier, LABELS, None, "y"),
        (HMEClassifier, LABELS, np.c_[LABELS, LABELS], "1d|y"),
    ],
)
def test_a_bad_y_of_the_predict_side_is_refused(method, estimator, fitted, y, message):
    model = estimator(depth=1).fit(X, fitted)
    with pytest.raises((ValueError, TypeError), match=message):
        getattr(model, method)(X, y)
    with pytest.raises(NotFittedError):
        getattr(estimator(), method)(X, y)


# What a failed fit leaves -------------------------------------------------------------------------------------------


def broken_callback(sweep, objective, params):
    raise ZeroDivisionError


@pytest.mark.parametrize(
    "parameters, y, weight",
    [
        ({"tol": -1}, Y, None),
        ({"expert": "lin"}, Y, None),
        ({"callback": broken_callback}, Y, None),
        ({}, replaced(Y, NAN), None),
        ({}, Y, -np.ones(N)),
    ],
)
def test_a_failed_fit_leaves_the_earlier_one_as_it_was(parameters, y, weight):
    model = HMERegressor(depth=1).fit(X, Y)
    before = model.predict(X)
    with pytest.raises((ValueError, ZeroDivisionError)):
        model.set_params(**parameters).fit(np.c_[X, X], y, weight)
    assert model.n_features_in_ == 2
    np.testing.assert_array_equal(model.predict(X), before)


@pytest.mark.parametrize(
    "change, table, y",
    [
        ({}, np.c_[X, X], Y),
        ({}, X, np.c_[Y, Y]),
        ({"gate": "constant"}, X, Y),
        ({"expert": "constant"}, X, Y),
        ({"depth": 2}, X, Y),
    ],
)
def test_a_warm_start_that_does_not_fit_is_refused_and_leaves_the_earlier_fit(change, table, y):
    model = HMERegressor(depth=1, warm_start=True).fit(X, Y)
    before = model.predict(X)
    with pytest.raises(ValueError, match="warm_start"):
        model.set_params(**change).fit(table, y)
    np.testing.assert_array_equal(model.predict(X), before)


def test_a_warm_start_with_other_classes_is_refused():
    model = HMEClassifier(depth=1, warm_start=True).fit(X, LABELS)
    with pytest.raises(ValueError, match="warm_start.*classes"):
        model.fit(X, np.where(Y > 0.5, "top", "low"))


# Ugly tables that are legal -----------------------------------------------------------------------------------------

EXPONENTS = [-300, -160, -100, 100, 160, 300]
STARTS = ["auto", "model_tree", "perturbed_model_tree", "directions", "hyperplanes", "kmeans"]
SMALL = [
    ("one row", X[:1], Y[:1]),
    ("fewer rows than leaves", X[:6], Y[:6]),
    ("one row many times", np.repeat(X[:1], 30, axis=0), np.repeat(Y[:1], 30)),
    ("constant X", np.ones((N, 2)), Y),
    ("constant y", X, np.ones(N)),
    ("y of zeros", X, np.zeros(N)),
    ("one column of two values", (X[:, :1] > 0) * 1.0, Y),
]


@pytest.mark.filterwarnings("ignore:HME:sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("start", representative(STARTS, every=6))
@pytest.mark.parametrize("case, table, y", SMALL, ids=[case for case, *_ in SMALL])
def test_degenerate_tables_are_fitted(case, table, y, start):
    few = min(10, len(np.unique(np.c_[table, y], axis=0)))
    model = HMERegressor(n_experts=few, start=start, max_iter=5, random_state=0).fit(table, y)
    assert model.n_experts_ == few
    assert np.isfinite(model.predict(table)).all()
    if len(table) > 1:
        labels = np.arange(len(table)) % 2
        few = min(10, len(np.unique(np.c_[table, labels], axis=0)))
        model = HMEClassifier(n_experts=few, start=start, max_iter=5, random_state=0).fit(table, labels)
        np.testing.assert_allclose(model.predict_proba(table).sum(axis=1), 1.0)


IMPOSSIBLE = [
    {"depth": 20},
    {"depth": 10**9},
    {"n_experts": 10**6},
    {"n_experts": N + 1},
    {"branching": [10] * 30},
    {"depth": 2, "branching": 10**6},
    {"tree": Tree.flat(N + 1)},
    {"tree": "(" + ". " * (N + 1) + ")"},
    {"tree": (None,) * (N + 1)},
]


@pytest.mark.parametrize("shape", IMPOSSIBLE, ids=lambda shape: " ".join(shape))
def test_a_tree_of_more_leaves_than_rows_is_refused_at_once(shape):
    with pytest.raises(ValueError, match=f"{next(iter(shape))}.* leaves.* n_samples = {N}"):
        HMERegressor(**shape).fit(X, Y)


@pytest.mark.filterwarnings("ignore:HME:sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("as_given", [np.asarray, sp.csr_array, lambda X: X.astype(object)])
def test_leaves_are_as_many_as_rows_that_differ(as_given):
    """Rows that are repeated, without weight, or of one group count once."""
    twice, y = as_given(np.r_[X, X]), np.r_[Y, Y]
    kept, groups = np.where(np.arange(2 * N) % N < 5, 1.0, 0.0), np.arange(2 * N) % 7
    assert HMERegressor(n_experts=N, max_iter=2).fit(twice, y).n_experts_ == N
    assert HMERegressor(n_experts=5, max_iter=2).fit(twice, y, kept).n_experts_ == 5
    assert HMERegressor(n_experts=7, gate="constant", max_iter=2).fit(twice, y, groups=groups).n_experts_ == 7
    for n_experts, rows in [(N + 1, {}), (6, {"sample_weight": kept}), (8, {"groups": groups})]:
        with pytest.raises(ValueError, match=f"n_experts = {n_experts} .*n_samples = {n_experts - 1}"):
            HMERegressor(n_experts=n_experts, gate="constant").fit(twice, y, **rows)


@pytest.mark.filterwarnings("ignore:HME:sklearn.exceptions.ConvergenceWarning")
def test_the_automatic_depth_has_no_more_leaves_than_rows():
    assert HMERegressor().fit(X[:4], Y[:4], np.full(4, 1e6)).n_experts_ <= 4


@pytest.mark.filterwarnings("ignore:HME:sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("exponent", representative(EXPONENTS, every=2))
def test_extreme_units_of_y_are_no_trouble_or_are_refused(exponent):
    plain = HMERegressor(depth=1).fit(X, Y)
    unit = 10.0**exponent
    try:
        model = HMERegressor(depth=1).fit(X, unit * Y)
    except ValueError as error:
        assert "y" in str(error)  # noqa: PT017
        return
    np.testing.assert_allclose(model.predict(X) / unit, plain.predict(X), rtol=1e-6)


@pytest.mark.filterwarnings("ignore:HME:sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("exponent", representative(EXPONENTS, every=2))
def test_extreme_units_of_a_column_are_no_trouble_or_are_refused(exponent):
    plain = HMERegressor(depth=1).fit(X, Y)
    unit = 10.0**exponent
    try:
        model = HMERegressor(depth=1).fit(unit * X, Y)
    except ValueError as error:
        assert "X" in str(error)  # noqa: PT017
        return
    np.testing.assert_allclose(model.predict(unit * X), plain.predict(X), rtol=1e-6)


def test_time_stamps_and_values_far_from_zero():
    hours = np.arange(N)[:, None] * 3600.0
    y = np.abs(hours[:, 0] - hours.mean()) / 3600.0 + Y
    near, far = HMERegressor(depth=1).fit(hours, y), HMERegressor(depth=1).fit(hours + 1.7e9, y)
    np.testing.assert_allclose(far.predict(hours + 1.7e9), near.predict(hours), rtol=1e-6)
    # 1e12 leaves doubles four decimals.
    high = HMERegressor(depth=1).fit(hours, y + 1e12)
    np.testing.assert_allclose(high.predict(hours) - 1e12, near.predict(hours), atol=1e-2)


def test_sparse_columns_far_from_zero_are_refused():
    with pytest.raises(ValueError, match="X is sparse, .* not centred"):
        HMERegressor(depth=0).fit(sp.csr_array(1e8 + X), Y)


@pytest.mark.parametrize("y", [Y > 0.5, (Y > 0.5)[:, None], np.array(Y > 0.5, dtype=object)])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_truth_values_are_numbers(y):
    np.testing.assert_allclose(
        HMERegressor(depth=1).fit(X, y).predict(X).ravel(), HMERegressor(depth=1).fit(X, 1.0 * (Y > 0.5)).predict(X)
    )


def test_truth_values_are_classes():
    model = HMEClassifier(depth=1).fit(X, Y > 0.5)
    assert model.predict(X).dtype == bool


def test_object_columns_of_numbers_are_numbers():
    model, plain = HMERegressor(depth=1).fit(X.astype(object), Y.astype(object)), HMERegressor(depth=1).fit(X, Y)
    np.testing.assert_array_equal(model.predict(X.astype(object)), plain.predict(X))


def test_y_of_one_column_keeps_its_shape():
    model, plain = HMERegressor(depth=1).fit(X, Y[:, None]), HMERegressor(depth=1).fit(X, Y)
    np.testing.assert_array_equal(model.predict(X), plain.predict(X)[:, None])
    np.testing.assert_array_equal(model.log_likelihood(X, Y[:, None]), plain.log_likelihood(X, Y))


# Columns that are no numbers -----------------------------------------------------------------------------------------


COLUMNS = {
    "dates": (lambda pd: pd.date_range("2020", periods=N), "'odd' (dates, dtype datetime64", "days since the first"),
    "zones": (lambda pd: pd.date_range("2020", periods=N, tz="UTC"), "'odd' (dates, dtype datetime64", "days since"),
    "periods": (lambda pd: pd.period_range("2020", periods=N), "'odd' (dates, dtype period", "days since the first"),
    "spans": (lambda pd: pd.to_timedelta(np.arange(N), unit="D"), "'odd' (durations, dtype timedelta64", "days"),
    "text": (lambda pd: ["a", "b"] * (N // 2), "'odd' (text, dtype", "OneHotEncoder"),
    "mixed": (lambda pd: [1, "b"] * (N // 2), "'odd' (text, dtype object)", "OneHotEncoder"),
    "categories": (lambda pd: pd.Categorical(["a", "b"] * (N // 2)), "'odd' (categories, dtype category)", "OneHot"),
    "complex": (lambda pd: [1j] * N, "'odd' (complex numbers, dtype complex128)", "real and imaginary"),
    "lists": (lambda pd: [[1]] * N, "'odd' (objects, dtype object)", "turn objects into numbers"),
    "gaps": (lambda pd: [1.0, NAN] * (N // 2), "NaN, in column 'odd'", "SimpleImputer"),
    "infinite": (lambda pd: [1.0, np.inf] * (N // 2), "infinity", "in column 'odd'"),
}


@pytest.mark.parametrize("kind", COLUMNS)
def test_columns_without_numbers_are_named(kind):
    pd = pytest.importorskip("pandas")
    make, *words = COLUMNS[kind]
    table = pd.DataFrame(X, columns=["a", "b"]).assign(odd=make(pd))
    model = HMERegressor(n_experts=2).fit(table.assign(odd=X[:, 0]), Y)
    for call in (lambda: HMERegressor(n_experts=2).fit(table, Y), lambda: model.predict(table)):
        with pytest.raises((ValueError, TypeError)) as caught:
            call()
        assert all(word.lower() in str(caught.value).lower() for word in words) and "np." not in str(caught.value)
    with pytest.raises(ValueError, match="Here the gate sees all columns of X; give gate_features too"):
        HMERegressor(n_experts=2, expert_features=["a"]).fit(table, Y)
    with pytest.raises(ValueError, match="expert_features selects columns that .*'odd'|expert_features.*Complex"):
        HMERegressor(n_experts=2, expert_features=["odd"], gate_features=["a"]).fit(table, Y)


def test_tables_of_nothing_but_dates_or_text_are_refused():
    for table, words in (
        (np.array([["2020-01-01"]] * N, dtype="datetime64[D]"), r"0 \(dates, dtype datetime64\[D\]\)"),
        (np.array([["a", "1.5"]] * N), r"0 \(text, dtype <U3\).*convert string to float: 'a'"),
    ):
        with pytest.raises(ValueError, match=words):
            HMERegressor().fit(table, Y)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"expert": LinearExpert(alpha=-1.0)}, r"^expert__alpha must be a finite number >= 0, got -1\.0"),
        ({"expert": LinearExpert(l1_ratio=2.0)}, "^expert__l1_ratio must be"),
        ({"gate": SoftmaxGate(alpha=NAN)}, "^gate__alpha must be"),
        ({"expert": TreeExpert(max_depth=0)}, "^expert__max_depth must be"),
    ],
    ids=["alpha", "ratio", "gate", "tree"],
)
def test_parameters_of_families_are_named_as_in_set_params(settings, message):
    with pytest.raises(ValueError, match=message):
        HMERegressor(n_experts=2, **settings).fit(X, Y)


@pytest.mark.parametrize("alpha, words", [(0.0, "Use gate__alpha > 0"), (1e-6, "gate__alpha = 1e-06 lets them")])
def test_advice_about_alpha_applies(alpha, words):
    with pytest.warns(Warning, match=words):
        y = np.where(X[:, 0] > 0, 5.0, -5.0) + 0.1 * RNG.normal(size=N)
        HMERegressor(n_experts=2, gate=SoftmaxGate(alpha)).fit(X, y)


def test_messages_show_plain_types():
    for model, y in (
        (HMEClassifier(), np.full(N, "a")),
        (HMERegressor(depth=np.int64(-1)), Y),
        (HMERegressor(expert=LinearExpert(np.float64(-1.0))), Y),
        (HMERegressor(expert=np.str_("lin")), Y),
        (HMERegressor(expert=LinearExpert(fixed_coef={np.str_("q"): 1.0})), Y),
        (HMERegressor(random_state=np.int64(-3)), Y),
    ):
        with pytest.raises(ValueError) as caught:
            model.fit(X, y)
        assert "np." not in str(caught.value)
    with pytest.raises(ValueError, match="y holds 'middle'"):
        HMEClassifier(n_experts=2).fit(X, LABELS).log_likelihood(X, np.full(N, "middle"))


def test_dates_of_polars_are_named():
    pl = pytest.importorskip("polars")
    table = pl.DataFrame({"a": X[:, 0], "odd": [datetime.date(2020, 1, 1 + i % 28) for i in range(N)]})
    with pytest.raises(ValueError, match=r"'odd' \(dates, dtype Date\)"):
        HMERegressor().fit(table, Y)
    with pytest.raises(ValueError, match=r"'odd' \(dates, dtype Date\)"):
        HMERegressor().fit(table[["odd"]], Y)
