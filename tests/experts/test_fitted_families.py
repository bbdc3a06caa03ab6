"""Every family is at home wherever a fitted model is looked at: text, summary, distribution, refits, pictures."""

import pickle
import warnings
from functools import cache
from typing import NamedTuple

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
import user_families as users
from problems import slow_case
from scipy.special import softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeRegressor

import hme.experts
from hme import HMEClassifier, HMERegressor, export_text
from hme.bootstrap import bootstrap
from hme.diagnosis import diagnose
from hme.experts import (
    BackgroundExpert,
    BinomialExpert,
    ConstantExpert,
    EstimatorExpert,
    GammaExpert,
    GaussianExpert,
    InverseGaussianExpert,
    LaplaceExpert,
    LinearExpert,
    LogisticExpert,
    MixedExpert,
    NegativeBinomialExpert,
    PointMassExpert,
    PoissonExpert,
    PoolExpert,
    StudentExpert,
    TreeExpert,
)
from hme.experts.base import Expert
from hme.inference import infer
from hme.numerics.links import LINKS
from hme.plot import DensityDisplay, ExpertsDisplay

matplotlib.use("Agg")

N, TRIALS = 160, 8
NAMES = ["heat", "wind"]
INSIDE = np.random.default_rng(0).normal(size=(N, 2))
X = 100.0 + 20.0 * INSIDE  # the user's columns
SLOPES = np.array([[0.5, 0.2], [-0.5, 0.2]]) / 20.0  # of the linear predictor of two regimes, by the user's units
FIRST = INSIDE[:, 0] < 0
ETA = np.where(FIRST, (X - 100.0) @ SLOPES[0], (X - 100.0) @ SLOPES[1] + 2.0)
RNG = np.random.default_rng(1)
Y = {
    "numbers": ETA + 0.1 * RNG.normal(size=N),
    "outputs": np.column_stack([ETA, 3.0 - ETA]) + 0.1 * RNG.normal(size=(N, 2)),
    "positive": np.exp(ETA + 0.1 * RNG.normal(size=N)),
    "waits": np.exp(ETA) * RNG.exponential(size=N),
    "counts": RNG.poisson(np.exp(ETA + 1.0)).astype(float),
    "positive counts": 1.0 + RNG.poisson(np.exp(ETA)),
    "successes": RNG.binomial(TRIALS, 1.0 / (1.0 + np.exp(-ETA))).astype(float),
    "two classes": (ETA + 0.5 * RNG.logistic(size=N) > 0.5).astype(int),
    "classes": np.digitize(ETA + 0.3 * RNG.normal(size=N), [0.0, 1.5]),
}
Y["outliers"] = np.where(np.arange(N) % 10 == 0, 9.0, Y["numbers"])
Y["counts and zeros"] = np.where(np.arange(N) % 4 == 0, 0.0, Y["counts"])
Y["positive and zeros"] = np.where(np.arange(N) % 4 == 0, 0.0, Y["positive"])
Y["zeros"] = np.zeros(N)


class Case(NamedTuple):
    expert: object
    kind: str
    of: str = ""  # what takes time and is asked of it by default: some of "bootstrap", "diagnose", "skops"


