"""Proper scores, calibration, and scorers inside scikit-learn's tools."""

import pickle

import numpy as np
import pytest
import sklearn
from scipy import stats
from scipy.integrate import quad
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.linear_model import LinearRegression
from sklearn.metrics import brier_score_loss, log_loss
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from hme import HMEClassifier, HMERegressor, scoring
from hme.experts import BinomialExpert, PoissonExpert

N = 60
RNG = np.random.default_rng(3)
MEAN, SCALE = RNG.normal(size=N), RNG.uniform(0.5, 2.0, N)
Y = MEAN + SCALE * RNG.standard_normal(N) * 1.3
RATE = RNG.uniform(0.5, 8.0, N)
COUNTS = RNG.poisson(1.2 * RATE)
WEIGHT = RNG.integers(0, 4, N)
FUNCTIONS = {
    "log_score": scoring.log_score, "crps": scoring.crps, "pinball": scoring.pinball,
    "interval_score": scoring.interval_score, "pit_distance": scoring.pit_distance,
    "coverage": scoring.coverage, "calibration_error": scoring.calibration_error,
}  # fmt: skip
PROPER = ("log_score", "crps", "pinball", "interval_score")


class Distribution:
    """A scipy distribution with the methods of a predictive one."""

    def __init__(self, frozen):
        self.frozen = frozen
        self.discrete = hasattr(frozen, "logpmf")
        if self.discrete:
            self.logpmf = frozen.logpmf
        else:
            self.logpdf = frozen.logpdf
        self.cdf, self.icdf = frozen.cdf, frozen.ppf

    def crps(self, y):
        """E |Y - y| - E |Y - Y'| / 2 by a sum over probabilities or as the closed form of the normal law."""
        if self.discrete:
            z = np.arange(200)[:, None]
            return ((self.cdf(z) - (y <= z)) ** 2).sum(axis=0)
        mean, scale = self.frozen.mean(), self.frozen.std()
        z = (y - mean) / scale
        return scale * (z * (2 * stats.norm.cdf(z) - 1) + 2 * stats.norm.pdf(z) - 1 / np.sqrt(np.pi))


class ShiftedAtom:
    """Zero with probability 0.3, else exponential."""

    def cdf(self, y):
        return np.where(y < 0, 0.0, 0.3 + 0.7 * stats.expon.cdf(y))


def normal():
    return Distribution(stats.norm(MEAN, SCALE))


def poisson():
    return Distribution(stats.poisson(RATE))


# -- scores against their definitions ---------------------------------------------------------------------------------


def test_log_score_is_the_mean_log_density():
    assert scoring.log_score(normal(), Y) == pytest.approx(stats.norm.logpdf(Y, MEAN, SCALE).mean(), rel=1e-12)
    assert scoring.log_score(poisson(), COUNTS) == pytest.approx(stats.poisson.logpmf(COUNTS, RATE).mean(), rel=1e-12)


def test_crps_is_the_integral_of_its_definition():
    dist = normal()
    for i in range(5):
        cdf = stats.norm(MEAN[i], SCALE[i]).cdf
        value = (
            quad(lambda z, cdf=cdf: cdf(z) ** 2, -30, Y[i])[0] + quad(lambda z, cdf=cdf: (1 - cdf(z)) ** 2, Y[i], 30)[0]
        )
        assert dist.crps(Y)[i] == pytest.approx(value, rel=1e-6)
    assert scoring.crps(dist, Y) == pytest.approx(dist.crps(Y).mean(), rel=1e-12)


@pytest.mark.slow
def test_crps_is_twice_the_integral_of_the_pinball_loss():
    dist, grid = normal(), np.linspace(-8, 8, 401)  # levels are the normal probabilities of the grid
    loss = [scoring.pinball(dist, Y, level) for level in stats.norm.cdf(grid)]
    value = np.trapezoid(2 * np.array(loss) * stats.norm.pdf(grid), grid)
    assert scoring.crps(dist, Y) == pytest.approx(value, rel=1e-5)


