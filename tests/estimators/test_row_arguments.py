"""What belongs to each row beside its weight: an offset of the linear predictors, a number of trials."""

import contextlib
import pickle
from functools import cache

import numpy as np
import pytest
import sklearn
from problems import few, representative
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from hme import HMERegressor
from hme.experts import BinomialExpert, GammaExpert, GaussianExpert, LinearExpert, NegativeBinomialExpert, PoissonExpert
from hme.registry import make_expert

RNG = np.random.default_rng(0)
N = 200
X = RNG.normal(size=(N, 2))
EXPOSURE = RNG.uniform(1.0, 20.0, N)
OFFSET = np.log(EXPOSURE)
TRIALS = RNG.integers(1, 15, N)
RATE = np.exp(np.where(X[:, 0] < 0, 0.5 + 0.6 * X[:, 1], -0.5 - 0.6 * X[:, 1]))
COUNTS = RNG.poisson(EXPOSURE * RATE)
SUCCESSES = RNG.binomial(TRIALS, RATE / (1 + RATE))
POSITIVE = RNG.gamma(5.0, EXPOSURE * RATE / 5.0)
START = (X[:, 0] < 0).astype(int)
WITH_OFFSET = {
    "poisson": (PoissonExpert(), COUNTS), "negative binomial": (NegativeBinomialExpert(), COUNTS),
    "gamma": (GammaExpert(), POSITIVE), "log": (GaussianExpert(), POSITIVE),
    "identity": (GaussianExpert("identity"), np.log(POSITIVE)), "linear": (LinearExpert(), np.log(POSITIVE)),
}  # fmt: skip


def model(expert, **settings):
    return HMERegressor(**{"n_experts": 2, "expert": expert, **settings})


@contextlib.contextmanager
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


# -- what an offset means --------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:.*are not overdispersed:sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", representative(WITH_OFFSET, every=2))
def test_offset_is_part_of_the_linear_predictor(name):
    expert, y = WITH_OFFSET[name]
    fitted = model(expert, start=START).fit(X, y, offset=OFFSET)
    eta = X @ fitted.experts_.coef.T + fitted.experts_.intercept + OFFSET[:, None]
    mean = eta if name in ("identity", "linear") else np.exp(eta)
    np.testing.assert_allclose(fitted.predict_experts(X, offset=OFFSET), mean, rtol=1e-9)
    prior = fitted.gate_proba(X)  # the gate has no offset
    np.testing.assert_allclose(fitted.predict(X, offset=OFFSET), (prior * mean).sum(axis=1), rtol=1e-9)
    again = fitted.responsibilities(X, y, offset=OFFSET)
    np.testing.assert_allclose(again.sum(axis=1), 1.0)
    assert again.shape == (N, 2)


@pytest.mark.parametrize("name", few(representative(WITH_OFFSET, every=2), 1))
def test_constant_offset_moves_the_intercepts_alone(name):
    expert, y = WITH_OFFSET[name]
    plain = model(expert, tol=1e-9).fit(X, y)
    shifted = model(expert, tol=1e-9).fit(X, y, offset=1.7)  # a number stands for all rows
    np.testing.assert_allclose(shifted.experts_.intercept, plain.experts_.intercept - 1.7, atol=2e-5)
    np.testing.assert_allclose(shifted.experts_.coef, plain.experts_.coef, atol=2e-5)
    np.testing.assert_allclose(shifted.lower_bounds_[-1], plain.lower_bounds_[-1], rtol=1e-8)
    np.testing.assert_allclose(shifted.predict(X, offset=np.full(N, 1.7)), plain.predict(X), rtol=2e-5)
    np.testing.assert_allclose(shifted.predict(X, offset=1.7), shifted.predict(X, offset=np.full(N, 1.7)), rtol=0)


@pytest.mark.parametrize("family", [PoissonExpert, GammaExpert])
def test_offset_of_one_expert_is_a_weighted_rate(family):
    # For one expert the counts with an offset are the rates with the exposure as weight; for gamma, the rates alone.
    y = COUNTS if family is PoissonExpert else POSITIVE
    counts = model(family(alpha=0.0), n_experts=1, tol=1e-15).fit(X, y, offset=OFFSET)
    weight = EXPOSURE if family is PoissonExpert else None
    rates = model(family(alpha=0.0), n_experts=1, tol=1e-15).fit(X, y / EXPOSURE, sample_weight=weight)
    np.testing.assert_allclose(counts.experts_.coef, rates.experts_.coef, rtol=1e-7)
    np.testing.assert_allclose(counts.experts_.intercept, rates.experts_.intercept, rtol=1e-7)