KNOWN = FrozenEstimator(LinearRegression().fit(X, Y["numbers"]))
CASES = {
    "linear": Case(LinearExpert(), "numbers", "bootstrap diagnose skops"),
    "linear, two outputs": Case(LinearExpert(), "outputs"),
    "linear, covariances": Case(LinearExpert(covariance="full"), "outputs", "skops"),
    "linear, lasso": Case(LinearExpert(alpha=1.0, l1_ratio=1.0, shared_variance=True), "numbers"),
    "student": Case(StudentExpert(), "numbers", "skops"),
    "laplace": Case(LaplaceExpert(), "numbers"),
    "constant": Case(ConstantExpert(), "numbers"),
    "constant classes": Case(ConstantExpert(), "classes", "bootstrap skops"),
    "gaussian": Case(GaussianExpert(), "positive"),
    "gaussian, identity": Case(GaussianExpert("identity"), "numbers"),
    "gamma": Case(GammaExpert(), "positive"),
    "gamma, inverse": Case(GammaExpert("inverse"), "positive"),
    "inverse gaussian": Case(InverseGaussianExpert(), "positive"),
    "poisson": Case(PoissonExpert(), "counts", "skops"),
    "poisson, no zeros": Case(PoissonExpert(zero_truncated=True), "positive counts"),
    "negative binomial": Case(NegativeBinomialExpert(), "counts"),
    "binomial": Case(BinomialExpert(TRIALS), "successes"),
    "logistic": Case(LogisticExpert(), "two classes", "bootstrap"),
    "logistic, three": Case(LogisticExpert(), "classes"),
    "pool": Case(PoolExpert(), "two classes"),
    "background": Case(BackgroundExpert(), "outputs", "bootstrap skops"),
    "uniform background": Case(BackgroundExpert("uniform"), "numbers"),
    "point mass": Case(PointMassExpert(), "zeros", "skops"),
    "line, background": Case([("line", LinearExpert()), ("far", BackgroundExpert())], "outliers", "bootstrap skops"),
    "line, uniform": Case([("far", BackgroundExpert("uniform")), ("line", LinearExpert())], "outliers"),
    "poisson, point mass": Case(
        [("more", PoissonExpert()), ("zero", PointMassExpert())], "counts and zeros", "bootstrap skops"
    ),
    "gamma, point mass": Case([("zero", PointMassExpert()), ("more", GammaExpert())], "positive and zeros"),
    "student, constant": Case([("tails", StudentExpert()), ("level", ConstantExpert())], "numbers"),
    "logistic, tree": Case([("line", LogisticExpert()), ("tree", TreeExpert())], "classes"),
    "ridge": Case(EstimatorExpert(Ridge()), "outputs"),
    "tree with tails": Case(EstimatorExpert(DecisionTreeRegressor(max_depth=2), "student", cv=2), "numbers"),
    "tree, laplace": Case(EstimatorExpert(DecisionTreeRegressor(max_depth=2), "laplace", cv=2), "numbers"),
    "frozen": Case(EstimatorExpert(KNOWN), "numbers", "bootstrap skops"),
    "classifier": Case(EstimatorExpert(GaussianNB(), cv=2), "classes"),
    "tree": Case(TreeExpert(max_depth=2, cv=2), "numbers", "bootstrap skops"),
    "tree of classes": Case(TreeExpert(max_depth=2, cv=2), "classes"),
    "a user's line": Case(users.LogNormalLine(), "positive", "bootstrap skops"),
    "a user's log-normal": Case(users.LogNormalExpert(), "positive"),
    "a user's logistic noise": Case(users.LogisticNoiseExpert(), "numbers"),
    "a user's exponential": Case(users.ExponentialExpert(), "waits", "skops"),
    "a user's geometric": Case(users.GeometricExpert(), "counts", "skops"),
    "a user's in a list": Case([("ours", GammaExpert()), ("theirs", users.LogNormalExpert())], "positive"),
}


# One of each kind of parameters, noise, distribution and way of fitting; the others are fitted where slow tests run.
DEFAULT = {
    "linear", "linear, covariances", "student", "gamma, inverse", "negative binomial", "logistic, three", "pool",
    "point mass", "line, background", "tree", "a user's line",
}  # fmt: skip


def every(asked="", only=lambda case: True):
    """Parameters of a test: names of cases, those from which the thing `asked` for takes time left out by default."""
    names = [name for name, case in CASES.items() if only(case)]
    return pytest.mark.parametrize(
        "name", [name if name in DEFAULT and asked in CASES[name].of else slow_case(name) for name in names]
    )


def quietly(function, *arguments, **settings):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return function(*arguments, **settings)