@pytest.mark.parametrize("make, y", [(normal, Y), (poisson, COUNTS)])
def test_interval_score_row_by_row(make, y):
    low, high = make().frozen.interval(0.8)
    total = 0.0
    for i in range(N):
        total += high[i] - low[i]
        if y[i] < low[i]:
            total += 2 / 0.2 * (low[i] - y[i])
        if y[i] > high[i]:
            total += 2 / 0.2 * (y[i] - high[i])
    assert scoring.interval_score(make(), y, 0.8) == pytest.approx(total / N, rel=1e-12)
    both = scoring.pinball(make(), y, 0.1) + scoring.pinball(make(), y, 0.9)
    assert scoring.interval_score(make(), y, 0.8) == pytest.approx(2 / 0.2 * both, rel=1e-12)


def test_coverage_counts_rows_inside():
    low, high = normal().frozen.interval(0.5)
    inside = [bool(low[i] <= Y[i] <= high[i]) for i in range(N)]
    assert scoring.coverage(normal(), Y, 0.5) == pytest.approx(np.mean(inside), rel=1e-12)


def test_scores_agree_with_scoringrules():
    scoringrules = pytest.importorskip("scoringrules")
    assert scoring.log_score(normal(), Y) == pytest.approx(-scoringrules.logs_normal(Y, MEAN, SCALE).mean(), rel=1e-12)
    assert scoring.crps(normal(), Y) == pytest.approx(scoringrules.crps_normal(Y, MEAN, SCALE).mean(), rel=1e-12)
    assert scoring.crps(poisson(), COUNTS) == pytest.approx(scoringrules.crps_poisson(COUNTS, RATE).mean(), rel=1e-9)
    low, high = normal().frozen.interval(0.9)
    expected = scoringrules.interval_score(Y, low, high, 0.1).mean()
    assert scoring.interval_score(normal(), Y, 0.9) == pytest.approx(expected, rel=1e-12)
    expected = scoringrules.quantile_score(Y, normal().icdf(0.3), 0.3).mean()
    assert scoring.pinball(normal(), Y, 0.3) == pytest.approx(expected, rel=1e-12)


def test_brier_score_of_two_classes_is_twice_that_of_one():
    probability = RNG.uniform(size=N)
    codes = (RNG.uniform(size=N) < probability).astype(int)
    both = np.column_stack([1 - probability, probability])
    expected = 2 * brier_score_loss(codes, probability, sample_weight=WEIGHT)
    assert scoring.brier_score(both, codes, sample_weight=WEIGHT) == pytest.approx(expected, rel=1e-12)
    assert scoring.brier_score([[0.5, 0.5]], [-1]) == pytest.approx(1.5)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("family", ["normal", "poisson"])
def test_integer_weights_are_repeated_rows(name, family):
    score = FUNCTIONS[name]
    repeat = np.repeat(np.arange(N), WEIGHT)
    if family == "normal":
        pair = normal(), Y, Distribution(stats.norm(MEAN[repeat], SCALE[repeat])), Y[repeat]
    else:
        pair = poisson(), COUNTS, Distribution(stats.poisson(RATE[repeat])), COUNTS[repeat]
    assert score(*pair[:2], sample_weight=WEIGHT) == pytest.approx(score(*pair[2:]), rel=1e-10)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_several_outputs_are_averaged(name):
    both = Distribution(stats.norm(np.column_stack([MEAN, -MEAN]), np.column_stack([SCALE, SCALE])))
    value = FUNCTIONS[name](both, np.column_stack([Y, Y]))
    alone = [FUNCTIONS[name](Distribution(stats.norm(sign * MEAN, SCALE)), Y) for sign in (1, -1)]
    assert value == pytest.approx(np.mean(alone), rel=1e-12)


# -- properness -------------------------------------------------------------------------------------------------------

# Expected scores are weighted means over a grid of y, with the true probabilities as weights.
GRID = np.linspace(-9.0, 11.0, 40001)
NUMBERS = np.arange(80)
RIVALS = [(1.0, 1.3), (1.2, 1.3), (0.7, 1.3), (1.0, 1.1), (1.0, 1.6), (0.5, 2.0)]


@pytest.mark.parametrize("name", PROPER)
def test_the_true_normal_distribution_has_the_best_expected_score(name):
    sign = 1.0 if name == "log_score" else -1.0
    weight = stats.norm(1.0, 1.3).pdf(GRID)

    def expected(mean, scale):
        dist = Distribution(stats.norm(np.full(len(GRID), mean), scale))
        return sign * FUNCTIONS[name](dist, GRID, sample_weight=weight)

    best, *others = [expected(*rival) for rival in RIVALS]
    for rival, value in zip(RIVALS[1:], others, strict=True):
        same_median = name == "pinball" and rival[0] == 1.0  # one quantile only: proper, not strictly
        assert value == pytest.approx(best, abs=1e-12) if same_median else value < best - 1e-4


