"""Rows that are held out end a fit, and the best parameters for them are kept."""

from functools import cache

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from hme import HMEClassifier, HMERegressor, HMERegressorCV
from hme.bootstrap import lr_test_bootstrap
from hme.diagnosis import restart_report
from hme.experts import LinearExpert
from hme.gates import SoftmaxGate
from hme.inference import infer
from hme.model.rows import Rows
from hme.progress import HeldOut, held_out

pytestmark = pytest.mark.filterwarnings("ignore:.*holds the weight of")

RNG = np.random.default_rng(0)
N = 160
X = RNG.normal(size=(N, 4))
Y = np.where(X[:, 0] > 0, X[:, 1], -X[:, 2]) + 0.4 * RNG.normal(size=N)
LOOSE = {"expert": LinearExpert(alpha=0.0), "gate": SoftmaxGate(alpha=1e-3), "start": "model_tree"}


@cache
def overfitted(**settings):
    """Eight experts of five coefficients each for 144 rows."""
    return HMERegressor(**{"depth": 3, "early_stopping": True, **LOOSE, **settings}).fit(X, Y)


def rows_of(**arrays):
    return Rows(np.column_stack([X, np.ones(N)]), np.column_stack([X, np.ones(N)]), Y[:, None], np.ones(N), **arrays)


# -- what is kept ------------------------------------------------------------------------------------------------------


def test_the_best_parameters_for_the_held_out_rows_are_kept():
    model, seen = overfitted(standardize=False), []
    found = held_out(model.observed_rows(X, Y)[0], 0.1)
    assert found.sum() == N // 10
    score = model.log_likelihood(X[found], Y[found]).mean()
    assert model.best_validation_score_ == pytest.approx(score, abs=1e-12)
    assert model.best_validation_score_ == model.validation_scores_.max()
    # The same fit to the other rows, watched from outside.
    plain = HMERegressor(depth=3, standardize=False, **LOOSE, callback=lambda *sweep: seen.append(sweep), max_iter=20)
    with pytest.warns(match="max_iter"):
        plain.fit(X[~found], Y[~found])
    n = len(model.lower_bounds_)
    assert n == model.validation_scores_.argmax() + 1 and len(model.validation_scores_) == n + 10
    np.testing.assert_allclose([objective for _, objective, _ in seen][:n], model.lower_bounds_, atol=1e-6)


def test_it_says_what_it_did(recwarn):
    model = HMERegressor(depth=3, early_stopping=True, expert=LinearExpert(alpha=1.0), start="model_tree").fit(X, Y)
    assert not [one for one in recwarn if "converged" in str(one.message)]
    assert model.stop_reason_ == "early_stopping" and model.restarts_[0].score == model.best_validation_score_
    assert "held out" in repr(model.restarts_) and "held out" in model.restarts_.to_frame()
    assert "EM stopped early" in repr(infer(model, X, Y).summary())
    off = HMERegressor(depth=1).fit(X, Y)
    assert off.validation_scores_ is None and off.best_validation_score_ is None
    assert "held out" not in repr(off.restarts_) and "held out" not in off.restarts_.to_frame()


def test_what_has_not_overfitted_converges():
    model = overfitted(depth=0, start="model_tree")
    assert model.converged_ and model.stop_reason_ == "converged"


def test_patience_is_counted_in_sweeps_that_gain_nothing_together():
    short, long = overfitted(n_iter_no_change=2), overfitted(n_iter_no_change=20)
    assert len(short.validation_scores_) < len(long.validation_scores_)
    assert long.best_validation_score_ >= short.best_validation_score_


def test_starts_are_compared_by_the_held_out_rows():
    model = overfitted(depth=2, n_init=4, n_finalists=None, random_state=0, prefer="likelihood")
    scores = [one.score for one in model.restarts_]
    assert max(scores) == model.best_validation_score_ and len(set(scores)) > 1
    kept = next(number for number, one in enumerate(model.restarts_) if one.kept)
    other = model.from_restart(1 - (kept == 1))
    assert other.best_validation_score_ < model.best_validation_score_


def test_the_predictive_density_is_measured_with_the_held_out_rows():
    model = overfitted()
    assert (model.uncertainty_.inflation >= 1.0).all() and (model.uncertainty_.inflation > 1.0).any()


# -- which rows are held out -------------------------------------------------------------------------------------------


def test_a_weight_is_a_repetition():
    times = np.random.default_rng(1).integers(0, 4, N)
    order = np.random.default_rng(2).permutation(times.sum())
    weighted = HMERegressor(depth=2, early_stopping=True).fit(X, Y, times)
    repeated = HMERegressor(depth=2, early_stopping=True)
    repeated.fit(X.repeat(times, axis=0)[order], Y.repeat(times)[order])
    assert weighted.stop_reason_ == "early_stopping"
    np.testing.assert_allclose(weighted.validation_scores_, repeated.validation_scores_, atol=1e-9)
    np.testing.assert_allclose(weighted.predict(X), repeated.predict(X), atol=1e-8)