@cache
def fitted(name):
    expert, kind, _ = CASES[name]
    estimator = HMEClassifier if "classes" in kind else HMERegressor
    return quietly(estimator(n_experts=2, expert=expert, max_iter=40, tol=1e-4, random_state=0).fit, X, Y[kind])


@cache
def inferred(name):
    return quietly(infer, fitted(name), X, Y[CASES[name].kind])


def members(case):
    return [expert for _, expert in case.expert] if isinstance(case.expert, list) else [case.expert]


def of_numbers(case):
    return "classes" not in case.kind


def one_by_one(model):
    """Pairs of a leaf's family and its report without the axis of the experts."""
    if isinstance(model.experts_, dict):
        return [(expert, model.experts_[name]) for name, expert in model.expert]
    reports = [type(model.experts_)(*values) for values in zip(*model.experts_, strict=True)]
    return [(model.model_.expert, report) for report in reports]


# -- what is shown -----------------------------------------------------------------------------------------------------


def predictors(report):
    """Linear predictors (n, S) by hand from a report with slopes; None without."""
    if not hasattr(report, "coef"):
        return None
    coef, intercept = np.atleast_2d(report.coef), np.atleast_1d(report.intercept)
    return X @ coef.T + intercept


def mean_by_hand(expert, report):
    """Means (n, T) or probabilities (n, C) from a report, in the user's units."""
    if isinstance(expert, PoolExpert):  # of one model; the columns are the log-probabilities of the two classes
        return softmax(X * report.weights + np.append(0.0, report.intercept), axis=1)
    eta = predictors(report)
    if eta is None:
        return None
    if isinstance(expert, LogisticExpert | ConstantExpert) and not hasattr(report, "variance"):
        return softmax(np.column_stack([np.zeros(N), eta]) if eta.shape[1] == 1 else eta, axis=1)
    if isinstance(expert, users.LogNormalLine):
        return np.exp(eta + 0.5 * report.variance)
    if isinstance(expert, users.LogNormalExpert):
        return np.exp(eta + 0.5 * report.scale**2)
    link = "identity" if isinstance(expert, ConstantExpert) else expert.response().link
    mean = LINKS[link].mean(eta, Y["positive"].max()) * (TRIALS if link == "logit" else 1.0)
    return mean / -np.expm1(-mean) if getattr(expert, "zero_truncated", False) else mean


@every()
def test_reports_are_in_the_users_units(name):
    model, case = fitted(name), CASES[name]
    means = model.predict_experts(X)
    pairs = one_by_one(model)
    assert len(pairs) == 2 and means.shape[:2] == (N, 2)
    for k, (expert, report) in enumerate(pairs):
        by_hand = mean_by_hand(expert, report)
        if by_hand is not None:
            own = means[:, k].reshape(N, -1)
            np.testing.assert_allclose(by_hand, own, rtol=1e-8, atol=1e-10)
        elif hasattr(report, "estimator") and of_numbers(case):
            np.testing.assert_allclose(report.estimator.predict(X), means[:, k], rtol=1e-6, atol=1e-7)
        else:
            assert not any(hasattr(report, name) for name in ("coef", "intercept"))


KNOWN_SLOPES = [
    "linear", "student", "laplace", "gaussian, identity", "gaussian", "gamma", "a user's line",
    "a user's log-normal", "a user's logistic noise",
]  # fmt: skip


@pytest.mark.parametrize("name", [name if name in DEFAULT else slow_case(name) for name in KNOWN_SLOPES])
def test_slopes_are_those_that_made_the_data(name):
    coef = fitted(name).experts_.coef
    coef = coef[np.argsort(-coef[:, 0])]
    np.testing.assert_allclose(coef, SLOPES, atol=0.004)


def with_axis(field):
    """A field of the report of one expert with the axis of the experts."""
    out = np.empty(1, dtype=object) if hasattr(field, "fit") else np.empty((1, *np.shape(field)))
    out[0] = field
    return out