@pytest.mark.parametrize("name", PROPER)
def test_the_true_poisson_distribution_has_the_best_expected_score(name):
    sign = 1.0 if name == "log_score" else -1.0
    weight = stats.poisson(6.0).pmf(NUMBERS)

    def expected(rate):
        return sign * FUNCTIONS[name](Distribution(stats.poisson(np.full(80, rate))), NUMBERS, sample_weight=weight)

    best = expected(6.0)
    assert all(expected(rate) < best - 1e-4 for rate in (3.0, 4.5, 8.0, 11.0))
    assert all(expected(rate) <= best + 1e-12 for rate in (5.9, 6.1))


def test_the_true_probabilities_have_the_best_expected_brier_score():
    truth = np.array([0.5, 0.3, 0.2])

    def expected(probability):
        return scoring.brier_score(np.tile(probability, (3, 1)), [0, 1, 2], sample_weight=truth)

    for rival in ([0.6, 0.2, 0.2], [1 / 3, 1 / 3, 1 / 3], [1.0, 0.0, 0.0], [0.5, 0.2, 0.3]):
        excess = ((np.array(rival) - truth) ** 2).sum()  # the divergence that belongs to the score
        assert expected(rival) - expected(truth) == pytest.approx(excess, rel=1e-10)


# -- calibration ------------------------------------------------------------------------------------------------------


def test_pit_of_a_density_is_its_distribution_function():
    values = scoring.pit(normal(), Y, 0)
    np.testing.assert_allclose(values, stats.norm.cdf(Y, MEAN, SCALE), rtol=1e-12)
    np.testing.assert_allclose(values, scoring.pit(normal(), Y), rtol=1e-12)  # nothing to draw


@pytest.mark.slow
def test_pit_of_counts_lies_between_the_limits():
    values = scoring.pit(poisson(), COUNTS, np.random.default_rng(0))
    low, high = stats.poisson.cdf(COUNTS - 1, RATE), stats.poisson.cdf(COUNTS, RATE)
    assert ((low <= values) & (values <= high)).all()
    np.testing.assert_array_equal(values, scoring.pit(poisson(), COUNTS, np.random.default_rng(0)))
    draws = np.array([scoring.pit(poisson(), COUNTS, seed) for seed in range(300)])
    np.testing.assert_allclose(draws.mean(axis=0), (low + high) / 2, atol=5 * (high - low).max() / np.sqrt(12 * 300))


def test_pit_of_an_atom_amid_a_density():
    y = np.array([0.0, 0.0, 0.5, 2.0])
    values = scoring.pit(ShiftedAtom(), y, 1)
    assert (values[:2] < 0.3).all() and values[0] != values[1]
    np.testing.assert_allclose(values[2:], 0.3 + 0.7 * stats.expon.cdf(y[2:]), rtol=1e-12)


def test_pit_distance_of_a_density_is_the_kolmogorov_statistic():
    expected = stats.kstest(stats.norm.cdf(Y, MEAN, SCALE), "uniform").statistic
    assert scoring.pit_distance(normal(), Y) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    "dist, y", [(poisson(), COUNTS), (ShiftedAtom(), np.repeat([0.0, 0.1, 0.7, 1.5], [9, 2, 3, 4]))]
)
def test_pit_distance_with_atoms_is_that_of_the_mean_distribution(dist, y):
    low, high = dist.cdf(y - 1e-9), dist.cdf(y)
    grid = np.linspace(0, 1, 20001)[:, None]
    mean = np.clip((grid - low) / np.maximum(high - low, 1e-12), 0, 1).mean(axis=1)
    assert scoring.pit_distance(dist, y) == pytest.approx(np.abs(mean - grid[:, 0]).max(), abs=1e-4)