def test_exposure_as_a_weight_is_another_mixture():
    offset = model(PoissonExpert(), start=START).fit(X, COUNTS, offset=OFFSET)
    weight = model(PoissonExpert(), start=START).fit(X, COUNTS / EXPOSURE, sample_weight=EXPOSURE)
    assert np.abs(offset.responsibilities(X, COUNTS, offset=OFFSET) - weight.gate_proba(X)).max() > 0.1
    assert not np.allclose(offset.experts_.coef, weight.experts_.coef, rtol=1e-3)


@pytest.mark.filterwarnings("ignore:.*Use PoissonExpert")
@pytest.mark.parametrize("name", representative(WITH_OFFSET, every=3))
def test_offset_and_start(name):
    # An offset that hides the regimes from y must not hide them from the starts.
    expert, y = WITH_OFFSET[name]
    hidden = model(expert, tol=1e-8).fit(X, y, offset=OFFSET)
    informed = model(expert, tol=1e-8, start=START).fit(X, y, offset=OFFSET)
    assert hidden.lower_bounds_[-1] > informed.lower_bounds_[-1] - 1e-3


# -- trials ----------------------------------------------------------------------------------------------------------


def test_trials_of_one_expert_are_single_trials():
    binomial = model(BinomialExpert(alpha=0.0), n_experts=1, tol=1e-15).fit(X, SUCCESSES, trials=TRIALS)
    again = np.repeat(np.arange(N), TRIALS)
    single = np.concatenate([np.arange(m) < s for s, m in zip(SUCCESSES, TRIALS, strict=True)]).astype(float)
    bernoulli = model(BinomialExpert(alpha=0.0), n_experts=1, tol=1e-15).fit(X[again], single)
    np.testing.assert_allclose(binomial.experts_.coef, bernoulli.experts_.coef, rtol=1e-8)
    weighted = model(BinomialExpert(alpha=0.0), n_experts=1, tol=1e-15)
    weighted.fit(np.vstack([X, X]), np.r_[np.ones(N), np.zeros(N)], sample_weight=np.r_[SUCCESSES, TRIALS - SUCCESSES])
    np.testing.assert_allclose(weighted.experts_.coef, bernoulli.experts_.coef, rtol=1e-8)


def test_trials_are_no_weight():
    """Without gate and columns: all trials of a row come from one expert, and then two rates can be told apart."""
    rng = np.random.default_rng(2)
    rate = np.where(rng.uniform(size=N) < 0.5, 0.2, 0.8)
    y = rng.binomial(12, rate)
    settings = dict(gate="constant", expert_features=[], gate_features=[], tol=1e-9, max_iter=5000)
    rows = model(BinomialExpert(n_trials=12), start=(y > 6).astype(int), **settings).fit(X, y)
    np.testing.assert_allclose(np.sort(1 / (1 + np.exp(-rows.experts_.intercept))), [0.2, 0.8], atol=0.03)
    assert rows.log_likelihood(X, y).sum() > np.log(1 / 13) * N  # better than no idea
    both, label = np.vstack([X, X]), np.r_[np.ones(N), np.zeros(N)]
    split = model(BinomialExpert(), start=np.r_[y > 6, y > 6].astype(int), **settings)
    split.fit(both, label, sample_weight=np.r_[y, 12 - y])
    total = y.sum() / (12 * N)  # single trials know one rate only: the mixture says no more than that
    np.testing.assert_allclose(split.predict(X), total, atol=1e-4)
    assert split.lower_bounds_[-1] < total * np.log(total) + (1 - total) * np.log(1 - total) + 1e-9


def test_n_trials_stands_for_trials():
    y = np.minimum(SUCCESSES, 9)
    one = model(BinomialExpert(n_trials=9)).fit(X, y)
    two = model(BinomialExpert()).fit(X, y, trials=9)
    three = model(BinomialExpert()).fit(X, y, trials=np.full(N, 9))
    np.testing.assert_array_equal(one.predict(X), two.predict(X, trials=9))
    np.testing.assert_array_equal(one.predict(X), three.predict(X, trials=np.full(N, 9)))


def test_trials_and_offset_together():
    fitted = model(BinomialExpert()).fit(X, SUCCESSES, trials=TRIALS, offset=0.1 * X[:, 0])
    rate = fitted.predict_experts(X, trials=1, offset=0.1 * X[:, 0])
    assert ((rate > 0) & (rate < 1)).all()
    np.testing.assert_allclose(
        fitted.predict_experts(X, trials=TRIALS, offset=0.1 * X[:, 0]), TRIALS[:, None] * rate, rtol=1e-12
    )
    mean, std = fitted.predict(X, return_std=True, density="plug-in", trials=TRIALS, offset=0.1 * X[:, 0])
    prior, means = fitted.gate_proba(X), TRIALS[:, None] * rate
    variance = (prior * (means * (1 - rate) + (means - mean[:, None]) ** 2)).sum(axis=1)
    np.testing.assert_allclose(std, np.sqrt(variance), rtol=1e-10)