@every()
def test_equations_have_a_line_for_every_expert(name):
    model, case = fitted(name), CASES[name]
    if isinstance(model.experts_, dict):
        lines = []
        for k, (leaf, _) in enumerate(case.expert):
            report = type(model.experts_[leaf])(*(with_axis(field) for field in model.experts_[leaf]))
            lines += model.model_.expert.family(k).equations(report, NAMES, "speed")
    else:
        lines = model.model_.expert.equations(model.experts_, NAMES, "speed")
    assert len(lines) == 2 and not any("\n" in line or line != line.strip() for line in lines)
    for (_, report), line in zip(one_by_one(model), lines, strict=True):
        coef = getattr(report, "coef", np.zeros(0))
        if coef.ndim == 1 or len(coef) == 1:
            shown = [f" {feature}" in line.replace("-", " ").replace("+", " ") for feature in NAMES]
            assert shown == [slope != 0 for slope in np.resize(coef, 2)]
            assert "speed" in line


@every()
def test_text_shows_every_leaf(name):
    model, case = fitted(name), CASES[name]
    text = export_text(model, NAMES, "speed")
    names = [f" {leaf}" for leaf, _ in case.expert] if isinstance(case.expert, list) else ["", ""]
    assert "gate " in text and all(f"leaf {k}{name} (load" in text for k, name in enumerate(names))
    assert repr(model) and model._repr_html_()


@every()
def test_labels_are_those_of_the_free_parameters(name):
    model, found = fitted(name), inferred(name)
    bound, own = model.model_.expert, [label for label in found.labels if label.side == "expert"]
    smooth = [bound.family(k).traits.smooth for k in range(2)]
    leaves = list(model.experts_) if isinstance(model.experts_, dict) else [0, 1]
    assert list(dict.fromkeys(label.index for label in own)) == [leaves[k] for k in range(2) if smooth[k]]
    for k, (_, report) in enumerate(one_by_one(model)):
        terms = {label.term for label in own if label.index == leaves[k]}
        slopes = smooth[k] and hasattr(report, "coef") and not isinstance(bound.family(k), ConstantExpert)
        assert {"x0", "x1"} <= terms if slopes else not {"x0", "x1"} & terms
    for _, family, _, part in bound.components(model.params_.experts):
        said = family.traits.fixed or f"{type(family).__name__} has no derivatives"
        unsaid = family.traits.smooth or (not family.traits.fixed and not family.n_parameters(part))
        assert unsaid or any(said in remark for remark in found.remarks)
    assert np.isfinite(found.layout.estimate).all()
    if not found.layout.notes:
        parts = bound.components(model.params_.experts)
        others = sum(family.n_parameters(part) for _, family, _, part in parts if not family.traits.smooth)
        refitted = any(family.traits.refitted for _, family, _, _ in parts)  # estimators have parameters of their own
        assert refitted or found.layout.n_free + others == model.n_parameters_


@every()
def test_summary_names_what_is_learned(name):
    model, found = fitted(name), inferred(name)
    text, words = str(found.summary()), " ".join(str(found.summary()).split())
    leaves = list(model.experts_) if isinstance(model.experts_, dict) else [0, 1]
    assert "Gating node 0" in text
    for label in found.labels:
        assert label.term in text and (label.side == "gate" or f"Expert {label.index}" in text)
        assert label.side == "gate" or label.index in leaves
    assert all(remark[1:] in words for remark in found.remarks)
    assert len(found.to_frame()) == len(found.labels)


# -- the distribution --------------------------------------------------------------------------------------------------


