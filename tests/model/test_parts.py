"""Users' estimators and transformers: what is unusable is refused by the name of its class, in fit and in predict."""

import warnings

import numpy as np
import pytest
from problems import few, representative
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from hme import HMEClassifier, HMERegressor
from hme.experts import EstimatorExpert
from hme.gates import EstimatorGate

RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 2))
Y = np.abs(X[:, 0]) + 0.1 * RNG.normal(size=80)
CODES = (X[:, 1] + RNG.normal(size=80) > 0).astype(int)


class OddRegressor(LinearRegression):
    """Right until `broken` is set: what `answer` makes of its predictions, and what `touch` makes of its input."""

    def __init__(self, answer=None, touch=None, message=None):
        super().__init__()
        self.answer, self.touch, self.message = answer, touch, message

    def fit(self, X, y, sample_weight=None):
        result = super().fit(X, y, sample_weight)
        if self.message:
            warnings.warn(self.message, ConvergenceWarning, stacklevel=1)
        if self.touch == "y":
            y[0] = 7.0
        if self.touch == "sample_weight":
            sample_weight *= 2
        if self.touch == "X":
            X[X > 1] = 1.0
        return result

    def predict(self, X):
        values = super().predict(X)
        if self.touch == "X in predict":
            X.sort(axis=0)
        return values if self.answer is None else self.answer(values)


class OddClassifier(ClassifierMixin, BaseEstimator):
    def __init__(self, answer=None, touch=None, message=None):
        self.answer, self.touch, self.message = answer, touch, message

    def fit(self, X, y, sample_weight=None):
        if self.message:
            warnings.warn(self.message, ConvergenceWarning, stacklevel=1)
        self.inner_ = LogisticRegression().fit(X, y, sample_weight)
        self.classes_ = self.inner_.classes_
        if self.touch == "X":
            X -= X.mean(axis=0)
        return self

    def predict(self, X):
        return self.inner_.predict(X)

    def predict_proba(self, X):
        values = self.inner_.predict_proba(X)
        return values if self.answer is None else self.answer(values)


def first(value):
    def answer(values):
        values = values.copy()
        values[0] = value
        return values

    return answer


ANSWERS = {
    "nan": (first(np.nan), "predict returned nan for 1 of"),
    "inf": (first(-np.inf), "predict returned -inf for 1 of"),
    "two columns": (lambda v: np.c_[v, v], "array of shape"),
    "transposed": (lambda v: v[None], "array of shape"),
    "too few": (lambda v: v[1:], "array of shape"),
    "nothing": (lambda v: None, "not numbers"),
    "text": (lambda v: v.astype(str), "dtype <U32, not numbers"),
    "complex": (lambda v: v + 0j, "dtype complex128, not numbers"),
}
PROBABILITIES = {
    "nan": (first(np.nan), "returned nan for 1 of"),
    "negative": (lambda v: np.c_[-0.1 + 0 * v[:, :1], 1.1 + 0 * v[:, :1]], "negative probabilities, the first -0.1"),
    "sum": (lambda v: 2.0 * v, "do not sum to one, the first 2"),
    "zero": (first(0.0), "do not sum to one, the first 0"),
    "one column": (lambda v: v[:, 1], "array of shape"),
    "third class": (lambda v: np.c_[v, 0 * v[:, :1]], "array of shape"),
    "text": (lambda v: v.astype(str), "not numbers"),
}


def regressor(part):
    return HMERegressor(n_experts=2, expert=part, max_iter=3)


def classifier(part):
    return HMEClassifier(n_experts=2, expert=part, max_iter=1)


def gated(part):
    return HMERegressor(n_experts=2, gate=EstimatorGate(part), max_iter=1)


