"""Stacks from outside: parameters, refusals, awkward tables, and what a fitted one answers."""

import pickle
import re
import warnings
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from problems import few
from sklearn import config_context
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor

from hme import HMEClassifier, HMERegressor, HMEStackingClassifier, HMEStackingRegressor, export_text, scoring
from hme.experts import LinearExpert, StudentExpert
from hme.stacking import final
from hme.stacking.level_one import LevelOne
from hme.stacking.preparation import preparation
from hme.stacking.worth import expert_weights

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

SHORT = {"max_iter": 10, "tol": 1e-3}
rng = np.random.default_rng(0)
X = rng.normal(size=(60, 2))
y = X[:, 0] + np.where(X[:, 1] > 0, X[:, 1], 0.0) + 0.3 * rng.normal(size=60)
c = np.where(y > 0, "yes", "no")


def regressor(models=None, depth=1, **settings):
    models = models or [("ridge", Ridge()), ("tree", DecisionTreeRegressor(max_depth=3, random_state=0))]
    return HMEStackingRegressor(models, HMERegressor(depth=depth, **SHORT), **settings)


def classifier(models=None, depth=1, **settings):
    models = models or [("logistic", LogisticRegression()), ("bayes", GaussianNB())]
    return HMEStackingClassifier(models, HMEClassifier(depth=depth, **SHORT), **settings)


@pytest.fixture(scope="module")
def fitted():
    return regressor().fit(X, y)


@pytest.fixture(scope="module")
def of_classes():
    return classifier().fit(X, c)


# -- parameters --------------------------------------------------------------------------------------------------------


def test_models_are_parameters():
    stack = regressor()
    assert stack.get_params()["ridge__alpha"] == 1.0
    assert stack.get_params(deep=False).keys() == HMEStackingRegressor().get_params().keys()
    stack.set_params(ridge__alpha=3.0, tree="drop")
    assert clone(stack).get_params()["ridge__alpha"] == 3.0
    stack.fit(X, y)
    assert (stack.names_, stack.named_estimators_.tree) == (["ridge"], "drop")
    assert stack.named_estimators_.ridge.alpha == 3.0


def test_search_over_a_model():
    search = GridSearchCV(regressor(depth=0), {"ridge__alpha": [0.1, 1e4], "tree": ["drop"]}, cv=2).fit(X, y)
    assert search.best_params_["ridge__alpha"] == 0.1


@pytest.mark.parametrize(
    "models, said",
    [
        ([("a__b", Ridge())], "'a__b'"),
        ([("cv", Ridge())], "'cv'"),
        ([("a", Ridge()), ("a", Ridge())], "differ"),
        ("ridge", "list of"),
        ([Ridge()], "list of"),
        ([("a", "drop")], "at least one"),
        ([("a", Ridge)], "'a'"),
        ([("a", StandardScaler())], "predict"),
    ],
)
def test_models_that_are_none(models, said):
    with pytest.raises((ValueError, TypeError), match=said):
        HMEStackingRegressor(models).fit(X, y)


def test_only_mixtures_are_final():
    for other in (Ridge(), HMEClassifier()):
        with pytest.raises(TypeError, match="final_estimator = .* must be None or an HMERegressor"):
            HMEStackingRegressor([("ridge", Ridge())], other).fit(X, y)
    with pytest.raises(
        TypeError, match=r"estimators\['r'\] = Ridge\(\) must be an estimator with fit and predict_proba"
    ):
        classifier([("r", Ridge())]).fit(X, c)


@pytest.mark.parametrize("value, name", [("yes", "passthrough"), (None, "positive")])
def test_truth_values(value, name):
    with pytest.raises(ValueError, match=name):
        regressor(**{name: value}).fit(X, y)


def test_targets_that_are_none():
    with pytest.raises(ValueError, match="one class only, 'a'"):
        classifier().fit(X, ["a"] * 60)
    with pytest.raises(ValueError, match="one output"):
        regressor().fit(X, np.c_[y, y])
    with pytest.raises(ValueError, match="out of range"):
        regressor().fit(X, y * 1e300)
    with pytest.raises(ValueError, match="Unknown label type"):
        classifier().fit(X, y)


def test_not_fitted():
    for method in ("predict", "transform", "gate_proba", "estimator_weights", "predict_dist"):
        with pytest.raises(NotFittedError):
            getattr(regressor(), method)(X)


# -- models ------------------------------------------------------------------------------------------------------------


class Awkward(RegressorMixin, BaseEstimator):
    """Does one thing wrong."""

    def __init__(self, kind):
        self.kind = kind

    def fit(self, X, y):
        if self.kind == "fold" and len(y) < 60:
            raise KeyError("no such fold")
        if self.kind == "X":
            X[0, 0] = 99.0
        self.fitted_ = True
        return self

    def predict(self, X):
        if self.kind == "raises":
            raise RuntimeError("boom")
        wrong = {"nan": np.full(len(X), np.nan), "two": np.zeros((len(X), 2)), "short": np.zeros(3)}
        return wrong.get(self.kind, np.zeros(len(X)))