@every(only=of_numbers)
def test_distribution_of_y(name):
    model, case = fitted(name), CASES[name]
    y = Y[case.kind]
    dist = model.predict_dist(X, density="plug-in")
    mass = any(member.traits.measure == "mass" for member in members(case))
    jumps = all(member.traits.measure == "mass" for member in members(case))
    log_density = (dist.logpmf if jumps else dist.logpdf)(y)
    np.testing.assert_allclose(log_density, model.log_likelihood(X, y), rtol=1e-9, atol=1e-9)
    mean, std = model.predict(X, return_std=True, density="plug-in")
    np.testing.assert_allclose(dist.mean(), mean, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(dist.standard_deviation(), std, rtol=1e-7, atol=1e-7)
    levels = [0.1, 0.5, 0.9]
    quantiles = model.predict_quantiles(X[:10], levels)
    assert np.isfinite(quantiles).all() and (np.diff(quantiles, axis=-1) >= 0).all()
    if y.ndim == 1:
        few = model.predict_dist(X[:10])
        reached = few.cdf(quantiles)
        assert (reached >= np.array(levels) - 1e-7).all()
        if not mass:
            np.testing.assert_allclose(reached, np.broadcast_to(levels, reached.shape), atol=1e-7)
        assert (few.crps(y[:10]) >= 0).all()
    assert np.isfinite(model.sample_y(X[:10], 3, random_state=0)).all()


@every(only=lambda case: not of_numbers(case))
def test_classes_have_probabilities(name):
    model, case = fitted(name), CASES[name]
    proba = model.predict_proba(X)
    np.testing.assert_allclose(proba.sum(axis=1), 1.0)
    y = Y[case.kind]
    np.testing.assert_allclose(proba[np.arange(N), y], np.exp(model.log_likelihood(X, y)), rtol=1e-9)


@every(only=lambda case: of_numbers(case) and Y[case.kind].ndim == 1 and np.ptp(Y[case.kind]) > 0)
def test_pictures(name):
    model, y = fitted(name), Y[CASES[name].kind]
    display = ExpertsDisplay.from_estimator(model, X, y, feature=0)
    low, high = display.band
    assert np.isfinite(display.mean).all() and np.isfinite(high - low).all() and (low <= high).all()
    DensityDisplay.from_estimator(model, X, y, feature=0)
    plt.close("all")


# -- refits and copies -------------------------------------------------------------------------------------------------


@every("bootstrap")
def test_bootstrap(name):
    found = quietly(bootstrap, fitted(name), X, Y[CASES[name].kind], 2, random_state=0, leave_out=())
    assert found.n_used == 2 and found.draws.shape == (2, len(found.labels)) and np.isfinite(found.draws).all()
    assert repr(found)


@every("diagnose")
def test_diagnosis(name):
    found = quietly(diagnose, fitted(name), X, Y[CASES[name].kind], cv=2, n_seeds=1, n_bootstrap=0, random_state=0)
    assert found.verdict in ("single", "no routing", "routing") and repr(found)


@every()
def test_models_pickle(name):
    model, y = fitted(name), Y[CASES[name].kind]
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.log_likelihood(X, y), model.log_likelihood(X, y))
    report = pickle.loads(pickle.dumps(model.experts_))
    assert repr(report) == repr(model.experts_)


STORED = "builtins.frozenset", "sklearn.tree._tree.Tree"  # beside types of hme, and of the user


@every("skops")
def test_skops_stores_models(name):
    sio = pytest.importorskip("skops.io")
    model, y = fitted(name), Y[CASES[name].kind]
    stored = sio.dumps(model)
    own = sio.get_untrusted_types(data=stored)
    assert all(kind.split(".")[0] in ("hme", "user_families") or kind in STORED for kind in own), own
    again = sio.loads(stored, trusted=own)
    np.testing.assert_array_equal(again.log_likelihood(X, y), model.log_likelihood(X, y))


def test_every_family_is_fitted():
    tested = {type(member) for case in CASES.values() for member in members(case)} | {MixedExpert}
    public = {getattr(hme.experts, name) for name in hme.experts.__all__}
    assert {one for one in public if issubclass(one, Expert) and not one.__abstractmethods__} <= tested
