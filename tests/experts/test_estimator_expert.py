"""Any estimator as an expert: cross-fitting, noise, weights by resampling, frozen models, and what can go wrong."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from problems import slow_case
from scipy.optimize import minimize_scalar
from scipy.stats import laplace, t
from sklearn import config_context
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.datasets import load_diabetes, load_iris
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from hme import HMEClassifier, HMERegressor, export_text
from hme.experts import EstimatorExpert, LinearExpert, TreeExpert
from hme.experts.noise.classes import Classes
from hme.gates import TopKGate
from hme.model.design import Design
from hme.model.folds import fold_numbers
from hme.model.refits import resample, weight_name
from hme.model.rows import Rows

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # few rows, few sweeps

K, CV = 3, 4
DESIGN = Design(np.zeros(2), np.ones(2), True)
RNG = np.random.default_rng(0)
N = 200
X = RNG.normal(size=(N, 2))
Y = np.where(X[:, 0] < 0, 1 + X[:, 1], 2 - X[:, 0]) + 0.2 * RNG.normal(size=N)
CLASSES = np.where(X[:, 0] < 0, (X[:, 1] > 0).astype(int), 2)


def make_rows(kind="numbers", n=90, **arrays):
    rng = np.random.default_rng(1)
    A = np.column_stack([rng.normal(size=(n, 2)), np.ones(n)])
    y = np.stack([A[:, 0] + 0.3 * rng.normal(size=n)], axis=1)
    if kind == "two outputs":
        y = np.column_stack([y, A[:, 1] + rng.normal(size=n)])
    if kind == "classes":
        y = (A[:, 0] > 0.3).astype(int) + (A[:, 1] > 1)
        y[:3] = 0, 1, 2
    rows = Rows(A, A, y, rng.uniform(0.5, 2.0, size=n), **arrays)
    return rows._replace(fold=fold_numbers(rows))


def make_resp(rows, n_experts=K):
    return np.random.default_rng(2).dirichlet(np.ones(n_experts), rows.n_rows) * rows.weight[:, None]


def fitted(expert, rows, resp):
    expert = expert.bind(rows, DESIGN)
    return expert, expert.init(rows, resp)


# -- cross-fitting ----------------------------------------------------------------------------------------------------


def test_a_training_row_is_answered_by_the_fit_that_has_not_seen_it():
    rows = make_rows("two outputs")
    resp = make_resp(rows)
    expert, params = fitted(EstimatorExpert(Ridge(), cv=CV, variance_prior=None), rows, resp)
    assert params.estimator.shape == (K, CV + 1)
    A, fold = rows.X[:, :-1], rows.fold % CV
    naive = np.empty((rows.n_rows, K, 2))
    for k in range(K):
        for c in range(CV):
            ridge = Ridge().fit(A[fold != c], rows.y[fold != c], sample_weight=resp[fold != c, k])
            naive[fold == c, k] = ridge.predict(A[fold == c])
        whole = Ridge().fit(A, rows.y, sample_weight=resp[:, k])
        new = expert.predict(params, rows._replace(fold=None))[:, k]
        np.testing.assert_allclose(new, whole.predict(A), atol=1e-5)  # responsibilities are rounded to 1e-6
    np.testing.assert_allclose(expert.predict(params, rows), naive, atol=1e-5)
    variance = np.einsum("nk,nkt->kt", resp, (rows.y[:, None] - naive) ** 2) / resp.sum(axis=0)[:, None]
    np.testing.assert_allclose(params.variance, variance, rtol=1e-4)
    log_prob = -0.5 * ((rows.y[:, None] - naive) ** 2 / variance + np.log(2 * np.pi * variance)).sum(axis=2)
    np.testing.assert_allclose(expert.log_prob(params, rows), log_prob, rtol=1e-4, atol=1e-4)
    # Blocks, in any order, know their folds.
    np.testing.assert_array_equal(
        expert.log_prob(params, rows[np.arange(40)[::-1]]), expert.log_prob(params, rows)[:40][::-1]
    )


@pytest.mark.parametrize("cv", [None, 1])
def test_in_sample_there_is_one_fit(cv):
    rows = make_rows()
    expert, params = fitted(EstimatorExpert(LinearRegression(), cv=cv), rows, make_resp(rows))
    assert params.estimator.shape == (K, 1) and not expert.traits.cross_fitted
    np.testing.assert_array_equal(expert.predict(params, rows), expert.predict(params, rows._replace(fold=None)))


def test_rows_by_heart_are_told_from_rows_that_are_known():
    """One nearest neighbour knows its own rows: in sample its noise is at the floor, cross-fitted it is what it is."""
    near = KNeighborsRegressor(1)
    fits = {cv: HMERegressor(depth=0, expert=EstimatorExpert(near, cv=cv)).fit(X, Y) for cv in (5, None)}
    assert fits[None].experts_.scale[0] < 0.03
    error = np.sqrt(-cross_val_score(near, X, Y, scoring="neg_mean_squared_error").mean())
    np.testing.assert_allclose(fits[5].experts_.scale[0], error, rtol=0.1)


@pytest.mark.slow
def test_trees_collapse_in_sample_only():
    rng = np.random.default_rng(3)
    A = rng.normal(size=(1200, 3))
    b = np.where(A[:, 0] < 0, A[:, 1], 2 - A[:, 2]) + 0.5 * rng.normal(size=1200)
    gap = {}
    for cv in (5, None):
        model = HMERegressor(n_experts=4, expert=TreeExpert(cv=cv), max_iter=15).fit(A[:600], b[:600])
        gap[cv] = model.lower_bounds_.max() - model.log_likelihood(A[600:], b[600:]).mean()
    assert abs(gap[5]) < 0.15 < 0.4 < gap[None]


@pytest.mark.slow
def test_equal_rows_share_a_fold_and_a_weight_is_a_repetition():
    times = np.arange(N) % 3 + 1
    for expert in (TreeExpert(), DecisionTreeRegressor(min_weight_fraction_leaf=0.05), EstimatorExpert(Ridge())):
        model = HMERegressor(n_experts=2, expert=expert, max_iter=2)
        weighted = clone(model).fit(X, Y, sample_weight=times)
        repeated = clone(model).fit(X.repeat(times, axis=0), Y.repeat(times))
        np.testing.assert_allclose(weighted.predict(X), repeated.predict(X), rtol=1e-8, atol=1e-10)
        np.testing.assert_allclose(weighted.lower_bounds_, repeated.lower_bounds_, rtol=1e-8, atol=1e-10)


def test_all_rows_in_one_fold_and_folds_without_rows():
    rows = make_rows()
    resp = make_resp(rows)
    together = rows._replace(fold=np.full(rows.n_rows, 7))
    expert, params = fitted(EstimatorExpert(LinearRegression(), cv=CV), together, resp)
    mean = rows.weight @ rows.y[:, 0] / rows.weight.sum()
    np.testing.assert_allclose(expert.predict(params, together), np.full((90, K, 1), mean))
    whole = expert.predict(params, together._replace(fold=None))[:, 0, 0]
    line = LinearRegression().fit(rows.X[:, :-1], rows.y[:, 0], resp[:, 0])
    np.testing.assert_allclose(whole, line.predict(rows.X[:, :-1]), atol=1e-5)


def test_a_fold_that_has_all_of_an_expert_is_answered_by_the_fit_of_the_others():
    rows = make_rows()
    fold = rows.fold % CV
    resp = np.where(fold[:, None] == 0, [[1.0, 0.0]], [[0.0, 1.0]]) * rows.weight[:, None]
    expert, params = fitted(EstimatorExpert(Ridge(), cv=CV), rows, resp)
    A = rows.X[:, :-1]
    others = Ridge().fit(A[fold != 0], rows.y[fold != 0, 0], sample_weight=rows.weight[fold != 0])
    np.testing.assert_allclose(expert.predict(params, rows)[fold == 0, 0, 0], others.predict(A[fold == 0]), atol=1e-5)


# -- noise and shares -------------------------------------------------------------------------------------------------


def noise_around(noise, df, rows, prior=None):
    """The noise of that name, bound to a training table."""
    expert = EstimatorExpert(noise=noise, df=df, variance_prior=prior, variance_floor=1e-9)
    return expert.bind(rows, DESIGN).answers_


@pytest.mark.parametrize("prior", [None, (3.0, 0.5)])
def test_the_scale_is_the_maximiser(prior):
    rows = make_rows("two outputs")
    resp = make_resp(rows)
    prediction = np.random.default_rng(5).normal(size=(90, K, 2))
    for noise, df in (("gaussian", 4.0), ("student", 2.5), ("laplace", 4.0)):
        law = noise_around(noise, df, rows, prior)
        learned = law.fit(rows, prediction, resp)

        def objective(noise, law=law):
            return (resp * law.log_prob(noise, rows, prediction)).sum() + law.log_prior(noise)

        reached = objective(learned)
        for k in range(K):
            for output in range(2):
                for factor in (0.999, 1.001):
                    moved = learned.variance.copy()
                    moved[k, output] *= factor
                    assert objective(learned._replace(variance=moved)) < reached


def test_laws_are_those_of_scipy():
    rows = make_rows()
    prediction = np.zeros((90, K, 1))
    student = noise_around("student", 3.0, rows)
    learned = student.fit(rows, prediction, make_resp(rows))
    expected = t.logpdf(rows.y, 3.0, scale=np.sqrt(learned.variance[:, 0]))
    np.testing.assert_allclose(student.log_prob(learned, rows, prediction), expected, rtol=1e-10)
    np.testing.assert_allclose(student.variance(learned, rows, prediction)[0], 3.0 * learned.variance)
    double = noise_around("laplace", 3.0, rows)
    learned = double.fit(rows, prediction, make_resp(rows))
    resp = make_resp(rows)
    np.testing.assert_allclose(  # but for the rounded corner
        np.sqrt(learned.variance[:, 0]), (resp * np.abs(rows.y)).sum(axis=0) / resp.sum(axis=0), rtol=1e-3
    )
    expected = laplace.logpdf(rows.y, scale=np.sqrt(learned.variance[:, 0]))
    np.testing.assert_allclose(double.log_prob(learned, rows, prediction), expected, atol=1e-2)


def test_degrees_of_freedom_are_estimated():
    A = np.random.default_rng(6).normal(size=(3000, 2))
    b = A[:, 0] + t.rvs(3.0, size=3000, random_state=7)
    model = HMERegressor(depth=0, expert=EstimatorExpert(LinearRegression(), noise="student", df="estimate")).fit(A, b)
    df, _, scale = t.fit(b - LinearRegression().fit(A, b).predict(A), floc=0.0)
    np.testing.assert_allclose(model.experts_.df[0], df, rtol=0.02)
    np.testing.assert_allclose(model.experts_.scale[0], scale, rtol=0.02)


def test_outliers_cost_student_noise_less():
    b = Y.copy()
    b[::20] += 30.0
    score = {
        noise: HMERegressor(depth=0, expert=EstimatorExpert(Ridge(), noise=noise)).fit(X, b).log_likelihood(X, Y).mean()
        for noise in ("gaussian", "student", "laplace")
    }
    assert score["student"] > score["gaussian"] + 0.5 and score["laplace"] > score["gaussian"] + 0.5


def test_the_share_of_the_frequencies_is_the_maximiser():
    rows = make_rows("classes")
    resp = make_resp(rows)
    prediction = np.random.default_rng(8).dirichlet(np.ones(3), (90, K))
    prediction[rows.y == 1, 0] = [1.0, 0.0, 0.0]  # probability zero for what happens
    law = Classes(1.5, rows)
    learned = law.fit(rows, prediction, resp)
    assert np.isfinite(law.log_prob(learned, rows, prediction)).all()
    for k in range(K):

        def loss(share, k=k):
            own = law.log_prob(learned._replace(share=np.full(K, share)), rows, prediction)[:, k]
            return -(resp[:, k] @ own + 1.5 * np.log(share))

        best = minimize_scalar(loss, bounds=(1e-9, 1.0), method="bounded", options={"xatol": 1e-10}).x
        np.testing.assert_allclose(learned.share[k], best, atol=1e-6)
    mean = law.mean(learned, rows, prediction)
    np.testing.assert_allclose(mean.sum(axis=2), 1.0)
    perfect = law.fit(rows, np.eye(3)[rows.y][:, None].repeat(K, axis=1), resp)
    least = 1.5 / (resp.sum(axis=0) + 1.5)
    assert (perfect.share >= least).all() and (perfect.share < 2.5 * least).all()


# -- weights ----------------------------------------------------------------------------------------------------------


def test_resampling_is_in_proportion():
    weight = RNG.gamma(0.5, size=300)
    for n_draws in (7, 300, 1000):
        times = np.bincount(resample(weight, n_draws), minlength=300)
        share = weight / weight.sum() * n_draws
        assert (times >= np.floor(share - 1e-9)).all() and (times <= np.ceil(share + 1e-9)).all()
    np.testing.assert_array_equal(resample(np.full(50, 0.3), 50), np.arange(50))
    np.testing.assert_array_equal(resample(np.array([2.0, 0.0, 1.0]), 3), [0, 0, 2])


def test_the_name_of_the_weights():
    assert weight_name(Ridge()) == "sample_weight"
    assert weight_name(KNeighborsRegressor()) is None
    assert weight_name(make_pipeline(StandardScaler(), Ridge())) == "ridge__sample_weight"
    assert weight_name(make_pipeline(StandardScaler(), KNeighborsRegressor())) is None
    assert weight_name(make_pipeline(StandardScaler(), "passthrough")) is None
    assert weight_name(GridSearchCV(Ridge(), {"alpha": [1.0]})) == "sample_weight"
    assert weight_name(GridSearchCV(KNeighborsRegressor(), {"n_neighbors": [1]})) is None
    assert weight_name(TransformedTargetRegressor(Ridge())) == "sample_weight"


@pytest.mark.slow
@pytest.mark.parametrize("n_jobs", [None, slow_case(2)])
def test_routing_around_the_model_changes_no_fit_of_an_expert(n_jobs):
    X, y = load_diabetes(return_X_y=True)
    expert = EstimatorExpert(make_pipeline(StandardScaler(), Ridge()), n_jobs=n_jobs)
    model = HMERegressor(n_experts=2, expert=expert, max_iter=3)
    plain = model.fit(X, y).predict(X)
    with config_context(enable_metadata_routing=True):
        np.testing.assert_array_equal(model.fit(X, y).predict(X), plain)


def test_pipelines_are_weighed_in_their_last_step():
    rows = make_rows()
    resp = make_resp(rows)
    plain, params = fitted(EstimatorExpert(Ridge(alpha=1e-6), cv=CV), rows, resp)
    pipe, piped = fitted(EstimatorExpert(make_pipeline(StandardScaler(), Ridge(alpha=1e-6)), cv=CV), rows, resp)
    np.testing.assert_allclose(pipe.log_prob(piped, rows), plain.log_prob(params, rows), rtol=1e-5, atol=1e-6)


def test_without_weights_rows_are_drawn_whatever_their_order():
    rows = make_rows()._replace(weight=np.ones(90))
    whole = make_resp(rows)
    order = np.random.default_rng(9).permutation(90)
    expert = EstimatorExpert(KNeighborsRegressor(3), cv=CV)
    bound, params = fitted(expert, rows, whole)
    again, params_again = fitted(expert, rows[order], whole[order])
    np.testing.assert_allclose(again.log_prob(params_again, rows), bound.log_prob(params, rows), rtol=1e-10)
    # An expert that has all rows is fitted to each of them once, as without weights.
    bound, params = fitted(expert, rows, np.ones((90, 1)))
    naive = KNeighborsRegressor(3).fit(rows.X[:, :-1], rows.y[:, 0]).predict(rows.X[:, :-1])
    np.testing.assert_allclose(bound.predict(params, rows._replace(fold=None))[:, 0, 0], naive)


@pytest.mark.slow
def test_n_jobs_and_repeated_fits_give_the_same():
    forest = RandomForestRegressor(5, min_samples_leaf=3)
    models = [
        HMERegressor(n_experts=2, expert=EstimatorExpert(forest, cv=3, n_jobs=n_jobs), max_iter=2).fit(X, Y)
        for n_jobs in (None, 2, None)
    ]
    for model in models[1:]:
        np.testing.assert_array_equal(model.lower_bounds_, models[0].lower_bounds_)
        np.testing.assert_array_equal(model.predict(X), models[0].predict(X))
    assert forest.random_state is None and not hasattr(forest, "estimators_")  # the user's is not touched


# -- what can go wrong ------------------------------------------------------------------------------------------------


class Odd(RegressorMixin, BaseEstimator):
    """Predicts nonsense, or refuses few rows."""

    def __init__(self, answer=np.nan, fewest=0):
        self.answer = answer
        self.fewest = fewest

    def fit(self, X, y, sample_weight=None):
        if len(X) < self.fewest:
            raise ValueError(f"{len(X)} rows are too few")
        self.mean_ = np.average(y, weights=sample_weight)
        return self

    def predict(self, X):
        return np.where(np.arange(len(X)) % 2, self.answer, self.mean_)


def test_predictions_that_explode_are_clipped():
    model = HMERegressor(n_experts=2, expert=EstimatorExpert(Odd(1e300)), max_iter=5).fit(X, Y)
    farthest = np.abs(model.predict(X) - Y.mean()).max()
    assert farthest <= 10 * np.abs(Y - Y.mean()).max() * (1 + 1e-12)
    assert np.isfinite(model.lower_bounds_).all() and np.isfinite(model.experts_.scale).all()


def test_an_estimator_that_always_fails_is_named():
    message = r"the estimator of the experts, Odd\(answer=0.0, fewest=1000\): \d+ rows are too few"
    with pytest.raises(ValueError, match=message):
        HMERegressor(n_experts=2, expert=EstimatorExpert(Odd(0.0, fewest=1000))).fit(X, Y)


def test_an_expert_that_fails_takes_the_fit_of_all_rows():
    rows = make_rows()
    resp = np.tile([1.0, 0.0], (90, 1))
    resp[:5] = 0.0, 1.0
    expert, params = fitted(EstimatorExpert(Odd(2.0, fewest=20), cv=CV), rows, resp * rows.weight[:, None])
    np.testing.assert_array_equal(params.failed, [0, CV + 1])
    assert params.estimator[1, -1].mean_ == np.average(rows.y[:, 0], weights=rows.weight)
    (sentence,) = expert.warnings(params, resp)
    assert "expert(s) [1]" in sentence and "fewer experts" in sentence
    # Later on it keeps what it had.
    later = expert.update(params, resp[:, ::-1] * rows.weight[:, None], rows)
    assert later.estimator[0, -1] is params.estimator[0, -1] and later.failed[0] == CV + 1 and later.failed[1] == 0


def test_few_rows_for_neighbours():
    rows = make_rows()
    resp = np.tile([1.0, 0.0], (90, 1))
    resp[:4] = 0.0, 1.0
    expert, params = fitted(EstimatorExpert(KNeighborsRegressor(30), cv=CV), rows, resp * rows.weight[:, None])
    assert params.failed[1] and np.isfinite(expert.log_prob(params, rows)).all()


def test_a_starving_expert_keeps_its_fit():
    rows = make_rows()
    resp = make_resp(rows, 2)
    expert, params = fitted(TreeExpert(), rows, resp)
    starved = np.column_stack([rows.weight, 1e-9 * rows.weight])
    later = expert.update(params, starved, rows)
    assert (later.estimator[1] == params.estimator[1]).all() and (later.failed == 0).all()
    assert np.isfinite(expert.log_prob(later, rows)).all()


@pytest.mark.parametrize(
    "expert, error, message",
    [
        (EstimatorExpert(LinearSVC()), TypeError, "LinearSVC.* has no predict_proba"),
        (EstimatorExpert(3), TypeError, "estimator = 3 must be a scikit-learn estimator"),
        (EstimatorExpert(cv=0), ValueError, "cv must be an integer >= 1, got 0"),
        (EstimatorExpert(cv=2.5), TypeError, "cv must be an integer"),
        (EstimatorExpert(smoothing=0.0), ValueError, "smoothing must be a finite number > 0"),
        (EstimatorExpert(FrozenEstimator(LogisticRegression())), NotFittedError, "not fitted"),
    ],
)
def test_bad_classifiers_are_refused(expert, error, message):
    with pytest.raises(error, match=message):
        HMEClassifier(n_experts=2, expert=expert).fit(X, CLASSES)


@pytest.mark.parametrize(
    "expert, error, message",
    [
        (EstimatorExpert(noise="cauchy"), ValueError, "noise must be one of 'gaussian', 'student', 'laplace'"),
        (EstimatorExpert(noise="student", df=-1.0), ValueError, "df must be a finite number > 0, got -1.0"),
        (EstimatorExpert(noise="student", df="auto"), TypeError, "df must be .*'auto'"),
        (EstimatorExpert(n_jobs=1.5), TypeError, "n_jobs must be an integer"),
        (EstimatorExpert(GaussianNB()), ValueError, "is for classification, not for regression"),
        (TreeExpert(max_leaf_nodes=1), ValueError, "max_leaf_nodes must be an integer >= 2, got 1"),
        (TreeExpert(pooling=1.0), ValueError, "pooling must be a number >= 0 and less than 1, got 1.0"),
        (TreeExpert(pooling=-0.1), ValueError, "pooling must be a finite number >= 0, got -0.1"),
    ],
)
def test_bad_regressors_are_refused(expert, error, message):
    with pytest.raises(error, match=message):
        HMERegressor(n_experts=2, expert=expert).fit(X, Y)


# -- classes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "estimator", [GaussianNB(), KNeighborsClassifier(3), DecisionTreeClassifier(max_depth=2), LogisticRegression()]
)
def test_classifiers_that_miss_a_class(estimator):
    rows = make_rows("classes")
    resp = np.stack([rows.y == 0, rows.y == 1, np.ones(90)], axis=1) * rows.weight[:, None]  # one class, one, all
    expert, params = fitted(EstimatorExpert(estimator, cv=CV), rows, resp)
    probability = expert.predict(params, rows)
    assert (probability > 0).all() and np.isfinite(expert.log_prob(params, rows)).all()
    np.testing.assert_allclose(probability.sum(axis=2), 1.0)
    assert (probability[:, 0].argmax(axis=1) == 0).all() and (probability[:, 1].argmax(axis=1) == 1).all()


@pytest.mark.slow
def test_classifier_with_names_of_classes():
    iris = load_iris()
    names = iris.target_names[iris.target]
    for expert in ("tree", KNeighborsClassifier(5), make_pipeline(StandardScaler(), LogisticRegression())):
        model = HMEClassifier(n_experts=2, expert=expert, max_iter=4).fit(iris.data, names)
        assert model.score(iris.data, names) > 0.9
        np.testing.assert_allclose(model.predict_proba(iris.data).sum(axis=1), 1.0)
        assert np.isfinite(model.log_likelihood(iris.data, names)).all()
        assert ((model.experts_.share > 0) & (model.experts_.share <= 1)).all()
        assert "frequencies mixed in" in export_text(model)


# -- frozen models ----------------------------------------------------------------------------------------------------


def two_halves(n, seed):
    rng = np.random.default_rng(seed)
    A = rng.uniform(-3, 3, (n, 2))
    left = A[:, 0] + 0.5 * A[:, 1] < 0
    return A, np.where(left, 2 * np.sin(2 * A[:, 0]) + A[:, 1], A[:, 1] ** 2 - 3) + 0.2 * rng.normal(size=n), left


@pytest.mark.slow
@pytest.mark.parametrize("swapped", [False, slow_case(True)])
def test_which_of_two_frozen_models_when(swapped):
    A, b, left = two_halves(1000, 0)
    forests = [RandomForestRegressor(8, random_state=0).fit(A[half], b[half]) for half in (left, ~left)]
    A, b, left = two_halves(500, 1)
    new, y_new, left_new = two_halves(1000, 2)
    pairs = [(f"half {i}", FrozenEstimator(forest)) for i, forest in enumerate(forests)][:: -1 if swapped else 1]
    before = [forest.predict(new) for forest in forests]
    model = HMERegressor(n_experts=2, expert=pairs).fit(A, b)
    assert (model.apply(new) == (left_new if swapped else ~left_new)).mean() > 0.95
    assert model.converged_ and (np.diff(model.lower_bounds_) >= -1e-12).all()  # only noise is learned: it is exact
    for forest, mean in zip(forests, before, strict=True):
        np.testing.assert_array_equal(forest.predict(new), mean)
        alone = HMERegressor(depth=0, expert=FrozenEstimator(forest)).fit(A, b)
        assert np.mean((model.predict(new) - y_new) ** 2) < 0.2 * np.mean((mean - y_new) ** 2)
        assert model.log_likelihood(new, y_new).mean() > alone.log_likelihood(new, y_new).mean() + 0.5
    assert model.model_.expert.n_parameters(model.params_.experts) == 2  # a scale each
    assert "frozen RandomForestRegressor" in export_text(model)


def test_one_frozen_model_learns_its_noise():
    line = LinearRegression().fit(X, Y)
    model = HMERegressor(depth=0, expert=EstimatorExpert(FrozenEstimator(line), variance_prior=None)).fit(X, Y)
    np.testing.assert_allclose(model.experts_.scale[0] ** 2, np.mean((Y - line.predict(X)) ** 2))
    np.testing.assert_array_equal(model.predict(X), line.predict(X))


def test_frozen_classifiers():
    left = X[:, 0] < 0
    early = LogisticRegression().fit(X[left | (CLASSES == 2)], CLASSES[left | (CLASSES == 2)])
    pairs = [("a", FrozenEstimator(early)), ("b", FrozenEstimator(GaussianNB().fit(X, CLASSES)))]
    model = HMEClassifier(n_experts=2, expert=pairs)
    assert model.fit(X, CLASSES).score(X, CLASSES) > 0.9
    two = FrozenEstimator(GaussianNB().fit(X[left], CLASSES[left]))
    with pytest.raises(ValueError, match="knows the classes"):
        HMEClassifier(n_experts=2, expert=two).fit(X, CLASSES)


# -- trees ------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_shown_trees_are_in_the_users_units():
    A = X * [1e3, 1e-3] + [50.0, 2.0]
    model = HMERegressor(n_experts=2, expert=TreeExpert(max_depth=2)).fit(A, Y)
    shown = np.stack([tree.predict(A) for tree in model.experts_.estimator], axis=1)
    np.testing.assert_allclose(shown, model.predict_experts(A), atol=1e-12)
    text = export_text(model, ["far", "near"])
    assert "tree of" in text and "|--- far <=" in text


def test_leaves_have_their_weight():
    model = HMERegressor(n_experts=2, expert=TreeExpert(min_weight_leaf=20.0, cv=None)).fit(X, Y)
    for tree in model.params_.experts.estimator[:, 0]:
        leaf = tree.tree_.children_left < 0
        assert tree.tree_.weighted_n_node_samples[leaf].min() >= 20.0 * (1 - 1e-6)


@pytest.mark.parametrize("cv", [None, CV])
def test_pooled_trees_are_those_of_the_mixed_weights(cv):
    """Eq. (pooled-rows): the trees are fitted to it, the noise stays that of the responsibilities."""
    rows = make_rows()
    resp, p = make_resp(rows), 0.3
    mixed = (1 - p) * resp + p * rows.weight[:, None]
    pooled = TreeExpert(pooling=p, cv=cv).bind(rows, DESIGN)
    plain = TreeExpert(cv=cv).bind(rows, DESIGN)
    params, twin = pooled.fit(rows, resp), plain.fit(rows, mixed)
    values = pooled.predict(params, rows)
    np.testing.assert_array_equal(values, plain.predict(twin, rows))
    np.testing.assert_allclose(params.variance, plain.answers_.fit(rows, values, resp).variance, rtol=1e-12)
    assert (np.abs(params.variance / twin.variance - 1) > 1e-3).any()


def test_pooled_trees_know_rows_that_are_not_theirs():
    """A tree as deep as it likes fits all that it has seen exactly, whatever the weight."""
    rows = make_rows()
    resp = np.zeros((rows.n_rows, 2))
    mine = rows.X[:, 0] < 0
    resp[mine, 0], resp[~mine, 1] = rows.weight[mine], rows.weight[~mine]
    expert = TreeExpert(max_depth=None, min_weight_leaf=1e-3, cv=None)
    for p, own in ((0.0, mine), (0.1, np.ones(rows.n_rows, dtype=bool))):
        bound = expert.set_params(pooling=p).bind(rows, DESIGN)
        error = np.abs(bound.predict(bound.fit(rows, resp), rows)[:, 0, 0] - rows.y[:, 0])
        assert error[own].max() < 1e-5
        assert own.all() or error[~own].max() > 0.1


# -- composition ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_grid_search_over_families():
    A, b = load_diabetes(return_X_y=True)
    model = HMERegressor(n_experts=2, max_iter=3)
    grid = {"expert": [LinearExpert(), "tree", KNeighborsRegressor(15), HistGradientBoostingRegressor(max_iter=5)]}
    search = GridSearchCV(model, grid, cv=2).fit(A, b)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert (search.cv_results_["mean_test_score"] > 0.2).all()


@pytest.mark.slow
def test_parameters_by_name():
    model = HMERegressor(n_experts=2, expert=EstimatorExpert(DecisionTreeRegressor()))
    model.set_params(expert__estimator__max_depth=3, expert__cv=None)
    assert model.expert.estimator.max_depth == 3 and clone(model).expert.cv is None
    named = HMERegressor(n_experts=2, expert="tree").set_params(expert__max_depth=2)
    assert named.fit(X, Y).experts_.estimator[0].get_depth() <= 2


def test_pickle_and_warm_start():
    model = HMERegressor(n_experts=2, expert=KNeighborsRegressor(7), max_iter=4, warm_start=True).fit(X, Y)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    before = model.lower_bounds_.max()
    assert model.fit(X, Y).lower_bounds_.max() >= before


def test_take():
    rows = make_rows()
    expert, params = fitted(EstimatorExpert(Ridge(), cv=CV, noise="laplace"), rows, make_resp(rows))
    np.testing.assert_array_equal(
        expert.log_prob(expert.take(params, [2, 0]), rows), expert.log_prob(params, rows)[:, [2, 0]]
    )


@pytest.mark.slow
def test_beside_other_families():
    pipe = make_pipeline(StandardScaler(), Ridge())
    pairs = [("line", LinearExpert()), ("near", KNeighborsRegressor(5)), ("tree", "tree"), ("pipe", pipe)]
    model = HMERegressor(n_experts=4, expert=pairs, max_iter=4).fit(X, Y)
    assert set(model.experts_) == {"line", "near", "tree", "pipe"} and np.isfinite(model.lower_bounds_).all()
    assert model.experts_["near"].estimator.n_neighbors == 5 and model.experts_["line"].coef.shape == (2,)
    mean, std = model.predict(X, return_std=True)
    assert np.isfinite(mean).all() and (std > 0).all()
    twins = HMERegressor(n_experts=2, expert=[("a", Ridge()), ("b", Ridge())], max_iter=8).fit(X, Y)
    one = HMERegressor(n_experts=2, expert=Ridge(), max_iter=8).fit(X, Y)
    np.testing.assert_allclose(twins.lower_bounds_, one.lower_bounds_, rtol=1e-12)


def test_offset_is_y_less_the_offset():
    offset = 3.0 * X[:, 1]
    for expert in (TreeExpert(cv=None), EstimatorExpert(Ridge(), noise="student", cv=None)):  # folds follow y itself
        one = HMERegressor(depth=0, expert=expert).fit(X, Y)
        two = HMERegressor(depth=0, expert=expert).fit(X, Y + offset, offset=offset)
        np.testing.assert_allclose(two.predict(X, offset=offset), one.predict(X) + offset, rtol=1e-6, atol=1e-8)
        np.testing.assert_allclose(two.experts_.scale, one.experts_.scale, rtol=1e-6)


@pytest.mark.slow
def test_sparse_tables_and_those_who_cannot():
    table = sp.csr_matrix(np.where(np.abs(X) > 0.5, X, 0.0))
    for expert in ("tree", Ridge()):
        dense = HMERegressor(n_experts=2, expert=expert, max_iter=2).fit(table, Y)
        assert np.isfinite(dense.predict(table)).all()
    with pytest.raises(TypeError, match="does not take sparse X"):
        HMERegressor(n_experts=2, expert=HistGradientBoostingRegressor()).fit(table, Y)


@pytest.mark.slow
def test_several_outputs_and_those_who_cannot():
    both = np.column_stack([Y, X[:, 0]])
    for expert in ("tree", Ridge(), EstimatorExpert(KNeighborsRegressor(5), noise="student")):
        model = HMERegressor(n_experts=2, expert=expert, max_iter=2).fit(X, both)
        assert model.predict(X).shape == both.shape and model.experts_.scale.shape == (2, 2)
    with pytest.raises(ValueError, match="does not take several outputs"):
        HMERegressor(n_experts=2, expert=HistGradientBoostingRegressor()).fit(X, both)


@pytest.mark.slow
def test_a_pipeline_sees_the_data_frame():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "kind": np.where(X[:, 1] > 0, "high", "low")})
    columns = ColumnTransformer([("kind", OneHotEncoder(), ["kind"])], remainder="passthrough")
    model = HMERegressor(
        n_experts=2, expert=EstimatorExpert(make_pipeline(columns, Ridge()), cv=2), gate_features=["a"], max_iter=2
    )
    model.fit(frame, Y)
    assert model.score(frame, Y) > 0.7
    assert list(model.experts_.estimator[0].feature_names_in_) == ["a", "b", "kind"]


def test_groups_stay_in_their_fold_and_with_their_expert():
    groups = np.repeat(np.arange(N // 4), 4)
    model = HMERegressor(n_experts=2, expert="tree", gate="constant", max_iter=10).fit(X, Y, groups=groups)
    resp = model.responsibilities(X, Y, groups=groups).reshape(-1, 4, 2)
    assert (resp == resp[:, :1]).all()


@pytest.mark.slow
def test_a_sparse_gate_asks_two_experts_of_a_row():
    class Counting(TreeExpert):
        asked = 0

        def _ask(self, estimator, X):
            Counting.asked += len(X)
            return super()._ask(estimator, X)

    model = HMERegressor(n_experts=6, expert=Counting(cv=None), gate=TopKGate(k=2, dense_sweeps=3, max_stages=1))
    model.fit(X, Y)
    Counting.asked = 0
    model.predict(X)
    assert Counting.asked == 2 * N


# -- going on from an earlier fit --------------------------------------------------------------------------------------


def test_a_warm_start_asks_no_fit_about_rows_that_it_has_seen():
    rng = np.random.default_rng(0)
    X, y = rng.uniform(0, 6, (200, 2)), rng.normal(size=200)
    model = HMERegressor(depth=0, expert=DecisionTreeRegressor(), warm_start=True).fit(X, y).fit(X[1:], y[1:])
    cold = HMERegressor(depth=0, expert=DecisionTreeRegressor()).fit(X[1:], y[1:])
    np.testing.assert_allclose(model.lower_bounds_[-1], cold.lower_bounds_[-1], rtol=1e-9)


@pytest.mark.slow
def test_a_warm_start_takes_what_has_changed():
    rng = np.random.default_rng(0)
    X = rng.uniform(0, 6, (200, 2))
    y = np.where(X[:, 0] < 3, np.sin(3 * X[:, 0]), 2.0) + 0.1 * rng.normal(size=200)
    model = HMERegressor(n_experts=2, expert="tree", warm_start=True).fit(X, y)
    model.set_params(expert__max_depth=1).fit(X, y)
    assert [tree.get_depth() for tree in model.experts_.estimator] == [1, 1]
    up, down = FrozenEstimator(LinearRegression().fit(X, y)), FrozenEstimator(LinearRegression().fit(X, -y))
    model = HMERegressor(n_experts=2, expert=up, warm_start=True).fit(X, y)
    np.testing.assert_allclose(model.set_params(expert=down).fit(X, y).predict(X), down.predict(X))


def test_frozen_classifiers_must_know_the_classes():
    X = np.random.default_rng(0).normal(size=(90, 1))
    known = FrozenEstimator(DecisionTreeClassifier(max_depth=2).fit(X, np.where(X[:, 0] > 0, "dog", "cat")))
    with pytest.raises(ValueError, match="is frozen and knows the classes"):
        HMEClassifier(depth=0, expert=known).fit(X, np.where(X[:, 0] > 0, "dog", "emu"))


@pytest.mark.slow
def test_circles_of_a_refitted_gate_end():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.uniform(0, 6, 200), rng.normal(size=200)])
    y = np.where(X[:, 0] < 3, np.sin(3 * X[:, 0]), 2.0) + 0.1 * rng.normal(size=200)
    assert HMERegressor(depth=2, gate="tree").fit(X, y).converged_


def table_with_text_and_gaps(n=120):
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"a": rng.uniform(0, 6, n), "t": rng.choice(["u", "v"], n)})
    table.loc[::7, "a"] = np.nan
    return table, np.where(table.t == "u", 1.0, 3.0) + 0.1 * rng.normal(size=n)


@pytest.mark.slow
def test_estimators_alone_may_see_text_and_gaps():
    table, y = table_with_text_and_gaps()
    encode = ColumnTransformer([("text", OneHotEncoder(), ["t"])], remainder="passthrough")
    pipe = make_pipeline(encode, HistGradientBoostingRegressor(learning_rate=0.5, max_iter=8))
    assert HMERegressor(depth=0, gate="constant", expert=pipe).fit(table, y).score(table, y) > 0.95
    # One expert may lack a category in its rows.
    model = HMERegressor(n_experts=2, gate="constant", expert=pipe, max_iter=3).fit(table, y)
    assert np.isfinite(model.log_likelihood(table, y)).all() and model.responsibilities(table, y).shape == (120, 2)
    with pytest.raises(ValueError, match="the gate sees all columns of X; give gate_features too"):
        HMERegressor(n_experts=2, expert=pipe).fit(table, y)
    with pytest.raises(
        ValueError, match="X contains NaN, in column 'a'.*the gate sees all columns of X; give gate_features"
    ):
        HMERegressor(n_experts=2, expert=HistGradientBoostingRegressor()).fit(table[["a"]], y)


def test_lists_show_their_estimators():
    X, y = load_diabetes(return_X_y=True)
    experts = [("forest", RandomForestRegressor(2)), ("pipe", make_pipeline(StandardScaler(), Ridge()))]
    text = export_text(HMERegressor(n_experts=2, expert=experts, max_iter=1).fit(X, y))
    assert "RandomForestRegressor" in text and "StandardScaler | Ridge" in text