def test_right_models_are_calibrated_and_wrong_ones_are_not():
    rng = np.random.default_rng(8)
    mean, rate = rng.normal(size=20000), rng.uniform(0.5, 4.0, 20000)
    for right, wrong, y in (
        (stats.norm(mean, 1.0), stats.norm(mean, 1.5), mean + rng.standard_normal(20000)),
        (stats.poisson(rate), stats.poisson(0.8 * rate), rng.poisson(rate)),
    ):
        assert scoring.pit_distance(Distribution(right), y) < 1.63 / np.sqrt(20000)  # the 99 % point of Kolmogorov's
        assert scoring.calibration_error(Distribution(right), y) < 0.005
        assert scoring.pit_distance(Distribution(wrong), y) > 0.05
        assert scoring.calibration_error(Distribution(wrong), y) > 0.03


def test_calibration_error_is_about_quantiles():
    levels = np.array([0.1, 0.25, 0.5, 0.9])
    actual = [np.average(Y <= normal().icdf(level), weights=WEIGHT) for level in levels]
    expected = np.abs(np.array(actual) - levels).mean()
    assert scoring.calibration_error(normal(), Y, levels, sample_weight=WEIGHT) == pytest.approx(expected, rel=1e-10)
    # A level that falls into an atom counts the part of it that lies below.
    assert scoring.calibration_error(ShiftedAtom(), np.zeros(4), [0.15]) == pytest.approx(0.35, rel=1e-6)


# -- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "score", [scoring.pinball, scoring.interval_score, scoring.coverage, scoring.calibration_error]
)
@pytest.mark.parametrize("level", [0.0, 1.0, -0.1, 90, np.nan, True])
def test_levels_between_zero_and_one(score, level):
    with pytest.raises(ValueError, match="level|coverage"):
        score(normal(), Y, level)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_refused_rows(name):
    with pytest.raises(ValueError, match="y contains NaN"):
        FUNCTIONS[name](normal(), np.where(np.arange(N) == 3, np.nan, Y))
    with pytest.raises(ValueError, match="zero everywhere"):
        FUNCTIONS[name](normal(), Y, sample_weight=np.zeros(N))
    with pytest.raises(ValueError, match="Negative values"):
        FUNCTIONS[name](normal(), Y, sample_weight=-np.ones(N))


def test_rows_without_weight_may_be_impossible():
    dist = Distribution(stats.gamma(np.full(3, 2.0)))
    y, weight = np.array([1.0, -1.0, 2.0]), np.array([1.0, 0.0, 1.0])
    assert scoring.log_score(dist, y) == -np.inf
    expected = stats.gamma(2.0).logpdf([1.0, 2.0]).mean()
    assert scoring.log_score(dist, y, sample_weight=weight) == pytest.approx(expected, rel=1e-12)


def test_refused_shapes_and_codes():
    with pytest.raises(ValueError, match="each of the 1 output"):
        scoring.crps(HMERegressor(depth=1).fit(X, TARGET).predict_dist(X), np.column_stack([TARGET, TARGET]))
    with pytest.raises(ValueError, match="shape"):
        scoring.pit_distance(normal(), Y[:, None])
    with pytest.raises(ValueError, match="codes"):
        scoring.brier_score([[0.5, 0.5]], [2])
    with pytest.raises(ValueError, match="codes"):
        scoring.brier_score([[0.5, 0.5]], [0.5])
    with pytest.raises(TypeError, match="function"):
        scoring.DistributionScorer("crps", greater_is_better=False)
    with pytest.raises(TypeError, match="greater_is_better"):
        scoring.DistributionScorer(scoring.crps, greater_is_better=-1)


# -- scorers ----------------------------------------------------------------------------------------------------------

X = RNG.normal(size=(240, 2))
TARGET = np.where(X[:, 0] < 0, 2 * X[:, 1], -2 * X[:, 1]) + 0.2 * RNG.standard_normal(240)
CLASSES = np.array(["no", "yes"])[(TARGET > 0).astype(int)]
ROW_WEIGHT = RNG.uniform(0.5, 2.0, 240)
EXPOSURE = RNG.uniform(1.0, 10.0, 240)
EVENTS = RNG.poisson(EXPOSURE * np.exp(0.3 * X[:, 1]))
SCORERS = {
    "log_score": scoring.log_score_scorer, "crps": scoring.crps_scorer, "interval": scoring.interval_scorer,
    "calibration": scoring.calibration_scorer,
}  # fmt: skip
DIRECT = {
    "log_score": scoring.log_score, "crps": lambda *a, **k: -scoring.crps(*a, **k),
    "interval": lambda *a, **k: -scoring.interval_score(*a, **k),
    "calibration": lambda *a, **k: -scoring.calibration_error(*a, **k),
}  # fmt: skip