@pytest.mark.parametrize(
    "kind, said",
    [
        ("nan", "'bad'.*returned nan for 12 of 12"),
        ("two", r"'bad'.*shape \(12, 2\)"),
        ("short", r"'bad'.*shape \(3,\)"),
        ("fold", "'bad'.*failed to fit 48 rows"),
        ("X", "'bad'.*changes its X in place"),
        ("raises", "'bad'.*failed on 12 rows: boom"),
    ],
)
def test_models_that_fail_are_named(kind, said):
    stack = regressor([("ridge", Ridge()), ("bad", Awkward(kind))])
    with pytest.raises((ValueError, KeyError, RuntimeError), match=said):
        stack.fit(X, y)
    assert not hasattr(stack, "estimators_")


def test_models_without_weights_are_named_once():
    stack = regressor([("near", KNeighborsRegressor()), ("ridge", make_pipeline(StandardScaler(), Ridge()))])
    with pytest.warns(UserWarning, match="near: .*takes no sample_weight") as caught:
        stack.fit(X, y, np.linspace(0.5, 1.5, 60))
    assert len(caught) == 1 and "ridge" not in str(caught[0].message)


def test_a_model_in_all_folds_of_which_a_class_is_missing():
    rare = np.array(["a", "b", "rare"])[np.r_[np.arange(57) % 2, 2, 2, 2]]
    halves = [(np.arange(45), np.arange(45, 60)), (np.arange(15, 60), np.arange(15))]
    stack = classifier([("bayes", GaussianNB())], cv=halves).fit(X, rare)
    assert (stack.cross_fitted_predictions_[45:, 0, 2] == 0).all()
    assert np.isfinite(stack.predict_log_proba(X)).all()


# -- tables ------------------------------------------------------------------------------------------------------------


def frame():
    table = pd.DataFrame({"a": X[:, 0], "city": rng.choice(["x", "y", "z"], 60), "flag": X[:, 1] > 0})
    return table.assign(kind=pd.Categorical(rng.choice(["u", "v"], 60)))


def prepared(model):
    return make_pipeline(preparation(frame(), scale=True), model)


def test_text_gaps_and_new_levels():
    table, new = frame(), frame().astype({"kind": str})
    table.loc[::9, "city"] = None
    new.loc[0, "city"], new.loc[1, "a"], new.loc[2, "kind"] = "elsewhere", np.nan, "w"
    stack = regressor([("ridge", prepared(Ridge())), ("tree", prepared(DecisionTreeRegressor(max_depth=2)))])
    assert np.isfinite(stack.fit(table, y).predict(new)).all()
    with pytest.raises(ValueError, match="feature names"):
        stack.predict(new[new.columns[::-1]])
    with pytest.raises(TypeError, match="'when' .dates") as error:
        stack.fit(table.assign(when=pd.Timestamp("2020-02-02")), y)
    assert "city" not in str(error.value)


def test_columns_of_the_gate():
    stack = regressor([("ridge", prepared(Ridge()))], gate_features=["city"]).fit(frame(), y)
    assert stack.level_one_.names == ["city_x", "city_y", "city_z"]
    for features, kind in ((["nope"], ValueError), (3, TypeError)):
        with pytest.raises(kind, match="gate_features = "):
            stack.set_params(gate_features=features).fit(frame(), y)


@pytest.mark.parametrize("settings", few([{"passthrough": True}, {}, {"gate_features": []}], 1))
def test_sparse_rows_are_dense_ones(settings):
    make = regressor([("ridge", Ridge()), ("least_squares", LinearRegression())], **settings)
    table = sp.csr_matrix(X)
    ours = clone(make).fit(table, y).predict(table.tocoo())
    if "passthrough" not in settings:  # columns that experts see are not centred where they are sparse
        np.testing.assert_allclose(ours, make.fit(X, y).predict(X), rtol=1e-6)
    assert np.corrcoef(ours, y)[0, 1] > 0.8


def test_sparse_rows_of_a_classifier():
    table = sp.csc_matrix(X)
    assert classifier([("logistic", LogisticRegression())]).fit(table, c).score(table, c) > 0.8


def test_outputs_as_frames_change_nothing():
    fitted = regressor().fit(X, y)
    with config_context(transform_output="pandas"):
        stack = regressor().fit(X, y)
        assert list(stack.transform(X[:1]).columns) == ["ridge", "tree"]
        np.testing.assert_array_equal(stack.predict(X), fitted.predict(X))