def test_groups_stay_together_and_the_number_is_theirs():
    codes = np.sort(np.arange(N) % 40)
    found = held_out(rows_of(group=codes), 0.25)
    assert len(np.unique(codes[found])) == 10 and not np.intersect1d(codes[found], codes[~found]).size
    assert held_out(rows_of(), 7).sum() == 7
    groups = np.repeat(np.arange(40), 4)
    Z = np.column_stack([X[groups, 0], X[:, 1:]])
    model = HMERegressor(depth=1, gate_features=[0], early_stopping=True).fit(Z, Y, groups=groups)
    assert np.isfinite(model.best_validation_score_)


def test_classes_are_spread_evenly_and_none_is_lost():
    y = np.repeat([0, 1, 2, 3], [119, 30, 10, 1])
    found = held_out(rows_of()._replace(y=y), 0.1)
    assert np.abs(np.bincount(y[found], minlength=4) - [12, 3, 1, 0]).max() <= 1 and not found[-1]
    model = HMEClassifier(depth=1, early_stopping=True).fit(X, y)
    assert model.predict_proba(X).shape == (N, 4) and np.isfinite(model.best_validation_score_)


def test_labelled_rows_are_held_out_only_where_all_are():
    some = np.zeros((N, 2))
    some[:20, 0] = -np.inf
    assert not held_out(rows_of(log_label=some), 0.3)[:20].any() and held_out(rows_of(log_label=some), 0.3).sum() == 42
    assert held_out(rows_of(log_label=np.tile([0.0, -np.inf], (N, 1))), 0.25).sum() == 40


def test_the_score_of_impossible_rows_is_a_number():
    class Mixture:
        def evidence(self, params, rows):
            return np.array([-1.0, -np.inf, np.nan])

    score = HeldOut(rows_of()[:3]._replace(weight=np.array([2.0, 1.0, 1.0])), 1, None).score(Mixture(), None)
    assert score == pytest.approx((2 * -1.0 - 2e4) / 4)


@pytest.mark.parametrize(
    "settings, n, message",
    [
        ({"early_stopping": "auto"}, N, "early_stopping"),
        ({"validation_fraction": 1.0}, N, "validation_fraction = 1.0"),
        ({"validation_fraction": 0}, N, "validation_fraction"),
        ({"validation_fraction": N}, N, f"validation_fraction = {N} leaves no row to fit"),
        ({"n_iter_no_change": 0}, N, "n_iter_no_change"),
        ({}, 1, "leaves no row to fit"),
    ],
)
def test_refusals(settings, n, message):
    with pytest.raises(ValueError, match=message):
        HMERegressor(**{"early_stopping": True, **settings}).fit(X[:n], Y[:n])


# -- together with the rest --------------------------------------------------------------------------------------------

TOGETHER = {
    "top-k gate": {"n_experts": 4, "gate": "top_k"},
    "Gaussian gate": {"n_experts": 2, "gate": "gaussian"},
    "algorithms": {"depth": 2, "algorithm": ("stochastic", "em"), "random_state": 0},
    "hard": {"depth": 2, "algorithm": "hard"},
    "steps": {"depth": 2, "accelerate": False},
    "strengths": {"depth": 2, "expert": LinearExpert(alpha="auto"), "gate": SoftmaxGate(alpha="auto")},
    "estimators": {"depth": 1, "expert": Ridge()},
    "list": {"n_experts": 3, "expert": [("a", "linear"), ("b", "constant"), ("c", "background")]},
    "dropping": {"n_experts": 8, "on_empty": "drop"},
    "reseeding": {"n_experts": 8, "on_empty": "reseed"},
    "growing": {},
    "growing, with splines": {"candidates": [{}, {"expert_features": "splines"}]},
    "splines": {"depth": 1, "expert_features": "splines"},
}


@pytest.mark.parametrize("settings", TOGETHER.values(), ids=TOGETHER)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_it_goes_with(settings):
    model = HMERegressor(**{"early_stopping": True, "max_iter": 60, "start": "auto", **settings}).fit(X, Y)
    assert np.isfinite(model.predict(X)).all() and np.isfinite(model.validation_scores_).all()
    assert model.best_validation_score_ >= model.validation_scores_.max() - 1e-3 or settings.get("algorithm")


def test_a_warm_start_goes_on_from_what_was_kept():
    model = HMERegressor(depth=2, early_stopping=True, warm_start=True, **LOOSE).fit(X, Y)
    before = model.best_validation_score_
    assert model.fit(X, Y).validation_scores_[0] == pytest.approx(before) and model.best_validation_score_ >= before


def test_models_of_a_search_stop_early():
    search = HMERegressorCV(HMERegressor(early_stopping=True, **LOOSE), [{"depth": 1}, {"depth": 2}], cv=2).fit(X, Y)
    assert search.best_estimator_.best_validation_score_ is not None and np.isfinite(search.predict(X)).all()


def test_likelihoods_of_fits_that_stop_early_are_not_compared():
    model = HMERegressor(depth=1, early_stopping=True)
    with pytest.raises(ValueError, match="small has early_stopping = True"):
        lr_test_bootstrap(model, HMERegressor(depth=2), X, Y)
    with pytest.raises(ValueError, match="early_stopping = True"):
        restart_report(model, X, Y)