class Homoscedastic(RegressorMixin, BaseEstimator):
    """Anything with predict_dist will do."""

    def fit(self, X, y):
        self.line_ = LinearRegression().fit(X, y)
        self.scale_ = np.std(y - self.line_.predict(X))
        return self

    def predict(self, X):
        return self.line_.predict(X)

    def predict_dist(self, X):
        return Distribution(stats.norm(self.predict(X), self.scale_))


@pytest.fixture(scope="module")
def model():
    return HMERegressor(depth=1).fit(X, TARGET)


@pytest.mark.parametrize("name", SCORERS)
def test_scorers_are_scores_where_more_is_better(name, model):
    dist = model.predict_dist(X)
    value = SCORERS[name](model, X, TARGET, sample_weight=ROW_WEIGHT)
    assert value == pytest.approx(DIRECT[name](dist, TARGET, sample_weight=ROW_WEIGHT), rel=1e-12)
    other = SCORERS[name](Homoscedastic().fit(X, TARGET), X, TARGET)
    assert value > other or (name == "calibration" and np.isfinite(other))  # which is no proper score


def test_log_score_is_the_models_own(model):
    plug_in = scoring.log_score(model.predict_dist(X, density="plug-in"), TARGET)
    assert plug_in == pytest.approx(model.log_likelihood(X, TARGET).mean(), rel=1e-9)
    assert scoring.log_score_scorer(model, X, TARGET) == scoring.log_score(model.predict_dist(X), TARGET)


@pytest.mark.slow
def test_cross_validation_with_several_scorers():
    result = cross_validate(HMERegressor(depth=1, tol=1e-3), X, TARGET, cv=2, scoring=SCORERS, error_score="raise")
    for name, scorer in SCORERS.items():
        alone = cross_val_score(HMERegressor(depth=1, tol=1e-3), X, TARGET, cv=2, scoring=scorer, error_score="raise")
        np.testing.assert_array_equal(result[f"test_{name}"], alone)


@pytest.mark.slow
def test_pipelines_and_searches_are_seen_through():
    pipeline = make_pipeline(StandardScaler(), HMERegressor(tol=1e-3))
    grid = {"hmeregressor__n_experts": [1, 2]}
    search = GridSearchCV(pipeline, grid, cv=2, scoring=scoring.crps_scorer, error_score="raise")
    search.fit(X, TARGET)
    assert search.best_params_ == {"hmeregressor__n_experts": 2}
    scaler, inside = search.best_estimator_
    expected = -scoring.crps(inside.predict_dist(scaler.transform(X)), TARGET)
    for estimator in (search, search.best_estimator_, make_pipeline("passthrough", search.best_estimator_)):
        assert scoring.crps_scorer(estimator, X, TARGET) == pytest.approx(expected, rel=1e-12)
    assert search.score(X, TARGET) == pytest.approx(expected, rel=1e-12)
    nested = cross_val_score(search, X, TARGET, cv=2, scoring=scoring.log_score_scorer, error_score="raise")
    assert (nested > -1.0).all()
    alone = make_pipeline(inside)
    assert scoring.crps_scorer(alone, X, TARGET) == scoring.crps_scorer(inside, X, TARGET)


@pytest.mark.parametrize("scorer", SCORERS.values(), ids=SCORERS)
def test_transformed_targets_are_refused(scorer):
    positive = np.exp(TARGET)
    transformed = TransformedTargetRegressor(HMERegressor(depth=1), func=np.log, inverse_func=np.exp).fit(X, positive)
    for estimator in (transformed, make_pipeline(StandardScaler(), transformed).fit(X, positive)):
        with pytest.raises(TypeError, match="TransformedTargetRegressor"):
            scorer(estimator, X, positive)


@pytest.mark.parametrize("scorer", SCORERS.values(), ids=SCORERS)
def test_estimators_without_a_distribution_are_refused(scorer):
    for estimator in (LinearRegression(), make_pipeline(StandardScaler(), LinearRegression())):
        with pytest.raises(TypeError, match="predict_dist.*got LinearRegression"):
            scorer(estimator.fit(X, TARGET), X, TARGET)