# -- weights ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("argument", few(["offset", "trials"], 1))
def test_rows_without_weight_are_absent(argument):
    times = np.arange(N) % 3
    kept = times > 0
    expert, y, value = {
        "offset": (PoissonExpert(), COUNTS, OFFSET),
        "trials": (BinomialExpert(), SUCCESSES, TRIALS),
    }[argument]
    strange = np.where(kept, value, 99.0 if argument == "offset" else 5e5)
    target = np.where(kept, y, 0)
    all_rows = model(expert).fit(X, target, sample_weight=times, **{argument: strange})
    some = model(expert).fit(X[kept], y[kept], sample_weight=times[kept], **{argument: value[kept]})
    np.testing.assert_allclose(
        all_rows.predict(X, **{argument: value}), some.predict(X, **{argument: value}), rtol=1e-10
    )
    again = np.repeat(np.arange(N), times)
    repeated = model(expert).fit(X[again], y[again], **{argument: value[again]})
    np.testing.assert_allclose(
        repeated.predict(X, **{argument: value}), some.predict(X, **{argument: value}), rtol=1e-6, atol=1e-7
    )


def test_score_takes_arguments_and_weights():
    fitted = model(PoissonExpert()).fit(X, COUNTS, offset=OFFSET)
    expected = r2_score(COUNTS, fitted.predict(X, offset=OFFSET), sample_weight=EXPOSURE)
    assert fitted.score(X, COUNTS, EXPOSURE, offset=OFFSET) == expected
    assert fitted.score(X, COUNTS, offset=OFFSET) > fitted.score(X, COUNTS, offset=0.0)


# -- refusals --------------------------------------------------------------------------------------------------------


@cache
def fitted_with(argument):
    expert, y, value = {
        "offset": (PoissonExpert(), COUNTS, OFFSET),
        "trials": (BinomialExpert(), SUCCESSES, TRIALS),
    }[argument]
    return model(expert).fit(X, y, **{argument: value}), y, value


@pytest.mark.parametrize("method", ["predict", "predict_experts", "score", "log_likelihood", "responsibilities"])
@pytest.mark.parametrize("argument", ["offset", "trials"])
def test_what_fit_had_predict_wants(method, argument):
    fitted, y, value = fitted_with(argument)
    arguments = (X,) if method.startswith("predict") else (X, y)
    with pytest.raises(ValueError, match=f"fitted with {argument}; give {argument} here too"):
        getattr(fitted, method)(*arguments)
    assert np.isfinite(getattr(fitted, method)(*arguments, **{argument: value})).all()
    assert np.isfinite(fitted.gate_proba(X)).all() and len(fitted.apply(X)) == N  # these see x alone
    with pytest.raises(ValueError, match=f"fitted with {argument}"):
        getattr(pickle.loads(pickle.dumps(fitted)), method)(*arguments)


def test_a_new_fit_forgets_the_arguments():
    fitted = model(PoissonExpert()).fit(X, COUNTS, offset=OFFSET)
    assert np.isfinite(fitted.fit(X, COUNTS).predict(X)).all()
    assert np.isfinite(fitted.predict(X, offset=OFFSET)).all()  # taken where the family can


@pytest.mark.parametrize(
    "expert, argument", [("tree", "offset"), ("constant", "offset"), (PoissonExpert(), "trials"), ("gamma", "trials")]
)
def test_families_refuse_what_they_do_not_take(expert, argument):
    fitted = model(expert)
    if argument in make_expert(expert, fitted.task).traits.row_arguments:
        pytest.skip("this family takes it")
    with pytest.raises(ValueError, match=f"{argument} is given, but .*Expert takes no {argument}"):
        fitted.fit(X, POSITIVE, **{argument: np.ones(N)})
    fitted.fit(X, POSITIVE)
    with pytest.raises(ValueError, match=f"{argument} is given, but .*Expert takes no {argument}"):
        fitted.predict(X, **{argument: np.ones(N)})


@pytest.mark.parametrize("argument", ["offset", "trials"])
@pytest.mark.parametrize(
    "value", [np.ones(N - 1), np.ones((N, 1)), np.r_[np.nan, np.ones(N - 1)], np.inf, "all", ["1"] * (N - 1) + ["b"]],
    ids=["short", "column", "nan", "inf", "text", "texts"],
)  # fmt: skip
def test_bad_values_are_named(argument, value):
    expert, y = (PoissonExpert(), COUNTS) if argument == "offset" else (BinomialExpert(), np.minimum(SUCCESSES, 1))
    with pytest.raises((ValueError, TypeError), match=argument):
        model(expert).fit(X, y, **{argument: value})
    fitted, *_ = fitted_with(argument)
    with pytest.raises((ValueError, TypeError), match=argument):
        fitted.predict(X, **{argument: value})