CASES = [(regressor, OddRegressor, *case, name) for name, case in ANSWERS.items()]
CASES += [(classifier, OddClassifier, *case, name) for name, case in PROBABILITIES.items()]
OF_GATES = [(gated, OddClassifier, *case, name) for name, case in PROBABILITIES.items()]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    "make, part, answer, message, name",
    few([*CASES, *representative(OF_GATES, every=4)], 8),
    ids=[f"{c[0].__name__}-{c[-1]}" for c in CASES + OF_GATES],
)
def test_unusable_answers_are_refused_by_name(make, part, answer, message, name):
    y = CODES if make is classifier else Y
    with pytest.raises(ValueError, match=f"{part.__name__}.*{message}"):
        make(part(answer)).fit(X, y)
    model = make(part()).fit(X, y)
    learned = model.params_.gate if make is gated else model.params_.experts
    for estimator in learned.estimator.ravel():
        estimator.answer = answer
    with pytest.raises(ValueError, match=f"{part.__name__}.*{message}"):
        (model.predict_proba if make is classifier else model.predict)(X)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    "model, what",
    [
        (regressor(OddRegressor(touch="X")), "OddRegressor, an expert, changes its X"),
        (regressor(OddRegressor(touch="y")), "OddRegressor, an expert, changes its y"),
        (regressor(OddRegressor(touch="sample_weight")), "OddRegressor, an expert, changes its sample_weight"),
        (regressor(OddRegressor(touch="X in predict")), "OddRegressor, an expert, changes its X"),
        (regressor(EstimatorExpert(OddRegressor(touch="X"), cv=None)), "OddRegressor, an expert, changes its X"),
        (regressor([("a", "linear"), ("b", OddRegressor(touch="X"))]), "OddRegressor, an expert, changes its X"),
        (regressor(make_pipeline(StandardScaler(copy=False), LinearRegression())), "StandardScaler | LinearReg"),
        (gated(OddClassifier(touch="X")), "OddClassifier, the gate, changes its X"),
        (HMERegressor(expert_features=StandardScaler(copy=False)), "StandardScaler, given as expert_features, changes"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_parts_that_change_their_input_are_refused_and_do_no_harm(model, what):
    table, y, weight = X.copy(), Y.copy(), np.ones(80)
    with pytest.raises(ValueError, match=what.replace("|", r"\|")):
        model.fit(table, y, sample_weight=weight)
    assert (table == X).all() and (y == Y).all() and (weight == 1).all()


@pytest.mark.parametrize(
    "model, name",
    [
        (regressor(OddRegressor(message="no good end")), "OddRegressor"),
        (
            regressor(make_pipeline(StandardScaler(), OddRegressor(message="no good end"))),
            "StandardScaler | OddRegressor",
        ),
        (gated(OddClassifier(message="no good end")), "OddClassifier"),
    ],
    ids=["expert", "pipeline", "gate"],
)
def test_many_warnings_become_one(model, name):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X, Y).predict(X)
    (warning,) = caught
    assert f"{name} gave" in str(warning.message)
    assert "warnings, the first: ConvergenceWarning: no good end" in str(warning.message)


class OddTransformer(TransformerMixin, BaseEstimator):
    def __init__(self, answer=None):
        self.answer = answer

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return X if self.answer is None else self.answer(X)


@pytest.mark.parametrize("side", ["expert_features", "gate_features"])
@pytest.mark.parametrize(
    "answer, message",
    [
        (first(np.nan), "OddTransformer returned columns that are not finite: .*NaN, in columns 0, 1"),
        (lambda v: np.full(v.shape, "a"), "OddTransformer returned .*text"),
        (lambda v: v[:5], r"returned an array of shape \(5, 2\) for 80 rows; OddTransformer must return"),
    ],
    ids=["nan", "text", "rows"],
)
def test_transformers_are_refused_by_name(side, answer, message):
    with pytest.raises(ValueError, match=f"{side}.*{message}"):
        HMERegressor(n_experts=2, **{side: OddTransformer(answer)}).fit(X, Y)
    model = HMERegressor(n_experts=2, **{side: OddTransformer()}).fit(X, Y)
    getattr(model.columns_, side.split("_")[0]).features.transformer.answer = answer
    with pytest.raises(ValueError, match=f"{side}.*{message}"):
        model.predict(X)


def test_frozen_estimators_are_named_too():
    frozen = pytest.importorskip("sklearn.frozen").FrozenEstimator
    part = OddRegressor(first(np.nan)).fit(X, Y)
    with pytest.raises(ValueError, match="frozen OddRegressor, an expert: predict returned nan"):
        regressor(frozen(part)).fit(X, Y)


def test_probabilities_follow_the_order_of_classes():
    class Backwards(OddClassifier):
        def fit(self, X, y, sample_weight=None):
            super().fit(X, y, sample_weight)
            self.classes_ = self.classes_[::-1]
            return self

        def predict_proba(self, X):
            return super().predict_proba(X)[:, ::-1]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        one, two = (classifier(part).fit(X, CODES).predict_proba(X) for part in (OddClassifier(), Backwards()))
    np.testing.assert_allclose(one, two, atol=1e-12)