def test_scorers_of_classes_agree_with_scikit_learn():
    for classifier in (HMEClassifier(depth=1), GaussianNB(), make_pipeline(StandardScaler(), HMEClassifier(depth=1))):
        classifier.fit(X, CLASSES)
        probability = classifier.predict_proba(X)
        value = scoring.log_score_scorer(classifier, X, CLASSES, sample_weight=ROW_WEIGHT)
        assert value == pytest.approx(-log_loss(CLASSES, probability, sample_weight=ROW_WEIGHT), rel=1e-8)
        expected = -2 * brier_score_loss(CLASSES == "yes", probability[:, 1], sample_weight=ROW_WEIGHT)
        value = scoring.brier_scorer(classifier, X, CLASSES, sample_weight=ROW_WEIGHT)
        assert value == pytest.approx(expected, rel=1e-10)
    search = GridSearchCV(
        HMEClassifier(), {"n_experts": [1, 2]}, cv=3, scoring=scoring.brier_scorer, error_score="raise"
    )
    assert search.fit(X, CLASSES).best_params_ == {"n_experts": 2}


def test_classes_that_were_not_seen():
    classifier = HMEClassifier(depth=1).fit(X, CLASSES)
    with pytest.raises(ValueError, match="'maybe', which is not among the fitted classes"):
        scoring.log_score_scorer(classifier, X[:1], ["maybe"])
    probability = classifier.predict_proba(X[:1])
    expected = -1.0 - (probability**2).sum()
    assert scoring.brier_scorer(classifier, X[:1], ["maybe"]) == pytest.approx(expected, rel=1e-12)
    with pytest.raises(TypeError, match="predict_proba, got HMERegressor"):
        scoring.brier_scorer(HMERegressor(depth=1).fit(X, TARGET), X, TARGET)


def test_scores_of_classes_work_or_say_that_they_need_numbers():
    classifier = HMEClassifier(depth=1).fit(X, CLASSES)
    dist, proba = classifier.predict_dist(X), classifier.predict_proba(X)
    codes = np.searchsorted(classifier.classes_, CLASSES)
    own = proba[np.arange(len(X)), codes]
    np.testing.assert_allclose(scoring.log_score(dist, CLASSES), np.log(own).mean(), rtol=1e-12)
    np.testing.assert_allclose(scoring.log_score_scorer(classifier, X, CLASSES), np.log(own).mean(), rtol=1e-12)
    assert scoring.brier_score(dist, CLASSES) == pytest.approx(scoring.brier_score(proba, codes), rel=1e-12)
    values, below = scoring.pit(dist, CLASSES, 0), np.cumsum(proba, axis=1)[np.arange(len(X)), codes]
    assert (values <= below + 1e-12).all() and (values >= below - own - 1e-12).all()
    levels = np.arange(1, 20) / 20
    share = np.clip((levels - (below - own)[:, None]) / own[:, None], 0, 1).mean(axis=0)
    expected = np.abs(share - levels).mean()
    assert scoring.calibration_error(dist, CLASSES) == pytest.approx(expected, rel=1e-10)
    assert scoring.calibration_scorer(classifier, X, CLASSES) == pytest.approx(-expected, rel=1e-10)
    for name in ("crps", "pinball", "interval_score", "coverage"):
        with pytest.raises(TypeError, match=f"{name} needs a y of numbers"):
            getattr(scoring, name)(dist, CLASSES)
    for scorer in (scoring.crps_scorer, scoring.interval_scorer):
        with pytest.raises(TypeError, match="needs a y of numbers"):
            scorer(classifier, X, CLASSES)
    # of ordered classes the ranked probability score
    ranked = ((np.cumsum(proba, axis=1) - (np.arange(proba.shape[1]) >= codes[:, None])) ** 2).sum(axis=1)
    np.testing.assert_allclose(scoring.crps(dist.codes(), dist.encode(CLASSES)), ranked.mean(), rtol=1e-12)


def test_scorers_are_copied_and_pickled():
    for scorer in (*SCORERS.values(), scoring.brier_scorer):
        for copy in (clone(scorer, safe=False), pickle.loads(pickle.dumps(scorer))):
            assert repr(copy) == repr(scorer)
            assert copy.requests == scorer.requests


def test_parameters_go_to_the_function(model):
    half = scoring.DistributionScorer(scoring.interval_score, greater_is_better=False, coverage=0.5)
    expected = -scoring.interval_score(model.predict_dist(X), TARGET, 0.5)
    assert half(model, X, TARGET) == pytest.approx(expected, rel=1e-12)
    assert repr(half) == "DistributionScorer(interval_score, coverage=0.5, greater_is_better=False)"