@pytest.mark.parametrize("value", [0, -1, np.r_[0, np.full(N - 1, 20)]], ids=["zero", "negative", "one zero"])
def test_trials_are_positive(value):
    with pytest.raises(ValueError, match="trials"):
        model(BinomialExpert()).fit(X, SUCCESSES, trials=value)


def test_more_successes_than_trials_are_refused():
    wrong = TRIALS.copy()
    wrong[3], y = 1, np.minimum(SUCCESSES, TRIALS)
    y[3] = 2
    with pytest.raises(ValueError, match=r"in 1 row\(s\), such as 2.0: .*from 0 to the number of trials"):
        model(BinomialExpert()).fit(X, y, trials=wrong)
    fitted = model(BinomialExpert()).fit(X, SUCCESSES, trials=TRIALS)
    with pytest.raises(ValueError, match="such as 2.0"):
        fitted.log_likelihood(X, y, trials=wrong)


def test_arguments_are_keywords():
    with pytest.raises(TypeError):
        model(PoissonExpert()).fit(X, COUNTS, None, OFFSET)
    with pytest.raises(TypeError):
        model(PoissonExpert()).fit(X, COUNTS, exposure=EXPOSURE)


# -- routing ---------------------------------------------------------------------------------------------------------


def routed():
    return (
        model(PoissonExpert())
        .set_fit_request(offset=True, sample_weight=True)
        .set_predict_request(offset=True)
        .set_score_request(offset=True, sample_weight=True)
    )


def test_pipeline_routes_offset():
    weight = np.arange(N) % 4 + 0.5
    with routing():
        scaler = StandardScaler().set_fit_request(sample_weight=True)
        pipeline = make_pipeline(scaler, routed()).fit(X, COUNTS, offset=OFFSET, sample_weight=weight)
        scaled = StandardScaler().fit(X, sample_weight=weight)
        alone = model(PoissonExpert()).fit(scaled.transform(X), COUNTS, offset=OFFSET, sample_weight=weight)
        expected = alone.predict(scaled.transform(X), offset=OFFSET)
        np.testing.assert_allclose(pipeline.predict(X, offset=OFFSET), expected, rtol=1e-10)
        assert pipeline.score(X, COUNTS, offset=OFFSET) == pytest.approx(
            alone.score(scaled.transform(X), COUNTS, offset=OFFSET)
        )


def test_cross_validation_routes_offset():
    with routing():
        folds = [(np.arange(N) % 2 == 0, np.arange(N) % 2 == 1), (np.arange(N) % 2 == 1, np.arange(N) % 2 == 0)]
        folds = [tuple(np.flatnonzero(part) for part in fold) for fold in folds]
        result = cross_validate(
            routed(), X, COUNTS, cv=folds, params={"offset": OFFSET, "sample_weight": EXPOSURE}, error_score="raise"
        )
        for score, (train, test) in zip(result["test_score"], folds, strict=True):
            alone = model(PoissonExpert()).fit(X[train], COUNTS[train], EXPOSURE[train], offset=OFFSET[train])
            expected = alone.score(X[test], COUNTS[test], EXPOSURE[test], offset=OFFSET[test])
            assert score == pytest.approx(expected, rel=1e-12)


@pytest.mark.slow
def test_grid_search_routes_offset_and_trials():
    with routing():
        search = GridSearchCV(routed(), {"expert__alpha": [0.1, 1e4]}, cv=2, error_score="raise")
        search.fit(X, COUNTS, offset=OFFSET, sample_weight=np.ones(N))
        assert search.best_params_ == {"expert__alpha": 0.1}
        assert np.isfinite(search.best_estimator_.predict(X, offset=OFFSET)).all()
        binomial = model(BinomialExpert()).set_fit_request(trials=True).set_score_request(trials=True)
        search = GridSearchCV(binomial, {"n_experts": [1, 2]}, cv=2, error_score="raise")
        search.fit(X, SUCCESSES, trials=TRIALS)
        assert search.best_params_ == {"n_experts": 2}


def test_routing_refuses_what_nobody_asked_for():
    with routing(), pytest.raises(sklearn.exceptions.UnsetMetadataPassedError, match="offset"):
        cross_validate(model(PoissonExpert()), X, COUNTS, params={"offset": OFFSET}, error_score="raise")
