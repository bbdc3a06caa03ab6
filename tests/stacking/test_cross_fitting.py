"""Folds of a stack, and that no model is asked about rows that it knows."""

import numpy as np
import pytest
from problems import few
from sklearn import config_context
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import GroupKFold, KFold, ShuffleSplit, TimeSeriesSplit
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeRegressor

from hme import HMEClassifier, HMERegressor, HMEStackingClassifier, HMEStackingRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

rng = np.random.default_rng(1)
X, y = rng.normal(size=(60, 2)), rng.normal(size=60)
GROUPS = np.repeat(np.arange(6), 10)
LINES = [("ridge", Ridge()), ("least_squares", LinearRegression())]


class Memory(RegressorMixin, BaseEstimator):
    """Knows y of the rows that it has seen, and says 0 of others."""

    def fit(self, X, y):
        self.known_ = {row.tobytes(): value for row, value in zip(X, y, strict=True)}
        return self

    def predict(self, X):
        return np.array([self.known_.get(row.tobytes(), 0.0) for row in X])


def stack(models=LINES, **settings):
    return HMEStackingRegressor(models, HMERegressor(depth=0, max_iter=10), **settings)


def cut(fitted, groups):
    return [set(groups[train]) & set(groups[test]) for train, test in fitted.folds_]


@pytest.mark.parametrize("cv", few([None, TimeSeriesSplit(3, gap=5), 3, KFold(4)], 2))
def test_a_model_that_memorises_has_nothing_to_say(cv):
    fitted = stack([("memory", Memory()), ("ridge", Ridge())], cv=cv).fit(X, y)
    said = fitted.cross_fitted_predictions_[:, 0]
    assert (said[np.isfinite(said)] == 0.0).all() and np.isfinite(said).any()


def test_repeated_rows_share_a_fold():
    fitted = stack([("memory", Memory()), ("ridge", Ridge())]).fit(np.r_[X, X[:30]], np.r_[y, y[:30]])
    assert (fitted.cross_fitted_predictions_[:, 0] == 0.0).all()


@pytest.mark.slow
def test_the_choice_of_a_mixture_sees_no_memory():
    """Pure noise: no mixture is much better than its scale, whatever a model remembers."""
    fitted = HMEStackingRegressor([("memory", Memory()), ("ridge", Ridge())]).fit(X, y)
    assert min(one.error for one in fitted.choice_) > 0.9 * y.std()
    assert fitted.predict(X).std() < 0.5 * y.std()


def test_groups_are_whole():
    for settings in ({}, {"cv": 3}, {"cv": GroupKFold(2)}):
        assert not any(cut(stack(**settings).fit(X, y, groups=GROUPS), GROUPS))
    letters = np.array(list("abcdef"))[GROUPS]
    kept = stack().fit(X, y, np.r_[np.zeros(10), np.ones(50)], groups=letters)
    assert not any(cut(kept, letters)) and len(kept.folds_) == 5
    with pytest.raises(ValueError, match="cv = 7 folds need as many groups; there are 6"):
        stack(cv=7).fit(X, y, groups=GROUPS)
    classes = HMEStackingClassifier([("bayes", GaussianNB())], HMEClassifier(depth=0))
    assert not any(cut(classes.fit(X, y > 0, groups=GROUPS), GROUPS))


def test_growing_windows_leave_rows_out():
    fitted = stack(cv=TimeSeriesSplit(3, gap=5)).fit(X, y)
    assert all(train.max() + 5 < test.min() for train, test in fitted.folds_)
    np.testing.assert_array_equal(np.isnan(fitted.cross_fitted_predictions_[:, 0]), np.arange(60) < 15)


def test_an_iterable_counts_the_rows_of_the_user():
    weight = np.r_[0.0, 0.0, np.ones(58)]
    halves = [(np.arange(30), np.arange(30, 60)), (np.arange(30, 60), np.arange(30))]
    fitted = stack(cv=iter(halves)).fit(X, y, weight)
    for (train, test), (ours, tested) in zip(halves, fitted.folds_, strict=True):
        np.testing.assert_array_equal(np.setdiff1d(train, [0, 1]), ours)
        np.testing.assert_array_equal(np.setdiff1d(test, [0, 1]), tested)
    assert np.isnan(fitted.cross_fitted_predictions_[:2]).all()


@pytest.mark.parametrize(
    "cv, said",
    [
        (1, "cv = 1"),
        (True, "cv = True"),
        ("often", "cv = 'often'"),
        (ShuffleSplit(20), "more than once"),
        ([], "both training and test rows"),
        ([(np.arange(60), np.arange(20))], "rows in both parts"),
    ],
)
def test_folds_that_are_none(cv, said):
    with pytest.raises(ValueError, match=said):
        stack(cv=cv).fit(X, y)


def test_fitted_models_stay_as_they_are():
    models = [("ridge", Ridge().fit(X, y)), ("tree", DecisionTreeRegressor(max_depth=2).fit(X, y))]
    fitted = stack(models, cv="prefit").fit(X + 0.1, y)
    assert fitted.estimators_[0] is models[0][1] and fitted.scale_ == 1.0
    np.testing.assert_array_equal(fitted.cross_fitted_predictions_, fitted.predict_models(X + 0.1))
    with pytest.raises(NotFittedError, match="'ridge'"):
        stack(cv="prefit").fit(X, y)
    with pytest.raises(ValueError, match="default ones are not"):
        HMEStackingRegressor(cv="prefit").fit(X, y)


def test_a_weight_is_a_number_of_rows():
    weight = rng.integers(0, 3, 60)
    by_weight = stack().fit(X, y, weight)
    again = stack().fit(X.repeat(weight, axis=0), y.repeat(weight))
    np.testing.assert_allclose(by_weight.predict(X), again.predict(X), rtol=1e-9)
    np.testing.assert_allclose(by_weight.scale_, again.scale_)


class Coloured(Ridge):
    def fit(self, X, y, sample_weight=None, colour=None):
        assert len(colour) == len(y)
        self.colour_ = colour
        return super().fit(X, y, sample_weight)


def test_routing():
    weight = np.linspace(0.5, 1.5, 60)
    with config_context(enable_metadata_routing=True):
        models = [
            ("coloured", Coloured().set_fit_request(colour=True, sample_weight=False)),
            ("ridge", Ridge().set_fit_request(sample_weight=True)),
        ]
        fitted = stack(models).fit(X, y, weight, colour=np.arange(60), groups=GROUPS)
        assert not any(cut(fitted, GROUPS))
    np.testing.assert_array_equal(fitted.estimators_[0].colour_, np.arange(60))
    np.testing.assert_allclose(fitted.estimators_[0].coef_, Ridge().fit(X, y).coef_)
    np.testing.assert_allclose(fitted.estimators_[1].coef_, Ridge().fit(X, y, weight).coef_)
    with pytest.raises(TypeError, match="'colour'.*enable_metadata_routing"):
        stack().fit(X, y, colour=3)


def test_classes_without_weight_are_no_classes():
    target = np.r_[np.arange(57) % 2, 2, 2, 2]
    fitted = HMEStackingClassifier([("logistic", LogisticRegression())], HMEClassifier(depth=0))
    assert fitted.fit(X, target, np.r_[np.ones(57), np.zeros(3)]).classes_.tolist() == [0, 1]