def test_targets_of_other_types():
    for target in (c.astype(object), pd.Series(pd.Categorical(c)), c == "yes"):
        stack = classifier(depth=0).fit(X.tolist(), target)
        assert (stack.predict(X) == np.asarray(target)).mean() > 0.8


@pytest.mark.parametrize("n_rows", [2, 3, 6])
def test_few_rows(n_rows):
    stack = HMEStackingRegressor([("ridge", Ridge())]).fit(X[:n_rows], y[:n_rows])
    assert len(stack.folds_) == min(n_rows, 5) and np.isfinite(stack.predict(X)).all()
    with pytest.raises(ValueError, match="cv = 7 folds need as many different rows"):
        stack.set_params(cv=7).fit(X[:n_rows], y[:n_rows])


def test_constant_y():
    stack = HMEStackingRegressor([("ridge", Ridge()), ("tree", DecisionTreeRegressor())], cv=2).fit(X, np.full(60, 7.0))
    np.testing.assert_allclose(stack.predict(X), 7.0)


# -- what a fitted one answers -----------------------------------------------------------------------------------------


def test_distribution(fitted):
    mean, std = fitted.predict(X, return_std=True)
    dist = fitted.predict_dist(X)
    np.testing.assert_allclose(mean, dist.mean())
    np.testing.assert_allclose(std, dist.standard_deviation())
    low, high = fitted.predict_quantiles(X, [0.05, 0.95]).T
    np.testing.assert_allclose(fitted.predict_interval(X), np.c_[low, high])
    np.testing.assert_allclose(dist.cdf(low), 0.05, atol=1e-8)
    assert fitted.sample_y(X, 3, random_state=0).shape == (60, 3)
    assert fitted.crps_score(X, y) == scoring.crps(dist, y) == -scoring.crps_scorer(fitted, X, y)
    assert 0.7 < fitted.scale_ <= 1.0


def test_scale_narrows_the_noise_and_not_the_mean(fitted):
    dist, plain = fitted.predict_dist(X), fitted.final_estimator_.predict_dist(fitted.level_one(X))
    np.testing.assert_allclose(dist.mean(), plain.mean())
    within = dist.components.variance() / plain.components.variance()
    np.testing.assert_allclose(within, fitted.scale_**2)


def test_weights_of_models(fitted, of_classes):
    weights = fitted.estimator_weights(X)
    assert weights.shape == (60, 2) and (weights >= 0).all() and np.abs(weights.sum(axis=1) - 1.0).max() < 0.15
    assert (of_classes.estimator_weights(X) >= 0).all()
    np.testing.assert_allclose(fitted.gate_proba(X).sum(axis=1), 1.0)
    np.testing.assert_allclose(fitted.responsibilities(X, y).sum(axis=1), 1.0)


class Contrary(Ridge):
    def predict(self, X):
        return -super().predict(X)


def test_weights_that_mean_nothing_are_refused():
    with pytest.raises(ValueError, match="passthrough=True"):
        regressor(passthrough=True).fit(X, y).estimator_weights(X)
    stack = regressor([("contrary", Contrary())], depth=0, positive=False).fit(X, y)
    assert (stack.final_estimator_.experts_.coef < 0).any()
    with pytest.raises(ValueError, match="negative.*ablation"):
        stack.estimator_weights(X)
    with pytest.raises(ValueError, match="positive=False"):
        classifier(passthrough=True).fit(X, c)


def test_a_weight_that_rounding_takes_below_its_bound_is_zero():
    mixture = SimpleNamespace(experts_=SimpleNamespace(coef=np.array([[-3e-17, 1.03], [0.2, 0.8]])), n_experts_=2)
    stack = SimpleNamespace(passthrough=False, final_estimator_=mixture, names_=["one", "two"])
    np.testing.assert_array_equal(expert_weights(stack), [[0.0, 1.03], [0.2, 0.8]])


class Nothing(Ridge):
    """Says what has nothing to do with y."""

    def predict(self, X):
        return np.sin(1e5 * X.sum(axis=1))


@pytest.mark.slow
def test_ablation_of_a_useless_model():
    models = [("ridge", Ridge()), ("nothing", Nothing())]
    X = np.random.default_rng(2).normal(size=(300, 2))
    y = X[:, 0] + 0.5 * np.random.default_rng(3).normal(size=300)
    stack = regressor(models, depth=0).fit(X, y)
    lost = dict(zip(*stack.ablation(X, y).to_frame()[["without", "lost"]].to_numpy().T, strict=True))
    assert abs(lost["nothing"]) < 0.02 < 0.2 < lost["ridge"]
    with pytest.raises(ValueError, match="300 rows of the fit"):
        stack.ablation(X[:5], y[:5])
    with pytest.raises(ValueError, match="two models"):
        regressor(models[:1], depth=0).fit(X, y).ablation(X, y)


