"""Choice by cross-validated log scores, and the mixture of the fold models."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.model_selection import KFold, ShuffleSplit
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks

import hme
from hme import HMEClassifier, HMEClassifierCV, HMERegressor, HMERegressorCV
from hme.inference import infer
from hme.selection.folds import Problem, folds_of
from hme.selection.race import Fitted, run

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 2))
Y = np.abs(X[:, 0]) + 0.2 * RNG.normal(size=120)
LABELS = np.array(["in", "out"])[(np.abs(X[:, 0]) > 0.7).astype(int)]
LINE = HMERegressor(depth=1, start="model_tree", tol=1e-2)
SIZES = [{"depth": 0}, {"depth": 1}]
SHORT = {"max_iter": 25, "tol": 1e-3}


def checks_of(*estimators, every):
    """scikit-learn's checks of estimators, but for one in `every` behind the mark of slow tests."""
    for estimator in estimators:
        for place, (model, check) in enumerate(estimator_checks_generator(estimator)):
            name = getattr(check, "func", check).__name__
            marks = [pytest.mark.slow] if place % every or "sparse" in name else []
            yield pytest.param(model, check, id=f"{type(model).__name__}-{name}-{place}", marks=marks)


LINES = [{}, {"standardize": False}]


@pytest.mark.parametrize(
    "estimator, check",
    checks_of(
        HMERegressorCV(HMERegressor(depth=0, **SHORT), LINES, cv=2),
        HMEClassifierCV(HMEClassifier(depth=0, **SHORT), LINES, cv=2),
        every=6,
    ),
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks(
    [
        HMERegressorCV(HMERegressor(depth=1, **SHORT), SIZES, cv=2),
        HMEClassifierCV(HMEClassifier(depth=1, **SHORT), SIZES, cv=2),
    ]
)
def test_scikit_learn_checks_of_trees(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def model():
    return HMERegressorCV(LINE, SIZES, cv=3).fit(X, Y)


def test_scores_are_log_densities_of_rows_that_fits_have_not_seen():
    splits = list(KFold(3).split(X))
    model = HMERegressorCV(LINE, SIZES, cv=splits).fit(X, Y)
    for c, params in enumerate(SIZES):
        for f, (train, test) in enumerate(splits):
            score = model.cv_results_[f"split{f}_test_score"][c]
            own = clone(LINE).set_params(**params).fit(X[train], Y[train]).predict_dist(X[test]).logpdf(Y[test])
            assert score == pytest.approx(own.mean(), abs=1e-7) or (f > 0 and model.cv_results_["dropped"][c])
    assert model.best_params_ == {"depth": 1} and model.best_index_ == 1
    assert model.best_score_ == model.cv_results_["mean_test_score"].max()
    assert list(model.cv_results_["rank_test_score"]) == [2, 1]
    assert list(model.cv_results_["param_depth"]) == [0, 1]


def test_models_answer_as_one_mixture(model):
    members = []
    for w, models, refit in zip(model.weights_, model.fold_estimators_, model.refit_estimators_, strict=True):
        members += [(0.5 * w / 3, one) for one in models] + ([(0.5 * w, refit)] if w else [])
    expected = hme.average([one for _, one in members], [w for w, _ in members])
    np.testing.assert_allclose(model.predict(X), expected.predict(X))
    np.testing.assert_allclose(model.predict_dist(X).logpdf(Y), expected.predict_dist(X).logpdf(Y))
    assert sum(w for w, _ in model.members_) == pytest.approx(1.0)
    assert model.score(X, Y) > 0.7 and model.crps_score(X, Y) < 0.3
    folds = clone(model).set_params(predict_from="folds").fit(X, Y)
    means = [np.mean([one.predict(X) for one in models], axis=0) for models in folds.fold_estimators_ if models]
    np.testing.assert_allclose(folds.predict(X), np.average(means, 0, folds.weights_[folds.weights_ > 0]))


def test_the_refit_is_a_model_of_all_rows(model):
    refit = clone(model).set_params(predict_from="refit").fit(X, Y)
    alone = clone(LINE).fit(X, Y)
    np.testing.assert_allclose(refit.predict(X), alone.predict(X), rtol=1e-9)
    np.testing.assert_allclose(model.best_estimator_.predict(X), alone.predict(X), rtol=1e-9)
    assert hme.export_text(model) == f"best_estimator_ of HMERegressorCV:\n{hme.export_text(model.best_estimator_)}"
    with pytest.raises(TypeError, match="got HMERegressorCV; .* its best_estimator_"):
        infer(model, X, Y)


def test_weights_are_shares_by_em():
    # Halves of the rows, each of which another candidate is sure of: shares are one half, and the mixture is better.
    score = np.where(np.arange(40) % 2 == 0, 0.0, -9.0)
    race = run(2, 2, lambda c, f, task: Fitted(None, -9.0 - score if c else score, np.ones(40), 0.0, 0.0))
    np.testing.assert_allclose(race.shares(), 0.5, atol=1e-4)
    mixed, single = race.honest()
    assert single == pytest.approx(-4.5) and mixed == pytest.approx(np.log(0.5), abs=1e-3)


def test_choice_is_scored_by_rows_that_it_has_not_seen():
    # A candidate that is best on each fold but one, where it fails, is chosen for that fold by the others.
    table = np.array([[0.0, 0.0, -3.0], [-1.0, -1.0, -1.0]])
    race = run(2, 3, lambda c, f, task: Fitted(None, np.full(5, table[c, f]), np.ones(5), 0.0, 0.0))
    assert list(race.alive) == [0] or race.honest()[1] == pytest.approx((table[1, 0] + table[1, 1] - 3.0) / 3)


def test_laggards_and_what_a_budget_cannot_pay_are_left_out():
    calls = []

    def fit(c, f, task):
        calls.append((c, f))
        score = np.linspace(-1, 1, 50) * (1 + c) - [0.0, 0.1, 50.0][c]
        return Fitted(None, score, np.ones(50), 10.0 * (c + 1), 0.0)

    race = run(3, 3, fit)
    assert list(race.alive) == [0, 1] and calls == [(0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (0, 2), (1, 2)]
    calls.clear()
    race = run(3, 3, fit, budget=1e-9)
    assert list(race.alive) == [0] and race.n_folds == 1 and len(calls) == 3


def test_weights_are_repeated_rows(model):
    weight = RNG.integers(0, 3, 120)
    weighted = clone(model).fit(X, Y, sample_weight=weight)
    order = RNG.permutation(int(weight.sum()))
    repeated = clone(model).fit(np.repeat(X, weight, axis=0)[order], np.repeat(Y, weight)[order])
    np.testing.assert_allclose(weighted.predict(X), repeated.predict(X), rtol=1e-6)
    np.testing.assert_allclose(weighted.folds_score_, repeated.folds_score_, rtol=1e-6)
    np.testing.assert_allclose(
        weighted.cv_results_["std_test_score"], repeated.cv_results_["std_test_score"], rtol=1e-6
    )


@pytest.mark.slow
def test_results_do_not_depend_on_n_jobs(model):
    parallel = clone(model).set_params(n_jobs=2).fit(X, Y)
    np.testing.assert_array_equal(parallel.predict(X), model.predict(X))


def test_rounded_targets_are_compared_by_probabilities_of_cells():
    rounded = HMERegressorCV(LINE, SIZES, cv=2).fit(X, np.round(Y))
    assert -2.0 < rounded.best_score_ < 0.0


def test_classifiers():
    model = HMEClassifierCV(HMEClassifier(start="kmeans", tol=1e-2), SIZES, cv=3).fit(X, LABELS)
    assert model.best_params_ == {"depth": 1} and list(model.classes_) == ["in", "out"]
    members = [one.predict_proba(X) for _, one in model.members_]
    np.testing.assert_allclose(model.predict_proba(X), np.average(members, 0, [w for w, _ in model.members_]))
    assert model.folds_score_ > np.log(0.5)


def test_a_class_of_one_row_is_not_asked_about():
    labels = LABELS.astype(object)
    labels[0] = "odd"
    model = HMEClassifierCV(HMEClassifier(start="kmeans", tol=1e-2), [{"depth": 0}], cv=2).fit(X, labels.astype(str))
    assert model.best_score_ > -2.0 and model.predict_proba(X).shape == (120, 3)


def test_row_arguments_and_groups():
    counts = RNG.poisson(np.exp(0.5 * X[:, 0]) * 3.0)
    model = HMERegressorCV(HMERegressor(expert="poisson", start="model_tree", tol=1e-2), SIZES, cv=2)
    model.fit(X, counts, offset=np.log(3.0))
    dist = model.predict_dist(X, offset=0.0)
    assert dist.discrete and model.predict(X, offset=0.0).mean() < 2.0
    groups = np.repeat(np.arange(30), 4)
    model = HMERegressorCV(HMERegressor(depth=1, gate="constant", start="model_tree", tol=1e-2), [{}], cv=3).fit(
        X, Y, groups=groups
    )
    assert sum(len(one) for one in [model.fold_estimators_[0]]) == 3
    with pytest.raises(ValueError, match="cv cuts through groups"):
        clone(model).set_params(cv=KFold(7)).fit(X, Y, groups=groups)


def test_default_candidates():
    bent = [{"expert_features": "splines"}, {"expert_features": "squares"}]
    model = HMERegressorCV(HMERegressor(depth=0), cv=2).fit(X, Y)
    assert model.candidates_ == [{}, *bent] and model.best_params_ in bent
    for settings, table in (({"expert_features": [0]}, X), ({}, X[:40]), ({}, np.sign(X)), ({}, sp.csr_matrix(X))):
        own = HMERegressorCV(HMERegressor(depth=0, **settings), cv=2).fit(table, Y[: table.shape[0]])
        assert own.candidates_ == [{}]


def test_tables_with_text_and_names():
    table = pd.DataFrame({"x": X[:, 0], "kind": np.where(X[:, 1] > 0, "new", "old")})
    model = HMERegressorCV(
        HMERegressor(expert_features=["x"], gate_features=["x"], start="model_tree", tol=1e-2), SIZES, cv=2
    )
    model.fit(table, Y)
    assert list(model.feature_names_in_) == ["x", "kind"]
    assert model.predict(table[:3]).shape == (3,)


@pytest.mark.parametrize(
    "settings, error, said",
    [
        ({"estimator": HMEClassifier()}, TypeError, "must be None or an HMERegressor"),
        ({"candidates": {}}, TypeError, "must be a list"),
        ({"candidates": [3]}, TypeError, r"candidates\[0\] = 3 must be a dict"),
        ({"candidates": [{"deep": 3}]}, ValueError, r"candidates\[0\] = .*Invalid parameter 'deep'"),
        ({"candidates": [{}, {"depth": -1}]}, ValueError, r"candidates\[1\] = .*depth"),
        ({"candidates": [{}, {"expert": "poisson"}]}, ValueError, r"candidates\[1\] = .* has a mass of y"),
        ({"cv": 1}, ValueError, "cv = 1 must be at least 2"),
        ({"cv": 500}, ValueError, "cv = 500 folds need as many different rows; there are n_samples = 120"),
        ({"cv": "prefit"}, ValueError, "cv = 'prefit' must be None, an int"),
        ({"cv": [(np.arange(120), np.arange(5))]}, ValueError, "rows on both sides"),
        ({"predict_from": "both"}, ValueError, "predict_from must be one of 'all', 'folds', 'refit'"),
        ({"budget": 0}, ValueError, "budget must be a finite number > 0"),
    ],
)
def test_bad_settings_are_refused_by_name(model, settings, error, said):
    with pytest.raises(error, match=said):
        clone(model).set_params(**settings).fit(X, Y)


def test_default_folds():
    problem = Problem(X, Y, np.ones(120), {}, np.arange(120))
    five = folds_of(None, problem, False)
    np.testing.assert_array_equal(np.sort(np.concatenate([fold.test for fold in five])), np.arange(120))
    assert len(five) == 5 and all((fold.weight[fold.test] == 0).all() and fold.weight.sum() == 96 for fold in five)
    n = 6000
    many = folds_of(None, Problem(np.ones((n, 1)), np.ones(n), np.ones(n), {}, np.arange(n)), False)
    assert [len(fold.test) for fold in many] == [1200] * 3


def test_a_splitter_may_leave_rows_out(model):
    drawn = clone(model).set_params(cv=ShuffleSplit(2, test_size=0.2, random_state=0)).fit(X, Y)
    assert drawn.n_splits_ == 2 and np.isfinite(drawn.predict(X)).all()