# -- what belongs to each row -----------------------------------------------------------------------------------------


def test_search_weighs_test_rows_without_routing():
    # scikit-learn gives weights to scorers that take them, one alone or several.
    for scoring_ in (scoring.crps_scorer, {"crps": scoring.crps_scorer}):
        search = GridSearchCV(HMERegressor(), {"n_experts": [2]}, cv=2, scoring=scoring_, refit=False)
        search.fit(X, TARGET, sample_weight=ROW_WEIGHT)
        assert np.isfinite([v for k, v in search.cv_results_.items() if k.startswith("mean_test")]).all()


def test_rows_are_routed_to_scorers():
    folds = [(np.arange(0, 160), np.arange(160, 240)), (np.arange(80, 240), np.arange(80))]
    offset = np.log(EXPOSURE)
    with sklearn.config_context(enable_metadata_routing=True):
        counts = HMERegressor(n_experts=1, expert=PoissonExpert()).set_fit_request(offset=True, sample_weight=True)
        wanted = {name: scorer.set_score_request(offset=True, sample_weight=True) for name, scorer in SCORERS.items()}
        params = {"offset": offset, "sample_weight": ROW_WEIGHT}
        result = cross_validate(counts, X, EVENTS, cv=folds, scoring=wanted, params=params, error_score="raise")
        for i, (train, test) in enumerate(folds):
            fitted = clone(counts).fit(X[train], EVENTS[train], ROW_WEIGHT[train], offset=offset[train])
            dist = fitted.predict_dist(X[test], offset=offset[test])
            for name in SCORERS:
                expected = DIRECT[name](dist, EVENTS[test], sample_weight=ROW_WEIGHT[test])
                assert result[f"test_{name}"][i] == pytest.approx(expected, rel=1e-10)
        with pytest.raises(UnsetMetadataPassedError, match="offset"):
            cross_validate(counts, X, EVENTS, cv=folds, scoring=scoring.crps_scorer, params=params)
        trials = np.full(240, 200)
        binomial = HMERegressor(expert=BinomialExpert(), n_experts=1).set_fit_request(trials=True)
        scorer = scoring.log_score_scorer.set_score_request(trials="n_trials")
        value = cross_val_score(
            binomial.set_fit_request(trials="n_trials"),
            X,
            EVENTS,
            cv=folds,
            scoring=scorer,
            params={"n_trials": trials},
        )
        assert np.isfinite(value).all()
    assert scoring.crps_scorer.requests == dict.fromkeys(("sample_weight", "offset", "trials"))  # as they were


def test_groups_are_routed_to_the_log_score():
    groups = np.repeat(np.arange(60), 4)
    weight = np.repeat(RNG.uniform(0.5, 2.0, 60), 4)
    with sklearn.config_context(enable_metadata_routing=True):
        repeated = HMERegressor(n_experts=2, gate="constant").set_fit_request(groups=True, sample_weight=True)
        scorer = scoring.log_score_scorer.set_score_request(groups=True, sample_weight=True)
        search = GridSearchCV(repeated, {"n_experts": [1, 2]}, cv=3, scoring=scorer, error_score="raise")
        search.fit(X, TARGET, groups=groups, sample_weight=weight)
        model = search.best_estimator_
        expected = np.average(model.log_likelihood(X, TARGET, groups=groups), weights=weight[::4])
        value = search.score(X, TARGET, groups=groups, sample_weight=weight)
        assert value == pytest.approx(expected, rel=1e-12)
        classifier = HMEClassifier(n_experts=2, gate="constant").fit(X, CLASSES)
        value = scorer(classifier, X, CLASSES, groups=groups, sample_weight=weight)
        expected = np.average(classifier.log_likelihood(X, CLASSES, groups=groups), weights=weight[::4])
        assert value == pytest.approx(expected, rel=1e-12)
        with pytest.raises(TypeError, match="does not take 'groups'"):
            scoring.crps_scorer.set_score_request(groups=True)
        with pytest.raises(ValueError, match="alias"):
            scoring.crps_scorer.set_score_request(offset="not a name")
    with pytest.raises(RuntimeError, match="enable_metadata_routing"):
        scoring.crps_scorer.set_score_request(offset=True)