@pytest.mark.parametrize("gate_features", ["splines", [0, 1, 2]])
def test_text_of_a_mixture_with_columns_of_its_own(gate_features):
    final = HMERegressor(depth=1, gate_features=gate_features, **SHORT)
    stack = HMEStackingRegressor([("ridge", Ridge())], final).fit(X, y)
    shown = export_text(stack)
    assert all(name in shown.splitlines()[0] for name in ("ridge", "x0", "x1"))
    swapped = {"x0": "x1", "x1": "x0"}
    assert export_text(stack, ["x1", "x0"]) == re.sub(r"\bx[01]\b", lambda name: swapped[name.group()], shown)


def test_text(fitted, of_classes):
    assert "ridge" in export_text(fitted) and "leaf 1" in export_text(fitted)
    assert "bayes" in export_text(of_classes)
    names = [f"column {j}" for j in range(fitted.n_features_in_)]
    assert export_text(fitted, names) == re.sub(r"\bx(\d)\b", r"column \1", export_text(fitted))
    with pytest.raises(ValueError, match="feature_names has 1 names for"):
        export_text(fitted, names[:1])
    level = LevelOne(None, ["site_a", "site_b", "age", "ridge of X"], ["ridge", "Ort"])
    renamed = {"site_a": "Ort_a", "site_b": "Ort_b", "age": "Ort of X", "ridge of X": "r"}
    assert level.called(["site", "ridge", "age"], ["Ort", "r", "Ort"]) == renamed


def test_choice_prints_and_travels():
    stack = HMEStackingRegressor([("ridge", Ridge())], cv=2).fit(X[:15], y[:15])
    assert "one stack, Student noise" in str(stack.choice_) and len(stack.choice_.to_frame()) == len(stack.choice_)
    again = pickle.loads(pickle.dumps(stack))
    assert str(again.choice_) == str(stack.choice_)
    np.testing.assert_array_equal(again.predict(X), stack.predict(X))


def test_jobs_and_seeds_change_nothing():
    again = regressor(random_state=0).fit(X, y)
    np.testing.assert_array_equal(again.predict(X), regressor(random_state=0).fit(X, y).predict(X))
    np.testing.assert_allclose(regressor().fit(X, y).predict(X), again.predict(X))


@pytest.mark.slow
def test_several_jobs():
    np.testing.assert_array_equal(regressor(n_jobs=2).fit(X, y).predict(X), regressor().fit(X, y).predict(X))


def test_new_rows_have_a_mean_and_a_variance_under_heavy_tails():
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (120, 1))
    y = X[:, 0] + 0.1 * rng.standard_cauchy(120)
    given = HMERegressor(depth=0, expert=StudentExpert(df=0.8, nonnegative=True))
    stack = HMEStackingRegressor([("line", Ridge())], given).fit(X, y)
    assert np.isfinite(stack.predict(X, return_std=True)[1]).all() and np.isfinite(stack.crps_score(X, y))
    assert np.isinf(stack.predict_dist(X, density="plug-in").variance()).all()


def test_ablation_is_of_the_mixture_that_was_given():
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (120, 1))
    y = np.abs(X[:, 0]) + 0.1 * rng.standard_normal(120)
    models = [("line", LinearRegression()), ("tree", DecisionTreeRegressor(max_leaf_nodes=3, random_state=0))]
    for depth in (0, 1):
        given = HMERegressor(depth=depth, expert=LinearExpert(alpha=3.0, nonnegative=True), max_iter=5)
        stack = HMEStackingRegressor(models, given).fit(X, y)
        folds = stack.folds_
        expected = []
        for train, test in folds:
            table = stack.level_one_.join(stack.cross_fitted_predictions_, stack.level_one_.columns(X))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                fitted = clone(stack.final_estimator_).fit_for_search(table[train], y[train])
            expected.append(fitted.predict_dist(table[test]).logpdf(y[test]))
        assert stack.ablation(X, y).rows[0][1] == pytest.approx(np.concatenate(expected).mean(), rel=1e-9)


def test_a_smaller_error_does_not_pay_for_a_worse_log_score(monkeypatch):
    def held_out(problem, make, score, candidate):
        told = {(0, 0): (-1.0, 1.0), (1, 1): (-1.2, 0.9)}.get(candidate[:2], (-1.5, 1.2))
        return final.Scored(candidate, *told, np.full(len(y), told[0]))

    monkeypatch.setattr(final, "held_out", held_out)
    rows = np.arange(len(y))
    problem = final.Problem(rows, X, y, np.ones(len(y)), [(rows[:30], rows[30:]), (rows[30:], rows[:30])], "RMSE")
    assert final.choose(problem, None, None, several=True).chosen.depth == 0
